//! Endpoints by hand, examples posted to them, the account's policy, and how long all of it is kept.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Harness, INTERVAL, answer};
use crate::domain::delivery::{DeadReason, DeliveryStatus};
use crate::domain::endpoint::{Endpoint, Health};
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::instance::RetryPolicy;
use crate::engine::configuration::Body;
use crate::engine::delivery_clause::DeliveryClause;
use crate::engine::news::News;
use crate::engine::selection::Selection;
use crate::ports::Store as _;
use crate::service::instances::{Change, Validate};
use crate::service::look_up::Error;
use crate::service::redeliver::{Mode, Wanted};
use crate::service::subscriptions::HYDRATED_BYTES_MAX;
use crate::service::{Settings, deliver};

const DAY: Duration = Duration::from_hours(24);

impl Harness {
    async fn health_of(&self, id: InstanceId) -> Health {
        self.store.endpoint(id).await.unwrap().health
    }

    async fn has_statuses(&self, key: &ResourceKey, statuses: &[DeliveryStatus]) {
        self.eventually(&format!("the statuses are {statuses:?}"), async || {
            let found = self.deliveries(key.instance).await;
            found
                .iter()
                .map(|delivery| delivery.status)
                .eq(statuses.iter().copied())
        })
        .await;
    }

    /// One look of the retention.
    async fn drop_old(&self) {
        self.gateway.drop_old(&self.stop).await.unwrap();
    }
}

#[tokio::test]
async fn an_endpoint_disabled_by_hand_keeps_its_backlog_and_drains_in_order_when_it_is_enabled() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.start_deliverer();
    harness.gateway.disable_endpoint(key.instance, None).await.unwrap();
    for content in 1..4 {
        harness.poll_one(&key, "7", content).await;
    }
    harness.clock.advance(INTERVAL);
    harness.let_things_happen().await;
    assert!(harness.callback.posts().is_empty());
    let view = harness.gateway.endpoint_view(key.instance).await.unwrap();
    assert_eq!((view.backlog.alive, view.backlog.is_cut), (3, false));
    assert_eq!(view.at.since(view.backlog.oldest.unwrap()), INTERVAL);
    assert!(matches!(&view.endpoint.health, Health::Disabled { reason, .. } if reason == "disabled by hand"));
    // Disabled is disabled: the first reason stays.
    harness
        .gateway
        .disable_endpoint(key.instance, Some("again"))
        .await
        .unwrap();
    assert_eq!(harness.health_of(key.instance).await, view.endpoint.health);
    harness.gateway.enable_endpoint(key.instance).await.unwrap();
    harness.has_statuses(&key, &[DeliveryStatus::Delivered; 3]).await;
    let sequences: Vec<u64> = harness.callback.posts().iter().map(|post| post.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    assert_eq!(harness.health_of(key.instance).await, Health::Delivering);
}

#[tokio::test]
async fn another_url_or_key_makes_the_endpoint_fresh_and_nothing_else_does() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let signature = |text: &str| json!({"event.notification.signature.key": text});
    harness.patch(key.instance, signature("the first key")).await;
    let table = [
        (
            json!({"event.notification.callback.url": "https://callback.example/other"}),
            true,
        ),
        (
            json!({"event.notification.callback.url": "https://callback.example/other"}),
            false,
        ),
        (signature("another key"), true),
        (signature("another key"), false),
        (json!({"event.poller.refresh_interval": 5}), false),
    ];
    for (patch, is_fresh) in table {
        harness.gateway.disable_endpoint(key.instance, None).await.unwrap();
        harness.patch(key.instance, patch.clone()).await;
        let health = harness.health_of(key.instance).await;
        assert_eq!(health == Health::Delivering, is_fresh, "{patch}");
    }
    // An endpoint that nothing happened to is not written.
    let other = harness.create(json!({})).await;
    harness
        .patch(
            other,
            json!({"event.notification.callback.url": "https://callback.example/b"}),
        )
        .await;
    assert_eq!(harness.store.endpoint(other).await.unwrap(), Endpoint::default());
}

