//! Tests of `configuration` by tables of cases. Must not reach beyond the module's own functions.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::time::Timestamp;

fn manifest() -> Manifest {
    serde_json::from_str(include_str!("../../../plugins/autotaskcrm/manifest.json")).expect("the manifest is valid")
}

fn try_accept(configuration: Value) -> Result<Accepted, FieldError> {
    let manifest = manifest();
    let operator_keys = HashSet::from(["crm.autotask.integration.code".to_owned()]);
    let context = Context {
        manifest: &manifest,
        min_refresh_interval: Duration::from_mins(1),
        operator_keys: &operator_keys,
        kept_secrets: &HashSet::new(),
    };
    let configuration: Map<String, Value> = configuration.as_object().unwrap().clone();
    accept(&configuration, &context)
}

fn base() -> Value {
    json!({
        "crm.autotask.username": "api@example.com",
        "crm.autotask.password": "secret",
        "crm.autotask.server.url": "https://ww2.autotask.net",
        "event.notification.enabled": true,
        "event.notification.callback.url": "http://mycoolapp.com",
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut configuration = base();
    configuration[key] = value;
    configuration
}

fn accounts(settings: Value) -> Value {
    with(POLLER_CONFIGURATION, json!({"accounts": settings}))
}

/// The seed's first body as printed, credentials and hosts aside.
fn first_seed() -> Value {
    json!({
        "crm.autotask.username": "api@example.com",
        "crm.autotask.password": "secret",
        "crm.autotask.server.url": "https://ww2.autotask.net",
        "event.notification.enabled": true,
        "event.notification.callback.url": "http://mycoolapp.com",
        "event.poller.refresh_interval": "<minutes>",
        "event.poller.configuration": {"accounts": {
            "url": "/hubs/crm/accounts?where=lastActivityDate>='${date:yyyy-MM-dd'T'HH:mm:ssZ}''",
            "idField": "id",
            "datesConfiguration": {
                "updatedDateField": "lastActivityDate",
                "updatedDateFormat": "yyyy-MM-dd'T'HH:mm:ss'Z'",
                "createdDateField": "createDate",
                "createdDateFormat": "yyyy-MM-dd'T'HH:mm:ss'Z'"
            }
        }}
    })
}

#[test]
fn the_first_seed_body_is_accepted_as_printed_with_warnings() {
    let accepted = try_accept(first_seed()).unwrap();
    let events = &accepted.events;
    assert!(events.enabled);
    assert_eq!(events.refresh_interval_ms, 15 * 60_000);
    assert_eq!(events.callback_url.as_deref(), Some("http://mycoolapp.com"));
    let poller = &events.pollers[0];
    assert_eq!((poller.resource.as_str(), poller.id_field.as_str()), ("accounts", "id"));
    assert_eq!(poller.dates.updated.paths, ["lastActivityDate"]);
    assert_eq!(poller.dates.created.paths, ["createDate"]);
    let fields: Vec<_> = accepted.warnings.iter().map(|warning| warning.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            CALLBACK_URL,
            REFRESH_INTERVAL,
            "event.poller.configuration.accounts.url"
        ],
        "{:?}",
        accepted.warnings
    );
}

#[test]
fn the_second_seed_body_is_accepted_as_bash_sends_it() {
    let dates = json!({
        "updatedDateField": "date_modified",
        "updatedDateFormat": "yyyy-MM-dd'T'HH:mm:ss'",
        "createdDateField": "date_created",
        "createdDateFormat": "yyyy-MM-dd'T'HH:mm:ss'"
    });
    let mut configuration = with(REFRESH_INTERVAL, json!("15"));
    configuration[POLLER_CONFIGURATION] = json!({"accounts": {
        "url": "/hubs/crm/accounts?where=lastActivityDate>=", "idField": "id", "datesConfiguration": dates
    }});
    let accepted = try_accept(configuration).unwrap();
    let poller = &accepted.events.pollers[0];
    assert_eq!(poller.dates.updated.paths, ["date_modified", "lastActivityDate"]);
    assert_eq!(poller.dates.created.paths, ["date_created", "createDate"]);
    let of = |field: &str| {
        let field = format!("event.poller.configuration.accounts.{field}");
        accepted
            .warnings
            .iter()
            .filter(|warning| warning.field == field)
            .count()
    };
    assert_eq!(of("url"), 1, "{:?}", accepted.warnings);
    for key in [
        "updatedDateField",
        "updatedDateFormat",
        "createdDateField",
        "createdDateFormat",
    ] {
        assert_eq!(
            of(&format!("datesConfiguration.{key}")),
            1,
            "{key}: {:?}",
            accepted.warnings
        );
    }
    assert_eq!(
        accepted.warnings.len(),
        6,
        "with the url in the clear: {:?}",
        accepted.warnings
    );
}

#[test]
fn every_spelling_of_the_clients_is_understood() {
    let object = first_seed()[POLLER_CONFIGURATION].clone();
    let mut configuration = first_seed();
    configuration[POLLER_CONFIGURATION] = Value::from(object.to_string());
    configuration[ENABLED] = json!("true");
    configuration[REFRESH_INTERVAL] = json!("2.5");
    configuration[SIGNATURE_KEY] = json!("key");
    let accepted = try_accept(configuration).unwrap();
    assert!(accepted.events.enabled);
    assert_eq!(accepted.events.refresh_interval_ms, 150_000);
    assert_eq!(
        accepted.events.pollers,
        try_accept(first_seed()).unwrap().events.pollers
    );
    assert_eq!(accepted.secrets[SIGNATURE_KEY].expose(), "key");
    assert!(!accepted.configuration.contains_key("crm.autotask.password"));
    for none in [json!(null), json!(""), json!("false"), json!(false)] {
        assert_eq!(try_accept(with(CALLBACK_URL, none)).unwrap().events.callback_url, None);
    }
    assert_eq!(
        try_accept(with(REFRESH_INTERVAL, json!(999_999_999)))
            .unwrap()
            .events
            .refresh_interval_ms,
        59_999_999_940_000
    );
}

#[test]
fn a_callback_is_on_the_web_or_a_stream() {
    for url in [
        "https://example.com/events",
        "nats://nats.test/events.{instance}",
        "tls://nats.test:4222/events",
    ] {
        let accepted = try_accept(with(CALLBACK_URL, json!(url))).unwrap();
        assert_eq!(accepted.events.callback_url.as_deref(), Some(url));
    }
    for (url, words) in [
        ("ftp://example.com/", "expected an http, https, nats or tls URL"),
        ("nats://nats.test", "there is no subject"),
        ("nats://nats.test/a.>", "holds '>'"),
        ("nats://ada:hunter2@nats.test/a", "event.notification.basic.username"),
    ] {
        let error = try_accept(with(CALLBACK_URL, json!(url))).unwrap_err();
        assert_eq!(error.field, CALLBACK_URL);
        let text = error.to_string();
        assert!(text.contains(words) && !text.contains("hunter2"), "{url}: {text}");
    }
}

#[test]
fn an_interval_under_the_minimum_is_raised_with_a_warning() {
    let accepted = try_accept(with(REFRESH_INTERVAL, json!("0.01"))).unwrap();
    assert_eq!(accepted.events.refresh_interval_ms, 60_000);
    assert!(
        accepted
            .warnings
            .iter()
            .any(|warning| warning.field == REFRESH_INTERVAL)
    );
}

#[test]
fn without_pollers_the_elements_own_resources_are_polled() {
    let accepted = try_accept(base()).unwrap();
    let mut names: Vec<_> = accepted
        .events
        .pollers
        .iter()
        .map(|poller| poller.resource.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["accounts", "contacts", "tasks"]);
    assert!(
        try_accept(with(POLLER_CONFIGURATION, json!({})))
            .unwrap()
            .events
            .pollers
            .is_empty()
    );
}

#[test]
fn first_sight_is_explicit() {
    assert_eq!(try_accept(base()).unwrap().events.first_sight, FirstSight::Baseline);
    assert_eq!(
        try_accept(with(FIRST_SIGHT, json!("snapshot")))
            .unwrap()
            .events
            .first_sight,
        FirstSight::Snapshot
    );
    let since = try_accept(with(FIRST_SIGHT, json!("since:2018-01-15T10:29:06Z")))
        .unwrap()
        .events
        .first_sight;
    assert_eq!(since, FirstSight::Since(Timestamp::from_ms(1_516_012_146_000)));
}

#[test]
fn bad_values_are_refused_by_the_name_of_their_field() {
    let url = |url: &str| accounts(json!({"url": url}));
    let dates =
        |key: &str, value: &str| accounts(json!({"url": "/hubs/crm/accounts", "datesConfiguration": {key: value}}));
    let table: Vec<(Value, &str)> = vec![
        (
            with("crm.autotask.username", json!("<AUTOTASK_USERNAME>")),
            "crm.autotask.username",
        ),
        (with("crm.autotask.username", json!(7)), "crm.autotask.username"),
        (with("crm.autotask.username", json!("")), "crm.autotask.username"),
        (
            with("crm.autotask.password", json!("<AUTOTASK_PASSWORD>")),
            "crm.autotask.password",
        ),
        (
            with("crm.autotask.password", json!("********")),
            "crm.autotask.password",
        ),
        (with("crm.autotask.password", json!(null)), "crm.autotask.password"),
        (
            with("crm.autotask.server.url", json!("ww2.autotask.net")),
            "crm.autotask.server.url",
        ),
        (
            with("crm.autotask.server.url", json!("<AUTOTASK_LOGIN_URL>")),
            "crm.autotask.server.url",
        ),
        (
            with("crm.autotask.server.url", json!("ftp://x")),
            "crm.autotask.server.url",
        ),
        (with(ENABLED, json!("yes")), ENABLED),
        (with(ENABLED, json!(1)), ENABLED),
        (with(CALLBACK_URL, json!("mycoolapp")), CALLBACK_URL),
        (with(CALLBACK_URL, json!("<CALLBACK>")), CALLBACK_URL),
        (with(CALLBACK_URL, json!("https://example.com/\r\nx: y")), CALLBACK_URL),
        (with(REFRESH_INTERVAL, json!("often")), REFRESH_INTERVAL),
        (with(REFRESH_INTERVAL, json!(0)), REFRESH_INTERVAL),
        (with(REFRESH_INTERVAL, json!(-5)), REFRESH_INTERVAL),
        (with(REFRESH_INTERVAL, json!([])), REFRESH_INTERVAL),
        (with("event.vendor.type", json!("carrier pigeon")), "event.vendor.type"),
        (
            with("event.notification.type", json!("email")),
            "event.notification.type",
        ),
        (with(FIRST_SIGHT, json!("everything")), FIRST_SIGHT),
        (with(FIRST_SIGHT, json!("since:yesterday")), FIRST_SIGHT),
        (with(POLLER_CONFIGURATION, json!("{")), POLLER_CONFIGURATION),
        (with(POLLER_CONFIGURATION, json!([])), POLLER_CONFIGURATION),
        (with(POLLER_URLS, json!("accounts|/hubs/crm/accounts")), POLLER_URLS),
        (accounts(json!("x")), "event.poller.configuration.accounts"),
        (accounts(json!({})), "event.poller.configuration.accounts.url"),
        (
            url("https://example.com/hubs/crm/accounts"),
            "event.poller.configuration.accounts.url",
        ),
        (url("/hubs/crm/acc ounts"), "event.poller.configuration.accounts.url"),
        (
            url("/hubs/crm/accounts?where=a>'${date:yyyy"),
            "event.poller.configuration.accounts.url",
        ),
        (
            url("/hubs/crm/accounts?where=a>'${date:yyyy-bb}'"),
            "event.poller.configuration.accounts.url",
        ),
        (
            url("/hubs/crm/accounts?where=a>'${dateTimeZone:Mars/Phobos:yyyy}'"),
            "event.poller.configuration.accounts.url",
        ),
        (
            url("/hubs/crm/accounts?where=a ~ 'x'"),
            "event.poller.configuration.accounts.url",
        ),
        (
            accounts(json!({"url": "/hubs/crm/accounts", "pageSize": 0})),
            "event.poller.configuration.accounts.pageSize",
        ),
        (
            accounts(json!({"url": "/hubs/crm/accounts", "pollDelay": "x"})),
            "event.poller.configuration.accounts.pollDelay",
        ),
        (
            accounts(json!({"url": "/hubs/crm/accounts", "idField": 1})),
            "event.poller.configuration.accounts.idField",
        ),
        (
            dates("updatedDateFormat", "yyyy-bb"),
            "event.poller.configuration.accounts.datesConfiguration.updatedDateFormat",
        ),
        (
            dates("createdDateTimezone", "Mars"),
            "event.poller.configuration.accounts.datesConfiguration.createdDateTimezone",
        ),
    ];
    for (configuration, field) in table {
        match try_accept(configuration.clone()) {
            Ok(_) => panic!("{field} was accepted: {configuration}"),
            Err(error) => {
                assert_eq!(error.field, field, "{error}");
                assert!(!error.message.contains("hunter2"));
            }
        }
    }
}

#[test]
fn too_long_a_value_and_too_many_pollers_are_refused() {
    let long = "x".repeat(VALUE_BYTES_MAX + 1);
    assert_eq!(
        try_accept(with("crm.autotask.username", json!(long)))
            .unwrap_err()
            .field,
        "crm.autotask.username"
    );
    let many: Map<String, Value> = (0..=POLLERS_MAX)
        .map(|i| (format!("r{i}"), json!({"url": "/hubs/crm/accounts"})))
        .collect();
    assert_eq!(
        try_accept(with(POLLER_CONFIGURATION, json!(many))).unwrap_err().field,
        POLLER_CONFIGURATION
    );
}

#[test]
fn a_missing_credential_says_where_it_can_be_set() {
    let mut configuration = base();
    configuration.as_object_mut().unwrap().remove("crm.autotask.username");
    let error = try_accept(configuration).unwrap_err();
    assert_eq!(error.field, "crm.autotask.username");
    assert!(error.message.starts_with("is missing"), "{error}");
}

#[test]
fn an_address_in_the_clear_is_warned_of_unless_it_is_this_machine_and_refused_where_https_is_required() {
    const VENDOR: &str = "crm.autotask.server.url";
    for (key, url, warned) in [
        (CALLBACK_URL, "http://example.com/x", true),
        (CALLBACK_URL, "HTTP://10.0.0.1/", true),
        (CALLBACK_URL, "https://example.com/x", false),
        (CALLBACK_URL, "http://127.0.0.1:8098/", false),
        (CALLBACK_URL, "http://[::1]:8098/", false),
        (CALLBACK_URL, "http://localhost:8098/", false),
        (CALLBACK_URL, "nats://nats.test/events", true),
        (CALLBACK_URL, "nats://127.0.0.1:4222/events", false),
        (CALLBACK_URL, "tls://nats.test/events", false),
        (VENDOR, "http://autotask.example", true),
        (VENDOR, "http://127.0.0.1:9", false),
    ] {
        let mut configuration = first_seed();
        configuration[key] = json!(url);
        let accepted = try_accept(configuration).unwrap();
        let found = accepted.warnings.iter().any(|warning| warning.field == key);
        assert_eq!(found, warned, "{key} {url}: {:?}", accepted.warnings);
        let refused = require_https(&accepted, &manifest()).is_err();
        assert_eq!(refused, key == VENDOR, "{key} {url}");
    }
}
