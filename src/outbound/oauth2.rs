//! Access tokens by the refresh-token grant of OAuth2 (RFC 6749, section 6): obtained when one is needed, used until they
//! end or the vendor refuses them. Keeps nothing over a restart, and never shows a token or what it was obtained with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{self, BoxFuture};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::Shared;
use super::reason::Reason;
use super::vendor::{Ready, Whole};
use crate::domain::element::ACCESS_TOKEN;
use crate::domain::run::Request;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::egress;
use crate::ports::{Clock, Grants, RefreshGrant, Refusal};

/// A token is given up so long before its end, so that none ends under way; short-lived ones at half their life.
const MARGIN: Duration = Duration::from_mins(1);
/// For vendors that don't say how long a token lives, which is theirs to choose (RFC 6749, section 5.1).
const LIFE_ASSUMED: Duration = Duration::from_mins(10);
/// Longest error code of a vendor that is shown; those of RFC 6749 have at most 22 letters.
const ERROR_CODE_BYTES_MAX: usize = 64;
/// So many grants are known before those without a good token are forgotten.
const GRANTS_BEFORE_TIDYING: usize = 10_000;

pub(super) struct Tokens {
    slots: Mutex<HashMap<GrantDigest, Slot>>,
    clock: Arc<dyn Clock>,
}

/// SHA-256 of all that a grant consists of: instances that share a grant share its tokens.
type GrantDigest = [u8; 32];

#[derive(Default)]
struct Slot {
    token: Option<Token>,
    flight: Option<Flight>,
    /// A refresh token that came with an access token, and takes the place of the configured one.
    rotated: Option<Secret>,
}

struct Token {
    access: Secret,
    until: Timestamp,
}

/// One request for a token, for all who wait for it.
type Flight = future::Shared<BoxFuture<'static, Result<Secret, Denied>>>;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Denied {
    #[error(
        "oauth2_refused: {host} refused the refresh token with status {status}{code}; expected one that was not revoked, \
         and the id and the secret of the client that it was given to"
    )]
    Refused { host: String, status: u16, code: String },
    #[error("{0}")]
    NoToken(String),
}

/// What a vendor grants (RFC 6749, section 5.1).
struct Granted {
    access: Secret,
    life: Duration,
    refresh_token: Option<Secret>,
}

/// Does this header's value wait for an access token?
pub(super) fn is_awaited(value: &str, grants: &Grants) -> bool {
    grants.oauth2.is_some() && value.contains(&format!("{{{{secret:{ACCESS_TOKEN}}}}}"))
}

impl Shared {
    /// Sends a request that waits for an access token. One that is answered with 401 was not executed: it is sent once
    /// more, with a new token.
    pub(super) async fn authorized(
        self: &Arc<Self>,
        ready: &Ready,
        grant: &RefreshGrant,
        grants: &Grants,
    ) -> Result<Result<Whole, Reason>, Refusal> {
        let mut refused = None;
        loop {
            let token = match self.token(grant, grants, refused.as_ref()).await {
                Ok(token) => token,
                Err(denied) => return Ok(denied.into_answer()),
            };
            let mut secrets = grants.secrets.clone();
            secrets.insert(ACCESS_TOKEN.into(), token.clone());
            let result = self.tries(ready, ready.filled(&secrets)?, grants).await;
            let is_unauthorized = result.as_ref().is_ok_and(|whole| whole.status == 401);
            if !is_unauthorized || refused.is_some() {
                return Ok(result);
            }
            refused = Some(token);
        }
    }

    /// A token that is good by now and not the one that was refused. Who asks while a request for one is under way waits
    /// for its outcome, good or bad.
    async fn token(
        self: &Arc<Self>,
        grant: &RefreshGrant,
        grants: &Grants,
        refused: Option<&Secret>,
    ) -> Result<Secret, Denied> {
        let digest = digest_of(grant);
        let flight = {
            let now = self.tokens.clock.now();
            let mut slots = self.tokens.lock();
            tidy(&mut slots, now);
            let slot = slots.entry(digest).or_default();
            slot.token
                .take_if(|token| token.until <= now || refused == Some(&token.access));
            if let Some(token) = &slot.token {
                return Ok(token.access.clone());
            }
            // One that is over without having cleared its place has panicked.
            let under_way = slot.flight.take().filter(|flight| flight.peek().is_none());
            let flight = match under_way {
                Some(flight) => flight,
                None => {
                    let used = slot.rotated.as_ref().unwrap_or(&grant.refresh_token).clone();
                    let request = request(grant, &used, grants)?;
                    self.depart(digest, request, used, now)
                }
            };
            slot.flight.insert(flight).clone()
        };
        flight.await
    }

    /// Asks for a token in a task of its own: the answer may hold the only refresh token that works from now on, and must
    /// be read though nobody waits for it any more.
    fn depart(
        self: &Arc<Self>,
        digest: GrantDigest,
        request: reqwest::Request,
        used: Secret,
        now: Timestamp,
    ) -> Flight {
        let shared = self.clone();
        let asked = tokio::spawn(async move {
            let answer = shared.ask(request).await;
            shared.tokens.settle(digest, answer, &used, now)
        });
        let outcome = asked.map(|ended| ended.unwrap_or_else(|error| Err(Denied::NoToken(error.to_string()))));
        outcome.boxed().shared()
    }

