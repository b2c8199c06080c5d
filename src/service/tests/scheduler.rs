//! Which polls run when, beside each other, and how they end.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::harness::{Harness, INTERVAL, Turn, accounts, at, page, resource, within};
use crate::service::Settings;
use crate::service::instances::Error;

/// Within this a new resource is polled for the first time.
const FIRST: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_resource_is_polled_on_its_beat() {
    let harness = Harness::new();
    let key = accounts(harness.create(json!({})).await);
    harness.element.script("accounts", vec![page([])]);
    harness.start_scheduler();
    harness.clock.advance(FIRST);
    for _ in 0..3 {
        let before = harness.state(&key).await;
        let due = before.due.unwrap();
        harness.clock.advance_to(due);
        harness
            .eventually("the resource is polled", async || {
                harness.state(&key).await.due > Some(due)
            })
            .await;
        let next = harness.state(&key).await.due.unwrap();
        assert_eq!(next, due.plus(INTERVAL));
        harness.let_things_happen().await;
        assert_eq!(harness.vendor.sent(), ["anna/accounts/0"], "once");
    }
}

#[tokio::test]
async fn a_resource_is_polled_once_at_a_time_however_often_it_is_due() {
    let harness = Harness::new();
    let key = accounts(harness.create(json!({})).await);
    harness.element.script("accounts", vec![page([])]);
    harness.vendor.hold("accounts/0");
    harness.start_scheduler();
    harness.clock.advance(FIRST);
    harness.vendor.asked("accounts/0").await;
    for _ in 0..5 {
        harness.clock.advance(INTERVAL * 10);
        harness.gateway.poll_now(key.instance).await.unwrap();
        harness.let_things_happen().await;
    }
    assert_eq!(harness.vendor.sent().len(), 1);
    assert!(harness.gateway.polls(key.instance).await.unwrap()[0].running);

    harness.vendor.release();
    harness
        .eventually("the poll is done", async || harness.state(&key).await.baselined)
        .await;
    harness.let_things_happen().await;
    assert_eq!(
        harness.vendor.sent().len(),
        1,
        "missed beats fold into one, and what was asked for meanwhile into one more"
    );
    assert!(harness.state(&key).await.due > Some(harness.clock.time()));
    assert!(!harness.gateway.polls(key.instance).await.unwrap()[0].running);
}

#[tokio::test]
async fn a_poll_that_hangs_does_not_hold_up_another() {
    let harness = Harness::new();
    let both = json!({"event.poller.configuration": {
        "accounts": {"url": "/hubs/demo/accounts"}, "contacts": {"url": "/hubs/demo/contacts"},
    }});
    let id = harness.create(both).await;
    let other = accounts(harness.create(json!({"user": "bert"})).await);
    harness.element.script("accounts", vec![page([])]);
    harness.element.script("contacts", vec![page([])]);
    harness.vendor.hold("anna/accounts/0");
    harness.start_scheduler();
    harness.clock.advance(FIRST);
    harness.vendor.asked("anna/accounts/0").await;
    harness
        .eventually("the others are done", async || {
            harness.state(&resource(id, "contacts")).await.baselined && harness.state(&other).await.baselined
        })
        .await;
    assert!(!harness.state(&accounts(id)).await.baselined);
}

#[tokio::test]
async fn a_vendor_that_hangs_takes_the_places_of_its_own_instance_alone() {
    let harness = Harness::new();
    let share = Settings::default().polls_per_instance_max;
    let url = |place: usize| (format!("accounts{place}"), json!({"url": "/hubs/demo/accounts"}));
    let many: Map<String, Value> = (0..share + 3).map(url).collect();
    let anna = harness.create(json!({"event.poller.configuration": many})).await;
    let bert = accounts(harness.create(json!({"user": "bert"})).await);
    harness.element.script("accounts", vec![page([])]);
    harness.vendor.hold("anna/accounts/0");
    harness.start_scheduler();
    harness.clock.advance(FIRST);
    harness
        .eventually("the other is done", async || harness.state(&bert).await.baselined)
        .await;
    harness.let_things_happen().await;
    let running = harness.gateway.polls(anna).await.unwrap();
    assert_eq!(running.iter().filter(|poll| poll.running).count(), share);
    harness.vendor.release();
    harness
        .eventually("all are done", async || {
            let polls = harness.gateway.polls(anna).await.unwrap();
            polls.iter().all(|poll| poll.state.baselined)
        })
        .await;
}

#[tokio::test]
async fn an_instance_that_is_removed_frees_the_place_of_its_poll() {
    let harness = Harness::new();
    let id = harness.create(json!({})).await;
    harness.element.script("accounts", vec![page([])]);
    harness.vendor.hold("accounts/0");
    harness.start_scheduler();
    harness.clock.advance(FIRST);
    harness.vendor.asked("accounts/0").await;
    assert!(harness.gateway.running.contains(&accounts(id)));
    harness.gateway.remove_instance(id).await.unwrap();
    harness
        .eventually("the poll ends, though the vendor hangs", async || {
            !harness.gateway.running.contains(&accounts(id))
        })
        .await;
}

#[tokio::test]
async fn a_poll_that_is_asked_for_does_not_wait_until_it_is_due() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.start_scheduler();
    harness.let_things_happen().await;
    harness.vendor.sent();
    let due = harness.state(&key).await.due;
    assert!(due > Some(harness.clock.time()));
    harness.gateway.poll_now(key.instance).await.unwrap();
    harness.vendor.asked("accounts/0").await;
    harness.let_things_happen().await;
    assert_eq!(harness.vendor.sent().len(), 1);
    assert_eq!(harness.clock.time(), at(0));
}

#[tokio::test]
async fn what_is_disabled_can_not_be_polled_on_request() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.gateway.enable_instance(key.instance, false).await.unwrap();
    match harness.gateway.poll_now(key.instance).await.unwrap_err() {
        Error::Invalid(error) => assert_eq!(error.field, "enabled"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_scheduler_ends_while_a_vendor_hangs_and_the_page_is_asked_for_again_later() {
    let harness = Harness::new();
    let key = accounts(harness.create(json!({})).await);
    harness.element.script("accounts", vec![page([])]);
    harness.vendor.hold("accounts/0");
    let scheduler = harness.start_scheduler();
    harness.clock.advance(FIRST);
    harness.vendor.asked("accounts/0").await;
    let before = harness.state(&key).await;
    harness.stop.cancel();
    within(scheduler).await.unwrap();
    assert_eq!(
        harness.state(&key).await,
        before,
        "that the gateway stops is no failure of the poll"
    );
}

#[tokio::test]
async fn the_scheduler_ends_while_an_element_has_it_wait() {
    let harness = Harness::new();
    harness.create(json!({})).await;
    harness.element.script("accounts", vec![Turn::Wait(60_000), page([])]);
    let scheduler = harness.start_scheduler();
    harness.clock.advance(FIRST);
    harness.vendor.asked("accounts/0").await;
    harness.let_things_happen().await;
    harness.stop.cancel();
    within(scheduler).await.unwrap();
}

#[tokio::test]
async fn a_scheduler_with_nothing_due_sleeps() {
    let harness = Harness::new();
    harness.create_baselined().await;
    harness.start_scheduler();
    harness.let_things_happen().await;
    let before = harness.clock.sleeps();
    for _ in 0..50 {
        within(crate::ports::Store::sync(&*harness.store)).await.unwrap();
    }
    let turns = harness.clock.sleeps() - before;
    assert!(turns < 10, "the scheduler looked {turns} times though nothing was due");
}