#[tokio::test]
async fn an_example_is_posted_signed_past_outbox_pauses_and_sequence() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .patch(key.instance, json!({"event.notification.signature.key": "the key"}))
        .await;
    harness.gateway.disable_endpoint(key.instance, None).await.unwrap();
    harness.gateway.enable_instance(key.instance, false).await.unwrap();
    let before = harness.store.endpoint(key.instance).await.unwrap();
    harness.callback.answer("test-1", [answer(200), answer(410)]);
    let tried = harness.gateway.try_endpoint(key.instance).await.unwrap();
    assert_eq!((tried.status, tried.error.as_deref()), (Some(200), None));
    assert!(tried.verdict.starts_with("taken"), "{}", tried.verdict);
    let body: Value = serde_json::from_slice(&tried.body).unwrap();
    assert_eq!(body["message"]["events"][0]["eventType"], "UPDATED");
    assert_eq!(body["message"]["events"][0]["objectType"], "accounts");
    assert_eq!(body["message"]["raw"]["accounts"][0]["test"], true);
    let posted = harness.callback.posts().remove(0);
    assert_eq!(posted.body, tried.body);
    let header = |name: &str| {
        let found = posted.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert!(header("webhook-id").starts_with("test_") && header("webhook-id").len() == 20);
    assert!(header("webhook-signature").starts_with("v1,"));
    assert!(header("elements-webhook-signature").starts_with("sha256="));
    assert!(
        tried
            .request_headers
            .contains(&("webhook-id".into(), header("webhook-id")))
    );

    let tried = harness.gateway.try_endpoint(key.instance).await.unwrap();
    assert_eq!(tried.status, Some(410));
    assert!(tried.error.unwrap().contains("410") && tried.verdict.contains("disabled"));
    harness.callback.set_down(true);
    let tried = harness.gateway.try_endpoint(key.instance).await.unwrap();
    assert_eq!((tried.status, tried.error.as_deref()), (None, Some("connect: refused")));
    assert!(harness.deliveries(key.instance).await.is_empty());
    assert_eq!(harness.store.endpoint(key.instance).await.unwrap(), before);
    assert_eq!(harness.state(&key).await.next_sequence, 1);
}

#[tokio::test]
async fn examples_come_in_the_form_of_their_instance() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    for (format, pointer, expected) in [
        ("elements", "/message/events/0/objectId", "test-1"),
        ("standard", "/data/record/id", "test-1"),
        ("cloudevents", "/specversion", "1.0"),
        ("cloudevents-batch", "/0/specversion", "1.0"),
    ] {
        harness
            .patch(key.instance, json!({"event.notification.format": format}))
            .await;
        let tried = harness.gateway.try_endpoint(key.instance).await.unwrap();
        let body: Value = serde_json::from_slice(&tried.body).unwrap();
        assert_eq!(body.pointer(pointer), Some(&expected.into()), "{format}: {body}");
    }
}

#[tokio::test]
async fn without_a_callback_there_is_nobody_to_try() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .patch(key.instance, json!({"event.notification.callback.url": ""}))
        .await;
    let gateway = &harness.gateway;
    assert!(matches!(
        gateway.try_endpoint(key.instance).await,
        Err(Error::NoCallback { .. })
    ));
    assert!(matches!(gateway.try_operator().await, Err(Error::NoCallback { .. })));
    assert!(matches!(
        gateway.try_endpoint(InstanceId(99)).await,
        Err(Error::Instance(_))
    ));
    let view = gateway.endpoint_view(key.instance).await.unwrap();
    assert_eq!(view.url, None);
}

#[tokio::test]
async fn the_accounts_policy_is_in_force_at_once_and_after_a_restart() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.callback.answer("7", [answer(500), answer(500)]);
    harness.start_deliverer();
    assert_eq!(harness.gateway.failure_policy(), RetryPolicy::Retry);
    harness.gateway.set_failure_policy(RetryPolicy::Queue).await.unwrap();
    harness.poll_one(&key, "7", 1).await;
    harness.has_statuses(&key, &[DeliveryStatus::Dead]).await;
    assert_eq!(harness.deliveries(key.instance).await[0].dead, Some(DeadReason::Queued));
    // As Cloud Elements has it: what is queued is asked for, and its endpoint enabled.
    harness.gateway.disable_endpoint(key.instance, None).await.unwrap();
    harness.gateway.set_failure_policy(RetryPolicy::Retry).await.unwrap();
    let clause = DeliveryClause::parse("channel='webhook' and status='queued'").unwrap();
    let all = harness.gateway.redeliver_and_reactivate(&clause).await.unwrap();
    assert_eq!((all.matched, all.redelivered, all.reactivated), (1, 1, 1));
    harness.has_statuses(&key, &[DeliveryStatus::Retry]).await;

    harness.gateway.set_failure_policy(RetryPolicy::Queue).await.unwrap();
    harness.stop.cancel();
    let harness = harness.restarted();
    assert_eq!(harness.gateway.failure_policy(), RetryPolicy::Retry);
    harness.gateway.restore_account_settings().await.unwrap();
    assert_eq!(harness.gateway.failure_policy(), RetryPolicy::Queue);
}

