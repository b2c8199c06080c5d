//! Is a body canonical JSON: sorted names that differ, at every level, and no white space?
//! Must not care how numbers and texts are written: they are the vendor's.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Levels that a body may have: more than any vendor's, fewer than a stack has room for.
const DEPTH_MAX: usize = 200;

/// # Errors
/// What was found, in words.
pub(super) fn check(body: &[u8]) -> Result<(), String> {
    if let Some(place) = white_space(body) {
        return Err(format!("found white space at byte {place}; expected none"));
    }
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    check_value(text, 0).map_err(|error| error.to_string())
}

/// The first one outside of texts.
fn white_space(body: &[u8]) -> Option<usize> {
    let mut is_text = false;
    let mut is_escaped = false;
    body.iter().position(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b' ' | b'\t' | b'\r' | b'\n' => return !is_text,
            _ => {}
        }
        false
    })
}

/// Values stay text, so that no number is too large.
fn check_value(text: &str, depth: usize) -> serde_json::Result<()> {
    if depth > DEPTH_MAX {
        return Err(serde_json::Error::custom(format_args!(
            "found more than {DEPTH_MAX} levels; expected fewer"
        )));
    }
    match text.as_bytes().first() {
        Some(b'{') => {
            let mut json = serde_json::Deserializer::from_str(text);
            json.deserialize_map(Sorted { depth })?;
            json.end()
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(text)?;
            values.iter().try_for_each(|value| check_value(value.get(), depth + 1))
        }
        _ => serde_json::from_str::<&RawValue>(text).map(drop),
    }
}

/// Fails at names that do not rise.
struct Sorted {
    depth: usize,
}

impl<'de> Visitor<'de> for Sorted {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut before: Option<String> = None;
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if let Some(before) = before.filter(|before| name <= *before) {
                return Err(A::Error::custom(format_args!(
                    "found `{name}` after `{before}`; expected names that differ, sorted by their bytes"
                )));
            }
            check_value(value.get(), self.depth + 1).map_err(A::Error::custom)?;
            before = Some(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_canonical_passes() {
        for body in [
            r#"{}"#,
            r#"{"a":1.50,"b":[{"x":null,"y":"a b \" c"}],"b2":1e3}"#,
            r#"{"A":1,"a":2,"é":3}"#,
            r#"{"huge":1e400,"long":123456789012345678901234567890}"#,
        ] {
            check(body.as_bytes()).unwrap();
        }
    }

    #[test]
    fn what_is_not_is_named() {
        for (body, said) in [
            (r#"{"b":1,"a":2}"#, "found `a` after `b`"),
            (r#"{"a":1,"a":2}"#, "found `a` after `a`"),
            (r#"{"x":[{"b":1,"a":2}]}"#, "found `a` after `b`"),
            (r#"{"a": 1}"#, "found white space at byte 5"),
            ("{\"a\":\"x\\\\\" \n}", "found white space at byte 10"),
            (r#"{"a":1}{}"#, "trailing characters"),
            (r#"{"a":"#, "EOF"),
        ] {
            let error = check(body.as_bytes()).unwrap_err();
            assert!(error.starts_with(said), "{body}: {error}");
        }
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        check(deep(DEPTH_MAX + 1).as_bytes()).unwrap();
        let error = check(deep(DEPTH_MAX + 2).as_bytes()).unwrap_err();
        assert!(error.starts_with("found more than 200 levels"), "{error}");
    }
}
