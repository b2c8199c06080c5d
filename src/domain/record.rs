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

/// What is known of the fields of some records of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketches {
    /// Paths of fields, in the order in which they were first met: sketches name them by their places.
    pub names: Vec<String>,
    /// One for each record that was asked for.
    pub each: Vec<Option<Vec<u8>>>,
}

/// What is to be known from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SketchUpdate {
    /// All paths, if there are new ones.
    pub names: Option<Vec<String>>,
    /// Record id and sketch; None removes it.
    pub sketches: Vec<(String, Option<Vec<u8>>)>,
}
