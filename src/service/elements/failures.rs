//! What went into a step that broke: kept sealed, a few per instance, so that `tidegate element replay` shows it again.
//! Must not leave a case unsealed on the disk, nor fail a poll that has failed already.

use bytes::Bytes;
use tracing::warn;

use super::shadow;
use crate::domain::element::Element;
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::time::Timestamp;
use crate::ports::{Case, StoreError};
use crate::service::Gateway;
use crate::service::runner::Breach;
use tidegate_contract::case::MadeBy;

/// Failing steps kept per instance; the oldest goes first.
const FAILURES_MAX: usize = 5;

/// The longest that is kept: an answer of 8 MiB as base64, and what belongs to it.
const FAILURE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A failing step, as it was kept.
#[derive(Debug)]
pub struct KeptFailure {
    /// Its name under the instance.
    pub id: String,
    pub at: Timestamp,
    pub case: Case,
}

impl Gateway {
    /// Keeps what went into a step. That it can't be kept goes to the log: the poll has failed already.
    pub(crate) async fn keep_failure(&self, key: &ResourceKey, element: &Element, breach: &Breach) {
        let now = self.clock.now();
        let name = format!("{} of instance {}", key.resource, key.instance);
        let case = Case {
            made_by: Some(made_by(element)),
            ..breach.case(name, format!("kept by a gateway at {now} because the step failed"))
        };
        let file = format!("{}/{:015}-{}", folder(key.instance), now.as_ms(), slug(&key.resource));
        let sealed = self.seal_case(&case);
        if sealed.len() > FAILURE_BYTES_MAX {
            warn!(%key, bytes = sealed.len(), limit = FAILURE_BYTES_MAX, "the inputs of the failing step are too long to be kept");
            return;
        }
        let kept = async {
            self.files.put(file, sealed).await?;
            self.forget_cases_of_none(key.instance).await?;
            let mut files = self.files.list(folder(key.instance)).await?;
            files.truncate(files.len().saturating_sub(FAILURES_MAX));
            for (oldest, _) in files {
                self.files.remove(format!("{}/{oldest}", folder(key.instance))).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = kept.await {
            warn!(%key, %error, "the inputs of the failing step could not be kept");
        }
    }

    /// The failing steps that are kept of an instance, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn failures(&self, instance: InstanceId) -> Result<Vec<KeptFailure>, StoreError> {
        let mut failures = Vec::new();
        for (id, at) in self.files.list(folder(instance)).await?.into_iter().rev() {
            if let Some(case) = self.failure(instance, &id).await? {
                failures.push(KeptFailure { id, at, case });
            }
        }
        Ok(failures)
    }

    /// One of them, by its name.
    ///
    /// # Errors
    /// The store's.
    pub async fn failure(&self, instance: InstanceId, id: &str) -> Result<Option<Case>, StoreError> {
        // What is no name of a file is no failure either.
        let is_ours = self
            .files
            .list(folder(instance))
            .await?
            .iter()
            .any(|(name, _)| name == id);
        if !is_ours {
            return Ok(None);
        }
        let sealed = self.files.get(format!("{}/{id}", folder(instance))).await?;
        Ok(sealed.and_then(|sealed| self.open_case(&sealed)))
    }

    /// Drops all cases of an instance that is removed.
    pub(crate) async fn forget_cases(&self, instance: InstanceId) -> Result<(), StoreError> {
        self.files.remove(folder(instance)).await?;
        self.files.remove(shadow::folder(instance)).await
    }

    /// What was written while the instance was removed goes too.
    pub(super) async fn forget_cases_of_none(&self, instance: InstanceId) -> Result<(), StoreError> {
        if self.store.instance(instance).await?.is_none() {
            self.forget_cases(instance).await?;
        }
        Ok(())
    }

    /// Cases hold what the vendor answered, tokens of its own among it: they lie sealed on the disk.
    pub(super) fn seal_case(&self, case: &Case) -> Bytes {
        let text = serde_json::to_vec(case).expect("a case is always JSON");
        self.vault.seal(&text).into()
    }

    /// None when another key sealed it, or another version wrote it.
    pub(super) fn open_case(&self, sealed: &[u8]) -> Option<Case> {
        serde_json::from_slice(&self.vault.open(sealed).ok()?).ok()
    }
}

pub(super) fn made_by(element: &Element) -> MadeBy {
    MadeBy {
        element: element.manifest.key.clone(),
        version: element.manifest.version.clone(),
        digest: element.digest.to_string(),
    }
}

pub(crate) fn folder(instance: InstanceId) -> String {
    format!("failures/{instance}")
}

/// A resource's name as part of a file's.
pub(super) fn slug(resource: &str) -> String {
    let safe = resource
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    safe.take(60).collect()
}
