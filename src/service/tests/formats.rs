//! What a poll makes of changes: bodies in each form, within their limit, with the fields that changed.
//! Reads what was stored and posted. How a body is rendered is tested where it is.

use serde_json::{Value, json};

use super::harness::{Harness, accounts, page, record};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::{Event, Format, Notification};
use crate::domain::id::ResourceKey;
use crate::ports::Store as _;

const FORMAT: &str = "event.notification.format";

impl Harness {
    async fn baselined_with(&self, configuration: Value) -> ResourceKey {
        let key = accounts(self.create(configuration).await);
        self.element.script("accounts", vec![page([])]);
        self.poll(&key).await;
        key
    }

    /// In order of commit.
    async fn made(&self, key: &ResourceKey) -> Vec<Notification> {
        let mut made = self.store.notifications(key.instance, None, 10_000).await.unwrap();
        made.sort_by_key(|outgoing| outgoing.id);
        made.into_iter().map(|outgoing| outgoing.notification).collect()
    }

    async fn last_event(&self, key: &ResourceKey) -> Event {
        self.made(key).await.pop().unwrap().events.pop().unwrap()
    }

    /// Polls a page of this one record, and gives the fields of the event.
    async fn fields_of(&self, key: &ResourceKey, body: &str) -> Option<Vec<String>> {
        let changed = record("1", 0).with_body(body.to_owned()).updated(self.clock.time());
        self.element.script("accounts", vec![page([changed])]);
        self.poll(key).await;
        self.last_event(key).await.fields
    }
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(ToString::to_string).collect())
}

/// The members that every form has of each event, in the order of the events.
fn told(notification: &Notification) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&notification.body).unwrap();
    let member = |event: &Value, data: &Value, id: &str, sequence: Value| {
        json!([
            event[id],
            sequence,
            data["before"],
            data["after"],
            data["changedFields"],
            data["objectId"]
        ])
    };
    let cloudevent = |event: &Value| {
        let sequence: u64 = event["sequence"].as_str().unwrap().parse().unwrap();
        member(event, &event["data"], "id", json!(sequence))
    };
    match notification.format {
        Format::Elements => {
            let events = body["message"]["events"].as_array().unwrap();
            let events = events.iter();
            events
                .map(|event| member(event, event, "eventId", event["sequence"].clone()))
                .collect()
        }
        Format::Cloudevents => vec![cloudevent(&body)],
        Format::CloudeventsBatch => body.as_array().unwrap().iter().map(cloudevent).collect(),
        Format::Standard => {
            let data = &body["data"];
            vec![member(data, data, "eventId", data["sequence"].clone())]
        }
    }
}

#[tokio::test]
async fn each_form_carries_id_sequence_digests_and_changed_fields_of_each_event() {
    for (format, name, notifications) in [
        (Format::Elements, "elements", 3),
        (Format::Cloudevents, "cloudevents", 5),
        (Format::CloudeventsBatch, "cloudevents-batch", 3),
        (Format::Standard, "standard", 5),
    ] {
        let harness = Harness::new();
        let key = harness.baselined_with(json!({FORMAT: name})).await;
        harness.start_deliverer();
        for content in 1..=2 {
            let both = ["1", "2"].map(|id| record(id, content).updated(harness.clock.time()));
            harness.element.script("accounts", vec![page(both)]);
            harness.poll(&key).await;
        }
        harness
            .element
            .script("accounts", vec![page([record("2", 0).deleted()])]);
        harness.poll(&key).await;

        let made = harness.made(&key).await;
        assert_eq!(made.len(), notifications, "{name}");
        assert!(made.iter().all(|notification| notification.format == format));
        let events: Vec<&Event> = made.iter().flat_map(|notification| &notification.events).collect();
        let digest = |digest: Option<u128>| digest.map(|digest| format!("{digest:032x}"));
        let expected: Vec<Value> = (1..)
            .zip(&events)
            .map(|(sequence, event)| {
                let (before, after) = (digest(event.before), digest(event.after));
                json!([event.id, sequence, before, after, event.fields, event.record])
            })
            .collect();
        let found: Vec<Value> = made.iter().flat_map(told).collect();
        assert_eq!(found, expected, "{name}");
        let changed = names(&["content"]);
        let fields: Vec<_> = events.iter().map(|event| event.fields.clone()).collect();
        assert_eq!(fields, [None, None, changed.clone(), changed, None]);
        let chain = |event: &Event| (event.before.is_some(), event.after.is_some());
        assert_eq!(chain(events[0]), (false, true));
        assert_eq!((events[2].before, events[3].before), (events[0].after, events[1].after));
        assert_eq!((events[4].before, events[4].after), (events[3].after, None));

        harness
            .eventually("all were posted", async || {
                let deliveries = harness.deliveries(key.instance).await;
                deliveries
                    .iter()
                    .all(|delivery| delivery.status == DeliveryStatus::Delivered)
            })
            .await;
        let mut posted: Vec<_> = harness.callback.posts().into_iter().map(|post| post.body).collect();
        let mut bodies: Vec<_> = made.into_iter().map(|notification| notification.body).collect();
        posted.sort();
        bodies.sort();
        assert_eq!(posted, bodies, "{name}");
        harness.stop.cancel();
    }
}

