//! Couriers under pressure: slow endpoints with a rate, changes while something waits, large bodies, and what must not happen.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::harness::{Harness, accounts, answer, page, record, within};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::endpoint::Health;
use crate::domain::secret::MASK;
use crate::engine::endpoint::PAUSE_MAX;
use crate::ports::{Answer, Store as _};
use crate::service::Settings;

#[tokio::test]
async fn an_endpoint_with_a_rate_that_is_slow_to_answer_gets_as_many_as_its_rate_says() {
    let harness = Harness::new();
    let key = harness.with_waiting(json!({"event.notification.rate": 1}), 2).await;
    harness.callback.hold("0");
    harness.start_deliverer();
    harness.until_posts(1).await;
    harness.clock.advance(Duration::from_secs(1));
    harness.until_posts(2).await;
    harness.callback.release();
    harness.until_all(&key, DeliveryStatus::Delivered).await;
}

#[tokio::test]
async fn a_rate_is_never_exceeded_though_the_clock_tells_milliseconds() {
    let harness = Harness::new();
    let key = harness.with_waiting(json!({"event.notification.rate": 600}), 12).await;
    harness.start_deliverer();
    for _ in 0..10 {
        harness.let_things_happen().await;
        harness.clock.advance(Duration::from_millis(1));
    }
    let posts = harness.callback.posts().len();
    assert!(posts <= 6, "{posts} in 10 ms");
    harness
        .eventually("all are delivered", async || {
            harness.clock.advance(Duration::from_millis(1));
            harness.let_things_happen().await;
            harness.callback.posts().len() == 12
        })
        .await;
    harness.until_all(&key, DeliveryStatus::Delivered).await;
}

#[tokio::test]
async fn the_deliverer_stops_although_the_next_turn_of_an_endpoint_is_far_away() {
    let harness = Harness::new();
    harness.with_waiting(json!({"event.notification.rate": 0.01}), 2).await;
    let deliverer = harness.start_deliverer();
    harness.until_posts(1).await;
    harness.stop.cancel();
    within(deliverer).await.unwrap();
    assert_eq!(harness.callback.posts().len(), 1);
}

#[tokio::test]
async fn a_new_rate_holds_at_once() {
    let harness = Harness::new();
    let key = harness.with_waiting(json!({"event.notification.rate": 0.01}), 3).await;
    harness.start_deliverer();
    harness.until_posts(1).await;
    let faster = json!({"event.notification.rate": 10});
    harness.patch(key.instance, faster).await;
    let changed = harness.clock.time();
    harness
        .eventually("all are posted", async || {
            harness.let_things_happen().await;
            harness.clock.advance(Duration::from_millis(100));
            harness.callback.posts().len() == 3
        })
        .await;
    let took = harness.clock.time().since(changed);
    assert!(took < Duration::from_secs(10), "{took:?}");
    harness.until_all(&key, DeliveryStatus::Delivered).await;
}

#[tokio::test]
async fn what_waited_for_a_place_goes_to_the_url_of_now() {
    let harness = Harness::new();
    let settings = Settings {
        posts_max: 1,
        ..Settings::default()
    };
    let harness = harness.restarted_with(settings);
    let slow = harness.with_waiting(json!({}), 1).await;
    harness.callback.hold("0");
    harness.start_deliverer();
    harness.until_posts(1).await;
    let other = harness.with_waiting(json!({}), 0).await;
    harness.poll_one(&other, "1", 1).await;
    harness.let_things_happen().await;
    let moved = json!({"event.notification.callback.url": "https://moved.example/events"});
    harness.patch(other.instance, moved).await;
    harness.callback.release();
    harness.until_all(&slow, DeliveryStatus::Delivered).await;
    harness.until_all(&other, DeliveryStatus::Delivered).await;
    let posts = harness.callback.posts().into_iter().filter(|post| post.record == "1");
    let urls: Vec<String> = posts.map(|post| post.url).collect();
    assert_eq!(urls, ["https://moved.example/events"]);
}

#[tokio::test]
async fn what_waited_for_a_place_while_somebody_else_was_changed_goes_out_all_the_same() {
    let harness = Harness::new();
    let settings = Settings {
        posts_max: 1,
        ..Settings::default()
    };
    let harness = harness.restarted_with(settings);
    let slow = harness.with_waiting(json!({}), 1).await;
    harness.callback.hold("0");
    harness.start_deliverer();
    harness.until_posts(1).await;
    let waiting = harness.with_waiting(json!({}), 0).await;
    let bystander = harness.with_waiting(json!({}), 0).await;
    harness.poll_one(&waiting, "1", 1).await;
    harness.let_things_happen().await;
    harness
        .patch(bystander.instance, json!({"event.notification.rate": 5}))
        .await;
    harness.callback.release();
    harness.until_all(&slow, DeliveryStatus::Delivered).await;
    harness.until_all(&waiting, DeliveryStatus::Delivered).await;
}

