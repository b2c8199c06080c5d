//! One object of a resource, and what is remembered of it.

pub use tidegate_contract::record::{Moment, Record};

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
