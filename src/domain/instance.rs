//! An instance: an element plus one customer's configuration, and its pollers as parsed from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::credential::Credential;
use super::event::Format;
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
    /// Tokens from before a rotation that may still be used for a while.
    #[serde(default)]
    pub old_tokens: Vec<Credential>,
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
    /// How events are delivered.
    #[serde(default)]
    pub delivery: DeliverySettings,
}

/// `event.notification.*` beyond the URL, in types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliverySettings {
    pub format: Format,
    pub retry: RetrySettings,
    /// POSTs a second; None for no limit.
    pub rate_per_second: Option<f64>,
    /// POSTs under way at the same time.
    pub concurrency: u32,
    /// Longest wait for an answer; None for the gateway's own.
    pub timeout_ms: Option<u64>,
    /// Longest body of a notification: larger ones carry fewer events, and one event alone goes without its record.
    pub body_bytes_max: u32,
    /// Are changed fields told from the baseline on, rather than from a record's second event on?
    pub all_fields: bool,
}

/// POSTs to one endpoint under way at the same time, where its instance does not say.
pub const CONCURRENCY_DEFAULT: u32 = 16;
/// Longest body of a notification in bytes, where its instance does not say.
pub const BODY_BYTES_MAX_DEFAULT: u32 = 1 << 20;

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            format: Format::default(),
            retry: RetrySettings::default(),
            rate_per_second: None,
            concurrency: CONCURRENCY_DEFAULT,
            timeout_ms: None,
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
            all_fields: false,
        }
    }
}

/// When a failed notification is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetrySettings {
    /// Waits in milliseconds before the first, second, … attempt; empty for Standard Webhooks' schedule.
    pub waits_ms: Vec<u64>,
    /// The endpoint is disabled when a notification has used the schedule up, as Cloud Elements does.
    pub disables: bool,
    /// What the instance says; None for the account's policy.
    pub policy: Option<RetryPolicy>,
}

/// What becomes of a notification that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetryPolicy {
    /// It is tried again on schedule.
    #[default]
    Retry,
    /// It is a dead letter at once, and waits for somebody to ask for it.
    Queue,
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