#[tokio::test]
async fn a_post_that_panics_is_made_again_and_holds_nobody_up() {
    let harness = Harness::new();
    let key = harness.with_waiting(json!({}), 2).await;
    harness.callback.panic_once();
    harness.start_deliverer();
    harness.until_posts(1).await;
    harness.let_things_happen().await;
    harness.clock.advance(Duration::from_secs(10));
    harness.until_all(&key, DeliveryStatus::Delivered).await;
}

#[tokio::test]
async fn an_endpoint_that_repeats_what_it_was_sent_puts_no_secret_on_the_disk() {
    let harness = Harness::new();
    let settings = json!({
        "event.notification.basic.username": "anna",
        "event.notification.basic.password": "hunter2",
        "event.notification.callback.headers": {"x-api-key": "0123456789"},
    });
    let key = harness.with_waiting(settings, 1).await;
    let echo = Answer {
        headers: vec![("x-echo".into(), "Basic YW5uYTpodW50ZXIy".into())],
        body: "authorization=YW5uYTpodW50ZXIy&x-api-key=0123456789".into(),
        ..answer(500)
    };
    harness.callback.answer("0", [echo]);
    harness.start_deliverer();
    harness.until_posts(1).await;
    harness
        .eventually("the attempt is written", async || {
            harness.first(&key).await.attempts == 1
        })
        .await;
    let outgoing = harness
        .store
        .notifications(key.instance, None, 1)
        .await
        .unwrap()
        .remove(0);
    let attempt = harness
        .store
        .attempts(key.instance, outgoing.id)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(attempt.response_body, format!("authorization={MASK}&x-api-key={MASK}"));
    let shown = format!("{attempt:?}");
    assert!(!shown.contains("YW5uYTpodW50ZXIy"), "{shown}");
}

#[tokio::test]
async fn of_a_backlog_of_large_bodies_a_few_are_in_memory_and_all_are_delivered_whole() {
    let harness = Harness::new();
    let key = accounts(
        harness
            .create(json!({"event.notification.body_bytes_max": 8 << 20}))
            .await,
    );
    harness.element.script("accounts", vec![page([])]);
    harness.poll(&key).await;
    for id in 0..20 {
        let text = "x".repeat(1 << 20);
        let large = record(&id.to_string(), 1)
            .updated(harness.clock.time())
            .with_body(format!("{{\"text\":\"{text}\"}}"));
        harness.element.script("accounts", vec![page([large])]);
        harness.poll(&key).await;
    }
    let alive = harness.store.outbox(key.instance, 64).await.unwrap();
    let bytes: usize = alive.iter().map(|outgoing| outgoing.notification.body.len()).sum();
    assert_eq!(alive.len(), 20);
    assert!(bytes < 17 << 20, "{bytes}");
    harness.start_deliverer();
    harness.until_all(&key, DeliveryStatus::Delivered).await;
    let posts = harness.callback.posts();
    assert_eq!(posts.len(), 20);
    assert!(posts.iter().all(|post| post.body.len() > 1 << 20));
}

#[tokio::test]
async fn probes_that_hang_take_no_place_from_endpoints_that_answer() {
    let harness = Harness::new();
    let settings = Settings {
        posts_max: 2,
        ..Settings::default()
    };
    let harness = harness.restarted_with(settings);
    let mut dead = Vec::new();
    for _ in 0..4 {
        dead.push(harness.with_waiting(json!({}), 1).await);
    }
    harness.callback.set_down(true);
    harness.start_deliverer();
    harness.until_posts(4).await;
    for key in &dead {
        harness
            .eventually("it is paused", async || {
                matches!(harness.health(key).await, Health::Paused { .. })
            })
            .await;
    }
    harness.callback.set_down(false);
    harness.callback.hold("0");
    harness.clock.advance(PAUSE_MAX);
    harness.until_posts(5).await;
    let healthy = harness.with_waiting(json!({}), 0).await;
    harness.poll_one(&healthy, "1", 1).await;
    harness.until_all(&healthy, DeliveryStatus::Delivered).await;
    harness.callback.release();
    for key in &dead {
        harness.until_all(key, DeliveryStatus::Delivered).await;
    }
}

#[tokio::test]
async fn a_stop_while_a_lost_callbacks_backlog_is_put_away_leaves_nothing_waiting_for_ever() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let records = (0..5_000).map(|id| record(&id.to_string(), 1));
    harness.element.script("accounts", vec![page(records)]);
    harness.poll(&key).await;
    let gone = json!({"event.notification.callback.url": null, "event.notification.enabled": false});
    harness.patch(key.instance, gone).await;
    let deliverer = harness.start_deliverer();
    harness
        .eventually("the first are put away", async || {
            harness.store.outbox(key.instance, 1_000).await.unwrap().len() < 500
        })
        .await;
    harness.stop.cancel();
    within(deliverer).await.unwrap();
    println!(
        "left {}",
        harness.store.outbox(key.instance, 1_000).await.unwrap().len()
    );
    let mut harness = harness.restarted();
    harness.stop = CancellationToken::new();
    harness.start_deliverer();
    harness.until_all(&key, DeliveryStatus::Stored).await;
}
