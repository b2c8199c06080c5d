//! What records mean that were there before the gateway looked, and what a new projection makes of them.

use serde_json::{Value, json};

use super::harness::{Harness, accounts, at, page, record};
use crate::domain::event::Change;
use crate::domain::id::ResourceKey;

async fn create(harness: &Harness, first_sight: &str) -> ResourceKey {
    let configuration: Value = json!({"event.poller.first_sight": first_sight});
    accounts(harness.create(configuration).await)
}

#[tokio::test]
async fn a_baseline_is_silent_over_all_its_pages_and_what_comes_later_is_news() {
    let harness = Harness::new();
    let key = create(&harness, "baseline").await;
    harness
        .element
        .script("accounts", vec![page([record("1", 1)]), page([record("2", 1)])]);
    harness.poll(&key).await;
    assert_eq!(harness.events(key.instance).await, []);
    let state = harness.state(&key).await;
    assert!(state.baselined && state.last.unwrap().first);

    harness
        .element
        .script("accounts", vec![page([record("1", 1), record("2", 2), record("3", 1)])]);
    harness.poll(&key).await;
    assert_eq!(
        harness.events(key.instance).await,
        [(1, Change::Updated, "2".into()), (2, Change::Created, "3".into())]
    );
    assert!(!harness.state(&key).await.last.unwrap().first);
}

#[tokio::test]
async fn a_baseline_that_fails_halfway_stays_a_baseline() {
    let harness = Harness::new();
    let key = create(&harness, "baseline").await;
    let trouble = super::harness::fault(crate::domain::run::Remedy::Broken);
    harness
        .element
        .script("accounts", vec![page([record("1", 1)]), trouble]);
    harness.poll(&key).await;
    assert!(!harness.state(&key).await.baselined);
    harness
        .element
        .script("accounts", vec![page([record("1", 1)]), page([record("2", 1)])]);
    harness.poll(&key).await;
    assert_eq!(harness.events(key.instance).await, []);
    assert!(harness.state(&key).await.baselined);
}

#[tokio::test]
async fn a_snapshot_tells_of_everything_as_created_however_old() {
    let harness = Harness::new();
    let key = create(&harness, "snapshot").await;
    let old = record("1", 1).created(at(-9_000)).updated(at(-10));
    harness.element.script("accounts", vec![page([old])]);
    harness.poll(&key).await;
    assert_eq!(harness.events(key.instance).await, [(1, Change::Created, "1".into())]);
    // The same record once it is known.
    let old = record("1", 1).created(at(-9_000)).updated(at(-10));
    harness.element.script("accounts", vec![page([old])]);
    harness.poll(&key).await;
    assert_eq!(harness.events(key.instance).await.len(), 1);
}

#[tokio::test]
async fn since_asks_from_its_time_and_tells_of_what_it_finds() {
    let harness = Harness::new();
    let key = create(&harness, "since:2025-12-31T23:00:00Z").await;
    harness.element.script(
        "accounts",
        vec![page([
            record("1", 1).created(at(-9_000)).updated(at(-10)),
            record("2", 1).created(at(-50)).updated(at(-10)),
        ])],
    );
    harness.poll(&key).await;
    let window = harness.element.calls()[0].list.window.unwrap();
    assert_eq!(window.from, at(-60));
    assert_eq!(
        harness.events(key.instance).await,
        [(1, Change::Updated, "1".into()), (2, Change::Created, "2".into())]
    );
}

#[tokio::test]
async fn a_new_projection_takes_records_as_they_look_now_without_events() {
    let harness = Harness::new();
    let key = create(&harness, "baseline").await;
    harness
        .element
        .script("accounts", vec![page([record("1", 1), record("2", 1)])]);
    harness.poll(&key).await;

    // Every record looks different to the new component; a record that nobody has seen is news all the same.
    harness.element.load(2, 2);
    harness.element.script(
        "accounts",
        vec![page([record("1", 100), record("2", 100), record("3", 100)])],
    );
    harness.poll(&key).await;
    assert_eq!(harness.events(key.instance).await, [(1, Change::Created, "3".into())]);
    assert_eq!(harness.state(&key).await.projection, 2);

    harness
        .element
        .script("accounts", vec![page([record("1", 101), record("2", 100)])]);
    harness.poll(&key).await;
    assert_eq!(
        harness.events(key.instance).await[1..],
        [(2, Change::Updated, "1".into())]
    );
}
