//! What a courier makes of an endpoint that does not do as it should: pauses, probes, gives up, and drains in order.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Harness, answer, page, record};
use crate::domain::delivery::{DeadReason, Delivery, DeliveryStatus};
use crate::domain::endpoint::Health;
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::secret::MASK;
use crate::engine::endpoint::{PAUSE_FIRST, PAUSE_MAX, fresh};
use crate::ports::{Answer, Store as _};

impl Harness {
    /// An instance with a baseline and these settings, and one notification for each of `records` waiting.
    pub(super) async fn with_waiting(&self, settings: Value, records: usize) -> ResourceKey {
        let key = self.create_baselined().await;
        self.patch(key.instance, settings).await;
        for id in 0..records {
            self.poll_one(&key, &id.to_string(), 1).await;
        }
        key
    }

    pub(super) async fn until_posts(&self, posts: usize) {
        self.eventually(&format!("{posts} POSTs were made"), async || {
            self.callback.posts().len() >= posts
        })
        .await;
        self.let_things_happen().await;
    }

    pub(super) async fn health(&self, key: &ResourceKey) -> Health {
        self.store.endpoint(key.instance).await.unwrap().health
    }

    pub(super) async fn until_all(&self, key: &ResourceKey, status: DeliveryStatus) {
        self.eventually(&format!("all are {status:?}"), async || {
            let deliveries = self.deliveries(key.instance).await;
            deliveries.iter().all(|delivery| delivery.status == status)
        })
        .await;
    }

    pub(super) async fn first(&self, key: &ResourceKey) -> Delivery {
        self.deliveries(key.instance).await.remove(0)
    }

    pub(super) async fn enable_endpoint_by_hand(&self, key: &ResourceKey) {
        let endpoint = self.store.endpoint(key.instance).await.unwrap();
        let endpoint = fresh(&endpoint, self.clock.time());
        self.store.put_endpoint(key.instance, endpoint).await.unwrap();
        self.gateway.announce_change();
    }
}

