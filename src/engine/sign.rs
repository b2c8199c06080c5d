//! Signatures over the very bytes that are posted. Never re-serialises a body, and never reads a clock.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Value of `Elements-Webhook-Signature`: `sha256=` and the base64 of the HMAC-SHA256 of the body. Any key is valid.
#[must_use]
pub fn elements_signature(key: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_cloud_elements_documents() {
        let signature = elements_signature(
            b"MySecretEventSignatureKey",
            b"<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>",
        );
        assert_eq!(signature, "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ=");
    }

    #[test]
    fn text_outside_of_ascii_is_signed_as_its_utf8_bytes() {
        let body = r#"{"message":{"eventId":"e-1","raw":{"accountName":"Zoë"}}}"#;
        let signature = elements_signature(b"tidegate-test-key", body.as_bytes());
        assert_eq!(signature, "sha256=twxAEr2mMTBH+tlQ926UkhVzbca10IiZoNzv3LoPOMY=");
    }

    #[test]
    fn one_byte_more_gives_another_signature() {
        assert_ne!(elements_signature(b"key", b"{}"), elements_signature(b"key", b"{} "));
    }
}
