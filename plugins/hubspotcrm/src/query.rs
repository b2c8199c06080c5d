//! What a search asks for: filters, order and properties, within what the vendor allows of each.
//! Must not let anything through that the vendor would refuse or understand differently: that is a fault in words.
//!
//! Pages are walked by the record's number (`hs_object_id`), each a search of its own for the numbers above the last, and
//! not by the `after` of a search. That is a position in a result: whatever changes while a run reads moves to the end of
//! an order by date and shifts the rest, so that records would be passed over in silence; and the vendor ends a result
//! after 10,000 records. Numbers never change, and this walk has no end but the last record.

use serde_json::{Map, Value, json};
use tidegate_sdk::filter::{Condition, Filter, Operator, Test, refused};
use tidegate_sdk::{Fault, Window, dates};

use crate::objects::{ID, Object, field_of, is_date};

/// For messages.
const VENDOR: &str = "HubSpot";

// <https://developers.hubspot.com/docs/api-reference/search/guide>, sections Filter search results, Paging and Limits.
pub const RECORDS_MAX: u32 = 200;
const GROUPS_MAX: usize = 5;
const FILTERS_PER_GROUP_MAX: usize = 6;
const FILTERS_MAX: usize = 18;
const BODY_CHARS_MAX: usize = 3_000;

/// A search, but for where it goes on.
#[derive(Clone, Debug)]
pub struct Search {
    /// Of which at least one must hold as a whole. One empty group holds always.
    groups: Vec<Vec<Value>>,
    properties: Vec<String>,
    limit: u32,
}

impl Search {
    /// # Errors
    /// A bad-configuration fault for what cannot be asked for.
    pub fn of(
        object: Object<'_>,
        filter: Option<&Filter>,
        window: Option<&Window>,
        properties: Vec<String>,
        page_size: u32,
    ) -> Result<Self, Fault> {
        let spread = filter.map(without_capitals_in_lists);
        let mut groups = match &spread {
            Some(filter) => conditions(filter, object)?,
            None => vec![Vec::new()],
        };
        if let Some(window) = window.filter(|_| !spread.as_ref().is_some_and(|filter| names_modified(filter, object))) {
            let window = window_filters(window, object);
            groups.iter_mut().for_each(|group| group.extend(window.iter().cloned()));
        }
        let search = Self {
            groups,
            properties,
            limit: if page_size == 0 {
                RECORDS_MAX
            } else {
                page_size.min(RECORDS_MAX)
            },
        };
        search.check()?;
        Ok(search)
    }

    /// How many records a full page has.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// The body of the request for the records with numbers above this one.
    pub fn body(&self, after: Option<u64>) -> Value {
        let above = after.map(|after| compare(ID, "GT", &after.to_string()));
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|group| group.iter().chain(&above).cloned().collect::<Vec<_>>())
            .filter(|filters| !filters.is_empty())
            .map(|filters| json!({"filters": filters}))
            .collect();
        let mut body = Map::new();
        if !groups.is_empty() {
            body.insert("filterGroups".into(), groups.into());
        }
        body.insert("sorts".into(), json!([{"propertyName": ID, "direction": "ASCENDING"}]));
        if !self.properties.is_empty() {
            body.insert("properties".into(), json!(self.properties));
        }
        body.insert("limit".into(), self.limit.into());
        body.into()
    }

    /// Counts with the filter on the number, which every page but the first has.
    fn check(&self) -> Result<(), Fault> {
        let longest = self.groups.iter().map(Vec::len).max().unwrap_or(0) + 1;
        let all = self.groups.iter().map(|group| group.len() + 1).sum::<usize>();
        if longest > FILTERS_PER_GROUP_MAX || all > FILTERS_MAX {
            return Err(refused(&format!(
                "the where clause comes to {all} conditions in {} groups, the longest with {longest}, those counted that poll \
                 and paging need; {VENDOR} takes {FILTERS_MAX}, and {FILTERS_PER_GROUP_MAX} in a group",
                self.groups.len()
            )));
        }
        let chars = self.body(Some(u64::MAX)).to_string().chars().count();
        if chars > BODY_CHARS_MAX {
            return Err(Fault::bad_configuration(
                "search-too-long",
                format!(
                    "the search has {chars} characters, and {VENDOR} takes {BODY_CHARS_MAX}: ask for fewer properties, or with \
                     a shorter where clause"
                ),
            ));
        }
        Ok(())
    }
}

/// The records changed in the window, by the date that the vendor keeps for this.
fn window_filters(window: &Window, object: Object<'_>) -> Vec<Value> {
    let modified = object.modified();
    // From the beginning is everything, a record without that date included.
    let from = (window.from_ms > 0).then(|| compare(modified, "GTE", &window.from_ms.to_string()));
    let until = window
        .until_ms
        .map(|until| compare(modified, "LTE", &until.to_string()));
    from.into_iter().chain(until).collect()
}

/// A clause with the date of change in it says itself what of a poll's window it wants.
fn names_modified(filter: &Filter, object: Object<'_>) -> bool {
    match filter {
        Filter::And(terms) | Filter::Or(terms) => terms.iter().any(|term| names_modified(term, object)),
        Filter::Compare { field, .. } | Filter::In { field, .. } | Filter::IsNull { field } => {
            object.property(field_of(field)) == Some(object.modified())
        }
    }
}

