//! A change as a consumer sees it, and the notification that carries up to ten of them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Change {
    Created,
    Updated,
    Deleted,
}

impl Change {
    /// As Cloud Elements writes it in `eventType`.
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Created => "CREATED",
            Change::Updated => "UPDATED",
            Change::Deleted => "DELETED",
        }
    }
}

/// One event without its record's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Derived from what changed, so that a redone page gives the same id.
    pub id: String,
    /// Counts the events of a resource without gaps, from 1.
    pub sequence: u64,
    pub change: Change,
    pub record: String,
    /// The record's updated date; the poll's time where it has none.
    pub date: Timestamp,
}

/// Most events in one notification, as Cloud Elements documents for polling.
pub const EVENTS_PER_NOTIFICATION_MAX: usize = 10;

/// Up to ten events of one resource of one poll: the unit that is delivered. Frozen when made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// `message.eventId`; derived from its first event.
    pub id: String,
    pub resource: String,
    pub created: Timestamp,
    pub events: Vec<Event>,
    /// The very bytes that are posted and signed.
    pub body: Bytes,
}