#[tokio::test]
async fn changed_fields_are_told_from_a_records_second_event_on() {
    let harness = Harness::new();
    let key = accounts(harness.create(json!({})).await);
    let first = record("1", 0).with_body(r#"{"a":1,"b":{"c":1}}"#);
    harness.element.script("accounts", vec![page([first])]);
    harness.poll(&key).await;
    assert_eq!(harness.fields_of(&key, r#"{"a":2,"b":{"c":1}}"#).await, None);
    assert_eq!(harness.fields_of(&key, r#"{"a":2,"b":{"c":2}}"#).await, names(&["b.c"]));
    assert_eq!(
        harness.fields_of(&key, r#"{"b":{"c":2},"d":1}"#).await,
        names(&["a", "d"])
    );
}

#[tokio::test]
async fn changed_fields_are_told_from_the_baseline_on_if_asked_for() {
    let harness = Harness::new();
    let all = json!({"event.notification.changed_fields": "all"});
    let key = accounts(harness.create(all).await);
    let first = record("1", 0).with_body(r#"{"a":1,"b":1}"#);
    harness.element.script("accounts", vec![page([first])]);
    harness.poll(&key).await;
    assert_eq!(harness.fields_of(&key, r#"{"a":2,"b":1}"#).await, names(&["a"]));
}

#[tokio::test]
async fn a_record_too_long_for_the_endpoint_goes_without_its_content() {
    let harness = Harness::new();
    let key = harness
        .baselined_with(json!({"event.notification.body_bytes_max": 20_000}))
        .await;
    let long = |id: &str, bytes: usize| record(id, 0).with_body(format!("{{\"a\":\"{}\"}}", "x".repeat(bytes)));
    let records = [long("1", 9_000), long("2", 9_000), long("3", 30_000), long("4", 9_000)];
    harness.element.script("accounts", vec![page(records)]);
    harness.poll(&key).await;
    let made = harness.made(&key).await;
    let records: Vec<Vec<&str>> = made
        .iter()
        .map(|notification| notification.events.iter().map(|event| event.record.as_str()).collect())
        .collect();
    assert_eq!(records, [["1", "2"], ["3", "4"]]);
    assert!(made.iter().all(|notification| notification.body.len() <= 20_000));
    let body: Value = serde_json::from_slice(&made[1].body).unwrap();
    let message = &body["message"];
    assert_eq!(message["events"][0]["recordOmitted"], true);
    assert_eq!(message["events"][1].get("recordOmitted"), None);
    assert_eq!(message["raw"]["accounts"][0], json!({"id": "3"}));
    assert_eq!(message["raw"]["accounts"][1]["a"].as_str().map(str::len), Some(9_000));
}

#[tokio::test]
async fn a_page_of_a_thousand_changes_is_written_whatever_its_form() {
    for (name, all) in [("elements", "seen"), ("cloudevents", "all"), ("standard", "seen")] {
        let harness = Harness::new();
        let configuration = json!({
            FORMAT: name,
            "event.notification.changed_fields": all,
            "event.notification.body_bytes_max": 16_384,
        });
        let key = accounts(harness.create(configuration).await);
        // Ids that lie apart from each other, and bodies of which two make a notification.
        let records = |content: u32| {
            (0..1_000_u64).map(move |n| {
                let id = (n * 7_919 * 7_919 * 7_919).to_string();
                let body = format!("{{\"content\":{content},\"text\":\"{}\"}}", "x".repeat(6_000));
                record(&id, content).with_body(body)
            })
        };
        for content in 0..3 {
            let dated = records(content).map(|record| record.updated(harness.clock.time()));
            harness.element.script("accounts", vec![page(dated)]);
            harness.poll(&key).await;
            assert_eq!(harness.failure(&key).await, None, "{name}");
        }
        let made = harness.made(&key).await;
        let events: Vec<_> = made.iter().flat_map(|notification| &notification.events).collect();
        let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, (1..=2_000).collect::<Vec<_>>(), "{name}");
        let told = events
            .iter()
            .filter(|event| event.fields == names(&["content"]))
            .count();
        assert_eq!(told, if all == "all" { 2_000 } else { 1_000 }, "{name}");
    }
}

#[tokio::test]
async fn a_change_of_the_format_holds_for_what_comes_and_not_for_what_was_made() {
    let harness = Harness::new();
    let key = harness.baselined_with(json!({})).await;
    harness.poll_one(&key, "1", 1).await;
    harness.patch(key.instance, json!({FORMAT: "standard"})).await;
    harness.poll_one(&key, "1", 2).await;
    let formats: Vec<_> = harness.made(&key).await.iter().map(|made| made.format).collect();
    assert_eq!(formats, [Format::Elements, Format::Standard]);
}
