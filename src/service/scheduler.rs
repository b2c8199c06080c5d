//! Starts the polls that are due. Keeps nothing in memory per idle instance: due times are ordered keys in the store.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use super::Gateway;
use crate::domain::id::ResourceKey;

/// Longest sleep of the scheduler: a wake-up that got lost costs no more.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// Which resources are being polled in this process, and which a user asked to poll now.
#[derive(Default)]
pub struct Running {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Arc<HashSet<ResourceKey>>,
    wanted: VecDeque<ResourceKey>,
}

impl Running {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn snapshot(&self) -> Arc<HashSet<ResourceKey>> {
        self.with(|state| state.running.clone())
    }

    pub(crate) fn contains(&self, key: &ResourceKey) -> bool {
        self.with(|state| state.running.contains(key))
    }

    /// Asks for a poll whatever the due time; one that runs already is not queued behind.
    pub(crate) fn want(&self, key: ResourceKey) {
        self.with(|state| {
            if !state.running.contains(&key) && !state.wanted.contains(&key) {
                state.wanted.push_back(key);
            }
        });
    }

    fn next_wanted(&self) -> Option<ResourceKey> {
        self.with(|state| state.wanted.pop_front())
    }

    /// None when the resource is being polled already: one poll at a time.
    fn claim(self: &Running, gateway: &Arc<Gateway>, key: &ResourceKey) -> Option<Claim> {
        self.with(|state| Arc::make_mut(&mut state.running).insert(key.clone()))
            .then(|| Claim {
                gateway: gateway.clone(),
                key: key.clone(),
            })
    }
}

/// Held while a resource is polled; gives its place back even when the poll panics.
struct Claim {
    gateway: Arc<Gateway>,
    key: ResourceKey,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.gateway
            .running
            .with(|state| Arc::make_mut(&mut state.running).remove(&self.key));
        self.gateway.polls.notify_one();
    }
}

/// Runs until `stop`; polls under way then end after the page they are at.
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
    let mut due = VecDeque::new();
    loop {
        let Ok(place) = places.clone().try_acquire_owned() else {
            // A poll that ends notifies.
            return SLEEP_MAX;
        };
        let key = if let Some(key) = gateway.running.next_wanted() {
            key
        } else {
            if due.is_empty() {
                match gateway
                    .store
                    .due_polls(now, gateway.running.snapshot(), gateway.settings.polls_max)
                    .await
                {
                    Ok(keys) => due.extend(keys),
                    Err(error) => {
                        error!(%error, "due polls can't be read");
                        return SLEEP_MAX;
                    }
                }
            }
            let Some(key) = due.pop_front() else { break };
            key
        };
        if let Some(claim) = gateway.running.claim(gateway, &key) {
            let (gateway, stop) = (gateway.clone(), stop.clone());
            polls.spawn(async move {
                gateway.poll(key, &stop).await;
                drop((claim, place));
            });
        }
    }
    // What is due and running already notifies when it ends.
    match gateway.store.next_poll(now).await {
        Ok(Some(next)) => next.since(now).min(SLEEP_MAX),
        _ => SLEEP_MAX,
    }
}
