//! From the outbox to the callback: when, in what order, and for how long.

use std::time::Duration;

use serde_json::json;

use super::harness::{Harness, INTERVAL, answer, page, record, within};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::id::ResourceKey;
use crate::engine::endpoint::PAUSE_FIRST;
use crate::engine::retry::SCHEDULE;
use crate::ports::Answer;

const MS: Duration = Duration::from_millis(1);

impl Harness {
    /// Waits until the callback got so many POSTs, and the outcome of each is written.
    async fn posted_and_settled(&self, key: &ResourceKey, posts: usize) {
        self.eventually(&format!("{posts} POSTs were made and settled"), async || {
            let deliveries = self.deliveries(key.instance).await;
            let settled: u32 = deliveries.iter().map(|delivery| delivery.attempts).sum();
            settled as usize == posts && self.callback.posts().len() == posts
        })
        .await;
    }

    async fn statuses(&self, key: &ResourceKey) -> Vec<DeliveryStatus> {
        let deliveries = self.deliveries(key.instance).await;
        deliveries.iter().map(|delivery| delivery.status).collect()
    }
}

#[tokio::test]
async fn what_a_poll_found_is_posted_at_once_and_once() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.start_deliverer();
    harness
        .element
        .script("accounts", vec![page((0..25).map(|id| record(&id.to_string(), 1)))]);
    // Neither the clock moves nor does anybody look again: the poll itself wakes the deliverer.
    harness.poll(&key).await;
    within(async {
        while harness.statuses(&key).await != [DeliveryStatus::Delivered; 3] {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut posted = harness.callback.posted();
    posted.sort_by_key(|(_, sequence)| *sequence);
    assert_eq!(posted, [("0".into(), 1), ("10".into(), 11), ("20".into(), 21)]);
    harness.clock.advance(INTERVAL * 600);
    harness.let_things_happen().await;
    assert_eq!(harness.callback.posts().len(), 3);
}

#[tokio::test]
async fn a_refused_notification_is_tried_again_on_schedule_until_it_is_dead_and_the_record_goes_on() {
    for (dice, jitter) in [(0, 0.8), (u32::MAX, 1.2)] {
        let harness = Harness::new();
        harness.dice.show(dice);
        let key = harness.create_baselined().await;
        harness.callback.answer("7", SCHEDULE.map(|_| answer(500)));
        harness.poll_one(&key, "7", 1).await;
        harness.poll_one(&key, "7", 2).await;
        harness.start_deliverer();
        for (made, scheduled) in SCHEDULE.iter().enumerate().skip(1) {
            harness.posted_and_settled(&key, made).await;
            let delivery = harness.deliveries(key.instance).await.remove(0);
            assert_eq!(
                (delivery.status, delivery.attempts as usize),
                (DeliveryStatus::Retry, made)
            );
            let due = delivery.due.unwrap();
            let expected = scheduled.mul_f64(jitter);
            let wait = due.since(harness.clock.time());
            assert!(wait.abs_diff(expected) <= MS, "{wait:?} after {made} attempts");

            harness.clock.advance_to(due.minus(MS));
            harness.let_things_happen().await;
            assert_eq!(harness.callback.posts().len(), made, "not before its time");
            harness.clock.advance(MS);
        }
        harness.posted_and_settled(&key, SCHEDULE.len()).await;
        // The tenth failure in a row paused the endpoint for some seconds.
        harness.clock.advance(2 * PAUSE_FIRST);
        harness.posted_and_settled(&key, SCHEDULE.len() + 1).await;
        assert_eq!(
            harness.statuses(&key).await,
            [DeliveryStatus::Dead, DeliveryStatus::Delivered]
        );
        assert_eq!(harness.deliveries(key.instance).await[0].due, None);
        let posts = harness.callback.posts();
        let (last, tries) = posts.split_last().unwrap();
        assert!(
            tries
                .iter()
                .all(|post| post.sequence == 1 && post.body == tries[0].body)
        );
        assert_eq!(last.sequence, 2);
    }
}

#[tokio::test]
async fn a_callback_that_asks_for_time_gets_it() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let busy = Answer {
        headers: vec![("retry-after".into(), "600".into())],
        ..answer(429)
    };
    harness.callback.answer("7", [busy]);
    harness.poll_one(&key, "7", 1).await;
    harness.start_deliverer();
    harness.posted_and_settled(&key, 1).await;
    let due = harness.deliveries(key.instance).await[0].due.unwrap();
    assert_eq!(due.since(harness.clock.time()), Duration::from_secs(600));
    harness.clock.advance_to(due);
    harness.posted_and_settled(&key, 2).await;
    assert_eq!(harness.statuses(&key).await, [DeliveryStatus::Delivered]);
    assert_eq!(harness.callback.posts()[1].at, due);
}

#[tokio::test]
async fn events_of_a_record_keep_their_order_and_other_records_pass() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.callback.answer("7", [answer(503)]);
    for (id, content) in [("7", 1), ("7", 2), ("8", 1), ("7", 3)] {
        harness.poll_one(&key, id, content).await;
    }
    harness.start_deliverer();
    harness.posted_and_settled(&key, 2).await;
    harness.let_things_happen().await;
    let mut first = harness.callback.posted();
    first.sort();
    assert_eq!(first, [("7".into(), 1), ("8".into(), 3)]);
    harness
        .clock
        .advance_to(harness.deliveries(key.instance).await[0].due.unwrap());
    harness.posted_and_settled(&key, 5).await;
    assert_eq!(
        harness.callback.posted()[2..],
        [("7".into(), 1), ("7".into(), 2), ("7".into(), 4)]
    );
}

