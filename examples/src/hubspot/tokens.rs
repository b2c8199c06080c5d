//! Who may ask: a private app's token, and access tokens that a refresh token is exchanged for.
//! Every value is made up and opens nothing.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;

/// The simulated account's number.
pub const HUB_ID: u64 = 123_456;
/// Never expires.
pub const PRIVATE_APP_TOKEN: &str = "pat-simulated-0000";

/// An app that the account installed.
#[derive(Debug, Clone, Copy)]
pub struct Client;

impl Client {
    pub const ID: &str = "simulated-client";
    pub const SECRET: &str = "simulated-client-secret";
    pub const REFRESH_TOKEN: &str = "simulated-refresh-token";
}

#[derive(Debug)]
pub(super) struct Tokens {
    seconds: i64,
    /// With the end of each.
    live: HashMap<String, DateTime<Utc>>,
    made: u32,
    is_revoked: bool,
}

impl Tokens {
    pub(super) fn new(seconds: i64) -> Self {
        Self {
            seconds,
            live: HashMap::new(),
            made: 0,
            is_revoked: false,
        }
    }

    /// How many were handed out.
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    /// Every access token ends now, whatever was said of its life.
    pub(super) fn end_all(&mut self) {
        self.live.clear();
    }

    /// The app was uninstalled: its tokens end, and its refresh token with them.
    pub(super) fn revoke(&mut self) {
        self.end_all();
        self.is_revoked = true;
    }

    pub(super) fn is_good(&self, token: &str, now: DateTime<Utc>) -> bool {
        token == PRIVATE_APP_TOKEN || self.live.get(token).is_some_and(|end| *end > now)
    }

    /// The status and the answer to a form of the token endpoint.
    pub(super) fn exchange(&mut self, form: &[u8], now: DateTime<Utc>) -> (u16, Value) {
        let form: HashMap<_, _> = form_urlencoded::parse(form).collect();
        let is = |key: &str, expected: &str| form.get(key).is_some_and(|value| value == expected);
        let refused = |status: &str, error: &str, message: &str| {
            (
                400,
                json!({"status": status, "error": error, "error_description": message, "message": message}),
            )
        };
        if !is("grant_type", "refresh_token") {
            return refused("BAD_GRANT_TYPE", "unsupported_grant_type", "unknown grant type");
        }
        if !is("client_id", Client::ID) || !is("client_secret", Client::SECRET) {
            return refused(
                "BAD_CLIENT_SECRET",
                "invalid_client",
                "missing or invalid client secret",
            );
        }
        if !is("refresh_token", Client::REFRESH_TOKEN) || self.is_revoked {
            return refused("BAD_REFRESH_TOKEN", "invalid_grant", "missing or invalid refresh token");
        }
        self.made += 1;
        let token = format!("simulated-access-token-{}", self.made);
        self.live.insert(token.clone(), now + Duration::seconds(self.seconds));
        let granted = json!({
            "token_type": "bearer",
            "access_token": token,
            "refresh_token": Client::REFRESH_TOKEN,
            "expires_in": self.seconds,
            "hub_id": HUB_ID,
        });
        (200, granted)
    }
}
