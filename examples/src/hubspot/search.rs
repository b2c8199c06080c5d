//! Searches as <https://developers.hubspot.com/docs/api-reference/search/guide> describes them, with its limits.
//! Knows nothing of HTTP: what is refused is a message.

use std::cmp::Ordering;

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::store::{Row, Store};

const GROUPS_MAX: usize = 5;
const FILTERS_PER_GROUP_MAX: usize = 6;
const FILTERS_MAX: usize = 18;
const LIMIT_MAX: usize = 200;
const BODY_CHARACTERS_MAX: usize = 3_000;

/// The body of a search.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Search {
    #[serde(default)]
    filter_groups: Vec<Group>,
    #[serde(default)]
    sorts: Vec<Sort>,
    #[serde(default)]
    properties: Vec<String>,
    #[serde(default = "ten")]
    limit: usize,
    /// An integer, as a text or not.
    #[serde(default)]
    after: Value,
}

fn ten() -> usize {
    10
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    property_name: String,
    operator: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sort {
    property_name: String,
    direction: String,
}

impl Search {
    /// The error is what a 400 says.
    pub(super) fn read(body: &str) -> Result<Self, String> {
        let characters = body.chars().count();
        if characters > BODY_CHARACTERS_MAX {
            return Err(format!(
                "the request has {characters} characters, the maximum is {BODY_CHARACTERS_MAX}"
            ));
        }
        let search: Self = serde_json::from_str(body).map_err(|error| format!("Invalid input JSON: {error}"))?;
        let lengths = search.filter_groups.iter().map(|group| group.filters.len());
        if search.filter_groups.len() > GROUPS_MAX
            || lengths.clone().any(|length| length > FILTERS_PER_GROUP_MAX)
            || lengths.sum::<usize>() > FILTERS_MAX
        {
            return Err("too many filter groups or filters".into());
        }
        if search.sorts.len() > 1 {
            return Err("only one sort is supported".into());
        }
        if !(1..=LIMIT_MAX).contains(&search.limit) {
            return Err(format!("limit must be between 1 and {LIMIT_MAX}"));
        }
        Ok(search)
    }

    /// The page that is asked for.
    pub(super) fn page(&self, store: &Store, object: &str, results_max: usize) -> Result<Value, String> {
        let after = self.after()?;
        if after + self.limit > results_max.max(self.limit) {
            return Err(format!("paging beyond {results_max} results is not supported"));
        }
        let mut found = Vec::new();
        for row in store.rows(object, false) {
            if self.fits(row)? {
                found.push(row);
            }
        }
        self.sort(&mut found)?;
        let page = found.iter().skip(after).take(self.limit);
        let results: Vec<Value> = page.map(|row| row.shown(object, &self.properties)).collect();
        let next = after + results.len();
        let mut page = json!({"total": found.len(), "results": results});
        if next < found.len() {
            page["paging"] = json!({"next": {"after": next.to_string()}});
        }
        Ok(page)
    }

    fn after(&self) -> Result<usize, String> {
        match &self.after {
            Value::Null => Ok(0),
            Value::String(text) => text.parse().map_err(|_| "after must be an integer".into()),
            after => after
                .as_u64()
                .and_then(|after| usize::try_from(after).ok())
                .ok_or_else(|| "after must be an integer".into()),
        }
    }

    fn fits(&self, row: &Row) -> Result<bool, String> {
        for group in &self.filter_groups {
            let mut all = true;
            for filter in &group.filters {
                all &= filter.fits(row)?;
            }
            if all {
                return Ok(true);
            }
        }
        Ok(self.filter_groups.is_empty())
    }

    fn sort(&self, rows: &mut [&Row]) -> Result<(), String> {
        let Some(sort) = self.sorts.first() else {
            return Ok(());
        };
        let value = |row: &Row| row.properties.get(&sort.property_name).cloned().unwrap_or_default();
        rows.sort_by(|left, right| compare(&value(left), &value(right)));
        match sort.direction.as_str() {
            "ASCENDING" => {}
            "DESCENDING" => rows.reverse(),
            other => return Err(format!("{other} is no direction")),
        }
        Ok(())
    }
}

impl Filter {
    fn fits(&self, row: &Row) -> Result<bool, String> {
        let found = row.properties.get(&self.property_name);
        let order = |filter: &Self| {
            let value = filter
                .value
                .as_ref()
                .ok_or_else(|| format!("{} needs a value", filter.operator))?;
            Ok::<_, String>(found.map(|found| compare(found, value)))
        };
        Ok(match self.operator.as_str() {
            "HAS_PROPERTY" => found.is_some(),
            "NOT_HAS_PROPERTY" => found.is_none(),
            "EQ" => order(self)? == Some(Ordering::Equal),
            "NEQ" => order(self)? != Some(Ordering::Equal),
            "LT" => order(self)?.is_some_and(Ordering::is_lt),
            "LTE" => order(self)?.is_some_and(Ordering::is_le),
            "GT" => order(self)?.is_some_and(Ordering::is_gt),
            "GTE" => order(self)?.is_some_and(Ordering::is_ge),
            "IN" => found.is_some_and(|found| self.values.iter().any(|value| *value == found.to_lowercase())),
            "CONTAINS_TOKEN" => {
                let pattern = self.value.as_deref().unwrap_or_default().to_lowercase();
                found.is_some_and(|found| {
                    found
                        .to_lowercase()
                        .split_whitespace()
                        .any(|word| is_like(word, &pattern))
                })
            }
            other => return Err(format!("{other} is no operator")),
        })
    }
}

/// A word against a pattern with `*` at its ends.
fn is_like(word: &str, pattern: &str) -> bool {
    let text = pattern.trim_matches('*');
    match (pattern.starts_with('*'), pattern.ends_with('*')) {
        (true, true) => word.contains(text),
        (true, false) => word.ends_with(text),
        (false, true) => word.starts_with(text),
        (false, false) => word == text,
    }
}

/// Numbers, and dates however they are written, by their size; other texts in either case.
fn compare(left: &str, right: &str) -> Ordering {
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        _ => left.to_lowercase().cmp(&right.to_lowercase()),
    }
}

