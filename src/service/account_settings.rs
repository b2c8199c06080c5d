//! The account's settings: what becomes of what failed, for instances that do not say. Kept as one file, in force at once.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::Gateway;
use crate::domain::instance::RetryPolicy;
use crate::ports::StoreError;

const FILE: &str = "account/settings.json";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    failure_policy: RetryPolicy,
}

impl Gateway {
    /// Takes up what was set before the last stop.
    ///
    /// # Errors
    /// The settings can't be read.
    pub async fn restore_account_settings(&self) -> Result<(), StoreError> {
        let Some(text) = self.files.get(FILE.to_owned()).await? else {
            return Ok(());
        };
        let kept: Kept =
            serde_json::from_slice(&text).map_err(|error| StoreError::Corrupt(format!("{FILE}: {error}")))?;
        self.set_policy(kept.failure_policy);
        Ok(())
    }

    /// The account's policy for what failed.
    #[must_use]
    pub fn failure_policy(&self) -> RetryPolicy {
        self.retry_policy()
    }

    /// # Errors
    /// The store's; then nothing changes.
    pub async fn set_failure_policy(&self, failure_policy: RetryPolicy) -> Result<(), StoreError> {
        let _turn = self.account_turn.lock().await;
        let text = serde_json::to_vec(&Kept { failure_policy });
        let text = text.map_err(|error| StoreError::Corrupt(format!("{FILE} cannot be written as JSON: {error}")))?;
        self.files.put(FILE.to_owned(), Bytes::from(text)).await?;
        self.set_policy(failure_policy);
        info!(?failure_policy, "the account's policy for failed notifications is set");
        Ok(())
    }

    fn set_policy(&self, policy: RetryPolicy) {
        self.queues_failed
            .store(policy == RetryPolicy::Queue, Ordering::Relaxed);
    }
}