#[tokio::test]
async fn while_nobody_answers_one_probe_goes_out_per_pause_and_then_all_drains() {
    let harness = Harness::new();
    let key = harness.with_waiting(json!({}), 30).await;
    harness.callback.set_down(true);
    harness.start_deliverer();
    harness.until_posts(1).await;
    let first_wave = harness.callback.posts().len();
    assert!(first_wave <= 2, "{first_wave} went to an endpoint that nobody knows");
    let mut wait = PAUSE_FIRST;
    for probe in 1..=4 {
        harness.clock.advance(wait.mul_f64(0.7));
        harness.let_things_happen().await;
        assert_eq!(
            harness.callback.posts().len(),
            first_wave + probe - 1,
            "not during the pause"
        );
        harness.clock.advance(wait);
        harness.until_posts(first_wave + probe).await;
        assert_eq!(harness.callback.posts().len(), first_wave + probe, "one probe");
        wait = (wait * 2).min(PAUSE_MAX);
    }
    assert!(matches!(harness.health(&key).await, Health::Paused { pauses: 4, .. }));
    harness.callback.set_down(false);
    harness.clock.advance(PAUSE_MAX * 2);
    // Also those whose own schedule would have had them wait for hours.
    harness.until_all(&key, DeliveryStatus::Delivered).await;
    assert_eq!(harness.health(&key).await, Health::Delivering);
    assert_eq!(harness.callback.posts().len(), first_wave + 4 + 30);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_the_operator_told_and_the_backlog_kept_in_order() {
    let harness = Harness::new();
    let key = harness.with_waiting(json!({}), 1).await;
    harness.callback.answer("0", [answer(410)]);
    harness.start_deliverer();
    harness
        .eventually("the endpoint is disabled", async || {
            matches!(harness.health(&key).await, Health::Disabled { .. })
        })
        .await;
    for content in 2..5 {
        harness.poll_one(&key, "0", content).await;
    }
    harness.clock.advance(Duration::from_hours(100));
    harness.let_things_happen().await;
    assert_eq!(harness.callback.posts().len(), 1);
    harness
        .eventually("the operator is told", async || {
            let told = harness
                .store
                .notifications(InstanceId::OPERATOR, None, 9)
                .await
                .unwrap();
            told.iter().any(|told| {
                let body: Value = serde_json::from_slice(&told.notification.body).unwrap();
                body["type"] == "tidegate.endpoint.disabled" && body["data"]["instanceId"] == key.instance.0
            })
        })
        .await;
    harness.enable_endpoint_by_hand(&key).await;
    harness.until_all(&key, DeliveryStatus::Delivered).await;
    let sequences: Vec<u64> = harness.callback.posts().iter().map(|post| post.sequence).collect();
    assert_eq!(sequences, [1, 1, 2, 3, 4]);
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled_and_nothing_waiting_is_lost() {
    let harness = Harness::new();
    let key = harness.with_waiting(json!({}), 1).await;
    harness.callback.set_down(true);
    harness.start_deliverer();
    for hour in 0..130 {
        if matches!(harness.health(&key).await, Health::Disabled { .. }) {
            assert!(hour >= 120, "after {hour} hours");
            break;
        }
        harness.clock.advance(Duration::from_hours(1));
        harness.poll_one(&key, &format!("r{hour}"), 1).await;
        harness.let_things_happen().await;
    }
    assert!(matches!(harness.health(&key).await, Health::Disabled { .. }));
    let deliveries = harness.deliveries(key.instance).await;
    let alive = deliveries.iter().filter(|delivery| delivery.status.is_alive()).count();
    let dead = deliveries
        .iter()
        .filter(|delivery| delivery.dead == Some(DeadReason::Exhausted));
    assert_eq!(alive + dead.count(), deliveries.len());
    assert!(alive > 40, "{alive}");
    harness.callback.set_down(false);
    harness.clock.advance(Duration::from_secs(1));
    harness.enable_endpoint_by_hand(&key).await;
    harness
        .eventually("the backlog is delivered", async || {
            let deliveries = harness.deliveries(key.instance).await;
            deliveries.iter().all(|delivery| !delivery.status.is_alive())
        })
        .await;
}

#[tokio::test]
async fn some_answers_make_a_dead_letter_at_once_and_others_go_on() {
    for (status, instruction, reason) in [
        (413, "", DeadReason::TooLarge),
        (415, "", DeadReason::FormatRefused),
        (500, "abort-message", DeadReason::Aborted),
    ] {
        let harness = Harness::new();
        let key = harness.with_waiting(json!({}), 1).await;
        harness.poll_one(&key, "0", 2).await;
        let refusal = Answer {
            headers: vec![("webhook-delivery".into(), instruction.into())],
            ..answer(status)
        };
        harness.callback.answer("0", [refusal]);
        harness.start_deliverer();
        harness.until_posts(2).await;
        let deliveries = harness.deliveries(key.instance).await;
        assert_eq!(
            (deliveries[0].status, deliveries[0].dead),
            (DeliveryStatus::Dead, Some(reason))
        );
        assert_eq!(deliveries[1].status, DeliveryStatus::Delivered, "its record goes on");
        assert_eq!(harness.health(&key).await, Health::Delivering);
    }
}

#[tokio::test]
async fn by_the_policy_queue_what_failed_waits_to_be_asked_for() {
    let harness = Harness::new();
    let settings = json!({"event.notification.retry.policy": "queue"});
    let key = harness.with_waiting(settings, 1).await;
    harness.callback.answer("0", [answer(502)]);
    harness.start_deliverer();
    harness.until_posts(1).await;
    harness.until_all(&key, DeliveryStatus::Dead).await;
    assert_eq!(harness.first(&key).await.dead, Some(DeadReason::Queued));
}

#[tokio::test]
async fn by_cloud_elements_schedule_the_last_retry_disables_the_endpoint() {
    let harness = Harness::new();
    let settings = json!({"event.notification.retry.schedule": "cloud-elements-2019"});
    let key = harness.with_waiting(settings, 1).await;
    harness.callback.answer("0", vec![answer(500); 6]);
    harness.start_deliverer();
    for made in 1..6 {
        harness.until_posts(made).await;
        harness
            .eventually("the attempt is written", async || {
                harness.first(&key).await.attempts as usize == made
            })
            .await;
        harness.clock.advance_to(harness.first(&key).await.due.unwrap());
    }
    harness.until_all(&key, DeliveryStatus::Dead).await;
    assert_eq!(harness.callback.posts().len(), 6);
    assert!(matches!(harness.health(&key).await, Health::Disabled { .. }));
}

#[tokio::test]
async fn posts_keep_to_the_rate_and_number_that_an_instance_asks_for() {
    let harness = Harness::new();
    let settings = json!({"event.notification.rate": 0.5});
    let key = harness.with_waiting(settings, 4).await;
    harness.start_deliverer();
    for posts in 1..=4 {
        harness.until_posts(posts).await;
        assert_eq!(harness.callback.posts().len(), posts);
        harness.clock.advance(Duration::from_secs(2));
    }
    harness.until_all(&key, DeliveryStatus::Delivered).await;

    let harness = Harness::new();
    let key = harness
        .with_waiting(json!({"event.notification.concurrency": 1}), 5)
        .await;
    harness.callback.hold("0");
    harness.start_deliverer();
    harness.until_posts(1).await;
    assert_eq!(harness.callback.posts().len(), 1);
    harness.callback.release();
    harness.until_all(&key, DeliveryStatus::Delivered).await;
    let sequences: Vec<u64> = harness.callback.posts().iter().map(|post| post.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn the_whole_endpoint_rests_when_it_asks_for_time() {
    let harness = Harness::new();
    let settings = json!({"event.notification.concurrency": 1});
    let key = harness.with_waiting(settings, 3).await;
    let busy = Answer {
        headers: vec![("retry-after".into(), "600".into())],
        ..answer(429)
    };
    harness.callback.answer("0", [busy]);
    harness.start_deliverer();
    harness.until_posts(1).await;
    harness.clock.advance(Duration::from_secs(599));
    harness.let_things_happen().await;
    assert_eq!(harness.callback.posts().len(), 1);
    harness.clock.advance(Duration::from_secs(1));
    harness.until_all(&key, DeliveryStatus::Delivered).await;
}

#[tokio::test]
async fn an_attempt_can_be_looked_up_and_shows_no_secret() {
    let harness = Harness::new();
    let key = harness.with_waiting(json!({}), 1).await;
    let refusal = Answer {
        headers: vec![("x-reason".into(), "maintenance".into())],
        body: "come back later".into(),
        ..answer(500)
    };
    harness.callback.answer("0", [refusal]);
    harness.start_deliverer();
    harness.until_posts(1).await;
    let outgoing = harness
        .store
        .notifications(key.instance, None, 1)
        .await
        .unwrap()
        .remove(0);
    let attempts = harness.store.attempts(key.instance, outgoing.id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    let attempt = &attempts[0];
    assert_eq!((attempt.number, attempt.attempt.status), (1, Some(500)));
    assert_eq!(attempt.response_headers, [("x-reason".into(), "maintenance".into())]);
    assert_eq!(
        (attempt.response_body.as_str(), attempt.body_is_cut),
        ("come back later", false)
    );
    let header = |name: &str| {
        let found = attempt.request_headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(header("elements-webhook-id"), Some(outgoing.notification.id.as_str()));
    assert!(header("authorization").is_none_or(|value| value == MASK));
}

#[tokio::test]
async fn what_rests_is_still_resting_after_a_restart() {
    let harness = Harness::new();
    let key = harness.with_waiting(json!({}), 1).await;
    harness.callback.set_down(true);
    harness.start_deliverer();
    harness.until_posts(1).await;
    harness
        .eventually("the pause is written", async || {
            harness.health(&key).await != Health::Delivering
        })
        .await;
    harness.stop.cancel();
    let mut harness = harness.restarted();
    harness.stop = tokio_util::sync::CancellationToken::new();
    harness.callback.set_down(false);
    harness.start_deliverer();
    harness.let_things_happen().await;
    assert_eq!(harness.callback.posts().len(), 1);
    harness.clock.advance(2 * PAUSE_FIRST);
    harness.until_all(&key, DeliveryStatus::Delivered).await;
    let posts = harness.callback.posts();
    assert_eq!(posts[0].body, posts[1].body, "the very bytes, and so the ids");
}

#[tokio::test]
async fn a_page_of_many_is_posted_by_many_at_once() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let records = (0..400).map(|id| record(&id.to_string(), 1));
    harness.element.script("accounts", vec![page(records)]);
    harness.poll(&key).await;
    harness.start_deliverer();
    harness.until_all(&key, DeliveryStatus::Delivered).await;
    assert_eq!(harness.callback.posts().len(), 40);
}
