//! The loaded components: by digest every one, by key the active one.
//! Must not compile anything, and must not hold its lock for longer than a look-up or a swap.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::domain::element::{Element, Usage};
use crate::domain::id::Digest;
use crate::domain::run::Run;
use crate::ports::Call;
use tidegate_contract::replay::Outcome;

use super::bindings::ElementPre;
use super::call::{self, Cost, GuestState};
use super::limits::Limits;

/// One loaded component, ready to make guests.
pub(super) struct Generation {
    pub(super) element: Arc<Element>,
    pub(super) guests: ElementPre<GuestState>,
    pub(super) limits: Limits,
    pub(super) counts: Counts,
}

impl Generation {
    /// One call, in a fresh guest, on this thread.
    pub(super) fn step(&self, run: &Run, call: &Call) -> Outcome {
        self.measured_step(run, call).0
    }

    pub(super) fn measured_step(&self, run: &Run, call: &Call) -> (Outcome, Cost) {
        let name = self.element.manifest.key.as_str().into();
        let (outcome, cost) = call::step(&self.guests, name, &self.limits, run, call);
        self.counts.add(&outcome, cost);
        (outcome, cost)
    }
}

/// What all calls came to.
#[derive(Default)]
pub(super) struct Counts {
    calls: AtomicU64,
    cpu_us: AtomicU64,
    records: AtomicU64,
    faults: AtomicU64,
    traps: AtomicU64,
    peak_memory_bytes: AtomicU64,
}

impl Counts {
    fn add(&self, outcome: &Outcome, cost: Cost) {
        let add = |counter: &AtomicU64, more: u64| counter.fetch_add(more, Ordering::Relaxed);
        add(&self.calls, 1);
        add(&self.cpu_us, u64::try_from(cost.cpu.as_micros()).unwrap_or(u64::MAX));
        match outcome {
            Ok(Ok(step)) => add(&self.records, step.records.len() as u64),
            Ok(Err(_)) => add(&self.faults, 1),
            Err(_) => add(&self.traps, 1),
        };
        self.peak_memory_bytes
            .fetch_max(cost.memory_bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn usage(&self) -> Usage {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Usage {
            calls: read(&self.calls),
            cpu_us: read(&self.cpu_us),
            records: read(&self.records),
            faults: read(&self.faults),
            traps: read(&self.traps),
            peak_memory_bytes: read(&self.peak_memory_bytes),
        }
    }
}

#[derive(Default)]
pub(super) struct Registry {
    lists: RwLock<Lists>,
}

#[derive(Default)]
struct Lists {
    active: BTreeMap<String, Digest>,
    loaded: HashMap<Digest, Arc<Generation>>,
}

impl Registry {
    pub(super) fn active(&self, key: &str) -> Option<Arc<Element>> {
        let lists = self.read();
        let generation = lists.loaded.get(lists.active.get(key)?)?;
        Some(generation.element.clone())
    }

    /// The active ones, in order of key.
    pub(super) fn all(&self) -> Vec<Arc<Element>> {
        let lists = self.read();
        let active = lists.active.values().filter_map(|digest| lists.loaded.get(digest));
        active.map(|generation| generation.element.clone()).collect()
    }

    pub(super) fn by_digest(&self, digest: Digest) -> Option<Arc<Generation>> {
        self.read().loaded.get(&digest).cloned()
    }

    /// Adds a component that no run takes yet.
    pub(super) fn add(&self, generation: Arc<Generation>) {
        self.write().loaded.insert(generation.element.digest, generation);
    }

    /// Makes this component the one that new runs of its key take. False when it is not loaded.
    pub(super) fn activate(&self, digest: Digest) -> bool {
        let mut lists = self.write();
        let Some(key) = lists
            .loaded
            .get(&digest)
            .map(|loaded| loaded.element.manifest.key.clone())
        else {
            return false;
        };
        lists.active.insert(key, digest);
        true
    }

    /// New runs of the key find nothing.
    pub(super) fn deactivate(&self, key: &str) {
        self.write().active.remove(key);
    }

    /// Drops what is not among these, not active and not held by a run: a run holds its element as long as it lasts.
    pub(super) fn retain(&self, digests: &HashSet<Digest>) {
        let mut lists = self.write();
        let Lists { active, loaded } = &mut *lists;
        loaded.retain(|digest, generation| {
            let held = Arc::strong_count(&generation.element) > 1;
            held || digests.contains(digest) || active.values().any(|active| active == digest)
        });
    }

    // Nothing panics while the lock is held for writing, so what a poisoned lock guards is whole.
    fn read(&self) -> RwLockReadGuard<'_, Lists> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Lists> {
        self.lists.write().unwrap_or_else(PoisonError::into_inner)
    }
}
