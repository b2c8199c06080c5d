//! The components of elements: taken in, made active, proven, rolled back, quarantined, removed.
//!
//! Everything that is kept of an element is one row; the components themselves are files, named by their digest. A change
//! is: the file, then the row, then a pointer in memory. A crash between them leaves the former state or the new one.

mod catalogue;
mod failures;
mod proof;
mod restore;
mod shadow;
mod status;
mod watch;

use bytes::Bytes;
use tracing::{info, warn};

use std::sync::Arc;

use super::Gateway;
use crate::domain::element::Element;
use crate::domain::generation::{Generation, Generations, Source, Standing};
use crate::domain::id::Digest;
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
        let loaded = Loaded {
            former: former.as_ref().map(|former| former.digest),
            shadow,
            dry_run: load.dry_run,
            element,
        };
        if load.dry_run {
            return Ok(loaded);
        }
        if let Some(reason) = loaded.shadow.speaks_against(former.as_deref(), &loaded.element)
            && !load.force
        {
            return Err(Error::Worse(reason));
        }
        self.take(&loaded.element, component, source).await?;
        Ok(loaded)
    }

    /// Keeps a component and makes it active.
    async fn take(&self, element: &Element, component: Bytes, source: Source) -> Result<(), Error> {
        let (key, digest) = (&element.manifest.key, element.digest);
        self.files.put(component_file(digest), component).await?;
        let now = self.clock.now();
        let dropped = self
            .change_element(key, |row| {
                let standing = if row.active.is_some_and(|active| active != digest) {
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
        for digest in dropped.unwrap_or_default() {
            self.files.remove(component_file(digest)).await?;
        }
        info!(element = key, version = element.manifest.version, %digest, "element loaded");
        Ok(())
    }

    /// Goes back to the component that was active before. A second time goes forward again.
    ///
    /// # Errors
    /// There is none.
    pub async fn roll_back(&self, key: &str, reason: &str) -> Result<Digest, Error> {
        let now = self.clock.now();
        let back = self
            .change_element(key, |row| {
                let former = row.previous.filter(|former| row.find(*former).is_some())?;
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
                Some(former)
            })
            .await?;
        let back = back.ok_or_else(|| {
            if self.catalogue.row(key).is_some() {
                Error::NothingBefore(key.to_owned())
            } else {
                Error::Unknown(key.to_owned())
            }
        })?;
        warn!(element = key, digest = %back, reason, "element rolled back");
        Ok(back)
    }

    /// Removes what was loaded over REST or from a folder. What is built in comes back to its place.
    ///
    /// # Errors
    /// Instances use it and would be left without a component, unless `force`.
    pub async fn remove_element(&self, key: &str, force: bool) -> Result<(), Error> {
        let row = self.catalogue.row(key).ok_or_else(|| Error::Unknown(key.to_owned()))?;
        let built_in = row
            .all
            .iter()
            .find(|generation| generation.source == Source::BuiltIn)
            .map(|generation| generation.digest);
        if built_in.is_some() && row.all.len() == 1 {
            return Err(Error::BuiltIn(key.to_owned()));
        }
        if built_in.is_none() && !force {
            let instances = self.store.instances().await?;
            let mut users = instances.iter().filter(|instance| instance.element == key);
            if let Some(first) = users.next() {
                return Err(Error::InUse {
                    key: key.to_owned(),
                    count: 1 + users.count(),
                    first: first.id.0,
                });
            }
        }
        let dropped = self
            .change_element(key, |row| {
                let (kept, dropped) = std::mem::take(&mut row.all)
                    .into_iter()
                    .partition(|generation| Some(generation.digest) == built_in);
                row.all = kept;
                row.active = built_in;
                row.previous = None;
                let dropped: Vec<Generation> = dropped;
                Some(dropped)
            })
            .await?;
        for generation in dropped.unwrap_or_default() {
            self.files.remove(component_file(generation.digest)).await?;
        }
        info!(element = key, built_in = built_in.is_some(), "element removed");
        Ok(())
    }
}

pub(super) fn component_file(digest: Digest) -> String {
    format!("components/{digest}")
}

/// Puts a generation in front; one of the same digest that is there keeps nothing but its place in history.
fn add(row: &mut Generations, generation: Generation) {
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
