//! One value at a time: the spellings in which Cloud Elements' clients send booleans, numbers and text.

use serde_json::Value;

/// A field that can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// Path in the request's body, e.g. `event.poller.configuration.accounts.url`.
    pub field: String,
    /// What was found and what was expected.
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }

    pub(super) fn placeholder(field: &str, text: &str) -> Self {
        Self::new(field, format!("{text} is a placeholder that was not filled in"))
    }
}

/// How a value of the wrong type is named in an error.
pub(super) struct Found;

impl Found {
    pub(super) fn kind(value: &Value) -> &'static str {
        match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// `<AUTOTASK_USERNAME>`: one pair of angle brackets round words, as documentation prints what a reader must fill in.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    text.len() > 2
        && text
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'))
            .is_some_and(|inner| {
                inner
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.'))
            })
}

pub(super) fn as_text<'a>(field: &str, value: &'a Value) -> Result<&'a str, FieldError> {
    value
        .as_str()
        .ok_or_else(|| FieldError::new(field, format!("expected text, found {}", Found::kind(value))))
}

/// `true`, `"true"`, `"TRUE"`; the empty string is false.
pub(super) fn as_bool(field: &str, value: &Value) -> Result<bool, FieldError> {
    match value {
        Value::Bool(value) => return Ok(*value),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => return Ok(true),
            "false" | "" => return Ok(false),
            _ => {}
        },
        _ => {}
    }
    Err(FieldError::new(field, format!("expected true or false, found {value}")))
}

/// `60`, `"60"`; within the bounds.
pub(super) fn as_integer(field: &str, value: &Value, min: i64, max: i64) -> Result<i64, FieldError> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if (min..=max).contains(&number) => Ok(number),
        Some(number) => Err(FieldError::new(
            field,
            format!("expected a whole number from {min} to {max}, found {number}"),
        )),
        None => Err(FieldError::new(
            field,
            format!("expected a whole number, found {value}"),
        )),
    }
}

/// Longest interval: what Cloud Elements' own tests stop a poller with.
const MINUTES_MAX: f64 = 999_999_999.0;

/// Minutes, fractions allowed, more than zero.
pub(super) fn as_minutes(field: &str, value: &Value) -> Result<f64, FieldError> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    number
        .filter(|minutes| minutes.is_finite() && *minutes > 0.0 && *minutes <= MINUTES_MAX)
        .ok_or_else(|| {
            FieldError::new(
                field,
                format!("expected a number of minutes greater than 0 and at most {MINUTES_MAX}, such as 15 or \"0.5\", found {value}"),
            )
        })
}
