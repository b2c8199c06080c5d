//! Clauses that elements' tests and docs have, the defects that docs have, and what the grammar refuses.

use serde_json::{Value as Json, json};

use super::*;

fn parse(text: &str) -> Json {
    Where::parse(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .to_json()
}

fn refused(text: &str) -> String {
    Where::parse(text)
        .map(|clause| clause.to_json())
        .expect_err(text)
        .to_string()
}

fn comparison(op: &str, field: &str, value: impl Into<Json>) -> Json {
    json!({"op": op, "field": field, "value": value.into()})
}

#[test]
fn clauses_seen_in_tests_and_docs_are_read() {
    let name = |name| comparison("=", "lastName", name);
    let cases = [
        (
            "accountName='Example Ltd'",
            comparison("=", "accountName", "Example Ltd"),
        ),
        (
            "lastActivityDate > '2012-05-25T11:13:29-0500' and  (lastName = 'A' or lastName = 'B') ",
            json!({"op": "and", "terms": [
                comparison(">", "lastActivityDate", "2012-05-25T11:13:29-0500"),
                {"op": "or", "terms": [name("A"), name("B")]},
            ]}),
        ),
        ("userName='a@example.com'", comparison("=", "userName", "a@example.com")),
        (
            "modifiedTime>1508943600000",
            comparison(">", "modifiedTime", 1_508_943_600_000_i64),
        ),
        (
            "internalId in (1,2)",
            json!({"op": "in", "field": "internalId", "values": [1, 2]}),
        ),
        (
            "name IN ('a.jpg','b.png')",
            json!({"op": "in", "field": "name", "values": ["a.jpg", "b.png"]}),
        ),
        ("Priority Like 'Hi%'", comparison("like", "Priority", "Hi%")),
        ("Name.content = 'x'", comparison("=", "Name.content", "x")),
        ("defaultAccount=true", comparison("=", "defaultAccount", true)),
        (
            "`com.example:invoiceNumber` = 151515",
            comparison("=", "com.example:invoiceNumber", 151_515),
        ),
        ("id=\"7\"", comparison("=", "id", "7")),
        ("\"$city\"='Dallas'", comparison("=", "$city", "Dallas")),
        (
            "LastModifiedDate>'2018-01-15T00:00:00.000Z' AND (Name='A' OR Industry='B')",
            json!({"op": "and", "terms": [
                comparison(">", "LastModifiedDate", "2018-01-15T00:00:00.000Z"),
                {"op": "or", "terms": [comparison("=", "Name", "A"), comparison("=", "Industry", "B")]},
            ]}),
        ),
        ("AnnualRevenue >= 100000", comparison(">=", "AnnualRevenue", 100_000)),
        ("Name LIKE 'Acc%'", comparison("like", "Name", "Acc%")),
        (
            "'Modified Time'>'2017-08-30'",
            comparison(">", "Modified Time", "2017-08-30"),
        ),
        (
            "mdate>=2017-02-28T16:11:29-06:00",
            comparison(">=", "mdate", "2017-02-28T16:11:29-06:00"),
        ),
        ("deletedAt is null", json!({"op": "is-null", "field": "deletedAt"})),
        ("fetchChanges='true'", comparison("=", "fetchChanges", "true")),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), expected, "{text}");
    }
}

#[test]
fn spaces_and_case_do_not_matter() {
    let expected = parse("a = 1 AND b IN (1, 2) OR c LIKE 'x' AND d IS NULL");
    for text in [
        "a=1 and b in(1,2)or c like'x'and d is null",
        "  a\t=\n1  aNd  b  iN ( 1 , 2 )  oR c lIkE \"x\" AND d Is  Null  ",
        "a=1and b in(1,2)or(c like'x'and d is null)",
    ] {
        assert_eq!(parse(text), expected, "{text}");
    }
}

