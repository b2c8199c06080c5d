//! The components of elements: taken in, made active, proven, rolled back, quarantined, removed.
//!
//! Everything that is kept of an element is one row; the components themselves are files, named by their digest. A change
//! is: the file, then the row, then a pointer in memory. A crash between them leaves the former state or the new one.
//! Must not judge a component (`engine::trust` does) or run one (the elements port does).

mod catalogue;
mod failures;
mod proof;
mod restore;
mod shadow;
mod status;
mod watch;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::MutexGuard as Turn;
use tracing::{info, warn};

use self::catalogue::{built_in, is_on_probation, proven};
use super::{Gateway, poll};
use crate::domain::element::Element;
use crate::domain::generation::{Generation, Generations, Source, Standing};
use crate::domain::id::{Digest, ResourceKey};
use crate::domain::poll::{Outcome, PollReport};
use crate::engine::news::News;
use crate::ports::{Inadmissible, StoreError};

pub use self::catalogue::Catalogue;
pub(crate) use self::catalogue::Held;
pub use self::failures::KeptFailure;
pub(crate) use self::shadow::Recorder;
pub use self::shadow::{Compared, Shadow};
pub use self::status::Version;
pub use self::watch::Watch;

/// Components of one element that are kept, the active one among them.
pub const GENERATIONS_MAX: usize = 10;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no element {0:?} of which a component was loaded")]
    Unknown(String),
    #[error("the component is element {found:?}; expected {expected:?}, as the path says")]
    OtherKey { expected: String, found: String },
    #[error(transparent)]
    Inadmissible(#[from] Inadmissible),
    /// It was tried on what its instances read last.
    #[error("{0}; ?force=1 takes it all the same, ?dry_run=1 shows the difference alone")]
    Worse(String),
    #[error(
        "{count} instances use {key:?}, the first is {first}; ?force=1 removes it all the same, and they rest with their \
         watermarks until a component is loaded again"
    )]
    InUse { key: String, count: usize, first: u64 },
    #[error("{0:?} is built in and nothing else was loaded over it; there is nothing to remove")]
    BuiltIn(String),
    #[error("{0:?} has no component to go back to")]
    NothingBefore(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a component is to be taken in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Shows what it would change, and changes nothing.
    pub dry_run: bool,
    /// Takes it although it does worse on what was recorded.
    pub force: bool,
}

/// What became of a component that was handed in.
#[derive(Debug)]
pub struct Loaded {
    pub element: Arc<Element>,
    /// What was active before.
    pub former: Option<Digest>,
    /// How it reads what the instances read last; nothing where there was no other component.
    pub shadow: Shadow,
    /// Why it would not be taken without force.
    pub worse: Option<String>,
    pub dry_run: bool,
}

impl Gateway {
    /// Takes in a component: admitted, tried beside the active one on what its instances read last, kept, made active.
    /// A run that is under way keeps the component it began with.
    ///
    /// # Errors
    /// Whatever fails, the active component is untouched.
    pub async fn load_element(
        &self,
        expected: Option<&str>,
        component: Bytes,
        source: Source,
        load: Load,
    ) -> Result<Loaded, Error> {
        let loaded = self.try_load(expected, component, source, load).await;
        // Whatever was admitted for nothing goes.
        self.elements.retain(&self.catalogue.wanted());
        loaded
    }

    async fn try_load(
        &self,
        expected: Option<&str>,
        component: Bytes,
        source: Source,
        load: Load,
    ) -> Result<Loaded, Error> {
        let element = self.elements.admit(component.clone()).await?;
        let key = &element.manifest.key;
        if let Some(expected) = expected.filter(|expected| expected != key) {
            return Err(Error::OtherKey {
                expected: expected.to_owned(),
                found: key.clone(),
            });
        }
        let former = self.elements.find(key);
        let shadow = match &former {
            Some(former) if former.digest != element.digest => self.shadow(former, &element).await?,
            _ => Shadow::default(),
        };
        let worse = shadow.speaks_against(former.as_deref(), &element);
        let loaded = Loaded {
            former: former.as_ref().map(|former| former.digest),
            shadow,
            worse: worse.clone(),
            dry_run: load.dry_run,
            element,
        };
        if load.dry_run {
            return Ok(loaded);
        }
        if let Some(reason) = worse.filter(|_| !load.force) {
            return Err(Error::Worse(reason));
        }
        self.take(&loaded.element, component, source).await?;
        self.wake_resting(&loaded.element.manifest.key).await?;
        Ok(loaded)
    }

