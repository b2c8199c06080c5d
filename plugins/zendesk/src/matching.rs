//! Does a record match a where clause? For what the vendor cannot be asked: exports take no conditions, searches few.
//! Must not be kinder than the clause: what cannot be compared does not match.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value as Json;
use tidegate_sdk::dates;
use tidegate_sdk::filter::{Filter, Operator};
use tidegate_sdk::json::{Kind, Member, Value};

use crate::paths::Path;

/// Members as the vendor sends them, fields by the paths that a user writes. Fields that hold something which the clause's
/// value cannot be compared with are added to `incomparable`.
pub fn matches(filter: &Filter, members: &[Member<'_>], incomparable: &mut BTreeSet<String>) -> bool {
    let value = |field: &str| Path::parse(field).value(members);
    match filter {
        Filter::And(terms) => terms.iter().all(|term| matches(term, members, incomparable)),
        Filter::Or(terms) => terms.iter().any(|term| matches(term, members, incomparable)),
        Filter::IsNull { field } => value(field).is_none(),
        Filter::In { field, values } => values.iter().any(|wanted| {
            tell(
                field,
                compare(value(field).as_ref(), Operator::Equal, wanted),
                incomparable,
            )
        }),
        Filter::Compare {
            field,
            operator,
            value: wanted,
        } => tell(field, compare(value(field).as_ref(), *operator, wanted), incomparable),
    }
}

/// What cannot be compared does not match.
fn tell(field: &str, matches: Option<bool>, incomparable: &mut BTreeSet<String>) -> bool {
    if matches.is_none() {
        incomparable.insert(field.to_owned());
    }
    matches.unwrap_or(false)
}

/// Null equals null alone, and has no order. None where the two are of kinds that cannot be compared.
fn compare(found: Option<&Value<'_>>, operator: Operator, wanted: &Json) -> Option<bool> {
    let Some(found) = found else {
        return Some(match operator {
            Operator::Equal => wanted.is_null(),
            Operator::NotEqual => !wanted.is_null(),
            _ => false,
        });
    };
    if wanted.is_null() {
        return Some(operator == Operator::NotEqual);
    }
    if operator == Operator::Like {
        return Some(like(found.as_str()?.as_ref(), wanted.as_str()?));
    }
    let order = order(found, wanted)?;
    Some(match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Like => return None,
    })
}

/// None where the two are of kinds that have no common order.
fn order(found: &Value<'_>, wanted: &Json) -> Option<Ordering> {
    match found.kind() {
        Kind::Bool => Some(found.as_bool()?.cmp(&truth(wanted)?)),
        Kind::Number => match (
            found.as_i64(),
            wanted.as_i64().or_else(|| wanted.as_str()?.trim().parse().ok()),
        ) {
            // Ids are greater than what a float tells apart.
            (Some(found), Some(wanted)) => Some(found.cmp(&wanted)),
            _ => found.as_f64()?.partial_cmp(&number(wanted)?),
        },
        Kind::String => {
            let found = found.as_str()?;
            let text = match wanted {
                Json::String(text) => text.clone(),
                Json::Number(number) => number.to_string(),
                _ => return None,
            };
            match (
                dates::parse_iso(found.trim().as_bytes()),
                dates::parse_iso(text.trim().as_bytes()),
            ) {
                (Some(found), Some(wanted)) => Some(found.cmp(&wanted)),
                _ => Some(found.as_ref().cmp(text.as_str())),
            }
        }
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

fn truth(wanted: &Json) -> Option<bool> {
    match wanted {
        Json::Bool(truth) => Some(*truth),
        Json::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

fn number(wanted: &Json) -> Option<f64> {
    wanted.as_f64().or_else(|| wanted.as_str()?.trim().parse().ok())
}

/// `%` stands for any text.
fn like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('%');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_sdk::json::parse_object;

    use super::*;

    const RECORD: &str = r#"{"id":9007199254740993,"status":"open","active":true,"price":1.5,"none":null,"tags":["a"],
        "updated_at":"2026-01-01T00:00:00Z","via":{"channel":"web"},"name":"Jo Smith","code":"12"}"#;

    fn holds(clause: Json) -> bool {
        let filter = Filter::from_json(clause.to_string().as_bytes()).unwrap();
        matches(&filter, &parse_object(RECORD.as_bytes()).unwrap(), &mut BTreeSet::new())
    }

    fn is(field: &str, op: &str, value: Json) -> bool {
        holds(json!({"op": op, "field": field, "value": value}))
    }

    #[test]
    fn values_are_compared_by_what_they_are() {
        for (field, op, value) in [
            ("status", "=", json!("open")),
            ("status", "!=", json!("closed")),
            ("id", "=", json!("9007199254740993")),
            ("id", "=", json!(9_007_199_254_740_993_i64)),
            ("id", "!=", json!(9_007_199_254_740_992_i64)),
            ("price", ">", json!("1.25")),
            ("price", "<=", json!(1.5)),
            ("active", "=", json!("TRUE")),
            ("code", "=", json!(12)),
            ("updated_at", ">=", json!("2026-01-01T01:00:00+01:00")),
            ("updated_at", "<", json!("2026-01-01T00:00:00.001Z")),
            ("via.channel", "=", json!("web")),
            ("none", "=", json!(null)),
            ("none", "!=", json!("x")),
            ("missing", "!=", json!("x")),
        ] {
            assert!(is(field, op, value.clone()), "{field} {op} {value}");
        }
        for (field, op, value) in [
            ("status", "=", json!("Open")),
            ("none", ">", json!(1)),
            ("missing", "=", json!("")),
            ("tags", "=", json!("a")),
            ("active", "=", json!("yes")),
            ("price", "=", json!("much")),
            ("status", "<", json!(true)),
        ] {
            assert!(!is(field, op, value.clone()), "{field} {op} {value}");
        }
    }

    #[test]
    fn a_pattern_has_its_wild_cards_anywhere() {
        for pattern in ["Jo Smith", "Jo%", "%Smith", "%o%m%", "%", "Jo%Smith", "J%o%", "%%"] {
            assert!(is("name", "like", json!(pattern)), "{pattern}");
        }
        for pattern in ["Jo", "Smith", "Smith%", "%Jo", "Jo Smith%Smith", "%x%", ""] {
            assert!(!is("name", "like", json!(pattern)), "{pattern}");
        }
    }

    #[test]
    fn conditions_are_joined() {
        let open = json!({"op": "=", "field": "status", "value": "open"});
        let not = json!({"op": "is-null", "field": "status"});
        assert!(holds(json!({"op": "and", "terms": [open]})));
        assert!(!holds(json!({"op": "and", "terms": [open, not]})));
        assert!(holds(json!({"op": "or", "terms": [not, open]})));
        assert!(holds(json!({"op": "in", "field": "status", "values": ["new", "open"]})));
        assert!(!holds(json!({"op": "in", "field": "status", "values": ["new"]})));
        assert!(holds(json!({"op": "is-null", "field": "none"})));
    }
}
