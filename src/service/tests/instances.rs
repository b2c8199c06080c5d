//! Instances that are made, changed and removed, while nothing happens and while they are polled.

use std::time::Duration;

use serde_json::json;

use super::harness::{Harness, INTERVAL, accounts, at, fault, page, record, resource, within};
use crate::domain::event;
use crate::domain::run::Remedy;
use crate::engine::configuration::Body;
use crate::ports::Store as _;
use crate::service::instances::{Change, Error, Validate};

#[tokio::test]
async fn nothing_is_stored_when_the_vendor_does_not_accept_the_credentials() {
    let harness = Harness::new();
    let before = harness.store.stats().writes;
    harness.element.fail_checks(Remedy::RefreshAuth);
    let refused = harness.try_create(json!({}), Validate::Yes).await.unwrap_err();
    assert!(matches!(refused, Error::Check(_)), "{refused:?}");
    assert!(harness.store.instances().await.unwrap().is_empty());
    assert_eq!(harness.store.stats().writes, before);
}

#[tokio::test]
async fn nothing_is_stored_when_the_vendor_does_not_know_what_a_poller_asks_for() {
    let harness = Harness::new();
    harness
        .element
        .script("accounts", vec![fault(Remedy::BadConfiguration)]);
    match harness.try_create(json!({}), Validate::Yes).await.unwrap_err() {
        Error::Invalid(error) => assert_eq!(error.field, "event.poller.configuration.accounts.url"),
        other => panic!("{other:?}"),
    }
    assert!(harness.store.instances().await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_stored_when_the_callback_must_not_be_posted_to() {
    let harness = Harness::new();
    let forbidden = json!({"event.notification.callback.url": "https://forbidden.example"});
    match harness.try_create(forbidden, Validate::No).await.unwrap_err() {
        Error::Invalid(error) => assert_eq!(error.field, "event.notification.callback.url"),
        other => panic!("{other:?}"),
    }
    assert!(harness.store.instances().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_check_asks_for_one_record_and_leaves_the_baseline_to_the_first_poll() {
    let harness = Harness::new();
    harness
        .element
        .script("accounts", vec![page([record("1", 1)]), page([record("2", 1)])]);
    let instance = harness.try_create(json!({}), Validate::Yes).await.unwrap();
    let calls = harness.element.calls();
    assert_eq!(calls.len(), 2, "begin, and the first page: {calls:?}");
    assert_eq!(calls[0].list.page_size, 1);
    harness.poll(&accounts(instance.id)).await;
    assert_eq!(harness.events(instance.id).await, []);
}

#[tokio::test]
async fn a_change_ends_the_poll_that_is_running_and_keeps_the_watermark() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let watermark = harness.state(&key).await.watermark;
    harness.clock.advance(INTERVAL);
    harness
        .element
        .script("accounts", vec![page([record("1", 1).updated(at(1))])]);
    harness.vendor.sent();
    harness.vendor.hold("accounts/0");
    let poll = harness.start_poll(&key);
    harness.vendor.asked("accounts/0").await;
    let new_url = json!({"accounts": {"url": "/hubs/demo/accounts?where=name='x'"}});
    harness
        .patch(key.instance, json!({"event.poller.configuration": new_url}))
        .await;
    let changed = harness.state(&key).await;
    harness.vendor.release();
    within(poll).await.unwrap();

    assert_eq!(harness.state(&key).await, changed, "the poll wrote nothing more");
    assert_eq!(harness.events(key.instance).await, []);
    assert_eq!((changed.watermark, changed.baselined), (watermark, true));
    assert!(harness.delay(&key).await <= INTERVAL, "it is polled soon as it is now");

    harness.poll(&key).await;
    assert_eq!(
        harness.events(key.instance).await,
        [(1, event::Change::Created, "1".into())]
    );
}

#[tokio::test]
async fn a_poll_in_the_middle_of_its_pages_goes_on_after_a_change_that_does_not_touch_it() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let retry = Remedy::Retry { after_seconds: None };
    let first = || page([record("1", 1)]);
    harness.element.script("accounts", vec![first(), fault(retry)]);
    harness.poll(&key).await;
    harness
        .patch(
            key.instance,
            json!({"event.notification.callback.url": "https://other.example"}),
        )
        .await;
    harness.element.script("accounts", vec![first(), page([])]);
    harness.element.calls();
    harness.poll(&key).await;
    assert_eq!(harness.element.called(), ["accounts 1"]);
}

#[tokio::test]
async fn a_new_name_leaves_the_poll_that_is_running_alone() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.element.script("accounts", vec![page([record("1", 1)])]);
    harness.vendor.sent();
    harness.vendor.hold("accounts/0");
    let poll = harness.start_poll(&key);
    harness.vendor.asked("accounts/0").await;
    let body = Body {
        name: Some("another".into()),
        ..Body::default()
    };
    let gateway = &harness.gateway;
    let changed = gateway.change_instance(key.instance, body, Change::Merge, Validate::No);
    assert_eq!(within(Box::pin(changed)).await.unwrap().instance.name, "another");
    harness.vendor.release();
    within(poll).await.unwrap();
    assert_eq!(harness.events(key.instance).await.len(), 1);
}

#[tokio::test]
async fn mended_credentials_are_tried_at_once() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.element.script("accounts", vec![fault(Remedy::RefreshAuth)]);
    harness.poll(&key).await;
    assert!(harness.delay(&key).await >= INTERVAL * 15);
    harness.patch(key.instance, json!({"password": "hunter3"})).await;
    assert!(harness.delay(&key).await <= Duration::from_secs(1));
}

