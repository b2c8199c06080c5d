//! Pages as the API's reference shows them, and pages that are broken.

use super::*;

const AT: i64 = 1_304_591_932_000; // 2011-05-05T10:38:52Z

fn wanted(resource: &str) -> Wanted {
    let dates = DateFields {
        created: vec!["created_at".into()],
        updated: vec!["updated_at".into()],
    };
    Wanted::new(Resource::of(resource).unwrap(), "id", &dates, true)
}

/// Id and body; `-` for a tombstone.
fn bodies(records: &Records) -> Vec<(&str, &str)> {
    records
        .iter()
        .map(|record| (record.id, if record.deleted { "-" } else { record.body }))
        .collect()
}

#[test]
fn a_record_is_what_it_holds_in_the_order_of_names() {
    let page = br#"{"tickets":[{"url":"https://acme.zendesk.com/api/v2/tickets/1.json","id":35436,"due_at":null,
        "generated_timestamp":1304553600,"result_type":"ticket","created_at":"2009-07-20T22:55:29Z",
        "updated_at":"2011-05-05T10:38:52Z","status":"open"}],"end_of_stream":true}"#;
    let mut records = Records::default();
    let read = normalise_page(page, "tickets", &wanted("tickets"), &mut records).unwrap();
    assert_eq!((read.records, read.without_id), (1, 0));
    assert_eq!(
        read.envelope.get("end_of_stream").and_then(|end| end.as_bool()),
        Some(true)
    );
    let record = records.iter().next().unwrap();
    assert_eq!(record.updated, &Moment::AtMs(AT));
    assert_eq!(
        record.body,
        r#"{"created_at":"2009-07-20T22:55:29Z","id":35436,"status":"open","updated_at":"2011-05-05T10:38:52Z","url":"https://acme.zendesk.com/api/v2/tickets/1.json"}"#
    );
}

#[test]
fn the_time_of_the_export_may_be_the_date_of_change_though_it_is_no_content() {
    let dates = DateFields {
        created: Vec::new(),
        updated: vec!["missing".into(), "generated_timestamp".into()],
    };
    let wanted = Wanted::new(Resource::of("tickets").unwrap(), "id", &dates, true);
    let mut records = Records::default();
    let page = br#"{"tickets":[{"id":1,"generated_timestamp":1304553600}]}"#;
    normalise_page(page, "tickets", &wanted, &mut records).unwrap();
    let record = records.iter().next().unwrap();
    assert_eq!(
        (record.updated, record.body),
        (&Moment::AtMs(1_304_553_600_000), r#"{"id":1}"#)
    );
}

#[test]
fn a_record_that_comes_twice_is_given_once_as_it_came_last() {
    let page = br#"{"tickets":[{"id":1,"status":"new"},{"id":2,"status":"new"},{"id":1,"status":"open"},
        {"id":2,"status":"deleted"},{"id":3,"status":"new"}]}"#;
    let mut records = Records::default();
    let read = normalise_page(page, "tickets", &wanted("tickets"), &mut records).unwrap();
    assert_eq!(read.records, 5);
    assert_eq!(
        bodies(&records),
        [
            ("1", r#"{"id":1,"status":"open"}"#),
            ("2", "-"),
            ("3", r#"{"id":3,"status":"new"}"#)
        ]
    );
    let mut ids = Vec::new();
    ids_of_page(page, "tickets", &wanted("tickets"), &mut ids).unwrap();
    assert_eq!(ids, ["1", "3"]);
}

#[test]
fn a_filter_leaves_out_what_does_not_match_and_no_deletion() {
    let filter = Filter::from_json(br#"{"op":"=","field":"status","value":"open"}"#).unwrap();
    let page = br#"{"tickets":[{"id":1,"status":"open"},{"id":2,"status":"new"},{"id":3,"status":"deleted"},
        {"id":1,"status":"solved"}]}"#;
    let mut records = Records::default();
    normalise_page(page, "tickets", &wanted("tickets").matching(Some(filter)), &mut records).unwrap();
    assert_eq!(bodies(&records), [("3", "-")]);
}

#[test]
fn nulls_are_kept_on_request() {
    let keeping = Wanted {
        drop_nulls: false,
        ..wanted("users")
    };
    let mut records = Records::default();
    normalise_page(br#"{"users":[{"phone":null,"id":7}]}"#, "users", &keeping, &mut records).unwrap();
    assert_eq!(bodies(&records), [("7", r#"{"id":7,"phone":null}"#)]);
}

#[test]
fn a_record_without_an_id_is_counted() {
    let mut records = Records::default();
    let page = br#"{"users":[{"id":null},{"id":""},{"id":{}},{},{"id":7}]}"#;
    let read = normalise_page(page, "users", &wanted("users"), &mut records).unwrap();
    assert_eq!((read.records, read.without_id, records.len()), (5, 4, 1));
}

#[test]
fn a_page_without_its_list_is_an_error_that_says_so() {
    let error = |page: &[u8]| {
        normalise_page(page, "users", &wanted("users"), &mut Records::default())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(error(b"{}"), "`users` is missing");
    assert_eq!(error(br#"{"users":null}"#), "`users` is null");
    assert!(error(br#"{"users":{}}"#).contains("no array"));
    assert!(!error(b"").is_empty() && !error(b"<html>").is_empty() && !error(br#"{"users":[{"id":1"#).is_empty());
}
