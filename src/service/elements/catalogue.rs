//! The rows of elements in memory, as they are on the disk, and how their components did since the start.
//! Every change goes through `change_element`, one after the other.
//! Must not be changed around `change_row`: memory, disk and pointer would tell three stories.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Mutex as Waiting, MutexGuard as Turn};
use tracing::{error, warn};

use super::Error;
use crate::domain::generation::{Generations, Source, Standing};
use crate::domain::id::{Digest, InstanceId};
use crate::domain::time::Timestamp;
use crate::engine::trust::{Ending, Reread, Track, Verdict};
use crate::service::Gateway;

#[derive(Default)]
pub struct Catalogue {
    turn: Waiting<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<String, Generations>,
    tracks: HashMap<Digest, Track>,
    /// What components on probation read in another way, over all their polls.
    reread: HashMap<Digest, Reread>,
    /// Polls under way with each component.
    held: HashMap<Digest, usize>,
}

/// Counts a poll as long as it lives.
pub(crate) struct Held<'a> {
    catalogue: &'a Catalogue,
    component: Digest,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.catalogue.with(|state| {
            if let Some(polls) = state.held.get_mut(&self.component) {
                *polls -= 1;
                if *polls == 0 {
                    state.held.remove(&self.component);
                }
            }
        });
    }
}

impl Catalogue {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn row(&self, key: &str) -> Option<Generations> {
        self.with(|state| state.rows.get(key).cloned())
    }

    pub(super) fn rows(&self) -> Vec<(String, Generations)> {
        self.with(|state| state.rows.iter().map(|(key, row)| (key.clone(), row.clone())).collect())
    }

    pub(super) fn set(&self, key: &str, row: Generations) {
        self.with(|state| {
            if row.all.is_empty() {
                state.rows.remove(key);
            } else {
                state.rows.insert(key.to_owned(), row);
            }
        });
    }

    /// A poll goes with this component.
    pub(crate) fn hold(&self, component: Digest) -> Held<'_> {
        self.with(|state| *state.held.entry(component).or_default() += 1);
        Held {
            catalogue: self,
            component,
        }
    }

    /// Polls under way with a component.
    pub(super) fn polls_with(&self, component: Digest) -> usize {
        self.with(|state| state.held.get(&component).copied().unwrap_or(0))
    }

    /// Until when no poll may use this component, and why.
    pub(crate) fn quarantine(&self, key: &str, digest: Digest, now: Timestamp) -> Option<(Timestamp, String)> {
        self.with(|state| match &state.rows.get(key)?.find(digest)?.standing {
            Standing::Quarantined { reason, until, .. } if *until > now => Some((*until, reason.clone())),
            _ => None,
        })
    }

    pub(crate) fn is_on_probation(&self, key: &str, digest: Digest) -> bool {
        self.with(|state| state.rows.get(key).is_some_and(|row| is_on_probation(row, digest)))
    }

    /// Adds to what a component on probation read in another way; the sum of all its polls comes back.
    pub(crate) fn add_reread(&self, digest: Digest, more: Reread) -> Reread {
        self.with(|state| {
            let sum = state.reread.entry(digest).or_default();
            sum.add(more);
            *sum
        })
    }

    /// Writes down how a poll ended, and what follows for the component if it is the active one.
    pub(super) fn judge(
        &self,
        key: &str,
        digest: Digest,
        instance: InstanceId,
        ending: Ending,
        now: Timestamp,
    ) -> Verdict {
        self.with(|state| {
            state.tracks.entry(digest).or_default().add(instance, ending);
            let Some(row) = state.rows.get(key).filter(|row| row.active == Some(digest)) else {
                return Verdict::GoOn;
            };
            let Some(generation) = row.find(digest) else {
                return Verdict::GoOn;
            };
            let former = proven(row, digest).map(|former| state.tracks.get(&former).cloned().unwrap_or_default());
            state.tracks[&digest].verdict(&generation.standing, former.as_ref(), now)
        })
    }

    /// Starts its record anew: a component that is made active again is judged by what it does from now on.
    fn forget(&self, digest: Digest) {
        self.with(|state| {
            state.tracks.remove(&digest);
            state.reread.remove(&digest);
        });
    }

    /// What must stay loaded: what is active, what a rollback goes to, and what is built in.
    pub(super) fn wanted(&self) -> HashSet<Digest> {
        self.with(|state| {
            let rows = state.rows.values();
            let wanted = rows.flat_map(|row| [row.active, row.previous, built_in(row)]);
            wanted.flatten().collect()
        })
    }

    /// Is the component one of those that rows hold?
    pub(super) fn holds(&self, digest: Digest) -> bool {
        self.with(|state| state.rows.values().any(|row| row.find(digest).is_some()))
    }
}

