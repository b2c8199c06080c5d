//! One object of a resource, and what is remembered of it.

use bytes::Bytes;

use super::time::Timestamp;

/// A date of a record, as the element found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    /// Text that the element could not read; the configured date pattern may.
    Text(String),
}

/// One object of a resource, normalised by the element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub id: String,
    /// One JSON object in canonical form (sorted keys, no white space); empty for a tombstone.
    pub body: Bytes,
    pub created: Option<Moment>,
    pub updated: Option<Moment>,
    pub deleted: bool,
}

/// What is kept per record id: enough to tell whether it changed and to number its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// xxh3-128 of the canonical body.
    pub digest: u128,
    /// The element's projection that made the body; another one makes digests incomparable.
    pub projection: u32,
    /// How many changes of this record were seen, the first sight counted: 1, 2, …
    pub version: u32,
    /// The record was reported deleted and is remembered for its version alone.
    pub deleted: bool,
}