#[tokio::test]
async fn a_disabled_instance_is_not_polled_and_goes_on_where_it_was() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let watermark = harness.state(&key).await.watermark;
    harness.gateway.enable_instance(key.instance, false).await.unwrap();
    assert_eq!(harness.state(&key).await.due, None);
    harness.element.calls();
    harness.poll(&key).await;
    assert!(harness.element.calls().is_empty());

    harness.gateway.enable_instance(key.instance, true).await.unwrap();
    let state = harness.state(&key).await;
    assert_eq!((state.watermark, state.baselined), (watermark, true));
    assert!(state.due.is_some());
    harness.poll_one(&key, "1", 1).await;
    assert_eq!(harness.events(key.instance).await.len(), 1);
}

#[tokio::test]
async fn ids_from_another_field_begin_with_first_sight() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.poll_one(&key, "1", 1).await;
    let by_number = json!({"accounts": {"url": "/hubs/demo/accounts", "idField": "number"}});
    harness
        .patch(key.instance, json!({"event.poller.configuration": by_number}))
        .await;
    let state = harness.state(&key).await;
    assert_eq!((state.watermark, state.baselined), (None, false));

    harness.element.calls();
    harness.poll_one(&key, "A1", 1).await;
    let list = harness.element.calls().remove(0).list;
    assert_eq!(
        (list.id_field.as_str(), list.window.unwrap().from.as_ms()),
        ("number", 0)
    );
    assert_eq!(harness.events(key.instance).await.len(), 1, "a baseline is silent");

    harness.poll_one(&key, "A1", 2).await;
    let later = harness.events(key.instance).await.remove(1);
    assert_eq!((later.1, later.2.as_str()), (event::Change::Updated, "A1"));
}

#[tokio::test]
async fn ids_from_another_field_are_not_taken_for_the_same_ids_from_before() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .element
        .script("accounts", vec![page([record("1", 1), record("2", 2)])]);
    harness.poll(&key).await;
    let by_number = json!({"accounts": {"url": "/hubs/demo/accounts", "idField": "number"}});
    harness
        .patch(key.instance, json!({"event.poller.configuration": by_number}))
        .await;
    // The same two records: each one's number happens to be the other one's id.
    harness
        .element
        .script("accounts", vec![page([record("2", 1), record("1", 2)])]);
    harness.poll(&key).await;
    assert_eq!(harness.events(key.instance).await.len(), 2, "a baseline is silent");
}

#[tokio::test]
async fn an_instance_that_is_removed_during_a_poll_leaves_nothing() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .element
        .script("accounts", vec![page([record("1", 1)]), page([record("2", 1)])]);
    harness.vendor.hold("accounts/1");
    let poll = harness.start_poll(&key);
    harness
        .eventually("the first page is committed", async || {
            harness.state(&key).await.continuation.is_some()
        })
        .await;
    harness.gateway.remove_instance(key.instance).await.unwrap();
    harness.vendor.release();
    within(poll).await.unwrap();
    let store = &harness.store;
    assert!(store.instances().await.unwrap().is_empty());
    assert!(store.resources(key.instance).await.unwrap().is_empty());
    assert!(store.outbox(key.instance, 10).await.unwrap().is_empty());
    assert_eq!(store.next_poll(at(-1)).await.unwrap(), None);
    let ids = vec!["1".into(), "2".into()];
    assert_eq!(store.fingerprints(key.clone(), ids).await.unwrap(), [None, None]);
    let gone = harness.gateway.remove_instance(key.instance).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound(_)), "{gone:?}");
}

#[tokio::test]
async fn a_resource_that_was_away_during_a_poll_begins_with_first_sight() {
    let harness = Harness::new();
    let key = accounts(harness.create(json!({})).await);
    harness
        .element
        .script("accounts", vec![page([record("1", 1)]), page([record("2", 1)])]);
    harness.vendor.hold("accounts/1");
    let poll = harness.start_poll(&key);
    harness
        .eventually("the first page is committed", async || {
            harness.state(&key).await.continuation.is_some()
        })
        .await;
    for name in ["contacts", "accounts"] {
        let only = json!({name: {"url": format!("/hubs/demo/{name}")}});
        harness
            .patch(key.instance, json!({"event.poller.configuration": only}))
            .await;
    }
    assert!(
        harness
            .store
            .resource(resource(key.instance, "contacts"))
            .await
            .unwrap()
            .is_none()
    );
    let anew = harness.state(&key).await;
    harness.vendor.release();
    within(poll).await.unwrap();
    assert_eq!(harness.state(&key).await, anew, "the poll from before is fenced");
    harness.poll(&key).await;
    let ids = vec!["1".into(), "2".into()];
    let known = harness.store.fingerprints(key, ids).await.unwrap();
    assert!(known.iter().all(Option::is_some), "the baseline is whole");
}
