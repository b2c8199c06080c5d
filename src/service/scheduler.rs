//! Starts the polls that are due. Keeps nothing in memory per idle instance: due times are ordered keys in the store.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use super::Gateway;
use crate::domain::id::{InstanceId, ResourceKey};
use crate::ports::Skip;

/// Longest sleep of the scheduler: a wake-up that got lost costs no more.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// Pause after a poll panicked, so that a bug does not become a busy loop.
const PANIC_PAUSE: Duration = Duration::from_mins(1);

/// Which resources are being polled in this process, and which a user asked to poll now.
#[derive(Default)]
pub struct Running {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// With what ends each of them early.
    running: HashMap<ResourceKey, CancellationToken>,
    wanted: VecDeque<ResourceKey>,
}

impl Running {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn contains(&self, key: &ResourceKey) -> bool {
        self.with(|state| state.running.contains_key(key))
    }

    /// Asks for a poll whatever the due time. One that runs already may be at its end, and not know what happened since:
    /// another one follows it.
    pub(crate) fn want(&self, key: ResourceKey) {
        self.with(|state| {
            if !state.wanted.contains(&key) {
                state.wanted.push_back(key);
            }
        });
    }

    /// Ends the polls of an instance that is not what it was when they began.
    pub(crate) fn cancel(&self, instance: InstanceId) {
        self.with(|state| {
            state.wanted.retain(|key| key.instance != instance);
            let polls = state.running.iter().filter(|(key, _)| key.instance == instance);
            polls.for_each(|(_, stop)| stop.cancel());
        });
    }

    /// What is not to be started: running already, or of an instance that has its share of places.
    fn skip(&self, polls_per_instance_max: usize) -> Skip {
        self.with(|state| {
            let mut counts: HashMap<InstanceId, usize> = HashMap::new();
            for key in state.running.keys() {
                *counts.entry(key.instance).or_default() += 1;
            }
            let full = counts.into_iter().filter(|(_, count)| *count >= polls_per_instance_max);
            Skip {
                resources: state.running.keys().cloned().collect(),
                instances: full.map(|(instance, _)| instance).collect(),
            }
        })
    }

    /// The first wish that may be fulfilled now.
    fn next_wanted(&self, full: &HashSet<InstanceId>) -> Option<ResourceKey> {
        self.with(|state| {
            let running = &state.running;
            let may_run = |key: &ResourceKey| !full.contains(&key.instance) && !running.contains_key(key);
            let place = state.wanted.iter().position(may_run)?;
            state.wanted.remove(place)
        })
    }
}

/// Held while a resource is polled; gives its place back even when the poll panics.
struct Claim {
    gateway: Arc<Gateway>,
    key: ResourceKey,
    stop: CancellationToken,
    place: Option<OwnedSemaphorePermit>,
}

impl Claim {
    /// None when the resource is being polled already: one poll at a time.
    fn take(
        gateway: &Arc<Gateway>,
        key: ResourceKey,
        stop: &CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> Option<Self> {
        let stop = stop.child_token();
        gateway.running.with(|state| {
            if state.running.contains_key(&key) {
                return None;
            }
            state.running.insert(key.clone(), stop.clone());
            Some(Self {
                gateway: gateway.clone(),
                key,
                stop,
                place: Some(place),
            })
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.gateway.running.with(|state| state.running.remove(&self.key));
        // Before the scheduler hears of it, or it would find no place and sleep on.
        drop(self.place.take());
        self.gateway.polls.notify_one();
    }
}

/// Runs until `stop`; polls under way then end at once and are taken up after the next start.
pub async fn run(gateway: Arc<Gateway>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(gateway.settings.polls_max));
    let polls = TaskTracker::new();
    info!(polls_max = gateway.settings.polls_max, "scheduler started");
    while !stop.is_cancelled() {
        let wait = start_due(&gateway, &places, &polls, &stop).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = gateway.polls.notified() => {}
            () = gateway.clock.sleep(wait) => {}
        }
    }
    polls.close();
    polls.wait().await;
}

/// Starts what is due while there are places; returns how long nothing else will be.
async fn start_due(
    gateway: &Arc<Gateway>,
    places: &Arc<Semaphore>,
    polls: &TaskTracker,
    stop: &CancellationToken,
) -> Duration {
    let now = gateway.clock.now();
    loop {
        let Ok(place) = places.clone().try_acquire_owned() else {
            // A poll that ends notifies.
            return SLEEP_MAX;
        };
        let skip = gateway.running.skip(gateway.settings.polls_per_instance_max);
        let key = if let Some(key) = gateway.running.next_wanted(&skip.instances) {
            key
        } else {
            match gateway.store.due_polls(now, skip, 1).await.map(|mut keys| keys.pop()) {
                Ok(Some(key)) => key,
                Ok(None) => break,
                Err(error) => {
                    error!(%error, "due polls can't be read");
                    return SLEEP_MAX;
                }
            }
        };
        if let Some(claim) = Claim::take(gateway, key, stop, place) {
            polls.spawn(poll(claim));
        }
    }
    // What is due and running already notifies when it ends.
    match gateway.store.next_poll(now).await {
        Ok(Some(next)) => next.since(now).min(SLEEP_MAX),
        _ => SLEEP_MAX,
    }
}

async fn poll(claim: Claim) {
    let poll = claim.gateway.poll(claim.key.clone(), &claim.stop);
    if AssertUnwindSafe(poll).catch_unwind().await.is_err() {
        error!(key = %claim.key, blame = "gateway", "the poll panicked");
        tokio::select! {
            () = claim.gateway.clock.sleep(PANIC_PAUSE) => {}
            () = claim.stop.cancelled() => {}
        }
    }
}
