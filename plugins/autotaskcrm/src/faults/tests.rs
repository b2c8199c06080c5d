//! Tests of `faults` by tables of cases. Must not reach beyond the module's own functions.

use tidegate_sdk::Remedy;

use super::*;

const ASKED: Asked<'_> = Asked {
    what: "Companies",
    host: "webservices2.autotask.net",
};

fn fault(status: u16, body: &str) -> Fault {
    of(&Response::new(2, status, body), ASKED)
}

fn with_headers(status: u16, headers: &[(&str, &str)]) -> Fault {
    let mut response = Response::new(2, status, "");
    response.headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    of(&response, ASKED)
}

#[test]
fn each_refusal_has_its_code_and_remedy_and_quotes_the_vendor() {
    let retry = Remedy::Retry { after_seconds: None };
    let pause = Remedy::RateLimited {
        after_seconds: Some(60),
    };
    for (status, body, code, remedy) in [
        (0, "connection reset", "unreachable", retry.clone()),
        (401, "", "credentials-refused", Remedy::RefreshAuth),
        (403, "", "forbidden", Remedy::BadConfiguration),
        (
            404,
            r#"{"Message":"No HTTP resource was found"}"#,
            "unknown-resource",
            Remedy::BadConfiguration,
        ),
        (
            405,
            r#"{"Message":"The requested resource does not support http method 'POST'."}"#,
            "method-refused",
            Remedy::Broken,
        ),
        (
            429,
            r#"{"errors":["API thread threshold of 3 threads has been exceeded"]}"#,
            "rate-limited",
            pause.clone(),
        ),
        (
            500,
            r#"{"errors":["Itgenatr005: the API thread threshold"]}"#,
            "rate-limited",
            pause,
        ),
        (
            500,
            r#"{"errors":["IntegrationCode is invalid."]}"#,
            INTEGRATION_CODE,
            Remedy::BadConfiguration,
        ),
        (
            500,
            r#"{"errors":["Zone information could not be determined"]}"#,
            USERNAME,
            Remedy::BadConfiguration,
        ),
        (
            500,
            r#"{"errors":["The logged in Resource does not have the adequate permissions"]}"#,
            "forbidden",
            Remedy::BadConfiguration,
        ),
        (
            500,
            r#"{"errors":["Unable to find date_modified in the Account Entity."]}"#,
            "unknown-field",
            Remedy::BadConfiguration,
        ),
        (
            500,
            r#"{"errors":["maxCountOfRecordsToReturn must be between 1 and 500"]}"#,
            "page-size-refused",
            Remedy::Broken,
        ),
        (
            500,
            r#"{"errors":["Something went wrong", {"message":"and more"}]}"#,
            "vendor-error",
            retry.clone(),
        ),
        (500, "", "vendor-error", retry.clone()),
        (
            502,
            "<html><body>Bad gateway</body></html>",
            "vendor-unavailable",
            retry.clone(),
        ),
        (503, "", "vendor-unavailable", retry.clone()),
        (408, "", "vendor-unavailable", retry),
        (302, "", "redirected", Remedy::Broken),
        (400, r#"{"errors":["no"]}"#, "vendor-refused", Remedy::Broken),
    ] {
        let fault = fault(status, body);
        assert_eq!(
            (fault.code.as_str(), fault.remedy.clone()),
            (code, remedy),
            "{status} {body}"
        );
        assert!(
            fault.message.contains("Companies") || fault.message.contains(ASKED.host),
            "{}",
            fault.message
        );
    }
    assert!(
        fault(500, r#"{"errors":["Unable to find x in the y Entity."]}"#)
            .message
            .contains("Unable to find x")
    );
    assert!(
        fault(500, r#"{"errors":["a", {"message":"b"}]}"#)
            .message
            .contains("a; b")
    );
    assert!(
        fault(502, "<html>secret page</html>")
            .message
            .contains("a page of HTML")
    );
}

#[test]
fn the_vendors_pause_is_kept_in_seconds_or_until_a_date_of_its_own_clock() {
    let seconds = |headers: &[(&str, &str)]| match with_headers(429, headers).remedy {
        Remedy::RateLimited { after_seconds } => after_seconds,
        other => panic!("{other:?}"),
    };
    assert_eq!(seconds(&[("retry-after", "17")]), Some(17));
    assert_eq!(seconds(&[("retry-after", " 0 ")]), Some(1));
    assert_eq!(seconds(&[("retry-after", "99999999999")]), Some(3_600));
    let until = ("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT");
    assert_eq!(seconds(&[until, ("date", "Wed, 21 Oct 2026 07:28:00 GMT")]), Some(30));
    assert_eq!(seconds(&[until, ("date", "Wed, 21 Oct 2026 08:00:00 GMT")]), Some(1));
    assert_eq!(seconds(&[until]), Some(60), "no clock to compare with");
    assert_eq!(seconds(&[("retry-after", "soon")]), Some(60));
    assert_eq!(
        with_headers(503, &[("retry-after", "5")]).remedy,
        Remedy::Retry { after_seconds: Some(5) }
    );
}

#[test]
fn quotes_are_short_and_on_one_line() {
    let message = fault(500, &format!(r#"{{"errors":["{}\n"]}}"#, "x".repeat(10_000))).message;
    assert!(message.len() < 700 && !message.contains('\n'));
    assert!(fault(0, &"y".repeat(10_000)).message.len() < 700);
}

#[test]
fn an_answer_without_records_says_what_it_was() {
    let words = |body: &str| unreadable(&Response::new(2, 200, body), ASKED, "why").message;
    assert!(words("").contains("an empty body"));
    assert!(words(" \n").contains("an empty body"));
    assert!(words("<html>").contains("a page of HTML"));
    assert!(words("{\"items\":[").contains("10 bytes that are no page of records (why)"));
    assert!(words(r#"{"errors":["down"]}"#).contains("\"down\""));
}
