//! Patterns, dates and zones against what was measured with OpenJDK 17 (`java.tsv`, and the tables below).

use super::*;

/// 2017-08-30T19:19:29.258Z
const AUGUST: Timestamp = Timestamp::from_ms(1_504_120_769_258);
/// 2017-08-30T19:19:29Z
const AUGUST_SECONDS: i64 = 1_504_120_769_000;
const HOUR: i64 = 3_600_000;

fn zone(text: &str) -> Zone {
    Zone::parse(text).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

fn read(pattern_text: &str, text: &str, zone_text: &str) -> Result<i64, String> {
    pattern(pattern_text)
        .read(text, &zone(zone_text))
        .map(Timestamp::as_ms)
        .map_err(|error| error.to_string())
}

fn iso(text: &str) -> Result<i64, String> {
    read_lenient(text, None, &Zone::utc())
        .map(Timestamp::as_ms)
        .map_err(|error| error.to_string())
}

#[test]
fn every_letter_formats_as_in_java() {
    for line in include_str!("java.tsv").lines() {
        let columns: Vec<_> = line.split('\t').collect();
        let [zone_text, ms, pattern_text, expected] = columns[..] else {
            panic!("{line:?}")
        };
        let time = Timestamp::from_ms(ms.parse().unwrap());
        assert_eq!(
            pattern(pattern_text).format(time, &zone(zone_text)),
            expected,
            "{line:?}"
        );
    }
}

#[test]
fn documented_patterns_format_as_measured() {
    let cases = [
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2017-08-30T19:19:29Z"),
        ("yyyy-MM-dd'T'HH:mm:ssZ", "2017-08-30T19:19:29+0000"),
        ("yyyy-MM-dd'T'HH:mm:ss'Z'", "2017-08-30T19:19:29Z"),
        ("yyyy-MM-dd", "2017-08-30"),
        ("yyyy/MM/dd HH:mm:ss", "2017/08/30 19:19:29"),
        ("MM/dd/yyyy'T'HH:mm:ssXXX", "08/30/2017T19:19:29Z"),
        ("MM/dd/yyyy", "08/30/2017"),
        ("dd/MM/yyyy'T'HH:mm:ssXXX", "30/08/2017T19:19:29Z"),
        ("dd/MM/yyyy", "30/08/2017"),
        ("EEE, dd MMM yyyy HH:mm:ss Z", "Wed, 30 Aug 2017 19:19:29 +0000"),
        ("yyyy-MM-dd'T'HH:mm:ss", "2017-08-30T19:19:29"),
        ("yyyy-MM-dd HH:mm:ss", "2017-08-30 19:19:29"),
        ("MM/dd/yyyy HH:mm:ss", "08/30/2017 19:19:29"),
        ("yyyy-MM-dd'T'HH:mm:ssX", "2017-08-30T19:19:29Z"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSS", "2017-08-30T19:19:29.258"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "2017-08-30T19:19:29.258Z"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2017-08-30T19:19:29.258+0000"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2017-08-30T19:19:29.258Z"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2017-08-30T19:19:29.258Z"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX", "2017-08-30T19:19:29.000258Z"),
        ("yyyy-MM-dd'T'HH:mmz", "2017-08-30T19:19GMT"),
        ("MM/dd/yyy'T'HH:mm:ssXXX", "08/30/2017T19:19:29Z"),
        ("yyyy-MM-dd HH:mm:ss -0800", "2017-08-30 19:19:29 -0800"),
        ("milliseconds", "1504120769258"),
    ];
    for (pattern_text, expected) in cases {
        let pattern = pattern(pattern_text);
        assert_eq!(pattern.format(AUGUST, &zone("GMT")), expected, "{pattern_text}");
        let read = pattern.read(expected, &Zone::utc()).unwrap();
        assert_eq!(
            pattern.format(read, &zone("GMT")).len(),
            expected.len(),
            "{pattern_text} reads what it writes"
        );
    }
}

#[test]
fn offsets_have_as_many_parts_as_x() {
    let cases = [
        ("X", "+05"),
        ("XX", "+0530"),
        ("XXX", "+05:30"),
        ("Z", "+0530"),
        ("z", "IST"),
        ("zzzz", "India Standard Time"),
    ];
    for (pattern_text, expected) in cases {
        assert_eq!(pattern(pattern_text).format(AUGUST, &zone("Asia/Kolkata")), expected);
    }
}

#[test]
fn reads_as_java_where_java_is_right() {
    let cases = [
        (
            "yyyy-MM-dd'T'HH:mm:ss'Z'",
            "2017-08-30T19:19:29Z",
            "GMT",
            AUGUST_SECONDS,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ss'Z'",
            "2017-08-30T13:19:29Z",
            "EST",
            AUGUST_SECONDS - HOUR,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ssZ",
            "2017-08-30T19:19:29-0500",
            "PST",
            AUGUST_SECONDS + 5 * HOUR,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ssZ",
            "2017-08-30T19:19:29GMT",
            "PST",
            AUGUST_SECONDS,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ssZ",
            "2017-08-30T19:19:29GMT-6:00",
            "PST",
            AUGUST_SECONDS + 6 * HOUR,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            "2017-08-30T19:19:29Z",
            "PST",
            AUGUST_SECONDS,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            "2017-08-30T19:19:29-05:00",
            "PST",
            AUGUST_SECONDS + 5 * HOUR,
        ),
        (
            "EEE, dd MMM yyyy HH:mm:ss z",
            "wed, 30 AUGUST 2017 12:19:29 PDT",
            "GMT",
            AUGUST_SECONDS,
        ),
        (
            "EEEE, MMMM d, yyyy h:mm a",
            "Wednesday, August 30, 2017 7:19 PM",
            "GMT",
            1_504_120_740_000,
        ),
        (
            "EEEE, MMMM d, yyyy h:mm a",
            "Wednesday, August 30, 2017 12:19 AM",
            "GMT",
            1_504_052_340_000,
        ),
        ("MMM d yyyy", "Aug 30 2017", "GMT", 1_504_051_200_000),
        ("yyyyMMddHHmmssSSS", "20170830191929258", "GMT", 1_504_120_769_258),
        ("yyMMddHHmmssZ", "170830191929+0200", "GMT", AUGUST_SECONDS - 2 * HOUR),
        ("MM/dd/yy", "8/8/16", "GMT", 1_470_614_400_000),
        ("MM/dd/yy", "8/8/99", "GMT", 934_070_400_000),
        ("yyyy-DDD", "2017-242", "GMT", 1_504_051_200_000),
        ("YYYY-'W'ww-u", "2017-W35-3", "GMT", 1_504_051_200_000),
        ("YYYY-'W'ww", "2017-W35", "GMT", 1_503_792_000_000),
        ("yyyy MM W E", "2017 08 5 Wed", "GMT", 1_504_051_200_000),
        ("yyyy MM F E", "2017 08 5 Wed", "GMT", 1_504_051_200_000),
        ("yyyy-ww-E", "2018-01-Wed", "GMT", 1_514_937_600_000),
        ("yyyy MM", "2017 08", "GMT", 1_501_545_600_000),
        ("G yyyy-MM-dd", "AD 2017-08-30", "GMT", 1_504_051_200_000),
        ("K:mm a", "11:05 PM", "GMT", 23 * HOUR + 5 * 60_000),
        ("kk:mm", "24:05", "GMT", 5 * 60_000),
        ("HH:mm", "24:00", "GMT", 24 * HOUR),
        ("HH:mm:ss", "23:59:60", "GMT", 24 * HOUR),
        ("yyyy-MM-dd", " 2017- 8- 3 ", "GMT", 1_501_718_400_000),
        (
            "hh 'o''clock' a, zzzz",
            "07 o'clock PM, Pacific Daylight Time",
            "GMT",
            26 * HOUR,
        ),
        ("yyyy-MM-dd HH:mm z", "2018-07-04 01:30 PST", "GMT", 1_530_696_600_000),
        ("milliseconds", "1508943600000", "PST", 1_508_943_600_000),
        ("milliseconds", "-1", "PST", -1),
    ];
    for (pattern_text, text, zone_text, expected) in cases {
        assert_eq!(
            read(pattern_text, text, zone_text),
            Ok(expected),
            "{pattern_text} {text} {zone_text}"
        );
    }
}

#[test]
fn reads_better_than_java_where_java_misreads() {
    let cases = [
        // Java refuses these.
        (
            "yyyy-MM-dd'T'HH:mm:ss'Z'",
            "2017-08-30T19:19:29.123Z",
            AUGUST_SECONDS + 123,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ss'Z'",
            "2017-08-30T19:19:29-0500",
            AUGUST_SECONDS + 5 * HOUR,
        ),
        ("yyyy-MM-dd'T'HH:mm:ssZ", "2017-08-30T19:19:29Z", AUGUST_SECONDS),
        (
            "yyyy-MM-dd'T'HH:mm:ssZ",
            "2017-08-30T19:19:29-05:00",
            AUGUST_SECONDS + 5 * HOUR,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ssZ",
            "2017-08-30T19:19:29.5-05:00",
            AUGUST_SECONDS + 5 * HOUR + 500,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            "2017-08-30T19:19:29-0500",
            AUGUST_SECONDS + 5 * HOUR,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            "2017-08-30T19:19:29-6:00",
            AUGUST_SECONDS + 6 * HOUR,
        ),
        // Java reads these as something else.
        (
            "yyyy-MM-dd'T'HH:mm:ss",
            "2017-08-30T19:19:29.123Z",
            AUGUST_SECONDS + 123,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
            "2017-08-30T19:19:29.123456",
            AUGUST_SECONDS + 123,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
            "2017-08-30T19:19:29.123456789+01:00",
            AUGUST_SECONDS - HOUR + 123,
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ss.SSS",
            "2017-08-30T19:19:29.1",
            AUGUST_SECONDS + 100,
        ),
        ("MM/dd/yyyy", "8/8/16", 1_470_614_400_000),
        ("YYYY-MM-dd", "2017-08-30", 1_504_051_200_000),
        ("MM/dd/yyyy HH:mm:ss", "08/30/2017 12:19:29 PDT", AUGUST_SECONDS),
    ];
    for (pattern_text, text, expected) in cases {
        assert_eq!(read(pattern_text, text, "UTC"), Ok(expected), "{pattern_text} {text}");
    }
}

#[test]
fn says_what_is_wrong_with_a_date() {
    let cases = [
        ("yyyy-MM-dd", "2017-13-45", "month 13 is out of range; expected 1 to 12"),
        ("yyyy-MM-dd", "2017-02-30", "there is no day 2017-02-30"),
        (
            "yyyy-MM-dd",
            "2017-02-03 rest",
            "expected the end at character 12, found \"rest\"",
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ss'Z'",
            "2017-08-30T19:19:29",
            "expected \"Z\" at character 20, found the end",
        ),
        (
            "MM/dd/yyyy",
            "",
            "expected the digits of the month at character 1, found the end",
        ),
        (
            "EEE, d MMM",
            "Wed, 1 Foo",
            "expected a month's name at character 8, found \"Foo\"",
        ),
        ("HH:mm", "24:01", "hour 24 is out of range; expected 0 to 23"),
        (
            "HH:mm z",
            "12:00 XYZ",
            "expected a time zone such as Z, -05:00, -0500 or PST at character 7, found \"XYZ\"",
        ),
        ("yyyy", "999999999", "date is too far away"),
        ("milliseconds", "2017", ""),
        (
            "milliseconds",
            "17-08",
            "expected milliseconds of Unix time, such as 1504120769258, at character 1, found \"17-08\"",
        ),
    ];
    for (pattern_text, text, expected) in cases {
        match read(pattern_text, text, "UTC") {
            Ok(ms) => assert_eq!((ms, expected), (2017, ""), "{pattern_text} {text}"),
            Err(error) => assert_eq!(error, expected, "{pattern_text} {text}"),
        }
    }
}

#[test]
fn hours_that_come_twice_or_never_are_read_as_in_java() {
    let at = |text| read("yyyy-MM-dd HH:mm", text, "PST").unwrap();
    assert_eq!(at("2018-03-11 02:30"), 1_520_764_200_000, "skipped: 03:30 PDT");
    assert_eq!(at("2018-11-04 01:30"), 1_541_323_800_000, "twice: the later, PST");
    assert_eq!(
        read("yyyy-MM-dd HH:mm z", "2018-11-04 01:30 PDT", "PST"),
        Ok(1_541_320_200_000)
    );
}

#[test]
fn iso_dates_are_read_whatever_the_pattern_says() {
    let cases = [
        ("2017-08-30", 1_504_051_200_000),
        ("2017-08-30T19:19", AUGUST_SECONDS - 29_000),
        ("2017-08-30T19:19:29", AUGUST_SECONDS),
        ("2017-08-30 19:19:29", AUGUST_SECONDS),
        ("2017-08-30t19:19:29z", AUGUST_SECONDS),
        ("2017-08-30T19:19:29.2Z", AUGUST_SECONDS + 200),
        ("2017-08-30T19:19:29.25Z", AUGUST_SECONDS + 250),
        ("2017-08-30T19:19:29,258Z", AUGUST_SECONDS + 258),
        ("2017-08-30T19:19:29.2589999Z", AUGUST_SECONDS + 258),
        ("2017-08-30T19:19:29.258999999+00:00", AUGUST_SECONDS + 258),
        ("2017-08-30T19:19:29.000258Z", AUGUST_SECONDS),
        ("2017-08-30T19:19:29-0500", AUGUST_SECONDS + 5 * HOUR),
        ("2017-08-30T19:19:29-05", AUGUST_SECONDS + 5 * HOUR),
        ("2017-08-30T19:19:29-6:00", AUGUST_SECONDS + 6 * HOUR),
        ("2017-08-30 19:19:29 -0800", AUGUST_SECONDS + 8 * HOUR),
        ("2017-08-30T12:19:29 PDT", AUGUST_SECONDS),
        ("2017-08-30T19:19:29 Europe/Paris", AUGUST_SECONDS - 2 * HOUR),
        ("2017-08-29T24:00:00Z", 1_504_051_200_000),
        (" 2017-08-30T19:19:29Z\n", AUGUST_SECONDS),
        ("0001-01-01T00:00:00", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ];
    let other = pattern("EEE, dd MMM yyyy");
    for (text, expected) in cases {
        assert_eq!(iso(text), Ok(expected), "{text}");
        assert_eq!(
            read_lenient(text, Some(&other), &Zone::utc()),
            Ok(Timestamp::from_ms(expected)),
            "{text}"
        );
    }
}

#[test]
fn iso_text_without_zone_is_in_the_configured_one_and_z_is_utc() {
    let quoted = pattern("yyyy-MM-dd'T'HH:mm:ss'Z'");
    let read = |text, zone_text| read_lenient(text, Some(&quoted), &zone(zone_text)).unwrap().as_ms();
    assert_eq!(read("2017-08-30T13:19:29", "EST"), AUGUST_SECONDS - HOUR);
    assert_eq!(read("2017-08-30T12:19:29", "PST"), AUGUST_SECONDS);
    assert_eq!(read("2017-08-30T19:19:29Z", "EST"), AUGUST_SECONDS);
    assert_eq!(read("2017-08-30", "PST"), 1_504_051_200_000 + 7 * HOUR);
}

#[test]
fn a_pattern_with_the_day_before_the_month_comes_before_iso() {
    let odd = pattern("yyyy-dd-MM");
    let read = |text| read_lenient(text, Some(&odd), &Zone::utc()).map(Timestamp::as_ms);
    assert_eq!(read("2017-05-08"), Ok(1_501_891_200_000), "5 August");
    assert_eq!(read("2017-08-30T19:19:29Z"), Ok(AUGUST_SECONDS), "ISO after all");
    assert!(read("nonsense").is_err());
}

#[test]
fn says_what_is_wrong_with_an_iso_date() {
    let cases = [
        (
            "",
            "expected a date such as 2017-08-30T19:19:29Z at character 1, found the end",
        ),
        (
            "yesterday",
            "expected a date such as 2017-08-30T19:19:29Z at character 1, found \"yesterday\"",
        ),
        (
            "1504120769258",
            "expected - and a month of two digits at character 5, found \"120769258\"",
        ),
        ("2017-13-45", "month 13 is out of range; expected 1 to 12"),
        ("2017-02-29", "there is no day 2017-02-29"),
        ("2017-08-30T25:00", "hour 25 is out of range; expected 0 to 24"),
        (
            "2017-08-30T19",
            "expected \":\" and minutes at character 14, found the end",
        ),
        (
            "2017-08-30T19:19:29Q",
            "expected a time zone or the end at character 20, found \"Q\"",
        ),
        (
            "2017-08-30T19:19:29+24:00",
            "expected a time zone or the end at character 20, found \"+24:00\"",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(iso(text), Err(expected.into()), "{text}");
    }
    assert_eq!(
        read_lenient(&"9".repeat(DATE_BYTES_MAX + 1), None, &Zone::utc()),
        Err(ReadError::TooLong)
    );
}

#[test]
fn refuses_patterns_with_position_and_letter() {
    let cases = [
        (
            "",
            "date pattern is empty; expected one such as yyyy-MM-dd'T'HH:mm:ss, or the word milliseconds",
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ss'",
            "date pattern has an unterminated quote at character 22: \"'\"; expected a closing quote",
        ),
        (
            "yyyy-MM-ddTHH:mm",
            "date pattern has the unknown letter 'T' at character 11; \
             expected one of G y Y M L w W D d F E u a H k K h m s S z Z X, or text in single quotes",
        ),
        ("HHXXXX", "date pattern has 4 X at character 3; expected X, XX or XXX"),
        (
            "yyyy <FORMAT>",
            "date pattern has <FORMAT>, a placeholder that was not filled in, at character 6",
        ),
        (
            "seconds",
            "date pattern has the unknown letter 'e' at character 2; \
             expected one of G y Y M L w W D d F E u a H k K h m s S z Z X, or text in single quotes",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            Pattern::parse(text).map_err(|error| error.to_string()),
            Err(expected.into()),
            "{text}"
        );
    }
    let long = "y".repeat(PATTERN_BYTES_MAX + 1);
    assert_eq!(
        Pattern::parse(&long),
        Err(PatternError::TooLong {
            bytes: PATTERN_BYTES_MAX + 1
        })
    );
    assert!(Pattern::parse(&long[1..]).is_ok());
}

#[test]
fn tolerates_the_open_quote_of_the_seed_with_a_warning() {
    let (open, warnings) = Pattern::parse_tolerant("yyyy-MM-dd'T'HH:mm:ss'").unwrap();
    assert_eq!(open, pattern("yyyy-MM-dd'T'HH:mm:ss"));
    assert_eq!(warnings, [Warning::UnterminatedQuote { position: 22 }]);
    assert!(
        warnings[0]
            .to_string()
            .starts_with("the quote at character 22 is not closed")
    );
    let (zulu, _) = Pattern::parse_tolerant("yyyy-MM-dd'T'HH:mm:ss'Z").unwrap();
    assert_eq!(zulu, pattern("yyyy-MM-dd'T'HH:mm:ss'Z'"));
    assert!(
        Pattern::parse_tolerant("yyyy-MM-dd'THH:mm:ss").is_err(),
        "half the pattern would be lost"
    );
}

#[test]
fn tolerates_quotes_copied_out_of_a_shell_command() {
    let (copied, warnings) = Pattern::parse_tolerant(r"yyyy-MM-dd'\''T'\''HH:mm:ss'\''").unwrap();
    assert_eq!(copied, pattern("yyyy-MM-dd'T'HH:mm:ss"));
    assert_eq!(
        warnings,
        [Warning::ShellQuotes, Warning::UnterminatedQuote { position: 22 }]
    );
}

#[test]
fn warns_of_letters_that_are_likely_not_meant() {
    let cases: [(&str, &[Warning]); 7] = [
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", &[]),
        ("hh:mm a", &[]),
        ("YYYY-'W'ww", &[]),
        ("YYYY-MM-dd", &[Warning::WeekYear]),
        ("yyyy-MM-DD", &[Warning::DayInYear]),
        ("yyyy-MM-dd hh:mm", &[Warning::HalfDayWithoutMarker]),
        ("yyyy-mm-dd", &[Warning::MinutesForMonth]),
    ];
    for (text, expected) in cases {
        assert_eq!(Pattern::parse_tolerant(text).unwrap().1, expected, "{text}");
    }
}

#[test]
fn zones_are_known_by_name_id_and_offset() {
    let cases = [
        ("", "+0000 UTC", "+0000 UTC"),
        ("UTC", "+0000 UTC", "+0000 UTC"),
        ("gmt", "+0000 GMT", "+0000 GMT"),
        ("Z", "+0000 UTC", "+0000 UTC"),
        ("EST", "-0500 EST", "-0500 EST"),
        ("MST", "-0700 MST", "-0700 MST"),
        ("HST", "-1000 HST", "-1000 HST"),
        ("EDT", "-0400 EDT", "-0400 EDT"),
        ("PST", "-0700 PDT", "-0800 PST"),
        ("cst", "-0500 CDT", "-0600 CST"),
        ("IST", "+0530 IST", "+0530 IST"),
        ("CTT", "+0800 CST", "+0800 CST"),
        ("CET", "+0200 CEST", "+0100 CET"),
        ("America/Denver", "-0600 MDT", "-0700 MST"),
        (" america/denver ", "-0600 MDT", "-0700 MST"),
        ("America/Sao_Paulo", "-0300 GMT-03:00", "-0200 GMT-02:00"),
        ("-6:00", "-0600 GMT-06:00", "-0600 GMT-06:00"),
        ("+06:00", "+0600 GMT+06:00", "+0600 GMT+06:00"),
        ("-0600", "-0600 GMT-06:00", "-0600 GMT-06:00"),
        ("-6", "-0600 GMT-06:00", "-0600 GMT-06:00"),
        ("GMT-6:00", "-0600 GMT-06:00", "-0600 GMT-06:00"),
        ("UTC+5:30", "+0530 GMT+05:30", "+0530 GMT+05:30"),
        ("+23:59", "+2359 GMT+23:59", "+2359 GMT+23:59"),
        ("-0:00", "+0000 GMT", "+0000 GMT"),
    ];
    let both = pattern("Z z");
    let january = Timestamp::from_ms(1_516_012_207_000);
    for (text, in_august, in_january) in cases {
        let zone = zone(text);
        assert_eq!(both.format(AUGUST, &zone), in_august, "{text}");
        assert_eq!(both.format(january, &zone), in_january, "{text}");
        assert_eq!(
            both.format(AUGUST, &self::zone(&zone.to_string())),
            in_august,
            "{text} as {zone}"
        );
    }
}

#[test]
fn unknown_zones_are_refused_by_name() {
    let unknown = |text: &str| ZoneError::Unknown(text.into());
    let range = |text: &str| ZoneError::OutOfRange(text.into());
    let cases = [
        ("Mars/Olympus", unknown("Mars/Olympus")),
        ("XYZ", unknown("XYZ")),
        ("-6:0", range("-6:0")),
        ("+24:00", range("+24:00")),
        ("+05:60", range("+05:60")),
        ("GMT+25", range("GMT+25")),
        ("+", unknown("+")),
        ("-six", unknown("-six")),
        ("<ZONE>", ZoneError::Placeholder("<ZONE>".into())),
        ("{TimeZone}", ZoneError::Placeholder("{TimeZone}".into())),
    ];
    for (text, expected) in cases {
        assert_eq!(Zone::parse(text), Err(expected), "{text}");
    }
    assert!(
        Zone::parse("Mars/Olympus")
            .unwrap_err()
            .to_string()
            .contains("\"Mars/Olympus\"")
    );
}

#[test]
fn a_regions_own_abbreviation_beats_the_american_one() {
    let at = |zone_text| read("yyyy-MM-dd HH:mm z", "2017-08-30 12:00 CST", zone_text).unwrap();
    assert_eq!(at("Asia/Shanghai"), 1_504_065_600_000);
    assert_eq!(at("UTC"), 1_504_116_000_000);
}

#[test]
fn the_ends_of_time_neither_panic_nor_wrap() {
    let all = pattern("G yyyy YYYY MM ww W D dd F E u a HH kk KK hh mm ss SSS zzzz Z XXX");
    for ms in [
        i64::MIN,
        i64::MIN + 1,
        -8_334_601_228_800_000,
        8_210_266_876_799_999,
        i64::MAX,
    ] {
        for zone_text in ["UTC", "PST", "+23:59", "-23:59"] {
            assert!(!all.format(Timestamp::from_ms(ms), &zone(zone_text)).is_empty());
        }
    }
    for year in ["262142", "262143", "00000000", "999999999"] {
        for zone_text in ["UTC", "PST", "+23:59", "-23:59"] {
            let zone = zone(zone_text);
            let _either = pattern("yyyy-MM-dd").read(&format!("{year}-12-31"), &zone);
            let _either = pattern("G yyyy-MM-dd").read(&format!("BC {year}-01-01"), &zone);
        }
    }
}
