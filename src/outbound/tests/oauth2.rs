//! Access tokens, against a small vendor that hands them out and takes only the last one.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response as Answer};
use axum::routing::{any, post};
use axum::{Json, Router};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use url::form_urlencoded;

use super::{HandClock, failure, grants, options, outbound, request, serve};
use crate::domain::element::Limits;
use crate::domain::run::{Request, Response};
use crate::domain::secret::Secret;
use crate::outbound::{Options, Outbound};
use crate::ports::{Grants, RefreshGrant, Vendor as _};

/// Never shown, whatever happens.
const SECRETS: [&str; 4] = ["s3cret-client", "s3cret-refresh", "s3cret-rotated", "s3cret-access"];

#[derive(Default)]
struct Vendor {
    /// Forms that the token endpoint got.
    forms: Mutex<Vec<HashMap<String, String>>>,
    /// What it answers with, one after the other; then tokens that live for half an hour.
    script: Mutex<VecDeque<(u16, Value)>>,
    /// Every request of the API, as `token body`.
    served: Mutex<Vec<String>>,
    /// No token is taken any more.
    is_closed: Mutex<bool>,
    /// Where the token endpoint waits the first time: told on arrival, and waited for.
    gate: Option<(Notify, Notify)>,
}

impl Vendor {
    async fn serve(self) -> (SocketAddr, Arc<Self>) {
        let vendor = Arc::new(self);
        let router = Router::new()
            .route("/token", post(hand_out))
            .route("/crm", any(answer))
            .with_state(vendor.clone());
        (serve(router).await, vendor)
    }

    fn scripted(answers: impl IntoIterator<Item = (u16, Value)>) -> Self {
        Self {
            script: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        }
    }

    fn asked(&self) -> usize {
        self.forms.lock().unwrap().len()
    }

    fn served(&self) -> Vec<String> {
        self.served.lock().unwrap().clone()
    }
}

async fn hand_out(State(vendor): State<Arc<Vendor>>, body: Bytes) -> Answer {
    if let Some((reached, opened)) = vendor.gate.as_ref().filter(|_| vendor.asked() == 0) {
        reached.notify_one();
        opened.notified().await;
    }
    let mut forms = vendor.forms.lock().unwrap();
    forms.push(form_urlencoded::parse(&body).into_owned().collect());
    let granted = json!({"access_token": format!("s3cret-access-{}", forms.len()), "expires_in": 1800});
    let (status, answer) = vendor.script.lock().unwrap().pop_front().unwrap_or((200, granted));
    (StatusCode::from_u16(status).unwrap(), Json(answer)).into_response()
}

async fn answer(State(vendor): State<Arc<Vendor>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let token = headers["authorization"].to_str().unwrap().to_owned();
    let is_last = token == format!("Bearer s3cret-access-{}", vendor.asked());
    let line = format!("{token} {}", String::from_utf8_lossy(&body));
    vendor.served.lock().unwrap().push(line);
    if is_last && !*vendor.is_closed.lock().unwrap() {
        StatusCode::OK
    } else {
        StatusCode::UNAUTHORIZED
    }
}

fn refresh_grant(address: SocketAddr) -> RefreshGrant {
    RefreshGrant {
        token_url: format!("http://{address}/token"),
        client_id: Secret::new("id & co"),
        client_secret: Secret::new("s3cret-client"),
        refresh_token: Secret::new("s3cret-refresh"),
        by_operator: false,
    }
}

fn authorized(address: SocketAddr) -> Grants {
    Grants {
        oauth2: Some(refresh_grant(address)),
        limits: Limits {
            concurrency_per_lane: 10,
            ..grants(address).limits
        },
        ..grants(address)
    }
}

fn query(address: SocketAddr) -> Request {
    Request {
        method: "POST".into(),
        headers: vec![("Authorization".into(), "Bearer {{secret:oauth2.access_token}}".into())],
        body: Some(b"query".to_vec()),
        ..request(format!("http://{address}/crm"))
    }
}

async fn send(outbound: &Outbound, address: SocketAddr) -> Response {
    outbound
        .send(query(address), Arc::new(authorized(address)))
        .await
        .unwrap()
}

fn assert_shows_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{text}");
    }
}

