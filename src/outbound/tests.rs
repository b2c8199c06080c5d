//! Both ports against small servers on this machine. Nothing leaves it, and nothing sleeps.

mod guarded;
mod oauth2;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, get, post};
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Barrier, oneshot};

use super::{Options, Outbound};
use crate::clock::SystemClock;
use crate::domain::element::Limits;
use crate::domain::run::{Request, Response};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::ports::{Callback, Clock, Grants, Post, Trouble, Vendor};

/// A clock that stands still until it is moved.
#[derive(Default)]
pub(super) struct HandClock {
    hands: Mutex<Hands>,
    asleep: tokio::sync::Notify,
}

#[derive(Default)]
struct Hands {
    now_ms: i64,
    sleepers: Vec<(i64, oneshot::Sender<()>)>,
}

impl HandClock {
    pub(super) fn advance(&self, by: Duration) {
        let mut hands = self.hands.lock().unwrap();
        hands.now_ms += i64::try_from(by.as_millis()).unwrap();
        let now_ms = hands.now_ms;
        let (due, later) = hands.sleepers.drain(..).partition(|(until, _)| *until <= now_ms);
        hands.sleepers = later;
        let _: Vec<_> = Vec::into_iter(due).map(|(_, wake)| wake.send(())).collect();
    }

    async fn somebody_sleeps(&self) {
        self.asleep.notified().await;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.hands.lock().unwrap().now_ms)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut hands = self.hands.lock().unwrap();
        let until = hands.now_ms + i64::try_from(duration.as_millis()).unwrap();
        let (wake, woken) = oneshot::channel();
        hands.sleepers.push((until, wake));
        self.asleep.notify_one();
        Box::pin(async move { woken.await.unwrap() })
    }
}

fn options() -> Options {
    Options {
        allow_private_networks: true,
        ..Options::default()
    }
}

fn outbound(options: Options) -> Arc<Outbound> {
    Outbound::new(options, Arc::new(SystemClock)).unwrap()
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Answers every connection with these bytes and closes it; counts the connections.
async fn serve_raw(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer).await;
        }
    });
    (address, connections)
}

fn grants(address: SocketAddr) -> Grants {
    Grants {
        hosts: vec!["*.vendor.invalid".into()],
        origins: vec![format!("http://{address}"), format!("https://{address}")],
        secrets: HashMap::from([("password".to_owned(), Secret::new("hunter2"))]),
        oauth2: None,
        operator: Default::default(),
        account: "vendor|ada".into(),
        limits: Limits {
            requests: 100_000,
            per_seconds: 1,
            share: 1.0,
            concurrency_per_lane: 3,
            lanes: Default::default(),
        },
        response_headers: vec!["retry-after".into()],
    }
}

fn request(url: String) -> Request {
    Request {
        id: 7,
        method: "GET".into(),
        url,
        headers: vec![],
        body: None,
        idempotent: false,
        cost: 1,
        lane: "Companies".into(),
    }
}

async fn send(outbound: &Outbound, address: SocketAddr, path: &str) -> Response {
    outbound
        .send(request(format!("http://{address}{path}")), Arc::new(grants(address)))
        .await
        .unwrap()
}

/// Sends with default options and expects that no answer comes; returns the reason.
async fn reason(address: SocketAddr, path: &str) -> String {
    failure(&send(&outbound(options()), address, path).await)
}

fn failure(response: &Response) -> String {
    assert_eq!((response.id, response.status), (7, 0));
    String::from_utf8(response.body.to_vec()).unwrap()
}

fn notification(address: SocketAddr, path: &str) -> Post {
    Post {
        url: format!("http://{address}{path}"),
        id: "evt_1".into(),
        headers: vec![],
        body: Bytes::from_static(b"{}"),
        timeout: Duration::from_secs(30),
    }
}

#[tokio::test]
async fn a_request_arrives_as_the_element_wrote_it_with_its_secrets_filled_in() {
    let echo = |headers: HeaderMap, body: Bytes| async move {
        let header = |name: &str| {
            headers
                .get(name)
                .map_or("-", |value| value.to_str().unwrap())
                .to_owned()
        };
        let text = [
            header("secret"),
            header("content-type"),
            header("user-agent"),
            header("accept-encoding"),
        ]
        .join(" ");
        (
            [("Retry-After", "7"), ("x-other", "8")],
            format!("{text} {}", String::from_utf8_lossy(&body)),
        )
    };
    let address = serve(Router::new().route("/query", post(echo))).await;
    let request = Request {
        method: "POST".into(),
        headers: vec![
            ("Secret".into(), "{{secret:password}}".into()),
            ("Content-Type".into(), "application/json".into()),
        ],
        body: Some(b"{\"MaxRecords\":500}".to_vec()),
        ..request(format!("http://{address}/query"))
    };
    let response = outbound(options())
        .send(request, Arc::new(grants(address)))
        .await
        .unwrap();
    assert_eq!(response.status, 200);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        response.body,
        format!("hunter2 application/json tidegate/{version} - {{\"MaxRecords\":500}}")
    );
    let mut names: Vec<&str> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["date", "retry-after"]);
}

