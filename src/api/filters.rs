//! Filters of notifications as requests give them, in a query or in a body. Knows no route.

use serde_json::Value;

use super::error::ApiError;
use super::page::Query;
use crate::domain::time::Timestamp;
use crate::engine::dates::{Zone, read_lenient};
use crate::engine::selection::{REASON_NAMES, STATUS_NAMES, Selection, change_named, reason_named, statuses_named};

/// The names of all filters.
pub(super) const FILTERS: [&str; 7] = ["status", "reason", "objectType", "objectId", "eventType", "from", "to"];

pub(super) fn of_query(query: &Query) -> Result<Selection, ApiError> {
    selection(|name| {
        let text = query.get(name).filter(|text| !text.is_empty());
        Ok(text.map(str::to_owned))
    })
}

/// Null and what is absent are no filter.
pub(super) fn of_body(body: &Value) -> Result<Selection, ApiError> {
    selection(|name| match &body[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(ApiError::bad_request(format!("{name}: expected text, found {other}"))),
    })
}

fn selection(given: impl Fn(&str) -> Result<Option<String>, ApiError>) -> Result<Selection, ApiError> {
    let selection = Selection {
        statuses: named("status", given("status")?, STATUS_NAMES, statuses_named)?,
        reason: named("reason", given("reason")?, REASON_NAMES, reason_named)?,
        resource: given("objectType")?,
        record: given("objectId")?,
        change: named(
            "eventType",
            given("eventType")?,
            "CREATED, UPDATED, DELETED",
            change_named,
        )?,
        from: time("from", given("from")?)?,
        to: time("to", given("to")?)?,
    };
    match (selection.from, selection.to) {
        (Some(from), Some(to)) if to < from => Err(ApiError::bad_request(format!(
            "to: expected a time that is not before from, {from}; found {to}"
        ))),
        _ => Ok(selection),
    }
}

fn named<T>(
    field: &str,
    text: Option<String>,
    names: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let found = read(&text);
    found
        .map(Some)
        .ok_or_else(|| ApiError::bad_request(format!("{field}: expected one of {names}; found {text:?}")))
}

/// ISO 8601, or milliseconds since 1970.
fn time(field: &str, text: Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text else {
        return Ok(None);
    };
    if let Ok(ms) = text.parse() {
        return Ok(Some(Timestamp::from_ms(ms)));
    }
    let time = read_lenient(&text, None, &Zone::utc());
    time.map(Some).map_err(|error| {
        ApiError::bad_request(format!(
            "{field}: expected a time such as 2026-01-31T00:00:00Z, or milliseconds since 1970; found {text:?}: {error}"
        ))
    })
}
