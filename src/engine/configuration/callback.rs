//! What goes to a callback beside the notification: signature key, headers of the user's own, basic authentication.
//! Signs nothing, makes no key, and repeats no value in an error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use url::Url;

use super::fields::{FieldError, Found, as_integer};
use super::{CALLBACK_URL, Given, SIGNATURE_KEY};
use crate::domain::secret::Secret;
use crate::engine::sign::{KeyKind, SigningKey};

/// Hours in which a key that was replaced signs beside the new one.
pub const SIGNATURE_GRACE: &str = "event.notification.signature.grace";
pub const CALLBACK_HEADERS: &str = "event.notification.callback.headers";
pub const BASIC_USERNAME: &str = "event.notification.basic.username";
pub const BASIC_PASSWORD: &str = "event.notification.basic.password";

const GRACE_HOURS_DEFAULT: i64 = 24;
/// A week, as Svix has it: what leaked once should not open a door for ever.
const GRACE_HOURS_MAX: i64 = 168;
/// Most headers of a user's own.
const HEADERS_MAX: usize = 20;
/// Most bytes of their names and values: receivers take 8 KiB of headers, ours included.
const HEADERS_BYTES_MAX: usize = 4096;

/// Headers that the gateway or HTTP itself sets.
const RESERVED: [&str; 14] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
/// So do all whose names begin so.
const RESERVED_PREFIXES: [&str; 3] = ["webhook-", "elements-webhook-", "nats-"];

/// Names in lower case, in their order, so that one stands once.
type Headers = BTreeMap<String, String>;

/// null and the empty text mean the default.
pub(super) fn grace(value: Option<&Value>) -> Result<Duration, FieldError> {
    let hours = match value {
        None | Some(Value::Null) => GRACE_HOURS_DEFAULT,
        Some(Value::String(text)) if text.trim().is_empty() => GRACE_HOURS_DEFAULT,
        Some(value) => as_integer(SIGNATURE_GRACE, value, 0, GRACE_HOURS_MAX)?,
    };
    Ok(Duration::from_hours(hours.unsigned_abs()))
}

/// The headers may be given as an object; the rest is text.
pub(super) fn as_given<'a>(key: &str, value: &'a Value) -> Cow<'a, Value> {
    match value {
        Value::Object(_) if key == CALLBACK_HEADERS => Cow::Owned(Value::from(value.to_string())),
        value => Cow::Borrowed(value),
    }
}

/// Looks into those secrets that are the gateway's own.
pub(super) fn check(key: &str, secret: Secret) -> Result<Given, FieldError> {
    let text = secret.expose();
    match key {
        SIGNATURE_KEY => {
            if let Some(kind) = KeyKind::asked_for(text) {
                return Ok(Given::ToMake(kind));
            }
            SigningKey::parse(text).map_err(|error| FieldError::new(key, error.to_string()))?;
        }
        CALLBACK_HEADERS if headers(text)?.is_empty() => return Ok(Given::Cleared),
        BASIC_USERNAME if text.contains(':') => {
            return Err(FieldError::new(key, "holds a colon, which ends a user name in HTTP"));
        }
        BASIC_USERNAME | BASIC_PASSWORD if text.chars().any(char::is_control) => {
            return Err(FieldError::new(key, "holds a line break or another control character"));
        }
        _ => {}
    }
    Ok(Given::Secret(secret))
}

/// The headers that a user has sent along with every notification. Names are in lower case.
///
/// # Errors
/// What can't be read, and two ways of authorization at once.
pub fn extra_headers(
    text: Option<&Secret>,
    username: Option<&Secret>,
    password: Option<&Secret>,
) -> Result<Vec<(String, Secret)>, FieldError> {
    let headers = text.map(|text| headers(text.expose())).transpose()?.unwrap_or_default();
    let mut all: Vec<_> = headers
        .into_iter()
        .map(|(name, value)| (name, Secret::new(value)))
        .collect();
    if username.is_some() || password.is_some() {
        if all.iter().any(|(name, _)| name == "authorization") {
            return Err(FieldError::new(
                CALLBACK_HEADERS,
                format!("has authorization, and so has {BASIC_USERNAME} or {BASIC_PASSWORD}: clear one of them"),
            ));
        }
        let part = |secret: Option<&Secret>| secret.map(|secret| secret.expose().to_owned()).unwrap_or_default();
        let both = STANDARD.encode(format!("{}:{}", part(username), part(password)));
        all.push(("authorization".to_owned(), Secret::new(format!("Basic {both}"))));
    }
    Ok(all)
}

/// A URL is shown and logged; what authorizes is neither.
pub(super) fn check_userinfo(url: &Url) -> Result<(), FieldError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(FieldError::new(
        CALLBACK_URL,
        format!("holds a user or password, which would be shown with it; use {BASIC_USERNAME} and {BASIC_PASSWORD}"),
    ))
}

/// A JSON object of names and values, or a line `Name: value` for each.
fn headers(text: &str) -> Result<Headers, FieldError> {
    let given = if text.trim_start().starts_with('{') {
        of_object(text)?
    } else {
        of_lines(text)?
    };
    if given.len() > HEADERS_MAX {
        return Err(refused(format!(
            "has {} headers; at most {HEADERS_MAX} are allowed",
            given.len()
        )));
    }
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > HEADERS_BYTES_MAX {
        return Err(refused(format!(
            "has {bytes} bytes; at most {HEADERS_BYTES_MAX} are allowed"
        )));
    }
    let mut headers = Headers::new();
    for (name, value) in given {
        let value = value.trim_matches([' ', '\t']);
        check_name(&name)?;
        check_value(&name, value)?;
        if headers.insert(name.to_ascii_lowercase(), value.to_owned()).is_some() {
            return Err(refused(format!("has the header {name} twice")));
        }
    }
    Ok(headers)
}

fn of_object(text: &str) -> Result<Vec<(String, String)>, FieldError> {
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        refused(format!(
            "begins like a JSON object and can't be read as one: line {}, column {}",
            error.line(),
            error.column()
        ))
    })?;
    let header = |(name, value): (String, Value)| match value {
        Value::String(value) => Ok((name, value)),
        other => Err(refused(format!(
            "expected text as the value of {name:?}, found {}",
            Found::kind(&other)
        ))),
    };
    object.into_iter().map(header).collect()
}

fn of_lines(text: &str) -> Result<Vec<(String, String)>, FieldError> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let header = |(number, line): (u32, &str)| {
        let (name, value) = line.split_once(':').ok_or_else(|| {
            refused(format!(
                "line {number} has no colon; expected `Name: value`, or a JSON object of names and values"
            ))
        })?;
        Ok((name.trim().to_owned(), value.to_owned()))
    };
    lines.map(header).collect()
}

fn check_name(name: &str) -> Result<(), FieldError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(refused(format!(
            "{name:?} is no name of a header; expected letters, digits and -"
        )));
    }
    let lower = name.to_ascii_lowercase();
    if RESERVED.contains(&lower.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
        return Err(refused(format!("{name} is set by the gateway and can't be chosen")));
    }
    Ok(())
}

fn check_value(name: &str, value: &str) -> Result<(), FieldError> {
    if value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    Err(refused(format!(
        "the value of {name} holds a character that HTTP has no room for; expected printable ASCII"
    )))
}

fn refused(message: String) -> FieldError {
    FieldError::new(CALLBACK_HEADERS, message)
}

#[cfg(test)]
mod tests;
