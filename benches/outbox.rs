//! From a synced commit to the receiver: the whole of delivery, with the store, signatures and the record of every attempt.
//! Must not measure polling: commits come from the benchmark itself.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod report;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Request, Uri};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tidegate::clock::{SystemClock, SystemEntropy};
use tidegate::domain::event::{Change, Event, Format, Notification};
use tidegate::domain::id::{InstanceId, ResourceKey};
use tidegate::domain::instance::{DeliverySettings, Events, FirstSight, Instance};
use tidegate::domain::poll::ResourceState;
use tidegate::domain::time::Timestamp;
use tidegate::element_host::{ElementHost, Limits, Options as HostOptions};
use tidegate::engine::configuration::SIGNATURE_KEY;
use tidegate::outbound::{Options as OutboundOptions, Outbound};
use tidegate::ports::{Durability, PageCommit, Store, Vault as _};
use tidegate::service::{Adapters, Gateway, Settings, deliver};
use tidegate::store::files::Files;
use tidegate::store::sled::{Options as StoreOptions, SledStore};
use tidegate::vault::FileVault;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use report::Target;

const EVENT_BYTES: usize = 1_100;
const AT_A_TIME: usize = 16;
/// Notifications of a throughput pass.
const BACKLOG: usize = 2_000;
const PASSES: usize = 5;
const RATE: Target = Target { floor: 0.15, goal: 0.6 };

/// Instances that change at the same time, and for how long; each commits one event every tenth of a second.
const INSTANCES: usize = 100;
const EVERY: Duration = Duration::from_millis(100);
const LASTS: Duration = Duration::from_secs(10);
const LATENCY_PASSES: usize = 5;
/// How much one dead receiver among a hundred slows the others.
const DEAD: Target = Target { floor: 1.5, goal: 1.1 };

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads can be started");
    report::print_head("outbox: from a synced commit to the receiver");
    let receiver = Receiver::start();
    runtime.block_on(async {
        throughput(&receiver, 10).await;
        throughput(&receiver, 1).await;
        println!();
        let mut sides = [Vec::new(), Vec::new()];
        for pass in 0..2 * LATENCY_PASSES {
            let side = (pass + pass / 2) % 2;
            sides[side].push(latency(&receiver, side == 1).await);
        }
        for (passes, what) in sides.iter().zip(["all receivers healthy", "one of a hundred dead"]) {
            let [half, most, nearly_all] = [0, 1, 2].map(|share| report::median(passes.iter().map(|pass| pass[share])));
            println!(
                "{what}: 1,000 events/s, synced commit to first POST p50 {half:.2} ms, p95 {most:.2} ms, p99 {nearly_all:.2} ms"
            );
        }
        let [healthy, dead]: [Vec<[f64; 3]>; 2] = sides;
        let ratios = dead.into_iter().zip(healthy).map(|(dead, healthy)| dead[1] / healthy[1]);
        report::print_ratio("p95 with one dead receiver ÷ without", ratios, DEAD);
    });
}

/// Answers at once, on a thread of its own, and remembers when each notification came first.
struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    count: AtomicUsize,
    first: Mutex<HashMap<String, Instant>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        let seen = Arc::<Seen>::default();
        let shared = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("it is non-blocking");
                let listener = listener.tap_io(|stream| {
                    stream.set_nodelay(true).expect("a TCP stream has this option");
                });
                let router = Router::new()
                    .route("/callback", post(take))
                    .route("/hang", post(|_: Bytes| std::future::pending::<()>()))
                    .with_state(shared);
                axum::serve(listener, router).await
            })
        });
        Self { address, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    async fn wait_for(&self, count: usize) {
        while self.seen.count.load(Ordering::Relaxed) < count {
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }
}

async fn take(State(seen): State<Arc<Seen>>, headers: HeaderMap, _: Bytes) -> &'static str {
    let now = Instant::now();
    if let Some(id) = headers.get("elements-webhook-id").and_then(|id| id.to_str().ok()) {
        let mut first = seen.first.lock().expect("nobody panics");
        first.entry(id.to_owned()).or_insert(now);
    }
    seen.count.fetch_add(1, Ordering::Relaxed);
    "{}"
}