#[tokio::test]
async fn however_many_were_refused_new_ones_are_tried() {
    const PAIRS: usize = 70;
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let records = (0..10 * 2 * PAIRS).map(|id| record(&id.to_string(), 1));
    harness.element.script("accounts", vec![page(records)]);
    harness.poll(&key).await;
    // Every other one, so that the endpoint is not taken for failing.
    for pair in 0..PAIRS {
        harness.callback.answer(&(20 * pair).to_string(), [answer(503)]);
    }
    harness.start_deliverer();
    harness.posted_and_settled(&key, 2 * PAIRS).await;
    let statuses = harness.statuses(&key).await;
    let refused = statuses.iter().filter(|status| **status == DeliveryStatus::Retry);
    assert_eq!(refused.count(), PAIRS);
    harness.clock.advance(INTERVAL);
    harness.posted_and_settled(&key, 3 * PAIRS).await;
    let statuses = harness.statuses(&key).await;
    assert!(statuses.iter().all(|status| *status == DeliveryStatus::Delivered));
}

#[tokio::test]
async fn a_record_waits_while_its_earlier_event_is_on_the_way() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.callback.hold("7");
    for (id, content) in [("7", 1), ("7", 2), ("8", 1)] {
        harness.poll_one(&key, id, content).await;
    }
    harness.start_deliverer();
    harness
        .eventually("the other record is delivered", async || {
            harness.statuses(&key).await[2] == DeliveryStatus::Delivered
        })
        .await;
    harness.poll_one(&key, "7", 3).await;
    harness.let_things_happen().await;
    let mut posted = harness.callback.posted();
    posted.sort();
    assert_eq!(posted, [("7".into(), 1), ("8".into(), 3)]);
    harness.callback.release();
    harness.posted_and_settled(&key, 4).await;
    assert_eq!(harness.callback.posted()[2..], [("7".into(), 2), ("7".into(), 4)]);
}

#[tokio::test]
async fn notifications_of_a_disabled_instance_rest_and_go_out_when_it_is_enabled() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.poll_one(&key, "7", 1).await;
    harness.gateway.enable_instance(key.instance, false).await.unwrap();
    harness.start_deliverer();
    for _ in 0..5 {
        harness.let_things_happen().await;
        harness.clock.advance(INTERVAL);
    }
    assert!(harness.callback.posts().is_empty());
    assert_eq!(harness.statuses(&key).await, [DeliveryStatus::Waiting]);
    assert_eq!(harness.deliveries(key.instance).await[0].attempts, 0);

    harness.gateway.enable_instance(key.instance, true).await.unwrap();
    harness.clock.advance(INTERVAL);
    harness.posted_and_settled(&key, 1).await;
    assert_eq!(harness.statuses(&key).await, [DeliveryStatus::Delivered]);
}

#[tokio::test]
async fn without_a_callback_any_more_notifications_are_stored() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.poll_one(&key, "7", 1).await;
    harness
        .patch(key.instance, json!({"event.notification.callback.url": ""}))
        .await;
    harness.start_deliverer();
    harness
        .eventually("the notification is stored", async || {
            harness.statuses(&key).await == [DeliveryStatus::Stored]
        })
        .await;
    // What comes now is stored from the beginning.
    harness.poll_one(&key, "7", 2).await;
    assert_eq!(harness.statuses(&key).await, [DeliveryStatus::Stored; 2]);
    assert!(harness.callback.posts().is_empty());
}

#[tokio::test]
async fn a_post_under_way_is_recorded_before_the_deliverer_ends() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.callback.hold("7");
    harness.poll_one(&key, "7", 1).await;
    let deliverer = harness.start_deliverer();
    harness
        .eventually("the POST is on the way", async || harness.callback.posts().len() == 1)
        .await;
    harness.stop.cancel();
    harness.let_things_happen().await;
    assert!(!deliverer.is_finished());
    harness.callback.release();
    within(deliverer).await.unwrap();
    assert_eq!(harness.statuses(&key).await, [DeliveryStatus::Delivered]);
}

#[tokio::test]
async fn a_notification_that_waits_for_an_earlier_one_keeps_nobody_awake() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.callback.answer("7", [answer(503)]);
    harness.poll_one(&key, "7", 1).await;
    harness.poll_one(&key, "7", 2).await;
    harness.start_deliverer();
    harness.posted_and_settled(&key, 1).await;
    harness.let_things_happen().await;
    let before = harness.clock.sleeps();
    for _ in 0..50 {
        within(crate::ports::Store::sync(&*harness.store)).await.unwrap();
    }
    let turns = harness.clock.sleeps() - before;
    assert!(turns < 10, "the deliverer looked {turns} times though nothing was due");
}
