//! One operation of an element: what goes in, and the steps that come out. Mirrors wit/element.wit; the JSON of these
//! types is their form in continuations and in cases.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::record::Record;
use crate::time::Timestamp;

/// The same value comes with every call of a run. Serialised in a continuation, so that any node can go on with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    pub operation: Operation,
    /// One JSON object without secrets; their names under `$secrets`.
    #[serde(default = "empty_object")]
    pub configuration: Value,
    #[serde(default, with = "crate::body::option", skip_serializing_if = "Option::is_none")]
    pub memo: Option<Vec<u8>>,
    #[serde(rename = "nowMs")]
    pub now: Timestamp,
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Check,
    List(ListArgs),
    Get(GetArgs),
    Sweep(SweepArgs),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListArgs {
    pub resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The parsed where clause, in the form that the WIT describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<(String, String)>,
    pub id_field: String,
    #[serde(default)]
    pub dates: DateFields,
    pub page_size: u32,
    #[serde(default, with = "crate::body::option", skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetArgs {
    pub resource: String,
    pub id: String,
    pub id_field: String,
    #[serde(default)]
    pub dates: DateFields,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SweepArgs {
    pub resource: String,
    pub id_field: String,
    pub page_size: u32,
}

/// The time a poll covers, by the vendor's clock, inclusive, the overlap already subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    #[serde(rename = "fromMs")]
    pub from: Timestamp,
    #[serde(default, rename = "untilMs", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Dotted paths, tried in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DateFields {
    pub created: Vec<String>,
    pub updated: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    #[serde(default)]
    pub id: u32,
    pub method: String,
    pub url: String,
    /// Values may hold placeholders, `{{secret:NAME}}` and `{{base64:TEXT}}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    #[serde(default, with = "crate::body::option", skip_serializing_if = "Option::is_none")]
    pub body: Option<Vec<u8>>,
    #[serde(default)]
    pub idempotent: bool,
    #[serde(default)]
    pub cost: u16,
    #[serde(default)]
    pub lane: String,
}

/// Status 0: no answer came, and `body` says why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    #[serde(default)]
    pub id: u32,
    pub status: u16,
    /// Names in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    #[serde(default, with = "crate::body")]
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
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

/// Why a request must not leave, in words that show neither secret nor query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);