    async fn ask(&self, request: reqwest::Request) -> Result<Granted, Denied> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let sent = match self.guard.check_url(request.url()) {
            Ok(()) => self.exchange(request).await,
            Err(reason) => Err(reason),
        };
        judge(&sent.map_err(|reason| Denied::NoToken(reason.to_string()))?, &host)
    }
}

impl Tokens {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            slots: Mutex::default(),
            clock,
        }
    }

    /// Keeps what came. A token's life counts from when it was asked for, with the refresh token that was used.
    fn settle(
        &self,
        digest: GrantDigest,
        answer: Result<Granted, Denied>,
        used: &Secret,
        asked: Timestamp,
    ) -> Result<Secret, Denied> {
        let mut slots = self.lock();
        let slot = slots.entry(digest).or_default();
        slot.flight = None;
        let granted = answer?;
        let until = asked.plus(granted.life - MARGIN.min(granted.life / 2));
        let access = granted.access.clone();
        slot.token = Some(Token { access, until });
        if let Some(refresh_token) = granted.refresh_token.filter(|new| new != used) {
            tracing::warn!(
                "a vendor gave a new refresh token with an access token; it is kept in memory only, so that the configured \
                 one is tried again after a restart and may then be refused"
            );
            slot.rotated = Some(refresh_token);
        }
        Ok(granted.access)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GrantDigest, Slot>> {
        // Every change is a few assignments, so that a panic elsewhere leaves nothing half done.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Granted {
    fn read(answer: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let secret = |key: &str| {
            answer
                .get(key)?
                .as_str()
                .filter(|text| !text.is_empty())
                .map(Secret::new)
        };
        // Some vendors write the number as a text.
        let seconds = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        let life = answer.get("expires_in").and_then(seconds).map(Duration::from_secs);
        Some(Self {
            access: secret("access_token")?,
            life: life.unwrap_or(LIFE_ASSUMED),
            refresh_token: secret("refresh_token"),
        })
    }
}

impl Denied {
    /// What the element gets in place of an answer to its own request.
    fn into_answer(self) -> Result<Whole, Reason> {
        match self {
            Self::Refused { .. } => Ok(Whole {
                status: 401,
                headers: HeaderMap::new(),
                body: Bytes::from(self.to_string()),
            }),
            Self::NoToken(reason) => Err(Reason::NoToken(reason)),
        }
    }
}

/// The request for a token, judged as an element's own would be. From here on it holds secrets and must not be shown.
fn request(grant: &RefreshGrant, refresh_token: &Secret, grants: &Grants) -> Result<reqwest::Request, Denied> {
    let wanted = Request {
        id: 0,
        method: "POST".into(),
        url: grant.token_url.clone(),
        headers: Vec::new(),
        body: None,
        idempotent: false,
        cost: 0,
        lane: String::new(),
    };
    let url = egress::admit(&wanted, &grants.hosts, &grants.origins).map_err(|refusal| Denied::NoToken(refusal.0))?;
    if let Some(sentence) = egress::withheld_token(&url, grant, grants) {
        return Err(Denied::NoToken(sentence));
    }
    let mut request = reqwest::Request::new(Method::POST, url);
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("client_id", grant.client_id.expose())
        .append_pair("client_secret", grant.client_secret.expose())
        .append_pair("refresh_token", refresh_token.expose())
        .finish();
    *request.body_mut() = Some(form.into());
    Ok(request)
}

fn judge(answer: &Whole, host: &str) -> Result<Granted, Denied> {
    match answer.status {
        200..=299 => Granted::read(&answer.body)
            .ok_or_else(|| Denied::NoToken(format!("{host} answered without an `access_token`"))),
        status @ (400 | 401) => Err(Denied::Refused {
            host: host.to_owned(),
            status,
            code: error_code(&answer.body).map_or_else(String::new, |code| format!(" ({code})")),
        }),
        status => Err(Denied::NoToken(format!(
            "{host} answered with status {status}; expected 200"
        ))),
    }
}

/// `invalid_grant`, as RFC 6749, section 5.2 has it. Nothing else of the answer is shown: it may repeat what was sent.
fn error_code(answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let code = answer.get("error")?.as_str()?;
    let is_code = code.len() <= ERROR_CODE_BYTES_MAX && code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'));
    is_code.then(|| code.to_owned())
}

fn digest_of(grant: &RefreshGrant) -> GrantDigest {
    let parts = [
        grant.client_id.expose(),
        grant.client_secret.expose(),
        grant.refresh_token.expose(),
    ];
    let mut hash = Sha256::new();
    for part in parts.into_iter().chain([grant.token_url.as_str()]) {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// A refresh token that came later than the configured one is the only one that works, and is never forgotten.
fn tidy(slots: &mut HashMap<GrantDigest, Slot>, now: Timestamp) {
    if slots.len() >= GRANTS_BEFORE_TIDYING {
        let is_good = |token: &Token| token.until > now;
        slots.retain(|_, slot| {
            slot.flight.is_some() || slot.rotated.is_some() || slot.token.as_ref().is_some_and(is_good)
        });
    }
}
