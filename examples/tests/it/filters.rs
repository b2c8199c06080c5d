//! The simulator's filters against a plain evaluator over the JSON of the rows.
//! The evaluator shares no code with the simulator.

use std::cmp::Ordering;

use crate::vendor::{Vendor, everything};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Compares two JSON values as SQL would; dates compare as text once they are equally long.
fn compare(found: &Value, wanted: &Value) -> Option<Ordering> {
    match (found, wanted) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) => Some(comparable(a).cmp(&comparable(b))),
        _ => None,
    }
}

fn comparable(text: &str) -> String {
    let is_date = text.len() >= 19 && text.as_bytes()[10] == b'T' && text.as_bytes()[4] == b'-';
    if !is_date {
        return text.to_lowercase();
    }
    let (seconds, fraction) = text.trim_end_matches('Z').split_at(19);
    format!("{seconds}.{:0<7}", fraction.trim_start_matches('.'))
}

fn holds(condition: &Value, row: &Value) -> bool {
    let items = || condition["items"].as_array().unwrap().iter();
    let field = condition["field"].as_str().unwrap_or_default();
    let found = row
        .as_object()
        .unwrap()
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(field));
    let mut found = found.map_or(&Value::Null, |(_, value)| value);
    if condition["udf"] == true {
        let list = row["userDefinedFields"].as_array().unwrap();
        found = &list.iter().find(|entry| entry["name"] == condition["field"]).unwrap()["value"];
    }
    let wanted = &condition["value"];
    let text = |test: fn(&str, &str) -> bool| match (found.as_str(), wanted.as_str()) {
        (Some(found), Some(wanted)) => test(&found.to_lowercase(), &wanted.to_lowercase()),
        _ => false,
    };
    let among = || {
        wanted
            .as_array()
            .unwrap()
            .iter()
            .any(|wanted| compare(found, wanted) == Some(Ordering::Equal))
    };
    match condition["op"].as_str().unwrap() {
        "and" => items().all(|item| holds(item, row)),
        "or" => items().any(|item| holds(item, row)),
        "eq" => compare(found, wanted) == Some(Ordering::Equal),
        "noteq" => compare(found, wanted).is_some_and(|order| order != Ordering::Equal),
        "gt" => compare(found, wanted) == Some(Ordering::Greater),
        "gte" => matches!(compare(found, wanted), Some(Ordering::Greater | Ordering::Equal)),
        "lt" => compare(found, wanted) == Some(Ordering::Less),
        "lte" => matches!(compare(found, wanted), Some(Ordering::Less | Ordering::Equal)),
        "beginsWith" => text(|found, wanted| found.starts_with(wanted)),
        "endsWith" => text(|found, wanted| found.ends_with(wanted)),
        "contains" => text(|found, wanted| found.contains(wanted)),
        "exist" => !found.is_null(),
        "notExist" => found.is_null(),
        "in" => among(),
        "notIn" => !found.is_null() && !among(),
        other => panic!("the test has no operator {other}"),
    }
}

/// A small generator, so that a failing seed fails again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }

    fn condition(&mut self, depth: usize, rows: &[Value]) -> Value {
        if depth > 0 && self.roll(3) == 0 {
            let items: Vec<Value> = (0..1 + self.roll(3)).map(|_| self.condition(depth - 1, rows)).collect();
            let operator = ["and", "or"][self.roll(2)];
            return json!({"op": operator, "items": items});
        }
        let fields = [
            "id",
            "companyName",
            "lastActivityDate",
            "createDate",
            "isActive",
            "companyType",
            "parentCompanyID",
            "assetValue",
            "ownerResourceID",
            "COMPANYNAME",
            "phone",
            "lastTrackedModifiedDateTime",
        ];
        let field = fields[self.roll(fields.len())];
        let value = |dice: &mut Self| {
            let row = rows[dice.roll(rows.len())].as_object().unwrap();
            row.iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(field))
                .unwrap()
                .1
                .clone()
        };
        let operators = [
            "eq",
            "noteq",
            "gt",
            "gte",
            "lt",
            "lte",
            "exist",
            "notExist",
            "in",
            "notIn",
            "beginsWith",
            "endsWith",
            "contains",
        ];
        // The last three are for text alone.
        let usable = if field.eq_ignore_ascii_case("companyName") || field == "phone" {
            operators.len()
        } else {
            10
        };
        let operator = operators[self.roll(usable)];
        match operator {
            "exist" | "notExist" => json!({"op": operator, "field": field}),
            "in" | "notIn" => {
                let values: Vec<Value> = (0..self.roll(4)).map(|_| value(self)).collect();
                json!({"op": operator, "field": field, "value": values})
            }
            "beginsWith" | "endsWith" | "contains" => {
                let text = value(self).as_str().unwrap_or("a").to_uppercase();
                let letters: Vec<char> = text.chars().collect();
                let start = self.roll(letters.len().max(1));
                let part: String = letters[start.min(letters.len())..].iter().take(3).collect();
                json!({"op": operator, "field": field, "value": part})
            }
            _ => json!({"op": operator, "field": field, "value": value(self)}),
        }
    }
}