#[test]
fn and_binds_tighter_than_or() {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|field| comparison("=", field, 1));
    let either = |first: &Json, second: &Json| json!({"op": "or", "terms": [first, second]});
    let both = |first: &Json, second: &Json| json!({"op": "and", "terms": [first, second]});
    assert_eq!(parse("a=1 or b=1 and c=1"), either(&a, &both(&b, &c)));
    assert_eq!(
        parse("a=1 and b=1 or c=1 and d=1"),
        either(&both(&a, &b), &both(&c, &d))
    );
    assert_eq!(parse("(a=1 or b=1) and c=1"), both(&either(&a, &b), &c));
    assert_eq!(parse("((a=1))"), a);
    assert_eq!(parse("a=1 and b=1 and c=1"), json!({"op": "and", "terms": [a, b, c]}));
}

#[test]
fn operators_and_values_are_told_apart() {
    let cases = [
        ("a!=1", comparison("!=", "a", 1)),
        ("a<1", comparison("<", "a", 1)),
        ("a<=-1", comparison("<=", "a", -1)),
        ("a>1.5", comparison(">", "a", 1.5)),
        ("a=1e3", comparison("=", "a", 1000.0)),
        ("a=007", comparison("=", "a", "007")),
        (
            "a=123456789012345678901234567890",
            comparison("=", "a", "123456789012345678901234567890"),
        ),
        ("a=18446744073709551615", comparison("=", "a", u64::MAX)),
        ("a=FALSE", comparison("=", "a", false)),
        ("a='true'", comparison("=", "a", "true")),
        ("a=''", comparison("=", "a", "")),
        ("a='it''s'", comparison("=", "a", "it's")),
        (r"a='it\'s'", comparison("=", "a", "it's")),
        (r"a='C:\\dir\file'", comparison("=", "a", r"C:\dir\file")),
        ("a=\"it's\"", comparison("=", "a", "it's")),
        ("a='x and (y=1'", comparison("=", "a", "x and (y=1")),
        ("a>2017-08-30", comparison(">", "a", "2017-08-30")),
        ("a>2017-08-30 19:19:29", comparison(">", "a", "2017-08-30 19:19:29")),
        (
            "a>2017-08-30T19:19:29.258Z",
            comparison(">", "a", "2017-08-30T19:19:29.258Z"),
        ),
        (
            "a>2017-08-30T19:19:29+0000",
            comparison(">", "a", "2017-08-30T19:19:29+0000"),
        ),
        ("in=1", comparison("=", "in", 1)),
        ("and='x'", comparison("=", "and", "x")),
        ("nótes='ü'", comparison("=", "nótes", "ü")),
        ("x-y_z.1='a'", comparison("=", "x-y_z.1", "a")),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), expected, "{text}");
    }
    assert_eq!(
        parse("a>2017-08-30 AND b<2017-08-31 10:00 AND c=1"),
        json!({"op": "and", "terms": [
            comparison(">", "a", "2017-08-30"), comparison("<", "b", "2017-08-31 10:00"), comparison("=", "c", 1),
        ]})
    );
}

