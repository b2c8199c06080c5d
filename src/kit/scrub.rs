//! Takes secrets out of what a vendor answered, and finds those that are left.
//! Must not show what it found, and must not be trusted alone: whoever writes a file asks [`Scrubber::left_in`] last.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::domain::secret::{MASK, Secret};

/// A shorter secret can't be told from other text.
pub(super) const SECRET_CHARS_MIN: usize = 4;
/// A shorter piece of base64 can't be either.
const PIECE_CHARS_MIN: usize = 6;

pub(super) struct Scrubber {
    /// A form of a secret, and whose it is; the longest first, so that none is cut by a part of it.
    forms: Vec<(String, String)>,
}

impl Scrubber {
    /// # Errors
    /// Names a secret that is too short to be looked for.
    pub(super) fn new(secrets: &HashMap<String, Secret>) -> Result<Self, String> {
        let mut forms = Vec::new();
        for (name, secret) in secrets {
            let text = secret.expose().trim();
            if text.chars().count() < SECRET_CHARS_MIN {
                return Err(format!(
                    "the secret {name} has fewer than {SECRET_CHARS_MIN} characters and can't be told from other text: record \
                     with another account"
                ));
            }
            forms.extend(forms_of(text).into_iter().map(|form| (form, name.clone())));
        }
        forms.sort_by(|left, right| right.0.len().cmp(&left.0.len()).then_with(|| left.cmp(right)));
        forms.dedup();
        Ok(Self { forms })
    }

    /// The bytes with a mask in place of every form of every secret.
    pub(super) fn scrub(&self, bytes: &[u8]) -> Vec<u8> {
        let mut scrubbed = bytes.to_vec();
        for (form, _) in &self.forms {
            scrubbed = replaced(&scrubbed, form.as_bytes());
        }
        scrubbed
    }

    pub(super) fn scrub_text(&self, text: &str) -> String {
        let mut scrubbed = text.to_owned();
        for (form, _) in &self.forms {
            scrubbed = scrubbed.replace(form.as_str(), MASK);
        }
        scrubbed
    }

    /// Whose secret is still there, if any is: looked for without regard to case, and inside of other base64 too.
    pub(super) fn left_in(&self, bytes: &[u8]) -> Option<&str> {
        let lower = bytes.to_ascii_lowercase();
        let found = self.forms.iter().find(|(form, _)| {
            contains(&lower, form.to_ascii_lowercase().as_bytes())
                || pieces(form).iter().any(|piece| contains(bytes, piece.as_bytes()))
        });
        found.map(|(_, name)| name.as_str())
    }
}

/// The ways in which a vendor may give a secret back: as it is, in JSON, in an address, in base64, in hex.
fn forms_of(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        json.trim_matches('"').replace('/', "\\/"),
        encoded.replace('+', "%20"),
        encoded,
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        hex,
    ];
    forms.dedup();
    forms
}

/// What base64 of any text with the secret in it has in common: `user:secret` ends in the secret's own letters, moved by
/// none, one or two bytes. The ends are cut off where other bytes have a part in a letter.
fn pieces(secret: &str) -> Vec<String> {
    let of = |shift: usize| {
        let padded = [&vec![0; shift][..], secret.as_bytes()].concat();
        let whole = padded.len() / 3 * 3;
        let encoded = STANDARD_NO_PAD.encode(&padded[..whole]);
        encoded.get((shift * 8).div_ceil(6)..).unwrap_or_default().to_owned()
    };
    (0..3).map(of).filter(|piece| piece.len() >= PIECE_CHARS_MIN).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn replaced(bytes: &[u8], part: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(part.len()).position(|window| window == part) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(MASK.as_bytes());
        rest = &rest[at + part.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(secret: &str) -> Scrubber {
        Scrubber::new(&HashMap::from([("x.token".to_owned(), Secret::new(secret))])).unwrap()
    }

    #[test]
    fn a_secret_goes_in_whatever_form_it_came() {
        let scrubber = scrubber("p/ss \"w\" 1");
        let forms = [
            r#"{"echo":"p/ss \"w\" 1"}"#,
            r#"{"echo":"p\/ss \"w\" 1"}"#,
            "?token=p%2Fss+%22w%22+1&x",
            "?token=p%2Fss%20%22w%22%201",
            "Basic cC9zcyAidyIgMQ==",
            "702f737320227722203 1 702f73732022772220 31 702f7373202277222031",
        ];
        for text in forms {
            assert!(scrubber.left_in(text.as_bytes()).is_some(), "{text}");
            let scrubbed = scrubber.scrub(text.as_bytes());
            assert_eq!(scrubber.left_in(&scrubbed), None, "{text}");
            assert_eq!(scrubber.scrub_text(text).into_bytes(), scrubbed);
        }
        assert_eq!(scrubber.scrub(forms[0].as_bytes()), br#"{"echo":"********"}"#);
    }

    #[test]
    fn a_secret_is_found_inside_of_other_base64_and_in_another_case() {
        let scrubber = scrubber("hunter2-and-more");
        for user in ["", "a", "ab", "abc", "jo@x.example"] {
            let header = STANDARD.encode(format!("{user}:hunter2-and-more"));
            assert_eq!(scrubber.left_in(header.as_bytes()), Some("x.token"), "{user}");
        }
        assert_eq!(scrubber.left_in(b"HUNTER2-AND-MORE"), Some("x.token"));
        assert_eq!(scrubber.left_in(b"hunter2 and more"), None);
    }

    #[test]
    fn a_secret_that_is_too_short_is_refused() {
        let secrets = HashMap::from([("x.pin".to_owned(), Secret::new("123"))]);
        let refusal = Scrubber::new(&secrets).err().unwrap();
        assert!(
            refusal.contains("x.pin has fewer than 4") && !refusal.contains("123"),
            "{refusal}"
        );
    }
}
