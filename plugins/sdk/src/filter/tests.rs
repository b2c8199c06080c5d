//! Tests of `filter` by tables of cases. Must not reach beyond the module's own functions.

use serde_json::json;

use super::*;

fn parse(value: &Value) -> Result<Filter, serde_json::Error> {
    Filter::from_json(value.to_string().as_bytes())
}

#[test]
fn reads_every_form_of_the_contract_and_writes_it_again() {
    let document = json!({"op": "and", "terms": [
        {"op": "or", "terms": [{"op": "=", "field": "a", "value": 1}, {"op": "like", "field": "b", "value": "x%"}]},
        {"op": "in", "field": "c", "values": [1, "2", true]},
        {"op": "is-null", "field": "d"},
        {"op": "!=", "field": "e", "value": null},
    ]});
    let filter = parse(&document).unwrap();
    assert_eq!(serde_json::to_value(&filter).unwrap(), document);
    let Filter::And(terms) = filter else {
        panic!("expected AND")
    };
    assert_eq!(terms[3], Filter::compare("e", Operator::NotEqual, Value::Null));
}

#[test]
fn refuses_what_it_does_not_know() {
    for document in [
        json!({"op": "sounds-like", "field": "a", "value": 1}),
        json!({"op": "=", "field": "a"}),
        json!({"op": "=", "value": 1}),
        json!({"op": "in", "field": "a", "value": 1}),
        json!({"op": "and", "field": "a"}),
        json!({"op": "=", "field": "a", "value": 1, "udf": true}),
        json!([]),
    ] {
        assert!(parse(&document).is_err(), "{document}");
    }
}
