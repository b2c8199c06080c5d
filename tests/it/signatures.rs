//! Signed POSTs of the real gateway, verified by the published Standard Webhooks libraries of three languages; ed25519, which
//! none of them has, by Node's own crypto. Must not sign or verify with code of ours.

mod libraries;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tidegate_examples::receiver::Received;

use self::libraries::verdicts;
use crate::language::Language;
use crate::support::{Made, SOON, Stage};

const KEY_FIELD: &str = "event.notification.signature.key";
/// Of 24 bytes, as Svix makes them.
const FIRST: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TEXT: &str = "a text of my own, Zoë";

// ---
fn accepts(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let webhook = match secret.starts_with("whsec_") {
        true => Webhook::new(secret),
        false => Webhook::from_bytes(secret.into()),
    };
    webhook.is_ok_and(|webhook| webhook.verify(body, headers).is_ok())
}
// ---

/// A POST as it came or tampered with, a secret, and whether the one is by the other.
struct Case {
    name: String,
    secret: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    accepted: bool,
}

impl Case {
    fn new(name: &str, post: &Received, secret: &str, accepted: bool) -> Self {
        Self {
            name: name.to_owned(),
            secret: secret.to_owned(),
            headers: post.headers.clone(),
            body: post.body.to_vec(),
            accepted,
        }
    }

    fn json(&self) -> Value {
        let headers: serde_json::Map<_, _> = (self.headers.iter())
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        json!({"secret": self.secret, "headers": headers, "body": STANDARD.encode(&self.body)})
    }

    /// The same with one thing changed, each of which must be noticed.
    fn tampered(&self) -> Vec<Self> {
        let changed = |what: &str, change: &dyn Fn(&mut Self)| {
            let mut case = Self {
                name: format!("{}, {what} changed", self.name),
                secret: self.secret.clone(),
                headers: self.headers.clone(),
                body: self.body.clone(),
                accepted: false,
            };
            change(&mut case);
            case
        };
        let header = |case: &mut Self, name: &str, change: &dyn Fn(&str) -> String| {
            let header = case.headers.iter_mut().find(|(key, _)| key == name).unwrap();
            header.1 = change(&header.1);
        };
        vec![
            changed("the body's end", &|case| case.body.push(b' ')),
            changed("a digit in the body", &|case| {
                let digit = case.body.iter_mut().find(|byte| byte.is_ascii_digit()).unwrap();
                *digit = if *digit == b'1' { b'2' } else { b'1' };
            }),
            changed("the id", &|case| header(case, "webhook-id", &|id| format!("{id}x"))),
            changed("the time", &|case| {
                header(case, "webhook-timestamp", &|time| {
                    (time.parse::<i64>().unwrap() + 1).to_string()
                });
            }),
            changed("the signature", &|case| {
                header(case, "webhook-signature", &|_| {
                    format!("v1,{}", STANDARD.encode([7; 32]))
                });
            }),
        ]
    }
}

/// Keeps POSTs as they come, each under the keys of its time.
struct Consumer {
    stage: Stage,
    made: Made,
    company: i64,
    changes: usize,
}

impl Consumer {
    async fn with_key(key: &str) -> Self {
        let stage = Stage::new().await;
        // The receiver's own check is of the Elements header alone.
        stage.receiver.set_key(None);
        let company = stage.vendor().seed_companies(2)[0];
        let made = stage
            .create_and_baseline(&stage.body(json!({KEY_FIELD: key})).to_string())
            .await;
        Self {
            stage,
            made,
            company,
            changes: 0,
        }
    }

    /// Has a record change, and returns the POST that comes of it.
    async fn post(&mut self) -> Received {
        self.changes += 1;
        let (vendor, changes) = (self.stage.vendor(), self.changes);
        // More than ASCII: what is signed are bytes.
        let name = json!({"companyName": format!("Zoë 🚀 {changes}")});
        vendor.update("Companies", self.company, name).unwrap();
        let received = self
            .stage
            .receiver
            .wait_until(SOON, |received| received.len() >= changes);
        received.await.unwrap().remove(changes - 1)
    }

