//! The signature of a notification, checked with an implementation of its own: the gateway's must agree with it.
//! Signs nothing but bytes; has no opinion on what they say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Carries `sha256=` and the base64 of HMAC-SHA256 over the raw body.
pub const SIGNATURE_HEADER: &str = "Elements-Webhook-Signature";
const SCHEME: &str = "sha256=";

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    Valid,
    Invalid,
    /// A key is known, and no header came.
    Missing,
    /// No key is known.
    Unchecked,
}

fn mac(key: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    mac
}

/// The header's value for `body`.
pub fn sign(key: &str, body: &[u8]) -> String {
    format!("{SCHEME}{}", STANDARD.encode(mac(key, body).finalize().into_bytes()))
}

/// Compares in constant time, so that the check cannot be used to guess a signature.
pub fn verify(key: Option<&str>, header: Option<&str>, body: &[u8]) -> Signature {
    let Some(key) = key else { return Signature::Unchecked };
    let Some(header) = header else {
        return Signature::Missing;
    };
    let claimed = header
        .trim()
        .strip_prefix(SCHEME)
        .and_then(|encoded| STANDARD.decode(encoded).ok());
    match claimed {
        Some(claimed) if mac(key, body).verify_slice(&claimed).is_ok() => Signature::Valid,
        _ => Signature::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with openssl.
    const VECTORS: [(&str, &str, &str); 2] = [
        (
            "MySecretEventSignatureKey",
            "<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>",
            "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ=",
        ),
        (
            "tidegate-test-key",
            "{\"message\":{\"eventId\":\"e-1\",\"raw\":{\"accountName\":\"Zoë\"}}}",
            "sha256=twxAEr2mMTBH+tlQ926UkhVzbca10IiZoNzv3LoPOMY=",
        ),
    ];

    #[test]
    fn signatures_agree_with_openssl() {
        for (key, body, expected) in VECTORS {
            assert_eq!(sign(key, body.as_bytes()), expected);
            assert_eq!(verify(Some(key), Some(expected), body.as_bytes()), Signature::Valid);
        }
    }

    #[test]
    fn any_other_key_body_or_form_is_refused() {
        let (key, body, signature) = VECTORS[0];
        let with = |key, header, body: &str| verify(key, header, body.as_bytes());
        let sha1 = signature.replace("sha256", "sha1");
        assert_eq!(with(Some("other"), Some(signature), body), Signature::Invalid);
        assert_eq!(with(Some(key), Some(signature), "other"), Signature::Invalid);
        assert_eq!(with(Some(key), Some(&sha1), body), Signature::Invalid);
        assert_eq!(with(Some(key), Some("sha256=AAAA"), body), Signature::Invalid);
        assert_eq!(with(Some(key), Some("sha256=no base64"), body), Signature::Invalid);
        assert_eq!(with(Some(key), None, body), Signature::Missing);
        assert_eq!(with(None, Some(signature), body), Signature::Unchecked);
    }
}
