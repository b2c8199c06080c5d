//! A query as it crosses HTTP: the JSON object in its two spellings, the cursor of a next page, the URLs that carry them.
//! Reads no rows.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::filter::{Filter, Refusal, cannot_find, member};
use super::schema::Entity;
use super::store::Projection;

/// The vendor's page size limit and default.
pub(super) const PAGE_RECORDS_MAX: i64 = 500;

/// A query, ready to run.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) page_records: i64,
    /// `None`: every field.
    pub(super) projection: Option<Projection>,
    pub(super) filter: Filter,
}

impl Query {
    /// Reads `{"MaxRecords":…,"IncludeFields":[…],"filter":[…]}`.
    pub(super) fn parse(entity: &Entity, query: &Value) -> Result<Self, Refusal> {
        let Value::Object(query) = query else {
            return Err(Refusal("The query must be a JSON object.".to_owned()));
        };
        // Known of the vendor: a filter is mandatory. The words are this simulator's.
        let conditions = match member(query, "filter") {
            Some(Value::Array(conditions)) if !conditions.is_empty() => conditions,
            _ => return Err(Refusal("A filter is required.".to_owned())),
        };
        Ok(Self {
            page_records: page_records(query)?,
            projection: projection(entity, query)?,
            filter: Filter::compile(entity, conditions)?,
        })
    }
}

fn page_records(query: &Map<String, Value>) -> Result<i64, Refusal> {
    match member(query, "maxRecords") {
        None | Some(Value::Null) => Ok(PAGE_RECORDS_MAX),
        Some(value) => value
            .as_i64()
            .filter(|records| (1..=PAGE_RECORDS_MAX).contains(records))
            .ok_or_else(|| Refusal("maxCountOfRecordsToReturn must be between 1 and 500".to_owned())),
    }
}

fn projection(entity: &Entity, query: &Map<String, Value>) -> Result<Option<Projection>, Refusal> {
    let Some(Value::Array(names)) = member(query, "includeFields") else {
        return Ok(None);
    };
    if names.is_empty() {
        return Ok(None);
    }
    let mut projection = Projection::default();
    for name in names.iter().map(|name| name.as_str().unwrap_or_default()) {
        if let Some(field) = entity.field(name) {
            projection.fields.push(field);
        } else if let Some(position) = entity.user_defined_field(name) {
            projection.user_defined.push(position);
        } else if !name.eq_ignore_ascii_case("userDefinedFields") {
            return Err(cannot_find(name, entity));
        }
    }
    Ok(Some(projection))
}

/// The `paging` parameter of a next page: a cursor over ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paging {
    pub(super) page_size: i64,
    pub(super) previous_ids: Vec<i64>,
    /// The last id of the page before.
    pub(super) next_ids: Vec<i64>,
}

impl Paging {
    /// The cursor behind a page that ended with `last_id`; `self` is the cursor that led to that page.
    pub(super) fn following(current: Option<&Self>, page_size: i64, last_id: i64) -> Self {
        let previous_ids = match current {
            None => vec![-1],
            Some(current) => current.previous_ids.iter().chain(&current.next_ids).copied().collect(),
        };
        Self {
            page_size,
            previous_ids,
            next_ids: vec![last_id],
        }
    }

    /// The query string of the next page. `search` is the filter of a GET; a POST sends its own again.
    pub(super) fn query_string(&self, search: Option<&Value>) -> String {
        let paging = serde_json::to_string(self).expect("numbers always serialise");
        let mut query = format!("paging={}", percent_encode(&paging));
        if let Some(search) = search {
            query.push_str("&search=");
            query.push_str(&percent_encode(&single_quoted(search)));
        }
        query
    }
}

/// The vendor percent-encodes in lower case and leaves only unreserved characters.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes()
        .fold(String::with_capacity(text.len() * 2), |mut out, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
                _ => write!(out, "%{byte:02x}").expect("writing to memory cannot fail"),
            }
            out
        })
}

/// JSON with single quotes, as the vendor carries a filter in a next page's URL.
fn single_quoted(value: &Value) -> String {
    let mut out = String::new();
    let mut characters = value.to_string();
    // Quotes and backslashes change roles: `\"` loses its escape and `'` gains one.
    let mut escaped = false;
    for character in std::mem::take(&mut characters).chars() {
        match (escaped, character) {
            (true, '"') => out.push('"'),
            (true, other) => out.extend(['\\', other]),
            (false, '\\') => {}
            (false, '"') => out.push('\''),
            (false, '\'') => out.push_str("\\'"),
            (false, other) => out.push(other),
        }
        escaped = !escaped && character == '\\';
    }
    out
}

/// Reads JSON whose strings stand in double or in single quotes.
pub(super) fn parse_json(text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&double_quoted(text)))
        .map_err(|error| Refusal(format!("The query is not valid JSON: {error}")))
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut open: Option<char> = None;
    let mut escaped = false;
    for character in text.chars() {
        match (escaped, character) {
            (true, '\'') => out.push('\''),
            (true, other) => out.extend(['\\', other]),
            (false, '\\') => {}
            (false, quote @ ('"' | '\'')) if open.is_none_or(|open| open == quote) => {
                open = if open.is_some() { None } else { Some(quote) };
                out.push('"');
            }
            (false, '"') => out.push_str("\\\""),
            (false, other) => out.push(other),
        }
        escaped = !escaped && character == '\\';
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn next_page_urls_look_like_the_recorded_one() {
        let paging = Paging::following(None, 500, 725);
        let search = json!({"filter": [{"op": "exist", "field": "IsActive"}]});
        let query = paging.query_string(Some(&search));
        assert!(
            query.starts_with("paging=%7b%22pageSize%22%3a500%2c%22previousIds%22%3a%5b-1%5d%2c%22nextIds%22%3a%5b725%5d%7d&search=%7b%27filter%27%3a%5b%7b"),
            "{query}"
        );
    }

    #[test]
    fn single_quoted_filters_survive_the_way_there_and_back() {
        for text in [
            "plain",
            "O'Brien",
            "say \"hi\"",
            "back\\slash",
            "both ' and \" and \\' and \\\"",
            "Zoë\n",
        ] {
            let value = json!({"filter": [{"op": "eq", "field": "companyName", "value": text}]});
            assert_eq!(
                parse_json(&single_quoted(&value)).unwrap(),
                value,
                "{}",
                single_quoted(&value)
            );
            assert_eq!(parse_json(&value.to_string()).unwrap(), value);
        }
    }

    #[test]
    fn the_cursor_remembers_the_pages_before() {
        let second = Paging::following(None, 2, 10);
        let third = Paging::following(Some(&second), 2, 20);
        assert_eq!((third.previous_ids, third.next_ids), (vec![-1, 10], vec![20]));
    }
}