#[test]
fn refuses_with_position_and_expectation() {
    let cases = [
        (
            "",
            "expected a field or an opening parenthesis at character 1, found the end",
        ),
        (
            "a",
            "expected one of = != < > <= >= LIKE IN IS NULL at character 2, found the end",
        ),
        (
            "a ~ 1",
            "expected one of = != < > <= >= LIKE IN IS NULL at character 3, found \"~ 1\"",
        ),
        ("a=", "expected a value after \"a\" = at character 3, found the end"),
        ("(a>=)", "expected a value after \"a\" >= at character 5, found \")\""),
        (
            "a==1",
            "expected a value: text in quotes, a number, true, false or an ISO date at character 3, found \"=1\"",
        ),
        (
            "a<>1",
            "expected a value: text in quotes, a number, true, false or an ISO date at character 3, found \">1\"",
        ),
        (
            "a=open",
            "expected a value: text in quotes, a number, true, false or an ISO date at character 3, found \"open\"",
        ),
        (
            "a=10abc",
            "expected a value: text in quotes, a number, true, false or an ISO date at character 3, found \"10abc\"",
        ),
        (
            "a=2017-13-45",
            "expected a value: text in quotes, a number, true, false or an ISO date at character 3, found \"2017-13-45\"",
        ),
        ("a=1 b=2", "expected AND, OR or the end at character 5, found \"b=2\""),
        (
            "a=1 and",
            "expected a field or an opening parenthesis at character 8, found the end",
        ),
        (
            "(a=1",
            "expected AND, OR or a closing parenthesis at character 5, found the end",
        ),
        ("a=1)", "the closing parenthesis at character 4 was not opened"),
        ("a='x", "the quote at character 3 is not closed: \"'x\""),
        ("é='x' and b='y", "the quote at character 13 is not closed: \"'y\""),
        ("a in 1", "expected an opening parenthesis at character 6, found \"1\""),
        (
            "a in ()",
            "expected a value: text in quotes, a number, true, false or an ISO date at character 7, found \")\"",
        ),
        (
            "a in (1 2)",
            "expected a comma or a closing parenthesis at character 9, found \"2)\"",
        ),
        (
            "a is not null",
            "expected NULL (IS NOT NULL is not part of where clauses) at character 5, found \" not null\"",
        ),
        (
            "not (a=1)",
            "expected a field or an opening parenthesis (NOT is not part of where clauses) at character 1, found \"not (a=1)\"",
        ),
        (
            "''='x'",
            "expected a field or an opening parenthesis at character 1, found an empty name",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refused(text), format!("where clause: {expected}"), "{text}");
    }
}

#[test]
fn depth_and_length_are_limited() {
    let nested = |depth: usize| format!("{}a=1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Where::parse(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(
        Where::parse(&nested(DEPTH_MAX + 1)),
        Err(WhereError::TooDeep {
            position: DEPTH_MAX + 1
        })
    );
    let side_by_side = vec!["(a=1)"; DEPTH_MAX + 1].join("and");
    assert!(Where::parse(&side_by_side).is_ok(), "depth is not a count");
    let long = |bytes: usize| format!("a='{}'", "x".repeat(bytes - 4));
    assert!(Where::parse(&long(CLAUSE_BYTES_MAX)).is_ok());
    assert_eq!(
        Where::parse(&long(CLAUSE_BYTES_MAX + 1)),
        Err(WhereError::TooLong {
            bytes: CLAUSE_BYTES_MAX + 1
        })
    );
    assert!(Where::parse_tolerant(&"(".repeat(CLAUSE_BYTES_MAX * 2), None).is_err());
}

#[test]
fn known_defects_are_repaired_with_a_warning_each() {
    let moment = "2017-08-30T19:19:29.258Z";
    let cases = [
        (
            "d>='2017-08-30T19:19:29+0000''",
            "d>='2017-08-30T19:19:29+0000'",
            "the doubled quote at the end",
        ),
        (
            "d>='2017-08-30T19:19:29+0000'' ",
            "d>='2017-08-30T19:19:29+0000'",
            "the doubled quote at the end",
        ),
        (
            "lastActivityDate>=",
            "lastActivityDate>='2017-08-30T19:19:29.258Z'",
            "the where clause ends in \"lastActivityDate\" >=",
        ),
        (
            "a=1 and d = ",
            "a=1 and d='2017-08-30T19:19:29.258Z'",
            "the where clause ends in \"d\" =",
        ),
        ("a='x')", "a='x'", "a stray closing parenthesis"),
        ("(a='x') ) ) ", "a='x'", "a stray closing parenthesis"),
        ("a=\u{2018}x\u{2019}", "a='x'", "typographic quotes"),
        ("a=\u{201c}x\u{201d}", "a='x'", "typographic quotes"),
        (
            "d>='2018-01-15T00:00:00",
            "d>='2018-01-15T00:00:00'",
            "the missing quote at the end",
        ),
        (
            r"d>='\''2018-01-15'\''",
            "d>='2018-01-15'",
            r"'\'' is how a shell command",
        ),
    ];
    for (text, meant, warning) in cases {
        let (clause, warnings) =
            Where::parse_tolerant(text, Some(moment)).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(clause.to_json(), parse(meant), "{text}");
        assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
        assert!(warnings[0].starts_with(warning), "{text}: {warnings:?}");
    }
    let (_, warnings) = Where::parse_tolerant("lastActivityDate>=", Some(moment)).unwrap();
    assert!(
        warnings[0].contains(r"'\''") && warnings[0].contains("-d @body.json"),
        "{warnings:?}"
    );
    let (both, warnings) = Where::parse_tolerant("a=\u{2018}x\u{2019})", None).unwrap();
    assert_eq!((both.to_json(), warnings.len()), (parse("a='x'"), 2));
}

