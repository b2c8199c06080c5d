//! Tests of `query` by tables of cases. Must not reach beyond the module's own functions.

use super::*;

fn written(resource: &str, filter: &Filter) -> Value {
    conditions(filter, &Entity::of(resource).unwrap())
        .map(Value::from)
        .unwrap()
}

fn one(resource: &str, field: &str, operator: Operator, value: impl Into<Value>) -> Value {
    written(resource, &Filter::compare(field, operator, value))[0].clone()
}

fn refusal(resource: &str, filter: &Filter) -> String {
    let fault = conditions(filter, &Entity::of(resource).unwrap()).unwrap_err();
    assert_eq!(fault.code, "where");
    fault.message
}

#[test]
fn every_operator_is_one_that_the_vendor_has() {
    for (operator, op) in [
        (Operator::Equal, "eq"),
        (Operator::NotEqual, "noteq"),
        (Operator::Less, "lt"),
        (Operator::LessOrEqual, "lte"),
        (Operator::Greater, "gt"),
        (Operator::GreaterOrEqual, "gte"),
    ] {
        let expected = json!({"op": op, "field": "companyType", "value": 3});
        assert_eq!(one("accounts", "accountType", operator, 3), expected);
    }
}

#[test]
fn hub_names_become_vendor_names_and_vendor_names_stay() {
    assert_eq!(
        one("accounts", "accountName", Operator::Equal, "Example Ltd")["field"],
        "companyName"
    );
    assert_eq!(
        one("accounts", "companyName", Operator::Equal, "Example Ltd")["field"],
        "companyName"
    );
    assert_eq!(one("contacts", "accountID", Operator::Equal, 7)["field"], "companyID");
    assert_eq!(
        one("Companies", "accountName", Operator::Equal, "x")["field"],
        "accountName"
    );
}

#[test]
fn patterns_become_the_three_that_the_vendor_has() {
    for (pattern, op, text) in [
        ("Acc%", "beginsWith", "Acc"),
        ("%acc", "endsWith", "acc"),
        ("%ac c%", "contains", "ac c"),
        ("acc", "eq", "acc"),
        ("", "eq", ""),
        ("a_c%", "beginsWith", "a_c"),
    ] {
        let expected = json!({"op": op, "field": "companyName", "value": text});
        assert_eq!(
            one("accounts", "accountName", Operator::Like, pattern),
            expected,
            "{pattern}"
        );
    }
    for pattern in ["%", "%%"] {
        assert_eq!(
            one("accounts", "accountName", Operator::Like, pattern),
            json!({"op": "exist", "field": "companyName"})
        );
    }
    assert!(refusal("accounts", &Filter::compare("a", Operator::Like, "A%b")).contains("A%b"));
    assert!(refusal("accounts", &Filter::compare("a", Operator::Like, 5)).contains("wants a text"));
}

#[test]
fn null_is_asked_for_by_existence() {
    let absent = json!([{"op": "notExist", "field": "parentCompanyID"}]);
    assert_eq!(
        written(
            "accounts",
            &Filter::IsNull {
                field: "parentAccountID".into()
            }
        ),
        absent
    );
    assert_eq!(
        written(
            "accounts",
            &Filter::compare("parentAccountID", Operator::Equal, Value::Null)
        ),
        absent
    );
    let present = one("accounts", "phone", Operator::NotEqual, Value::Null);
    assert_eq!(present, json!({"op": "exist", "field": "phone"}));
    assert!(refusal("accounts", &Filter::compare("phone", Operator::Less, Value::Null)).contains("no value"));
}

#[test]
fn dates_are_sent_in_utc_whatever_they_were_written_in() {
    for value in [
        json!("2012-05-25T11:13:29-0500"),
        json!("2012-05-25T11:13:29-05:00"),
        json!("2012-05-25T16:13:29Z"),
        json!("2012-05-25 16:13:29"),
        json!(1_337_962_409_000_i64),
        json!("1337962409000"),
    ] {
        let found = one("accounts", "lastActivityDate", Operator::GreaterOrEqual, value.clone());
        let expected = json!({"op": "gte", "field": "lastActivityDate", "value": "2012-05-25T16:13:29.000Z"});
        assert_eq!(found, expected, "{value}");
    }
    assert_eq!(
        one("accounts", "lastActivityDate", Operator::Equal, "2012-05-25")["value"],
        "2012-05-25T00:00:00.000Z"
    );
    for value in [json!("05/25/2012"), json!(2012), json!(true), json!("")] {
        let filter = Filter::compare("lastActivityDate", Operator::Greater, value);
        assert!(refusal("accounts", &filter).contains("expected an ISO date"));
    }
}

