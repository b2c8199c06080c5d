//! One element in three languages, loaded into one running gateway: what each of them makes of the same vendor is the same.
//! Where Node or Python is missing, the others are tried, and it is said.
//! Must not know in which language an element is written, but for finding it.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tidegate_examples::notes::{Simulator, SimulatorOptions, TOKEN};
use tidegate_examples::receiver::{ReceivedEvent, Receiver, ReceiverOptions};

use crate::language::Language;
use crate::projects::Project;
use crate::support::{Made, SOON, Stage, assert_no_gap};

/// A gateway in a debug build compiles a whole Python in it.
const LOADED: Duration = Duration::from_secs(180);
/// More than two pages.
const NOTES: u32 = 120;

/// Key and file of each element that can be built here.
fn built() -> Vec<(String, PathBuf)> {
    let languages = [Language::Rust, Language::JavaScript, Language::Python];
    let component = |language| {
        let project = Project::example(language);
        let _one_at_a_time = project.lock();
        project.build().map(|component| (project.key.clone(), component))
    };
    languages.into_iter().filter_map(component).collect()
}

/// An element's instance with a receiver of its own.
struct Customer {
    key: String,
    made: Made,
    receiver: Receiver,
}

async fn load(stage: &Stage, key: &str, component: Vec<u8>) {
    let client = tidegate_examples::http::builder().timeout(LOADED).build().unwrap();
    let answer = client
        .put(format!("{}/elements/{key}/component", stage.gateway.base_url()))
        .header("authorization", stage.gateway.owner())
        .body(component)
        .send()
        .await
        .unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{key}: {text}");
}

async fn customer(stage: &Stage, vendor: &Simulator, key: &str) -> Customer {
    let receiver = Receiver::start(ReceiverOptions::default()).await.unwrap();
    let body = json!({
        "element": {"key": key},
        "name": key,
        "configuration": {
            "notes.url": vendor.base_url(),
            "notes.token": TOKEN,
            "event.notification.enabled": true,
            "event.notification.callback.url": format!("{}/callback", receiver.base_url()),
            "event.poller.refresh_interval": "0.02",
        },
    });
    Customer {
        key: key.to_owned(),
        made: stage.create_and_baseline(&body.to_string()).await,
        receiver,
    }
}

/// Type, id and record of each, sorted: what changes in one millisecond has no order of its own.
fn told(events: &[ReceivedEvent]) -> Vec<(String, String, Value)> {
    let told = events
        .iter()
        .map(|event| (event.event_type.clone(), event.object_id.clone(), event.record.clone()));
    let mut told: Vec<_> = told.collect();
    told.sort_by(|(kind, id, _), (other, others, _)| (kind, id).cmp(&(other, others)));
    told
}

#[tokio::test]
async fn one_element_in_three_languages_gives_the_same_events() {
    let built = built();
    let stage = Stage::new().await;
    let vendor = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let notes = vendor.control();
    notes.seed(NOTES);
    let mut customers = Vec::new();
    for (key, component) in built {
        load(&stage, &key, std::fs::read(component).unwrap()).await;
        customers.push(customer(&stage, &vendor, &key).await);
    }

    let created = notes.create(json!({"title": "Bread", "tags": ["shop"]})).unwrap();
    notes
        .update(2, json!({"title": "Call Zoë back", "fields": {"ä": 0.5, "Z": null}}))
        .unwrap();
    // Whoever comes first is to come again.
    notes.refuse(2, 1);
    notes.delete(3).unwrap();
    let expected = [("CREATED", created), ("DELETED", 3), ("UPDATED", 2)];
    let expected = expected.map(|(kind, id)| (kind.to_owned(), id.to_string()));
    let mut first: Option<(String, Vec<_>)> = None;
    for Customer { key, made, receiver } in &customers {
        let events = receiver.wait_for(expected.len(), SOON).await.unwrap();
        stage.next_good_poll(made.id).await;
        assert_eq!(receiver.events().len(), expected.len(), "{key}: nothing came twice");
        assert_no_gap(&events);
        let told = told(&events);
        let kinds: Vec<_> = told.iter().map(|(kind, id, _)| (kind.clone(), id.clone())).collect();
        assert_eq!(kinds, expected, "{key}");
        match &first {
            None => first = Some((key.clone(), told)),
            Some((other, same)) => assert_eq!(&told, same, "{key} and {other}"),
        }
    }
    assert_eq!(first.unwrap().1[2].2["fields"], json!({"Z": null, "ä": 0.5}));
}

#[tokio::test]
async fn a_wrong_token_is_refused_when_the_instance_is_made() {
    let stage = Stage::new().await;
    let component = Project::example(Language::Rust).build().unwrap();
    load(&stage, "notes-rust", std::fs::read(component).unwrap()).await;
    let vendor = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let body = json!({
        "element": {"key": "notes-rust"},
        "name": "Notes",
        "configuration": {"notes.url": vendor.base_url(), "notes.token": "guessed"},
    });
    let (status, answer) = stage.call(reqwest::Method::POST, "/instances", Some(body)).await;
    assert!(status.is_client_error(), "{status}: {answer}");
    assert!(
        answer["message"].as_str().unwrap().contains("invalid token"),
        "{answer}"
    );
    assert!(!answer.to_string().contains("guessed"), "{answer}");
}
