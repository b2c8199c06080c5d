//! Refusals, most of them with bodies that the vendor's documentation and its users show.

use serde_json::json;
use tidegate_sdk::Remedy;

use super::*;

const ASKED: Asked<'_> = Asked {
    what: "contacts",
    host: "api.hubapi.com",
};

fn fault(status: u16, body: &Value, headers: &[(&str, &str)]) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let response = Response {
        headers: headers.collect(),
        ..Response::new(1, status, body.to_string())
    };
    of(&response, ASKED)
}

fn error(message: &str) -> Value {
    json!({"status": "error", "message": message, "correlationId": "c033cdaa-2c40-4a64-ae48-b4cec88dad24"})
}

#[test]
fn every_status_has_its_remedy() {
    let retry = |after_seconds| Remedy::Retry { after_seconds };
    for (status, remedy, code) in [
        (0, retry(None), "unreachable"),
        (302, Remedy::Broken, "redirected"),
        (400, Remedy::BadConfiguration, "query-refused"),
        (401, Remedy::RefreshAuth, "credentials-refused"),
        (403, Remedy::BadConfiguration, "forbidden"),
        (404, Remedy::BadConfiguration, "unknown-resource"),
        (405, Remedy::Broken, "vendor-refused"),
        (414, Remedy::BadConfiguration, "crm.hubspot.properties"),
        (423, retry(Some(2)), "vendor-unavailable"),
        (477, retry(None), "vendor-unavailable"),
        (500, retry(None), "vendor-unavailable"),
        (502, retry(None), "vendor-unavailable"),
        (524, retry(None), "vendor-unavailable"),
    ] {
        let fault = fault(status, &error("why"), &[]);
        assert_eq!((fault.remedy, fault.code.as_str()), (remedy, code), "{status}");
    }
    let moving = fault(477, &error("why"), &[("retry-after", "86400")]);
    assert_eq!(moving.remedy, retry(Some(86_400)));
}

#[test]
fn the_limits_are_told_apart_by_the_policy_or_else_by_the_words() {
    let limited = |message: &str, policy: Option<&str>| {
        let mut body = error(message);
        if let Some(policy) = policy {
            body["policyName"] = policy.into();
        }
        body
    };
    for (body, headers, code, seconds) in [
        (
            limited("You have reached your daily limit.", Some("DAILY")),
            &[][..],
            "daily-limit",
            3_600,
        ),
        (
            limited("You have reached your daily limit.", None),
            &[],
            "daily-limit",
            3_600,
        ),
        (
            limited("You have reached your secondly limit.", Some("SECONDLY")),
            &[],
            "rate-limited",
            1,
        ),
        (
            limited("You have reached your secondly limit.", None),
            &[],
            "rate-limited",
            1,
        ),
        (
            limited(
                "You have reached your ten_secondly_rolling limit.",
                Some("TEN_SECONDLY_ROLLING"),
            ),
            &[],
            "rate-limited",
            10,
        ),
        (
            limited("You have reached your ten_secondly_rolling limit.", None),
            &[],
            "rate-limited",
            10,
        ),
        (limited("slow down", None), &[], "rate-limited", 10),
        (
            limited("slow down", Some("DAILY")),
            &[("retry-after", "7")],
            "daily-limit",
            7,
        ),
        (limited("slow down", None), &[("retry-after", "0")], "rate-limited", 1),
        (
            limited("slow down", None),
            &[("retry-after", "99999999999")],
            "rate-limited",
            86_400,
        ),
        (
            limited("slow down", None),
            &[("retry-after", "soon")],
            "rate-limited",
            10,
        ),
    ] {
        let fault = fault(429, &body, headers);
        let expected = Remedy::RateLimited {
            after_seconds: Some(seconds),
        };
        assert_eq!((fault.remedy, fault.code.as_str()), (expected, code), "{body}");
    }
}

#[test]
fn missing_scopes_are_named() {
    let mut body = error("This app hasn't been granted all required scopes to make this call.");
    body["category"] = "MISSING_SCOPES".into();
    body["errors"] = json!([{
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": ["crm.objects.contacts.read", "bad scope\n"]}
    }]);
    let fault = fault(403, &body, &[]);
    let said = "give the app one of the scopes crm.objects.contacts.read, or don't poll this resource";
    assert!(fault.message.ends_with(said), "{}", fault.message);
}

#[test]
fn an_object_that_hubspot_does_not_know_is_the_user_s_to_correct() {
    let fault = fault(400, &error("Unable to infer object type from: contactz"), &[]);
    assert_eq!(fault.code, "unknown-resource");
}

#[test]
fn a_refused_refresh_token_says_what_to_do() {
    let text = "oauth2_refused: api.hubapi.com refused the refresh token with status 400 (invalid_grant); expected …";
    let fault = of(&Response::new(1, 401, text), ASKED);
    assert_eq!(
        (fault.remedy, fault.code.as_str()),
        (Remedy::RefreshAuth, "refresh-token-refused")
    );
    assert!(fault.message.contains("invalid_grant") && fault.message.contains("install the app again"));
}

#[test]
fn what_is_quoted_is_short_and_readable() {
    for (body, said) in [
        ("<html>", " with a page of HTML"),
        ("", "(HTTP 405)"),
        ("no json", "saying \"no json\""),
    ] {
        let fault = of(&Response::new(1, 405, body), ASKED);
        assert!(fault.message.contains(said) || body.is_empty(), "{}", fault.message);
    }
    let long = of(&Response::new(1, 405, error(&"x\n".repeat(10_000)).to_string()), ASKED);
    assert!(long.message.len() < 700 && !long.message.contains('\n'));
}