/// What is logged on this thread, which a test's tasks share.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        // While only one subscriber is known, tracing asks the thread that first passes a line whether anybody wants it, and
        // believes it for all threads. With a second one, which hears nothing, it asks them all.
        static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| tracing::Dispatch::new(tracing_subscriber::registry()));
        let lines = self.clone();
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        tracing::subscriber::set_default(log.with_writer(move || lines.clone()).finish())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn ten_concurrent_requests_get_one_token_by_the_refresh_token_grant() {
    let (address, vendor) = Vendor::default().serve().await;
    let outbound = outbound(options());
    let responses = join_all((0..10).map(|_| send(&outbound, address))).await;
    assert!(responses.iter().all(|response| response.status == 200));
    let forms = vendor.forms.lock().unwrap().clone();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "id & co"),
        ("client_secret", "s3cret-client"),
        ("refresh_token", "s3cret-refresh"),
    ];
    assert_eq!(
        forms,
        [form.map(|(key, value)| (key.to_owned(), value.to_owned())).into()]
    );
    assert_eq!(vendor.served(), ["Bearer s3cret-access-1 query"; 10]);
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let short = |number: u32, expires_in: Value| {
        (
            200,
            json!({"access_token": format!("s3cret-access-{number}"), "expires_in": expires_in}),
        )
    };
    let unsaid = (200, json!({"access_token": "s3cret-access-4"}));
    let answers = [
        short(1, json!(1800)),
        short(2, json!(60)),
        short(3, json!("120")),
        unsaid,
    ];
    let (address, vendor) = Vendor::scripted(answers).serve().await;
    let clock = Arc::new(HandClock::default());
    let outbound = Outbound::new(options(), clock.clone()).unwrap();
    for (asked, good_seconds) in [(1, 1740), (2, 30), (3, 60), (4, 540)] {
        send(&outbound, address).await;
        clock.advance(Duration::from_secs(good_seconds) - Duration::from_millis(1));
        assert_eq!(send(&outbound, address).await.status, 200);
        assert_eq!(vendor.asked(), asked, "within {good_seconds} s");
        clock.advance(Duration::from_millis(1));
    }
    send(&outbound, address).await;
    assert_eq!(vendor.asked(), 5);
}

#[tokio::test]
async fn a_request_answered_with_401_is_sent_once_more_with_a_new_token() {
    let stale = (200, json!({"access_token": "s3cret-access-0", "expires_in": 1800}));
    let (address, vendor) = Vendor::scripted([stale]).serve().await;
    let outbound = outbound(options());
    let responses = join_all((0..10).map(|_| send(&outbound, address))).await;
    assert!(responses.iter().all(|response| response.status == 200));
    assert_eq!(vendor.asked(), 2, "one renewal does for all");
    let mut served = vendor.served();
    served.sort();
    served.dedup();
    assert_eq!(served, ["Bearer s3cret-access-0 query", "Bearer s3cret-access-2 query"]);
}

#[tokio::test]
async fn a_vendor_that_takes_no_token_is_asked_twice_and_no_more() {
    let (address, vendor) = Vendor::default().serve().await;
    *vendor.is_closed.lock().unwrap() = true;
    assert_eq!(send(&outbound(options()), address).await.status, 401);
    assert_eq!((vendor.asked(), vendor.served().len()), (2, 2));
}

#[tokio::test]
async fn a_refused_refresh_token_is_an_answer_of_401_in_words() {
    for (status, answer, shown) in [
        (
            400,
            json!({"error": "invalid_grant", "error_description": "s3cret-refresh"}),
            "400 (invalid_grant)",
        ),
        (
            401,
            json!({"status": "BAD_REFRESH_TOKEN", "error": "no: s3cret-refresh"}),
            "401",
        ),
    ] {
        let (address, vendor) = Vendor::scripted([(status, answer)]).serve().await;
        let response = send(&outbound(options()), address).await;
        let body = String::from_utf8(response.body.to_vec()).unwrap();
        assert_eq!((response.id, response.status), (7, 401));
        let expected = format!("oauth2_refused: 127.0.0.1 refused the refresh token with status {shown}; expected one");
        assert!(body.starts_with(&expected), "{body}");
        assert_shows_no_secret(&body);
        assert_eq!(vendor.served(), [""; 0], "nothing was sent without a token");
    }
}

#[tokio::test]
async fn a_token_that_could_not_be_had_is_no_answer_and_asked_for_again() {
    let troubles = [
        (
            503,
            json!({}),
            "no_token: 127.0.0.1 answered with status 503; expected 200",
        ),
        (302, json!({}), "no_token: 127.0.0.1 answered with status 302"),
        (
            200,
            json!("s3cret-access-1"),
            "no_token: 127.0.0.1 answered without an `access_token`",
        ),
        (
            200,
            json!({"access_token": ""}),
            "no_token: 127.0.0.1 answered without an `access_token`",
        ),
    ];
    let count = troubles.len();
    let answers = troubles.clone().map(|(status, answer, _)| (status, answer));
    let (address, vendor) = Vendor::scripted(answers).serve().await;
    let outbound = outbound(options());
    for (_, _, expected) in troubles {
        let reason = failure(&send(&outbound, address).await);
        assert!(reason.starts_with(expected), "{reason}");
        assert_shows_no_secret(&reason);
    }
    assert_eq!(send(&outbound, address).await.status, 200);
    assert_eq!(vendor.asked(), count + 1);
}

