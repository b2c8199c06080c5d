//! Placeholders in header values: found, judged and filled. Must not know where a secret comes from, nor show one.
//!
//! ```text
//! value  = *( text / secret / base64 )
//! secret = "{{secret:" NAME "}}"
//! base64 = "{{base64:" *( text / secret ) "}}"
//! ```
//!
//! `{{`, a word and a colon begin a placeholder; braces of any other kind are text. What is filled in is not read again.
//! `plugins/contract/src/placeholders.rs` tells an element's author the same; one file of vectors holds both to it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{clip, is_value_byte, refuse};
use crate::domain::run::Refusal;
use crate::domain::secret::Secret;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
const SECRET: &str = "secret";
const BASE64: &str = "base64";

/// The beginning of a placeholder, and what is round it.
struct Start<'a> {
    before: &'a str,
    /// `secret`, `base64` or one that nobody knows.
    word: &'a str,
    after: &'a str,
}

/// Puts values in place of placeholders. A name that is not granted, a placeholder that is not closed or not known and a
/// secret that no header can carry are refusals, which never show a secret.
pub fn fill(value: &str, secrets: &HashMap<String, Secret>) -> Result<Secret, Refusal> {
    let mut filled = String::new();
    let mut rest = value;
    while let Some(start) = next(rest) {
        filled.push_str(start.before);
        rest = match start.word {
            SECRET => fill_secret(start.after, secrets, &mut filled)?,
            BASE64 => fill_base64(start.after, secrets, &mut filled)?,
            word => return unknown(word),
        };
    }
    filled.push_str(rest);
    Ok(Secret::new(filled))
}

/// Does a placeholder that would be filled in a header stand in a text where none may?
pub(super) fn stands_in(bytes: &[u8]) -> bool {
    [SECRET, BASE64].iter().any(|word| {
        let start = format!("{OPEN}{word}:");
        bytes.windows(start.len()).any(|window| window == start.as_bytes())
    })
}

/// `text` begins behind `{{secret:`; what follows the placeholder comes back.
fn fill_secret<'a>(text: &'a str, secrets: &HashMap<String, Secret>, filled: &mut String) -> Result<&'a str, Refusal> {
    let Some((name, after)) = text.split_once(CLOSE) else {
        return unclosed(SECRET);
    };
    let Some(secret) = secrets.get(name) else {
        return refuse(format!(
            "the secret {:?} is not set in this instance's configuration",
            clip(name)
        ));
    };
    if !secret.expose().bytes().all(is_value_byte) {
        return refuse(format!(
            "the secret {name:?} holds a line break or another control character"
        ));
    }
    filled.push_str(secret.expose());
    Ok(after)
}

/// `text` begins behind `{{base64:`; what follows the placeholder comes back.
fn fill_base64<'a>(text: &'a str, secrets: &HashMap<String, Secret>, filled: &mut String) -> Result<&'a str, Refusal> {
    let mut plain = String::new();
    let mut rest = text;
    loop {
        let start = next(rest);
        let end = rest.find(CLOSE);
        match (start, end) {
            (Some(start), end) if end.is_none_or(|end| start.before.len() < end) => {
                plain.push_str(start.before);
                rest = match start.word {
                    SECRET => fill_secret(start.after, secrets, &mut plain)?,
                    BASE64 => return refuse("a placeholder {{base64:…}} stands in another one".into()),
                    word => return unknown(word),
                };
            }
            (_, Some(end)) => {
                plain.push_str(&rest[..end]);
                STANDARD.encode_string(plain, filled);
                return Ok(&rest[end + CLOSE.len()..]);
            }
            (_, None) => return unclosed(BASE64),
        }
    }
}

/// The first `{{word:`.
fn next(text: &str) -> Option<Start<'_>> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(OPEN)?;
        let inner = &text[at + OPEN.len()..];
        let length = inner.bytes().take_while(|byte| is_word_byte(*byte)).count();
        if length > 0 && inner[length..].starts_with(':') {
            return Some(Start {
                before: &text[..at],
                word: &inner[..length],
                after: &inner[length + 1..],
            });
        }
        // In `{{{secret:` the placeholder begins at the second brace.
        from = at + 1;
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn unclosed<T>(word: &str) -> Result<T, Refusal> {
    refuse(format!("a placeholder {OPEN}{word}:…{CLOSE} is not closed"))
}

