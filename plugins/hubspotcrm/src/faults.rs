//! What the vendor's refusals mean: a status and a body become a fault that says what was found and what to do.
//! Must not decide what a run does about them: it only words the end.
//!
//! The statuses are those of <https://developers.hubspot.com/docs/api-reference/error-handling>, the limits those of
//! <https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines>. All members of an error's body are
//! optional, as the former says.

use serde_json::Value;
use tidegate_sdk::{Fault, Response};

use crate::settings::{CLIENT_ID, CLIENT_SECRET, PROPERTIES, REFRESH_TOKEN, TOKEN, URL};

/// Characters of the vendor's words that are quoted.
const QUOTED_CHARS_MAX: usize = 500;

/// How long to wait where the vendor does not say: what is counted in seconds, in ten of them, and in a day. The day ends
/// at midnight in the account's time zone, which is not known here, so it is asked again every hour.
const SECONDLY_SECONDS: u32 = 1;
const TEN_SECONDLY_SECONDS: u32 = 10;
const DAILY_SECONDS: u32 = 3_600;
/// Nobody waits for longer than the day that the limits are counted in.
const RETRY_AFTER_SECONDS_MAX: u32 = 86_400;

/// A locked record is free again after two seconds, as the documentation of status 423 says.
const LOCKED_SECONDS: u32 = 2;

/// How the body of an answer begins that the gateway gives in place of the vendor's, where OAuth2 ended.
const OAUTH2_REFUSED: &str = "oauth2_refused: ";

/// What was asked of whom, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Such as `contacts`.
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
        400 => of_400(asked, response, &words),
        401 => unauthorized(response, asked, &words),
        403 => forbidden(response, asked, &words),
        404 => unknown_resource(asked, 404, &words),
        414 => Fault::bad_configuration(
            PROPERTIES,
            format!("the address of `{what}` was too long for {host} (HTTP 414){words}: ask for fewer properties"),
        ),
        429 => rate_limited(response, asked, &words),
        423 => waiting(response, asked, &words).after(LOCKED_SECONDS),
        // 477 is the vendor's own: the account is being moved between its data centres.
        408 | 477 | 500.. => waiting(response, asked, &words),
        300..=399 => Fault::broken(
            "redirected",
            format!(
                "{host} answered HTTP {} to `{what}`, a redirect that is not followed: check `{URL}`",
                response.status
            ),
        ),
        status => Fault::broken(
            "vendor-refused",
            format!("HubSpot at {host} refused `{what}` with HTTP {status}{words}"),
        ),
    }
}

/// The account that the token belongs to is another one than the configuration says.
pub fn other_account(key: &str, expected: i64, found: &str) -> Fault {
    Fault::bad_configuration(
        key,
        format!("`{key}` is {expected}, and the credentials belong to the HubSpot account {found}: expected the same"),
    )
}

fn of_400(asked: Asked<'_>, response: &Response, words: &str) -> Fault {
    if message(response).is_some_and(|message| message.contains("infer object type")) {
        return unknown_resource(asked, 400, words);
    }
    Fault::bad_configuration(
        "query-refused",
        format!(
            "HubSpot at {} refused what was asked of `{}` (HTTP 400){words}: check the where clause and the properties",
            asked.host, asked.what
        ),
    )
}

fn unknown_resource(asked: Asked<'_>, status: u16, words: &str) -> Fault {
    let Asked { what, host } = asked;
    Fault::bad_configuration(
        "unknown-resource",
        format!("HubSpot at {host} knows no object `{what}` (HTTP {status}){words}: check the resource's name"),
    )
}

fn unauthorized(response: &Response, asked: Asked<'_>, words: &str) -> Fault {
    let text = response.excerpt(QUOTED_CHARS_MAX);
    if let Some(reason) = text.strip_prefix(OAUTH2_REFUSED) {
        return Fault::refresh_auth(
            "refresh-token-refused",
            format!(
                "no access token of HubSpot could be had, as {reason}: install the app again, and check `{REFRESH_TOKEN}`, \
                 `{CLIENT_ID}` and `{CLIENT_SECRET}`"
            ),
        );
    }
    Fault::refresh_auth(
        "credentials-refused",
        format!(
            "HubSpot at {} refused the credentials (HTTP 401){words}: check `{TOKEN}`, or the app that `{REFRESH_TOKEN}` is of",
            asked.host
        ),
    )
}

fn forbidden(response: &Response, asked: Asked<'_>, words: &str) -> Fault {
    let scopes = required_scopes(response);
    let remedy = match scopes.is_empty() {
        true => String::from("give the app the scope to read it"),
        false => format!("give the app one of the scopes {}", scopes.join(", ")),
    };
    Fault::bad_configuration(
        "forbidden",
        format!(
            "the credentials may not read `{}` at {} (HTTP 403){words}: {remedy}, or don't poll this resource",
            asked.what, asked.host
        ),
    )
}

