//! What the vendor's refusals mean: a status and a body become a fault that says what was found and what to do.
//! Must not decide what a run does about a moved zone: it only words the end.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use tidegate_sdk::{Fault, Response};

use crate::settings::{INTEGRATION_CODE, PASSWORD, SERVER, USERNAME};

/// Clients of this vendor wait a minute when it does not say how long; too many threads are gone by then.
const RATE_LIMIT_SECONDS: u32 = 60;

/// A vendor's clock may be wrong: nobody waits for longer than the hour that its limits are counted in.
const RATE_LIMIT_SECONDS_MAX: u32 = 3_600;

/// Characters of the vendor's words that are quoted.
const QUOTED_CHARS_MAX: usize = 500;

/// What was asked of whom, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Such as `Companies`.
    pub what: &'a str,
    pub host: &'a str,
}

/// The fault that a response stands for whose status is not 200.
pub fn of(response: &Response, asked: Asked<'_>) -> Fault {
    let Asked { what, host } = asked;
    let words = words(response);
    if is_too_many_threads(&words) {
        return rate_limited(response, asked, &words);
    }
    match response.status {
        0 => Fault::retry(
            "unreachable",
            format!("{host} did not answer: {}", response.excerpt(QUOTED_CHARS_MAX)),
        ),
        401 => refused_credentials(host),
        403 => forbidden(asked, &words),
        404 => Fault::bad_configuration(
            "unknown-resource",
            format!("Autotask at {host} knows no entity `{what}` (HTTP 404){words}: check the resource's name"),
        ),
        405 => Fault::broken(
            "method-refused",
            format!(
                "Autotask at {host} does not let `{what}` be queried (HTTP 405){words}: the entity cannot be read this way"
            ),
        ),
        429 => rate_limited(response, asked, &words),
        500 => of_500(asked, &words),
        408 | 502.. => {
            let fault = Fault::retry(
                "vendor-unavailable",
                format!(
                    "Autotask at {host} answered HTTP {} to the query of `{what}`{words}",
                    response.status
                ),
            );
            retry_after(response).map_or(fault.clone(), |seconds| fault.after(seconds))
        }
        300..=399 => Fault::broken(
            "redirected",
            format!(
                "{host} answered HTTP {} to `{what}`, a redirect that is not followed: check `{SERVER}`",
                response.status
            ),
        ),
        status => Fault::broken(
            "vendor-refused",
            format!("Autotask at {host} refused `{what}` with HTTP {status}{words}"),
        ),
    }
}

/// Most of a client's errors come as HTTP 500: the words tell which of them are for good.
fn of_500(asked: Asked<'_>, words: &str) -> Fault {
    let Asked { what, host } = asked;
    let has = |text: &str| words.to_ascii_lowercase().contains(text);
    match () {
        () if has("integrationcode is invalid") => Fault::bad_configuration(
            INTEGRATION_CODE,
            format!("Autotask at {host} does not know the integration code{words}: check `{INTEGRATION_CODE}`"),
        ),
        () if has("zone information") => Fault::bad_configuration(
            USERNAME,
            format!("Autotask at {host} does not know the user name{words}: check `{USERNAME}`"),
        ),
        () if has("adequate permissions") => forbidden(asked, words),
        () if has("unable to find") => Fault::bad_configuration(
            "unknown-field",
            format!("a field of the query is none of `{what}`{words}: check the where clause and `fields`"),
        ),
        () if has("maxcountofrecordstoreturn") => Fault::broken(
            "page-size-refused",
            format!("Autotask at {host} refused the page size{words}"),
        ),
        () => Fault::retry(
            "vendor-error",
            format!("Autotask at {host} failed at `{what}` (HTTP 500){words}"),
        ),
    }
}

fn forbidden(asked: Asked<'_>, words: &str) -> Fault {
    let Asked { what, host } = asked;
    Fault::bad_configuration(
        "forbidden",
        format!(
            "the API user may not read `{what}` at {host}{words}: give its security level the right, or don't poll this resource"
        ),
    )
}

/// HTTP 401, which comes with an empty body for any of several reasons.
pub fn refused_credentials(host: &str) -> Fault {
    Fault::refresh_auth(
        "credentials-refused",
        format!(
            "Autotask at {host} refused the credentials (HTTP 401, it does not say why): check `{USERNAME}`, `{PASSWORD}` and \
             `{INTEGRATION_CODE}`, and that the user is an API user that is not locked"
        ),
    )
}

fn is_too_many_threads(words: &str) -> bool {
    words.contains("Itgenatr005") || words.contains("thread threshold")
}

fn rate_limited(response: &Response, asked: Asked<'_>, words: &str) -> Fault {
    let seconds = retry_after(response).unwrap_or(RATE_LIMIT_SECONDS);
    Fault::rate_limited(
        seconds,
        "rate-limited",
        format!(
            "Autotask at {} wants fewer calls of `{}`{words}: none for {seconds} s",
            asked.host, asked.what
        ),
    )
}

/// Seconds, or a date that the response's own `date` is taken off: the only clock that it can be compared with.
fn retry_after(response: &Response) -> Option<u32> {
    let value = response.header("retry-after")?.trim();
    let seconds = match value.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let until = httpdate::parse_http_date(value).ok()?;
            let now: SystemTime = httpdate::parse_http_date(response.header("date")?.trim()).ok()?;
            until.duration_since(now).unwrap_or(Duration::ZERO).as_secs()
        }
    };
    Some(
        u32::try_from(seconds)
            .unwrap_or(u32::MAX)
            .clamp(1, RATE_LIMIT_SECONDS_MAX),
    )
}

/// The texts of an error body: `{"errors":["…"]}`, or the web framework's `{"Message":"…"}`.
pub fn errors(response: &Response) -> Vec<String> {
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else {
        return Vec::new();
    };
    let text = |error: &Value| match error {
        Value::String(text) => text.clone(),
        other => other
            .get("message")
            .and_then(Value::as_str)
            .map_or_else(|| other.to_string(), str::to_owned),
    };
    let listed = body
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(text);
    listed
        .chain(body.get("Message").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

/// The vendor's words, to be put behind a sentence's start; empty if it said nothing readable.
fn words(response: &Response) -> String {
    let errors = errors(response);
    let said = match errors.is_empty() {
        false => errors.join("; "),
        true if response.status == 0 || response.body.is_empty() => return String::new(),
        true if is_html(response) => return String::from(" with a page of HTML"),
        true => response.excerpt(QUOTED_CHARS_MAX),
    };
    let quoted: String = said
        .chars()
        .filter(|c| !c.is_control())
        .take(QUOTED_CHARS_MAX)
        .collect();
    format!(", saying \"{quoted}\"")
}

fn is_html(response: &Response) -> bool {
    response
        .header("content-type")
        .is_some_and(|kind| kind.contains("html"))
        || response.body.trim_ascii_start().starts_with(b"<")
}

/// A 200 that is no answer: empty, cut off, not JSON, or without what was asked for.
pub fn unreadable(response: &Response, asked: Asked<'_>, why: &str) -> Fault {
    let Asked { what, host } = asked;
    let found = match response.body.trim_ascii_start() {
        [] => String::from("an empty body"),
        [b'<', ..] => String::from("a page of HTML"),
        _ => format!("{} bytes that are no page of records ({why})", response.body.len()),
    };
    let words = match errors(response).is_empty() {
        true => String::new(),
        false => words(response),
    };
    Fault::retry(
        "answer-unreadable",
        format!("Autotask at {host} answered HTTP 200 to `{what}` with {found}{words}"),
    )
}

#[cfg(test)]
mod tests;
