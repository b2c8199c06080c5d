//! What every store must do, whatever lies under it. Each function is one sentence of the port's contract.
//! Names no store: `contract!` makes a test of each of them for the store that `open` gives.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::domain::audit::{AuditEntry, AuditQuery, Who};
use crate::domain::credential::Credential;
use crate::domain::delivery::{Attempt, AttemptRow, Delivery, DeliveryStatus, OutboxId, Outgoing};
use crate::domain::endpoint::Endpoint;
use crate::domain::event::{Change, Event, Format, Notification};
use crate::domain::generation::{Generation, Generations, Source, Standing};
use crate::domain::id::{Digest, InstanceId, ResourceKey};
use crate::domain::instance::{DeliverySettings, Events, FirstSight, Instance};
use crate::domain::poll::ResourceState;
use crate::domain::record::{Fingerprint, SketchUpdate, Sketches};
use crate::domain::time::Timestamp;
use crate::ports::{Backlog, Durability, Horizon, PageCommit, Search, Settled, Settlement, Skip, Store, StoreError};

type Given = Arc<dyn Store>;

/// One test for each sentence. `$open` is an async function that gives a fresh store, and what must live as long as it.
macro_rules! contract {
    ($open:path) => {
        $crate::store::contract::contract! { $open:
            an_instance_is_found_by_id_and_by_token
            ids_are_given_once
            an_update_replaces_the_instance_and_its_rows
            an_update_does_not_take_a_row_back
            a_removed_resource_starts_anew_when_it_comes_back
            a_deleted_instance_is_gone_with_all_it_had
            a_commit_is_read_back
            a_commit_that_expects_another_revision_changes_nothing
            a_memo_is_set_kept_and_cleared
            fingerprints_are_those_of_a_map
            polls_are_due_in_the_order_of_their_times
            the_next_poll_is_the_first_one_later
            the_outbox_gives_what_is_alive_in_order_of_commit
            a_courier_wakes_when_it_said
            a_courier_that_is_called_does_not_rest
            an_endpoint_is_written_with_the_attempt_unless_somebody_changed_it
            a_notification_is_found_by_its_number_with_its_attempts
            what_is_not_to_be_delivered_is_stored_all_the_same
            notifications_are_paged_from_the_newest
            notifications_are_searched_either_way_without_their_bodies
            what_is_redelivered_is_alive_again_unless_it_changed_meanwhile
            a_backlog_is_counted_as_far_as_asked
            purging_drops_old_batches_that_are_settled
            settling_what_is_gone_is_no_error
            the_components_of_an_element_are_one_row
            sketches_are_written_with_their_page_and_go_with_their_resource
            an_instance_is_found_by_its_old_tokens_while_it_has_them
            the_audit_log_is_read_from_the_newest_page_by_page
            the_audit_log_is_purged_a_little_at_a_time
        }
    };
    ($open:path: $($sentence:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $sentence() {
                let (store, _guard) = $open().await;
                $crate::store::contract::$sentence(store).await;
            }
        )*
    };
}
pub(super) use contract;

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_700_000_000_000 + ms)
}

pub(super) fn instance(token: &str) -> Instance {
    Instance {
        id: InstanceId(0),
        revision: 0,
        name: format!("name of {token}"),
        element: "autotaskcrm".into(),
        tags: vec!["a".into()],
        created: at(0),
        updated: at(1),
        token_hash: token.into(),
        old_tokens: Vec::new(),
        enabled: true,
        configuration: BTreeMap::from([("k".into(), serde_json::json!({"a": [1, "x"]}))]),
        secrets: BTreeMap::new(),
        previous_keys: Vec::new(),
        events: Events {
            enabled: true,
            callback_url: Some("http://127.0.0.1:1/".into()),
            refresh_interval_ms: 60_000,
            first_sight: FirstSight::Since(at(-5)),
            pollers: Vec::new(),
            delivery: DeliverySettings::default(),
        },
        warnings: Vec::new(),
    }
}

pub(super) fn fingerprint(digest: u128, version: u32) -> Fingerprint {
    Fingerprint {
        digest,
        projection: 70_000,
        version,
        deleted: version.is_multiple_of(3),
    }
}

pub(super) fn notification(name: &str, created: Timestamp, body_bytes: usize) -> Notification {
    Notification {
        id: format!("msg_{name}"),
        resource: "accounts".into(),
        created,
        events: vec![Event {
            id: format!("evt_{name}"),
            sequence: 1,
            change: Change::Created,
            record: name.into(),
            date: created,
            before: None,
            after: Some(7),
            fields: Some(vec!["phone".into()]),
        }],
        format: Format::Cloudevents,
        body: vec![b'x'; body_bytes].into(),
    }
}

pub(super) fn key(instance: InstanceId, resource: &str) -> ResourceKey {
    ResourceKey {
        instance,
        resource: resource.into(),
    }
}

/// An instance with one resource, `accounts`, that has never been polled.
pub(super) async fn create(store: &dyn Store, token: &str) -> ResourceKey {
    let rows = vec![("accounts".into(), ResourceState::new(Some(at(0))))];
    let created = store.create_instance(instance(token), rows).await.unwrap();
    key(created.id, "accounts")
}

/// The commit that follows on what is stored now.
pub(super) async fn next_page(store: &dyn Store, resource: &ResourceKey) -> PageCommit {
    let mut state = store.resource(resource.clone()).await.unwrap().unwrap();
    state.revision += 1;
    PageCommit {
        resource: resource.clone(),
        state,
        fingerprints: Vec::new(),
        notifications: Vec::new(),
        deliver: true,
        memo: None,
        durability: Durability::Synced,
        sketches: None,
    }
}

pub(super) async fn notify(store: &dyn Store, resource: &ResourceKey, notifications: Vec<Notification>) {
    let mut page = next_page(store, resource).await;
    page.notifications = notifications;
    store.commit(page).await.unwrap();
}

