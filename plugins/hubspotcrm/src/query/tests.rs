//! Where clauses, windows and limits against the bodies of searches.

use super::*;

fn filter(json: &Value) -> Filter {
    Filter::from_json(json.to_string().as_bytes()).unwrap()
}

fn search(object: &str, clause: Option<Value>, window: Option<Window>) -> Result<Search, Fault> {
    let filter = clause.as_ref().map(filter);
    Search::of(
        Object::of(object).unwrap(),
        filter.as_ref(),
        window.as_ref(),
        vec!["email".into()],
        0,
    )
}

/// The groups of the first page, each as texts `property OPERATOR value`.
fn groups(clause: Value) -> Vec<Vec<String>> {
    let body = search("contacts", Some(clause), None).unwrap().body(None);
    let shown = |filter: &Value| {
        let value = filter.get("value").or(filter.get("values"));
        let value = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let parts = [
            filter["propertyName"].as_str(),
            filter["operator"].as_str(),
            value.as_deref(),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    let groups = body["filterGroups"].as_array().unwrap().iter();
    groups
        .map(|group| group["filters"].as_array().unwrap().iter().map(shown).collect())
        .collect()
}

fn is(field: &str, op: &str, value: impl Into<Value>) -> Value {
    json!({"op": op, "field": field, "value": value.into()})
}

#[test]
fn every_comparison_has_its_operator_and_a_text_for_value() {
    for (clause, expected) in [
        (is("firstname", "=", "Ada"), "firstname EQ Ada"),
        (is("['firstname']", "!=", "Ada"), "firstname NEQ Ada"),
        (is("properties.hs_score", "<", 5), "hs_score LT 5"),
        (is("hs_score", "<=", 5.5), "hs_score LTE 5.5"),
        (is("id", ">", "100"), "hs_object_id GT 100"),
        (is("hs_is_unworked", "=", true), "hs_is_unworked EQ true"),
        (
            is("updatedAt", ">=", "2024-10-21T21:36:02.961Z"),
            "lastmodifieddate GTE 1729546562961",
        ),
        (is("createdate", "<", "2024-01-01"), "createdate LT 1704067200000"),
        (is("birthday", "=", "2024-01-01"), "birthday EQ 2024-01-01"),
        (json!({"op": "is-null", "field": "email"}), "email NOT_HAS_PROPERTY"),
        (is("email", "!=", Value::Null), "email HAS_PROPERTY"),
        (
            json!({"op": "in", "field": "state", "values": ["new", 7]}),
            "state IN [\"new\",\"7\"]",
        ),
        (
            is("email", "like", "%@hubspot.com"),
            "email CONTAINS_TOKEN *@hubspot.com",
        ),
        (is("firstname", "like", "%da%"), "firstname CONTAINS_TOKEN *da*"),
        (is("firstname", "like", "Ada"), "firstname EQ Ada"),
        (is("firstname", "like", "%"), "firstname HAS_PROPERTY"),
    ] {
        assert_eq!(groups(clause.clone()), [[expected]], "{clause}");
    }
}

#[test]
fn or_makes_groups_and_so_does_a_list_with_capitals() {
    let clause = json!({"op": "and", "terms": [
        is("city", "=", "Paris"),
        {"op": "in", "field": "hs_lead_status", "values": ["NEW", "OPEN"]},
    ]});
    assert_eq!(
        groups(clause),
        [
            ["city EQ Paris", "hs_lead_status EQ NEW"],
            ["city EQ Paris", "hs_lead_status EQ OPEN"]
        ]
    );
}

#[test]
fn what_hubspot_would_not_do_or_do_differently_is_refused_in_words() {
    for (clause, said) in [
        (is("archived", "=", true), "filters `contacts` by properties"),
        (is("firstname", "like", "A%"), "matches word by word"),
        (is("firstname", "like", "%A"), "matches word by word"),
        (is("firstname", "like", "%a b%"), "matches word by word"),
        (is("firstname", "like", "a*b"), "matches word by word"),
        (is("firstname", "like", 7), "matches word by word"),
        (
            is("firstname", "<", Value::Null),
            "a text, number or boolean was expected",
        ),
        (json!({"op": "in", "field": "a", "values": []}), "fits no record"),
        (
            json!({"op": "or", "terms": (0..6).map(|n| is("a", "=", n)).collect::<Vec<_>>()}),
            "6 groups of conditions",
        ),
        (
            json!({"op": "and", "terms": (0..6).map(|n| is("a", "=", n)).collect::<Vec<_>>()}),
            "the longest with 7",
        ),
    ] {
        let fault = search("contacts", Some(clause.clone()), None).unwrap_err();
        assert_eq!(fault.code, "where", "{clause}");
        assert!(fault.message.contains(said), "{}", fault.message);
    }
    let fault = search("products", Some(is("createdAt", ">", "2024-01-01")), None).unwrap_err();
    assert!(
        fault.message.contains("createdate (or hs_createdate)"),
        "{}",
        fault.message
    );
}

#[test]
fn eighteen_conditions_are_the_most_those_of_poll_and_paging_counted() {
    let group = |terms: usize| json!({"op": "and", "terms": (0..terms).map(|n| is("a", "=", n)).collect::<Vec<_>>()});
    let clause = |groups: Vec<Value>| Some(json!({"op": "or", "terms": groups}));
    let window = Some(Window {
        from_ms: 5,
        until_ms: None,
    });
    assert!(search("deals", clause(vec![group(4), group(4), group(4)]), window).is_ok());
    assert!(search("deals", clause(vec![group(4), group(4), group(2), group(2)]), window).is_err());
    assert!(search("deals", Some(group(5)), None).is_ok());
    assert!(search("deals", Some(group(5)), window).is_err());
}

#[test]
fn a_window_is_the_date_of_change_and_pages_go_on_above_the_last_number() {
    let window = Some(Window {
        from_ms: 1_700_000_000_000,
        until_ms: Some(1_700_000_060_000),
    });
    let body = search("deals", None, window).unwrap().body(Some(57_156_923_994));
    let expected = json!({
        "filterGroups": [{"filters": [
            {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "1700000000000"},
            {"propertyName": "hs_lastmodifieddate", "operator": "LTE", "value": "1700000060000"},
            {"propertyName": "hs_object_id", "operator": "GT", "value": "57156923994"}
        ]}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": ["email"],
        "limit": 200
    });
    assert_eq!(body, expected);
    let first = search(
        "deals",
        None,
        Some(Window {
            from_ms: 0,
            until_ms: None,
        }),
    )
    .unwrap()
    .body(None);
    assert_eq!(first.get("filterGroups"), None, "from the beginning is everything");
}

#[test]
fn a_window_joins_a_clause_unless_that_speaks_of_the_date_of_change_itself() {
    let window = Some(Window {
        from_ms: 5,
        until_ms: None,
    });
    let filters = |clause: Value| {
        let body = search("contacts", Some(clause), window).unwrap().body(None);
        body["filterGroups"][0]["filters"].as_array().unwrap().len()
    };
    assert_eq!(filters(is("city", "=", "Paris")), 2);
    assert_eq!(filters(is("updatedAt", ">", "2024-01-01")), 1);
    assert_eq!(filters(is("lastmodifieddate", ">", "2024-01-01")), 1);
}

#[test]
fn pages_are_no_larger_than_hubspot_allows() {
    let limit = |page_size: u32| {
        Search::of(Object::of("deals").unwrap(), None, None, Vec::new(), page_size)
            .unwrap()
            .limit()
    };
    assert_eq!([0, 1, 200, 500].map(limit), [200, 1, 200, 200]);
}

#[test]
fn a_search_of_three_thousand_characters_is_the_longest() {
    let properties = |count: usize| (0..count).map(|n| format!("property_{n:03}")).collect::<Vec<_>>();
    let of = |count: usize| Search::of(Object::of("deals").unwrap(), None, None, properties(count), 0);
    let most = (1..).take_while(|count| of(*count).is_ok()).last().unwrap();
    let longest = of(most).unwrap().body(Some(u64::MAX)).to_string().len();
    assert!((2_984..=3_000).contains(&longest), "{longest}");
    assert_eq!(of(most + 1).unwrap_err().code, "search-too-long");
}