#[tokio::test]
async fn a_request_outside_of_the_grants_is_refused_and_not_sent() {
    let (address, connections) = serve_raw(b"").await;
    let outbound = outbound(options());
    let grants = Arc::new(grants(address));
    let elsewhere = SocketAddr::new(address.ip(), address.port().wrapping_add(1).max(1));
    let good = request(format!("http://{address}/"));
    let headers = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    for bad in [
        request(format!("http://{elsewhere}/")),
        Request {
            headers: headers("a", "{{secret:other}}"),
            ..good.clone()
        },
        Request {
            headers: headers("host", "internal"),
            ..good.clone()
        },
        Request {
            method: "CONNECT".into(),
            ..good
        },
    ] {
        assert!(outbound.send(bad.clone(), grants.clone()).await.is_err(), "{bad:?}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_connection_is_made_to_a_forbidden_address_literal_or_by_name() {
    let (address, connections) = serve_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let strict = outbound(Options::default());
    let by_name = format!("http://localhost:{}", address.port());
    for url in [
        format!("http://{address}"),
        by_name.clone(),
        format!("http://0x7f.1:{}", address.port()),
    ] {
        let grants = Arc::new(Grants {
            origins: vec![url.clone()],
            ..grants(address)
        });
        let reason = failure(&strict.send(request(url.clone()), grants).await.unwrap());
        assert!(reason.starts_with("blocked_address: "), "{reason}");
        assert!(reason.contains("loopback"), "{reason}");
        let unanswered = strict
            .post(Post {
                url,
                ..notification(address, "")
            })
            .await
            .unwrap_err();
        let reason = unanswered.reason;
        assert!(reason.starts_with("blocked_address: "), "{reason}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    let listed = outbound(Options {
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..Options::default()
    });
    assert_eq!(send(&listed, address, "/").await.status, 200);
    let answer = outbound(options())
        .post(Post {
            url: by_name,
            ..notification(address, "")
        })
        .await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let hits = Arc::new(AtomicUsize::new(0));
    let target = |State(hits): State<Arc<AtomicUsize>>| async move { hits.fetch_add(1, Ordering::SeqCst).to_string() };
    let moved = || async { (StatusCode::FOUND, [("location", "/target")]) };
    let router = Router::new()
        .route("/", any(moved))
        .route("/target", any(target))
        .with_state(hits.clone());
    let address = serve(router).await;
    let outbound = outbound(options());
    assert_eq!(send(&outbound, address, "/").await.status, 302);
    assert_eq!(outbound.post(notification(address, "/")).await.unwrap().status, 302);
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_longer_than_the_cap_is_no_answer() {
    let endless = || async {
        Body::from_stream(stream::repeat_with(|| {
            Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024]))
        }))
    };
    let router = Router::new()
        .route("/endless", get(endless))
        .route("/long", get(|| async { vec![b'x'; 10_001] }))
        .route("/full", get(|| async { vec![b'x'; 10_000] }));
    let address = serve(router).await;
    let outbound = outbound(Options {
        vendor_body_bytes_max: 10_000,
        ..options()
    });
    for path in ["/endless", "/long"] {
        let reason = failure(&send(&outbound, address, path).await);
        assert_eq!(reason, "too_long: the answer is longer than 10000 bytes", "{path}");
    }
    let response = send(&outbound, address, "/full").await;
    assert_eq!((response.status, response.body.len()), (200, 10_000));
}

