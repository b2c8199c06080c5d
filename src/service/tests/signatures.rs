//! What a POST carries beside its body: signatures by the keys of the moment, and the user's own headers.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Harness, answer, configuration_of, within};
use crate::domain::id::ResourceKey;
use crate::domain::instance::Instance;
use crate::domain::secret::Secret;
use crate::engine::configuration::{Body, SIGNATURE_GRACE, SIGNATURE_KEY};
use crate::engine::sign::{SigningKey, elements_signature, webhook_signature};
use crate::ports::Store as _;
use crate::service::instances::{Change, Changed, Error, Validate};

const A: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const B: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PAIR: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const HOUR: Duration = Duration::from_hours(1);

/// A POST's headers by name, each once.
struct Headers(HashMap<String, String>);

impl Headers {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl Harness {
    /// An instance with this configuration whose events go out.
    async fn signing(configuration: Value) -> (Self, ResourceKey) {
        let harness = Self::new();
        let key = super::harness::accounts(harness.create(configuration).await);
        harness.poll_one(&key, "baseline", 1).await;
        harness.start_deliverer();
        (harness, key)
    }

    async fn change(&self, key: &ResourceKey, change: Change, configuration: Value) -> Result<Changed, Error> {
        let body = Body {
            configuration: Some(configuration_of(configuration)),
            ..Body::default()
        };
        let changing = self.gateway.change_instance(key.instance, body, change, Validate::No);
        Box::pin(changing).await
    }

    async fn set_key(&self, key: &ResourceKey, text: &str) -> Changed {
        let changed = self.change(key, Change::Merge, json!({SIGNATURE_KEY: text})).await;
        changed.unwrap()
    }

    async fn instance(&self, key: &ResourceKey) -> Instance {
        self.store.instance(key.instance).await.unwrap().unwrap()
    }

    /// Has a record change, and returns the POST that comes of it: headers and body.
    async fn next_post(&self, key: &ResourceKey, record: &str) -> (Headers, bytes::Bytes) {
        let before = self.callback.posts().len();
        self.poll_one(key, record, 1).await;
        self.post_after(before).await
    }

    async fn post_after(&self, before: usize) -> (Headers, bytes::Bytes) {
        self.eventually("another POST is made", async || self.callback.posts().len() > before)
            .await;
        let post = self.callback.posts().remove(before);
        let count = post.headers.len();
        let headers: HashMap<_, _> = post.headers.into_iter().collect();
        assert_eq!(headers.len(), count, "each header stands once");
        (Headers(headers), post.body)
    }

    /// The keys, among these, by which a POST is signed, in the order of its signatures.
    fn signed_by<'a>(&self, (headers, body): &(Headers, bytes::Bytes), keys: &[&'a str]) -> Vec<&'a str> {
        let seconds = self.clock.time().as_ms() / 1000;
        assert_eq!(headers.get("webhook-timestamp").unwrap(), seconds.to_string());
        let Some(value) = headers.get("webhook-signature") else {
            return Vec::new();
        };
        let id = headers.get("webhook-id").unwrap();
        let by = |signature: &str| {
            let signed = |text: &&&str| {
                let key = SigningKey::parse(text).unwrap();
                webhook_signature(&[&key], id, seconds, body).unwrap() == signature
            };
            *keys.iter().find(signed).expect("it is by none of these keys")
        };
        value.split(' ').map(by).collect()
    }
}

#[tokio::test]
async fn a_post_says_what_it_is_and_is_signed_both_ways_over_the_bytes_that_are_sent() {
    let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: "a text of my own"})).await;
    let post = harness.next_post(&key, "1").await;
    assert_eq!(harness.signed_by(&post, &["a text of my own"]).len(), 1);
    let (headers, body) = &post;
    let text = SigningKey::parse("a text of my own").unwrap();
    assert_eq!(
        headers.get("elements-webhook-signature"),
        elements_signature(&[&text], body).as_deref()
    );
    let message: Value = serde_json::from_slice(body).unwrap();
    let id = message["message"]["eventId"].as_str();
    assert_eq!(
        (headers.get("webhook-id"), headers.get("elements-webhook-id")),
        (id, id)
    );
    assert!(
        !id.unwrap().contains('.'),
        "a full stop would end the id where it is signed"
    );
    assert_eq!(headers.get("content-type"), Some("application/json"));
    assert!(headers.get("user-agent").unwrap().starts_with("tidegate/"));
}

#[tokio::test]
async fn without_a_key_a_post_has_an_id_and_a_time_and_no_signature() {
    let (harness, key) = Harness::signing(json!({})).await;
    let (headers, _) = harness.next_post(&key, "1").await;
    assert!(headers.get("webhook-id").is_some() && headers.get("webhook-timestamp").is_some());
    for name in ["webhook-signature", "elements-webhook-signature", "authorization"] {
        assert_eq!(headers.get(name), None);
    }
    assert_eq!(harness.gateway.signature(&harness.instance(&key).await), None);
}

