//! The placeholders of header values, which the gateway fills in as a request leaves: `{{secret:NAME}}`, and
//! `{{base64:TEXT}}` whose text may hold the former.
//! Must not fill anything in: that is the gateway's, which has the secrets.

/// What the gateway fills in for an element whose manifest has `oauth2`.
pub const ACCESS_TOKEN: &str = "oauth2.access_token";

const SECRET: &str = "{{secret:";
const BASE64: &str = "{{base64:";
const END: &str = "}}";

/// Is there a secret's placeholder in this text?
pub fn are_in(text: &str) -> bool {
    text.contains(SECRET)
}

/// The names of the secrets in a header's value.
///
/// # Errors
/// In words, where a placeholder is none that the gateway knows or is not closed.
pub fn names(value: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = value;
    // Inside of `{{base64:`, where secrets may stand and an end must follow.
    let mut is_inside = false;
    loop {
        let start = rest.find("{{");
        let end = rest.find(END);
        match (start, end) {
            (start, Some(end)) if is_inside && start.is_none_or(|start| end < start) => {
                is_inside = false;
                rest = &rest[end + END.len()..];
            }
            (Some(start), _) if rest[start..].starts_with(SECRET) => {
                let inner = &rest[start + SECRET.len()..];
                let end = inner.find(END).ok_or_else(|| not_closed(SECRET))?;
                names.push(&inner[..end]);
                rest = &inner[end + END.len()..];
            }
            (Some(start), _) if !is_inside && rest[start..].starts_with(BASE64) => {
                is_inside = true;
                rest = &rest[start + BASE64.len()..];
            }
            (Some(start), _) => {
                let found: String = rest[start..].chars().take(20).collect();
                return Err(format!(
                    "found `{found}`; expected `{SECRET}NAME{END}` or `{BASE64}TEXT{END}`"
                ));
            }
            (None, _) if is_inside => return Err(not_closed(BASE64)),
            (None, _) => return Ok(names),
        }
    }
}

fn not_closed(start: &str) -> String {
    format!("found `{start}` that is not closed; expected `{END}` after it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_alone_and_inside_of_base64() {
        for (value, expected) in [
            ("plain", Vec::new()),
            ("Bearer {{secret:a.b}}", vec!["a.b"]),
            ("{{secret:a}}:{{secret:b}}", vec!["a", "b"]),
            ("Basic {{base64:jo@x.example/token:{{secret:t}}}}", vec!["t"]),
            (
                "Basic {{base64:{{secret:u}}:{{secret:p}}}} {{secret:q}}",
                vec!["u", "p", "q"],
            ),
            ("}} alone", Vec::new()),
        ] {
            assert_eq!(names(value).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn what_the_gateway_would_not_fill_in_is_refused() {
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
}