#[tokio::test]
async fn a_long_answer_is_put_together_from_its_pieces() {
    let pieces = || async {
        Body::from_stream(stream::iter(
            (0..5_000).map(|number| Ok::<_, Infallible>(format!("{number:09}\n"))),
        ))
    };
    let address = serve(Router::new().route("/", get(pieces))).await;
    let response = send(&outbound(options()), address, "/").await;
    let lines: Vec<&str> = std::str::from_utf8(&response.body).unwrap().lines().collect();
    assert_eq!((lines.len(), lines[4_999]), (5_000, "000004999"));
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_no_answer() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"items\":["[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n{\"items\":[\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n",
    ] {
        let (address, _) = serve_raw(answer).await;
        let reason = reason(address, "/").await;
        assert!(reason.starts_with("cut_short: the answer ended early: "), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let hang = || std::future::pending::<()>();
    let address = serve(Router::new().route("/", any(hang))).await;
    let timeout = Duration::from_millis(50);
    let outbound = outbound(Options {
        vendor_timeout: timeout,
        ..options()
    });
    let reason = failure(&send(&outbound, address, "/").await);
    assert_eq!(reason, "timeout: no answer within 50 ms");
    let post = Post {
        timeout,
        ..notification(address, "/")
    };
    let unanswered = outbound.post(post).await.unwrap_err();
    assert_eq!(unanswered.reason, "timeout: no answer within 50 ms");
    assert_eq!(unanswered.trouble, Trouble::Timeout);
}

#[tokio::test]
async fn the_reasons_for_no_answer_are_told_apart_and_show_no_query() {
    let (closing, _) = serve_raw(b"").await;
    let (plain, _) = serve_raw(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let outbound = outbound(options());
    // No resolver asks the network for a label of more than 63 characters.
    let nameless = format!("{}.invalid", "x".repeat(64));
    for (url, kind) in [
        (
            format!("http://{closing}/?key=hunter2"),
            "reset: no answer came: 127.0.0.1: ",
        ),
        (format!("http://{free}/?key=hunter2"), "connect: 127.0.0.1: "),
        (format!("https://{plain}/?key=hunter2"), "tls: 127.0.0.1: "),
        (format!("http://{nameless}/?key=hunter2"), "dns: xxxx"),
    ] {
        let grants = Arc::new(Grants {
            origins: vec![url.clone()],
            ..grants(plain)
        });
        let vendor = failure(&outbound.send(request(url.clone()), grants).await.unwrap());
        let callback = outbound
            .post(Post {
                url,
                ..notification(plain, "")
            })
            .await
            .unwrap_err()
            .reason;
        for reason in [vendor, callback] {
            assert!(reason.starts_with(kind), "expected {kind}, found {reason}");
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }
}

#[tokio::test]
async fn an_idempotent_request_is_sent_once_more_when_the_connection_breaks() {
    let (address, connections) = serve_raw(b"").await;
    let outbound = outbound(options());
    for (idempotent, sent) in [(false, 1), (true, 2)] {
        connections.store(0, Ordering::SeqCst);
        let request = Request {
            idempotent,
            ..request(format!("http://{address}/"))
        };
        failure(&outbound.send(request, Arc::new(grants(address))).await.unwrap());
        assert_eq!(connections.load(Ordering::SeqCst), sent, "idempotent: {idempotent}");
    }
    outbound.post(notification(address, "/")).await.unwrap_err();
    assert_eq!(
        connections.load(Ordering::SeqCst),
        3,
        "a notification is posted once an attempt"
    );
}

#[tokio::test]
async fn a_second_try_that_is_answered_is_the_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        drop(listener.accept().await.unwrap());
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4096]).await;
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .await
            .unwrap();
    });
    let request = Request {
        idempotent: true,
        ..request(format!("http://{address}/"))
    };
    let response = outbound(options())
        .send(request, Arc::new(grants(address)))
        .await
        .unwrap();
    assert_eq!((response.status, &response.body[..]), (200, &b"ok"[..]));
}

/// Answers only when three requests are inside, and remembers the most that ever were.
struct Threes {
    inside: AtomicUsize,
    most: AtomicUsize,
    gate: Barrier,
}

