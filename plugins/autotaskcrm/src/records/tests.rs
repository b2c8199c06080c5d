//! Tests of `records` by tables of cases. Must not reach beyond the module's own functions.

use serde_json::{Value, json};

use super::*;

fn paths(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

fn dates(created: &[&str], updated: &[&str]) -> DateFields {
    DateFields {
        created: paths(created),
        updated: paths(updated),
    }
}

fn hub(dates: &DateFields) -> Wanted<'_> {
    Wanted {
        naming: Naming::Hub,
        drop_nulls: true,
        id_field: "id",
        dates,
        after: Some(-1),
    }
}

fn page(items: &Value, next: Option<&str>) -> Vec<u8> {
    let count = items.as_array().map_or(0, Vec::len);
    let details = json!({"count": count, "requestCount": 500, "prevPageUrl": null, "nextPageUrl": next});
    json!({"items": items, "pageDetails": details}).to_string().into_bytes()
}

fn bodies(items: &Value, wanted: &Wanted<'_>) -> Vec<String> {
    let mut records = Records::default();
    normalise_page(&page(items, None), wanted, &mut records).unwrap();
    records.iter().map(|record| record.body.to_owned()).collect()
}

fn read(page: &[u8], wanted: &Wanted<'_>) -> Result<PageRead, PageError> {
    normalise_page(page, wanted, &mut Records::default())
}

#[test]
fn a_recorded_company_becomes_a_hub_account() {
    let recorded = r#"{"items":[{"id":486,"additionalAddressInformation":"","address2":null,"companyName":"Caf\u00e9 \/ Zoë",
        "companyNumber":"EX","companyType":1,"createDate":"2019-11-25T15:47:59.167Z","isActive":true,"isTaxExempt":false,
        "lastActivityDate":"2023-05-04T08:53:10Z","parentCompanyID":null,"surveyCompanyRating":3.5000,"taxID":" ",
        "userDefinedFields":[{"name":"Discount","value":"0.0000"},{"name":"Acronym","value":null},{"name":"A b","value":"c"}]}],
        "pageDetails":{"count":1,"requestCount":500,"prevPageUrl":null,"nextPageUrl":null}}"#;
    let dates = dates(&["createDate"], &["lastActivityDate"]);
    let mut records = Records::default();
    let read = normalise_page(recorded.as_bytes(), &hub(&dates), &mut records).unwrap();
    let record = records.iter().next().unwrap();
    assert_eq!(
        record.body,
        r#"{"accountName":"Café / Zoë","accountNumber":"EX","accountType":1,"active":true,"additionalAddressInformation":"","createDate":"2019-11-25T15:47:59.167Z","id":486,"isTaxExempt":false,"lastActivityDate":"2023-05-04T08:53:10Z","surveyAccountRating":3.5000,"taxID":" ","userDefinedFields":{"A b":"c","Discount":"0.0000"}}"#
    );
    assert_eq!(record.id, "486");
    assert_eq!(record.created, &Moment::AtMs(1_574_696_879_167));
    assert_eq!(record.updated, &Moment::AtMs(1_683_190_390_000));
    assert_eq!((read.records, read.last, read.more), (1, Some(486), More::No));
}

