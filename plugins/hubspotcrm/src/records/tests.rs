//! Pages as the documentation shows them, and as they should not be.

use super::*;

static DATES: std::sync::LazyLock<DateFields> = std::sync::LazyLock::new(|| DateFields {
    created: vec!["createdAt".into()],
    updated: vec!["absent".into(), "updatedAt".into()],
});

fn wanted(id_field: &str, above: Option<u64>) -> Wanted<'_> {
    Wanted {
        id_field,
        dates: &DATES,
        above,
    }
}

/// Records as `id created updated body`.
fn read(page: &str, wanted: &Wanted<'_>) -> Result<(PageRead, Vec<String>), PageError> {
    let mut records = Records::default();
    let read = read_page(page.as_bytes(), wanted, &mut records)?;
    let at = |moment: &Moment| match moment {
        Moment::None => "-".to_owned(),
        Moment::AtMs(at) => at.to_string(),
        Moment::Text(text) => format!("'{text}'"),
    };
    let shown = records.iter().map(|record| {
        let gone = if record.deleted { " gone" } else { "" };
        format!(
            "{} {} {} {}{gone}",
            record.id,
            at(record.created),
            at(record.updated),
            record.body
        )
    });
    Ok((read, shown.collect()))
}

#[test]
fn a_record_is_its_properties_beside_its_own_members() {
    let page = r#"{"total":1,"results":[{"id":"100451","properties":{"lastname":"P\u00e9rson","email":null,
        "createdate":"2024-01-17T19:55:04.281Z"},"createdAt":"2024-01-17T19:55:04.281Z","updatedAt":"2024-09-11T13:27:39.356Z",
        "archived":false,"url":"https://app.hubspot.com/x","associations":{}}],"paging":{"next":{"after":"1","link":"?"}}}"#;
    let (read, records) = read(page, &wanted("id", Some(0))).unwrap();
    assert_eq!(
        records,
        [concat!(
            r#"100451 1705521304281 1726061259356 {"archived":false,"createdAt":"2024-01-17T19:55:04.281Z","#,
            r#""createdate":"2024-01-17T19:55:04.281Z","email":null,"id":"100451","lastname":"Pérson","#,
            r#""updatedAt":"2024-09-11T13:27:39.356Z"}"#
        )]
    );
    let expected = PageRead {
        records: 1,
        last: Some(100_451),
        after: Some("1".into()),
        without_id: Vec::new(),
    };
    assert_eq!(read, expected);
}

#[test]
fn a_record_that_is_archived_is_gone() {
    let page = r#"{"results":[{"id":"7","properties":{},"archived":true,"updatedAt":"2024-01-01T00:00:00Z"}]}"#;
    let (_, records) = read(page, &wanted("id", None)).unwrap();
    assert_eq!(records, ["7 - 1704067200000  gone"]);
}

#[test]
fn dates_are_iso_or_milliseconds_and_what_is_neither_is_left_to_the_gateway() {
    for (value, expected) in [
        ("\"1579514400000\"", "1579514400000"),
        ("1579514400000", "1579514400000"),
        ("\"2020-01-20\"", "1579478400000"),
        ("\"20 January\"", "'20 January'"),
        ("\"20200120\"", "'20200120'"),
        ("\" \"", "1704067200000"),
        ("null", "1704067200000"),
    ] {
        let page = format!(
            r#"{{"results":[{{"id":"7","properties":{{"absent":{value}}},"updatedAt":"2024-01-01T00:00:00Z"}}]}}"#
        );
        let (_, records) = read(&page, &wanted("id", None)).unwrap();
        assert!(
            records[0].starts_with(&format!("7 - {expected} ")),
            "{value}: {records:?}"
        );
    }
}

#[test]
fn a_property_with_the_name_of_a_member_does_not_take_its_place() {
    let page = r#"{"results":[{"id":"7","properties":{"id":"x","archived":"true","size":"9"},"archived":false}]}"#;
    let (_, records) = read(page, &wanted("id", None)).unwrap();
    assert_eq!(records, [r#"7 - - {"archived":false,"id":"7","size":"9"}"#]);
}

#[test]
fn another_property_may_be_the_id() {
    let page =
        r#"{"results":[{"id":"7","properties":{"email":"a@x.example"}},{"id":"8","properties":{"email":null}}]}"#;
    let (read_of, records) = read(page, &wanted("properties.email", None)).unwrap();
    assert!(records[0].starts_with("a@x.example "), "{records:?}");
    assert_eq!((records.len(), read_of.without_id), (1, vec!["8".to_owned()]));
    let page = r#"{"results":[{"id":"7","properties":{"email":"a"}},{"id":"8","properties":{"email":"a"}}]}"#;
    assert_eq!(
        read(page, &wanted("email", None)).unwrap_err(),
        PageError::SameId("a".into())
    );
}

#[test]
fn numbers_that_were_not_asked_for_are_found_out() {
    let page = r#"{"results":[{"id":"7"},{"id":"9"}]}"#;
    assert_eq!(read(page, &wanted("id", Some(6))).unwrap().0.last, Some(9));
    for (page, number, above) in [
        (page, "7", 7),
        (r#"{"results":[{"id":"9"},{"id":"8"}]}"#, "8", 9),
        (r#"{"results":[{"id":"9"},{"id":"9"}]}"#, "9", 9),
    ] {
        let asked = if number == "7" { 7 } else { 0 };
        let error = read(page, &wanted("id", Some(asked))).unwrap_err();
        assert_eq!(
            error,
            PageError::NotAbove {
                number: number.into(),
                above
            }
        );
    }
}

#[test]
fn only_a_page_without_a_next_one_is_the_last() {
    let after = |paging: &str| {
        let page = format!(r#"{{"results":[]{paging}}}"#);
        read(&page, &wanted("id", None)).map(|(read, _)| read.after)
    };
    for last in ["", r#","paging":null"#, r#","paging":{}"#, r#","paging":{"next":null}"#] {
        assert_eq!(after(last), Ok(None), "{last}");
    }
    assert_eq!(after(r#","paging":{"next":{"after":"x"}}"#), Ok(Some("x".into())));
    assert_eq!(after(r#","paging":{"next":{"after":20}}"#), Ok(Some("20".into())));
    for odd in [
        "7",
        "[]",
        r#"{"next":"x"}"#,
        r#"{"next":{}}"#,
        r#"{"next":{"after":""}}"#,
        r#"{"next":{"after":{}}}"#,
    ] {
        assert!(
            matches!(after(&format!(r#","paging":{odd}"#)), Err(PageError::Paging(_))),
            "{odd}"
        );
    }
}

#[test]
fn a_page_that_is_none_is_an_error() {
    for page in ["", "<html>", "[]", "{\"results\":[", r#"{"results":[1]}"#] {
        assert!(
            matches!(read(page, &wanted("id", None)), Err(PageError::Json(_))),
            "{page}"
        );
    }
    for page in ["{}", r#"{"results":null}"#, r#"{"results":{}}"#] {
        assert!(
            matches!(read(page, &wanted("id", None)), Err(PageError::NoList(_))),
            "{page}"
        );
    }
    for page in [
        r#"{"results":[{}]}"#,
        r#"{"results":[{"id":"x"}]}"#,
        r#"{"results":[{"id":-1}]}"#,
    ] {
        assert_eq!(
            read(page, &wanted("id", None)).unwrap_err(),
            PageError::NoNumber,
            "{page}"
        );
    }
}