#[tokio::test]
async fn a_retry_has_the_same_id_and_body_and_a_time_and_signature_of_its_own() {
    let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: A})).await;
    harness.callback.answer("1", [answer(500)]);
    let first = harness.next_post(&key, "1").await;
    assert_eq!(harness.signed_by(&first, &[A]), [A]);
    harness.clock.advance(HOUR);
    let second = harness.post_after(1).await;
    assert_eq!(harness.signed_by(&second, &[A]), [A]);
    assert_eq!(
        (first.0.get("webhook-id"), &first.1),
        (second.0.get("webhook-id"), &second.1)
    );
    for name in ["webhook-timestamp", "webhook-signature"] {
        assert_ne!(first.0.get(name), second.0.get(name));
    }
    let elements = "elements-webhook-signature";
    assert_eq!(first.0.get(elements), second.0.get(elements));
}

#[tokio::test]
async fn a_replaced_key_signs_beside_the_new_one_until_the_grace_time_is_over() {
    let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: A})).await;
    harness.set_key(&key, B).await;
    let post = harness.next_post(&key, "1").await;
    assert_eq!(harness.signed_by(&post, &[A, B]), [B, A]);
    let newest = SigningKey::parse(B).unwrap();
    assert_eq!(
        post.0.get("elements-webhook-signature"),
        elements_signature(&[&newest], &post.1).as_deref()
    );
    harness.set_key(&key, PAIR).await;
    let post = harness.next_post(&key, "2").await;
    assert_eq!(harness.signed_by(&post, &[A, B, PAIR]), [PAIR, B, A]);
    assert_eq!(post.0.get("elements-webhook-signature"), None);

    // Nobody changes the instance when the time is over: the courier must notice by itself.
    harness.clock.advance(HOUR * 24 - Duration::from_millis(1));
    let post = harness.next_post(&key, "3").await;
    assert_eq!(harness.signed_by(&post, &[A, B, PAIR]), [PAIR, B, A]);
    harness.clock.advance(Duration::from_millis(1));
    let post = harness.next_post(&key, "4").await;
    assert_eq!(harness.signed_by(&post, &[A, B, PAIR]), [PAIR]);
}

#[tokio::test]
async fn no_more_than_ten_old_keys_are_kept_and_none_in_plain() {
    let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: "k0"})).await;
    for number in 1..=12 {
        harness.set_key(&key, &format!("k{number}")).await;
    }
    let texts: Vec<String> = (2..=12).rev().map(|number| format!("k{number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let post = harness.next_post(&key, "1").await;
    assert_eq!(harness.signed_by(&post, &texts), texts);
    let stored = harness.instance(&key).await;
    assert_eq!(stored.previous_keys.len(), 10);
    let on_disk = serde_json::to_string(&stored).unwrap();
    assert!(texts.iter().all(|text| !on_disk.contains(&format!("\"{text}\""))));
}

#[tokio::test]
async fn a_grace_time_of_nothing_ends_the_old_keys_at_once() {
    let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: A, SIGNATURE_GRACE: "2"})).await;
    let until = |changed: &Changed| harness.gateway.signature(&changed.instance).unwrap().previous_until;
    let changed = harness.set_key(&key, B).await;
    assert_eq!(until(&changed), Some(harness.clock.time().plus(HOUR * 2)));
    let changed = harness.change(&key, Change::Merge, json!({SIGNATURE_GRACE: 0})).await;
    assert_eq!(until(&changed.unwrap()), None);
    let post = harness.next_post(&key, "1").await;
    assert_eq!(harness.signed_by(&post, &[A, B]), [B]);
}

#[tokio::test]
async fn an_emptied_key_ends_all_signatures_at_once() {
    for nothing in [json!(""), json!(null)] {
        let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: A})).await;
        harness.set_key(&key, B).await;
        let changed = harness
            .change(&key, Change::Merge, json!({SIGNATURE_KEY: nothing}))
            .await;
        assert!(changed.unwrap().instance.previous_keys.is_empty());
        let post = harness.next_post(&key, "1").await;
        assert!(harness.signed_by(&post, &[A, B]).is_empty());
        harness.set_key(&key, A).await;
        let post = harness.next_post(&key, "2").await;
        assert_eq!(harness.signed_by(&post, &[A, B]), [A], "the old ones do not come back");
    }
}

#[tokio::test]
async fn the_mask_and_a_body_without_the_key_keep_it() {
    let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: A})).await;
    harness.set_key(&key, "********").await;
    let others = json!({"user": "anna", "event.notification.enabled": true,
        "event.notification.callback.url": "https://callback.example/events",
        "event.poller.configuration": {"accounts": {"url": "/hubs/demo/accounts"}}});
    harness.change(&key, Change::Replace, others).await.unwrap();
    let post = harness.next_post(&key, "1").await;
    assert_eq!(harness.signed_by(&post, &[A]), [A]);
    assert!(harness.instance(&key).await.previous_keys.is_empty());
}

