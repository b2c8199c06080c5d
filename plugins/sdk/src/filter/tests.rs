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

fn is(field: &str, value: i64) -> Filter {
    Filter::compare(field, Operator::Equal, value)
}

#[test]
fn nested_ands_are_one_list_and_an_or_of_one_is_none() {
    let filter = Filter::And(vec![
        is("a", 1),
        Filter::And(vec![is("b", 2), Filter::Or(vec![is("c", 3)])]),
    ]);
    let fields: Vec<_> = filter
        .all_of("Acme")
        .unwrap()
        .iter()
        .map(|condition| condition.field)
        .collect();
    assert_eq!(fields, ["a", "b", "c"]);
    assert_eq!(filter.any_of("Acme", 1).unwrap().len(), 1);
}

#[test]
fn groups_are_counted_before_they_are_made() {
    let pair = Filter::Or(vec![is("a", 1), is("b", 2)]);
    let explosion = Filter::And(vec![pair.clone(); 60]);
    let fault = explosion.any_of("Acme", usize::MAX).unwrap_err();
    assert_eq!(fault.code, "where");
    assert!(fault.message.contains("Acme takes 64"), "{}", fault.message);
    assert_eq!(
        Filter::And(vec![pair.clone(), pair]).any_of("Acme", 4).unwrap().len(),
        4
    );
}

#[test]
fn an_or_of_nothing_is_no_group_and_an_and_of_nothing_is_a_group_without_conditions() {
    assert_eq!(Filter::Or(Vec::new()).any_of("Acme", 4).unwrap().len(), 0);
    assert_eq!(Filter::And(Vec::new()).any_of("Acme", 4).unwrap(), [Vec::new()]);
}

const KNOWN: QueryParameters<'_> = QueryParameters {
    vendor: "Acme",
    known: &[("a", Operator::Equal, "by_a")],
    joined: ",",
};

#[test]
fn what_no_parameter_asks_for_is_named() {
    for (clause, found) in [
        (json!({"op": ">", "field": "a", "value": 1}), "`a > 1`"),
        (json!({"op": "=", "field": "b", "value": true}), "`b = true`"),
        (json!({"op": "=", "field": "a", "value": null}), "`a = null`"),
        (json!({"op": "is-null", "field": "a"}), "`a is null`"),
        (
            json!({"op": "in", "field": "a", "values": ["x,y", "z"]}),
            "`a in ('x,y', 'z')`",
        ),
        (json!({"op": "in", "field": "a", "values": []}), "`a in ()`"),
    ] {
        let fault = KNOWN.of(&parse(&clause).unwrap()).unwrap_err();
        assert_eq!(fault.code, "where");
        let expected = format!("{found} cannot be asked for: Acme takes `a =`");
        assert_eq!(fault.message, expected);
    }
}

#[test]
fn one_parameter_is_not_sent_twice() {
    let fault = KNOWN.of(&Filter::And(vec![is("a", 1), is("a", 2)])).unwrap_err();
    assert!(fault.message.contains("`a = 2` is the second"), "{}", fault.message);
}

#[test]
fn a_list_of_one_is_a_value() {
    let one = QueryParameters { joined: "", ..KNOWN };
    let clause = |values: Value| parse(&json!({"op": "in", "field": "a", "values": values})).unwrap();
    assert_eq!(one.of(&clause(json!([7]))).unwrap(), [("by_a".into(), "7".into())]);
    assert!(one.of(&clause(json!([7, 8]))).is_err());
    assert_eq!(
        KNOWN.of(&clause(json!([7, 8]))).unwrap(),
        [("by_a".into(), "7,8".into())]
    );
}