#[tokio::test]
async fn random_filters_find_what_a_plain_evaluator_finds() {
    let vendor = Vendor::with_companies(700).await;
    let rows: Vec<Value> = vendor
        .control
        .ids("Companies")
        .iter()
        .map(|id| vendor.control.record("companies", *id).unwrap())
        .collect();
    let mut found_some = 0;
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let filter: Vec<Value> = (0..1 + dice.roll(2)).map(|_| dice.condition(2, &rows)).collect();
        let expected: Vec<i64> = rows
            .iter()
            .filter(|row| filter.iter().all(|condition| holds(condition, row)))
            .map(|row| row["id"].as_i64().unwrap())
            .collect();
        found_some += usize::from(!expected.is_empty());
        let filter = json!(filter);
        assert_eq!(
            vendor.ids("Companies", &filter).await,
            expected,
            "seed {seed}: {filter}"
        );
        assert_eq!(
            vendor.count("Companies", &filter).await,
            expected.len(),
            "seed {seed}: {filter}"
        );
    }
    assert!(
        found_some > 100,
        "the filters of this test are too narrow: {found_some}"
    );
}

#[tokio::test]
async fn a_user_defined_field_is_filtered_by_name_and_only_one_at_a_time() {
    let vendor = Vendor::with_companies(50).await;
    let one = json!({"op": "exist", "field": "NAV ID", "udf": true});
    let rows = vendor.control.ids("Companies").into_iter();
    let expected: Vec<i64> = rows
        .filter(|id| holds(&one, &vendor.control.record("Companies", *id).unwrap()))
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(vendor.ids("Companies", &json!([one])).await, expected);
    let two = json!([one, {"op": "exist", "field": "Discount", "udf": true}]);
    let (status, _) = vendor.query("Companies", json!({"filter": two})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_misspelt_operator_is_dropped_in_silence_and_a_misspelt_field_is_an_error() {
    let vendor = Vendor::with_companies(30).await;
    let all = vendor.ids("Companies", &everything()).await;
    assert_eq!(all.len(), 31);
    assert_eq!(
        vendor
            .ids("Companies", &json!([{"op": "ne", "field": "id", "value": 0}]))
            .await,
        all
    );
    let mixed = json!([{"op": "equals", "field": "id", "value": 1}, {"op": "lte", "field": "id", "value": 0}]);
    assert_eq!(vendor.ids("Companies", &mixed).await, [0]);
    let (status, body) = vendor
        .query(
            "TimeEntries",
            json!({"filter": [{"op": "eq", "field": "projectID", "value": 1}]}),
        )
        .await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        body,
        json!({"errors": ["Unable to find projectID in the TimeEntry Entity"]})
    );
}

#[tokio::test]
async fn or_conditions_end_at_500_and_a_value_of_the_wrong_type_is_an_error() {
    let vendor = Vendor::with_companies(1).await;
    let among = |count: i64| json!([{"op": "in", "field": "id", "value": (0..count).collect::<Vec<_>>()}]);
    assert_eq!(vendor.ids("Companies", &among(500)).await.len(), 2);
    let (status, body) = vendor.query("Companies", json!({"filter": among(501)})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        body["errors"][0],
        "Queries are limited to 500 or fewer 'OR' conditions."
    );
    for value in ["2017-08-30T19:19:29+0000", "yesterday"] {
        let filter = json!([{"op": "gte", "field": "lastActivityDate", "value": value}]);
        assert_eq!(
            vendor.query("Companies", json!({"filter": filter})).await.0,
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
}