#[tokio::test]
async fn tokens_are_asked_for_within_the_grants_and_the_address_policy() {
    let (address, vendor) = Vendor::default().serve().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let elsewhere = Grants {
        oauth2: Some(refresh_grant(free)),
        ..authorized(address)
    };
    let reason = failure(
        &outbound(options())
            .send(query(address), elsewhere.into())
            .await
            .unwrap(),
    );
    assert!(
        reason.starts_with(&format!("no_token: http://{free} is neither a host")),
        "{reason}"
    );
    let nobody = Grants {
        origins: vec![format!("http://{free}"), format!("http://{address}")],
        oauth2: Some(refresh_grant(free)),
        ..authorized(address)
    };
    let reason = failure(&outbound(options()).send(query(address), nobody.into()).await.unwrap());
    assert!(reason.starts_with("no_token: connect: 127.0.0.1: "), "{reason}");
    let named = Request {
        url: "https://api.vendor.invalid/crm".into(),
        ..query(address)
    };
    let strict = outbound(Options::default());
    let reason = failure(&strict.send(named, authorized(address).into()).await.unwrap());
    assert!(
        reason.starts_with("no_token: blocked_address: 127.0.0.1 is "),
        "{reason}"
    );
    assert_eq!((vendor.asked(), vendor.served().len()), (0, 0));
}

#[tokio::test]
async fn a_new_refresh_token_is_used_from_then_on_and_warned_of() {
    let rotated = json!({"access_token": "s3cret-access-1", "expires_in": 60, "refresh_token": "s3cret-rotated"});
    let same = json!({"access_token": "s3cret-access-2", "expires_in": 60, "refresh_token": "s3cret-rotated"});
    let (address, vendor) = Vendor::scripted([(200, rotated), (200, same)]).serve().await;
    let log = Lines::default();
    let _listening = log.listen();
    let clock = Arc::new(HandClock::default());
    let outbound = Outbound::new(options(), clock.clone()).unwrap();
    for _ in 0..3 {
        assert_eq!(send(&outbound, address).await.status, 200);
        clock.advance(Duration::from_mins(1));
    }
    let forms = vendor.forms.lock().unwrap().clone();
    let used: Vec<_> = forms.iter().map(|form| form["refresh_token"].as_str()).collect();
    assert_eq!(used, ["s3cret-refresh", "s3cret-rotated", "s3cret-rotated"]);
    let log = log.text();
    assert_eq!(log.matches("a vendor gave a new refresh token").count(), 1, "{log}");
    assert_shows_no_secret(&log);
}

#[tokio::test]
async fn a_new_refresh_token_is_not_lost_though_nobody_waits_any_more() {
    let rotated = json!({"access_token": "s3cret-access-1", "expires_in": 0, "refresh_token": "s3cret-rotated"});
    let gate = (Notify::new(), Notify::new());
    let vendor = Vendor {
        gate: Some(gate),
        ..Vendor::scripted([(200, rotated)])
    };
    let (address, vendor) = vendor.serve().await;
    let outbound = outbound(options());
    let (reached, opened) = vendor.gate.as_ref().unwrap();
    tokio::select! {
        biased;
        response = send(&outbound, address) => panic!("{response:?}"),
        () = reached.notified() => {}
    }
    opened.notify_one();
    // This one may still be given the token that was under way; it lives for no time, so that the next is not.
    assert_eq!(send(&outbound, address).await.status, 200);
    assert_eq!(send(&outbound, address).await.status, 200);
    let forms = vendor.forms.lock().unwrap().clone();
    let used: Vec<_> = forms.iter().map(|form| form["refresh_token"].as_str()).collect();
    assert_eq!((used[0], used[1]), ("s3cret-refresh", "s3cret-rotated"));
}

#[tokio::test]
async fn without_a_grant_there_is_no_token_and_secrets_are_masked_everywhere() {
    let (address, vendor) = Vendor::default().serve().await;
    let refusal = outbound(options())
        .send(query(address), grants(address).into())
        .await
        .unwrap_err();
    assert!(refusal.0.contains("\"oauth2.access_token\" is not set"), "{refusal}");
    assert_eq!((vendor.asked(), vendor.served().len()), (0, 0));
    assert_shows_no_secret(&format!("{:?}", authorized(address)));
}
