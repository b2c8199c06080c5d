//! Looking up and redelivering: what is found, what goes out again, and that neither order nor bytes change.

use std::time::Duration;

use serde_json::json;

use super::harness::{Harness, INTERVAL, answer, page, record};
use crate::domain::delivery::{DeadReason, DeliveryStatus, Outgoing};
use crate::domain::endpoint::Health;
use crate::domain::id::{InstanceId, ResourceKey};
use crate::engine::selection::Selection;
use crate::ports::Store as _;
use crate::service::look_up::{Error, LOOKED_AT_MAX, LOOKED_AT_ONCE};
use crate::service::redeliver::{IDS_MAX, Mode, Wanted};

impl Harness {
    async fn until(&self, key: &ResourceKey, statuses: &[DeliveryStatus]) {
        self.eventually(&format!("the statuses are {statuses:?}"), async || {
            let found = self.deliveries(key.instance).await;
            found
                .iter()
                .map(|delivery| delivery.status)
                .eq(statuses.iter().copied())
        })
        .await;
    }

    /// In order of commit.
    async fn rows(&self, key: &ResourceKey) -> Vec<Outgoing> {
        let mut rows = self.store.notifications(key.instance, None, 10_000).await.unwrap();
        rows.reverse();
        rows
    }

    /// Matched and redelivered.
    async fn redeliver(&self, key: &ResourceKey, wanted: Wanted, mode: Mode) -> (usize, usize) {
        let redelivery = self.gateway.redeliver(key.instance, wanted, mode).await.unwrap();
        (redelivery.matched, redelivery.redelivered)
    }
}

fn with_status(status: DeliveryStatus) -> Wanted {
    Wanted::Selected(Selection {
        statuses: Some(vec![status]),
        ..Selection::default()
    })
}

/// Three dead letters of record 7, between delivered ones of others.
async fn with_dead_letters(harness: &Harness) -> ResourceKey {
    let key = harness.create_baselined().await;
    harness.callback.answer("7", [413, 413, 415].map(answer));
    for (id, content) in [("7", 1), ("8", 1), ("7", 2), ("7", 3), ("9", 1)] {
        harness.poll_one(&key, id, content).await;
        harness.clock.advance(Duration::from_secs(1));
    }
    harness.start_deliverer();
    use DeliveryStatus::{Dead, Delivered};
    harness.until(&key, &[Dead, Delivered, Dead, Dead, Delivered]).await;
    key
}

#[tokio::test]
async fn dead_letters_go_out_again_in_order_with_their_ids_and_bytes_and_their_attempts_go_on_counting() {
    let harness = Harness::new();
    let key = with_dead_letters(&harness).await;
    let before = harness.rows(&key).await;
    let first = harness.callback.posts();
    assert_eq!(
        harness
            .redeliver(&key, with_status(DeliveryStatus::Dead), Mode::DryRun)
            .await,
        (3, 0)
    );
    harness.let_things_happen().await;
    assert_eq!(harness.rows(&key).await, before, "a dry run changes nothing");
    assert_eq!(
        harness
            .redeliver(&key, with_status(DeliveryStatus::Dead), Mode::Redeliver)
            .await,
        (3, 3)
    );
    harness.until(&key, &[DeliveryStatus::Delivered; 5]).await;
    let posts = harness.callback.posts();
    let again = &posts[first.len()..];
    assert_eq!(again.iter().map(|post| post.sequence).collect::<Vec<_>>(), [1, 3, 4]);
    for post in again {
        let same = first.iter().find(|first| first.sequence == post.sequence).unwrap();
        assert_eq!(post.body, same.body);
    }
    let after = harness.rows(&key).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.id, &before.notification), (after.id, &after.notification));
    }
    assert_eq!((after[0].delivery.attempts, after[0].delivery.attempts_before), (2, 1));
    assert_eq!(after[0].delivery.dead, None);
    let attempts = harness
        .gateway
        .attempts(key.instance, &after[0].notification.id)
        .await
        .unwrap();
    let attempts: Vec<_> = attempts.iter().map(|row| (row.number, row.attempt.status)).collect();
    assert_eq!(attempts, [(1, Some(413)), (2, Some(200))]);
    // Nothing is left to match.
    assert_eq!(
        harness
            .redeliver(&key, with_status(DeliveryStatus::Dead), Mode::Redeliver)
            .await,
        (0, 0)
    );
}

#[tokio::test]
async fn a_redelivered_notification_has_a_whole_schedule_before_it() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.callback.answer("7", [413, 500, 500].map(answer));
    harness.poll_one(&key, "7", 1).await;
    harness.start_deliverer();
    harness.until(&key, &[DeliveryStatus::Dead]).await;
    harness
        .redeliver(&key, with_status(DeliveryStatus::Dead), Mode::Redeliver)
        .await;
    harness.until(&key, &[DeliveryStatus::Retry]).await;
    // The second attempt of a schedule, not the third: five seconds, give or take.
    let delivery = harness.deliveries(key.instance).await.remove(0);
    let wait = delivery.due.unwrap().since(harness.clock.time());
    assert!(wait <= Duration::from_secs(6), "{wait:?}");
    assert_eq!((delivery.attempts, delivery.attempts_before), (2, 1));
}