/// Where a component that fails its probation gives way to: the one before if it was good, else the newest good one, else
/// what is built in.
pub(super) fn proven(row: &Generations, failing: Digest) -> Option<Digest> {
    let is_good = |digest: &Digest| {
        let generation = row.find(*digest);
        *digest != failing && generation.is_some_and(|generation| generation.standing == Standing::Good)
    };
    let newest = || {
        row.all
            .iter()
            .map(|generation| generation.digest)
            .find(|digest| is_good(digest))
    };
    let built_in = || built_in(row).filter(|digest| *digest != failing);
    row.previous.filter(is_good).or_else(newest).or_else(built_in)
}

/// Watched, active, and with another one to go back to.
pub(super) fn is_on_probation(row: &Generations, digest: Digest) -> bool {
    let standing = row.find(digest).map(|generation| &generation.standing);
    row.active == Some(digest) && matches!(standing, Some(Standing::Probation { .. })) && proven(row, digest).is_some()
}

pub(super) fn built_in(row: &Generations) -> Option<Digest> {
    let mut all = row.all.iter();
    all.find(|generation| generation.source == Source::BuiltIn)
        .map(|generation| generation.digest)
}

impl Gateway {
    /// Whoever changes elements waits for it first, and holds it over files, row and pointer.
    pub(super) async fn elements_turn(&self) -> Turn<'_, ()> {
        self.catalogue.turn.lock().await
    }

    /// Changes an element's row in a turn of its own.
    pub(super) async fn change_element<T>(
        &self,
        key: &str,
        change: impl FnOnce(&mut Generations) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let turn = self.elements_turn().await;
        self.change_row(&turn, key, change).await
    }

    /// Changes an element's row: on the disk, in memory, and in what new runs take. `change` gives None where nothing is
    /// to be done.
    pub(super) async fn change_row<T>(
        &self,
        _turn: &Turn<'_, ()>,
        key: &str,
        change: impl FnOnce(&mut Generations) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let before = self.catalogue.row(key).unwrap_or_default();
        let mut row = before.clone();
        let Some(result) = change(&mut row) else {
            return Ok(None);
        };
        row.revision += 1;
        if let Err(error) = self.store.put_generations(key.to_owned(), row.clone()).await {
            // It may have been written all the same: what is true stands on the disk.
            self.reread_rows().await;
            return Err(error.into());
        }
        self.take_over(key, before.active, row);
        Ok(Some(result))
    }

    /// The row is on the disk: memory and runs follow.
    fn take_over(&self, key: &str, before: Option<Digest>, row: Generations) {
        let active = row.active;
        self.catalogue.set(key, row);
        if active == before {
            return;
        }
        match active {
            Some(digest) => {
                self.catalogue.forget(digest);
                if !self.elements.activate(digest) {
                    error!(element = key, %digest, "the component is not loaded: runs go on with the one before");
                }
            }
            None => self.elements.deactivate(key),
        }
        self.elements.retain(&self.catalogue.wanted());
        self.polls.notify_one();
    }

    async fn reread_rows(&self) {
        match self.store.generations().await {
            Ok(rows) => {
                for (key, row) in rows {
                    let before = self.catalogue.row(&key).and_then(|row| row.active);
                    self.take_over(&key, before, row);
                }
            }
            Err(error) => warn!(%error, "the rows of elements can't be read again"),
        }
    }
}
