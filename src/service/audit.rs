//! The audit log: an entry per change, look-up, and dropping what is old. Knows nothing of HTTP beyond what an entry says.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use super::Gateway;
use crate::domain::audit::{AuditEntry, AuditPage, AuditQuery};
use crate::ports::StoreError;

/// Between two looks for entries that are too old.
const PURGE_EVERY: Duration = Duration::from_mins(10);
/// Most entries that one write drops.
const PURGE_MAX: usize = 500;

impl Gateway {
    /// On the disk when it returns. An entry that can't be written goes to the log, whole: what it tells of has happened.
    pub async fn audit(&self, entry: AuditEntry) {
        if let Err(error) = self.store.append_audit(entry.clone()).await {
            let entry = serde_json::to_string(&entry).unwrap_or_default();
            error!(%error, entry, blame = "gateway", "an audit entry could not be written");
        }
    }

    /// # Errors
    /// The store's.
    pub async fn audited(&self, query: AuditQuery, limit: usize) -> Result<AuditPage, StoreError> {
        self.store.audit(query, limit).await
    }
}

/// Drops entries that are older than `keep`, a little at a time, until `stop`.
pub async fn run_retention(gateway: Arc<Gateway>, keep: Duration, stop: CancellationToken) {
    while !stop.is_cancelled() {
        purge(&gateway, keep).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = gateway.clock.sleep(PURGE_EVERY) => {}
        }
    }
}

async fn purge(gateway: &Gateway, keep: Duration) {
    let before = gateway.clock.now().minus(keep);
    loop {
        match gateway.store.purge_audit(before, PURGE_MAX).await {
            Ok(PURGE_MAX) => {}
            Ok(dropped) => return debug!(dropped, "old audit entries dropped"),
            Err(error) => return error!(%error, "old audit entries could not be dropped"),
        }
    }
}
