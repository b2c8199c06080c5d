//! What is accepted, what is refused and in which words, and that the fast ways agree with the plain ones and serde_json.
//! It must not test an element's records: only JSON.
use super::{
    DEPTH_MAX, Error, Kind, List, Member, ObjectWriter, Page, Problem, Value, parse_object, scan_page, write_object,
};

mod agreement;
mod generator;

fn canonical(document: &str) -> String {
    let mut out = Vec::new();
    Value::parse(document.as_bytes())
        .unwrap_or_else(|error| panic!("{document}: {error}"))
        .write_canonical(&mut out);
    String::from_utf8(out).unwrap()
}

fn refusal(document: impl AsRef<[u8]>) -> String {
    match Value::parse(document.as_ref()) {
        Err(error) => error.to_string(),
        Ok(value) => panic!("accepted {}", value.raw()),
    }
}

type Records = Vec<Vec<(String, String)>>;

/// The records as (name, raw value) pairs, and the envelope.
fn records(page: &str) -> Result<(Records, Page<'_>), Error> {
    let mut records = Vec::new();
    let page = scan_page(page.as_bytes(), "items", |members| {
        records.push(
            members
                .iter()
                .map(|m| (m.key.to_owned(), m.value.raw().to_owned()))
                .collect(),
        );
        Ok::<_, Error>(())
    })?;
    Ok((records, page))
}

