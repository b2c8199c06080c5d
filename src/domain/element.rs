//! A loaded component and what it says of itself.

use serde_json::Value;
pub use tidegate_contract::manifest::{
    LaneLimits, Limits, Manifest, Oauth2, PageSize, Property, PropertyKind, Resource,
};
pub use tidegate_contract::placeholders::ACCESS_TOKEN;

use super::id::Digest;

/// One loaded component with its manifest.
#[derive(Clone, Debug)]
pub struct Element {
    pub manifest: Manifest,
    /// The manifest as the element wrote it, for `GET /elements/{key}/metadata`.
    pub document: Value,
    pub digest: Digest,
}

/// What the calls of one component came to since it was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub calls: u64,
    /// Computing, in microseconds on the worker's own clock.
    pub cpu_us: u64,
    pub records: u64,
    pub faults: u64,
    /// Calls that gave neither step nor fault: traps, limits, broken rules.
    pub traps: u64,
    /// The largest linear memory of one guest, in bytes.
    pub peak_memory_bytes: u64,
}
