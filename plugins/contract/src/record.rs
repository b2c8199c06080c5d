//! One object of a resource, as an element gives it.
//! Must not know what is remembered of a record.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A date of a record, as the element found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    #[serde(rename = "atMs")]
    At(Timestamp),
    /// Text that the element could not read; the configured date pattern may.
    Text(String),
}

/// One object of a resource, normalised by the element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Moment>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// One JSON object in canonical form (sorted keys, no white space); empty for a tombstone.
    #[serde(default, with = "crate::body", skip_serializing_if = "Bytes::is_empty")]
    pub body: Bytes,
}
