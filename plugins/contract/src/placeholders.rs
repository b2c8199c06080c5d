//! The placeholders of header values, which the gateway fills in as a request leaves: `{{secret:NAME}}`, and
//! `{{base64:TEXT}}` whose text may hold the former.
//! Must not fill anything in: that is the gateway's, which has the secrets.
//!
//! ```text
//! value  = *( text / secret / base64 )
//! secret = "{{secret:" NAME "}}"
//! base64 = "{{base64:" *( text / secret ) "}}"
//! ```
//!
//! `{{`, a word and a colon begin a placeholder; braces of any other kind are text. The gateway's own reading is
//! `src/engine/egress/placeholder.rs`; `vectors/placeholders.json` holds both to the same.

/// What the gateway fills in for an element whose manifest has `oauth2`.
pub const ACCESS_TOKEN: &str = "oauth2.access_token";

const OPEN: &str = "{{";
const SECRET: &str = "secret";
const BASE64: &str = "base64";
const END: &str = "}}";

/// As many characters of a placeholder that is none as a message shows.
const SHOWN_CHARS: usize = 20;

/// Is there a secret's placeholder in this text?
pub fn are_in(text: &str) -> bool {
    text.contains("{{secret:")
}

/// Is there any placeholder in this text that the gateway would fill in, if it stood in a header?
pub fn any_is_in(text: &str) -> bool {
    are_in(text) || text.contains("{{base64:")
}

/// The names of the secrets in a header's value.
///
/// # Errors
/// In words, where a placeholder is none that the gateway knows or is not closed.
pub fn names(value: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = value;
    while let Some(start) = next(rest) {
        rest = match start.word {
            SECRET => name(&start, &mut names)?,
            BASE64 => inside(&start, &mut names)?,
            _ => return Err(unknown(&start)),
        };
    }
    Ok(names)
}

/// The beginning of a placeholder, and what is round it.
struct Start<'v> {
    before: &'v str,
    word: &'v str,
    after: &'v str,
    /// From the braces on.
    whole: &'v str,
}

/// The first `{{word:`.
fn next(text: &str) -> Option<Start<'_>> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(OPEN)?;
        let inner = &text[at + OPEN.len()..];
        let is_word_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let length = inner.bytes().take_while(is_word_byte).count();
        if length > 0 && inner[length..].starts_with(':') {
            return Some(Start {
                before: &text[..at],
                word: &inner[..length],
                after: &inner[length + 1..],
                whole: &text[at..],
            });
        }
        // In `{{{secret:` the placeholder begins at the second brace.
        from = at + 1;
    }
}

/// Reads a secret's name; what follows the placeholder comes back.
fn name<'v>(start: &Start<'v>, names: &mut Vec<&'v str>) -> Result<&'v str, String> {
    let (name, after) = start.after.split_once(END).ok_or_else(|| not_closed(SECRET))?;
    names.push(name);
    Ok(after)
}

/// Reads the text of a `{{base64:`; what follows the placeholder comes back.
fn inside<'v>(start: &Start<'v>, names: &mut Vec<&'v str>) -> Result<&'v str, String> {
    let mut rest = start.after;
    loop {
        let end = rest.find(END);
        match (next(rest), end) {
            (Some(start), end) if end.is_none_or(|end| start.before.len() < end) => {
                rest = match start.word {
                    SECRET => name(&start, names)?,
                    _ => return Err(unknown(&start)),
                };
            }
            (_, Some(end)) => return Ok(&rest[end + END.len()..]),
            (_, None) => return Err(not_closed(BASE64)),
        }
    }
}

fn unknown(start: &Start<'_>) -> String {
    let found: String = start.whole.chars().take(SHOWN_CHARS).collect();
    format!("found `{found}`; expected `{OPEN}{SECRET}:NAME{END}`, or `{OPEN}{BASE64}:TEXT{END}` outside of another")
}

fn not_closed(word: &str) -> String {
    format!("found `{OPEN}{word}:` that is not closed; expected `{END}` after it")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn values_are_read_as_the_gateway_reads_them() {
        let vectors: Value = serde_json::from_str(include_str!("../vectors/placeholders.json")).unwrap();
        for vector in vectors["filled"].as_array().unwrap() {
            let value = vector["value"].as_str().unwrap();
            let expected: Vec<_> = vector["names"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(names(value).unwrap(), expected, "{value}");
        }
        for value in vectors["refused"].as_array().unwrap() {
            names(value.as_str().unwrap()).expect_err(value.as_str().unwrap());
        }
    }

    #[test]
    fn what_the_gateway_would_not_fill_in_is_told_in_words() {
        for (value, found) in [
            ("{{secret:a", "`{{secret:` that is not closed"),
            ("{{base64:a", "`{{base64:` that is not closed"),
            ("{{base64:{{secret:a}}", "`{{base64:` that is not closed"),
            ("{{hex:a}}", "`{{hex:a}}`"),
            ("{{base64:{{base64:a}}}}", "`{{base64:a}}}}`"),
        ] {
            let said = names(value).unwrap_err();
            assert!(said.starts_with(&format!("found {found}")), "{value}: {said}");
        }
    }

    #[test]
    fn placeholders_are_seen_where_none_may_stand() {
        assert_eq!(
            ["a{{secret:b", "{{base64:a}}", "{{x}}"].map(any_is_in),
            [true, true, false]
        );
        assert_eq!(
            ["a{{secret:b", "{{base64:a}}", "{{x}}"].map(are_in),
            [true, false, false]
        );
    }
}
