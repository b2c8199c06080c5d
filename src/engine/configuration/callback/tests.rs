//! Tests of what goes to a callback beside the notification, by tables of cases. Must not reach the service.

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::engine::configuration::{Accepted, Context, accept};

const PAIR: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

fn try_accept(key: &str, value: Value) -> Result<Accepted, FieldError> {
    let manifest = serde_json::from_str(include_str!("../../../../plugins/autotaskcrm/manifest.json")).unwrap();
    let configuration = json!({
        "crm.autotask.username": "api@example.com",
        "crm.autotask.password": "secret",
        "crm.autotask.integration.code": "code",
        "crm.autotask.server.url": "https://ww2.autotask.net",
        key: value,
    });
    let context = Context {
        manifest: &manifest,
        min_refresh_interval: Duration::from_mins(1),
        operator_keys: &HashSet::new(),
        kept_secrets: &HashSet::from([SIGNATURE_KEY.to_owned()]),
    };
    accept(configuration.as_object().unwrap(), &context)
}

fn sent(headers: &str) -> Vec<(String, String)> {
    let headers = extra_headers(Some(&Secret::new(headers)), None, None).unwrap();
    headers
        .into_iter()
        .map(|(name, value)| (name, value.expose().to_owned()))
        .collect()
}

#[test]
fn a_signature_key_is_looked_at_when_it_is_set_and_never_repeated() {
    for key in ["mine", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", PAIR] {
        let accepted = try_accept(SIGNATURE_KEY, json!(key)).unwrap();
        assert_eq!(accepted.secrets[SIGNATURE_KEY].expose(), key);
        assert_eq!(accepted.key_to_make, None);
    }
    for key in ["whsec_", "whsec_hunter2", "whpk_hunter2", &PAIR[..50]] {
        let error = try_accept(SIGNATURE_KEY, json!(key)).unwrap_err();
        assert_eq!(error.field, SIGNATURE_KEY);
        assert!(!error.message.contains("hunter2") && !error.message.contains(&PAIR[5..20]));
    }
}

#[test]
fn the_words_for_a_key_that_the_gateway_makes_are_no_keys() {
    for (word, kind) in [("generate", KeyKind::Shared), ("generate-ed25519", KeyKind::Pair)] {
        let accepted = try_accept(SIGNATURE_KEY, json!(word)).unwrap();
        assert_eq!(accepted.key_to_make, Some(kind));
        assert!(!accepted.secrets.contains_key(SIGNATURE_KEY));
    }
    for nothing in [json!(""), json!(null)] {
        assert_eq!(try_accept(SIGNATURE_KEY, nothing).unwrap().cleared, [SIGNATURE_KEY]);
    }
    let kept = try_accept(SIGNATURE_KEY, json!("********")).unwrap();
    assert!(kept.cleared.is_empty() && !kept.secrets.contains_key(SIGNATURE_KEY));
}

#[test]
fn the_grace_time_is_a_day_unless_it_is_said_otherwise() {
    let day = Duration::from_hours(24);
    for (value, expected) in [
        (json!(null), day),
        (json!(""), day),
        (json!(0), Duration::ZERO),
        (json!("1"), Duration::from_hours(1)),
        (json!(168), day * 7),
    ] {
        assert_eq!(try_accept(SIGNATURE_GRACE, value).unwrap().signature_grace, expected);
    }
    assert_eq!(
        try_accept("event.notification.enabled", json!(false))
            .unwrap()
            .signature_grace,
        day
    );
    for value in [json!(169), json!(-1), json!("a day"), json!(1.5), json!([])] {
        let error = try_accept(SIGNATURE_GRACE, value.clone()).unwrap_err();
        assert_eq!(error.field, SIGNATURE_GRACE, "{value}");
    }
}

