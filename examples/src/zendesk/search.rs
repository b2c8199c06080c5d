//! The few words of the search's language that are understood; others are refused, not ignored.

use chrono::DateTime;
use serde_json::{Map, Value};

/// One term: field, operator, value.
pub(super) struct Term<'q> {
    field: &'static str,
    operator: &'q str,
    value: &'q str,
}

const WORDS: [(&str, &str); 6] = [
    ("created", "created_at"),
    ("updated", "updated_at"),
    ("status", "status"),
    ("priority", "priority"),
    ("ticket_type", "type"),
    ("role", "role"),
];

const OPERATORS: [&str; 5] = [">=", "<=", ":", ">", "<"];

/// The terms of a query; the error is a term that is not understood.
pub(super) fn terms(query: &str) -> Result<Vec<Term<'_>>, &str> {
    query.split_whitespace().map(|text| term(text).ok_or(text)).collect()
}

fn term(text: &str) -> Option<Term<'_>> {
    let operator = OPERATORS.iter().find(|operator| text.contains(**operator))?;
    let (word, value) = text.split_once(*operator)?;
    let (_, field) = WORDS.iter().find(|(known, _)| *known == word)?;
    Some(Term { field, operator, value })
}

/// Do all terms hold?
pub(super) fn holds(terms: &[Term<'_>], row: &Map<String, Value>) -> bool {
    terms.iter().all(|term| {
        let Some(found) = row.get(term.field).and_then(Value::as_str) else {
            return false;
        };
        let at = |text: &str| DateTime::parse_from_rfc3339(text).ok();
        match (term.operator, at(found), at(term.value)) {
            (":", ..) => found.eq_ignore_ascii_case(term.value),
            (">=", Some(found), Some(value)) => found >= value,
            ("<=", Some(found), Some(value)) => found <= value,
            (">", Some(found), Some(value)) => found > value,
            ("<", Some(found), Some(value)) => found < value,
            _ => false,
        }
    })
}