    /// Keeps a component and makes it active.
    async fn take(&self, element: &Element, component: Bytes, source: Source) -> Result<(), Error> {
        let (key, digest) = (&element.manifest.key, element.digest);
        let turn = self.elements_turn().await;
        self.files.put(component_file(digest), component).await?;
        let now = self.clock.now();
        let dropped = self
            .change_row(&turn, key, |row| {
                // Once more the same: it stands as it stood.
                if row.active == Some(digest) {
                    return None;
                }
                let standing = if row.active.is_some() {
                    Standing::Probation { since: now }
                } else {
                    Standing::Good
                };
                add(
                    row,
                    Generation {
                        digest,
                        version: element.manifest.version.clone(),
                        loaded: now,
                        source,
                        standing,
                    },
                );
                activate(row, digest);
                Some(cut(row))
            })
            .await?;
        self.remove_components(dropped.unwrap_or_default()).await;
        info!(element = key, version = element.manifest.version, %digest, "element loaded");
        Ok(())
    }

    /// Drops the files of components that no row holds any more. One that stays goes with the next start.
    async fn remove_components(&self, digests: Vec<Digest>) {
        for digest in digests {
            if self.catalogue.holds(digest) {
                continue;
            }
            if let Err(error) = self.files.remove(component_file(digest)).await {
                warn!(%digest, %error, "the component's file could not be removed");
            }
        }
    }