    async fn patch(&self, configuration: Value) -> Value {
        let path = format!("/instances/{}", self.made.id);
        let body = json!({"configuration": configuration});
        let (status, answer) = self.stage.call(Method::PATCH, &path, Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    async fn get(&self) -> Value {
        let path = format!("/instances/{}", self.made.id);
        self.stage.call(Method::GET, &path, None).await.1
    }
}

#[tokio::test]
async fn published_libraries_accept_what_the_gateway_signs_through_a_rotation_and_nothing_else() {
    let mut consumer = Consumer::with_key(FIRST).await;
    let before = consumer.post().await;
    let answer = consumer.patch(json!({KEY_FIELD: "generate"})).await;
    let second = answer["configuration"][KEY_FIELD].as_str().unwrap().to_owned();
    assert!(second.starts_with("whsec_"), "{answer}");
    let rotating = consumer.post().await;
    consumer
        .patch(json!({KEY_FIELD: TEXT, "event.notification.signature.grace": 0}))
        .await;
    let text = consumer.post().await;

    let good = [
        Case::new("the first key", &before, FIRST, true),
        Case::new("the new key during a rotation", &rotating, &second, true),
        Case::new("the old key during a rotation", &rotating, FIRST, true),
        Case::new("a text", &text, TEXT, true),
    ];
    let mut cases: Vec<Case> = good.iter().flat_map(Case::tampered).collect();
    cases.extend(good);
    cases.extend([
        Case::new("the new key before it was there", &before, &second, false),
        Case::new("the first key after its grace time", &text, FIRST, false),
        Case::new("the second key after its grace time", &text, &second, false),
    ]);
    for case in &cases {
        let header = |(name, value): &(String, String)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        };
        let headers = case.headers.iter().map(header).collect();
        let accepted = accepts(&case.secret, &headers, &case.body);
        assert_eq!(accepted, case.accepted, "Rust: {}", case.name);
    }
    judge(Language::Python, &cases);
    judge(Language::JavaScript, &cases);
}

/// Has a receiver in this language look at all of them.
fn judge(language: Language, cases: &[Case]) {
    let json = cases.iter().map(Case::json).collect();
    let Some(verdicts) = verdicts(language, &json) else {
        return;
    };
    assert_eq!(verdicts.len(), cases.len());
    for (case, accepted) in cases.iter().zip(verdicts) {
        assert_eq!(accepted, case.accepted, "{}: {}", language.name(), case.name);
    }
}

#[tokio::test]
async fn a_public_key_that_the_gateway_shows_verifies_what_it_signs() {
    let mut consumer = Consumer::with_key(FIRST).await;
    let answer = consumer.patch(json!({KEY_FIELD: "generate-ed25519"})).await;
    assert!(
        answer["configuration"][KEY_FIELD]
            .as_str()
            .unwrap()
            .starts_with("whsk_")
    );
    let public = answer["signature"]["publicKey"].as_str().unwrap().to_owned();
    let shown = consumer.get().await;
    assert_eq!(shown["configuration"][KEY_FIELD], "********");
    assert_eq!(shown["signature"], answer["signature"]);
    assert_eq!(shown["signature"]["kind"], "v1a");
    let first = consumer.post().await;
    assert_eq!(first.header("elements-webhook-signature"), None);
    let answer = consumer.patch(json!({KEY_FIELD: "generate-ed25519"})).await;
    let next = answer["signature"]["publicKey"].as_str().unwrap().to_owned();
    let rotating = consumer.post().await;

    let good = [
        Case::new("the public key", &first, &public, true),
        Case::new("the old key of the pair's time", &first, FIRST, true),
        Case::new("the next public key", &rotating, &next, true),
        Case::new("the public key before", &rotating, &public, true),
    ];
    let mut cases: Vec<Case> = good.iter().flat_map(Case::tampered).collect();
    cases.extend(good);
    cases.push(Case::new("a public key before its time", &first, &next, false));
    judge(Language::JavaScript, &cases);
}

#[tokio::test]
async fn what_a_user_has_sent_along_arrives_and_is_never_shown() {
    let mut consumer = Consumer::with_key("generate").await;
    let key = consumer.made.answer["configuration"][KEY_FIELD]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = consumer
        .patch(json!({
            "event.notification.callback.headers": {"X-Tenant": "hunter2"},
            "event.notification.basic.username": "anna",
            "event.notification.basic.password": "hunter3",
        }))
        .await;
    for key in ["callback.headers", "basic.username", "basic.password"] {
        assert_eq!(answer["configuration"][format!("event.notification.{key}")], "********");
    }
    let post = consumer.post().await;
    assert_eq!(post.header("x-tenant"), Some("hunter2"));
    assert_eq!(post.header("authorization"), Some("Basic YW5uYTpodW50ZXIz"));
    let agents: Vec<_> = post.headers.iter().filter(|(name, _)| name == "user-agent").collect();
    assert_eq!(agents.len(), 1, "{agents:?}");
    assert!(agents[0].1.starts_with("tidegate/"));
    let seen = [
        consumer.get().await.to_string(),
        answer.to_string(),
        consumer.stage.log(),
    ]
    .concat();
    for secret in ["hunter2", "hunter3", "anna", "YW5uYTpodW50ZXIz", &key["whsec_".len()..]] {
        assert!(!seen.contains(secret), "{secret} is shown");
    }
}

#[test]
fn the_receivers_of_the_documentation_are_those_that_are_tested() {
    let page = include_str!("../../docs/signatures.md");
    let sources = [
        include_str!("signatures/verify.py"),
        include_str!("signatures/verify.mjs"),
        include_str!("signatures.rs"),
    ];
    let mut parts = 0;
    for source in sources {
        let lines: Vec<&str> = source.lines().collect();
        let is_border = |line: &&str| ["# ---", "// ---"].contains(line);
        for part in lines.split(is_border).skip(1).step_by(2) {
            assert!(
                page.contains(part.join("\n").trim()),
                "docs/signatures.md differs:\n{}",
                part.join("\n")
            );
            parts += 1;
        }
    }
    assert_eq!(parts, 4);
}