fn unknown<T>(word: &str) -> Result<T, Refusal> {
    refuse(format!(
        "a placeholder {OPEN}{}:…{CLOSE} is not known: expected {OPEN}{SECRET}:NAME{CLOSE} or {OPEN}{BASE64}:TEXT{CLOSE}",
        clip(word)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(value: &str) -> Result<String, String> {
        let secrets = HashMap::from([
            ("user".to_owned(), Secret::new("ada")),
            ("password".to_owned(), Secret::new("{{secret:user}} Zoë")),
            ("p".to_owned(), Secret::new("{{secret:user}} Zoë")),
            ("closing".to_owned(), Secret::new("a}}b{{base64:c}}")),
            ("broken".to_owned(), Secret::new("hunter2\r\nX: y")),
        ]);
        fill(value, &secrets)
            .map(|secret| secret.expose().to_owned())
            .map_err(|error| error.0)
    }

    fn base64(text: &str) -> String {
        STANDARD.encode(text)
    }

    #[test]
    fn placeholders_are_filled_with_what_is_granted() {
        assert_eq!(filled("{{secret:user}}:{{secret:user}}!").unwrap(), "ada:ada!");
        assert!(filled("{{secret:other}}").unwrap_err().contains("\"other\" is not set"));
        let refusal = filled("{{secret:broken}}").unwrap_err();
        assert!(
            refusal.contains("\"broken\"") && !refusal.contains("hunter2"),
            "{refusal}"
        );
    }

    /// A vector's `filled`, where `<text>` stands for the base64 of text.
    fn expected(text: &str) -> String {
        let mut pieces = text.split(['<', '>']);
        let mut whole = pieces.next().unwrap().to_owned();
        while let (Some(plain), Some(after)) = (pieces.next(), pieces.next()) {
            whole.push_str(&base64(plain));
            whole.push_str(after);
        }
        whole
    }

    #[test]
    fn values_are_filled_as_the_contract_says() {
        let vectors = include_str!("../../../plugins/contract/vectors/placeholders.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        for vector in vectors["filled"].as_array().unwrap() {
            let value = vector["value"].as_str().unwrap();
            let text = vector["filled"].as_str().unwrap();
            assert_eq!(filled(value).expect(value), expected(text), "{value}");
        }
        for value in vectors["refused"].as_array().unwrap() {
            let value = value.as_str().unwrap();
            let refusal = filled(value).expect_err(value);
            assert!(!refusal.contains("is not set"), "{value}: {refusal}");
        }
    }

    #[test]
    fn what_is_filled_in_is_not_read_again() {
        assert_eq!(filled("{{secret:password}}").unwrap(), "{{secret:user}} Zoë");
        for name in ["password", "closing"] {
            let secret = filled(&format!("{{{{secret:{name}}}}}")).unwrap();
            assert_eq!(
                filled(&format!("Basic {{{{base64:jo:{{{{secret:{name}}}}}}}}}.")).unwrap(),
                format!("Basic {}.", base64(&format!("jo:{secret}")))
            );
        }
    }

    #[test]
    fn a_placeholder_that_is_wrong_is_refused_in_words() {
        for (value, reason) in [
            ("{{secret:user", "{{secret:…}} is not closed"),
            ("{{secret:user}", "{{secret:…}} is not closed"),
            ("{{base64:a", "{{base64:…}} is not closed"),
            ("{{base64:a:{{secret:user}}", "{{base64:…}} is not closed"),
            ("{{base64:a:{{secret:user", "{{secret:…}} is not closed"),
            ("{{base64:{{base64:a}}}}", "{{base64:…}} stands in another one"),
            ("{{base64:a:{{secret:other}}}}", "\"other\" is not set"),
            ("{{base64:a:{{secret:broken}}}}", "control character"),
            ("{{base46:a}}", "{{base46:…}} is not known"),
            ("{{base64:{{Secret:user}}}}", "{{Secret:…}} is not known"),
        ] {
            let refusal = filled(value).expect_err(value);
            assert!(refusal.contains(reason), "{value}: {refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }
}
