//! What an instance's element may reach, and the secrets that fill its placeholders.
//! Made for one run and never stored: on disk secrets are sealed.
//! Must not be stored or shown.

use std::collections::{HashMap, HashSet};

use super::element::Limits;
use super::secret::Secret;

/// What one instance of an element may reach, and what fills its placeholders.
#[derive(Debug)]
pub struct Grants {
    /// Host patterns of the manifest: a name, or `*.example.com`. Reached by https only.
    pub hosts: Vec<String>,
    /// Origins out of the instance's configuration, e.g. `http://127.0.0.1:8080`; scheme, host and port must match.
    pub origins: Vec<String>,
    pub secrets: HashMap<String, Secret>,
    /// What `{{secret:oauth2.access_token}}` is obtained with, where the instance sets it.
    pub oauth2: Option<RefreshGrant>,
    /// Names the vendor account whose budget and concurrency are shared, over all its instances.
    pub account: String,
    pub limits: Limits,
    pub operator: OperatorGrants,
    /// Response headers that the element wants, in lower case; `date` always comes.
    pub response_headers: Vec<String>,
}

/// The refresh-token grant of OAuth2 (RFC 6749, section 6), with the instance's values.
#[derive(Debug)]
pub struct RefreshGrant {
    pub token_url: String,
    pub client_id: Secret,
    pub client_secret: Secret,
    pub refresh_token: Secret,
    /// One of the secrets is the operator's.
    pub by_operator: bool,
}

/// What of the grants whoever runs the gateway set, and the instance's user has no say in. A secret of theirs must not follow
/// a url that the user chose.
#[derive(Debug, Default)]
pub struct OperatorGrants {
    /// Names of secrets.
    pub secrets: HashSet<String>,
    /// Host patterns, beside those of the manifest, that these secrets may go to. Reached by https only.
    pub hosts: Vec<String>,
    /// Origins that they may go to.
    pub origins: Vec<String>,
}