#[tokio::test]
async fn each_filter_chooses_and_what_is_on_its_way_is_chosen_by_id_alone() {
    let harness = Harness::new();
    let key = with_dead_letters(&harness).await;
    harness.callback.answer("10", [answer(500)]);
    harness.poll_one(&key, "10", 1).await;
    harness
        .eventually("the last one is retried", async || {
            harness.deliveries(key.instance).await[5].status == DeliveryStatus::Retry
        })
        .await;
    let rows = harness.rows(&key).await;
    let created = |place: usize| Some(rows[place].notification.created);
    let all = Selection::default;
    let table = [
        (
            Selection {
                reason: Some(DeadReason::TooLarge),
                ..all()
            },
            2,
        ),
        (
            Selection {
                reason: Some(DeadReason::FormatRefused),
                ..all()
            },
            1,
        ),
        (
            Selection {
                resource: Some("accounts".into()),
                ..all()
            },
            5,
        ),
        (
            Selection {
                resource: Some("contacts".into()),
                ..all()
            },
            0,
        ),
        (
            Selection {
                record: Some("7".into()),
                ..all()
            },
            3,
        ),
        (
            Selection {
                record: Some("10".into()),
                ..all()
            },
            0,
        ),
        (
            Selection {
                from: created(2),
                ..all()
            },
            3,
        ),
        (
            Selection {
                from: created(1),
                to: created(3),
                ..all()
            },
            2,
        ),
        (
            Selection {
                statuses: Some(vec![DeliveryStatus::Delivered, DeliveryStatus::Retry]),
                ..all()
            },
            2,
        ),
    ];
    for (selection, expected) in table {
        let said = format!("{selection:?}");
        let wanted = Wanted::Selected(selection);
        assert_eq!(
            harness.redeliver(&key, wanted, Mode::DryRun).await,
            (expected, 0),
            "{said}"
        );
    }
    let ids = [&rows[5], &rows[0], &rows[5]].map(|row| row.notification.id.clone());
    let by_number = rows[1].notification.number().to_string();
    let wanted = Wanted::Ids(ids.into_iter().chain([by_number]).collect());
    let posts = harness.callback.posts().len();
    assert_eq!(harness.redeliver(&key, wanted, Mode::Redeliver).await, (3, 3));
    use DeliveryStatus::{Dead, Delivered};
    harness
        .until(&key, &[Delivered, Delivered, Dead, Dead, Delivered, Delivered])
        .await;
    assert_eq!(
        harness.callback.posts().len(),
        posts + 3,
        "and its own schedule is over"
    );
    harness.clock.advance(INTERVAL * 60);
    harness.let_things_happen().await;
    assert_eq!(harness.callback.posts().len(), posts + 3);
}

#[tokio::test]
async fn what_can_not_be_redelivered_is_refused_and_nothing_is_touched() {
    let harness = Harness::new();
    let key = with_dead_letters(&harness).await;
    let before = harness.rows(&key).await;
    let known = before[0].notification.id.clone();
    let refused = [
        (Wanted::Selected(Selection::default()), "at least one"),
        (with_status(DeliveryStatus::Retry), "on its way"),
        (Wanted::Ids(Vec::new()), "found 0"),
        (Wanted::Ids(vec![known.clone(); IDS_MAX + 1]), "found 1001"),
        (Wanted::Ids(vec![known, "nosuch".into()]), "\"nosuch\""),
        (Wanted::Ids(vec!["12".into()]), "\"12\""),
    ];
    for (wanted, word) in refused {
        let error = harness
            .gateway
            .redeliver(key.instance, wanted, Mode::Redeliver)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(harness.rows(&key).await, before);
    let dead = || with_status(DeliveryStatus::Dead);
    let nobody = harness.gateway.redeliver(InstanceId(99), dead(), Mode::Redeliver).await;
    assert!(nobody.unwrap_err().to_string().contains("99"));
    let operator = harness
        .gateway
        .redeliver(InstanceId::OPERATOR, dead(), Mode::DryRun)
        .await;
    assert!(matches!(operator, Err(Error::NoCallback { .. })));
    harness
        .patch(key.instance, json!({"event.notification.callback.url": ""}))
        .await;
    let error = harness
        .gateway
        .redeliver(key.instance, dead(), Mode::DryRun)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::NoCallback { .. }) && error.to_string().contains("callback.url"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_asked_for_while_it_is_posted_goes_out_once() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.callback.hold("7");
    harness.poll_one(&key, "7", 1).await;
    harness.start_deliverer();
    harness
        .eventually("the POST is on the way", async || harness.callback.posts().len() == 1)
        .await;
    let id = harness.rows(&key).await[0].notification.id.clone();
    assert_eq!(
        harness.redeliver(&key, Wanted::Ids(vec![id]), Mode::Redeliver).await,
        (1, 1)
    );
    harness.let_things_happen().await;
    harness.callback.release();
    harness.until(&key, &[DeliveryStatus::Delivered]).await;
    harness.clock.advance(INTERVAL);
    harness.let_things_happen().await;
    assert_eq!(harness.callback.posts().len(), 1);
}

#[tokio::test]
async fn what_was_only_stored_is_delivered_when_a_callback_has_come() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .patch(key.instance, json!({"event.notification.callback.url": ""}))
        .await;
    harness.poll_one(&key, "7", 1).await;
    harness.poll_one(&key, "7", 2).await;
    harness.start_deliverer();
    let url = json!({"event.notification.callback.url": "https://callback.example/late"});
    harness.patch(key.instance, url).await;
    harness.let_things_happen().await;
    assert!(harness.callback.posts().is_empty());
    assert_eq!(
        harness
            .redeliver(&key, with_status(DeliveryStatus::Stored), Mode::Redeliver)
            .await,
        (2, 2)
    );
    harness.until(&key, &[DeliveryStatus::Delivered; 2]).await;
    assert_eq!(harness.callback.posted(), [("7".into(), 1), ("7".into(), 2)]);
}

