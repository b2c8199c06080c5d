//! The HTTP client of the demo and of tests: reqwest with a TLS provider installed.
//! Not the gateway's client: no policy on addresses, sizes or redirects.

use std::time::Duration;

/// Longer than anything on this machine should take, short enough to notice a hang.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Settings for a client of plain HTTP on this machine; it ignores proxy settings of the environment.
pub fn builder() -> reqwest::ClientBuilder {
    // reqwest asks for a provider even when only http is spoken. An error means that somebody installed one before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy()
}

/// A client from [`builder`] as it is.
///
/// # Panics
/// When the TLS backend cannot be set up, which only a broken build does.
pub fn client() -> reqwest::Client {
    builder()
        .build()
        .expect("a provider is installed and no certificate of ours is loaded")
}
