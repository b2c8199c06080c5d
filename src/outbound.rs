//! The gateway's way out: an element's requests to vendors, and notifications to callbacks, over reqwest.
//! Decides nothing about retries and keeps nothing but access tokens, in memory; what may leave is judged by `engine::egress`.
//!
//! Every address is judged, whoever names it: base URLs and callbacks are user input. A name is resolved by our own
//! resolver, which hands on allowed addresses alone, so that what was judged is what is dialled.

mod callback;
mod nats;
mod oauth2;
mod reason;
mod resolve;
#[cfg(test)]
mod tests;
mod turns;
mod vendor;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reqwest::redirect::Policy;

use crate::domain::run::{Request, Response};
use crate::domain::time::Timestamp;
use crate::ports::{Answer, Callback, Clock, Grants, Post, Refusal, Unanswered, Vendor};
use nats::Nats;
use oauth2::Tokens;
use resolve::{Guard, Lookup};
use turns::Turns;

/// A connection that nobody used for so long is closed by us, before the other side does it under a request.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// HTTP/2 connections are asked for a sign of life so often while requests are under way, and dropped without one:
/// otherwise a connection that a router forgot would fail every request that shares it.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What the operator decides, with defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// Opens loopback, private and carrier networks; never a cloud's metadata.
    pub allow_private_networks: bool,
    /// Opens whatever lies in these networks.
    pub allow_networks: Vec<IpNet>,
    /// Refuses whatever is not reached by https.
    pub require_https: bool,
    /// From sending a vendor request to the last byte of its answer, connecting included, waiting for a turn not.
    pub vendor_timeout: Duration,
    /// Resolving, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
    /// Longest body of a vendor's answer, in bytes.
    pub vendor_body_bytes_max: usize,
    /// How much of a callback's answer is read, in bytes, to use its connection again.
    pub answer_bytes_max: usize,
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_private_networks: false,
            allow_networks: Vec::new(),
            require_https: false,
            vendor_timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(10),
            vendor_body_bytes_max: 8 * 1024 * 1024,
            answer_bytes_max: 16 * 1024,
            user_agent: concat!("tidegate/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("setting up the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// Both ports over one client, whose connections they share.
pub struct Outbound {
    shared: Arc<Shared>,
}

struct Shared {
    client: reqwest::Client,
    guard: Guard,
    turns: Turns,
    tokens: Tokens,
    nats: Nats,
    options: Options,
}

impl Outbound {
    /// Installs rustls' ring provider for the process unless there is one. A machine without certificates of authorities
    /// gets a client that reaches http alone, and a warning.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Error> {
        Self::with_lookup(options, clock, resolve::system_lookup())
    }

    fn with_lookup(options: Options, clock: Arc<dyn Clock>, lookup: Lookup) -> Result<Arc<Self>, Error> {
        // An error says that there is a provider already, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let guard = Guard::new(&options, lookup);
        let client = builder(&options, &guard).build().or_else(|error| {
            tracing::warn!(
                error = reason::causes(&error),
                "no certificates of authorities on this machine, so every https request will fail; install the package \
                 ca-certificates or set SSL_CERT_FILE"
            );
            builder(&options, &guard)
                .tls_certs_only([])
                .build()
                .map_err(Error::Client)
        })?;
        let nats = Nats::new(&options, &guard);
        let shared = Shared {
            client,
            guard,
            turns: Turns::new(clock.clone()),
            tokens: Tokens::new(clock),
            nats,
            options,
        };
        Ok(Arc::new(Self {
            shared: Arc::new(shared),
        }))
    }
}

fn builder(options: &Options, guard: &Guard) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(&options.user_agent)
        .connect_timeout(options.connect_timeout)
        // Older versions are broken, and rustls has none of them; whoever changes the library is told here.
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
        .redirect(Policy::none())
        .referer(false)
        // With a proxy from the environment the proxy would resolve, past the guard.
        .no_proxy()
        .dns_resolver(guard.clone())
        .pool_idle_timeout(IDLE_MAX)
        .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
        .http2_keep_alive_timeout(HTTP2_PING_TIMEOUT)
}

impl Vendor for Outbound {
    fn send(&self, request: Request, grants: Arc<Grants>) -> BoxFuture<'static, Result<Response, Refusal>> {
        let shared = self.shared.clone();
        Box::pin(async move { shared.send(request, &grants).await })
    }

    fn pause(&self, account: &str, until: Timestamp) {
        self.shared.turns.rest(account, until);
    }

    fn paused_until(&self, account: &str) -> Option<Timestamp> {
        self.shared.turns.resting_until(account)
    }
}

impl Callback for Outbound {
    fn post(&self, post: Post) -> BoxFuture<'static, Result<Answer, Unanswered>> {
        let shared = self.shared.clone();
        Box::pin(async move { shared.post(post).await.map_err(Unanswered::from) })
    }

    fn admissible(&self, url: &str) -> Result<(), String> {
        self.shared.guard.admissible(url)
    }
}
