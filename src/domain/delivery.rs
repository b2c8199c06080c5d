//! What became of a notification.

use serde::{Deserialize, Serialize};

use super::event::Notification;
use super::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// Stored; there is no callback to deliver it to.
    Stored,
    /// Not attempted yet.
    Waiting,
    /// Attempted and failed; another attempt is due.
    Retry,
    Delivered,
    /// The schedule is exhausted.
    Dead,
}

impl DeliveryStatus {
    pub fn is_alive(self) -> bool {
        matches!(self, DeliveryStatus::Waiting | DeliveryStatus::Retry)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub status: DeliveryStatus,
    /// POSTs made so far.
    pub attempts: u32,
    /// When the next attempt is due; None when none is.
    pub due: Option<Timestamp>,
    pub last: Option<Attempt>,
}

/// One POST of a notification to the callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub at: Timestamp,
    pub took_ms: u32,
    /// HTTP status, if an answer came.
    pub status: Option<u16>,
    /// Why it did not count as delivered, in words.
    pub error: Option<String>,
}

/// Where the outbox keeps a notification: ordered by commit, the same after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutboxId {
    /// Number of the batch, rising with each commit.
    pub batch: u64,
    /// Place within the batch.
    pub index: u32,
}

/// A notification as it stands in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub id: OutboxId,
    pub notification: Notification,
    pub delivery: Delivery,
}
