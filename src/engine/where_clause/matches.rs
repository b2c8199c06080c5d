//! Where clauses applied to records. Parses no clause.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::{Op, Value, Where};
use crate::domain::time::Timestamp;
use crate::engine::dates::{Zone, read_lenient};

pub(super) fn matches(clause: &Where, record: &Json) -> bool {
    match clause {
        Where::And(terms) => terms.iter().all(|term| matches(term, record)),
        Where::Or(terms) => terms.iter().any(|term| matches(term, record)),
        Where::Compare { field, op, value } => find(record, field).is_some_and(|found| holds(found, *op, value)),
        Where::In { field, values } => {
            find(record, field).is_some_and(|found| values.iter().any(|value| holds(found, Op::Equal, value)))
        }
        Where::IsNull { field } => find(record, field).is_none(),
    }
}

/// The field's value, unless it is null: the key of that name, or what lies at the path.
fn find<'a>(record: &'a Json, field: &str) -> Option<&'a Json> {
    let found = record
        .get(field)
        .or_else(|| field.split('.').try_fold(record, |at, key| at.get(key)));
    found.filter(|value| !value.is_null())
}

fn holds(found: &Json, op: Op, value: &Value) -> bool {
    if op == Op::Like {
        return is_like(&text(found).to_lowercase(), &text(&value.to_json()).to_lowercase());
    }
    let order = compare(found, value);
    match op {
        Op::NotEqual => order != Some(Ordering::Equal),
        Op::Equal => order == Some(Ordering::Equal),
        Op::Less => order.is_some_and(Ordering::is_lt),
        Op::LessOrEqual => order.is_some_and(Ordering::is_le),
        Op::Greater => order.is_some_and(Ordering::is_gt),
        Op::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        Op::Like => false,
    }
}

/// None where the two have no order, such as text and a boolean.
fn compare(found: &Json, value: &Value) -> Option<Ordering> {
    match (found, value) {
        (Json::Number(a), Value::Number(b)) => numbers(a, b),
        (Json::Number(a), Value::Text(b)) => numbers(a, &b.trim().parse().ok()?),
        (Json::String(a), Value::Number(b)) => numbers(&a.trim().parse().ok()?, b),
        (Json::Bool(a), Value::Boolean(b)) => Some(a.cmp(b)),
        (Json::Bool(a), Value::Text(b)) => Some(a.cmp(&b.to_ascii_lowercase().parse().ok()?)),
        (Json::String(a), Value::Boolean(b)) => Some(a.to_ascii_lowercase().parse::<bool>().ok()?.cmp(b)),
        (Json::String(a), Value::Text(b)) => Some(match (date(a), date(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_str().cmp(b),
        }),
        _ => None,
    }
}

fn numbers(a: &serde_json::Number, b: &serde_json::Number) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn date(text: &str) -> Option<Timestamp> {
    read_lenient(text, None, &Zone::utc()).ok()
}

fn text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// Does a text have a pattern's pieces in their order, the first at its start and the last at its end?
fn is_like(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('%');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        let Some((_, behind)) = rest.split_once(piece) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}
