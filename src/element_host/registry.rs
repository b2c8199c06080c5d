//! The loaded generations: by key the active one, by digest every one that a run may still hold.
//! Must not compile or call anything, and must not hold its lock for longer than a look-up or a swap.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::domain::element::Element;
use crate::domain::id::Digest;
use crate::domain::run::{Fault, Run, Step};
use crate::ports::{Call, CallError};

use super::bindings::ElementPre;
use super::call::{self, GuestState};
use super::limits::Limits;

/// A run lasts minutes and elements change once in hours: the one before is enough, and one more for a hasty operator.
const FORMER_GENERATIONS_MAX: usize = 2;

/// One loaded component, ready to make guests.
pub(super) struct Generation {
    pub(super) element: Arc<Element>,
    pub(super) guests: ElementPre<GuestState>,
    pub(super) limits: Limits,
}

impl Generation {
    /// One call, in a fresh guest, on this thread.
    pub(super) fn step(&self, run: &Run, call: &Call) -> Result<Result<Step, Fault>, CallError> {
        let name = self.element.manifest.key.as_str().into();
        call::step(&self.guests, name, &self.limits, run, call)
    }
}

#[derive(Default)]
pub(super) struct Registry {
    lists: RwLock<Lists>,
}

#[derive(Default)]
struct Lists {
    /// Per key, the active generation first, then the former ones from young to old.
    by_key: BTreeMap<String, Vec<Arc<Generation>>>,
    by_digest: HashMap<Digest, Arc<Generation>>,
}

impl Registry {
    pub(super) fn active(&self, key: &str) -> Option<Arc<Element>> {
        let lists = self.read();
        lists
            .by_key
            .get(key)?
            .first()
            .map(|generation| generation.element.clone())
    }

    /// The active ones, in order of key.
    pub(super) fn all(&self) -> Vec<Arc<Element>> {
        self.read()
            .by_key
            .values()
            .filter_map(|list| list.first())
            .map(|active| active.element.clone())
            .collect()
    }

    /// Active or former.
    pub(super) fn by_digest(&self, digest: Digest) -> Option<Arc<Generation>> {
        self.read().by_digest.get(&digest).cloned()
    }

    /// Makes this generation the one that new runs of its key take; the one before stays for runs that hold it.
    pub(super) fn activate(&self, generation: Arc<Generation>) {
        let digest = generation.element.digest;
        let key = generation.element.manifest.key.clone();
        let mut lists = self.write();
        let Lists { by_key, by_digest } = &mut *lists;
        let list = by_key.entry(key).or_default();
        list.retain(|known| known.element.digest != digest);
        list.insert(0, generation.clone());
        by_digest.insert(digest, generation);
        for retired in list.drain((1 + FORMER_GENERATIONS_MAX).min(list.len())..) {
            by_digest.remove(&retired.element.digest);
        }
    }

    /// Drops all generations of the key. False when there is none.
    pub(super) fn remove(&self, key: &str) -> bool {
        let mut lists = self.write();
        let Some(list) = lists.by_key.remove(key) else {
            return false;
        };
        for generation in &list {
            lists.by_digest.remove(&generation.element.digest);
        }
        true
    }

    // Nothing panics while the lock is held for writing, so what a poisoned lock guards is whole.
    fn read(&self) -> RwLockReadGuard<'_, Lists> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Lists> {
        self.lists.write().unwrap_or_else(PoisonError::into_inner)
    }
}
