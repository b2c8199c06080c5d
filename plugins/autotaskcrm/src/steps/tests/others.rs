//! Checks, single records, sweeps and what later gateways may ask for.

use super::*;

fn version() -> Response {
    Response::new(
        crate::steps::VERSION,
        200,
        r#"{"majorVersion":2026,"minorVersion":1,"build":"1","customerType":"x"}"#,
    )
}

#[test]
fn a_check_asks_for_the_version_and_the_usage() {
    let run = settled(Operation::Check);
    let step = begin(&run).unwrap();
    assert_eq!(
        urls(&step),
        [
            format!("{ZONE}V1.0/Version"),
            format!("{ZONE}V1.0/ThresholdInformation")
        ]
    );
    assert!(
        requests(&step)
            .iter()
            .all(|request| request.headers.iter().any(|(name, _)| name == "ApiIntegrationCode"))
    );
    let done = answer(&run, step, &[version(), usage(10)]).unwrap();
    assert!(is_done(&done) && done.problems.is_empty());
}

#[test]
fn a_check_tells_of_high_usage_and_goes_without_any() {
    let run = settled(Operation::Check);
    let step = answer(&run, begin(&run).unwrap(), &[version(), usage(9_000)]).unwrap();
    assert_eq!(codes(&step), ["usage-high"]);
    let step = answer(&run, begin(&run).unwrap(), &[version(), Response::new(3, 500, "")]).unwrap();
    assert!(is_done(&step) && step.problems.is_empty());
}

#[test]
fn a_check_fails_with_the_reason() {
    let run = Run {
        memo: None,
        ..settled(Operation::Check)
    };
    let check = |response: Response| {
        let step = answer(&run, begin(&run).unwrap(), &[zone_is(ZONE)]).unwrap();
        answer(&run, step, &[response, usage(1)]).unwrap_err()
    };
    assert_eq!(check(Response::new(4, 401, "")).remedy, Remedy::RefreshAuth);
    let code = r#"{"errors":["IntegrationCode is invalid."]}"#;
    assert_eq!(check(Response::new(4, 500, code)).code, "crm.autotask.integration.code");
    assert_eq!(
        check(Response::new(4, 200, "<html>log in</html>")).code,
        "answer-unreadable"
    );
    assert_eq!(check(Response::new(4, 200, "")).code, "answer-unreadable");
    assert_eq!(check(Response::new(4, 200, "{}")).code, "answer-unreadable");
}

#[test]
fn a_record_is_read_by_a_query_for_its_id() {
    let run = settled(get("7"));
    let step = begin(&run).unwrap();
    assert_eq!(urls(&step), [format!("{ZONE}V1.0/Companies/query")]);
    assert_eq!(
        body(&step),
        json!({"MaxRecords": 2, "filter": [{"op": "eq", "field": "id", "value": 7}]})
    );
    let done = answer(&run, step, &[page([7], None)]).unwrap();
    assert!(is_done(&done));
    assert_eq!(
        done.records.iter().next().unwrap().body,
        r#"{"accountName":"c7","createDate":"2020-01-01T00:00:00Z","id":7,"lastActivityDate":"2021-01-01T00:00:00Z"}"#
    );
}

