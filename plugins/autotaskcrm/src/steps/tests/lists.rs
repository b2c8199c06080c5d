//! Reading a collection.

use super::*;

fn accounts() -> Run {
    settled(Operation::List(list("accounts")))
}

fn with(change: impl FnOnce(&mut ListArgs)) -> Run {
    let mut args = list("accounts");
    change(&mut args);
    settled(Operation::List(args))
}

#[test]
fn a_list_walks_by_id_and_ends_at_a_page_that_is_not_full() {
    let run = accounts();
    let first = begin(&run).unwrap();
    assert_eq!(
        body(&first),
        json!({"MaxRecords": 500, "filter": [{"op": "gt", "field": "id", "value": -1}]})
    );
    let second = answer(
        &run,
        first,
        &[page(0..500, Some("https://webservices2.autotask.net/next"))],
    )
    .unwrap();
    assert_eq!(second.records.len(), 500);
    assert_eq!(ids(&second)[0], "0", "the tenant's own company is a record");
    assert_eq!(
        body(&second)["filter"],
        json!([{"op": "gt", "field": "id", "value": 499}])
    );
    let last = answer(&run, second, &[page(600..610, None)]).unwrap();
    assert_eq!(ids(&last).len(), 10);
    assert!(is_done(&last) && last.problems.is_empty());
    assert_eq!(last.checkpoint, None);
}

#[test]
fn a_short_page_that_has_a_next_one_is_not_the_end() {
    let run = accounts();
    let second = answer(&run, begin(&run).unwrap(), &[page([3, 9], Some("u"))]).unwrap();
    assert_eq!(body(&second)["filter"][0]["value"], 9);
    assert!(is_done(&answer(&run, second, &[page([], None)]).unwrap()));
}

#[test]
fn a_full_page_that_claims_to_be_the_last_is_checked() {
    let run = with(|args| args.page_size = 2);
    let second = answer(&run, begin(&run).unwrap(), &[page([1, 2], None)]).unwrap();
    assert_eq!(body(&second)["filter"][0]["value"], 2);
    assert!(is_done(&answer(&run, second, &[page([], None)]).unwrap()));
}