#[test]
fn headers_are_an_object_or_its_text_or_lines() {
    let expected = [("x-tenant", "a: b"), ("x-token", "hunter2")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(sent(r#"{"X-Token": " hunter2", "x-tenant": "a: b"}"#), expected);
    assert_eq!(sent("X-Token:hunter2\r\n\n X-Tenant : a: b \n"), expected);
    let accepted = try_accept(CALLBACK_HEADERS, json!({"X-Token": "hunter2", "X-Tenant": "a: b"})).unwrap();
    assert_eq!(sent(accepted.secrets[CALLBACK_HEADERS].expose()), expected);
    assert!(!accepted.configuration.contains_key(CALLBACK_HEADERS));
    assert!(accepted.warnings.is_empty(), "{:?}", accepted.warnings);
    for none in [json!({}), json!("{}"), json!("\n"), json!("")] {
        assert_eq!(try_accept(CALLBACK_HEADERS, none).unwrap().cleared, [CALLBACK_HEADERS]);
    }
}

#[test]
fn what_is_no_header_is_refused_without_its_value() {
    let object = |name: &str, value: Value| json!({name: value});
    let table = [
        (json!("X-Token hunter2"), "line 1 has no colon"),
        (json!("A: 1\nhunter2"), "line 2 has no colon"),
        (json!("{\"X-Token\": \"hunter2\""), "can't be read"),
        (json!(7), "expected text, found a number"),
        (json!(["X-Token: hunter2"]), "expected text, found an array"),
        (object("X-Token", json!(7)), "found a number"),
        (object("X-Token", json!(["hunter2"])), "found an array"),
        (object("", json!("hunter2")), "no name of a header"),
        (object("X Token", json!("hunter2")), "no name of a header"),
        (object("X-Tökn", json!("hunter2")), "no name of a header"),
        (object("X-Token:", json!("hunter2")), "no name of a header"),
        (object("X-Token", json!("hunter2\r\nHost: x")), "the value of X-Token"),
        (object("X-Token", json!("hunter2\u{0}")), "the value of X-Token"),
        (object("X-Token", json!("hunter2 ü")), "the value of X-Token"),
        (json!("X-Token: hunter2\nx-token: hunter2"), "twice"),
        (json!({"X-Token": "hunter2", "x-token": "hunter2"}), "twice"),
    ];
    for (value, expected) in table {
        let error = try_accept(CALLBACK_HEADERS, value.clone()).unwrap_err();
        assert_eq!(error.field, CALLBACK_HEADERS, "{value}");
        assert!(error.message.contains(expected), "{value}: {error}");
        assert!(!error.message.contains("hunter2"), "{error}");
    }
}

#[test]
fn headers_that_the_gateway_sets_are_refused_in_any_case() {
    let prefixed = [
        "webhook-id",
        "Webhook-Signature",
        "webhook-x",
        "Elements-Webhook-Id",
        "Nats-Rollup",
    ];
    for name in RESERVED.into_iter().chain(prefixed) {
        for name in [name.to_owned(), name.to_ascii_uppercase()] {
            let error = try_accept(CALLBACK_HEADERS, json!({name.as_str(): "x"})).unwrap_err();
            assert!(error.message.contains("is set by the gateway"), "{name}: {error}");
        }
    }
    for name in ["X-Webhook-Id", "Authorization", "Accept", "webhook", "Forwarded"] {
        assert!(try_accept(CALLBACK_HEADERS, json!({name: "x"})).is_ok(), "{name}");
    }
}

#[test]
fn too_many_headers_and_too_long_ones_are_refused() {
    let many = |count: usize| -> Value {
        (0..count)
            .map(|n| (format!("X-{n}"), json!("x")))
            .collect::<Map<_, _>>()
            .into()
    };
    assert!(try_accept(CALLBACK_HEADERS, many(HEADERS_MAX)).is_ok());
    let error = try_accept(CALLBACK_HEADERS, many(HEADERS_MAX + 1)).unwrap_err();
    assert!(error.message.contains("has 21 headers; at most 20"), "{error}");
    let long = |bytes: usize| json!({"X": "x".repeat(bytes - 1)});
    assert!(try_accept(CALLBACK_HEADERS, long(HEADERS_BYTES_MAX)).is_ok());
    let error = try_accept(CALLBACK_HEADERS, long(HEADERS_BYTES_MAX + 1)).unwrap_err();
    assert!(error.message.contains("has 4097 bytes; at most 4096"), "{error}");
}

#[test]
fn basic_authentication_is_a_header_and_goes_with_no_other_authorization() {
    let basic = |headers: Option<&str>, user: Option<&str>, password: Option<&str>| {
        let [headers, user, password] = [headers, user, password].map(|text| text.map(Secret::new));
        extra_headers(headers.as_ref(), user.as_ref(), password.as_ref())
    };
    let authorization = |user, password| basic(None, user, password).unwrap()[0].1.expose().to_owned();
    // As RFC 7617 has it.
    assert_eq!(
        authorization(Some("Aladdin"), Some("open sesame")),
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
    assert_eq!(authorization(Some("test"), Some("123£")), "Basic dGVzdDoxMjPCow==");
    assert_eq!(authorization(Some("user"), None), "Basic dXNlcjo=");
    assert_eq!(authorization(None, Some("pass")), "Basic OnBhc3M=");
    assert_eq!(basic(None, None, None).unwrap(), []);
    let own = "Authorization: Bearer hunter2";
    assert_eq!(basic(Some(own), None, None).unwrap().len(), 1);
    for (user, password) in [(Some("user"), None), (None, Some("pass"))] {
        let error = basic(Some(own), user, password).unwrap_err();
        assert_eq!(error.field, CALLBACK_HEADERS);
        assert!(error.message.contains(BASIC_USERNAME) && !error.message.contains("hunter2"));
    }
}

#[test]
fn a_user_name_with_a_colon_and_control_characters_are_refused() {
    for (key, value) in [
        (BASIC_USERNAME, "hunter2:x"),
        (BASIC_USERNAME, "hunter2\n"),
        (BASIC_PASSWORD, "hunter2\u{7f}"),
    ] {
        let error = try_accept(key, json!(value)).unwrap_err();
        assert_eq!(error.field, key);
        assert!(!error.message.contains("hunter2"));
    }
    let accepted = try_accept(BASIC_PASSWORD, json!("a:b")).unwrap();
    assert_eq!(accepted.secrets[BASIC_PASSWORD].expose(), "a:b");
    assert!(accepted.warnings.is_empty(), "{:?}", accepted.warnings);
}

#[test]
fn a_callback_with_a_user_in_its_url_is_refused_without_repeating_it() {
    for url in ["https://hunter2@example.com", "https://user:hunter2@example.com/x"] {
        let error = try_accept(CALLBACK_URL, json!(url)).unwrap_err();
        assert_eq!(error.field, CALLBACK_URL);
        assert!(error.message.contains(BASIC_USERNAME) && !error.message.contains("hunter2"));
    }
}
