//! How fast a poll's page is compared and committed, as a ratio to appending the same bytes to a bare file and syncing it.
//! Measures the store alone: no element, no HTTP, no delivery.
//!
//! A million fingerprints are stored; each page reads those of 500 records and commits the changed ones with an event of
//! 1.1 kB each, ten to a notification. Both sides sync every page. Ratios are taken pass by pass, within which
//! both sides take turns, and their median is printed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod process;
mod report;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate::domain::delivery::{Delivery, DeliveryStatus};
use tidegate::domain::event::{Change, Event, Format, Notification};
use tidegate::domain::id::{InstanceId, ResourceKey};
use tidegate::domain::instance::{DeliverySettings, Events, FirstSight, Instance};
use tidegate::domain::poll::ResourceState;
use tidegate::domain::record::Fingerprint;
use tidegate::domain::time::Timestamp;
use tidegate::ports::{Durability, Horizon, PageCommit, Settlement, Store};
use tidegate::store::sled::{Options, SledStore};

use report::{Target, median};

const RECORDS: u64 = 1_000_000;
const FIRST_ID: u64 = 29_000_000; // eight digits, as Autotask's
const PAGE: u64 = 500;
const PAGES_PER_PASS: u64 = 100;
const PAGES_PER_TURN: usize = 10;
const PASSES: usize = 5;
const EVENT_BYTES: usize = 1_100;
const EVENTS_PER_NOTIFICATION: usize = 10;
/// What a fingerprint takes on disk, without its id.
const FINGERPRINT_BYTES: usize = 20;

/// Which records a page holds and how many of them changed.
struct Load {
    name: &'static str,
    neighbours: bool,
    changed_percent: u64,
    target: Option<Target>,
}

const LOADS: [Load; 6] = [
    load("random, 1 % changed", false, 1, None),
    load(
        "random, 10 % changed",
        false,
        10,
        Some(Target { floor: 0.15, goal: 0.4 }),
    ),
    load("random, 100 % changed", false, 100, None),
    load("neighbours, 1 % changed", true, 1, None),
    load("neighbours, 10 % changed", true, 10, None),
    load(
        "neighbours, 100 % changed",
        true,
        100,
        Some(Target { floor: 0.25, goal: 0.6 }),
    ),
];

const fn load(name: &'static str, neighbours: bool, changed_percent: u64, target: Option<Target>) -> Load {
    Load {
        name,
        neighbours,
        changed_percent,
        target,
    }
}

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory can be written to");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads can be started");
    report::print_head("store: pages of 500 compared and committed over a million fingerprints");
    runtime.block_on(measure(dir.path()));
}

async fn measure(dir: &Path) {
    let data = dir.join("data");
    let store = SledStore::open(&data, Options::default()).expect("a fresh directory can be opened");
    let mut poll = Poll::create(store.clone()).await;
    let started = Instant::now();
    poll.fill().await;
    println!(
        "{RECORDS} fingerprints stored in {:.1} s, {} MiB on disk, process {} MiB at its peak\n",
        started.elapsed().as_secs_f64(),
        size_bytes(&data) >> 20,
        process::peak_mib("self")
    );
    let mut bare = File::create(dir.join("bare")).expect("the target directory can be written to");
    let mut passes: Vec<Vec<Pass>> = LOADS.iter().map(|_| Vec::new()).collect();
    for _ in 0..PASSES {
        for (load, passes) in LOADS.iter().zip(&mut passes) {
            passes.push(poll.pass(load, &mut bare).await);
        }
    }
    println!(
        "{:<26} {:>9} {:>14} {:>6} {:>14} {:>14} {:>10}",
        "ids, share changed", "commits/s", "bare appends/s", "ratio", "CPU ms/commit", "bytes ÷ needed", "settled/s"
    );
    for (load, passes) in LOADS.iter().zip(&passes) {
        let per_second = |time: fn(&Pass) -> f64| median(passes.iter().map(|pass| PAGES_PER_PASS as f64 / time(pass)));
        println!(
            "{:<26} {:>9.0} {:>14.0} {:>6.2} {:>14.2} {:>14.1} {:>10.0}",
            load.name,
            per_second(|pass| pass.commits.as_secs_f64()),
            per_second(|pass| pass.bare.as_secs_f64()),
            median(passes.iter().map(Pass::ratio)),
            median(passes.iter().map(|pass| pass.cpu * 1e3 / PAGES_PER_PASS as f64)),
            median(passes.iter().map(|pass| pass.amplification)),
            per_second(|pass| pass.settled.as_secs_f64()),
        );
    }
    println!(
        "\n{} MiB on disk after it, process {} MiB at its peak, {:?}\n",
        size_bytes(&data) >> 20,
        process::peak_mib("self"),
        store.stats()
    );
    for (load, passes) in LOADS.iter().zip(&passes) {
        if let Some(target) = load.target {
            let name = format!("commits ÷ bare appends, {}", load.name);
            report::print_ratio(&name, passes.iter().map(Pass::ratio), target);
        }
    }
}

