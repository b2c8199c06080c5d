//! Components that are loaded, refused, replaced, rolled back and removed in a running gateway, by REST and by file.
//! Must not look into the gateway: what counts is what REST, files and the receiver show.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidegate_examples::receiver::{Receiver, ReceiverOptions};

use crate::support::{SOON, Stage, assert_no_gap, distinct};

const AUTOTASK: &str = "/elements/autotaskcrm";
const INSTANCES: usize = 3;
const LOADS: u8 = 50;

/// A component as `cargo xtask elements` builds it.
fn built(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask elements`", path.display()))
}

/// The Autotask element with another digest: a custom section holds the mark.
fn marked(mark: u8) -> Vec<u8> {
    let mut component = built("elements/autotaskcrm.wasm");
    component.extend_from_slice(&[0, 3, 1, b'm', mark]);
    component
}

impl Stage {
    async fn put_component(&self, path: &str, component: Vec<u8>) -> (StatusCode, Value) {
        let answer = tidegate_examples::http::client()
            .put(format!("{}{path}", self.gateway.base_url()))
            .header("authorization", self.gateway.owner())
            .body(component)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// The components of an element, newest first.
    async fn versions(&self, element: &str) -> Vec<Value> {
        let (status, versions) = self.call(Method::GET, &format!("{element}/versions"), None).await;
        assert_eq!(status, StatusCode::OK, "{versions}");
        versions.as_array().unwrap().clone()
    }

    /// Waits until the versions of an element are as wanted.
    async fn versions_until(&self, element: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = tokio::time::Instant::now() + SOON;
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            let (_, answer) = self.call(Method::GET, &format!("{element}/versions"), None).await;
            let versions = answer.as_array().cloned().unwrap_or_default();
            if wanted(&versions) {
                return versions;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the versions never were as wanted: {versions:#?}\n{}",
                self.gateway.log_tail()
            );
        }
    }

    async fn log_until(&self, words: &str) {
        let deadline = tokio::time::Instant::now() + SOON;
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while !self.log().contains(words) {
            ticks.tick().await;
            assert!(tokio::time::Instant::now() < deadline, "the log never said {words:?}");
        }
    }

    fn elements_dir(&self) -> PathBuf {
        self.directory.path().join("elements")
    }
}

#[tokio::test]
async fn fifty_versions_are_loaded_while_polls_run_and_nothing_is_lost_or_doubled() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(700);
    let mut made = Vec::new();
    for _ in 0..INSTANCES {
        let receiver = Receiver::start(ReceiverOptions::default()).await.unwrap();
        let callback = json!({"event.notification.callback.url": format!("{}/callback", receiver.base_url())});
        let instance = stage.create_and_baseline(&stage.body(callback).to_string()).await;
        made.push((instance.id, receiver));
    }
    let ids = stage.vendor().ids("Companies");
    let mut expected = Vec::new();
    for mark in 0..LOADS {
        // A change before each load, so that polls with something to say run while versions change.
        let id = ids[usize::from(mark) * 7];
        stage.vendor().touch("Companies", id).unwrap();
        expected.push(("UPDATED".to_owned(), id.to_string()));
        let asked = stage.vendor().requests().len();
        let (status, answer) = stage
            .put_component(&format!("{AUTOTASK}/component"), marked(mark))
            .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        // The vendor is asked on: polls do not wait for a version that is being loaded.
        stage
            .vendor()
            .wait_for_requests(SOON, |requests| requests.len() > asked)
            .await
            .unwrap();
    }
    expected.sort();
    for (id, receiver) in &made {
        receiver.wait_for(expected.len(), SOON).await.unwrap();
        let poll = stage.next_good_poll(*id).await;
        assert_eq!(poll["failures"], 0, "{poll}");
        let events = receiver.events();
        assert_eq!(events.len(), expected.len(), "nothing came twice");
        assert_eq!(distinct(&events), expected);
        assert_no_gap(&events);
    }
    assert!(!stage.log().contains("poll failed"), "no poll failed for it");
    let versions = stage.versions(AUTOTASK).await;
    assert_eq!(versions.len(), 10, "a bounded number is kept");
    assert_eq!(versions.iter().filter(|version| version["active"] == true).count(), 1);
}

#[tokio::test]
async fn a_component_is_refused_in_words_and_the_running_one_goes_on() {
    let stage = Stage::new().await;
    let module = b"\0asm\x01\0\0\0".to_vec();
    let cut = {
        let mut whole = marked(0);
        whole.truncate(100_000);
        whole
    };
    let cases = [
        (Vec::new(), StatusCode::BAD_REQUEST, "the body is empty"),
        (
            b"#!/bin/sh".to_vec(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "not WebAssembly",
        ),
        (module, StatusCode::UNPROCESSABLE_ENTITY, "core module"),
        (cut, StatusCode::UNPROCESSABLE_ENTITY, "cut short"),
        (
            built("elements-test/misbehave.wasm"),
            StatusCode::BAD_REQUEST,
            "is element \"misbehave\"; expected \"autotaskcrm\"",
        ),
    ];
    for (component, expected, words) in cases {
        let (status, answer) = stage.put_component(&format!("{AUTOTASK}/component"), component).await;
        assert_eq!(status, expected, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
    }
    for query in ["dry_run=perhaps", "dryrun=1", "dry_run=1&dry_run=0"] {
        let (status, answer) = stage
            .put_component(&format!("{AUTOTASK}/component?{query}"), marked(0))
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {answer}");
    }
    let [version] = &stage.versions(AUTOTASK).await[..] else {
        panic!("one version")
    };
    assert_eq!(
        (&version["state"], &version["source"]),
        (&json!("built-in"), &json!("built-in"))
    );
}

#[tokio::test]
async fn a_version_is_tried_loaded_kept_over_a_restart_rolled_back_and_removed() {
    let mut stage = Stage::new().await;
    // And the account's own company.
    stage.vendor().seed_companies(30);
    stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let component = format!("{AUTOTASK}/component");
    let (status, tried) = stage.put_component(&format!("{component}?dry_run=1"), marked(1)).await;
    assert_eq!((status, &tried["dryRun"]), (StatusCode::OK, &json!(true)), "{tried}");
    let compared = &tried["shadow"]["compared"][0];
    assert_eq!(
        (&compared["resource"], &compared["records"], &compared["changed"]),
        (&json!("accounts"), &json!(31), &json!(0)),
        "{tried}"
    );
    assert_eq!(stage.versions(AUTOTASK).await.len(), 1, "a dry run keeps nothing");

    let (status, loaded) = stage.put_component(&component, marked(1)).await;
    assert_eq!(status, StatusCode::OK, "{loaded}");
    let options = stage.end_gateway(true).await;
    stage.start_gateway(options).await;
    let versions = stage.versions(AUTOTASK).await;
    assert_eq!((versions.len(), &versions[0]["digest"]), (2, &loaded["digest"]));
    assert_eq!(
        (&versions[0]["active"], &versions[0]["state"]),
        (&json!(true), &json!("probation"))
    );
    assert_eq!(
        (&versions[0]["source"], &versions[0]["instances"]),
        (&json!("upload"), &json!(1))
    );

    let (status, back) = stage.call(Method::POST, &format!("{AUTOTASK}/rollback"), None).await;
    assert_eq!((status, &back["digest"]), (StatusCode::OK, &versions[1]["digest"]));
    let versions = stage.versions(AUTOTASK).await;
    assert_eq!(
        (&versions[0]["state"], &versions[1]["state"]),
        (&json!("rolled-back"), &json!("built-in"))
    );

    assert_eq!(
        stage.call(Method::DELETE, &component, None).await.0,
        StatusCode::NO_CONTENT
    );
    let (status, answer) = stage.call(Method::DELETE, &component, None).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    let (status, answer) = stage.call(Method::POST, &format!("{AUTOTASK}/rollback"), None).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    let answer = tidegate_examples::http::client()
        .get(format!("{}{AUTOTASK}/versions", stage.gateway.base_url()))
        .header("authorization", stage.gateway.owner())
        .header("accept", "text/plain")
        .send()
        .await
        .unwrap();
    let text = answer.text().await.unwrap();
    assert!(text.starts_with("version") && text.contains("built-in"), "{text}");
}

#[tokio::test]
async fn a_file_that_appears_changes_or_goes_does_the_same() {
    let stage = Stage::new().await;
    let dir = stage.elements_dir();
    let whole = built("elements-test/misbehave.wasm");
    // Half a file, as a slow copy leaves it for a while.
    std::fs::write(dir.join("misbehave.wasm"), &whole[..whole.len() / 2]).unwrap();
    stage.log_until("element not loaded").await;
    std::fs::write(dir.join("misbehave.wasm"), &whole).unwrap();
    let first = stage
        .versions_until("/elements/misbehave", |versions| versions.len() == 1)
        .await;
    assert_eq!(first[0]["source"], "file misbehave.wasm");
    // An atomic rename of the next version.
    let mut next = whole.clone();
    next.extend_from_slice(&[0, 3, 1, b'm', 1]);
    std::fs::write(dir.join(".next"), &next).unwrap();
    std::fs::rename(dir.join(".next"), dir.join("misbehave.wasm")).unwrap();
    let second = stage
        .versions_until("/elements/misbehave", |versions| versions.len() == 2)
        .await;
    assert_ne!(second[0]["digest"], first[0]["digest"]);
    assert_eq!(second[0]["active"], true);
    std::fs::remove_file(dir.join("misbehave.wasm")).unwrap();
    stage.versions_until("/elements/misbehave", <[Value]>::is_empty).await;
    assert_eq!(
        stage.call(Method::GET, "/elements/misbehave", None).await.0,
        StatusCode::NOT_FOUND
    );
}
