//! Tests of `dates` by tables of cases. Must not reach beyond the module's own functions.

use super::*;

const SECOND: i64 = 1_504_120_769_000; // 2017-08-30T19:19:29Z

#[test]
fn reads_zones_and_fractions_in_every_spelling() {
    for (text, expected) in [
        ("2017-08-30T19:19:29Z", SECOND),
        ("2017-08-30T19:19:29", SECOND),
        ("2017-08-30 19:19:29z", SECOND),
        ("2017-08-30T19:19:29.258Z", SECOND + 258),
        ("2017-08-30T19:19:29.2Z", SECOND + 200),
        ("2017-08-30T19:19:29.25", SECOND + 250),
        ("2017-08-30T19:19:29,2589Z", SECOND + 258),
        ("2017-08-30T19:19:29.258999999Z", SECOND + 258),
        ("2017-08-30T14:19:29-0500", SECOND),
        ("2017-08-30T14:19:29.258-05:00", SECOND + 258),
        ("2017-08-30T21:19:29+02", SECOND),
        ("2017-08-31T00:49:29+05:30", SECOND),
        ("2017-08-30T19:19Z", SECOND - 29_000),
        ("2017-08-30T19:19", SECOND - 29_000),
        ("2017-08-30", 1_504_051_200_000),
        ("1970-01-01", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2000-02-29", 951_782_400_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
    ] {
        assert_eq!(parse_iso(text.as_bytes()), Some(expected), "{text}");
    }
}

#[test]
fn refuses_what_is_no_date() {
    for text in [
        "",
        "x",
        "2017",
        "2017-08",
        "2017-8-30",
        "2017-13-01",
        "2017-00-10",
        "2017-02-29",
        "1900-02-29",
        "2017-04-31",
        "2017-08-30T",
        "2017-08-30T19",
        "2017-08-30T24:00:00Z",
        "2017-08-30T19:60",
        "2017-08-30T19:19:61Z",
        "2017-08-30T19:19:29.Z",
        "2017-08-30T19:19:29.1234567890Z",
        "2017-08-30T19:19:29 EST",
        "2017-08-30T19:19:29+5:00",
        "2017-08-30T19:19:29+24:00",
        "2017-08-30T19:19:29*0500",
        "08/30/2017",
        "1504120769258",
        "2017-08-30x",
        "２０１７-08-30",
        "-017-08-30",
    ] {
        assert_eq!(parse_iso(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn writes_what_it_reads_on_every_day_of_eight_centuries() {
    let mut day = -146_097; // 1570-01-01
    while day < 146_097 {
        let at = day * MS_A_DAY + 45_296_789;
        let text = format_iso(at);
        assert!(text.ends_with("T12:34:56.789Z"), "{text}");
        assert_eq!(parse_iso(text.as_bytes()), Some(at), "{text}");
        day += 1;
    }
}

#[test]
fn writes_the_edges() {
    assert_eq!(format_iso(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(format_iso(-1), "1969-12-31T23:59:59.999Z");
    assert_eq!(format_iso(SECOND + 7), "2017-08-30T19:19:29.007Z");
    assert_eq!(format_iso(i64::MAX), "9999-12-31T23:59:59.999Z");
    assert_eq!(format_iso(i64::MIN), "0000-01-01T00:00:00.000Z");
}
