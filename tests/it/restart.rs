//! Stopped, killed at any moment, started again: no event is lost, none is invented, repetitions are equal.

use std::collections::BTreeMap;

use serde_json::json;
use tidegate_examples::autotask::{Fault, FaultKind};
use tidegate_examples::gateway::{Gateway, GatewayOptions};
use tidegate_examples::receiver::Reply;

use crate::support::{READY, SOON, STOP, Stage, assert_no_gap, distinct};

async fn start_again(options: GatewayOptions) -> Gateway {
    let mut gateway = Gateway::start(options).unwrap();
    gateway.wait_until_ready(READY).await.unwrap();
    gateway
}

#[tokio::test]
async fn what_changes_while_the_gateway_is_stopped_is_an_event_after_the_restart() {
    let mut stage = Stage::new().await;
    stage.vendor().seed_companies(700);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let ids = stage.vendor().ids("Companies");
    stage
        .vendor()
        .update("Companies", ids[1], json!({"phone": "1"}))
        .unwrap();
    stage.receiver.wait_for(1, SOON).await.unwrap();

    let options = GatewayOptions {
        listen: Some(stage.gateway.address()),
        ..stage.gateway.options().clone()
    };
    let status = stage.gateway.stop(STOP).await.unwrap();
    assert!(status.success(), "{status}");
    let created = stage
        .simulator
        .control()
        .create("Companies", json!({"companyName": "Made meanwhile"}))
        .unwrap();
    stage
        .simulator
        .control()
        .update("Companies", ids[2], json!({"phone": "2"}))
        .unwrap();
    stage.gateway = start_again(options).await;

    let events = stage.receiver.wait_for(3, SOON).await.unwrap();
    let mut expected = vec![
        ("CREATED".into(), created.to_string()),
        ("UPDATED".into(), ids[1].to_string()),
        ("UPDATED".into(), ids[2].to_string()),
    ];
    expected.sort();
    assert_eq!(distinct(&events), expected);
    assert_eq!(stage.next_good_poll(made.id).await["last"]["events"], 0);
    assert_eq!(
        stage.receiver.events().len(),
        3,
        "nothing was delivered twice over a clean stop"
    );
}

#[tokio::test]
async fn a_notification_that_nobody_took_is_delivered_after_a_restart_with_the_same_id() {
    let mut stage = Stage::new().await;
    stage.vendor().seed_companies(3);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    stage.receiver.reply(Reply::status(503));
    let id = stage.vendor().ids("Companies")[1];
    stage.vendor().update("Companies", id, json!({"phone": "1"})).unwrap();
    let refused = stage
        .receiver
        .wait_until(SOON, |received| !received.is_empty())
        .await
        .unwrap();

    let options = stage.gateway.kill().await.unwrap();
    stage.receiver.reply(Reply::status(200));
    stage.gateway = start_again(options).await;
    let events = stage.receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(events[0].notification_id, refused[0].events[0].notification_id);
    assert_eq!(stage.receiver.received().last().unwrap().body, refused[0].body);

    let path = format!("/instances/{}/events", made.id);
    let listed = stage.gateway.expect(reqwest::Method::GET, &path, None).await.unwrap();
    assert_eq!(listed[0]["id"], events[0].notification_id.as_str());
}

fn missing(expected: &BTreeMap<String, &str>, stage: &Stage) -> Vec<(String, String)> {
    let seen = distinct(&stage.receiver.events());
    let expected = expected.iter().map(|(id, kind)| ((*kind).to_owned(), id.clone()));
    expected.filter(|event| !seen.contains(event)).collect()
}

#[tokio::test]
async fn kill_9_at_any_moment_loses_no_event_and_invents_none() {
    const ROUNDS: u64 = 12;
    let mut stage = Stage::new().await;
    stage.vendor().seed_companies(1_200);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let ids = stage.vendor().ids("Companies");
    let mut expected: BTreeMap<String, &str> = BTreeMap::new();
    for round in 0..ROUNDS {
        // A burst that takes several pages of commits and POSTs, killed somewhere within.
        let vendor = stage.simulator.control();
        for i in 0..40 {
            let id = ids[usize::try_from(1 + round * 60 + i).unwrap()];
            vendor
                .update("Companies", id, json!({"phone": format!("{round}-{i}")}))
                .unwrap();
            expected.insert(id.to_string(), "UPDATED");
        }
        let id = vendor
            .create("Companies", json!({"companyName": format!("Round {round}")}))
            .unwrap();
        expected.insert(id.to_string(), "CREATED");
        // Killed after so many POSTs: before the first, between, or after the last.
        let had = stage.receiver.received().len();
        let posts = usize::try_from(round % 6).unwrap();
        stage
            .receiver
            .wait_until(SOON, |received| received.len() >= had + posts)
            .await
            .unwrap();
        let options = stage.gateway.kill().await.unwrap();
        stage.gateway = start_again(options).await;
    }
    let wanted = expected.len();
    let all = stage
        .receiver
        .wait_until(SOON, |received| {
            let ids: std::collections::HashSet<_> = received
                .iter()
                .flat_map(|post| post.events.iter().map(|event| event.event["eventId"].to_string()))
                .collect();
            ids.len() >= wanted
        })
        .await;
    assert!(
        all.is_some(),
        "missing: {:?}\n{}",
        missing(&expected, &stage),
        stage.log()
    );
    stage.next_good_poll(made.id).await;
    let events = stage.receiver.events();
    let mut expected: Vec<_> = expected.into_iter().map(|(id, kind)| (kind.to_owned(), id)).collect();
    expected.sort();
    assert_eq!(distinct(&events), expected);
    assert_no_gap(&events);
}

#[tokio::test]
async fn sigterm_ends_within_ten_seconds_whatever_hangs() {
    let mut stage = Stage::new().await;
    stage.vendor().seed_companies(3);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    stage.receiver.reply(Reply::Hang);
    let id = stage.vendor().ids("Companies")[1];
    stage.vendor().update("Companies", id, json!({"phone": "1"})).unwrap();
    let hung = stage
        .receiver
        .wait_until(SOON, |received| !received.is_empty())
        .await
        .unwrap();
    stage.vendor().set_fault(Fault::always(FaultKind::Hang).on("query"));
    let asked = stage.vendor().requests().len();
    stage
        .vendor()
        .wait_for_requests(SOON, |requests| requests.len() > asked)
        .await
        .unwrap();

    let options = GatewayOptions {
        listen: Some(stage.gateway.address()),
        ..stage.gateway.options().clone()
    };
    let status = stage.gateway.stop(STOP).await.unwrap();
    assert!(status.success(), "{status}");
    stage.receiver.reply(Reply::status(200));
    stage.simulator.control().clear_faults();
    stage.gateway = start_again(options).await;
    let events = stage.receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(
        events[0].notification_id, hung[0].events[0].notification_id,
        "it had stayed in the outbox"
    );
    stage.next_good_poll(made.id).await;
    assert_eq!(
        distinct(&stage.receiver.events()),
        [("UPDATED".to_owned(), id.to_string())]
    );
}
