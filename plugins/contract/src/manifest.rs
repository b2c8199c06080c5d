//! What an element says of itself. The document is described in docs/manifest.md.
//! Must not hold what changes while an element runs.

mod check;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The largest manifest, in bytes; beyond that it is no description any more.
pub const BYTES_MAX: usize = 1024 * 1024;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub key: String,
    pub name: String,
    pub hub: String,
    #[serde(default)]
    pub id: u64,
    #[serde(default)]
    pub description: String,
    pub version: String,
    /// Version of what records look like; a new one re-baselines in silence.
    pub projection: u32,
    #[serde(default)]
    pub checkpoint_version: u32,
    #[serde(default)]
    pub properties: Vec<Property>,
    pub resources: Vec<Resource>,
    /// Hosts that requests may go to: a name, or `*.example.com`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Properties whose URL's host is allowed too.
    #[serde(default)]
    pub hosts_from: Vec<String>,
    /// Properties that together name the vendor account whose limits are shared.
    #[serde(default)]
    pub account: Vec<String>,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub page_size: PageSize,
    #[serde(default)]
    pub response_headers: Vec<String>,
    /// Defaults of `event.*` configuration keys.
    #[serde(default)]
    pub defaults: BTreeMap<String, Value>,
    /// How the gateway gets access tokens for it, where the vendor wants OAuth2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<Oauth2>,
    /// The component brings an interpreter with it, so that a call may take more time and memory.
    #[serde(default)]
    pub interpreted: bool,
    /// Seconds subtracted from the watermark when a poller sets no `pollDelay`.
    #[serde(default = "default_overlap_seconds")]
    pub overlap_seconds: u32,
}

fn default_overlap_seconds() -> u32 {
    60
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Property {
    pub key: String,
    #[serde(rename = "type")]
    pub kind: PropertyKind,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub secret: bool,
    #[serde(default)]
    pub default: Option<Value>,
    #[serde(default)]
    pub description: String,
    /// An operator may set it for all instances of the element.
    #[serde(default)]
    pub operator: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PropertyKind {
    String,
    Url,
    Password,
    Boolean,
    Integer,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    pub name: String,
    /// Matches any resource name that no other entry has.
    #[serde(default)]
    pub generic: bool,
    #[serde(default = "default_id_field")]
    pub id_field: String,
    #[serde(default)]
    pub created_date_field: Option<String>,
    #[serde(default)]
    pub updated_date_field: Option<String>,
    /// Every field of the resource that is known to hold a date.
    #[serde(default)]
    pub date_fields: Vec<String>,
    /// Seconds that created and updated may differ in a record that counts as created.
    #[serde(default)]
    pub created_check_tolerance: Option<u32>,
    /// Polled when the instance configures no pollers.
    #[serde(default)]
    pub default_poll: bool,
    #[serde(default)]
    pub description: String,
}

fn default_id_field() -> String {
    "id".into()
}

/// The refresh-token grant of OAuth2 (RFC 6749, section 6). The gateway makes the request, so that no token reaches the
/// element, which writes `{{secret:oauth2.access_token}}`. `client_id`, `client_secret` and `refresh_token` are keys of
/// properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Oauth2 {
    /// By https, at one of the manifest's hosts; or a path, where `token_url_from` is set.
    pub token_url: String,
    /// Key of a property of type `url`: the path of `token_url` is added to its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url_from: Option<String>,
    pub client_id: String,
    pub client_secret: String,
    pub refresh_token: String,
}

/// What the vendor allows per account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    pub requests: u32,
    pub per_seconds: u32,
    /// The share of the vendor's budget that this gateway may use, 0 to 1.
    pub share: f64,
    pub concurrency_per_lane: u32,
    /// Lanes that have a budget of their own, which counts beside the account's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lanes: BTreeMap<String, LaneLimits>,
}

/// What the vendor allows the requests of one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LaneLimits {
    pub requests: u32,
    pub per_seconds: u32,
    /// In place of `concurrency_per_lane`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
}

impl Limits {
    /// How many requests of a lane may be under way at a time.
    pub fn concurrency(&self, lane: &str) -> u32 {
        let own = self.lanes.get(lane).and_then(|lane| lane.concurrency);
        own.unwrap_or(self.concurrency_per_lane)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 3_600,
            per_seconds: 3_600,
            share: 1.0,
            concurrency_per_lane: 4,
            lanes: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSize {
    pub default: u32,
    pub max: u32,
}

impl Default for PageSize {
    fn default() -> Self {
        Self {
            default: 200,
            max: 1_000,
        }
    }
}

impl Oauth2 {
    /// The url that tokens are asked of; `value_of` gives the value of a property, if it has one.
    pub fn url<'a>(&self, value_of: impl FnOnce(&str) -> Option<&'a str>) -> Option<String> {
        match &self.token_url_from {
            None => Some(self.token_url.clone()),
            Some(key) => Some(format!("{}{}", value_of(key)?.trim_end_matches('/'), self.token_url)),
        }
    }
}

impl Manifest {
    /// The manifest and the document it was read from.
    ///
    /// # Errors
    /// Names field, found and expected.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Value), String> {
        check::parse(bytes)
    }

    /// The entry of this very name, else the generic one.
    pub fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| !resource.generic && resource.name == name)
            .or_else(|| self.resources.iter().find(|resource| resource.generic))
    }

    pub fn property(&self, key: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.key == key)
    }
}
