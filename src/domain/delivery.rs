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
    /// A dead letter: it is not attempted any more, until somebody asks for it.
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
    /// Why it is a dead letter.
    pub dead: Option<DeadReason>,
    /// Attempts made when somebody asked for it again last: the schedule counts from there.
    pub attempts_before: u32,
}

impl Delivery {
    /// Of a notification that nobody tried to deliver yet.
    #[must_use]
    pub fn new(status: DeliveryStatus, due: Option<Timestamp>) -> Self {
        Self {
            status,
            attempts: 0,
            due,
            last: None,
            dead: None,
            attempts_before: 0,
        }
    }
}

/// Why a notification is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// Every attempt of the schedule failed.
    Exhausted,
    /// The endpoint answered 413: it never takes a body of this size.
    TooLarge,
    /// The endpoint answered 415: it does not understand the format.
    FormatRefused,
    /// The endpoint said so, in the header `webhook-delivery: abort-message`.
    Aborted,
    /// It failed once, and the policy is `queue`: failed ones wait for somebody to ask for them.
    Queued,
    /// It waited for a disabled endpoint for longer than what was not delivered is kept.
    Expired,
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

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody answered in time.
    Timeout,
    /// No connection, or one that broke: connect, DNS, TLS, reset.
    Unreachable,
    /// Nothing was sent: an address that may not be dialled, a URL or header that can't be.
    NotSent,
}

/// An attempt as it can be looked up: what was sent and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// Counts all attempts of the notification from 1, over redeliveries too.
    pub number: u32,
    pub attempt: Attempt,
    /// Host and path, without query and user.
    pub url: String,
    /// In the order sent; what may be a secret is masked.
    pub request_headers: Vec<(String, String)>,
    pub response_headers: Vec<(String, String)>,
    /// The beginning of the answer's body, as text.
    pub response_body: String,
    /// The answer's body was longer.
    pub body_is_cut: bool,
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
