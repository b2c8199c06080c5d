//! What is known of a resource between polls and in the middle of one.

use serde::{Deserialize, Serialize};

use super::id::Digest;
use super::run::{Problem, Request, Run};
use super::time::Timestamp;

/// One row per polled resource. Written whole with every commit of a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceState {
    /// Raised by each commit; a commit that expects another revision is refused.
    pub revision: u64,
    /// When the row was made. Part of event ids, so that a resource that is removed and added again repeats none.
    pub born: Timestamp,
    /// Greatest updated date of a poll that committed whole, by the vendor's clock. None until the first one did.
    pub watermark: Option<Timestamp>,
    /// The first poll ended: from now on unknown records are news.
    pub baselined: bool,
    /// Sequence number of the next event, from 1.
    pub next_sequence: u64,
    /// Projection of the component that polled last.
    pub projection: u32,
    #[serde(with = "tidegate_contract::binary::option")]
    pub checkpoint: Option<Vec<u8>>,
    /// A poll that is not done: where it goes on after a restart.
    pub continuation: Option<Continuation>,
    pub last: Option<PollReport>,
    /// When the next poll is due; None while disabled.
    pub due: Option<Timestamp>,
    /// Polls that failed since the last good one.
    pub failures: u32,
}

impl ResourceState {
    pub fn new(due: Option<Timestamp>) -> Self {
        Self {
            revision: 0,
            born: Timestamp::EPOCH,
            watermark: None,
            baselined: false,
            next_sequence: 1,
            projection: 0,
            checkpoint: None,
            continuation: None,
            last: None,
            due,
            failures: 0,
        }
    }
}

/// A run between two steps, with what the gateway knows of the poll so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Continuation {
    /// The component that made the state; another one starts the run anew.
    pub digest: Digest,
    pub run: Run,
    #[serde(with = "tidegate_contract::binary")]
    pub state: Vec<u8>,
    pub requests: Vec<Request>,
    pub progress: Progress,
}

/// What a poll has gathered when a page is committed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub started: Timestamp,
    /// The poll's start by the vendor's `Date` header, once an answer came.
    pub vendor_started: Option<Timestamp>,
    /// Greatest updated date seen.
    pub newest: Option<Timestamp>,
    pub requests: u32,
    pub records: u64,
    pub events: u64,
    pub problems: Vec<Problem>,
    #[serde(with = "tidegate_contract::binary::option")]
    pub checkpoint: Option<Vec<u8>>,
}

impl Progress {
    pub fn new(started: Timestamp) -> Self {
        Self {
            started,
            vendor_started: None,
            newest: None,
            requests: 0,
            records: 0,
            events: 0,
            problems: Vec::new(),
            checkpoint: None,
        }
    }
}

/// How the last poll went, for people and machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PollReport {
    pub started: Timestamp,
    pub took_ms: u64,
    pub requests: u32,
    pub records: u64,
    pub events: u64,
    /// The first poll of the resource, which makes the baseline.
    pub first: bool,
    pub outcome: Outcome,
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Succeeded,
    Failed {
        code: String,
        /// Whose fault: `vendor`, `element`, `gateway` or `configuration`.
        blame: String,
        message: String,
    },
}
