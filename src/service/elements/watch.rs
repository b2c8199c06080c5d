//! The elements directory: a file that appears, changes or goes is a component that is loaded, replaced or removed.
//!
//! The folder is looked at each second rather than watched by inotify, which sees nothing of what another machine or
//! container writes. A file is taken when two looks found it the same, so that one that is being written is left alone;
//! half a file would be refused anyway.
//! Must not do more than REST does: it only says what a file means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Error, Load};
use crate::domain::generation::{Generations, Source};
use crate::ports::{Folder, Stamp, StoreError};
use crate::service::Gateway;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A file is believed to be gone after so many looks: a copy may begin with a removal.
const LOOKS_WITHOUT: u32 = 3;
/// The largest file that is read; larger ones are refused by their length alone.
const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is known of the folder.
pub struct Watch {
    folder: Arc<dyn Folder>,
    /// As the last look found them.
    seen: BTreeMap<String, Stamp>,
    /// Those that were taken or refused, as they were then.
    done: BTreeMap<String, Stamp>,
    /// Which element each of those is, where it is one.
    keys: BTreeMap<String, String>,
    /// Files of active components that are not there, and in how many looks.
    missing: BTreeMap<String, u32>,
}

impl Watch {
    /// Takes what lies in the folder at the start, without waiting for a second look. What was taken from a file before
    /// the start is no news: it may have been rolled back since.
    ///
    /// # Errors
    /// The folder can't be read.
    pub async fn open(gateway: &Gateway, folder: Arc<dyn Folder>) -> Result<Self, StoreError> {
        let mut watch = Self {
            folder,
            seen: BTreeMap::new(),
            done: BTreeMap::new(),
            keys: BTreeMap::new(),
            missing: BTreeMap::new(),
        };
        for stamp in watch.folder.scan().await? {
            watch.seen.insert(stamp.name.clone(), stamp.clone());
            watch.take(gateway, stamp, News::IfUnknown).await;
        }
        Ok(watch)
    }

    /// Follows whatever happens to the folder until `stop`.
    pub async fn run(mut self, gateway: Arc<Gateway>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = gateway.clock.sleep(LOOK_EVERY) => {}
            }
            if let Err(error) = self.look(&gateway).await {
                warn!(%error, "the elements directory could not be read");
            }
        }
    }

    pub(crate) async fn look(&mut self, gateway: &Gateway) -> Result<(), StoreError> {
        let stamps = self.folder.scan().await?;
        for stamp in &stamps {
            let settled = self.seen.get(&stamp.name) == Some(stamp);
            if settled && self.done.get(&stamp.name) != Some(stamp) {
                self.take(gateway, stamp.clone(), News::Always).await;
            }
        }
        let is_present = |name: &str| stamps.iter().any(|stamp| stamp.name == name);
        for (key, row) in gateway.catalogue.rows() {
            let Some(name) = file_of(&row).filter(|name| !is_present(name)) else {
                continue;
            };
            let looks = self.missing.entry(name.clone()).or_default();
            *looks += 1;
            if *looks == LOOKS_WITHOUT {
                gone(gateway, &key, &name).await;
                // Another file of this element takes its place.
                let keys = &self.keys;
                self.done.retain(|name, _| keys.get(name) != Some(&key));
            }
        }
        self.missing.retain(|name, _| !is_present(name));
        self.done.retain(|name, _| is_present(name));
        self.keys.retain(|name, _| is_present(name));
        self.seen = stamps.into_iter().map(|stamp| (stamp.name.clone(), stamp)).collect();
        Ok(())
    }

    async fn take(&mut self, gateway: &Gateway, stamp: Stamp, news: News) {
        let name = &stamp.name;
        if stamp.bytes > FILE_BYTES_MAX as u64 {
            let limit = FILE_BYTES_MAX;
            error!(
                file = name,
                bytes = stamp.bytes,
                limit,
                "element not loaded: the file is too long"
            );
            self.done.insert(name.clone(), stamp);
            return;
        }
        let component = match self.folder.read(name.clone(), FILE_BYTES_MAX).await {
            Ok(Some(component)) => component,
            // Gone or longer by now: the next look knows.
            Ok(None) => return,
            Err(error) => {
                warn!(file = name, %error, "element not loaded: the file can't be read");
                return;
            }
        };
        match load(gateway, name, component, news).await {
            Ok(key) => {
                self.keys.insert(name.clone(), key);
            }
            Err(error) => {
                error!(file = name, %error, "element not loaded");
                if matches!(error, Error::Store(_)) {
                    // Not the file's fault: it is tried again.
                    return;
                }
            }
        }
        self.done.insert(name.clone(), stamp);
    }
}

/// When a file's component is to be loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// Unless it was taken from this file before.
    IfUnknown,
    Always,
}

/// The file that the active component came from.
fn file_of(row: &Generations) -> Option<String> {
    match &row.active()?.source {
        Source::File(name) => Some(name.clone()),
        _ => None,
    }
}

/// Gives the element's key.
async fn load(gateway: &Gateway, name: &str, component: Bytes, news: News) -> Result<String, Error> {
    let element = gateway.elements.admit(component.clone()).await?;
    let source = Source::File(name.to_owned());
    let row = gateway.catalogue.row(&element.manifest.key);
    let other = row.as_ref().and_then(file_of).filter(|other| other != name);
    if let Some(other) = other {
        warn!(
            file = name,
            element = element.manifest.key,
            other,
            "two files are the same element: the later one wins"
        );
    }
    let known = row.as_ref().and_then(|row| row.find(element.digest));
    let is_active = row.as_ref().and_then(|row| row.active) == Some(element.digest);
    if is_active || (news == News::IfUnknown && known.is_some_and(|known| known.source == source)) {
        return Ok(element.manifest.key.clone());
    }
    gateway.load_element(None, component, source, Load::default()).await?;
    Ok(element.manifest.key.clone())
}

async fn gone(gateway: &Gateway, key: &str, name: &str) {
    match gateway.remove_element(key, false).await {
        Ok(()) => info!(
            file = name,
            element = key,
            "the element's file went, and so did the element"
        ),
        Err(error @ Error::InUse { .. }) => {
            warn!(file = name, element = key, %error, "the element's file went; the element stays loaded");
        }
        Err(error) => error!(file = name, element = key, %error, "the element could not be removed"),
    }
}