/// A gateway without polls, in a directory of its own.
struct Bench {
    gateway: Arc<Gateway>,
    store: Arc<SledStore>,
    vault: Arc<FileVault>,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        // On the disk that is built on, not in memory: syncs are what is measured.
        let dir = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("a directory");
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let store = SledStore::open(&dir.path().join("store"), StoreOptions::default()).expect("a store");
        let vault = Arc::new(FileVault::open(dir.path(), entropy.clone()).expect("a vault"));
        let options = OutboundOptions {
            allow_private_networks: true,
            ..OutboundOptions::default()
        };
        let outbound = Outbound::new(options, clock.clone()).expect("a client");
        let elements = ElementHost::new(HostOptions {
            workers: 1,
            limits: Limits::default(),
            cache_dir: None,
        });
        let gateway = Gateway::new(
            Adapters {
                store: store.clone(),
                elements: elements.expect("an element host"),
                vendor: outbound.clone(),
                callback: outbound,
                clock,
                entropy,
                vault: vault.clone(),
                files: Arc::new(Files::open(&dir.path().join("files")).expect("a folder")),
            },
            Settings::default(),
        );
        Self {
            gateway,
            store,
            vault,
            _dir: dir,
        }
    }

    async fn instance(&self, number: usize, url: &str) -> Feed {
        let now = self.gateway.clock.now();
        let key = STANDARD.encode(self.vault.seal(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let instance = Instance {
            id: InstanceId(0),
            revision: 0,
            name: "bench".into(),
            element: "autotaskcrm".into(),
            tags: Vec::new(),
            created: now,
            updated: now,
            token_hash: format!("{number:064}"),
            enabled: true,
            configuration: Default::default(),
            secrets: [(SIGNATURE_KEY.to_owned(), key)].into(),
            events: Events {
                enabled: true,
                callback_url: Some(url.to_owned()),
                refresh_interval_ms: 60_000,
                first_sight: FirstSight::Baseline,
                pollers: Vec::new(),
                delivery: DeliverySettings::default(),
            },
            warnings: Vec::new(),
            previous_keys: Vec::new(),
            old_tokens: Vec::new(),
        };
        let state = ResourceState::new(None);
        let rows = vec![("accounts".to_owned(), state.clone())];
        let made = self
            .store
            .create_instance(instance, rows)
            .await
            .expect("a new instance");
        let resource = ResourceKey {
            instance: made.id,
            resource: "accounts".into(),
        };
        Feed {
            store: self.store.clone(),
            resource,
            state,
            made: 0,
        }
    }

    fn deliver(&self) -> (CancellationToken, tokio::task::JoinHandle<()>) {
        let stop = CancellationToken::new();
        (stop.clone(), tokio::spawn(deliver::run(self.gateway.clone(), stop)))
    }
}

/// Commits notifications for one instance, as its polls would.
struct Feed {
    store: Arc<SledStore>,
    resource: ResourceKey,
    state: ResourceState,
    made: u64,
}

impl Feed {
    async fn commit(&mut self, notifications: usize, events: usize, now: Timestamp) -> Vec<String> {
        let notifications: Vec<Notification> = (0..notifications).map(|_| self.notification(events, now)).collect();
        let ids = notifications
            .iter()
            .map(|notification| notification.id.clone())
            .collect();
        self.state.revision += 1;
        let page = PageCommit {
            resource: self.resource.clone(),
            state: self.state.clone(),
            fingerprints: Vec::new(),
            notifications,
            deliver: true,
            memo: None,
            sketches: None,
            durability: Durability::Synced,
        };
        self.store.commit(page).await.expect("nobody else commits");
        ids
    }

    fn notification(&mut self, events: usize, now: Timestamp) -> Notification {
        let event = |_| {
            self.made += 1;
            Event {
                id: format!("e{:019}", self.made),
                sequence: self.made,
                change: Change::Updated,
                record: self.made.to_string(),
                date: now,
                before: Some(1),
                after: Some(2),
                fields: None,
            }
        };
        let all: Vec<Event> = (0..events).map(event).collect();
        Notification {
            id: format!("n{:09}{:010}", self.resource.instance.0, self.made),
            resource: self.resource.resource.clone(),
            created: now,
            events: all,
            format: Format::Elements,
            body: vec![b'x'; events * EVENT_BYTES].into(),
        }
    }
}

/// A backlog drained to one healthy receiver, every attempt synced, against a bare client that posts the same bodies.
async fn throughput(receiver: &Receiver, events: usize) {
    let mut ratios = Vec::new();
    let (mut rates, mut bare_rates) = (Vec::new(), Vec::new());
    for _ in 0..PASSES {
        let bench = Bench::new();
        let mut feed = bench.instance(1, &receiver.url("callback")).await;
        let now = bench.gateway.clock.now();
        for _ in 0..BACKLOG / 20 {
            feed.commit(20, events, now).await;
        }
        let before = receiver.seen.count.load(Ordering::Relaxed);
        let started = Instant::now();
        let (stop, task) = bench.deliver();
        receiver.wait_for(before + BACKLOG).await;
        let ours = (BACKLOG * events) as f64 / started.elapsed().as_secs_f64();
        stop.cancel();
        task.await.expect("the deliverer ends");
        let bare = bare(&receiver.url("callback"), events).await;
        ratios.push(ours / bare);
        rates.push(ours);
        bare_rates.push(bare);
    }
    println!(
        "{events:>2} events a POST: bare hyper {:>9.0} events/s, gateway {:>9.0} events/s",
        report::median(bare_rates),
        report::median(rates)
    );
    let name = format!("delivery with every attempt synced ÷ bare hyper, {events} a POST");
    report::print_ratio(&name, ratios, RATE);
}

async fn bare(url: &str, events: usize) -> f64 {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let uri: Uri = url.parse().expect("a plain URL");
    let body = Bytes::from(vec![b'x'; events * EVENT_BYTES]);
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..AT_A_TIME {
        let (client, uri, body) = (client.clone(), uri.clone(), body.clone());
        tasks.spawn(async move {
            for _ in 0..BACKLOG / AT_A_TIME {
                let request = Request::post(uri.clone())
                    .header("content-type", "application/json")
                    .body(Full::new(body.clone()))
                    .expect("plain headers");
                let answer = client.request(request).await.expect("the receiver answers");
                answer.into_body().collect().await.expect("it finishes");
            }
        });
    }
    tasks.join_all().await;
    (BACKLOG * events) as f64 / started.elapsed().as_secs_f64()
}

/// 1,000 events a second over a hundred instances: from the synced commit to the first POST, p50, p95 and p99 in
/// milliseconds.
async fn latency(receiver: &Receiver, one_is_dead: bool) -> [f64; 3] {
    let bench = Bench::new();
    let mut feeds = Vec::new();
    for number in 0..INSTANCES {
        let path = if one_is_dead && number == 0 { "hang" } else { "callback" };
        feeds.push(bench.instance(number, &receiver.url(path)).await);
    }
    let (stop, task) = bench.deliver();
    let mut tasks = JoinSet::new();
    for (number, mut feed) in feeds.into_iter().enumerate() {
        let clock = bench.gateway.clone();
        tasks.spawn(async move {
            tokio::time::sleep(EVERY.mul_f64(number as f64 / INSTANCES as f64)).await;
            let mut ticks = tokio::time::interval(EVERY);
            let started = Instant::now();
            let mut committed = Vec::new();
            while started.elapsed() < LASTS {
                ticks.tick().await;
                let ids = feed.commit(1, 1, clock.clock.now()).await;
                clock.deliveries.notify_one();
                let at = Instant::now();
                if !(one_is_dead && number == 0) {
                    committed.extend(ids.into_iter().map(|id| (id, at)));
                }
            }
            committed
        });
    }
    let committed: Vec<(String, Instant)> = tasks.join_all().await.into_iter().flatten().collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.cancel();
    let first = std::mem::take(&mut *receiver.seen.first.lock().expect("nobody panics"));
    let arrived =
        |(id, at): &(String, Instant)| Some(first.get(id)?.saturating_duration_since(*at).as_secs_f64() * 1e3);
    let mut delays: Vec<f64> = committed.iter().filter_map(arrived).collect();
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    assert_eq!(
        delays.len(),
        committed.len(),
        "every event of a healthy receiver arrives"
    );
    // POSTs to the dead one end with their time-out.
    task.abort();
    [at(0.5), at(0.95), at(0.99)]
}