#[test]
fn a_page_that_does_not_say_whether_more_follows_is_followed_until_nothing_does() {
    let run = accounts();
    let second = answer(
        &run,
        begin(&run).unwrap(),
        &[Response::new(2, 200, r#"{"items":[{"id":4}]}"#)],
    )
    .unwrap();
    assert_eq!(body(&second)["filter"][0]["value"], 4);
    assert!(is_done(
        &answer(&run, second, &[Response::new(2, 200, r#"{"items":[]}"#)]).unwrap()
    ));
}

#[test]
fn page_size_never_changes_which_records_are_read() {
    let all: Vec<i64> = (0..23).map(|n| n * n).collect();
    for page_size in [0, 1, 2, 7, 23, 24, 500, 10_000] {
        let run = with(|args| args.page_size = page_size);
        let mut step = begin(&run).unwrap();
        let mut found = Vec::new();
        let mut pages = 0;
        while !is_done(&step) {
            let query = body(&step);
            let most = usize::try_from(query["MaxRecords"].as_u64().unwrap()).unwrap();
            assert!((1..=500).contains(&most));
            let after = query["filter"][0]["value"].as_i64().unwrap();
            let rest: Vec<i64> = all.iter().copied().filter(|id| *id > after).collect();
            let next = (rest.len() > most).then_some("u");
            step = answer(&run, step, &[page(rest.into_iter().take(most), next)]).unwrap();
            found.extend(ids(&step));
            pages += 1;
            assert!(pages < 30);
        }
        assert_eq!(found, all.iter().map(i64::to_string).collect::<Vec<_>>(), "{page_size}");
    }
}

#[test]
fn an_empty_page_with_a_next_one_is_a_fault() {
    let fault = answer(&accounts(), begin(&accounts()).unwrap(), &[page([], Some("u"))]).unwrap_err();
    assert_eq!((fault.code.as_str(), fault.remedy), ("paging-stuck", Remedy::Broken));
}

#[test]
fn records_that_the_filter_excludes_are_a_fault() {
    let run = accounts();
    let second = answer(&run, begin(&run).unwrap(), &[page(0..500, Some("u"))]).unwrap();
    let fault = answer(&run, second, &[page(0..500, Some("u"))]).unwrap_err();
    assert_eq!((fault.code.as_str(), fault.remedy), ("filter-ignored", Remedy::Broken));
}

#[test]
fn an_answer_that_is_no_page_is_tried_again_and_never_read_as_no_records() {
    for body in [
        "",
        " ",
        "<html>",
        "null",
        "[]",
        "{}",
        r#"{"items":null}"#,
        r#"{"items":[{"id":1}"#,
        r#"{"item":{"id":1}}"#,
        r#"{"items":[{"id":1}],"pageDetails":{"count":2,"nextPageUrl":null}}"#,
    ] {
        let fault = answer(&accounts(), begin(&accounts()).unwrap(), &[Response::new(2, 200, body)]).unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.remedy),
            ("answer-unreadable", Remedy::Retry { after_seconds: None }),
            "{body}"
        );
        assert!(fault.message.contains("Companies"), "{}", fault.message);
    }
}

#[test]
fn refusals_end_the_run_with_the_vendors_words() {
    let response = Response::new(
        2,
        500,
        r#"{"errors":["Unable to find date_modified in the Account Entity."]}"#,
    );
    let fault = answer(&accounts(), begin(&accounts()).unwrap(), &[response]).unwrap_err();
    assert_eq!(fault.code, "unknown-field");
    assert!(fault.message.contains("date_modified"));
}

#[test]
fn the_where_clause_and_the_walk_are_both_asked_for() {
    let filter = r#"{"op":"and","terms":[{"op":">=","field":"lastActivityDate","value":"2012-05-25T11:13:29-0500"},{"op":"=","field":"active","value":true}]}"#;
    let run = with(|args| {
        args.filter = Some(Filter::from_json(filter.as_bytes()).unwrap());
        args.window = Some(Window {
            from_ms: 0,
            until_ms: None,
        });
    });
    let expected = json!([
        {"op": "gt", "field": "id", "value": -1},
        {"op": "gte", "field": "lastActivityDate", "value": "2012-05-25T16:13:29.000Z"},
        {"op": "eq", "field": "isActive", "value": true},
    ]);
    assert_eq!(
        body(&begin(&run).unwrap())["filter"],
        expected,
        "a where clause limits the poll, not the window"
    );
}

#[test]
fn a_poll_without_a_where_clause_asks_for_its_window() {
    let window = Some(Window {
        from_ms: 1_000,
        until_ms: Some(2_000),
    });
    let field = |resource: &str, updated: &[&str]| {
        let mut args = list(resource);
        args.window = window;
        args.dates.updated = updated.iter().map(|path| (*path).to_owned()).collect();
        let step = begin(&settled(Operation::List(args))).unwrap();
        let filter = body(&step)["filter"].clone();
        (
            filter[1]["field"].as_str().map(str::to_owned),
            codes(&step).join(","),
            filter,
        )
    };
    let (found, problems, filter) = field("accounts", &["lastTrackedModifiedDateTime"]);
    assert_eq!(
        (found.as_deref(), problems.as_str()),
        (Some("lastTrackedModifiedDateTime"), "")
    );
    assert_eq!(filter[1]["value"], "1970-01-01T00:00:01.000Z");
    assert_eq!(
        (&filter[2]["op"], &filter[2]["value"]),
        (&json!("lte"), &json!("1970-01-01T00:00:02.000Z"))
    );
    assert_eq!(
        field("accounts", &["date_modified"]).0.as_deref(),
        Some("lastActivityDate"),
        "an unknown field is not sent"
    );
    assert_eq!(field("opportunities", &[]).0.as_deref(), Some("lastActivity"));
    assert_eq!(field("Expenses", &["modifiedOn"]).0.as_deref(), Some("modifiedOn"));
    let (found, problems, _) = field("users", &["lastActivityDate"]);
    assert_eq!((found, problems.as_str()), (None, "window-unused"));
}

#[test]
fn what_the_vendor_cannot_filter_by_is_refused_before_anything_is_sent() {
    let run = with(|args| {
        args.filter = Some(Filter::from_json(br#"{"op":"like","field":"accountName","value":"a%b"}"#).unwrap())
    });
    let fault = begin(&run).unwrap_err();
    assert_eq!((fault.code.as_str(), fault.remedy), ("where", Remedy::BadConfiguration));
}

#[test]
fn fields_are_asked_for_in_the_vendors_names_with_id_and_dates() {
    let parameter = |name: &str, value: &str| Parameter {
        name: name.into(),
        value: value.into(),
    };
    let run = with(|args| {
        args.parameters = vec![
            parameter("fields", "accountName, phone,userDefinedFields.NAV ID,ID,"),
            parameter("orderBy", "x"),
        ];
        args.dates.created = vec!["date_created".into(), "createDate".into()];
    });
    let step = begin(&run).unwrap();
    assert_eq!(
        body(&step)["IncludeFields"],
        json!(["id", "companyName", "phone", "NAV ID", "createDate", "lastActivityDate"])
    );
    assert_eq!(codes(&step), ["parameter-ignored"]);
    assert_eq!(step.problems[0].subject, "orderBy");
}

#[test]
fn date_fields_that_are_nowhere_are_told_once() {
    let run = with(|args| {
        args.page_size = 1;
        args.dates.created = vec!["date_created".into(), "createDate".into()];
        args.dates.updated = vec!["date_modified".into()];
    });
    let second = answer(&run, begin(&run).unwrap(), &[page([1], Some("u"))]).unwrap();
    assert_eq!(codes(&second), ["date-field-absent", "date-field-absent"]);
    assert_eq!(second.problems[0].subject, "date_created");
    assert!(second.problems[0].message.contains("createDate"));
    assert!(second.problems[1].message.contains("no such date"));
    let last = answer(&run, second, &[page([2], None)]).unwrap();
    assert!(last.problems.is_empty());
}

#[test]
fn records_without_the_users_id_field_are_told_and_a_field_in_none_is_a_fault() {
    let run = with(|args| {
        args.id_field = "accountNumber".into();
        args.dates = DateFields::default();
    });
    let items = vec![
        json!({"id": 1, "companyNumber": "A1"}),
        json!({"id": 2, "companyNumber": ""}),
    ];
    let step = answer(&run, begin(&run).unwrap(), &[records(items, None)]).unwrap();
    assert_eq!(
        (ids(&step), codes(&step)),
        (vec!["A1".to_owned()], vec!["record-without-id"])
    );
    let fault = answer(&run, begin(&run).unwrap(), &[records(vec![json!({"id": 1})], None)]).unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.remedy),
        ("idField", Remedy::BadConfiguration)
    );
}

#[test]
fn usage_is_asked_for_beside_the_first_page_every_ten_minutes() {
    let asks = |asked: Option<i64>| {
        let run = Run {
            memo: Some(memo(ZONE, asked)),
            ..accounts()
        };
        requests(&begin(&run).unwrap()).len() == 2
    };
    assert!(asks(None));
    assert!(!asks(Some(NOW_MS)));
    assert!(!asks(Some(NOW_MS - 599_999)));
    assert!(asks(Some(NOW_MS - 600_000)));
    assert!(asks(Some(NOW_MS + 1)), "a clock that was wrong does not stop it");
}

#[test]
fn low_usage_is_remembered_and_high_usage_pauses_the_account() {
    let run = Run {
        memo: Some(memo(ZONE, None)),
        ..accounts()
    };
    let step = begin(&run).unwrap();
    let [_, request] = requests(&step) else { panic!() };
    assert_eq!(request.url, format!("{ZONE}V1.0/ThresholdInformation"));
    assert_eq!((request.lane.as_str(), request.cost), ("ThresholdInformation", 1));
    let second = answer(&run, step, &[usage(7_499), page([1], Some("u"))]).unwrap();
    assert!(String::from_utf8_lossy(second.memo.as_deref().unwrap()).contains(&NOW_MS.to_string()));
    assert_eq!((requests(&second).len(), ids(&second).len()), (1, 1));
    let fault = answer(&run, begin(&run).unwrap(), &[page([1], None), usage(7_500)]).unwrap_err();
    assert_eq!(
        fault.remedy,
        Remedy::RateLimited {
            after_seconds: Some(300)
        }
    );
    assert!(fault.message.contains("7500 of 10000"), "{}", fault.message);
}

#[test]
fn a_list_goes_on_where_usage_is_not_told() {
    let run = Run {
        memo: Some(memo(ZONE, None)),
        ..accounts()
    };
    for answer_to_usage in [
        Response::new(3, 403, ""),
        Response::new(3, 200, "{}"),
        Response::new(3, 0, "reset"),
    ] {
        let step = answer(&run, begin(&run).unwrap(), &[page([1], None), answer_to_usage]).unwrap();
        assert!(is_done(&step) && step.records.len() == 1);
    }
}

#[test]
fn a_response_that_the_gateway_forgot_is_a_fault() {
    let fault = answer(&accounts(), begin(&accounts()).unwrap(), &[]).unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.remedy),
        ("response-missing", Remedy::Broken)
    );
}

#[test]
fn opportunities_tasks_and_generic_entities_are_asked_by_their_names() {
    for (resource, entity) in [
        ("opportunities", "Opportunities"),
        ("tasks", "Tasks"),
        ("incidents", "Tickets"),
        ("quotes", "Quotes"),
    ] {
        let step = begin(&settled(Operation::List(list(resource)))).unwrap();
        assert_eq!(urls(&step), [format!("{ZONE}V1.0/{entity}/query")]);
        assert_eq!(requests(&step)[0].lane, entity);
    }
    assert_eq!(
        begin(&settled(Operation::List(list("a/b")))).unwrap_err().code,
        "unknown-resource"
    );
}

#[test]
fn the_same_inputs_give_the_same_step() {
    let run = accounts();
    let once = answer(&run, begin(&run).unwrap(), &[page(0..9, Some("u"))]).unwrap();
    assert_eq!(
        answer(&run, begin(&run).unwrap(), &[page(0..9, Some("u"))]).unwrap(),
        once
    );
}
