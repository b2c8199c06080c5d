//! A loaded component and what it says of itself.

use serde_json::Value;
pub use tidegate_contract::manifest::{
    ACCESS_TOKEN, Limits, Manifest, Oauth2, PageSize, Property, PropertyKind, Resource,
};

use super::id::Digest;

/// One loaded component with its manifest.
#[derive(Clone, Debug)]
pub struct Element {
    pub manifest: Manifest,
    /// The manifest as the element wrote it, for `GET /elements/{key}/metadata`.
    pub document: Value,
    pub digest: Digest,
}
