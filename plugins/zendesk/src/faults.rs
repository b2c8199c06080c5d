//! What Zendesk's refusals mean: each becomes a fault that says what was found and what to do.
//! Must not decide what a run does next: only the fault's remedy hints at it.
//!
//! Statuses: <https://developer.zendesk.com/api-reference/introduction/requests/>, limits:
//! <https://developer.zendesk.com/api-reference/introduction/rate-limits/>.

use serde_json::Value;
use tidegate_sdk::{Fault, Response};

use crate::settings::{EMAIL, TOKEN, URL};

/// Budgets are counted by the minute.
const RATE_LIMIT_SECONDS: u32 = 60;

/// Nobody waits for longer, whatever the header says.
const RATE_LIMIT_SECONDS_MAX: u32 = 3_600;

/// Characters of the vendor's words that are quoted.
const QUOTED_CHARS_MAX: usize = 300;

/// What was asked of whom, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Such as `tickets`.
    pub what: &'a str,
    pub host: &'a str,
}

/// The fault that a response stands for whose status is not 200.
pub fn of(response: &Response, asked: Asked<'_>) -> Fault {
    let Asked { what, host } = asked;
    let words = words(response);
    match response.status {
        0 => Fault::retry(
            "unreachable",
            format!("{host} did not answer: {}", response.excerpt(QUOTED_CHARS_MAX)),
        ),
        401 => refused_credentials(host, &words),
        403 => Fault::bad_configuration(
            "forbidden",
            format!(
                "the user may not read `{what}` at {host} (HTTP 403){words}: `{EMAIL}` must be an administrator's, or don't \
                 poll this resource"
            ),
        ),
        404 => Fault::bad_configuration(
            URL,
            format!("{host} has no `{what}` (HTTP 404){words}: check that `{URL}` is the address of a Zendesk account"),
        ),
        409 => Fault::retry(
            "conflict",
            format!("Zendesk at {host} was changing what was asked of `{what}` (HTTP 409){words}"),
        ),
        429 => rate_limited(response, asked, &words),
        408 | 500.. => {
            let fault = Fault::retry(
                "vendor-unavailable",
                format!("Zendesk at {host} answered HTTP {} to `{what}`{words}", response.status),
            );
            retry_after(response).map_or(fault.clone(), |seconds| fault.after(seconds))
        }
        300..=399 => Fault::bad_configuration(
            URL,
            format!(
                "{host} answered HTTP {} to `{what}`, a redirect that is not followed: `{URL}` must be the account's own \
                 address",
                response.status
            ),
        ),
        status => Fault::broken(
            "vendor-refused",
            format!("Zendesk at {host} refused `{what}` with HTTP {status}{words}"),
        ),
    }
}

/// The same for an export, by a cursor or from a time: a cursor that is refused is worth nothing any more.
pub fn of_export(response: &Response, asked: Asked<'_>, by_cursor: bool) -> Fault {
    let Asked { what, host } = asked;
    let words = words(response);
    match response.status {
        400 | 404 | 410 | 422 if by_cursor && !is_html(response) => Fault::restart(
            "cursor-refused",
            format!(
                "Zendesk at {host} does not go on with the export of `{what}` from where it was (HTTP {}){words}: it is read \
                 again from the watermark",
                response.status
            ),
        ),
        // The one thing that can be wrong with it: a clock that is ahead of the vendor's.
        400 | 422 => Fault::retry(
            "start-time-refused",
            format!(
                "Zendesk at {host} refused the start of the export of `{what}` (HTTP {}){words}: it must lie a minute back",
                response.status
            ),
        )
        .after(RATE_LIMIT_SECONDS),
        _ => of(response, asked),
    }
}

/// Wrong credentials, however they show.
pub fn refused_credentials(host: &str, words: &str) -> Fault {
    Fault::refresh_auth(
        "credentials-refused",
        format!(
            "Zendesk at {host} refused the credentials{words}: check `{EMAIL}` and `{TOKEN}`, and that token access is turned on \
             in the Admin Center"
        ),
    )
}

fn rate_limited(response: &Response, asked: Asked<'_>, words: &str) -> Fault {
    let seconds = retry_after(response).unwrap_or(RATE_LIMIT_SECONDS);
    Fault::rate_limited(
        seconds,
        "rate-limited",
        format!(
            "Zendesk at {} wants fewer requests of `{}`{words}: none for {seconds} s",
            asked.host, asked.what
        ),
    )
}

/// Zendesk writes seconds.
fn retry_after(response: &Response) -> Option<u32> {
    let seconds: u32 = response.header("retry-after")?.trim().parse().ok()?;
    Some(seconds.clamp(1, RATE_LIMIT_SECONDS_MAX))
}

/// The vendor's words, to be put behind a sentence's start; empty if it said nothing readable.
fn words(response: &Response) -> String {
    let said = match said(response) {
        Some(said) => said,
        None if response.status == 0 || response.body.is_empty() => return String::new(),
        None if is_html(response) => return String::from(" with a page of HTML"),
        None => response.excerpt(QUOTED_CHARS_MAX),
    };
    let quoted: String = said
        .chars()
        .filter(|c| !c.is_control())
        .take(QUOTED_CHARS_MAX)
        .collect();
    format!(", saying \"{quoted}\"")
}