fn settlement(id: OutboxId, status: DeliveryStatus, due: Option<Timestamp>) -> Settlement {
    Settlement {
        id,
        attempt: None,
        delivery: Delivery {
            attempts: 2,
            last: Some(Attempt {
                at: at(1),
                took_ms: 7,
                status: Some(503),
                error: Some("busy".into()),
            }),
            ..Delivery::new(status, due)
        },
    }
}

fn names(outgoing: &[Outgoing]) -> Vec<&str> {
    outgoing
        .iter()
        .map(|one| one.notification.events[0].record.as_str())
        .collect()
}

fn is_conflict<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

/// Scrambles a number: dice with a seed.
fn scramble(number: u64) -> u64 {
    let mixed = (number.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 16
}

pub(super) async fn an_instance_is_found_by_id_and_by_token(store: Given) {
    let rows = vec![
        ("contacts".to_owned(), ResourceState::new(None)),
        ("accounts".to_owned(), ResourceState::new(Some(at(3)))),
    ];
    let created = store.create_instance(instance("t1"), rows.clone()).await.unwrap();
    let found = store.instance(created.id).await.unwrap().unwrap();
    let wanted = Instance {
        id: created.id,
        ..instance("t1")
    };
    assert_eq!(
        serde_json::to_value(&found).unwrap(),
        serde_json::to_value(&wanted).unwrap()
    );
    assert_eq!(
        store.instance_by_token("t1".into()).await.unwrap().unwrap().id,
        created.id
    );
    assert!(store.instance_by_token("t".into()).await.unwrap().is_none());
    assert!(store.instance(InstanceId(99)).await.unwrap().is_none());
    let by_name: Vec<_> = rows.into_iter().rev().collect();
    assert_eq!(store.resources(created.id).await.unwrap(), by_name);
    assert!(is_conflict(store.create_instance(instance("t1"), Vec::new()).await));
}

pub(super) async fn ids_are_given_once(store: Given) {
    let mut ids = Vec::new();
    for token in ["a", "b", "c"] {
        ids.push(create(&*store, token).await.instance);
    }
    assert!(store.delete_instance(ids[2]).await.unwrap());
    let last = create(&*store, "d").await.instance;
    assert!(last > ids[2]);
    let all: Vec<_> = store.instances().await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(all, [ids[0], ids[1], last]);
}

pub(super) async fn an_update_replaces_the_instance_and_its_rows(store: Given) {
    let resource = create(&*store, "old").await;
    let mut state = ResourceState::new(Some(at(77)));
    state.revision = 1;
    let update = Instance {
        id: resource.instance,
        revision: 1,
        name: "renamed".into(),
        ..instance("new")
    };
    let rows = vec![
        ("accounts".to_owned(), state.clone()),
        ("tasks".to_owned(), ResourceState::new(None)),
    ];
    store
        .update_instance(update.clone(), rows.clone(), Vec::new())
        .await
        .unwrap();
    assert_eq!(
        store.instance(resource.instance).await.unwrap().unwrap().name,
        "renamed"
    );
    assert_eq!(store.resources(resource.instance).await.unwrap(), rows);
    assert!(store.instance_by_token("old".into()).await.unwrap().is_none());
    assert!(store.instance_by_token("new".into()).await.unwrap().is_some());
    assert_eq!(store.next_poll(at(-1)).await.unwrap(), Some(at(77)));

    assert!(is_conflict(
        store.update_instance(update.clone(), Vec::new(), Vec::new()).await
    ));
    let unknown = Instance {
        id: InstanceId(99),
        revision: 2,
        ..update
    };
    assert!(is_conflict(
        store.update_instance(unknown, Vec::new(), Vec::new()).await
    ));
}

pub(super) async fn an_update_does_not_take_a_row_back(store: Given) {
    let resource = create(&*store, "t").await;
    store.commit(next_page(&*store, &resource).await).await.unwrap();
    let page = next_page(&*store, &resource).await;
    let update = Instance {
        id: resource.instance,
        revision: 1,
        name: "renamed".into(),
        ..instance("t")
    };
    let same = vec![(
        "accounts".to_owned(),
        store.resource(resource.clone()).await.unwrap().unwrap(),
    )];
    assert!(is_conflict(
        store.update_instance(update.clone(), same.clone(), Vec::new()).await
    ));
    assert_ne!(
        store.instance(resource.instance).await.unwrap().unwrap().name,
        "renamed"
    );
    let mut higher = same;
    higher[0].1.revision += 1;
    store.update_instance(update, higher, Vec::new()).await.unwrap();
    // A poll that was running when the row was replaced.
    assert!(is_conflict(store.commit(page).await));
}

pub(super) async fn a_removed_resource_starts_anew_when_it_comes_back(store: Given) {
    let resource = create(&*store, "t").await;
    let ids: Vec<String> = (0..300).map(|id| id.to_string()).collect();
    let mut page = next_page(&*store, &resource).await;
    page.fingerprints = ids.iter().map(|id| (id.clone(), fingerprint(1, 1))).collect();
    store.commit(page).await.unwrap();
    let update = Instance {
        id: resource.instance,
        revision: 1,
        ..instance("t")
    };
    store
        .update_instance(update.clone(), Vec::new(), vec!["accounts".into()])
        .await
        .unwrap();
    assert_eq!(store.resource(resource.clone()).await.unwrap(), None);
    assert_eq!(
        store.fingerprints(resource.clone(), ids.clone()).await.unwrap(),
        vec![None; 300]
    );
    assert_eq!(store.next_poll(at(-1)).await.unwrap(), None);
    let rows = vec![("accounts".to_owned(), ResourceState::new(None))];
    let again = Instance { revision: 2, ..update };
    store.update_instance(again, rows, Vec::new()).await.unwrap();
    assert_eq!(store.fingerprints(resource, ids).await.unwrap(), vec![None; 300]);
}

pub(super) async fn a_deleted_instance_is_gone_with_all_it_had(store: Given) {
    let gone = create(&*store, "gone").await;
    let kept = create(&*store, "kept").await;
    for resource in [&gone, &kept] {
        let mut page = next_page(&*store, resource).await;
        page.fingerprints = (0..500).map(|id| (id.to_string(), fingerprint(id, 1))).collect();
        page.notifications = (0..40).map(|n| notification(&n.to_string(), at(5), 9_000)).collect();
        page.memo = Some(b"memo".to_vec());
        store.commit(page).await.unwrap();
    }
    let page = next_page(&*store, &gone).await;
    assert!(store.delete_instance(gone.instance).await.unwrap());
    assert!(!store.delete_instance(gone.instance).await.unwrap());
    assert!(store.instance(gone.instance).await.unwrap().is_none());
    assert!(store.instance_by_token("gone".into()).await.unwrap().is_none());
    assert_eq!(store.memo(gone.instance).await.unwrap(), None);
    assert!(store.resources(gone.instance).await.unwrap().is_empty());
    assert!(store.outbox(gone.instance, 10).await.unwrap().is_empty());
    assert!(store.notifications(gone.instance, None, 10).await.unwrap().is_empty());
    assert_eq!(
        store.fingerprints(gone.clone(), vec!["7".into()]).await.unwrap(),
        [None]
    );
    assert!(is_conflict(store.commit(page).await));
    let skip = Skip::default();
    assert_eq!(
        store.due_polls(at(9), skip, 9).await.unwrap(),
        std::slice::from_ref(&kept)
    );
    assert_eq!(
        store.due_deliveries(at(9), HashSet::new(), 9).await.unwrap(),
        [kept.instance]
    );
    assert_eq!(store.next_delivery(at(4)).await.unwrap(), Some(at(5)));

    assert_eq!(store.outbox(kept.instance, 100).await.unwrap().len(), 40);
    assert_eq!(store.memo(kept.instance).await.unwrap().as_deref(), Some(&b"memo"[..]));
    assert_eq!(
        store.fingerprints(kept, vec!["7".into()]).await.unwrap(),
        [Some(fingerprint(7, 1))]
    );
}

pub(super) async fn a_commit_is_read_back(store: Given) {
    let resource = create(&*store, "t").await;
    let mut page = next_page(&*store, &resource).await;
    page.state.watermark = Some(at(40));
    page.state.checkpoint = Some(vec![0, 1, 255]);
    page.fingerprints = vec![("7".into(), fingerprint(u128::MAX, 1)), ("".into(), fingerprint(3, 9))];
    page.notifications = vec![notification("1", at(2), 10), notification("2", at(3), 100_000)];
    let committed = page.clone();
    store.commit(page).await.unwrap();
    assert_eq!(store.resource(resource.clone()).await.unwrap(), Some(committed.state));
    let known = store
        .fingerprints(resource.clone(), vec!["".into(), "8".into(), "7".into()])
        .await
        .unwrap();
    assert_eq!(known, [Some(fingerprint(3, 9)), None, Some(fingerprint(u128::MAX, 1))]);
    let outbox = store.outbox(resource.instance, 10).await.unwrap();
    let notifications: Vec<_> = outbox.iter().map(|one| one.notification.clone()).collect();
    assert_eq!(notifications, committed.notifications);
    let waiting = |due| Delivery::new(DeliveryStatus::Waiting, Some(due));
    assert_eq!(outbox[0].delivery, waiting(at(2)));
    assert_eq!(outbox[1].delivery, waiting(at(3)));
    assert!(outbox[0].id < outbox[1].id);
}

pub(super) async fn a_commit_that_expects_another_revision_changes_nothing(store: Given) {
    let resource = create(&*store, "t").await;
    for wrong in [0, 2, u64::MAX] {
        let mut page = next_page(&*store, &resource).await;
        page.state.revision = wrong;
        page.state.due = Some(at(1_000));
        page.fingerprints = vec![("7".into(), fingerprint(1, 1))];
        page.notifications = vec![notification("1", at(2), 10)];
        page.memo = Some(b"memo".to_vec());
        assert!(is_conflict(store.commit(page).await), "{wrong}");
    }
    let mut page = next_page(&*store, &resource).await;
    page.resource.resource = "unknown".into();
    assert!(is_conflict(store.commit(page).await));
    assert_eq!(
        store.resource(resource.clone()).await.unwrap(),
        Some(ResourceState::new(Some(at(0))))
    );
    assert_eq!(
        store.fingerprints(resource.clone(), vec!["7".into()]).await.unwrap(),
        [None]
    );
    assert!(
        store
            .notifications(resource.instance, None, 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.memo(resource.instance).await.unwrap(), None);
    assert_eq!(store.next_poll(at(0)).await.unwrap(), None);
}

pub(super) async fn a_memo_is_set_kept_and_cleared(store: Given) {
    let resource = create(&*store, "t").await;
    for (memo, wanted) in [
        (None, None),
        (Some(b"zone".to_vec()), Some(b"zone".to_vec())),
        (None, Some(b"zone".to_vec())),
        (Some(Vec::new()), None),
    ] {
        let mut page = next_page(&*store, &resource).await;
        page.memo = memo;
        store.commit(page).await.unwrap();
        assert_eq!(store.memo(resource.instance).await.unwrap(), wanted);
    }
}

pub(super) async fn fingerprints_are_those_of_a_map(store: Given) {
    let resource = create(&*store, "t").await;
    let mut model: HashMap<String, Fingerprint> = HashMap::new();
    for round in 0..60 {
        let ids: HashSet<String> = (0..200).map(|place| any_id(round, place)).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let known = store.fingerprints(resource.clone(), ids.clone()).await.unwrap();
        for (id, known) in ids.iter().zip(known) {
            assert_eq!(known.as_ref(), model.get(id), "round {round}, id {id:?}");
        }
        let mut page = next_page(&*store, &resource).await;
        let changed = ids
            .iter()
            .enumerate()
            .filter(|(place, _)| !scramble(*place as u64).is_multiple_of(3));
        page.fingerprints = changed
            .map(|(place, id)| {
                (
                    id.clone(),
                    fingerprint(u128::from(scramble(round * 1_000 + place as u64)), round as u32),
                )
            })
            .collect();
        page.durability = if round % 8 == 0 {
            Durability::Synced
        } else {
            Durability::Lazy
        };
        model.extend(page.fingerprints.iter().cloned());
        store.commit(page).await.unwrap();
    }
    let ids: Vec<String> = model.keys().cloned().collect();
    let known = store.fingerprints(resource, ids.clone()).await.unwrap();
    for (id, known) in ids.iter().zip(known) {
        assert_eq!(known.as_ref(), model.get(id), "{id:?}");
    }
}

/// Neighbours, scattered numbers, words, numbers with zeros in front, long ones, and the empty one.
fn any_id(round: u64, place: u64) -> String {
    let dice = scramble(round * 977 + place);
    match round % 5 {
        0 => (10_000 + round * 120 + place).to_string(),
        1 => (dice % 100_000).to_string(),
        2 => format!("id-{}", dice % 3_000),
        3 if place == 0 => String::new(),
        3 => format!("{:0>width$}", dice % 50, width = (dice >> 8) as usize % 40),
        _ => format!("{:x<length$}", dice % 40, length = (dice >> 8) as usize % 1_025),
    }
}

pub(super) async fn polls_are_due_in_the_order_of_their_times(store: Given) {
    let dues = [Some(30), Some(-9_000_000_000_000), None, Some(10), Some(20), Some(31)];
    let names = ["a", "b", "c", "d", "e", "f"];
    let rows = names.iter().zip(dues);
    let rows = rows
        .map(|(name, due)| ((*name).to_owned(), ResourceState::new(due.map(at))))
        .collect();
    let id = store.create_instance(instance("t"), rows).await.unwrap().id;
    let due = async |running: &[&str], limit| {
        let skip = Skip {
            resources: running.iter().map(|name| key(id, name)).collect(),
            ..Skip::default()
        };
        let due = store.due_polls(at(30), skip, limit).await.unwrap();
        due.into_iter().map(|key| key.resource).collect::<Vec<_>>()
    };
    assert_eq!(due(&[], 9).await, ["b", "d", "e", "a"]);
    assert_eq!(due(&["b", "e"], 2).await, ["d", "a"]);
    let mut page = next_page(&*store, &key(id, "d")).await;
    page.state.due = Some(at(25));
    store.commit(page).await.unwrap();
    let mut page = next_page(&*store, &key(id, "b")).await;
    page.state.due = None;
    store.commit(page).await.unwrap();
    assert_eq!(due(&[], 9).await, ["e", "d", "a"]);
}

pub(super) async fn the_next_poll_is_the_first_one_later(store: Given) {
    assert_eq!(store.next_poll(at(0)).await.unwrap(), None);
    let rows = [10, 20].map(|due| (due.to_string(), ResourceState::new(Some(at(due)))));
    store.create_instance(instance("t"), rows.into()).await.unwrap();
    for (after, wanted) in [(0, Some(10)), (9, Some(10)), (10, Some(20)), (20, None)] {
        assert_eq!(store.next_poll(at(after)).await.unwrap(), wanted.map(at), "{after}");
    }
    assert_eq!(store.next_poll(Timestamp::from_ms(i64::MAX)).await.unwrap(), None);
}

pub(super) async fn the_outbox_gives_what_is_alive_in_order_of_commit(store: Given) {
    let resource = create(&*store, "t").await;
    notify(
        &*store,
        &resource,
        vec![notification("a", at(9), 10), notification("b", at(9), 10)],
    )
    .await;
    notify(&*store, &resource, vec![notification("c", at(1), 10)]).await;
    notify(&*store, &resource, vec![notification("d", at(5), 10)]).await;
    let outbox = store.outbox(resource.instance, 9).await.unwrap();
    assert_eq!(names(&outbox), ["a", "b", "c", "d"]);
    assert_eq!(
        names(&store.outbox(resource.instance, 1).await.unwrap()),
        ["a", "b"],
        "whole batches"
    );
    assert_eq!(
        names(&store.outbox(resource.instance, 3).await.unwrap()),
        ["a", "b", "c"]
    );

    let settled = [0, 2].map(|place| settlement(outbox[place].id, DeliveryStatus::Delivered, None));
    store
        .settle(resource.instance, Vec::from(settled).into())
        .await
        .unwrap();
    assert_eq!(names(&store.outbox(resource.instance, 9).await.unwrap()), ["b", "d"]);
    let dead = settlement(outbox[1].id, DeliveryStatus::Dead, None);
    store.settle(resource.instance, vec![dead].into()).await.unwrap();
    assert_eq!(names(&store.outbox(resource.instance, 9).await.unwrap()), ["d"]);
}

pub(super) async fn a_courier_wakes_when_it_said(store: Given) {
    let first = create(&*store, "1").await;
    let second = create(&*store, "2").await;
    notify(
        &*store,
        &first,
        vec![notification("a", at(10), 10), notification("b", at(10), 10)],
    )
    .await;
    notify(&*store, &second, vec![notification("c", at(20), 10)]).await;
    let due = async |ms| store.due_deliveries(at(ms), HashSet::new(), 9).await.unwrap();
    assert_eq!(due(9).await, []);
    assert_eq!(due(10).await, [first.instance]);
    assert_eq!(due(20).await, [first.instance, second.instance]);
    assert_eq!(
        store.due_deliveries(at(20), HashSet::new(), 1).await.unwrap(),
        [first.instance]
    );
    assert_eq!(store.next_delivery(at(10)).await.unwrap(), Some(at(20)));

    let outbox = store.outbox(first.instance, 9).await.unwrap();
    let retry = |place: usize, ms| settlement(outbox[place].id, DeliveryStatus::Retry, Some(at(ms)));
    let settled = vec![retry(0, 30), retry(1, 40)];
    store.settle(first.instance, settled.into()).await.unwrap();
    let stored = store.outbox(first.instance, 9).await.unwrap();
    assert_eq!(stored[1].delivery, retry(1, 40).delivery);
    assert_eq!(
        due(20).await,
        [first.instance, second.instance],
        "its courier has not rested"
    );

    let calls = store.courier_calls(first.instance).await.unwrap();
    assert!(store.rest(first.instance, calls, Some(at(30))).await.unwrap());
    assert_eq!(due(29).await, [second.instance]);
    assert_eq!(due(30).await, [second.instance, first.instance]);
    assert_eq!(store.next_delivery(at(20)).await.unwrap(), Some(at(30)));
    assert!(store.rest(first.instance, calls, None).await.unwrap());
    assert_eq!(due(99).await, [second.instance]);
}

pub(super) async fn a_courier_that_is_called_does_not_rest(store: Given) {
    let resource = create(&*store, "t").await;
    let id = resource.instance;
    let due = async || store.due_deliveries(at(99), HashSet::new(), 9).await.unwrap();
    let mut calls = store.courier_calls(id).await.unwrap();
    let mut is_called = async |what: &str| {
        assert!(!store.rest(id, calls, None).await.unwrap(), "{what}");
        assert_eq!(due().await, [id], "{what}");
        calls = store.courier_calls(id).await.unwrap();
        assert!(store.rest(id, calls, None).await.unwrap(), "{what}");
        assert_eq!(due().await, [], "{what}");
    };
    notify(&*store, &resource, vec![notification("a", at(1), 10)]).await;
    is_called("a commit").await;
    let endpoint = Endpoint {
        revision: 1,
        ..Endpoint::default()
    };
    store.put_endpoint(id, endpoint).await.unwrap();
    is_called("a change of the endpoint").await;
    let mut changed = store.instance(id).await.unwrap().unwrap();
    changed.revision += 1;
    store.update_instance(changed, Vec::new(), Vec::new()).await.unwrap();
    is_called("a change of the instance").await;
    let place = store.outbox(id, 9).await.unwrap()[0].id;
    let dead = settlement(place, DeliveryStatus::Dead, None);
    store.settle(id, vec![dead].into()).await.unwrap();
    assert_eq!(due().await, [], "its own settlements call no courier");
    let places = vec![(place, DeliveryStatus::Dead)];
    assert_eq!(store.redeliver(id, places, at(3)).await.unwrap(), 1);
    is_called("a redelivery").await;
}

pub(super) async fn an_endpoint_is_written_with_the_attempt_unless_somebody_changed_it(store: Given) {
    let resource = create(&*store, "t").await;
    let id = resource.instance;
    assert_eq!(store.endpoint(id).await.unwrap(), Endpoint::default());
    let failing = Endpoint {
        failures: 3,
        ..Endpoint::default()
    };
    let settled = |endpoint: &Endpoint| Settled {
        endpoint: Some(endpoint.clone()),
        told: vec![notification("told", at(1), 10)],
        ..Settled::from(Vec::new())
    };
    store.settle(id, settled(&failing)).await.unwrap();
    assert_eq!(store.endpoint(id).await.unwrap(), failing);
    let operators = store.outbox(InstanceId::OPERATOR, 9).await.unwrap();
    assert_eq!(names(&operators), ["told"]);

    let changed = Endpoint {
        revision: 1,
        ..Endpoint::default()
    };
    store.put_endpoint(id, changed.clone()).await.unwrap();
    assert!(is_conflict(store.put_endpoint(id, changed.clone()).await));
    store.settle(id, settled(&failing)).await.unwrap();
    assert_eq!(store.endpoint(id).await.unwrap(), changed);
    assert_eq!(store.outbox(InstanceId::OPERATOR, 9).await.unwrap().len(), 1);
}

pub(super) async fn a_notification_is_found_by_its_number_with_its_attempts(store: Given) {
    let resource = create(&*store, "t").await;
    let other = create(&*store, "u").await;
    let all = vec![notification("a", at(1), 10), notification("b", at(1), 10)];
    let number = all[1].number();
    notify(&*store, &other, vec![notification("b", at(2), 10)]).await;
    notify(&*store, &resource, all).await;
    let found = store.find_notification(number).await.unwrap();
    let owners: Vec<_> = found.iter().map(|(owner, _)| *owner).collect();
    assert_eq!(owners, [other.instance, resource.instance]);
    let id = found[1].1.id;
    assert_eq!(found[1].1.notification.id, "msg_b");
    assert!(store.find_notification(number + 1).await.unwrap().is_empty());

    let attempt = |number| AttemptRow {
        number,
        attempt: Attempt {
            at: at(5),
            took_ms: 3,
            status: None,
            error: Some("no route".into()),
        },
        url: "https://example.com/".into(),
        request_headers: vec![("webhook-id".into(), "msg_b".into())],
        response_headers: Vec::new(),
        response_body: "ö".into(),
        body_is_cut: true,
    };
    for number in [1, 2] {
        let settlement = Settlement {
            attempt: Some(attempt(number)),
            ..settlement(id, DeliveryStatus::Dead, None)
        };
        store.settle(resource.instance, vec![settlement].into()).await.unwrap();
    }
    let attempts = store.attempts(resource.instance, id).await.unwrap();
    assert_eq!(attempts, [attempt(1), attempt(2)]);
    assert!(store.attempts(other.instance, id).await.unwrap().is_empty());
    assert!(store.delete_instance(other.instance).await.unwrap());
    assert_eq!(store.find_notification(number).await.unwrap().len(), 1);
}

pub(super) async fn what_is_not_to_be_delivered_is_stored_all_the_same(store: Given) {
    let resource = create(&*store, "t").await;
    let mut page = next_page(&*store, &resource).await;
    page.deliver = false;
    page.notifications = vec![notification("a", at(1), 10)];
    store.commit(page).await.unwrap();
    assert!(store.outbox(resource.instance, 9).await.unwrap().is_empty());
    assert!(
        store
            .due_deliveries(at(99), HashSet::new(), 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.next_delivery(at(0)).await.unwrap(), None);
    let stored = store.notifications(resource.instance, None, 9).await.unwrap();
    assert_eq!(names(&stored), ["a"]);
    assert_eq!(stored[0].delivery.status, DeliveryStatus::Stored);
}

pub(super) async fn notifications_are_paged_from_the_newest(store: Given) {
    let resource = create(&*store, "t").await;
    let all: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    for chunk in all.chunks(7) {
        let notifications = chunk.iter().map(|name| notification(name, at(1), 20_000)).collect();
        notify(&*store, &resource, notifications).await;
    }
    let outbox = store.outbox(resource.instance, 1).await.unwrap();
    let delivered = settlement(outbox[0].id, DeliveryStatus::Delivered, None);
    store.settle(resource.instance, vec![delivered].into()).await.unwrap();
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let page = store.notifications(resource.instance, before, 4).await.unwrap();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        read.extend(names(&page).into_iter().map(str::to_owned));
    }
    let newest_first: Vec<String> = all.into_iter().rev().collect();
    assert_eq!(read, newest_first);
}

/// Twelve notifications in batches of three, each settled by `statuses` in turn.
async fn settled_in_turn(store: &dyn Store, statuses: &[DeliveryStatus]) -> ResourceKey {
    let resource = create(store, "t").await;
    for batch in 0..4 {
        let names = (3 * batch..3 * batch + 3).map(|n: i64| notification(&n.to_string(), at(n), 10));
        notify(store, &resource, names.collect()).await;
    }
    let outbox = store.outbox(resource.instance, 99).await.unwrap();
    let settlements = outbox.iter().zip(statuses.iter().cycle());
    let settlements = settlements.map(|(outgoing, status)| settlement(outgoing.id, *status, None));
    let settled = Settled::from(settlements.collect::<Vec<_>>());
    store.settle(resource.instance, settled).await.unwrap();
    resource
}

pub(super) async fn notifications_are_searched_either_way_without_their_bodies(store: Given) {
    use DeliveryStatus::{Dead, Delivered, Retry};
    // The third batch is all delivered.
    let turns = [
        Dead, Delivered, Retry, Dead, Delivered, Retry, Delivered, Delivered, Delivered, Dead, Retry, Retry,
    ];
    let resource = settled_in_turn(&*store, &turns).await;
    let all: Vec<usize> = (0..12).collect();
    let of = |wanted: DeliveryStatus| all.iter().copied().filter(|n| turns[*n] == wanted).collect();
    let table: [(Option<Vec<DeliveryStatus>>, Vec<usize>); 3] = [
        (None, all.clone()),
        (Some(vec![Dead]), of(Dead)),
        (Some(vec![Delivered]), of(Delivered)),
    ];
    for (statuses, expected) in table {
        for newest_first in [false, true] {
            for limit in [1, 4, 99] {
                let (mut found, mut beyond, mut turns) = (Vec::new(), None, 0);
                loop {
                    let search = Search {
                        newest_first,
                        beyond,
                        statuses: statuses.clone(),
                    };
                    let searched = store.search(resource.instance, search, limit).await.unwrap();
                    assert!(
                        searched.found.len() < limit + 3,
                        "whole batches until the limit is reached"
                    );
                    assert!(searched.found.iter().all(|row| row.notification.body.is_empty()));
                    found.extend(names(&searched.found).iter().map(|name| name.parse::<usize>().unwrap()));
                    turns += 1;
                    beyond = searched.next;
                    if beyond.is_none() {
                        break;
                    }
                }
                let mut expected = expected.clone();
                if newest_first {
                    expected.reverse();
                }
                assert_eq!(found, expected, "{statuses:?} newest first: {newest_first}, {limit}");
                assert_eq!(turns, 12_usize.div_ceil(3 * limit.div_ceil(3)).max(1), "{limit}");
            }
        }
    }
    // From within a batch.
    let row = store.notifications(resource.instance, None, 2).await.unwrap().remove(1);
    for (newest_first, expected) in [(true, 10), (false, 1)] {
        let search = Search {
            newest_first,
            beyond: Some(row.id),
            statuses: None,
        };
        let searched = store.search(resource.instance, search, 99).await.unwrap();
        assert_eq!(searched.found.len(), expected);
    }
    let gone = store.search(InstanceId(99), Search::default(), 9).await.unwrap();
    assert!(gone.found.is_empty() && gone.next.is_none());
}

pub(super) async fn what_is_redelivered_is_alive_again_unless_it_changed_meanwhile(store: Given) {
    use DeliveryStatus::{Dead, Delivered, Waiting};
    let resource = settled_in_turn(&*store, &[Dead, Delivered]).await;
    let instance = resource.instance;
    store
        .rest(instance, store.courier_calls(instance).await.unwrap(), None)
        .await
        .unwrap();
    let mut all = store.notifications(instance, None, 99).await.unwrap();
    all.reverse();
    let calls = store.courier_calls(instance).await.unwrap();
    // The second is not dead, and the last is not there.
    let gone = OutboxId { batch: 999, index: 0 };
    let places = vec![
        (all[0].id, Dead),
        (all[1].id, Dead),
        (all[3].id, Delivered),
        (gone, Dead),
    ];
    assert_eq!(store.redeliver(instance, places.clone(), at(50)).await.unwrap(), 2);
    assert_eq!(store.courier_calls(instance).await.unwrap(), calls + 1);
    assert_eq!(
        store.due_deliveries(at(50), HashSet::new(), 9).await.unwrap(),
        [instance]
    );
    let outbox = store.outbox(instance, 99).await.unwrap();
    assert_eq!(names(&outbox), ["0", "3"]);
    assert!(
        outbox
            .iter()
            .all(|row| row.delivery.status == Waiting && row.delivery.due == Some(at(50)))
    );
    assert!(outbox.iter().all(|row| !row.notification.body.is_empty()));
    // Delivered now: who asked at the same time as the first one changes nothing.
    let settlements = outbox
        .iter()
        .map(|row| settlement(row.id, Delivered, None))
        .collect::<Vec<_>>();
    store.settle(instance, settlements.into()).await.unwrap();
    assert_eq!(store.redeliver(instance, vec![places[0]], at(60)).await.unwrap(), 0);
    assert!(store.outbox(instance, 99).await.unwrap().is_empty());
    assert_eq!(store.redeliver(InstanceId(99), places, at(60)).await.unwrap(), 0);
}

pub(super) async fn a_backlog_is_counted_as_far_as_asked(store: Given) {
    use DeliveryStatus::{Delivered, Retry};
    let resource = settled_in_turn(&*store, &[Delivered, Delivered, Retry]).await;
    let backlog = |alive, is_cut| Backlog {
        alive,
        oldest: Some(at(2)),
        is_cut,
    };
    for (limit, expected) in [(99, backlog(4, false)), (4, backlog(4, false)), (3, backlog(3, true))] {
        assert_eq!(store.backlog(resource.instance, limit).await.unwrap(), expected);
    }
    assert_eq!(store.backlog(InstanceId(99), 9).await.unwrap(), Backlog::default());
}

pub(super) async fn purging_drops_old_batches_that_are_settled(store: Given) {
    let resource = create(&*store, "t").await;
    for (name, created) in [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)] {
        notify(&*store, &resource, vec![notification(name, at(created), 10)]).await;
    }
    let outbox = store.outbox(resource.instance, 9).await.unwrap();
    let settled = [
        (0, DeliveryStatus::Delivered),
        (2, DeliveryStatus::Dead),
        (3, DeliveryStatus::Delivered),
    ];
    let settled = settled.map(|(place, status)| settlement(outbox[place].id, status, None));
    let number = outbox[0].notification.number();
    store
        .settle(resource.instance, Vec::from(settled).into())
        .await
        .unwrap();
    let purge = async |delivered, undelivered, limit| {
        let before = Horizon {
            delivered: at(delivered),
            undelivered: at(undelivered),
        };
        store.purge(before, limit).await.unwrap()
    };
    assert_eq!(purge(5, 0, 1).await, 1);
    assert_eq!(purge(5, 0, 2).await, 1);
    assert_eq!(purge(5, 0, 2).await, 0);
    assert!(store.find_notification(number).await.unwrap().is_empty());
    let kept = store.notifications(resource.instance, None, 9).await.unwrap();
    assert_eq!(
        names(&kept),
        ["e", "c", "b"],
        "what was never delivered is kept for longer"
    );
    assert_eq!(purge(5, 5, 9).await, 1);
    let kept = store.notifications(resource.instance, None, 9).await.unwrap();
    assert_eq!(names(&kept), ["e", "b"], "what is alive is kept");
}

pub(super) async fn settling_what_is_gone_is_no_error(store: Given) {
    let resource = create(&*store, "t").await;
    let id = OutboxId { batch: 77, index: 3 };
    let unknown = settlement(id, DeliveryStatus::Retry, Some(at(1)));
    store.settle(resource.instance, vec![unknown].into()).await.unwrap();
    assert_eq!(store.next_delivery(at(0)).await.unwrap(), None);
    assert!(
        store
            .notifications(resource.instance, None, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(super) async fn the_components_of_an_element_are_one_row(store: Given) {
    let generation = Generation {
        digest: Digest([1; 32]),
        version: "1.0.0".into(),
        loaded: at(0),
        source: Source::File("a.wasm".into()),
        standing: Standing::Probation { since: at(0) },
    };
    let row = |revision, all: Vec<Generation>| Generations {
        revision,
        active: all.first().map(|generation| generation.digest),
        previous: None,
        all,
    };
    let first = row(1, vec![generation.clone()]);
    let put = |key: &str, row: &Generations| store.put_generations(key.into(), row.clone());
    put("b", &first).await.unwrap();
    put("a", &first).await.unwrap();
    let conflict = put("a", &first).await.unwrap_err();
    assert!(matches!(conflict, StoreError::Conflict(_)), "{conflict}");
    let second = row(2, vec![generation.clone(), generation]);
    put("a", &second).await.unwrap();
    let stored = store.generations().await.unwrap();
    assert_eq!(stored, [("a".to_owned(), second), ("b".to_owned(), first)]);
    put("a", &row(3, Vec::new())).await.unwrap();
    assert_eq!(store.generations().await.unwrap().len(), 1);
}

pub(super) async fn sketches_are_written_with_their_page_and_go_with_their_resource(store: Given) {
    let resource = create(&*store, "t").await;
    let other = create(&*store, "u").await;
    let ids = ["1", "a/ü", "2"].map(String::from).to_vec();
    let nothing = Sketches {
        names: Vec::new(),
        each: vec![None; 3],
    };
    let kept = || store.sketches(resource.clone(), ids.clone());
    assert_eq!(kept().await.unwrap(), nothing);

    // More names than one value may hold.
    let names: Vec<String> = (0..900).map(|n| format!("{n:060}")).collect();
    let mut page = next_page(&*store, &resource).await;
    page.sketches = Some(SketchUpdate {
        names: Some(names.clone()),
        sketches: vec![("1".into(), Some(vec![1; 600])), ("a/ü".into(), Some(vec![0, 255]))],
    });
    store.commit(page.clone()).await.unwrap();
    let written = Sketches {
        names,
        each: vec![Some(vec![1; 600]), Some(vec![0, 255]), None],
    };
    assert_eq!(kept().await.unwrap(), written);
    assert_eq!(store.sketches(other.clone(), ids.clone()).await.unwrap(), nothing);
    page.sketches = Some(SketchUpdate::default());
    assert!(is_conflict(store.commit(page).await), "the row's revision fences them");

    let mut page = next_page(&*store, &resource).await;
    page.sketches = Some(SketchUpdate {
        names: Some([written.names.as_slice(), &["new".into()]].concat()),
        sketches: vec![("1".into(), None), ("2".into(), Some(vec![2]))],
    });
    store.commit(page).await.unwrap();
    let now = kept().await.unwrap();
    assert_eq!(now.each, [None, Some(vec![0, 255]), Some(vec![2])]);
    assert_eq!(now.names.len(), 901);

    let update = Instance {
        id: resource.instance,
        revision: 1,
        ..instance("t")
    };
    let rows = vec![("accounts".to_owned(), ResourceState::new(None))];
    let removed = vec!["accounts".to_owned()];
    store.update_instance(update, rows, removed).await.unwrap();
    assert_eq!(kept().await.unwrap(), nothing);
}

pub(super) async fn an_instance_is_found_by_its_old_tokens_while_it_has_them(store: Given) {
    let resource = create(&*store, "one").await;
    let mut changed = store.instance(resource.instance).await.unwrap().unwrap();
    let found = async |token: &str| {
        store
            .instance_by_token(token.into())
            .await
            .unwrap()
            .map(|found| found.id)
    };
    changed.revision += 1;
    changed.token_hash = "two".into();
    changed.old_tokens = vec![Credential {
        sha256: "one".into(),
        until: Some(at(9)),
    }];
    store
        .update_instance(changed.clone(), Vec::new(), Vec::new())
        .await
        .unwrap();
    assert_eq!([found("one").await, found("two").await], [Some(changed.id); 2]);
    changed.revision += 1;
    changed.old_tokens.clear();
    store
        .update_instance(changed.clone(), Vec::new(), Vec::new())
        .await
        .unwrap();
    assert_eq!([found("one").await, found("two").await], [None, Some(changed.id)]);
    // A token that nobody has any more may be given again.
    create(&*store, "one").await;
    store.delete_instance(changed.id).await.unwrap();
    assert_eq!(found("two").await, None);
}

fn audit_entry(request: &str, ms: i64, instance: Option<u64>) -> AuditEntry {
    AuditEntry {
        at: at(ms),
        request: request.into(),
        who: Who::Token(InstanceId(7)),
        client: "192.0.2.1".into(),
        method: "PATCH".into(),
        path: "/instances/7".into(),
        status: 200,
        instance: instance.map(InstanceId),
    }
}

pub(super) async fn the_audit_log_is_read_from_the_newest_page_by_page(store: Given) {
    let entries = [
        audit_entry("a", 1, Some(7)),
        audit_entry("b", 2, None),
        // The same moment and the same id: both stay.
        audit_entry("b", 2, Some(8)),
        audit_entry("d", 3, Some(7)),
    ];
    for entry in &entries {
        store.append_audit(entry.clone()).await.unwrap();
    }
    let [a, b, c, d] = entries;
    let all = AuditQuery::default();
    let whole = store.audit(all, 4).await.unwrap();
    assert_eq!(
        (whole.entries, whole.next),
        (vec![d.clone(), c.clone(), b.clone(), a.clone()], None)
    );
    let first = store.audit(all, 2).await.unwrap();
    assert_eq!(first.entries, [d.clone(), c.clone()]);
    let before = first.next;
    let second = store.audit(AuditQuery { before, ..all }, 2).await.unwrap();
    assert_eq!((second.entries, second.next), (vec![b.clone(), a.clone()], None));
    let table = [
        (Some(2), None, None, vec![&d, &c, &b]),
        (None, Some(3), None, vec![&c, &b, &a]),
        (Some(2), Some(3), Some(8), vec![&c]),
        (None, None, Some(7), vec![&d, &a]),
        (Some(4), None, None, vec![]),
        (Some(3), Some(1), None, vec![]),
    ];
    for (from, to, instance, expected) in table {
        let query = AuditQuery {
            from: from.map(at),
            to: to.map(at),
            instance: instance.map(InstanceId),
            before: None,
        };
        let found = store.audit(query, 10).await.unwrap();
        assert_eq!(found.entries.iter().collect::<Vec<_>>(), expected, "{query:?}");
    }
}

pub(super) async fn the_audit_log_is_purged_a_little_at_a_time(store: Given) {
    for ms in 0..5 {
        store.append_audit(audit_entry("x", ms, None)).await.unwrap();
    }
    assert_eq!(store.purge_audit(at(3), 2).await.unwrap(), 2);
    assert_eq!(store.purge_audit(at(3), 2).await.unwrap(), 1);
    assert_eq!(store.purge_audit(at(3), 2).await.unwrap(), 0);
    assert_eq!(store.audit(AuditQuery::default(), 9).await.unwrap().entries.len(), 2);
}