#[test]
fn a_record_is_gone_only_if_a_query_says_so() {
    let run = settled(get("7"));
    let gone = answer(&run, begin(&run).unwrap(), &[page([], None)]).unwrap();
    assert!(is_done(&gone) && gone.records.is_empty());
    for (response, code) in [
        (page([], Some("u")), "paging-stuck"),
        (page([8], None), "filter-ignored"),
        (page([7, 8], None), "filter-ignored"),
        (Response::new(2, 404, ""), "unknown-resource"),
        (Response::new(2, 200, ""), "answer-unreadable"),
        (Response::new(2, 200, r#"{"item":null}"#), "answer-unreadable"),
    ] {
        assert_eq!(answer(&run, begin(&run).unwrap(), &[response]).unwrap_err().code, code);
    }
}

#[test]
fn an_id_that_no_record_can_have_is_not_asked_for() {
    for id in ["", "x", "07", "+7", "7.0", "99999999999999999999"] {
        let step = begin(&settled(get(id))).unwrap();
        assert!(is_done(&step) && step.records.is_empty(), "{id}");
    }
    assert!(!is_done(&begin(&settled(get("0"))).unwrap()));
}

#[test]
fn a_record_can_be_read_by_another_id_field() {
    let by = |id_field: &str| {
        settled(Operation::Get(GetArgs {
            resource: "accounts".into(),
            id: "A1".into(),
            id_field: id_field.into(),
            dates: DateFields::default(),
        }))
    };
    let run = by("accountNumber");
    let step = begin(&run).unwrap();
    assert_eq!(
        body(&step)["filter"],
        json!([{"op": "eq", "field": "companyNumber", "value": "A1"}])
    );
    let item = |id: i64| json!({"id": id, "companyNumber": "A1"});
    assert_eq!(
        ids(&answer(&run, step, &[records(vec![item(5)], None)]).unwrap()),
        ["A1"]
    );
    let fault = answer(&run, begin(&run).unwrap(), &[records(vec![item(5), item(6)], None)]).unwrap_err();
    assert_eq!(fault.code, "id-repeated");
    let udf = begin(&by("userDefinedFields.ERP key")).unwrap();
    assert_eq!(
        body(&udf)["filter"],
        json!([{"op": "eq", "field": "ERP key", "udf": true, "value": "A1"}])
    );
}

#[test]
fn a_sweep_asks_for_ids_alone_and_gives_all_of_them() {
    let run = settled(sweep(2));
    let first = begin(&run).unwrap();
    let expected =
        json!({"MaxRecords": 2, "IncludeFields": ["id"], "filter": [{"op": "gt", "field": "id", "value": -1}]});
    assert_eq!(body(&first), expected);
    let second = answer(&run, first, &[page([0, 4], Some("u"))]).unwrap();
    assert_eq!(
        (second.ids.as_slice(), second.records.len()),
        (["0".to_owned(), "4".to_owned()].as_slice(), 0)
    );
    let last = answer(&run, second, &[page([9], None)]).unwrap();
    assert_eq!(last.ids, ["9"]);
    assert!(is_done(&last));
}

#[test]
fn a_sweep_that_is_not_whole_is_a_fault() {
    let run = settled(sweep(2));
    let second = || answer(&run, begin(&run).unwrap(), &[page([0, 4], Some("u"))]).unwrap();
    for (response, code) in [
        (Response::new(2, 503, ""), "vendor-unavailable"),
        (Response::new(2, 200, ""), "answer-unreadable"),
        (page([4, 5], None), "filter-ignored"),
        (page([], Some("u")), "paging-stuck"),
        (page([9, 5], Some("u")), "page-unordered"),
    ] {
        assert_eq!(answer(&run, second(), &[response]).unwrap_err().code, code);
    }
    let by_number = settled(Operation::Sweep(SweepArgs {
        resource: "accounts".into(),
        id_field: "accountNumber".into(),
        page_size: 9,
    }));
    let first = begin(&by_number).unwrap();
    assert_eq!(body(&first)["IncludeFields"], json!(["id", "companyNumber"]));
    let items = vec![
        json!({"id": 1, "companyNumber": "A"}),
        json!({"id": 2, "companyNumber": null}),
    ];
    assert_eq!(
        answer(&by_number, first, &[records(items, None)]).unwrap_err().code,
        "idField"
    );
}

#[test]
fn an_operation_of_a_later_gateway_is_a_fault() {
    let fault = begin(&run(Operation::Other("stream".into(), Vec::new()))).unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.remedy),
        ("operation-unknown", Remedy::Broken)
    );
}