#[test]
fn valid_documents_are_accepted_and_written_canonically() {
    for (document, expected) in [
        ("null", "null"),
        (" true\n", "true"),
        ("\tfalse\r", "false"),
        ("0", "0"),
        ("-0", "-0"),
        ("-1.50e+10", "-1.50e+10"),
        ("10E-2", "10E-2"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("0.00000000000000000000000001", "0.00000000000000000000000001"),
        ("1e999", "1e999"),
        (r#""""#, r#""""#),
        (
            r#""plain text that is longer than one block""#,
            r#""plain text that is longer than one block""#,
        ),
        (r#""\u0041\/\u00e9\u20ac""#, r#""A/é€""#),
        (r#""\ud83d\ude00 \uD83D\uDE00""#, r#""😀 😀""#),
        (r#""\b\f\n\r\t\"\\""#, r#""\b\f\n\r\t\"\\""#),
        (r#""\u0008\u000C\u000a\u000d\u0009\u0022\u005C""#, r#""\b\f\n\r\t\"\\""#),
        (r#""\u0000\u001F\u007f""#, "\"\\u0000\\u001f\u{7f}\""),
        (r#""\u001f""#, r#""\u001f""#),
        (r#""\u000B\u000b\u0010""#, r#""\u000b\u000b\u0010""#),
        (
            "\"\u{7f}\u{80}\u{2028}\u{10ffff}\"",
            "\"\u{7f}\u{80}\u{2028}\u{10ffff}\"",
        ),
        ("[]", "[]"),
        ("[ ]", "[]"),
        ("[1 ,\n2, [3 ], {} ]", "[1,2,[3],{}]"),
        ("{}", "{}"),
        ("{\n}", "{}"),
        (
            r#"{"b":1,"a":{"d":2,"c":[{"f":3,"e":4}]}}"#,
            r#"{"a":{"c":[{"e":4,"f":3}],"d":2},"b":1}"#,
        ),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        (r#"{"a":1,"\u0061":3}"#, r#"{"a":3}"#),
        (r#"{"\u0062":1,"a":3,"\u0001":0}"#, r#"{"\u0001":0,"a":3,"b":1}"#),
        (
            r#"{"a b":1,"a":2,"A":3,"é":4,"":5}"#,
            r#"{"":5,"A":3,"a":2,"a b":1,"é":4}"#,
        ),
        ("\u{feff} [1]", "[1]"),
        (r#"{"a":"\/"}"#, r#"{"a":"/"}"#),
    ] {
        assert_eq!(canonical(document), expected, "{document}");
        assert_eq!(canonical(expected), expected, "not idempotent: {document}");
        let again = Value::parse(expected.as_bytes()).unwrap();
        assert!(again.is_canonical() || expected.contains("\\u0001\":"), "{expected}");
    }
}

#[test]
fn invalid_documents_are_refused_with_place_and_expectation() {
    for (document, expected) in [
        ("", "the document is empty"),
        (" \n", "the document is empty"),
        ("x", "at byte 0: expected a value, found 'x'"),
        ("nul", "the document ends inside true, false or null, after 3 bytes"),
        ("nulL", "at byte 3: expected true, false or null, found 'L'"),
        ("faLse", "at byte 2: expected true, false or null, found 'L'"),
        ("truee", "at byte 4: expected the end of the document, found 'e'"),
        ("True", "at byte 0: expected a value, found 'T'"),
        ("NaN", "at byte 0: expected a value, found 'N'"),
        ("+1", "at byte 0: expected a value, found '+'"),
        (".5", "at byte 0: expected a value, found '.'"),
        ("-", "the document ends inside a number, after 1 bytes"),
        ("-a", "at byte 1: expected a digit, found 'a'"),
        ("01", "at byte 1: expected no digit after a leading zero, found '1'"),
        ("-00", "at byte 2: expected no digit after a leading zero, found '0'"),
        ("1.", "the document ends inside a number, after 2 bytes"),
        ("[1.]", "at byte 3: expected a digit, found ']'"),
        ("1e", "the document ends inside a number, after 2 bytes"),
        ("[1e+]", "at byte 4: expected a digit, found ']'"),
        ("0x1", "at byte 1: expected the end of the document, found 'x'"),
        ("1 2", "at byte 2: expected the end of the document, found '2'"),
        ("1\u{a0}", "at byte 1: expected the end of the document, found '\u{a0}'"),
        ("\"abc", "the document ends inside a string, after 4 bytes"),
        ("\"abc\\", "the document ends inside a string, after 5 bytes"),
        (
            "\"a\nb\"",
            "at byte 2: expected an escape instead of a bare control character, found control character 0x0a",
        ),
        (
            "\"\0\"",
            "at byte 1: expected an escape instead of a bare control character, found control character 0x00",
        ),
        (
            r#""\x""#,
            "at byte 2: expected one of \"\\/bfnrtu after a backslash, found 'x'",
        ),
        (
            r#""\u12g4""#,
            "at byte 5: expected four hexadecimal digits after \\u, found 'g'",
        ),
        (
            r#""\u+123""#,
            "at byte 3: expected four hexadecimal digits after \\u, found '+'",
        ),
        (r#""\u12"#, "the document ends inside a string, after 5 bytes"),
        (
            r#""\ud83d""#,
            "at byte 1: half of a surrogate pair, which stands for no character",
        ),
        (
            r#""\ud83d\u0041""#,
            "at byte 1: half of a surrogate pair, which stands for no character",
        ),
        (
            r#""ab\ude00""#,
            "at byte 3: half of a surrogate pair, which stands for no character",
        ),
        ("[", "the document ends inside an object or array, after 1 bytes"),
        ("[1", "the document ends inside an array, after 2 bytes"),
        ("[1,]", "at byte 3: expected a value, found ']'"),
        ("[,1]", "at byte 1: expected a value, found ','"),
        ("[1 2]", "at byte 3: expected ',' or ']', found '2'"),
        ("[1}", "at byte 2: expected ',' or ']', found '}'"),
        ("]", "at byte 0: expected a value, found ']'"),
        ("{", "the document ends inside an object, after 1 bytes"),
        ("{a:1}", "at byte 1: expected a name in double quotes or '}', found 'a'"),
        (
            "{'a':1}",
            "at byte 1: expected a name in double quotes or '}', found '''",
        ),
        (r#"{"a"}"#, "at byte 4: expected ':', found '}'"),
        (r#"{"a" 1}"#, "at byte 5: expected ':', found '1'"),
        (r#"{"a":}"#, "at byte 5: expected a value, found '}'"),
        (r#"{"a":1,}"#, "at byte 7: expected a name in double quotes, found '}'"),
        (r#"{"a":1 "b":2}"#, "at byte 7: expected ',' or '}', found '\"'"),
        (r#"{"a":1]"#, "at byte 6: expected ',' or '}', found ']'"),
        (r#"{"a":1}}"#, "at byte 7: expected the end of the document, found '}'"),
        ("[1] // why", "at byte 4: expected the end of the document, found '/'"),
        ("\u{feff}x", "at byte 3: expected a value, found 'x'"),
        ("\u{feff}\u{feff}1", "at byte 3: expected a value, found '\u{feff}'"),
    ] {
        assert_eq!(refusal(document), expected, "{document:?}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_wherever_they_stand() {
    for wrong in [
        &b"\xff"[..],
        b"\xc3",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ] {
        for lead in [0, 1, 13, 14, 15, 16, 31, 63, 64, 127] {
            for tail in [0, 1, 15, 16, 64, 130] {
                let document = [
                    b"\"",
                    "a".repeat(lead).as_bytes(),
                    wrong,
                    "b".repeat(tail).as_bytes(),
                    b"\"",
                ]
                .concat();
                let error = Value::parse(&document).unwrap_err();
                assert_eq!(
                    error,
                    Error {
                        offset: lead + 1,
                        problem: Problem::NotUtf8
                    }
                );
            }
        }
    }
    assert_eq!(refusal(b"\"\xff\""), "at byte 1: not UTF-8");
}

#[test]
fn depth_is_bounded_and_the_bound_is_exact() {
    let nested = |open: &str, close: &str, levels| open.repeat(levels) + "1" + &close.repeat(levels);
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert_eq!(
            canonical(&nested(open, close, DEPTH_MAX)),
            nested(open, close, DEPTH_MAX)
        );
        let error = Value::parse(nested(open, close, DEPTH_MAX + 1).as_bytes()).unwrap_err();
        assert_eq!(
            error,
            Error {
                offset: open.len() * DEPTH_MAX,
                problem: Problem::TooDeep
            }
        );
        assert!(refusal(open.repeat(1_000_000)).ends_with("nested deeper than 128 levels"));
        // In a page, three levels stand around a member's value.
        let page = |levels| format!("{{\"items\":[{{\"a\":{}}}]}}", nested(open, close, levels));
        assert!(records(&page(DEPTH_MAX - 3)).is_ok());
        assert!(records(&page(DEPTH_MAX - 2)).is_err());
        assert!(Value::parse(page(DEPTH_MAX - 3).as_bytes()).is_ok());
    }
}

#[test]
fn values_are_read_by_kind() {
    let document =
        br#"{"i":-7,"big":9223372036854775808,"f":1.5,"e":1e2,"s":"a\nb","t":true,"n":null,"l":[1,[2]],"i":8}"#;
    let value = Value::parse(document).unwrap();
    let get = |name| value.get(name).unwrap();
    assert_eq!(get("i").as_i64(), Some(8));
    assert_eq!(get("big").as_i64(), None);
    assert_eq!(get("big").as_f64(), Some(9_223_372_036_854_775_808.0));
    assert_eq!((get("f").as_i64(), get("f").as_f64()), (None, Some(1.5)));
    assert_eq!((get("e").as_i64(), get("e").as_f64()), (None, Some(100.0)));
    assert_eq!(
        (get("s").as_str().as_deref(), get("s").as_key()),
        (Some("a\nb"), Some("a\\nb"))
    );
    assert_eq!(
        (get("t").as_bool(), get("s").as_bool(), get("s").as_i64()),
        (Some(true), None, None)
    );
    assert!(get("n").is_null() && !get("s").is_null());
    assert_eq!(
        get("l").elements().map(|element| element.raw()).collect::<Vec<_>>(),
        ["1", "[2]"]
    );
    assert_eq!(get("l").kind(), Kind::Array);
    assert_eq!(value.members().count(), 9);
    assert_eq!(
        (
            get("l").members().count(),
            get("i").elements().count(),
            value.elements().count()
        ),
        (0, 0, 0)
    );
    assert_eq!(value.get("absent"), None);
}

#[test]
fn a_page_gives_its_records_and_the_rest_of_its_envelope() {
    let document = r#" {"before" : 1, "items": [ {"a":1,"b":null} , {"a" : "x"},{}, { } ,{"b":{"c":[]},"a":[ 1 ]}],"after":{"n":null}} "#;
    let (records, page) = records(document).unwrap();
    let expected = [
        &[("a", "1"), ("b", "null")][..],
        &[("a", "\"x\"")],
        &[],
        &[],
        &[("b", "{\"c\":[]}"), ("a", "[ 1 ]")],
    ];
    let expected: Vec<Vec<_>> = expected
        .iter()
        .map(|r| r.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        .collect();
    assert_eq!(records, expected);
    assert_eq!((page.list, page.found()), (List::Array { records: 5 }, true));
    assert_eq!(
        page.members.iter().map(|m| m.key).collect::<Vec<_>>(),
        ["before", "after"]
    );
    assert_eq!(page.get("after").unwrap().raw(), "{\"n\":null}");
}

#[test]
fn a_list_that_is_absent_null_or_no_array_is_told_apart() {
    for (document, list, members) in [
        ("{}", List::Absent, 0),
        (r#"{"error":"x"}"#, List::Absent, 1),
        (r#"{"items":null}"#, List::Null, 1),
        (r#"{"items":{"a":[]}}"#, List::Other(Kind::Object), 1),
        (r#"{"items":"[]"}"#, List::Other(Kind::String), 1),
        (r#"{"items":[]}"#, List::Array { records: 0 }, 0),
        (r#"{"items": [ ] }"#, List::Array { records: 0 }, 0),
        (r#"{"\u0069tems":[{}]}"#, List::Array { records: 1 }, 0),
    ] {
        let (_, page) = records(document).unwrap();
        assert_eq!((page.list, page.members.len()), (list, members), "{document}");
    }
}

#[test]
fn a_page_that_is_no_list_of_objects_is_refused() {
    for (document, expected) in [
        ("", "the document is empty"),
        ("<html>", "at byte 0: expected '{', found '<'"),
        ("[]", "at byte 0: expected '{', found '['"),
        (r#"{"items":[1]}"#, "at byte 10: expected '{', found '1'"),
        (r#"{"items":[{},]}"#, "at byte 13: expected '{', found ']'"),
        (r#"{"items":[{} {}]}"#, "at byte 13: expected ',' or ']', found '{'"),
        (
            r#"{"items":[{"a":1,}]}"#,
            "at byte 17: expected a name in double quotes, found '}'",
        ),
        (
            r#"{"items":[{"a":1},{"a":1,}]}"#,
            "at byte 25: expected a name in double quotes, found '}'",
        ),
        (
            r#"{"items":[{"a":1},{"a":1"a":2}]}"#,
            "at byte 24: expected ',' or '}', found '\"'",
        ),
        (
            r#"{"items":[{"a":1},{,"a":1}]}"#,
            "at byte 19: expected a name in double quotes or '}', found ','",
        ),
        (
            r#"{"items":[{"a":1},{"a":}]}"#,
            "at byte 23: expected a value, found '}'",
        ),
        (
            r#"{"items":[{"a":1;"b":2}]}"#,
            "at byte 16: expected ',' or '}', found ';'",
        ),
        (
            r#"{"items":[{"a":1}"#,
            "the document ends inside an array, after 17 bytes",
        ),
        (
            r#"{"items":[{"a":1}]"#,
            "the document ends inside an object, after 18 bytes",
        ),
        (
            r#"{"items":[{"a":1}]}x"#,
            "at byte 19: expected the end of the document, found 'x'",
        ),
        (
            r#"{"items":[],"items":[]}"#,
            "at byte 12: the list is there a second time",
        ),
        (
            r#"{"items":null,"items":[]}"#,
            "at byte 14: the list is there a second time",
        ),
        (r#"{"a":1,}"#, "at byte 7: expected a name in double quotes, found '}'"),
    ] {
        assert_eq!(records(document).unwrap_err().to_string(), expected, "{document}");
    }
}

#[test]
fn an_error_of_the_caller_stops_the_page() {
    #[derive(Debug, PartialEq)]
    struct Enough(usize);
    impl From<Error> for Enough {
        fn from(_: Error) -> Self {
            Self(0)
        }
    }
    let mut seen = 0;
    let result = scan_page(br#"{"items":[{},{},{}]}"#, "items", |_| {
        seen += 1;
        if seen == 2 { Err(Enough(seen)) } else { Ok(()) }
    });
    assert_eq!(result, Err(Enough(2)));
}

#[test]
fn names_that_repeat_from_record_to_record_are_one_text() {
    let mut keys = Vec::new();
    scan_page(
        br#"{"items":[{"a":1,"bc":2},{"bc":3},{"x":0,"a" : 4,"bc":5}]}"#,
        "items",
        |members| {
            keys.extend(members.iter().map(|member| member.key));
            Ok::<_, Error>(())
        },
    )
    .unwrap();
    assert_eq!(keys, ["a", "bc", "bc", "x", "a", "bc"]);
    assert!(core::ptr::eq(keys[1], keys[2]) && core::ptr::eq(keys[1], keys[5]) && core::ptr::eq(keys[0], keys[4]));
}

#[test]
fn a_single_object_is_parsed_and_anything_else_refused() {
    let members = parse_object(br#" {"b":1,"a":"x"} "#).unwrap();
    assert_eq!(
        members.iter().map(|m| (m.key, m.value.raw())).collect::<Vec<_>>(),
        [("b", "1"), ("a", "\"x\"")]
    );
    assert_eq!(
        parse_object(b" [1]").unwrap_err().to_string(),
        "at byte 1: expected '{', found '['"
    );
    assert_eq!(
        parse_object(b"\xef\xbb\xbf1").unwrap_err().to_string(),
        "at byte 3: expected '{', found '1'"
    );
    assert!(parse_object(b"{").is_err());
}

#[test]
fn renamed_and_dropped_members_are_written_in_order() {
    let mut members = parse_object(br#"{"z":1,"y":{"b":1,"a":2},"x":"\u0041","w":null}"#).unwrap();
    members[0].key = "first";
    members.retain(|member| !member.value.is_null());
    let mut out = b"before".to_vec();
    write_object(&mut members, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"before{"first":1,"x":"A","y":{"a":2,"b":1}}"#
    );
}

#[test]
fn the_writer_agrees_with_the_plain_way_however_shapes_change() {
    let many: String = (0..700).map(|i| format!("\"k{}\":{i},", i * 7919 % 700)).collect();
    let many = format!("{{{}}}", many.trim_end_matches(','));
    let rare: Vec<String> = (0..100).map(|i| format!("{{\"n{i}\":1,\"m\":2}}")).collect();
    let mut documents = vec![
        "{}",
        r#"{"b":1,"a":2,"c":null}"#,
        r#"{"b":1,"c":3}"#,
        r#"{"c":3,"b":1}"#,
        r#"{"a":null,"b":1,"a":2}"#,
        r#"{"a":2,"b":1,"a":null}"#,
        r#"{"a":2,"b":1,"\u0061":null,"":0}"#,
        r#"{"\u0061":2,"a":5,"with \"quotes\" and \u0001":[ ]}"#,
        r#"{"a":"1","b":"12","c":"123456789","d":"1234567890123","e":"12345678901234","f":"a value of more than two blocks, copied"}"#,
        r#"{"a name of more than two blocks, which is rare":1,"é":2}"#,
    ];
    documents.extend(rare.iter().map(String::as_str));
    documents.extend([&many, r#"{"k7":1,"k0":null,"k3":2}"#]);
    let repeated: Vec<&str> = documents.iter().chain(documents.iter().rev()).copied().collect();
    let (mut all, mut some) = (ObjectWriter::new(), ObjectWriter::dropping_nulls());
    for document in repeated {
        let members = parse_object(document.as_bytes()).unwrap();
        let (mut planned, mut plain) = (Vec::new(), Vec::new());
        all.write(&members, &mut planned);
        write_object(&mut members.clone(), &mut plain);
        assert_eq!(
            String::from_utf8_lossy(&planned),
            String::from_utf8_lossy(&plain),
            "{document}"
        );

        let mut unique = parse_object(&plain).unwrap();
        unique.retain(|member| !member.value.is_null());
        let (mut planned, mut plain) = (b"x".to_vec(), b"x".to_vec());
        some.write(&members, &mut planned);
        write_object(&mut unique, &mut plain);
        assert_eq!(
            String::from_utf8_lossy(&planned),
            String::from_utf8_lossy(&plain),
            "{document}, nulls dropped"
        );
    }
}

#[test]
fn objects_with_more_names_than_a_writer_remembers_are_written_alike() {
    let many: String = (0..700).map(|i| format!("\"k{}\":{i},", i * 7919 % 700)).collect();
    let many = format!(r#"{{{many}"z":1,"y":null,"z":null,"y":2}}"#);
    let mut writer = ObjectWriter::dropping_nulls();
    for document in [&many, r#"{"k7":1,"k0":null,"k3":2}"#, &many, r#"{"k3":2,"k7":1}"#] {
        let members = parse_object(document.as_bytes()).unwrap();
        let (mut written, mut expected) = (Vec::new(), Vec::new());
        writer.write(&members, &mut written);
        let kept = |member: &Member<'_>| !member.value.is_null() && member.key != "z";
        write_object(
            &mut members.iter().copied().filter(kept).collect::<Vec<_>>(),
            &mut expected,
        );
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&expected));
    }
}

#[test]
fn constants_make_members_too() {
    let mut out = Vec::new();
    write_object(
        &mut [
            Member {
                key: "b",
                value: Value::NULL,
            },
            Member {
                key: "a",
                value: Value::NULL,
            },
        ],
        &mut out,
    );
    assert_eq!(out, br#"{"a":null,"b":null}"#);
}
