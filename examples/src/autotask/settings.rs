//! What may change while a simulated vendor runs: credentials, zone, delays, limits, quirks.
//! Plain values without behaviour.

use std::fmt;
use std::time::Duration;

/// One API user. The values are compared literally; they are made up and open no real tenant.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user_name: String,
    pub secret: String,
    pub integration_code: String,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            user_name: "api.user@simulated.example".to_owned(),
            secret: "simulated-password".to_owned(),
            integration_code: "SIMULATEDINTEGRATIONCODE001".to_owned(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}

/// What a GET of the next page of a POST query gets: both were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GetAfterPost {
    /// 405 with a `Message`.
    MethodNotAllowed,
    /// 200 without rows: the silent truncation of many clients.
    EmptyPage,
}

/// Read at each request.
#[derive(Debug, Clone)]
pub struct Settings {
    pub credentials: Vec<Credentials>,
    /// The `url` of the zone reply; `None`: this simulator itself.
    pub zone_url: Option<String>,
    /// This host serves another zone: data calls answer 401, the zone lookup still works.
    pub wrong_zone: bool,
    /// Added to each call, while it counts as a thread.
    pub latency: Duration,
    /// How far the `Date` header is ahead of the clock.
    pub date_skew: chrono::Duration,
    /// Calls at the same time per integration code and entity.
    pub threads_max: usize,
    /// `Retry-After` of a thread or hourly limit. Whether the vendor sends it is unknown, so `None` is a case to test.
    pub retry_after: Option<String>,
    /// Calls per rolling hour.
    pub hourly_max: u64,
    /// Add the vendor's half second from 50 % of the hourly limit and its second from 75 %.
    pub usage_latency: bool,
    pub get_after_post: GetAfterPost,
    /// A wrong integration code answers 401 without a body, as newer clients report, instead of 500 with a text.
    pub bad_code_is_unauthorized: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            credentials: vec![Credentials::default()],
            zone_url: None,
            wrong_zone: false,
            latency: Duration::ZERO,
            date_skew: chrono::Duration::zero(),
            threads_max: 3,
            retry_after: Some("1".to_owned()),
            hourly_max: 10_000,
            usage_latency: false,
            get_after_post: GetAfterPost::MethodNotAllowed,
            bad_code_is_unauthorized: false,
        }
    }
}