fn number(text: &str) -> Option<f64> {
    let date = || {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| at.timestamp_millis() as f64)
    };
    text.parse().ok().or_else(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        let mut store = Store::default();
        for second in 0..5_i64 {
            let at = DateTime::from_timestamp(second, 0).unwrap();
            store.create(
                "deals",
                &json!({"amount": second, "dealname": format!("Deal {second}")}),
                at,
            );
        }
        store
    }

    fn ids(body: Value, results_max: usize) -> Result<Vec<String>, String> {
        let page = Search::read(&body.to_string())?.page(&store(), "deals", results_max)?;
        let results = page["results"].as_array().unwrap().iter();
        Ok(results.map(|row| row["id"].as_str().unwrap().to_owned()).collect())
    }

    fn by(property: &str, operator: &str, value: &str) -> Value {
        json!({"filterGroups": [{"filters": [{"propertyName": property, "operator": operator, "value": value}]}]})
    }

    #[test]
    fn filters_compare_numbers_dates_and_words() {
        for (property, operator, value, expected) in [
            ("amount", "GT", "2", &["100454", "100455"][..]),
            ("hs_lastmodifieddate", "GTE", "3000", &["100454", "100455"]),
            ("hs_object_id", "GT", "100454", &["100455"]),
            ("dealname", "EQ", "deal 1", &["100452"]),
            (
                "dealname",
                "CONTAINS_TOKEN",
                "*eal*",
                &["100451", "100452", "100453", "100454", "100455"],
            ),
            ("dealname", "CONTAINS_TOKEN", "4", &["100455"]),
        ] {
            assert_eq!(
                ids(by(property, operator, value), 100).unwrap(),
                expected,
                "{property} {operator}"
            );
        }
    }

    #[test]
    fn a_result_is_paged_by_position_and_ends_at_the_cap() {
        let page = |after: usize| json!({"limit": 2, "after": after.to_string()});
        assert_eq!(ids(page(2), 100).unwrap(), ["100453", "100454"]);
        assert_eq!(ids(page(2), 4).unwrap().len(), 2);
        assert!(ids(page(3), 4).unwrap_err().contains("beyond 4"));
    }

    #[test]
    fn more_than_the_documentation_allows_is_refused() {
        let filters = |count: usize| {
            (0..count)
                .map(|_| json!({"propertyName": "a", "operator": "EQ", "value": "1"}))
                .collect::<Vec<_>>()
        };
        let groups = |lengths: &[usize]| {
            let groups: Vec<Value> = lengths
                .iter()
                .map(|length| json!({"filters": filters(*length)}))
                .collect();
            json!({"filterGroups": groups})
        };
        assert!(ids(groups(&[6, 6, 6]), 100).is_ok());
        for refused in [
            groups(&[7]),
            groups(&[6, 6, 6, 1]),
            groups(&[1; 6]),
            json!({"limit": 201}),
            json!({"limit": 0}),
        ] {
            assert!(ids(refused.clone(), 100).is_err(), "{refused}");
        }
        assert!(ids(json!({"properties": ["x".repeat(3_000)]}), 100).is_err());
        assert!(ids(by("a", "LIKE", "x"), 100).is_err());
    }
}
