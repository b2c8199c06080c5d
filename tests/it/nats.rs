//! The real binary publishes into a real nats-server's stream, which another's code reads.
//! Where there is no nats-server it is said, and in CI it is a failure.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_examples::nats::{NatsServer, Stored};
use tokio::time::Instant;

use crate::support::{Made, SOON, Stage};

const GUIDE: &str = include_str!("../../docs/nats.md");

/// The configuration that the guide shows, for this server, and an element's and a vendor's own.
fn body(stage: &Stage, server: &NatsServer) -> String {
    let lines = GUIDE.lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
    let block: Vec<_> = lines
        .skip_while(|line| *line != "{")
        .take_while(|line| !line.is_empty())
        .collect();
    let mut configuration: Value = serde_json::from_str(&block.join("\n")).unwrap();
    let url = configuration["event.notification.callback.url"].as_str().unwrap();
    let url = url.replace("127.0.0.1:4222", &server.address().to_string());
    configuration["event.notification.callback.url"] = url.into();
    configuration["event.notification.basic.password"] = "hunter2".into();
    stage.body(configuration).to_string()
}

fn server() -> Option<NatsServer> {
    let server = NatsServer::of_a_test("")?;
    server.add_stream("EVENTS", &["crm.>"], &json!({})).unwrap();
    Some(server)
}

async fn messages(stage: &Stage, server: &NatsServer, count: usize) -> Vec<Stored> {
    let deadline = Instant::now() + SOON;
    let mut ticks = tokio::time::interval(Duration::from_millis(25));
    loop {
        ticks.tick().await;
        let messages = server.messages("EVENTS").unwrap();
        if messages.len() >= count {
            return messages;
        }
        let log = stage.gateway.log_tail();
        assert!(Instant::now() < deadline, "of {count} there are {messages:#?}\n{log}");
    }
}

/// The ids of all events, as the gateway lists them.
async fn listed(stage: &Stage, made: &Made) -> BTreeSet<String> {
    let path = format!("/instances/{}/events?pageSize=200", made.id);
    let rows = stage.gateway.expect(Method::GET, &path, None).await.unwrap();
    let events = rows
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row["events"].as_array().unwrap());
    events
        .map(|event| event["eventId"].as_str().unwrap().to_owned())
        .collect()
}

fn ids(messages: &[Stored]) -> Vec<String> {
    let ids = messages.iter().map(|message| message.header("Nats-Msg-Id").unwrap());
    ids.map(str::to_owned).collect()
}

#[tokio::test]
async fn created_and_updated_events_are_in_the_stream_each_once_under_its_id() {
    let Some(server) = server() else { return };
    let mut stage = Stage::new().await;
    stage.vendor().seed_companies(2);
    let made = stage.create_and_baseline(&body(&stage, &server)).await;
    // Two that one poll may find are two messages.
    let new = ["Kraken", "Hydra"].map(|name| {
        let fields = json!({"companyName": name});
        stage.vendor().create("Companies", fields).unwrap()
    });
    let created = messages(&stage, &server, 2).await;
    stage
        .vendor()
        .update("Companies", new[0], json!({"phone": "1"}))
        .unwrap();
    let all = messages(&stage, &server, 3).await;
    let subject = |change: &str| format!("crm.autotaskcrm.{}.accounts.{change}", made.id);
    let subjects: Vec<_> = all.iter().map(|message| message.subject.clone()).collect();
    assert_eq!(subjects, ["created", "created", "updated"].map(subject));
    assert_eq!(ids(&all)[..2], ids(&created));
    for message in &all {
        let event: Value = serde_json::from_slice(&message.data).unwrap();
        assert_eq!(event["specversion"], "1.0", "{event}");
        assert_eq!(event["id"].as_str(), message.header("Nats-Msg-Id"));
    }
    for message in &all {
        assert!(message.headers.iter().all(|(name, _)| name != "authorization"));
    }

    let options = stage.end_gateway(true).await;
    stage.start_gateway(options).await;
    stage.next_good_poll(made.id).await;
    let after = ids(&server.messages("EVENTS").unwrap());
    assert_eq!(after, ids(&all), "a crash published nothing twice");
    assert_eq!(after.into_iter().collect::<BTreeSet<_>>(), listed(&stage, &made).await);
}

#[tokio::test]
async fn what_happens_while_the_server_is_down_is_in_the_stream_when_it_is_back() {
    let Some(mut server) = server() else { return };
    let stage = Stage::new().await;
    stage.vendor().seed_companies(2);
    let made = stage.create_and_baseline(&body(&stage, &server)).await;
    server.kill().unwrap();
    let ids_of_records = stage.vendor().ids("Companies");
    for phone in ["1", "2"] {
        stage
            .vendor()
            .update("Companies", ids_of_records[0], json!({"phone": phone}))
            .unwrap();
        stage.next_good_poll(made.id).await;
    }
    server.restart().unwrap();
    let stored = ids(&messages(&stage, &server, 2).await);
    assert_eq!(stored.len(), 2);
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), listed(&stage, &made).await);
}
