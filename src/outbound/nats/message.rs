//! A POST as a message: its subject, its headers, its size, and who publishes it.
//! Must not send anything.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use watermelon_proto::headers::{HeaderMap, HeaderName, HeaderValue};
use watermelon_proto::{MessageBase, Subject};

use super::super::reason::Reason;
use crate::domain::secret::Secret;
use crate::engine::egress::NatsUrl;
use crate::ports::Post;

/// By this header a stream knows what it has already.
const ID_HEADER: &str = "Nats-Msg-Id";
/// Headers that tell the server what to do are the gateway's alone: one of them empties a stream.
const PREFIX_REFUSED: &str = "nats-";
const AUTHORIZATION: &str = "authorization";

pub(super) struct Message {
    pub(super) base: MessageBase,
    /// Headers and body as the server counts them.
    pub(super) bytes: usize,
}

/// User and password.
pub(super) struct Credentials {
    pub(super) user: Secret,
    pub(super) password: Secret,
}

impl Message {
    pub(super) fn new(url: &NatsUrl, post: &Post) -> Result<Self, Reason> {
        if !url.is_filled() {
            let subject = url.subject();
            return Err(Reason::Url(format!("a placeholder of {subject} was not filled in")));
        }
        let subject: Subject = url
            .subject()
            .parse()
            .map_err(|error| Reason::Url(format!("{}: {error}", url.subject())))?;
        let mut map = HeaderMap::new();
        // The version's line and the empty one.
        let mut bytes = "NATS/1.0\r\n\r\n".len();
        let given = post
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case(AUTHORIZATION));
        for (name, value) in given {
            if name.to_ascii_lowercase().starts_with(PREFIX_REFUSED) {
                return Err(Reason::Header(format!(
                    "{name} is an order to the server; leave it out"
                )));
            }
            bytes += append(&mut map, name, value.expose())?;
        }
        bytes += append(&mut map, ID_HEADER, &post.id)?;
        Ok(Self {
            bytes: bytes + post.body.len(),
            base: MessageBase {
                subject,
                reply_subject: None,
                headers: map,
                payload: post.body.clone(),
            },
        })
    }
}

/// Adds a header; how many bytes its line has.
fn append(map: &mut HeaderMap, name: &str, value: &str) -> Result<usize, Reason> {
    let wrong = |error: &dyn std::fmt::Display| Reason::Header(format!("{name}: {error}"));
    let key: HeaderName = name.parse().map_err(|error| wrong(&error))?;
    let text = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| wrong(&error))?;
    map.append(key, text);
    Ok(name.len() + ": ".len() + value.len() + "\r\n".len())
}

impl Credentials {
    /// Those of basic authentication, which a web server would be sent.
    pub(super) fn find(headers: &[(String, Secret)]) -> Result<Option<Self>, Reason> {
        let found = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION));
        let Some((_, value)) = found else { return Ok(None) };
        Self::read(value.expose()).map(Some).ok_or_else(|| {
            Reason::Header(
                "a NATS server takes user and password; set event.notification.basic.username and \
                 event.notification.basic.password instead of an authorization header"
                    .into(),
            )
        })
    }

    fn read(value: &str) -> Option<Self> {
        let (scheme, rest) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self {
            user: Secret::new(user),
            password: Secret::new(password),
        })
    }

    /// Tells two of them apart.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        // With its length before it: of `a` and `bc` another than of `ab` and `c`.
        hash.update(self.user.expose().len().to_be_bytes());
        hash.update(self.user.expose());
        hash.update(self.password.expose());
        hash.finalize().into()
    }
}