#[tokio::test]
async fn redelivery_to_a_disabled_endpoint_waits_and_says_so() {
    let harness = Harness::new();
    let key = with_dead_letters(&harness).await;
    harness
        .gateway
        .disable_endpoint(key.instance, Some("moving house"))
        .await
        .unwrap();
    let posts = harness.callback.posts().len();
    let dead = with_status(DeliveryStatus::Dead);
    let redelivery = harness
        .gateway
        .redeliver(key.instance, dead, Mode::Redeliver)
        .await
        .unwrap();
    assert_eq!(redelivery.redelivered, 3);
    let Health::Disabled { reason, .. } = redelivery.health else {
        panic!("{redelivery:?}");
    };
    assert_eq!(reason, "disabled by hand: moving house");
    harness.clock.advance(INTERVAL);
    harness.let_things_happen().await;
    assert_eq!(harness.callback.posts().len(), posts);
    harness.gateway.enable_endpoint(key.instance).await.unwrap();
    harness.until(&key, &[DeliveryStatus::Delivered; 5]).await;
}

#[tokio::test]
async fn a_thousand_dead_letters_go_out_again_in_chunks() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let many = 2 * LOOKED_AT_ONCE + 7;
    harness
        .patch(key.instance, json!({"event.notification.format": "standard"}))
        .await;
    harness.callback.set_down(true);
    harness
        .patch(key.instance, json!({"event.notification.callback.url": ""}))
        .await;
    let records = (0..many).map(|id| record(&id.to_string(), 1));
    harness.element.script("accounts", vec![page(records)]);
    harness.poll(&key).await;
    let url = json!({"event.notification.callback.url": "https://callback.example/late"});
    harness.patch(key.instance, url).await;
    assert_eq!(
        harness
            .redeliver(&key, with_status(DeliveryStatus::Stored), Mode::Redeliver)
            .await,
        (many, many)
    );
    let backlog = harness.store.backlog(key.instance, 9_999).await.unwrap();
    assert_eq!(backlog.alive, many);
}

#[tokio::test]
async fn events_are_listed_by_filter_and_a_page_that_found_little_says_where_to_go_on() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .patch(key.instance, json!({"event.notification.format": "standard"}))
        .await;
    harness
        .patch(key.instance, json!({"event.notification.callback.url": ""}))
        .await;
    let many = LOOKED_AT_MAX + 1_200;
    let records = (0..many).map(|id| record(&id.to_string(), 1));
    harness.element.script("accounts", vec![page(records)]);
    harness.poll(&key).await;
    let gateway = &harness.gateway;
    // The oldest one, and so the last one that is looked at.
    let oldest = Selection {
        record: Some("0".into()),
        ..Selection::default()
    };
    let page = gateway.events(key.instance, &oldest, None, 10).await.unwrap();
    assert!(page.rows.is_empty());
    let page = gateway.events(key.instance, &oldest, page.next, 10).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (1, None));
    assert_eq!(page.rows[0].notification.events[0].sequence, 1);
    // Without a filter pages are full, and all is read.
    let (mut read, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = gateway
            .events(key.instance, &Selection::default(), before, 1_000)
            .await
            .unwrap();
        read.extend(page.rows.iter().map(|row| row.notification.events[0].sequence));
        pages += 1;
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(pages, many.div_ceil(1_000));
    assert!(read.iter().copied().eq((1..=many as u64).rev()));
}
