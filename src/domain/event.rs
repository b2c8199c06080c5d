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
    /// Digest of the record before the change (as its fingerprint has it); None of a record that was not known.
    pub before: Option<u128>,
    /// Digest of the record after the change; None of a record that is gone.
    pub after: Option<u128>,
    /// Paths of the fields that changed, sorted; None where the record before is not known field by field.
    pub fields: Option<Vec<String>>,
}

/// Most events in one notification, as Cloud Elements documents for polling.
pub const EVENTS_PER_NOTIFICATION_MAX: usize = 10;

/// The form of a notification's body: `event.notification.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Cloud Elements' envelope.
    #[default]
    Elements,
    /// One CloudEvent in structured JSON.
    Cloudevents,
    /// A JSON array of CloudEvents.
    CloudeventsBatch,
    /// Standard Webhooks' `type`, `timestamp` and `data`.
    Standard,
}

impl Format {
    /// How many events one notification may carry.
    #[must_use]
    pub fn events_max(self) -> usize {
        match self {
            Format::Elements | Format::CloudeventsBatch => EVENTS_PER_NOTIFICATION_MAX,
            Format::Cloudevents | Format::Standard => 1,
        }
    }

    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Elements | Format::Standard => "application/json",
            Format::Cloudevents => "application/cloudevents+json; charset=UTF-8",
            Format::CloudeventsBatch => "application/cloudevents-batch+json; charset=UTF-8",
        }
    }
}

/// Up to ten events of one resource of one poll: the unit that is delivered. Frozen when made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// `message.eventId`; derived from its first event.
    pub id: String,
    pub resource: String,
    pub created: Timestamp,
    pub events: Vec<Event>,
    pub format: Format,
    /// The very bytes that are posted and signed.
    pub body: Bytes,
}

impl Notification {
    /// The id as Cloud Elements' consumers read it: a whole number.
    #[must_use]
    pub fn number(&self) -> u64 {
        number_of(&self.id)
    }
}

/// A whole number below 2^63 made of a notification's id. Two ids share one about never, and nothing depends on it.
#[must_use]
pub fn number_of(id: &str) -> u64 {
    let folded = id.bytes().fold(0_u64, |number, byte| {
        number.wrapping_mul(67).wrapping_add(u64::from(byte))
    });
    folded >> 1
}