#[tokio::test]
async fn deliveries_are_paged_over_all_instances_by_clause() {
    let harness = Harness::new();
    let mut keys = Vec::new();
    for place in 0..3 {
        let key = harness.create_baselined().await;
        let url = format!("https://callback.example/{place}");
        harness
            .patch(key.instance, json!({"event.notification.callback.url": url}))
            .await;
        for id in 0..3 {
            harness.poll_one(&key, &id.to_string(), 1).await;
        }
        keys.push(key);
    }
    harness.gateway.disable_endpoint(keys[1].instance, None).await.unwrap();
    let list = async |clause: &str, size: usize, hydrate: bool| {
        let clause = DeliveryClause::parse(clause).unwrap();
        let (mut found, mut from, mut pages) = (Vec::new(), (InstanceId::OPERATOR, None), 0);
        loop {
            let page = harness.gateway.deliveries(&clause, from, size, hydrate).await.unwrap();
            assert!(page.deliveries.len() <= size);
            let bodies = page.deliveries.iter().map(|one| !one.row.notification.body.is_empty());
            assert!(bodies.eq(page.deliveries.iter().map(|_| hydrate)));
            found.extend(
                page.deliveries
                    .iter()
                    .map(|one| (one.subscription.instance, one.row.id)),
            );
            pages += 1;
            match page.next {
                Some(next) => from = next,
                None => return (found, pages),
            }
        }
    };
    let (all, _) = list("channel='webhook'", 100, false).await;
    assert_eq!(all.len(), 9);
    let (by_two, pages) = list("channel='webhook'", 2, true).await;
    assert_eq!((by_two, pages >= 5), (all.clone(), true));
    let (queued, _) = list("status='queued'", 100, false).await;
    assert_eq!(queued, all[3..6]);
    let (created, _) = list("status='created'", 100, false).await;
    assert_eq!(created, [&all[..3], &all[6..]].concat());
    let (one_url, _) = list("config.url='https://callback.example/2'", 100, false).await;
    assert_eq!(one_url, all[6..]);
    assert!(list("channel='sms'", 100, false).await.0.is_empty());
}

#[tokio::test]
async fn a_page_with_bodies_ends_before_it_is_too_long() {
    const BODY_BYTES: usize = 900_000;
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    // Each notification carries the instance's tags.
    let tags = Body {
        tags: Some(vec!["x".repeat(BODY_BYTES)]),
        ..Body::default()
    };
    let change = Change::Merge;
    let changed = harness
        .gateway
        .change_instance(key.instance, tags, change, Validate::No)
        .await;
    changed.unwrap();
    let fitting = HYDRATED_BYTES_MAX / BODY_BYTES;
    for id in 0..=fitting {
        harness.poll_one(&key, &id.to_string(), 1).await;
    }
    let clause = DeliveryClause::default();
    let first = harness
        .gateway
        .deliveries(&clause, (key.instance, None), 100, true)
        .await
        .unwrap();
    assert_eq!(first.deliveries.len(), fitting);
    let second = harness
        .gateway
        .deliveries(&clause, first.next.unwrap(), 100, true)
        .await
        .unwrap();
    assert_eq!((second.deliveries.len(), second.next), (1, None));
    let plain = harness
        .gateway
        .deliveries(&clause, (key.instance, None), 100, false)
        .await
        .unwrap();
    assert_eq!(plain.deliveries.len(), fitting + 1);
}

