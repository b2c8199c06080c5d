//! Posting notifications to one callback: the gateway's way out against a bare hyper client with the same bodies, headers and
//! kept connections, and a receiver in a thread of its own.
//! Must not measure the store or the signing: this is the way from a notification's bytes to an answer's status.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod report;
mod turns;

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use axum::Router;
use axum::http::{Request, StatusCode, Uri};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tidegate::clock::SystemClock;
use tidegate::domain::secret::Secret;
use tidegate::outbound::{Options, Outbound};
use tidegate::ports::{Callback, Post};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use report::Target;

const EVENT_BYTES: usize = 1_100;
const AT_A_TIME: usize = 16;
const POSTS_PER_PASS: usize = 16_000;
const PASSES: usize = 9;
const TARGET: Target = Target { floor: 0.55, goal: 0.9 };
/// As the gateway sends them; the signature is as long as a real one.
const HEADERS: [(&str, &str); 2] = [
    ("content-type", "application/json"),
    (
        "elements-webhook-signature",
        "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ=",
    ),
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads can be started");
    let url = receive();
    report::print_head("deliver: POSTs to one callback, 16 at a time");
    let bare = Bare::new(&url);
    let ours = Ours::new(&url);
    let mut ratios = Vec::new();
    for events in [1, 10] {
        let body = Bytes::from(vec![b'x'; events * EVENT_BYTES]);
        let mut run = |side: usize| {
            let started = Instant::now();
            match side {
                0 => at_a_time(&runtime, &bare, &body),
                _ => at_a_time(&runtime, &ours, &body),
            }
            (POSTS_PER_PASS * events) as f64 / started.elapsed().as_secs_f64()
        };
        turns::in_turn::<_, 2>(2, &mut run);
        let [bare, ours] = turns::in_turn(PASSES, run);
        println!(
            "{events:>2} events a POST: bare hyper {:>9.0} events/s, gateway {:>9.0} events/s",
            report::median(bare.iter().copied()),
            report::median(ours.iter().copied())
        );
        ratios.push((events, ours.into_iter().zip(bare).map(|(ours, bare)| ours / bare)));
    }
    println!();
    for (events, passes) in ratios {
        report::print_ratio(&format!("gateway ÷ bare hyper, {events} events a POST"), passes, TARGET);
    }
}

/// A receiver that answers 200 at once, on one thread; returns its URL.
fn receive() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("a listener can be non-blocking");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it is non-blocking");
            let listener = listener.tap_io(|stream| {
                // Otherwise an answer may wait for the next request.
                stream.set_nodelay(true).expect("a TCP stream has this option");
            });
            let router = Router::new().route("/callback", post(|_: Bytes| async { "{}" }));
            axum::serve(listener, router).await
        })
    });
    format!("http://{address}/callback")
}

trait Sends: Clone + Send + 'static {
    fn send(&self, body: Bytes) -> impl Future<Output = u16> + Send;
}

fn at_a_time(runtime: &Runtime, sender: &impl Sends, body: &Bytes) {
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..AT_A_TIME {
            let (sender, body) = (sender.clone(), body.clone());
            tasks.spawn(async move {
                for _ in 0..POSTS_PER_PASS / AT_A_TIME {
                    assert_eq!(sender.send(body.clone()).await, StatusCode::OK.as_u16());
                }
            });
        }
        tasks.join_all().await;
    });
}

#[derive(Clone)]
struct Bare {
    client: Client<HttpConnector, Full<Bytes>>,
    uri: Uri,
}

impl Bare {
    fn new(url: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            uri: url.parse().expect("a plain URL"),
        }
    }
}

impl Sends for Bare {
    async fn send(&self, body: Bytes) -> u16 {
        let mut request = Request::post(self.uri.clone());
        for (name, value) in HEADERS {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).expect("plain headers");
        let answer = self.client.request(request).await.expect("the receiver answers");
        let status = answer.status().as_u16();
        answer
            .into_body()
            .collect()
            .await
            .expect("the receiver finishes its answers");
        status
    }
}

#[derive(Clone)]
struct Ours {
    outbound: Arc<Outbound>,
    url: String,
}

impl Ours {
    fn new(url: &str) -> Self {
        let options = Options {
            allow_private_networks: true,
            ..Options::default()
        };
        Self {
            outbound: Outbound::new(options, Arc::new(SystemClock)).expect("a client can be made"),
            url: url.to_owned(),
        }
    }
}

impl Sends for Ours {
    async fn send(&self, body: Bytes) -> u16 {
        let headers = HEADERS.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let post = Post {
            url: self.url.clone(),
            id: String::new(),
            headers: headers.into(),
            body,
            timeout: Duration::from_secs(30),
        };
        self.outbound.post(post).await.expect("the receiver answers").status
    }
}