/// What one pass took.
#[derive(Default)]
struct Pass {
    commits: Duration,
    /// CPU seconds of the commits, of all threads.
    cpu: f64,
    /// Bytes that the commits wrote to the disk, divided by what they had to say.
    amplification: f64,
    settled: Duration,
    bare: Duration,
}

impl Pass {
    fn ratio(&self) -> f64 {
        self.bare.as_secs_f64() / self.commits.as_secs_f64()
    }
}

/// One resource that is polled over and over.
struct Poll {
    store: Arc<SledStore>,
    resource: ResourceKey,
    state: ResourceState,
    now: Timestamp,
    dice: Dice,
}

impl Poll {
    async fn create(store: Arc<SledStore>) -> Self {
        let now = Timestamp::from_ms(1_700_000_000_000);
        let state = ResourceState::new(Some(now));
        let created = store
            .create_instance(instance(now), vec![("accounts".into(), state.clone())])
            .await;
        Self {
            store,
            resource: ResourceKey {
                instance: created.expect("a fresh store takes an instance").id,
                resource: "accounts".into(),
            },
            state,
            now,
            dice: Dice(42),
        }
    }

    /// The baseline: everything is unknown, in order of id, without events.
    async fn fill(&mut self) {
        for page in 0..RECORDS / PAGE {
            let ids: Vec<u64> = (0..PAGE).map(|record| FIRST_ID + page * PAGE + record).collect();
            self.page(&ids, ids.len(), false, Durability::Lazy).await;
        }
        self.store.sync().await.expect("the disk takes a sync");
    }

    async fn pass(&mut self, load: &Load, bare: &mut File) -> Pass {
        let pages: Vec<Vec<u64>> = (0..PAGES_PER_PASS).map(|_| self.ids(load)).collect();
        let changed = (PAGE * load.changed_percent / 100) as usize;
        let bytes = vec![7; changed * (EVENT_BYTES + FINGERPRINT_BYTES + 8) + 200];
        let mut pass = Pass::default();
        let mut written = 0;
        // In small turns: how long the disk takes for a sync changes several times over within seconds.
        for turn in pages.chunks(PAGES_PER_TURN) {
            let (cpu, bytes_before) = (process::cpu_seconds("self"), written_bytes());
            let started = Instant::now();
            for ids in turn {
                self.page(ids, changed, true, Durability::Synced).await;
            }
            pass.commits += started.elapsed();
            pass.cpu += process::cpu_seconds("self") - cpu;
            written += written_bytes() - bytes_before;

            let started = Instant::now();
            for _ in turn {
                bare.write_all(&bytes).expect("the disk is not full");
                bare.sync_data().expect("the disk takes a sync");
            }
            pass.bare += started.elapsed();
        }
        pass.amplification = written as f64 / (bytes.len() * pages.len()) as f64;
        pass.settled = self.settle().await;
        // Otherwise the store grows from pass to pass.
        let before = Horizon {
            delivered: self.now,
            undelivered: self.now,
        };
        while self.store.purge(before, 1_000).await.expect("purging works") == 1_000 {}
        self.store.sync().await.expect("the disk takes a sync");
        pass
    }

    fn ids(&mut self, load: &Load) -> Vec<u64> {
        if load.neighbours {
            let start = self.dice.below(RECORDS - PAGE);
            return (start..start + PAGE).map(|record| FIRST_ID + record).collect();
        }
        let mut ids = std::collections::BTreeSet::new();
        while ids.len() < PAGE as usize {
            ids.insert(FIRST_ID + self.dice.below(RECORDS));
        }
        ids.into_iter().collect()
    }

