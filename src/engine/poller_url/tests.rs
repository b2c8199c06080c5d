//! Whole urls: the seed's as printed, other elements' as exported, and noise.

use serde_json::json;

use super::*;

/// 2018-01-15T10:30:07Z
const LAST_POLL: Timestamp = Timestamp::from_ms(1_516_012_207_000);
const PRINTED_AS_JSON: &str = "/hubs/crm/accounts?where=lastActivityDate>='${date:yyyy-MM-dd'T'HH:mm:ssZ}''";
const PASTED_INTO_BASH: &str = "/hubs/crm/accounts?where=lastActivityDate>=";
const AS_MEANT: &str = "/hubs/crm/accounts?where=lastActivityDate>='${date:yyyy-MM-dd'T'HH:mm:ssZ}'";

fn moments() -> Moments {
    let now = Timestamp::from_ms(1_516_013_000_000);
    Moments {
        last_poll: LAST_POLL,
        now,
        default_zone: Zone::utc(),
    }
}

fn ask(url: &str) -> (Request, Vec<String>) {
    let (parsed, warnings) = PollerUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    let request = parsed.at(&moments()).unwrap();
    assert_eq!(parsed.resource(), request.resource);
    (request, warnings)
}

fn filter(url: &str) -> serde_json::Value {
    ask(url)
        .0
        .filter
        .map_or(serde_json::Value::Null, |filter| filter.to_json())
}

fn parameters(url: &str) -> Vec<(String, String)> {
    ask(url).0.parameters
}

fn refused(url: &str) -> String {
    PollerUrl::parse(url).expect_err(url).to_string()
}

#[test]
fn the_seeds_url_as_printed_has_one_quote_too_many() {
    let (request, warnings) = ask(PRINTED_AS_JSON);
    assert_eq!(request.resource, "accounts");
    assert_eq!(
        request.filter.unwrap().to_json(),
        json!({"op": ">=", "field": "lastActivityDate", "value": "2018-01-15T10:30:07+0000"})
    );
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("doubled quote"), "{warnings:?}");
}

#[test]
fn the_seeds_curl_command_pasted_into_bash_is_completed() {
    let (request, warnings) = ask(PASTED_INTO_BASH);
    assert_eq!(request.resource, "accounts");
    assert_eq!(
        request.filter.unwrap().to_json(),
        json!({"op": ">=", "field": "lastActivityDate", "value": "2018-01-15T10:30:07.000Z"})
    );
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains(r"'\''") && warnings[0].contains("@body.json"),
        "{warnings:?}"
    );
}