#[tokio::test]
async fn three_requests_of_a_lane_are_under_way_and_never_four() {
    let threes = Arc::new(Threes {
        inside: 0.into(),
        most: 0.into(),
        gate: Barrier::new(3),
    });
    let enter = |State(threes): State<Arc<Threes>>| async move {
        let inside = threes.inside.fetch_add(1, Ordering::SeqCst) + 1;
        threes.most.fetch_max(inside, Ordering::SeqCst);
        threes.gate.wait().await;
        threes.inside.fetch_sub(1, Ordering::SeqCst);
    };
    let address = serve(Router::new().route("/", get(enter)).with_state(threes.clone())).await;
    let outbound = outbound(options());
    let responses = join_all((0..30).map(|_| send(&outbound, address, "/"))).await;
    assert!(responses.iter().all(|response| response.status == 200));
    assert_eq!(threes.most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn nothing_reaches_a_vendor_whose_account_was_paused() {
    let hits = Arc::new(AtomicUsize::new(0));
    let count = |State(hits): State<Arc<AtomicUsize>>| async move { hits.fetch_add(1, Ordering::SeqCst).to_string() };
    let address = serve(Router::new().route("/", get(count)).with_state(hits.clone())).await;
    let clock = Arc::new(HandClock::default());
    let outbound = Outbound::new(options(), clock.clone()).unwrap();
    outbound.pause("vendor|ada", Timestamp::from_ms(120_000));
    let sent = tokio::spawn(outbound.send(request(format!("http://{address}/")), Arc::new(grants(address))));
    clock.somebody_sleeps().await;
    clock.advance(Duration::from_millis(119_999));
    assert_eq!(hits.load(Ordering::SeqCst), 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(sent.await.unwrap().unwrap().status, 200);
}

#[tokio::test]
async fn a_notification_is_posted_as_given_and_its_answer_is_read_in_part() {
    let received = Arc::new(Mutex::new(Vec::new()));
    let receive = |State(received): State<Arc<Mutex<Vec<String>>>>, headers: HeaderMap, body: Bytes| async move {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let text = format!(
            "{} {} {}",
            header("content-type"),
            header("user-agent"),
            String::from_utf8_lossy(&body)
        );
        received.lock().unwrap().push(text);
        let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024])));
        let headers = [("retry-after", "120"), ("date", "Wed, 30 Aug 2017 19:19:29 GMT")];
        (StatusCode::TOO_MANY_REQUESTS, headers, Body::from_stream(endless))
    };
    let address = serve(Router::new().route("/hook", post(receive)).with_state(received.clone())).await;
    let content_type = (
        "Content-Type".to_owned(),
        Secret::new("application/json; charset=utf-8"),
    );
    let outbound = outbound(Options {
        user_agent: "tidegate-test".into(),
        ..options()
    });
    let post = Post {
        headers: vec![content_type],
        ..notification(address, "/hook")
    };
    let answer = outbound.post(post).await.unwrap();
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), Some("120"));
    assert_eq!(answer.header("date"), Some("Wed, 30 Aug 2017 19:19:29 GMT"));
    assert_eq!(
        *received.lock().unwrap(),
        ["application/json; charset=utf-8 tidegate-test {}"]
    );
}

#[tokio::test]
async fn notifications_to_one_callback_share_a_connection() {
    let addresses = Arc::new(Mutex::new(Vec::new()));
    let receive = |State(addresses): State<Arc<Mutex<Vec<SocketAddr>>>>,
                   axum::extract::ConnectInfo(peer): axum::extract::ConnectInfo<SocketAddr>| async move {
        addresses.lock().unwrap().push(peer);
        "thank you"
    };
    let router = Router::new().route("/", post(receive)).with_state(addresses.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let outbound = outbound(options());
    for _ in 0..5 {
        assert_eq!(outbound.post(notification(address, "/")).await.unwrap().status, 200);
    }
    let mut addresses = addresses.lock().unwrap().clone();
    addresses.dedup();
    assert_eq!(addresses.len(), 1);
}

#[tokio::test]
async fn a_notification_that_cannot_be_posted_says_why_and_shows_no_secret() {
    let (address, connections) = serve_raw(b"").await;
    let outbound = outbound(options());
    let broken = vec![("authorization".to_owned(), Secret::new("hunter2\r\nx: y"))];
    let reason = outbound
        .post(Post {
            headers: broken,
            ..notification(address, "/")
        })
        .await
        .unwrap_err()
        .reason;
    assert!(
        reason.starts_with("header: ") && !reason.contains("hunter2"),
        "{reason}"
    );
    let reason = outbound
        .post(Post {
            url: "nonsense".into(),
            ..notification(address, "/")
        })
        .await
        .unwrap_err()
        .reason;
    assert!(reason.starts_with("url: "), "{reason}");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn of_an_answers_headers_a_few_kilobytes_are_kept_and_what_steers_retries_is_among_them() {
    let answer = || async {
        let mut headers = HeaderMap::new();
        for number in 0..40 {
            let name: axum::http::HeaderName = format!("x-{number}").parse().unwrap();
            headers.insert(name, "y".repeat(4_000).parse().unwrap());
        }
        headers.insert("retry-after", "120".parse().unwrap());
        headers.insert("webhook-delivery", "disable".parse().unwrap());
        (StatusCode::SERVICE_UNAVAILABLE, headers)
    };
    let address = serve(Router::new().route("/", post(answer))).await;
    let answer = outbound(options()).post(notification(address, "/")).await.unwrap();
    let bytes: usize = answer
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(bytes <= 4_096, "{bytes}");
    assert_eq!(answer.header("retry-after"), Some("120"));
    assert_eq!(answer.header("webhook-delivery"), Some("disable"));
    assert!(answer.header("date").is_some());
}