/// In a list the vendor wants texts in lower case, but options of an enumeration as they are, and which of them a property
/// has is not to be seen. Single values it compares well in either case, so lists with capitals become such.
fn without_capitals_in_lists(filter: &Filter) -> Filter {
    let spread = |terms: &[Filter]| terms.iter().map(without_capitals_in_lists).collect();
    match filter {
        Filter::And(terms) => Filter::And(spread(terms)),
        Filter::Or(terms) => Filter::Or(spread(terms)),
        Filter::In { field, values } if values.iter().any(has_capitals) => {
            let is = |value: &Value| Filter::compare(field.as_str(), Operator::Equal, value.clone());
            Filter::Or(values.iter().map(is).collect())
        }
        other => other.clone(),
    }
}

fn has_capitals(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.chars().any(char::is_uppercase))
}

fn conditions(filter: &Filter, object: Object<'_>) -> Result<Vec<Vec<Value>>, Fault> {
    let groups = filter.any_of(VENDOR, GROUPS_MAX)?;
    if groups.is_empty() {
        return Err(refused(
            "the where clause has a list without values, so that no record fits it",
        ));
    }
    let condition = |condition: &Condition<'_>| filter_of(condition, object);
    groups
        .iter()
        .map(|group| group.iter().map(condition).collect())
        .collect()
}

fn filter_of(condition: &Condition<'_>, object: Object<'_>) -> Result<Value, Fault> {
    let property = object.property(field_of(condition.field)).ok_or_else(|| {
        condition.refused(&format!(
            "{VENDOR} filters `{}` by properties; the dates of records are createdate (or hs_createdate) and {}",
            object.name,
            object.modified()
        ))
    })?;
    let plain = |value: &Value| {
        text_of(property, value).ok_or_else(|| condition.refused("a text, number or boolean was expected"))
    };
    Ok(match condition.test {
        Test::IsNull | Test::Compare(Operator::Equal, Value::Null) => on(property, "NOT_HAS_PROPERTY"),
        Test::Compare(Operator::NotEqual, Value::Null) => on(property, "HAS_PROPERTY"),
        Test::Compare(Operator::Like, pattern) => like(condition, property, pattern)?,
        Test::Compare(operator, value) => compare(property, name_of(operator), &plain(value)?),
        Test::In([]) => return Err(condition.refused("a list without values fits no record")),
        Test::In(values) => {
            let values: Vec<String> = values.iter().map(plain).collect::<Result<_, _>>()?;
            json!({"propertyName": property, "operator": "IN", "values": values})
        }
    })
}

fn on(property: &str, operator: &str) -> Value {
    json!({"propertyName": property, "operator": operator})
}

/// The vendor takes every value as text.
fn compare(property: &str, operator: &str, value: &str) -> Value {
    json!({"propertyName": property, "operator": operator, "value": value})
}

fn name_of(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "EQ",
        Operator::NotEqual => "NEQ",
        Operator::Less => "LT",
        Operator::LessOrEqual => "LTE",
        Operator::Greater => "GT",
        Operator::GreaterOrEqual => "GTE",
        Operator::Like => "CONTAINS_TOKEN",
    }
}

/// A value as the vendor wants it: dates as milliseconds of Unix time.
fn text_of(property: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if is_date(property) => {
            let at = dates::parse_iso(text.trim().as_bytes());
            Some(at.map_or_else(|| text.clone(), |at| at.to_string()))
        }
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The vendor matches word by word, so that only these mean what LIKE means: a piece of one word anywhere, and the end of
/// an address from its `@` on, which is the documentation's own example.
fn like(condition: &Condition<'_>, property: &str, pattern: &Value) -> Result<Value, Fault> {
    let pattern = pattern.as_str().unwrap_or_default();
    let is_word = |text: &str| !text.is_empty() && text.chars().all(char::is_alphanumeric);
    let is_domain = |text: &str| {
        let domain = text.strip_prefix('@');
        domain.is_some_and(|domain| domain.split(['.', '-']).all(is_word))
    };
    if pattern == "%" {
        return Ok(on(property, "HAS_PROPERTY"));
    }
    if !pattern.contains(['%', '*']) && !pattern.is_empty() {
        return Ok(compare(property, "EQ", pattern));
    }
    let rest = pattern.strip_prefix('%');
    let middle = rest
        .and_then(|rest| rest.strip_suffix('%'))
        .filter(|text| is_word(text));
    let end = rest.filter(|text| is_domain(text));
    let wanted = middle
        .map(|text| format!("*{text}*"))
        .or_else(|| end.map(|text| format!("*{text}")));
    wanted
        .map(|wanted| compare(property, "CONTAINS_TOKEN", &wanted))
        .ok_or_else(|| {
            condition.refused(&format!(
                "{VENDOR} matches word by word, which is the same for '%word%' and '%@domain.example' only"
            ))
        })
}

#[cfg(test)]
mod tests;
