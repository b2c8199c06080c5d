//! One operation of an element: what goes in, and the steps that come out. Mirrors wit/element.wit.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::Record;
use super::time::Timestamp;

/// The same value comes with every call of a run. Serialised in a continuation, so that any node can go on with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub operation: Operation,
    /// One JSON object without secrets; their names under `$secrets`.
    pub configuration: Value,
    #[serde(with = "super::binary::option")]
    pub memo: Option<Vec<u8>>,
    pub now: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    Check,
    List(ListArgs),
    Get(GetArgs),
    Sweep(SweepArgs),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListArgs {
    pub resource: String,
    pub window: Option<Window>,
    /// The parsed where clause, in the form that the WIT describes.
    pub filter: Option<Value>,
    pub parameters: Vec<(String, String)>,
    pub id_field: String,
    pub dates: DateFields,
    pub page_size: u32,
    #[serde(with = "super::binary::option")]
    pub checkpoint: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetArgs {
    pub resource: String,
    pub id: String,
    pub id_field: String,
    pub dates: DateFields,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepArgs {
    pub resource: String,
    pub id_field: String,
    pub page_size: u32,
}

/// The time a poll covers, by the vendor's clock, inclusive, the overlap already subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

/// Dotted paths, tried in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateFields {
    pub created: Vec<String>,
    pub updated: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: u32,
    pub method: String,
    pub url: String,
    /// Values may hold `{{secret:NAME}}`.
    pub headers: Vec<(String, String)>,
    #[serde(with = "super::binary::option")]
    pub body: Option<Vec<u8>>,
    pub idempotent: bool,
    pub cost: u16,
    pub lane: String,
}

/// Status 0: no answer came, and `body` says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub id: u32,
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Send(Vec<Request>),
    WaitMs(u32),
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub next: Next,
    pub records: Vec<Record>,
    pub ids: Vec<String>,
    pub problems: Vec<Problem>,
    pub checkpoint: Option<Vec<u8>>,
    /// Set when the memo changed; empty clears it.
    pub memo: Option<Vec<u8>>,
    pub state: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub subject: String,
    pub code: String,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remedy {
    Retry { after_seconds: Option<u32> },
    RateLimited { after_seconds: Option<u32> },
    RefreshAuth,
    Restart,
    BadConfiguration,
    Broken,
    Other(String),
}

/// How a run fails in the element's own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    pub remedy: Remedy,
    pub code: String,
    pub message: String,
    pub detail: Option<Value>,
}

/// Why a request must not leave, in words that show neither secret nor query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);