#[tokio::test]
async fn a_key_is_made_where_one_is_asked_for_and_told_this_once() {
    let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: A})).await;
    let made = async |word: &str| harness.set_key(&key, word).await.made_key.unwrap();
    let shared = made("generate").await;
    let pair = made("generate-ed25519").await;
    let another = made("generate").await;
    assert!(shared.expose().starts_with("whsec_") && pair.expose().starts_with("whsk_"));
    assert_ne!(shared, another);
    let post = harness.next_post(&key, "1").await;
    let keys = [another.expose(), pair.expose(), shared.expose(), A];
    assert_eq!(harness.signed_by(&post, &keys), keys);
    assert_eq!(harness.set_key(&key, "********").await.made_key, None);

    let body = Body {
        element: Some("demo".into()),
        name: Some("name".into()),
        configuration: Some(configuration_of(
            json!({"user": "anna", "password": "x", SIGNATURE_KEY: "generate"}),
        )),
        ..Body::default()
    };
    let created = within(Box::pin(harness.gateway.create_instance(body, Validate::No)))
        .await
        .unwrap();
    let stored = harness.gateway.secret(&created.instance, SIGNATURE_KEY).unwrap();
    assert_eq!(stored, created.made_key);
    assert!(stored.is_some_and(|key: Secret| key.expose().starts_with("whsec_")));
}

#[tokio::test]
async fn the_public_key_of_a_pair_can_be_looked_up() {
    let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: PAIR})).await;
    let signature = harness.gateway.signature(&harness.instance(&key).await).unwrap();
    assert_eq!(signature.kind.version(), "v1a");
    assert_eq!(
        signature.public_key.unwrap(),
        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
    );
    assert_eq!(signature.previous_until, None);
}

#[tokio::test]
async fn headers_of_the_users_own_and_basic_authentication_are_sent() {
    let (harness, key) = Harness::signing(json!({
        "event.notification.callback.headers": {"X-Tenant": "acme", "Elements-Token": "hunter2"},
        "event.notification.basic.username": "Aladdin",
        "event.notification.basic.password": "open sesame",
    }))
    .await;
    let (headers, _) = harness.next_post(&key, "1").await;
    assert_eq!(
        (headers.get("x-tenant"), headers.get("elements-token")),
        (Some("acme"), Some("hunter2"))
    );
    assert_eq!(headers.get("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    let stored = harness.instance(&key).await;
    assert!(!stored.configuration.contains_key("event.notification.callback.headers"));
    assert!(stored.warnings.is_empty(), "{:?}", stored.warnings);

    let emptied = json!({
        "event.notification.callback.headers": "",
        "event.notification.basic.username": null,
        "event.notification.basic.password": null,
    });
    harness.patch(key.instance, emptied).await;
    let (headers, _) = harness.next_post(&key, "2").await;
    assert_eq!((headers.get("x-tenant"), headers.get("authorization")), (None, None));
}

#[tokio::test]
async fn what_can_be_looked_up_of_an_attempt_masks_what_a_user_had_sent_along() {
    let (harness, key) = Harness::signing(json!({
        "event.notification.callback.headers": {"X-Tenant": "acme", "Elements-Token": "hunter2"},
        "event.notification.basic.username": "Aladdin",
    }))
    .await;
    let (headers, _) = harness.next_post(&key, "1").await;
    let id = key.instance;
    let is_written = async || harness.deliveries(id).await[0].attempts == 1;
    harness.eventually("the attempt is written", is_written).await;
    let notification = harness.store.notifications(id, None, 1).await.unwrap().remove(0);
    let attempts = harness.store.attempts(id, notification.id).await.unwrap();
    let shown = Headers(attempts[0].request_headers.iter().cloned().collect());
    for name in ["x-tenant", "elements-token", "authorization"] {
        assert_eq!(shown.get(name), Some("********"), "{name}");
    }
    assert_eq!(shown.get("webhook-id"), headers.get("webhook-id"));
}

#[tokio::test]
async fn two_ways_of_authorization_are_refused_whichever_comes_second() {
    let own = json!({"event.notification.callback.headers": "Authorization: Bearer hunter2"});
    let basic = json!({"event.notification.basic.username": "anna"});
    for (first, second) in [(&own, &basic), (&basic, &own)] {
        let (harness, key) = Harness::signing(first.clone()).await;
        match harness.change(&key, Change::Merge, second.clone()).await.unwrap_err() {
            Error::Invalid(error) => {
                assert_eq!(error.field, "event.notification.callback.headers");
                assert!(!error.message.contains("hunter2"));
            }
            other => panic!("{other:?}"),
        }
        let (headers, _) = harness.next_post(&key, "1").await;
        assert!(headers.get("authorization").is_some(), "the first one still counts");
        let harness = Harness::new();
        let mut both = configuration_of(first.clone());
        both.extend(configuration_of(second.clone()));
        let refused = harness.try_create(both.into(), Validate::No).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_changed_key_does_not_make_polls_due() {
    let (harness, key) = Harness::signing(json!({SIGNATURE_KEY: A})).await;
    let due = harness.state(&key).await.due;
    harness.set_key(&key, B).await;
    assert_eq!(harness.state(&key).await.due, due);
}