/// `{"error":"RecordNotFound","description":"Not found"}`, `{"error":{"title":"…","message":"…"}}` or
/// `{"errors":[{"title":"…","detail":"…"}]}`.
fn said(response: &Response) -> Option<String> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        value => {
            let texts = ["title", "message", "detail"].map(|name| value.get(name).and_then(Value::as_str));
            let texts: Vec<_> = texts.into_iter().flatten().collect();
            (!texts.is_empty()).then(|| texts.join(": "))
        }
    };
    let errors = body.get("errors").and_then(Value::as_array).into_iter().flatten();
    let parts: Vec<_> = [body.get("error"), body.get("description"), body.get("message")]
        .into_iter()
        .flatten()
        .chain(errors)
        .filter_map(one)
        .collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

pub(crate) fn is_html(response: &Response) -> bool {
    response.body.trim_ascii_start().starts_with(b"<")
        || response
            .header("content-type")
            .is_some_and(|kind| kind.contains("html"))
}

/// A 200 that is no answer: empty, cut off, not JSON, or without what was asked for.
pub fn unreadable(response: &Response, asked: Asked<'_>, why: &str) -> Fault {
    let found = match response.body.trim_ascii_start() {
        [] => String::from("an empty body"),
        _ if is_html(response) => String::from("a page of HTML"),
        _ => format!("{} bytes that are not what was asked for ({why})", response.body.len()),
    };
    Fault::retry(
        "answer-unreadable",
        format!(
            "Zendesk at {} answered HTTP 200 to `{}` with {found}",
            asked.host, asked.what
        ),
    )
}

#[cfg(test)]
mod tests {
    use tidegate_sdk::Remedy;

    use super::*;

    const ASKED: Asked<'_> = Asked {
        what: "tickets",
        host: "acme.zendesk.com",
    };

    fn response(status: u16, body: &str, headers: &[(&str, &str)]) -> Response {
        Response {
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            ..Response::new(1, status, body)
        }
    }

    #[test]
    fn each_refusal_has_its_remedy() {
        let not_found = r#"{"error":"RecordNotFound","description":"Not found"}"#;
        for (status, body, code, remedy) in [
            (0, "timed out", "unreachable", Remedy::Retry { after_seconds: None }),
            (301, "", URL, Remedy::BadConfiguration),
            (400, "x", "vendor-refused", Remedy::Broken),
            (
                401,
                r#"{"error":"Couldn't authenticate you"}"#,
                "credentials-refused",
                Remedy::RefreshAuth,
            ),
            (
                403,
                r#"{"error":{"title":"Forbidden","message":"no"}}"#,
                "forbidden",
                Remedy::BadConfiguration,
            ),
            (404, not_found, URL, Remedy::BadConfiguration),
            (409, "", "conflict", Remedy::Retry { after_seconds: None }),
            (422, "{}", "vendor-refused", Remedy::Broken),
            (
                429,
                "",
                "rate-limited",
                Remedy::RateLimited {
                    after_seconds: Some(60),
                },
            ),
            (
                503,
                "<html>",
                "vendor-unavailable",
                Remedy::Retry { after_seconds: None },
            ),
        ] {
            let fault = of(&response(status, body, &[]), ASKED);
            assert_eq!((fault.code.as_str(), &fault.remedy), (code, &remedy), "{status}");
        }
    }

    #[test]
    fn the_vendor_s_words_are_told() {
        for (body, words) in [
            (
                r#"{"error":"RecordNotFound","description":"Not found"}"#,
                "RecordNotFound: Not found",
            ),
            (r#"{"error":{"title":"Forbidden","message":"no"}}"#, "Forbidden: no"),
            (
                r#"{"errors":[{"code":"TooManyRequests","title":"Too many"}]}"#,
                "Too many",
            ),
            ("plain\r\n", "plain"),
        ] {
            let fault = of(&response(403, body, &[]), ASKED);
            assert!(fault.message.contains(&format!("saying \"{words}\"")), "{fault}");
        }
    }

    #[test]
    fn a_wait_is_as_long_as_the_vendor_says_and_no_longer_than_an_hour() {
        let after = |status, value| match of(&response(status, "", &[("retry-after", value)]), ASKED).remedy {
            Remedy::Retry { after_seconds } | Remedy::RateLimited { after_seconds } => after_seconds,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(429, "93"), Some(93));
        assert_eq!(after(429, "0"), Some(1));
        assert_eq!(after(429, "86400"), Some(3_600));
        assert_eq!(after(429, "soon"), Some(60));
        assert_eq!(after(503, " 5 "), Some(5));
        assert_eq!(after(503, "soon"), None);
    }

    #[test]
    fn a_cursor_that_is_refused_is_given_up_and_a_time_is_tried_later() {
        let refused = response(422, r#"{"error":"InvalidCursor"}"#, &[]);
        assert_eq!(of_export(&refused, ASKED, true).remedy, Remedy::Restart);
        assert_eq!(
            of_export(&refused, ASKED, false).remedy,
            Remedy::Retry {
                after_seconds: Some(60)
            }
        );
        assert_eq!(
            of_export(&response(401, "", &[]), ASKED, true).remedy,
            Remedy::RefreshAuth
        );
        // The page of an address at which there is no account.
        let nobody = response(404, "<!DOCTYPE html>", &[]);
        assert_eq!(of_export(&nobody, ASKED, true).remedy, Remedy::BadConfiguration);
    }
}