#[test]
fn a_field_that_only_looks_like_a_date_keeps_what_is_none() {
    assert_eq!(
        one("Expenses", "paidDate", Operator::Greater, "2026-01-01T00:00:00+01:00")["value"],
        "2025-12-31T23:00:00.000Z"
    );
    assert_eq!(one("Expenses", "overTime", Operator::Greater, "long")["value"], "long");
    assert_eq!(one("Expenses", "overTime", Operator::Greater, 8)["value"], 8);
}

#[test]
fn truth_and_ids_are_sent_as_their_fields_hold_them() {
    assert_eq!(
        one("accounts", "active", Operator::Equal, true),
        json!({"op": "eq", "field": "isActive", "value": true})
    );
    assert_eq!(one("accounts", "active", Operator::Equal, "True")["value"], true);
    assert_eq!(
        one("contacts", "active", Operator::Equal, "false"),
        json!({"op": "eq", "field": "isActive", "value": 0})
    );
    assert_eq!(one("contacts", "isActive", Operator::Equal, true)["value"], 1);
    assert_eq!(one("contacts", "lastName", Operator::Equal, "True")["value"], "True");
    assert_eq!(one("accounts", "id", Operator::Equal, "7")["value"], 7);
    assert_eq!(
        one("accounts", "ownerResourceID", Operator::Equal, "29682891")["value"],
        29_682_891
    );
    assert_eq!(one("accounts", "taxID", Operator::Equal, "DE 7")["value"], "DE 7");
    assert_eq!(one("accounts", "phone", Operator::Equal, "555")["value"], "555");
}

#[test]
fn conditions_nest_as_they_were_written() {
    let name = |text: &str| Filter::compare("lastName", Operator::Equal, text);
    let filter = Filter::And(vec![
        Filter::compare("lastActivityDate", Operator::Greater, "2012-05-25T11:13:29-0500"),
        Filter::Or(vec![
            name("A"),
            Filter::And(vec![name("B"), Filter::IsNull { field: "phone".into() }]),
        ]),
    ]);
    let expected = json!([
        {"op": "gt", "field": "lastActivityDate", "value": "2012-05-25T16:13:29.000Z"},
        {"op": "or", "items": [
            {"op": "eq", "field": "lastName", "value": "A"},
            {"op": "and", "items": [
                {"op": "eq", "field": "lastName", "value": "B"},
                {"op": "notExist", "field": "phone"},
            ]},
        ]},
    ]);
    assert_eq!(written("contacts", &filter), expected);
}

#[test]
fn in_takes_as_many_values_as_the_vendor() {
    let within = |count: i64| Filter::In {
        field: "id".into(),
        values: (0..count).map(Value::from).collect(),
    };
    assert_eq!(
        written("accounts", &within(2)),
        json!([{"op": "in", "field": "id", "value": [0, 1]}])
    );
    assert!(conditions(&within(500), &Entity::of("accounts").unwrap()).is_ok());
    assert!(refusal("accounts", &within(501)).contains("501"));
    assert!(refusal("accounts", &within(0)).contains("no values"));
    let both = Filter::Or(vec![within(300), within(199)]);
    assert!(
        refusal("accounts", &both).contains("501"),
        "values and alternatives count together"
    );
}

#[test]
fn one_user_defined_field_can_be_asked_for() {
    let udf = |name: &str| Filter::compare(format!("userDefinedFields.{name}"), Operator::Equal, "x");
    let expected = json!([{"op": "eq", "field": "NAV ID", "udf": true, "value": "x"}]);
    assert_eq!(written("accounts", &udf("NAV ID")), expected);
    let empty = written(
        "accounts",
        &Filter::IsNull {
            field: "userDefinedFields.a".into(),
        },
    );
    assert_eq!(empty, json!([{"op": "notExist", "field": "a", "udf": true}]));
    assert!(refusal("accounts", &Filter::And(vec![udf("a"), udf("b")])).contains("2 times"));
}