#[tokio::test]
async fn what_was_delivered_goes_after_its_retention_and_dead_letters_later() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.callback.answer("7", [answer(413)]);
    harness.poll_one(&key, "7", 1).await;
    harness.poll_one(&key, "8", 1).await;
    harness.start_deliverer();
    use DeliveryStatus::{Dead, Delivered};
    harness.has_statuses(&key, &[Dead, Delivered]).await;
    let rows = harness.store.notifications(key.instance, None, 9).await.unwrap();
    let (delivered, dead) = (rows[0].clone(), rows[1].clone());
    let found = async |number: u64| harness.store.find_notification(number).await.unwrap().len();
    let settings = Settings::default();

    harness.clock.advance(settings.retention);
    harness.drop_old().await;
    harness.has_statuses(&key, &[Dead, Delivered]).await;
    harness.clock.advance(Duration::from_millis(1));
    harness.drop_old().await;
    harness.has_statuses(&key, &[Dead]).await;
    assert_eq!(found(delivered.notification.number()).await, 0);
    assert!(
        harness
            .store
            .attempts(key.instance, delivered.id)
            .await
            .unwrap()
            .is_empty()
    );

    harness
        .clock
        .advance(settings.undelivered_retention - settings.retention);
    harness.drop_old().await;
    assert!(harness.deliveries(key.instance).await.is_empty());
    assert_eq!(found(dead.notification.number()).await, 0);
    assert!(harness.store.attempts(key.instance, dead.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_backlog_of_a_disabled_endpoint_goes_when_it_is_too_old_and_not_before() {
    let harness = Harness::new();
    let keys = [harness.create_baselined().await, harness.create_baselined().await];
    harness.gateway.disable_endpoint(keys[0].instance, None).await.unwrap();
    for key in &keys {
        harness.poll_one(key, "7", 1).await;
    }
    harness.clock.advance(29 * DAY);
    for key in &keys {
        harness.poll_one(key, "7", 2).await;
    }
    // No poll runs while it is disabled.
    harness.gateway.enable_instance(keys[1].instance, false).await.unwrap();
    harness.drop_old().await;
    for key in &keys {
        harness.has_statuses(key, &[DeliveryStatus::Waiting; 2]).await;
    }
    harness.clock.advance(DAY + INTERVAL);
    harness.drop_old().await;
    for key in &keys {
        harness.has_statuses(key, &[DeliveryStatus::Waiting]).await;
        assert_eq!(harness.events(key.instance).await[0].0, 2, "the newer one");
    }
}

#[tokio::test]
async fn what_was_asked_for_again_does_not_expire_at_once_for_its_age() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.poll_one(&key, "7", 1).await;
    harness.callback.answer("7", [answer(413)]);
    harness.start_deliverer();
    harness.has_statuses(&key, &[DeliveryStatus::Dead]).await;
    harness.gateway.disable_endpoint(key.instance, None).await.unwrap();
    harness.clock.advance(31 * DAY);
    let dead = Wanted::Selected(Selection {
        statuses: Some(vec![DeliveryStatus::Dead]),
        ..Selection::default()
    });
    let asked = harness.gateway.redeliver(key.instance, dead, Mode::Redeliver).await;
    assert_eq!(asked.unwrap().redelivered, 1);
    harness.drop_old().await;
    harness.has_statuses(&key, &[DeliveryStatus::Waiting]).await;
    harness.clock.advance(31 * DAY);
    harness.drop_old().await;
    assert!(harness.deliveries(key.instance).await.is_empty());
}

#[tokio::test]
async fn what_waits_for_the_operators_disabled_endpoint_goes_too() {
    let harness = Harness::new();
    let told = async || {
        harness
            .store
            .notifications(InstanceId::OPERATOR, None, 9)
            .await
            .unwrap()
            .len()
    };
    harness
        .gateway
        .disable_endpoint(InstanceId::OPERATOR, None)
        .await
        .unwrap();
    harness
        .gateway
        .tell_operator(News::PollFailing, "7/accounts", json!({}))
        .await;
    harness.clock.advance(29 * DAY);
    harness.drop_old().await;
    assert_eq!(told().await, 1);
    harness.clock.advance(DAY + INTERVAL);
    harness.drop_old().await;
    assert_eq!(told().await, 0);
}

#[tokio::test]
async fn retention_goes_on_while_deliveries_do() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.start_deliverer();
    let retention = tokio::spawn(deliver::run_retention(
        Arc::clone(&harness.gateway),
        harness.stop.clone(),
    ));
    for content in 1..4 {
        harness.poll_one(&key, "7", content).await;
        harness
            .eventually("it is delivered", async || {
                harness.callback.posts().len() == content as usize
            })
            .await;
        harness.clock.advance(3 * DAY);
    }
    harness
        .eventually("the first one is gone", async || {
            // It may have looked just before.
            harness.clock.advance(Duration::from_mins(1));
            harness.deliveries(key.instance).await.len() == 2
        })
        .await;
    harness.stop.cancel();
    retention.await.unwrap();
}
