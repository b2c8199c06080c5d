//! What signs: a key as it stands in `event.notification.signature.key`, read and made.
//! Draws no random bytes, and repeats nothing of a secret in an error.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::Sha256;

use crate::domain::secret::{MASK, Secret};

/// Before the base64 of what HMAC-SHA256 is keyed with.
const SHARED: &str = "whsec_";
/// Before the base64 of an ed25519 seed and its public key.
const PRIVATE: &str = "whsk_";
/// Before the base64 of an ed25519 public key.
const PUBLIC: &str = "whpk_";
/// Fewest and most bytes of a `whsec_` key, by Standard Webhooks.
const SHARED_BYTES_MIN: usize = 24;
const SHARED_BYTES_MAX: usize = 64;
/// Of an ed25519 seed, and of a public key.
const HALF_BYTES: usize = 32;

/// Shorter than any key in base64, and longer than a word.
const LIKE_BASE64_MIN: usize = 24;

/// Why a text is no key. No variant holds a piece of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error(
        "begins with {0} and goes on with what is no base64; expected letters, digits, + and /, padded with =, as base64 writes them"
    )]
    NoBase64(&'static str),
    #[error(
        "is {SHARED} and {0} bytes; expected the base64 of {SHARED_BYTES_MIN} to {SHARED_BYTES_MAX} random bytes, or the word generate"
    )]
    SharedLength(usize),
    #[error(
        "is {PRIVATE} and {0} bytes; expected the base64 of 64: an ed25519 seed and its public key, or the word generate-ed25519"
    )]
    PrivateLength(usize),
    #[error(
        "is {PRIVATE} and two halves that don't belong together: the last 32 bytes must be the public key of the first 32"
    )]
    Halves,
    #[error("begins with {PUBLIC}: a public key verifies and can't sign; give the {PRIVATE} one")]
    PublicKey,
    #[error(
        "begins like a key of Standard Webhooks and with none of their prefixes; expected {SHARED}, {PRIVATE} or a text of your own"
    )]
    Prefix,
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// HMAC-SHA256 with a secret that both sides have: `v1`.
    Shared,
    /// ed25519, of which the receiver has the public key: `v1a`.
    Pair,
}

impl KeyKind {
    /// The word by which a user has the gateway make a key.
    #[must_use]
    pub fn asked_for(text: &str) -> Option<Self> {
        match text {
            "generate" => Some(Self::Shared),
            "generate-ed25519" => Some(Self::Pair),
            _ => None,
        }
    }

    /// As it stands before each signature.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Shared => "v1",
            Self::Pair => "v1a",
        }
    }

    /// The text of a new key made of `random` bytes.
    #[must_use]
    pub fn make(self, random: [u8; HALF_BYTES]) -> Secret {
        match self {
            Self::Shared => Secret::new(format!("{SHARED}{}", STANDARD.encode(random))),
            Self::Pair => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&random).expect("every 32 bytes are a seed");
                let both = [&random, pair.public_key().as_ref()].concat();
                Secret::new(format!("{PRIVATE}{}", STANDARD.encode(both)))
            }
        }
    }
}

/// A key that was understood.
pub struct SigningKey(Form);

enum Form {
    Shared(Box<Macs>),
    Pair(Box<Ed25519KeyPair>),
}

struct Macs {
    /// Keyed with the bytes that `whsec_` stands before, or with a text's own.
    standard: Hmac<Sha256>,
    /// Keyed with the text: that is what a consumer of Cloud Elements holds.
    elements: Hmac<Sha256>,
}

impl SigningKey {
    /// # Errors
    /// What looks like a key of Standard Webhooks and is none. Any other text is a key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if let Some(encoded) = text.strip_prefix(SHARED) {
            let key = decoded(SHARED, encoded)?;
            if !(SHARED_BYTES_MIN..=SHARED_BYTES_MAX).contains(&key.len()) {
                return Err(KeyError::SharedLength(key.len()));
            }
            return Ok(Self::shared(&key, text));
        }
        if let Some(encoded) = text.strip_prefix(PRIVATE) {
            let both = decoded(PRIVATE, encoded)?;
            let (seed, public) = both.split_at_checked(HALF_BYTES).unwrap_or_default();
            if public.len() != HALF_BYTES {
                return Err(KeyError::PrivateLength(both.len()));
            }
            let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| KeyError::Halves)?;
            return Ok(Self(Form::Pair(Box::new(pair))));
        }
        if text.starts_with(PUBLIC) {
            return Err(KeyError::PublicKey);
        }
        if is_like_a_key(text) {
            return Err(KeyError::Prefix);
        }
        Ok(Self::text(text))
    }

    /// A key that was stored. What an earlier version took without looking signs as it did then: by its text.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| Self::text(text))
    }

    fn text(text: &str) -> Self {
        Self::shared(text.as_bytes(), text)
    }

    fn shared(standard: &[u8], text: &str) -> Self {
        let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        Self(Form::Shared(Box::new(Macs {
            standard: keyed(standard),
            elements: keyed(text.as_bytes()),
        })))
    }

    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match &self.0 {
            Form::Shared(_) => KeyKind::Shared,
            Form::Pair(_) => KeyKind::Pair,
        }
    }

    /// `whpk_` and the base64 of the public key; none of a shared secret.
    #[must_use]
    pub fn public_key(&self) -> Option<String> {
        match &self.0 {
            Form::Shared(_) => None,
            Form::Pair(pair) => Some(format!("{PUBLIC}{}", STANDARD.encode(pair.public_key().as_ref()))),
        }
    }

    /// `v1,` or `v1a,` and the base64 of the signature of head and body.
    pub(super) fn webhook_signature(&self, head: &str, body: &[u8]) -> String {
        let signature = match &self.0 {
            Form::Shared(macs) => STANDARD.encode(mac(&macs.standard, &[head.as_bytes(), body])),
            Form::Pair(pair) => STANDARD.encode(pair.sign(&[head.as_bytes(), body].concat())),
        };
        format!("{},{signature}", self.kind().version())
    }

    pub(super) fn elements_mac(&self, body: &[u8]) -> Option<Vec<u8>> {
        match &self.0 {
            Form::Shared(macs) => Some(mac(&macs.elements, &[body])),
            Form::Pair(_) => None,
        }
    }
}

/// Shows how it signs, and not with what.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {MASK}", self.kind().version())
    }
}

fn mac(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = keyed.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn decoded(prefix: &'static str, encoded: &str) -> Result<Vec<u8>, KeyError> {
    STANDARD.decode(encoded).map_err(|_| KeyError::NoBase64(prefix))
}

/// `wh`, two or three letters or digits, and `_` in any case, before what could be base64: a prefix that is misspelt or of
/// another version, which would otherwise pass for a text and never verify.
fn is_like_a_key(text: &str) -> bool {
    let Some((prefix, rest)) = text.split_once('_') else {
        return false;
    };
    let is_prefix = (4..=5).contains(&prefix.len())
        && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && prefix[..2].eq_ignore_ascii_case("wh");
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    is_prefix && rest.len() >= LIKE_BASE64_MIN && rest.bytes().all(is_base64)
}