#[test]
fn the_seeds_url_as_meant_needs_no_warning() {
    let (request, warnings) = ask(AS_MEANT);
    assert_eq!(
        request.filter.unwrap().to_json(),
        json!({"op": ">=", "field": "lastActivityDate", "value": "2018-01-15T10:30:07+0000"})
    );
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn shell_quotes_from_a_curl_command_are_read_as_quotes() {
    let url = r"/hubs/crm/accounts?where=lastActivityDate>='\''${date:yyyy-MM-dd'\''T'\''HH:mm:ssZ}'\''";
    assert_eq!(filter(url), filter(AS_MEANT));
    assert_eq!(ask(url).1.len(), 2);
}

#[test]
fn other_elements_urls_can_be_expressed() {
    let compare = |op: &str, field: &str, value: &str| json!({"op": op, "field": field, "value": value});
    let since = "2018-01-15T10:30:07Z";
    let cases = [
        (
            "/hubs/crm/deals?where=mdate>='${gmtDate:yyyy-MM-dd'T'HH:mm:ssXXX}'",
            compare(">=", "mdate", since),
        ),
        (
            "/hubs/x/contacts?where=lastUpdated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
            compare(">", "lastUpdated", since),
        ),
        (
            "/hubs/x/contacts?where=lastmodifieddate='${date}'",
            compare("=", "lastmodifieddate", "2018-01-15T10:30:07+0000"),
        ),
        (
            "/hubs/x/customers?where=lastModifiedDate >= '${epoch:ms}'",
            compare(">=", "lastModifiedDate", "1516012207000"),
        ),
        (
            "/hubs/x/events?where=start_time='${epoch}'",
            compare("=", "start_time", "1516012207000"),
        ),
        (
            "/hubs/x/events?where=created >'${epoch:s}'",
            compare(">", "created", "1516012207"),
        ),
        (
            "/hubs/x/contacts?where=fetchChanges='true'",
            compare("=", "fetchChanges", "true"),
        ),
        (
            "/hubs/x/leads?where='Modified Time'>'${dateTimeZone:America/Denver:yyyy-MM-dd HH:mm:ss}'",
            compare(">", "Modified Time", "2018-01-15 03:30:07"),
        ),
        (
            "/hubs/x/leads?where=date_updated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}'",
            compare(">", "date_updated", "2018-01-15T10:30:07.000000Z"),
        ),
        (
            "/hubs/x/deals?where=deal_modified='${dateTimeZone:PST:yyyy-MM-dd HH:mm:ss -0800}'",
            compare("=", "deal_modified", "2018-01-15 02:30:07 -0800"),
        ),
        (
            "/hubs/x/partners?where=CreationDate>='${gmtDate:yyyy-MM-dd}' or LastChangeDate>='${gmtDate:yyyy-MM-dd}'",
            json!({"op": "or", "terms": [
                compare(">=", "CreationDate", "2018-01-15"), compare(">=", "LastChangeDate", "2018-01-15"),
            ]}),
        ),
        (
            "/hubs/x/employees?where=from>'${gmtDate:yyyy-MM-dd}' and to<='${nowTimeZone:GMT:yyyy-MM-dd'T'HH:mm:ss}'",
            json!({"op": "and", "terms": [
                compare(">", "from", "2018-01-15"), compare("<=", "to", "2018-01-15T10:43:20"),
            ]}),
        ),
        (
            "accounts?where=modified>${epoch}",
            json!({"op": ">", "field": "modified", "value": 1_516_012_207_000_i64}),
        ),
        ("/hubs/x/incidents", serde_json::Value::Null),
        ("/hubs/x/incidents?where=", serde_json::Value::Null),
        (" /incidents?where= ", serde_json::Value::Null),
    ];
    for (url, expected) in cases {
        assert_eq!(filter(url), expected, "{url}");
    }
    assert_eq!(
        parameters("/hubs/x/receipts?orderBy=!receivedDate&filter=receivedDate gte '${dateTimeZone:CST:MM/dd/yyyy}'"),
        [
            ("orderBy".into(), "!receivedDate".into()),
            ("filter".into(), "receivedDate gte '01/15/2018'".into())
        ]
    );
    assert_eq!(
        parameters("/hubs/x/logs?from=${date:yyyy}&to=${date:yyyy}&where=&pageSize=20"),
        [("from", "2018"), ("to", "2018"), ("pageSize", "20")].map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn paths_name_a_resource_in_every_form() {
    let cases = [
        ("/hubs/crm/accounts", "accounts"),
        (" /hubs/crm/accounts ", "accounts"),
        ("/hubs/crm/accounts/", "accounts"),
        ("/accounts", "accounts"),
        ("/elements/api-v2/hubs/crm/accounts", "accounts"),
        ("/elements/api-v2/accounts", "accounts"),
        (
            "/hubs/documents/calendars/{calendarId}/changed-events",
            "calendars/{calendarId}/changed-events",
        ),
        ("/hubs/x/calendars/a%20b/events", "calendars/a b/events"),
        ("hubs/crm/accounts", "accounts"),
        ("accounts", "accounts"),
    ];
    for (url, expected) in cases {
        assert_eq!(ask(url).0.resource, expected, "{url}");
    }
    assert_eq!(
        ask("accounts").1,
        ["the path has no slash at its beginning; it is read as /accounts"]
    );
    assert!(ask("/calendars/{calendarId}/events").1[0].contains("{calendarId}"));
}

#[test]
fn queries_are_split_outside_of_quotes_and_decoded_tolerantly() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let cases = [
        ("/a?x=1&y=2", vec![pair("x", "1"), pair("y", "2")]),
        ("/a?x='1&y=2'&z=3", vec![pair("x", "'1&y=2'"), pair("z", "3")]),
        (
            r"/a?x='it\'s&more'&z=3",
            vec![pair("x", r"'it\'s&more'"), pair("z", "3")],
        ),
        ("/a?x=O'Brien&y=2", vec![pair("x", "O'Brien"), pair("y", "2")]),
        ("/a?x&&y=&", vec![pair("x", ""), pair("y", "")]),
        ("/a?x=1+1", vec![pair("x", "1+1")]),
        (
            "/a?x=50%&y=%zz&z=%4",
            vec![pair("x", "50%"), pair("y", "%zz"), pair("z", "%4")],
        ),
        ("/a?x=%27a%26b%27%2B%c3%A9", vec![pair("x", "'a&b'+é")]),
        ("/a?x=%ff%FE", vec![pair("x", "%ff%FE")]),
        ("/a?x=a=b?c", vec![pair("x", "a=b?c")]),
    ];
    for (url, expected) in cases {
        assert_eq!(parameters(url), expected, "{url}");
    }
    assert_eq!(
        filter("/a?where=name='A%26B & C'&x=1"),
        json!({"op": "=", "field": "name", "value": "A&B & C"})
    );
    assert_eq!(
        filter("/a?where=name%20like%20%27%25x%%27"),
        json!({"op": "like", "field": "name", "value": "%x%"})
    );
    assert_eq!(
        filter("/a?Where=d>'2018-01-15T00:00:00+0000'")["value"],
        "2018-01-15T00:00:00+0000"
    );
}

#[test]
fn a_doubled_quote_does_not_swallow_the_next_parameter() {
    let url = "/hubs/crm/accounts?where=d>='${date:yyyy-MM-dd}''&pageSize=5";
    assert_eq!(filter(url), json!({"op": ">=", "field": "d", "value": "2018-01-15"}));
    assert_eq!(parameters(url), [("pageSize".to_owned(), "5".to_owned())]);
}

#[test]
fn refuses_with_reasons() {
    let cases = [
        (
            "",
            "path is empty; expected a hub path such as /hubs/crm/accounts?where=…",
        ),
        ("?where=a=1", "path is empty"),
        (
            "https://api.example.com/hubs/crm/accounts",
            "found the absolute URL \"https://api.example.com/hubs/crm/accounts\"",
        ),
        ("//example.com/accounts", "found the absolute URL"),
        ("/", "path \"/\" names no resource"),
        ("/hubs", "path \"/hubs\" names no resource"),
        ("/hubs/crm", "path \"/hubs/crm\" names no resource"),
        ("/hubs/crm/", "path \"/hubs/crm/\" names no resource"),
        ("/hubs//accounts", "path \"/hubs//accounts\" has an empty segment"),
        (
            "/hubs/crm/../x",
            "path \"/hubs/crm/../x\" has an empty segment or a dot segment",
        ),
        (
            "/hubs/crm/%2e%2e/x",
            "path \"/hubs/crm/%2e%2e/x\" has an empty segment or a dot segment",
        ),
        ("/a?where=b=1&where=c=2", "where is given twice"),
        (
            "/hubs/crm/<RESOURCE>",
            "url has <RESOURCE>, a placeholder that was not filled in, at character 11",
        ),
        (
            "/a?where=d>='<date>'",
            "url has <date>, a placeholder that was not filled in, at character 14",
        ),
        (
            "/a?where=d>=<date>",
            "url has <date>, a placeholder that was not filled in, at character 13",
        ),
        (
            "/a?where=d>'${date:<FORMAT>}'",
            "macro at character 13: date pattern has <FORMAT>, a placeholder",
        ),
        (
            "/a?where=d>='${yyyy-MM-dd}'",
            "macro at character 14 has a format but no word",
        ),
        ("/a?where=d>='$yyyy-MM-dd}'", "macro at character 14 has no braces"),
        (
            "/a?where=d>='%24%7Bdate:yyyy%7D'",
            "url has a percent-encoded macro: ${date:yyyy}",
        ),
        (
            "/a?where=d>'${gmtDate:MMM}' foo",
            "where clause: expected AND, OR or the end at character 9, found \"foo\"",
        ),
        ("/a?where=d>${gmtDate:EEE}", "where clause: expected a value"),
        (
            "/a?where=(d=1",
            "where clause: expected AND, OR or a closing parenthesis",
        ),
    ];
    for (url, expected) in cases {
        let error = refused(url);
        assert!(error.starts_with(expected), "{url}: {error}");
    }
    assert_eq!(
        refused(&format!("/{}", "a".repeat(URL_BYTES_MAX))),
        "url has 16385 bytes; at most 16384 are allowed"
    );
    assert_eq!(filter("/a?where=body like '%<br>%'")["value"], "%<br>%");
}

/// Marsaglia's xorshift: the same noise in every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn text(&mut self, words: &[&str]) -> String {
        (0..self.below(12))
            .map(|_| match self.below(6) {
                0 => char::from_u32(u32::try_from(self.below(0x300)).unwrap())
                    .unwrap_or('x')
                    .to_string(),
                _ => words[self.below(words.len())].to_owned(),
            })
            .collect()
    }
}