#[test]
fn nulls_are_kept_where_the_user_wants_them() {
    let dates = DateFields::default();
    let items = json!([{"id": 1, "companyName": null, "userDefinedFields": [{"name": "b", "value": null}]}]);
    assert_eq!(bodies(&items, &hub(&dates)), [r#"{"id":1,"userDefinedFields":{}}"#]);
    let kept = Wanted {
        drop_nulls: false,
        ..hub(&dates)
    };
    assert_eq!(
        bodies(&items, &kept),
        [r#"{"accountName":null,"id":1,"userDefinedFields":{"b":null}}"#]
    );
}

#[test]
fn generic_resources_keep_the_vendors_names() {
    let dates = DateFields::default();
    let vendor = Wanted {
        naming: Naming::Vendor,
        ..hub(&dates)
    };
    let items = json!([{"id": 1, "companyID": 2, "isActive": true, "userDefinedFields": []}]);
    assert_eq!(
        bodies(&items, &vendor),
        [r#"{"companyID":2,"id":1,"isActive":true,"userDefinedFields":{}}"#]
    );
}

#[test]
fn a_field_keeps_its_name_where_the_hubs_is_taken() {
    let dates = DateFields::default();
    let items = json!([{"id": 1, "companyID": 2, "accountID": 3}]);
    assert_eq!(
        bodies(&items, &hub(&dates)),
        [r#"{"accountID":3,"companyID":2,"id":1}"#]
    );
}

#[test]
fn user_defined_fields_of_another_shape_stay_as_they_are() {
    let dates = DateFields::default();
    for (udf, expected) in [
        (json!(["x"]), r#"["x"]"#),
        (json!([{"name": "a"}]), r#"[{"name":"a"}]"#),
        (json!({"b": 1, "a": 2}), r#"{"a":2,"b":1}"#),
        (json!("none"), r#""none""#),
        (
            json!([{"value": 1, "name": "n"}, {"name": "n", "value": 2}]),
            r#"{"n":2}"#,
        ),
    ] {
        let items = json!([{"id": 1, "userDefinedFields": udf}]);
        assert_eq!(
            bodies(&items, &hub(&dates)),
            [format!(r#"{{"id":1,"userDefinedFields":{expected}}}"#)]
        );
    }
}

#[test]
fn equal_content_gives_equal_bytes_in_any_order_of_names() {
    let dates = DateFields::default();
    let page =
        |first: &str| format!(r#"{{"items":[{first}],"pageDetails":{{"count":1,"nextPageUrl":null}}}}"#).into_bytes();
    let body = |text: &str| {
        let mut records = Records::default();
        normalise_page(&page(text), &hub(&dates), &mut records).unwrap();
        records.iter().next().unwrap().body.to_owned()
    };
    let straight = body(r#"{"id":1,"companyName":"a","phone":"b"}"#);
    assert_eq!(
        body("{ \"phone\" : \"\\u0062\",\n\"companyName\":\"a\" , \"id\": 1}"),
        straight
    );
    assert_eq!(
        body(r#"{"id":1,"company\u004eame":"a","phone":"x","phone":"b"}"#),
        straight,
        "of equal names the last wins"
    );
}

#[test]
fn records_of_many_shapes_in_one_page_are_all_read() {
    let dates = DateFields::default();
    let items: Vec<_> = (0..60)
        .map(|id| {
            let mut item = json!({"id": id, "companyName": format!("n{id}")});
            item[format!("extra{}", id % 12)] = id.into();
            item
        })
        .collect();
    let found = bodies(&items.into(), &hub(&dates));
    for (id, body) in found.iter().enumerate() {
        assert_eq!(
            body,
            &format!(r#"{{"accountName":"n{id}","extra{}":{id},"id":{id}}}"#, id % 12)
        );
    }
    assert_eq!(found.len(), 60);
}

#[test]
fn dates_are_found_by_the_first_path_that_has_one() {
    let moments = |dates: &DateFields, item: Value| {
        let mut records = Records::default();
        normalise_page(&page(&json!([item]), None), &hub(dates), &mut records).unwrap();
        let record = records.iter().next().unwrap();
        (record.created.clone(), record.updated.clone())
    };
    let seed = dates(&["date_created", "createDate"], &["date_modified", "lastActivityDate"]);
    let item = json!({"id": 1, "createDate": "2016-03-30T13:10:35.563", "lastActivityDate": "1970-01-01T00:00:01.5Z"});
    assert_eq!(
        moments(&seed, item),
        (Moment::AtMs(1_459_343_435_563), Moment::AtMs(1_500))
    );
    let item = json!({"id": 1, "date_modified": null, "lastActivityDate": "31.12.1999"});
    assert_eq!(moments(&seed, item), (Moment::None, Moment::Text("31.12.1999".into())));
    let odd = dates(&["['userDefinedFields']['Since when']"], &["userDefinedFields.Last"]);
    let item = json!({"id": 1, "userDefinedFields": [{"name": "Since when", "value": "1970-01-02"}, {"name": "Last", "value": 5}]});
    assert_eq!(
        moments(&odd, item),
        (Moment::AtMs(86_400_000), Moment::Text("5".into()))
    );
    let spellings = dates(&["CREATEDATE"], &["accountDate"]);
    let item = json!({"id": 1, "createDate": "1970-01-01", "companyDate": "1970-01-01"});
    assert_eq!(moments(&spellings, item), (Moment::AtMs(0), Moment::AtMs(0)));
    let nested = dates(&["_info.created"], &["_info.none"]);
    let item = json!({"id": 1, "_info": {"created": " 1970-01-01 "}});
    assert_eq!(moments(&nested, item), (Moment::AtMs(0), Moment::None));
}

#[test]
fn it_is_known_which_date_fields_a_page_has() {
    let seed = dates(&["date_created", "createDate"], &["nothing"]);
    let found = read(
        &page(&json!([{"id": 1, "createDate": "1970-01-01"}]), None),
        &hub(&seed),
    )
    .unwrap();
    assert_eq!(
        found.created,
        Presence {
            first: false,
            any: true
        }
    );
    assert_eq!(
        found.updated,
        Presence {
            first: false,
            any: false
        }
    );
}

#[test]
fn ids_come_from_the_field_that_the_user_named() {
    let none = DateFields::default();
    let by = |id_field| Wanted { id_field, ..hub(&none) };
    let items = json!([{"id": 1, "ticketNumber": "T20200924.0046"}, {"id": 2, "ticketNumber": null}]);
    let mut records = Records::default();
    let found = normalise_page(&page(&items, None), &by("ticketNumber"), &mut records).unwrap();
    assert_eq!(
        records.iter().map(|record| record.id.to_owned()).collect::<Vec<_>>(),
        ["T20200924.0046"]
    );
    assert_eq!((found.records, found.without_id, found.last), (2, vec![2], Some(2)));
    let same = json!([{"id": 1, "ticketNumber": "a"}, {"id": 2, "ticketNumber": "a"}]);
    assert_eq!(
        read(&page(&same, None), &by("ticketNumber")),
        Err(PageError::SameId("a".into()))
    );
    let hub_spelling = json!([{"id": 1, "companyID": 7}]);
    let mut records = Records::default();
    normalise_page(&page(&hub_spelling, None), &by("accountID"), &mut records).unwrap();
    assert_eq!(records.iter().next().unwrap().id, "7");
}

#[test]
fn what_does_not_fit_together_is_an_error() {
    let none = DateFields::default();
    let wanted = Wanted {
        after: Some(10),
        ..hub(&none)
    };
    let items = |ids: &[i64]| Value::from(ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>());
    let error = |page: &[u8]| read(page, &wanted).unwrap_err();
    assert_eq!(
        error(&page(&items(&[11, 10]), None)),
        PageError::NotAfter { number: 10, after: 10 }
    );
    assert_eq!(
        error(&page(&items(&[12, 11]), Some("u"))),
        PageError::Unordered { number: 11, before: 12 }
    );
    assert_eq!(
        error(&page(&items(&[12, 11, 12]), None)),
        PageError::SameId("12".into())
    );
    assert_eq!(
        read(&page(&items(&[12, 11]), None), &wanted).unwrap().last,
        Some(12),
        "order does not matter at the end"
    );
    assert_eq!(error(&page(&json!([{"name": 1}]), None)), PageError::NoNumber);
    assert_eq!(error(&page(&json!([{"id": "x"}]), None)), PageError::NoNumber);
    assert_eq!(
        error(br#"{"items":[{"id":11}],"pageDetails":{"count":2}}"#),
        PageError::Incomplete { says: 2, has: 1 }
    );
    assert_eq!(error(br#"{"items":null}"#), PageError::NoList(List::Null));
    assert_eq!(error(br#"{"item":[]}"#), PageError::NoList(List::Absent));
    assert_eq!(error(br#"{"items":{}}"#), PageError::NoList(List::Other(Kind::Object)));
    for broken in [
        "",
        "null",
        "[]",
        "<html>",
        r#"{"items":[{"id":11}"#,
        r#"{"items":[{"id":11}]"#,
        "{\"items\":[\"\u{1}\"]}",
    ] {
        assert!(matches!(error(broken.as_bytes()), PageError::Json(_)), "{broken}");
    }
}

#[test]
fn whether_more_follows_is_yes_no_or_unknown() {
    let none = DateFields::default();
    for (text, more) in [
        (r#"{"items":[]}"#, More::Unknown),
        (r#"{"items":[],"pageDetails":null}"#, More::Unknown),
        (r#"{"items":[],"pageDetails":{"count":0}}"#, More::Unknown),
        (r#"{"items":[],"pageDetails":{"count":0,"nextPageUrl":null}}"#, More::No),
        (r#"{"pageDetails":{"nextPageUrl":"https://x"},"items":[]}"#, More::Yes),
    ] {
        assert_eq!(read(text.as_bytes(), &hub(&none)).unwrap().more, more, "{text}");
    }
}

#[test]
fn a_sweep_reads_ids_alone() {
    let none = DateFields::default();
    let mut ids = Vec::new();
    let found = ids_of_page(&page(&json!([{"id": 0}, {"id": 5}]), None), &hub(&none), &mut ids).unwrap();
    assert_eq!((ids, found.last), (vec!["0".to_owned(), "5".to_owned()], Some(5)));
}

#[test]
fn a_page_cut_off_anywhere_is_an_error() {
    let none = DateFields::default();
    let whole = page(
        &json!([{"id": 1, "companyName": "a", "userDefinedFields": [{"name": "x", "value": "y"}]}]),
        None,
    );
    for length in 0..whole.len() {
        assert!(read(&whole[..length], &hub(&none)).is_err(), "{length}");
    }
}