/// `errors[].context.requiredGranularScopes`, where the vendor names them.
fn required_scopes(response: &Response) -> Vec<String> {
    let body = body(response);
    let errors = body.get("errors").and_then(Value::as_array).into_iter().flatten();
    let scopes = errors.filter_map(|error| error.pointer("/context/requiredGranularScopes")?.as_array());
    let names = scopes.flatten().filter_map(Value::as_str);
    names.filter(|name| is_scope(name)).map(str::to_owned).collect()
}

fn is_scope(name: &str) -> bool {
    name.len() <= 100
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The account may be over one of several limits: `policyName` says which, and where it is missing the message does.
fn rate_limited(response: &Response, asked: Asked<'_>, words: &str) -> Fault {
    let body = body(response);
    let text = |key: &str| {
        body.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    let (policy, message) = (text("policyName"), text("message"));
    let is = |name: &str| policy == name || (policy.is_empty() && message.contains(&format!("your {name} limit")));
    let (code, limit, seconds) = if is("daily") {
        ("daily-limit", "in a day", DAILY_SECONDS)
    } else if is("secondly") {
        ("rate-limited", "in a second", SECONDLY_SECONDS)
    } else {
        ("rate-limited", "in ten seconds", TEN_SECONDLY_SECONDS)
    };
    let seconds = retry_after(response).unwrap_or(seconds);
    Fault::rate_limited(
        seconds,
        code,
        format!(
            "HubSpot at {} wants fewer requests {limit} of this account{words}: none for {seconds} s",
            asked.host
        ),
    )
}

fn waiting(response: &Response, asked: Asked<'_>, words: &str) -> Fault {
    let Asked { what, host } = asked;
    let status = response.status;
    let fault = Fault::retry(
        "vendor-unavailable",
        format!("HubSpot at {host} answered HTTP {status} to `{what}`{words}"),
    );
    match retry_after(response) {
        Some(seconds) => fault.after(seconds),
        None => fault,
    }
}

fn retry_after(response: &Response) -> Option<u32> {
    let seconds: u64 = response.header("retry-after")?.trim().parse().ok()?;
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    Some(seconds.clamp(1, RETRY_AFTER_SECONDS_MAX))
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

fn message(response: &Response) -> Option<String> {
    body(response).get("message")?.as_str().map(str::to_owned)
}

/// Is this an error of the API itself, and not the page of something in between?
pub fn is_of_the_api(response: &Response) -> bool {
    body(response).get("status").and_then(Value::as_str) == Some("error")
}

/// The vendor's words, to be put behind a sentence's start; empty if it said nothing readable.
fn words(response: &Response) -> String {
    let said = match message(response) {
        Some(message) => message,
        None if response.status == 0 || response.body.is_empty() => return String::new(),
        None if response.body.trim_ascii_start().starts_with(b"<") => return String::from(" with a page of HTML"),
        None => response.excerpt(QUOTED_CHARS_MAX),
    };
    let quoted = said.chars().filter(|c| !c.is_control()).take(QUOTED_CHARS_MAX);
    format!(", saying \"{}\"", quoted.collect::<String>())
}

/// A 200 that is no answer: empty, cut off, not JSON, or without what was asked for.
pub fn unreadable(response: &Response, asked: Asked<'_>, why: &str) -> Fault {
    let Asked { what, host } = asked;
    let found = match response.body.trim_ascii_start() {
        [] => String::from("an empty body"),
        [b'<', ..] => String::from("a page of HTML"),
        _ => format!("{} bytes that are not what was asked for ({why})", response.body.len()),
    };
    Fault::retry(
        "answer-unreadable",
        format!(
            "HubSpot at {host} answered HTTP {} to `{what}` with {found}",
            response.status
        ),
    )
}

/// A page that was understood, and that nothing can be built upon.
pub fn unreliable(code: &str, asked: Asked<'_>, found: &str) -> Fault {
    Fault::broken(
        code,
        format!(
            "a page of `{}` from {} cannot be relied on: {found}",
            asked.what, asked.host
        ),
    )
}

pub fn no_id(asked: Asked<'_>, id_field: &str) -> Fault {
    Fault::bad_configuration(
        "idField",
        format!(
            "`{id_field}` does not identify the records of `{}`: it must be in every record and differ in each; the field that \
             HubSpot keeps for this is `id`",
            asked.what
        ),
    )
}

#[cfg(test)]
mod tests;