#[test]
fn noise_is_answered_and_never_panics() {
    use crate::engine::dates::read_lenient;
    let words = [
        "/hubs/crm/",
        "accounts",
        "?",
        "where=",
        "&",
        "%2",
        "%C3%A9",
        "%",
        "${",
        "}",
        "$",
        "{",
        "date",
        "gmtDate:",
        "epoch:",
        "dateTimeZone:",
        "-6:00:",
        "PST:",
        "yyyy",
        "MM",
        "dd",
        "'T'",
        "HH:mm:ss",
        "SSS",
        "XXX",
        "zzzz",
        "'",
        "''",
        r"'\''",
        "\\",
        "\"",
        "`",
        "=",
        ">=",
        "<",
        "!=",
        " and ",
        " OR ",
        " in ",
        "(",
        ")",
        ",",
        "like",
        " is null",
        "true",
        "1504120769258",
        "-",
        "2017-08-30",
        "T19:19:29",
        ".258",
        "+0000",
        "Z",
        "GMT",
        "Aug",
        "Wed, ",
        "PM",
        "\u{2018}",
        "\u{201d}",
        "é",
        "<x>",
        ":",
        "America/Denver",
        "9999",
        "24:00",
        "milliseconds",
        "w",
        "W",
        "F",
        "u",
        "D",
        "G",
        "K",
        "a",
    ];
    let mut noise = Noise(0x5eed_0002_da7e_5eed);
    let (mut urls, mut clauses, mut dates) = (0, 0, 0);
    for _ in 0..20_000 {
        let text = noise.text(&words);
        if let Ok((url, _)) = PollerUrl::parse(&text) {
            urls += 1;
            let _either = url.at(&moments());
        }
        if let Ok((clause, _)) = Where::parse_tolerant(&text, Some("x")) {
            clauses += 1;
            let _either = clause.matches(&clause.to_json());
        }
        let zone = Zone::parse(&text).unwrap_or_else(|_| Zone::parse("PST").unwrap());
        let other = noise.text(&words);
        if let Ok((pattern, _)) = Pattern::parse_tolerant(&text) {
            let written = pattern.format(LAST_POLL, &zone);
            dates += usize::from(pattern.read(&written, &zone).is_ok());
            let _either = read_lenient(&other, Some(&pattern), &zone);
        }
        let _either = read_lenient(&other, None, &zone);
    }
    assert!(
        urls > 100 && clauses > 10 && dates > 100,
        "the noise reaches in: {urls} {clauses} {dates}"
    );
}