    /// Polls that were put off for want of a component, or of a good one, are due now.
    async fn wake_resting(&self, key: &str) -> Result<(), Error> {
        let now = self.clock.now();
        for instance in self.store.instances().await? {
            if instance.element != key || !instance.enabled {
                continue;
            }
            for (resource, mut state) in self.store.resources(instance.id).await? {
                let rests = matches!(&state.last, Some(PollReport { outcome: Outcome::Failed { code, .. }, .. })
                    if code == "element-quarantined" || code == "element-not-loaded");
                if !rests || state.due.is_none_or(|due| due <= now) {
                    continue;
                }
                state.due = Some(now);
                let resource = ResourceKey {
                    instance: instance.id,
                    resource,
                };
                match self.store.commit(poll::row_only(&resource, state)).await {
                    // Somebody else was at it: a poll, or a change of the instance.
                    Ok(()) | Err(StoreError::Conflict(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        self.polls.notify_one();
        Ok(())
    }

    /// Goes back to the component that was active before. A second time goes forward again.
    ///
    /// # Errors
    /// There is none.
    pub async fn roll_back(&self, key: &str, reason: &str) -> Result<Digest, Error> {
        let turn = self.elements_turn().await;
        let row = self.catalogue.row(key).ok_or_else(|| Error::Unknown(key.to_owned()))?;
        let former = row.previous.filter(|former| row.find(*former).is_some());
        let former = former.ok_or_else(|| Error::NothingBefore(key.to_owned()))?;
        self.go_back(&turn, key, former, reason).await?;
        drop(turn);
        self.wake_resting(key).await?;
        Ok(former)
    }

    /// Takes a component back that is on probation, if it still is.
    pub(super) async fn take_back(&self, element: &Element, reason: &str) -> Result<(), Error> {
        let key = &element.manifest.key;
        let turn = self.elements_turn().await;
        let row = self.catalogue.row(key).unwrap_or_default();
        if !is_on_probation(&row, element.digest) {
            return Ok(());
        }
        let Some(former) = proven(&row, element.digest) else {
            return Ok(());
        };
        self.go_back(&turn, key, former, reason).await
    }

    async fn go_back(&self, turn: &Turn<'_, ()>, key: &str, former: Digest, reason: &str) -> Result<(), Error> {
        if !self.admit_kept(key, former).await? {
            return Err(Error::NothingBefore(key.to_owned()));
        }
        let now = self.clock.now();
        self.change_row(turn, key, |row| {
            if let Some(active) = row.active.and_then(|active| row.find_mut(active)) {
                active.standing = Standing::RolledBack {
                    reason: reason.to_owned(),
                    at: now,
                };
            }
            if let Some(former) = row.find_mut(former) {
                former.standing = Standing::Good;
            }
            activate(row, former);
            Some(())
        })
        .await?;
        warn!(element = key, digest = %former, reason, "element rolled back");
        let data = json!({"element": key, "active": former.to_string(), "reason": reason});
        self.tell_operator(News::VersionRolledBack, key, data).await;
        Ok(())
    }

    /// Removes what was loaded over REST or from a folder. What is built in comes back to its place.
    ///
    /// # Errors
    /// Instances use it and would be left without a component, unless `force`.
    pub async fn remove_element(&self, key: &str, force: bool) -> Result<(), Error> {
        let turn = self.elements_turn().await;
        let row = self.catalogue.row(key).ok_or_else(|| Error::Unknown(key.to_owned()))?;
        let built_in = built_in(&row);
        match built_in {
            Some(_) if row.all.len() == 1 => return Err(Error::BuiltIn(key.to_owned())),
            Some(digest) if !self.admit_kept(key, digest).await? => return Err(Error::NothingBefore(key.to_owned())),
            Some(_) => {}
            None if force => {}
            None => self.check_unused(key).await?,
        }
        let dropped = self
            .change_row(&turn, key, |row| {
                let (kept, dropped) = std::mem::take(&mut row.all)
                    .into_iter()
                    .partition(|generation| Some(generation.digest) == built_in);
                row.all = kept;
                row.active = built_in;
                row.previous = None;
                // There is nothing that it could be judged beside.
                for generation in &mut row.all {
                    generation.standing = Standing::Good;
                }
                let dropped: Vec<Generation> = dropped;
                Some(dropped.iter().map(|generation| generation.digest).collect())
            })
            .await?;
        self.remove_components(dropped.unwrap_or_default()).await;
        info!(element = key, built_in = built_in.is_some(), "element removed");
        Ok(())
    }

    async fn check_unused(&self, key: &str) -> Result<(), Error> {
        let instances = self.store.instances().await?;
        let mut users = instances.iter().filter(|instance| instance.element == key);
        match users.next() {
            None => Ok(()),
            Some(first) => Err(Error::InUse {
                key: key.to_owned(),
                count: 1 + users.count(),
                first: first.id.0,
            }),
        }
    }
}

pub(super) fn component_file(digest: Digest) -> String {
    format!("components/{digest}")
}

/// Puts a generation in front, in place of one of the same digest. What is built in stays built in.
fn add(row: &mut Generations, mut generation: Generation) {
    if built_in(row) == Some(generation.digest) {
        generation.source = Source::BuiltIn;
    }
    row.all.retain(|known| known.digest != generation.digest);
    row.all.insert(0, generation);
}

fn activate(row: &mut Generations, digest: Digest) {
    if row.active != Some(digest) {
        row.previous = row.active.replace(digest);
    }
}

/// Drops the oldest ones beyond the limit, never the active one, the one before it, or what is built in.
fn cut(row: &mut Generations) -> Vec<Digest> {
    let mut dropped = Vec::new();
    while row.all.len() > GENERATIONS_MAX {
        let needless = |generation: &Generation| {
            let digest = Some(generation.digest);
            digest != row.active && digest != row.previous && generation.source != Source::BuiltIn
        };
        let Some(place) = row.all.iter().rposition(needless) else {
            break;
        };
        dropped.push(row.all.remove(place).digest);
    }
    dropped
}
