//! Signatures over the very bytes that are posted: Cloud Elements' header, and Standard Webhooks'. Never re-serialises a
//! body, reads no clock, and shows no key but a public one.

mod key;
mod rotation;

pub use key::{KeyError, KeyKind, SigningKey};
pub use rotation::{PREVIOUS_KEYS_MAX, Retired, rotate};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Value of `webhook-signature` for one attempt: a signature by each key, in their order, with spaces between; the newest
/// is to come first. None without keys.
///
/// What is signed is `id.seconds.body`, so neither may hold a full stop. `seconds` is when this attempt is made: receivers
/// refuse what is more than 300 s off.
#[must_use]
pub fn webhook_signature(keys: &[&SigningKey], id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let head = format!("{id}.{seconds}.");
    let signatures: Vec<String> = keys.iter().map(|key| key.webhook_signature(&head, body)).collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

/// Value of `Elements-Webhook-Signature`: `sha256=` and the base64 of the HMAC-SHA256 of the body. The header has room for
/// one signature, so that the newest key alone makes it; none where that is a key pair.
#[must_use]
pub fn elements_signature(keys: &[&SigningKey], body: &[u8]) -> Option<String> {
    let mac = keys.first()?.elements_mac(body)?;
    Some(format!("sha256={}", STANDARD.encode(mac)))
}

#[cfg(test)]
mod tests;
