//! Every macro that exports and docs are known to have, and the ways they are written wrongly.

use super::*;

/// 2017-08-30T19:19:29.258Z
const LAST_POLL: Timestamp = Timestamp::from_ms(1_504_120_769_258);
/// 2018-01-15T10:30:07.001Z
const NOW: Timestamp = Timestamp::from_ms(1_516_012_207_001);

fn moments() -> Moments {
    Moments {
        last_poll: LAST_POLL,
        now: NOW,
        default_zone: Zone::utc(),
    }
}

fn expand(text: &str) -> Result<String, String> {
    Template::parse(text)
        .map(|template| template.expand(&moments()))
        .map_err(|error| error.to_string())
}

#[test]
fn every_word_gives_its_moment() {
    let cases = [
        ("${gmtDate:yyyy-MM-dd'T'HH:mm:ssXXX}", "2017-08-30T19:19:29Z"),
        ("${date:yyyy-MM-dd'T'HH:mm:ssZ}", "2017-08-30T19:19:29+0000"),
        ("${date}", "2017-08-30T19:19:29+0000"),
        ("${gmtDate}", "2017-08-30T19:19:29+0000"),
        ("${GMTDATE:yyyy}", "2017"),
        (
            "${dateTimeZone:PST:yyyy-MM-dd HH:mm:ss -0800}",
            "2017-08-30 12:19:29 -0800",
        ),
        ("${DateTimeZone:MST:HH:mm z}", "12:19 MST"),
        (
            "${dateTimeZone:CST:MM/dd/yyyy'T'HH:mm:ssXXX}",
            "08/30/2017T14:19:29-05:00",
        ),
        ("${dateTimeZone:America/Denver:HH:mm:ss}", "13:19:29"),
        ("${dateTimeZone:-6:00:yyyy-MM-dd'T'HH:mm:ss}", "2017-08-30T13:19:29"),
        ("${dateTimeZone:+6:00:HH:mm}", "01:19"),
        ("${dateTimeZone:+06:00:HH}", "01"),
        ("${dateTimeZone:-0600:HH:mm}", "13:19"),
        ("${dateTimeZone:GMT-6:00:HH:mm}", "13:19"),
        ("${dateTimeZone:-6:00}", "2017-08-30T13:19:29-0600"),
        ("${dateTimeZone:PST}", "2017-08-30T12:19:29-0700"),
        ("${epoch}", "1504120769258"),
        ("${epoch:ms}", "1504120769258"),
        ("${epoch:s}", "1504120769"),
        ("${epoch:us}", "1504120769258000"),
        ("${epoch:0}", "0"),
        ("${Milliseconds}", "1504120769258"),
        ("${date:milliseconds}", "1504120769258"),
        ("${nowTimeZone:GMT:yyyy-MM-dd'T'HH:mm:ss}", "2018-01-15T10:30:07"),
        (
            "${gmtDate:EEE, dd MMM yyyy HH:mm:ss Z}",
            "Wed, 30 Aug 2017 19:19:29 +0000",
        ),
        (
            "${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}",
            "2017-08-30T19:19:29.000258Z",
        ),
        ("${gmtDate:MM/dd/yyy'T'HH:mm:ssXXX}", "08/30/2017T19:19:29Z"),
    ];
    for (text, expected) in cases {
        assert_eq!(expand(text), Ok(expected.into()), "{text}");
    }
}

#[test]
fn several_macros_and_plain_text_live_side_by_side() {
    let cases = [
        ("from=${date:yyyy}&to=${nowTimeZone:UTC:yyyy}", "from=2017&to=2018"),
        (
            "`$city`='Dallas' AND x>${epoch}",
            "`$city`='Dallas' AND x>1504120769258",
        ),
        (
            "/calendars/{calendarId}/events?cost=$5",
            "/calendars/{calendarId}/events?cost=$5",
        ),
        ("$", "$"),
        ("", ""),
    ];
    for (text, expected) in cases {
        assert_eq!(expand(text), Ok(expected.into()), "{text}");
    }
}

#[test]
fn the_default_zone_is_that_of_date_alone() {
    let template = Template::parse("${date:HH} ${gmtDate:HH}").unwrap();
    let moments = Moments {
        default_zone: Zone::parse("PST").unwrap(),
        ..moments()
    };
    assert_eq!(template.expand(&moments), "12 19");
}

#[test]
fn shell_quotes_in_a_format_are_tolerated_with_a_warning() {
    let template = Template::parse(r"x>'${date:yyyy-MM-dd'\''T'\''HH:mm:ss}'").unwrap();
    assert_eq!(template.expand(&moments()), "x>'2017-08-30T19:19:29'");
    assert_eq!(template.warnings().len(), 1);
    assert!(
        template.warnings()[0].starts_with("macro at character 4: "),
        "{:?}",
        template.warnings()
    );
}

#[test]
fn refuses_precisely() {
    let cases = [
        (
            "a>'${yyyy-MM-dd'T'HH:mm:ss}'",
            "macro at character 4 has a format but no word before it: \"yyyy-MM-dd'T'HH:mm:ss\"",
        ),
        (
            "a>'${:yyyy-MM-dd}'",
            "macro at character 4 has a format but no word before it: \":yyyy-MM-dd\"",
        ),
        (
            "a>'$yyyy-MM-dd'T'HH:mm:ss}'",
            "macro at character 4 has no braces; found \"$yyyy-MM-dd'T'HH:mm:ss}\"",
        ),
        (
            "a>'${date:yyyy",
            "macro at character 4 has no closing brace; found \"${date:yyyy\"",
        ),
        (
            "é${date:{}",
            "macro at character 2 has no closing brace; found \"${date:{}\"",
        ),
        (
            "${foo:yyyy}",
            "macro at character 1 has the unknown word \"foo:yyyy\"; expected ${gmtDate:FORMAT}",
        ),
        ("${}", "macro at character 1 has a format but no word before it: \"\""),
        (
            "${dateTimeZone:{TimeZone}:yyyy-MM-dd'T'HH:mm:ss}",
            "macro at character 1: zone not filled in: \"{TimeZone}\"",
        ),
        (
            "${dateTimeZone:<ZONE>:yyyy}",
            "macro at character 1: zone not filled in: \"<ZONE>\"",
        ),
        ("${dateTimeZone}", "macro at character 1: zone not filled in: \"\""),
        (
            "${dateTimeZone::yyyy}",
            "macro at character 1: zone not filled in: \"\"",
        ),
        (
            "${dateTimeZone:Mars:yyyy}",
            "macro at character 1: time zone \"Mars\" is not known",
        ),
        (
            "${nowTimeZone:+25:00:yyyy}",
            "macro at character 1: time zone \"+25:00\" is out of range",
        ),
        (
            "${epoch:weeks}",
            "macro at character 1 has the unknown unit \"weeks\"; expected ms, s or us",
        ),
        (
            "${milliseconds:ms}",
            "macro at character 1 has the unknown word \"milliseconds:ms\"",
        ),
        (
            "${date:yyyy-MM-ddTHH}",
            "macro at character 1: date pattern has the unknown letter 'T' at character 11",
        ),
        ("${date:}", "macro at character 1: date pattern is empty"),
        (
            "${date:<FORMAT>}",
            "macro at character 1: date pattern has <FORMAT>, a placeholder that was not filled in",
        ),
    ];
    for (text, expected) in cases {
        let error = expand(text).expect_err(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}