#[test]
fn sound_clauses_are_never_changed() {
    for text in [
        "a='it''s'",
        "a='\u{2018}x\u{2019}'",
        "a=''",
        "a='x)'",
        r"a='\''",
        "a='d>='",
    ] {
        let (clause, warnings) = Where::parse_tolerant(text, Some("now")).unwrap();
        assert_eq!((clause.to_json(), warnings), (parse(text), Vec::new()), "{text}");
    }
}

#[test]
fn other_defects_are_refused_as_they_were_given() {
    for (text, completion) in [
        ("lastActivityDate>=", None),
        ("Name like", Some("now")),
        ("Name!=", Some("now")),
        ("date<=", Some("now")),
        ("a>= and b=1", Some("now")),
        ("(a>=)", Some("now")),
        ("a='x and b='y'", None),
        ("a=\u{2018}x\u{2019} b", None),
        ("a=')'x)", None),
        ("a=1) and b=2", None),
        ("a='", None),
    ] {
        assert_eq!(
            Where::parse_tolerant(text, completion),
            Err(Where::parse(text).unwrap_err()),
            "{text}"
        );
    }
}

#[test]
fn records_are_matched() {
    let record = json!({
        "id": 7, "name": "Example Ltd", "active": true, "flag": "TRUE", "revenue": 1.5, "none": null,
        "updated": "2017-08-30T19:19:29.258Z", "owner": {"name": {"last": "A"}}, "dotted.key": "x", "digits": "42",
    });
    let holds = [
        "id=7",
        "id=\"7\"",
        "id>6 and id<8",
        "id in (1, 7)",
        "digits=42 and digits<100",
        "revenue>=1.5 and revenue<2",
        "name='Example Ltd'",
        "name!='other'",
        "name like 'ex%'",
        "name like '%LTD'",
        "name like '%amp%l%'",
        "name like 'Example Ltd'",
        "active=true and active='true' and flag=true",
        "none is null and absent is null and owner.name.first is null",
        "owner.name.last='A'",
        "dotted.key='x'",
        "updated>='2017-08-30T19:19:29+0000'",
        "updated='2017-08-30T21:19:29.258+02:00'",
        "updated<2017-08-31",
        "id=8 or name='Example Ltd'",
        "name>'Alpha'",
    ];
    let fails = [
        "id=8",
        "id=7 and name='other'",
        "name='example ltd'",
        "name like 'xample%'",
        "name like 'Ex%Ex%'",
        "name like '%Ltd Ltd'",
        "none='x'",
        "none!='x'",
        "absent!='x'",
        "name is null",
        "id in (1, 2)",
        "active<'maybe'",
        "owner.name='A'",
        "updated>'2017-08-30T15:19:29-0500'",
    ];
    for text in holds {
        assert!(Where::parse(text).unwrap().matches(&record), "{text}");
    }
    for text in fails {
        assert!(!Where::parse(text).unwrap().matches(&record), "{text}");
    }
    assert!(!Where::parse("a=1").unwrap().matches(&json!([1])));
}
