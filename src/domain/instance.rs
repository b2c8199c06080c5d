//! An instance: an element plus one customer's configuration, and its pollers as parsed from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::InstanceId;
use super::time::Timestamp;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    /// Raised by each change; a change that expects another revision is refused.
    #[serde(default)]
    pub revision: u64,
    pub name: String,
    pub element: String,
    pub tags: Vec<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// SHA-256 of the token in hex; the token itself is shown once and not kept.
    pub token_hash: String,
    /// Calls and polls are refused while false.
    pub enabled: bool,
    /// The configuration as the user gave it, without secrets, values as strings, booleans, numbers or objects.
    pub configuration: BTreeMap<String, Value>,
    /// Secret configuration values, sealed with the data directory's key, in base64.
    pub secrets: BTreeMap<String, String>,
    /// Signature keys that still sign beside the one among the secrets, newest first.
    #[serde(default)]
    pub previous_keys: Vec<PreviousKey>,
    /// What the configuration means for polling; parsed once, when it was accepted.
    pub events: Events,
    /// What was tolerated when the configuration was accepted.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// Something tolerated, said to the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The configuration key or path, e.g. `event.poller.configuration.accounts.url`.
    pub field: String,
    pub message: String,
}

/// The `event.*` settings of an instance, in types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Events {
    /// Polls run and events are made only while true.
    pub enabled: bool,
    pub callback_url: Option<String>,
    /// Between two polls of a resource, in milliseconds.
    pub refresh_interval_ms: u64,
    pub first_sight: FirstSight,
    pub pollers: Vec<Poller>,
}

/// What happens to records that exist when an instance is created. Changed by a user alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirstSight {
    /// Remember them, no events.
    Baseline,
    /// Created events for all of them.
    Snapshot,
    /// Only what was updated from then on is read.
    Since(Timestamp),
}

/// One entry of `event.poller.configuration`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Poller {
    pub resource: String,
    /// Hub path with where clause and macros, as accepted.
    pub url: String,
    pub id_field: String,
    pub dates: Dates,
    /// Leave records that were updated after the poll began to the next poll.
    pub filter_by_current_date: bool,
    pub created_check_tolerance_seconds: u32,
    pub page_size: u32,
    pub overlap_seconds: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    pub updated: DateField,
    pub created: DateField,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateField {
    /// Paths tried in order: the configured one, then the resource's own.
    pub paths: Vec<String>,
    /// Java date pattern as accepted; empty for ISO 8601.
    pub pattern: String,
    /// Zone of values that carry none; empty for UTC.
    pub zone: String,
}

/// A signature key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousKey {
    /// As the secrets are.
    pub sealed: String,
    /// When it ceases to sign.
    pub until: Timestamp,
}
