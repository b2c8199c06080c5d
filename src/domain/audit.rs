//! Who changed what over REST. Must not hold a body, a query or a secret.

use serde::{Deserialize, Serialize};

use super::id::InstanceId;
use super::time::Timestamp;

/// Whose secrets came with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// The whole account.
    Owner,
    /// The bearer of this instance's token.
    Token(InstanceId),
    /// Wrong secrets: a failed login.
    Nobody,
}

/// One request that changed something, or tried to get in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// Id of the request, as the answer and the log have it.
    pub request: String,
    pub who: Who,
    /// Address of the client.
    pub client: String,
    pub method: String,
    /// Without the query.
    pub path: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// The instance that it was about, if it was about one.
    #[serde(default)]
    pub instance: Option<InstanceId>,
}

/// Where an entry stands: by time, and in order within a millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPlace {
    pub at: Timestamp,
    pub number: u32,
}

/// Which entries are asked for. Times are those of the entries: `from` included, `to` not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub instance: Option<InstanceId>,
    /// Older than this place alone.
    pub before: Option<AuditPlace>,
}

/// Entries, newest first, and where to go on: None when nothing older is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    pub next: Option<AuditPlace>,
}
