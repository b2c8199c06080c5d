//! The part of a where clause that a search can be narrowed by. The rest is for [`matching`](crate::matching).
//! Must not narrow more than the clause does: a term that could miss a record that matches is not written.
//!
//! The language: <https://support.zendesk.com/hc/en-us/articles/4408886879258-Zendesk-Support-search-reference>.

use serde_json::Value;
use tidegate_sdk::dates;
use tidegate_sdk::filter::{Filter, Operator};

use crate::resources::{Resource, Word};

/// Longest query that is written; what does not fit is left to matching.
const QUERY_CHARS_MAX: usize = 1_000;

/// A search that gives at least every record that matches; None where there is nothing to narrow by.
pub fn query(filter: &Filter, resource: &Resource) -> Option<String> {
    let mut terms: Vec<String> = Vec::new();
    collect(filter, resource, &mut terms);
    let mut query = String::new();
    for term in terms {
        if query.len() + term.len() < QUERY_CHARS_MAX {
            query.push_str(if query.is_empty() { "" } else { " " });
            query.push_str(&term);
        }
    }
    (!query.is_empty()).then_some(query)
}

/// Only what must hold as a whole narrows: a term within an OR does not.
fn collect(filter: &Filter, resource: &Resource, terms: &mut Vec<String>) {
    match filter {
        Filter::And(parts) => parts.iter().for_each(|part| collect(part, resource, terms)),
        Filter::Compare { field, operator, value } => terms.extend(term(field, *operator, value, resource)),
        Filter::In { field, values } => {
            if let [value] = values.as_slice() {
                terms.extend(term(field, Operator::Equal, value, resource));
            }
        }
        Filter::Or(_) | Filter::IsNull { .. } => {}
    }
}

fn term(field: &str, operator: Operator, value: &Value, resource: &Resource) -> Option<String> {
    let (_, word) = resource.searched.iter().find(|(known, _)| *known == field)?;
    let text = value.as_str()?;
    match (word, operator) {
        (Word::Choice(word), Operator::Equal) if is_plain(text) => Some(format!("{word}:{text}")),
        // Whole seconds, the bound itself included whatever the operator: matching is exact.
        (Word::Date(word), Operator::Greater | Operator::GreaterOrEqual) => Some(format!(
            "{word}>={}",
            seconds(dates::parse_iso(text.trim().as_bytes())?)
        )),
        (Word::Date(word), Operator::Less | Operator::LessOrEqual) => {
            let rounded_up = dates::parse_iso(text.trim().as_bytes())?.checked_add(999)?;
            Some(format!("{word}<={}", seconds(rounded_up)))
        }
        _ => None,
    }
}

/// What needs no quotes and means nothing else.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// `2026-01-01T00:00:00Z`
fn seconds(milliseconds: i64) -> String {
    let text = dates::format_iso(milliseconds);
    format!("{}Z", text.split('.').next().unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(resource: &str, clause: Value) -> Option<String> {
        let filter = Filter::from_json(clause.to_string().as_bytes()).unwrap();
        query(&filter, Resource::of(resource).unwrap())
    }

    fn is(field: &str, op: &str, value: &str) -> Value {
        json!({"op": op, "field": field, "value": value})
    }

    #[test]
    fn what_narrows_is_written_and_the_rest_is_left() {
        let clause = json!({"op": "and", "terms": [
            is("status", "=", "open"),
            is("subject", "=", "fire"),
            is("updated_at", ">", "2026-01-01T00:00:00.500Z"),
            is("created_at", "<=", "2026-02-01T01:00:00.001+01:00"),
            {"op": "in", "field": "type", "values": ["incident"]},
            {"op": "in", "field": "priority", "values": ["high", "urgent"]},
            {"op": "or", "terms": [is("priority", "=", "low")]},
        ]});
        assert_eq!(
            of("tickets", clause).unwrap(),
            "status:open updated>=2026-01-01T00:00:00Z created<=2026-02-01T00:00:01Z ticket_type:incident"
        );
    }

    #[test]
    fn what_could_miss_a_record_is_not_written() {
        for clause in [
            is("subject", "=", "fire"),
            is("status", "!=", "open"),
            is("status", "=", "open solved"),
            is("status", "=", "\"open\""),
            is("status", "=", ""),
            is("created_at", "=", "2026-01-01T00:00:00Z"),
            is("created_at", ">", "yesterday"),
            json!({"op": "=", "field": "status", "value": null}),
            json!({"op": "is-null", "field": "status"}),
        ] {
            assert_eq!(of("tickets", clause.clone()), None, "{clause}");
        }
        assert_eq!(of("organizations", is("status", "=", "open")), None);
    }
}