    /// Compares a page with what is remembered and commits it; the first `changed` of its records, spread over it, changed.
    async fn page(&mut self, ids: &[u64], changed: usize, events: bool, durability: Durability) {
        let texts: Vec<String> = ids.iter().map(u64::to_string).collect();
        let known = self.store.fingerprints(self.resource.clone(), texts.clone()).await;
        let known = known.expect("fingerprints can be read");
        let step = ids.len() / changed.max(1);
        let fingerprints: Vec<(String, Fingerprint)> = (0..changed)
            .map(|place| place * step)
            .map(|place| {
                assert_eq!(known[place].is_some(), events, "the baseline is known, nothing else");
                let version = known[place].map_or(0, |known| known.version) + 1;
                let digest = u128::from(self.dice.next()) << 64 | u128::from(ids[place]);
                let fingerprint = Fingerprint {
                    digest,
                    projection: 1,
                    version,
                    deleted: false,
                };
                (texts[place].clone(), fingerprint)
            })
            .collect();
        let notifications = if events {
            self.notifications(&fingerprints)
        } else {
            Vec::new()
        };
        self.now = self.now.plus(Duration::from_secs(1));
        self.state.revision += 1;
        self.state.watermark = Some(self.now);
        self.state.due = Some(self.now.plus(Duration::from_secs(60)));
        let page = PageCommit {
            resource: self.resource.clone(),
            state: self.state.clone(),
            fingerprints,
            notifications,
            deliver: true,
            memo: None,
            sketches: None,
            durability,
        };
        self.store.commit(page).await.expect("nobody else commits");
    }

    fn notifications(&mut self, changed: &[(String, Fingerprint)]) -> Vec<Notification> {
        changed
            .chunks(EVENTS_PER_NOTIFICATION)
            .map(|chunk| {
                let events = chunk.iter().map(|(record, fingerprint)| {
                    self.state.next_sequence += 1;
                    Event {
                        id: format!("evt_{:026x}", fingerprint.digest >> 24),
                        sequence: self.state.next_sequence - 1,
                        change: Change::Updated,
                        record: record.clone(),
                        date: self.now,
                        before: None,
                        after: Some(fingerprint.digest),
                        fields: None,
                    }
                });
                let events: Vec<Event> = events.collect();
                Notification {
                    id: format!("msg_{}", events[0].id),
                    resource: "accounts".into(),
                    created: self.now,
                    format: Format::Elements,
                    body: vec![b'x'; chunk.len() * EVENT_BYTES].into(),
                    events,
                }
            })
            .collect()
    }

    /// Settles what the pass left in the outbox, as deliveries would: a hundred at a time. Reading is not timed.
    async fn settle(&mut self) -> Duration {
        let mut took = Duration::ZERO;
        loop {
            let outgoing = self
                .store
                .outbox(self.resource.instance, 100)
                .await
                .expect("the outbox can be read");
            if outgoing.is_empty() {
                return took;
            }
            let settlements = outgoing.iter().map(|outgoing| Settlement {
                id: outgoing.id,
                delivery: Delivery {
                    attempts: 1,
                    ..Delivery::new(DeliveryStatus::Delivered, None)
                },
                attempt: None,
            });
            let settlements: Vec<Settlement> = settlements.collect();
            let started = Instant::now();
            self.store
                .settle(self.resource.instance, settlements.into())
                .await
                .expect("what was read can be settled");
            took += started.elapsed();
        }
    }
}

fn instance(now: Timestamp) -> Instance {
    Instance {
        revision: 0,
        id: InstanceId(0),
        name: "bench".into(),
        element: "autotaskcrm".into(),
        tags: Vec::new(),
        created: now,
        updated: now,
        token_hash: "0".repeat(64),
        old_tokens: Vec::new(),
        enabled: true,
        configuration: Default::default(),
        secrets: Default::default(),
        previous_keys: Vec::new(),
        events: Events {
            enabled: true,
            callback_url: None,
            refresh_interval_ms: 60_000,
            first_sight: FirstSight::Baseline,
            pollers: Vec::new(),
            delivery: DeliverySettings::default(),
        },
        warnings: Vec::new(),
    }
}

/// SplitMix64: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

fn size_bytes(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::metadata(path) else {
        return 0;
    };
    if metadata.is_file() {
        return metadata.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size_bytes(&entry.path())).sum()
}

/// By this process, by Linux; zero elsewhere.
fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}
