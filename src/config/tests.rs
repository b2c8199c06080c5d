//! What stands in flags, environment and file, and what comes of it.

use super::*;

fn load(text: &str) -> anyhow::Result<Config> {
    Config::from_parts(&ServeFlags::default(), text, |_| None)
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let flags = ServeFlags {
        min_refresh_interval: Some(Duration::from_secs(5)),
        ..ServeFlags::default()
    };
    let text = "min_refresh_interval = \"2m\"\nretention = \"1d\"\n";
    let config = Config::from_parts(&flags, text, |_| None).unwrap();
    assert_eq!(config.min_refresh_interval, Duration::from_secs(5));
    assert_eq!(config.retention, Duration::from_hours(24));
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    let error = format!("{:#}", load("lisen = \"127.0.0.1:1\"").unwrap_err());
    assert!(error.contains("lisen") && error.contains("listen"), "{error}");
}

#[test]
fn an_error_in_the_file_names_the_line_and_not_what_stands_there() {
    let error = format!("{:#}", load("log = \"info\"\nuser_secret = hunter2\n").unwrap_err());
    assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
}

#[test]
fn durations_have_a_unit() {
    for (text, expected) in [
        ("60s", 60_000),
        ("1.5s", 1_500),
        ("500ms", 500),
        ("2m", 120_000),
        ("1h", 3_600_000),
    ] {
        assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(expected), "{text}");
    }
    for text in ["", "60", "s", "-1s", "0s", "1w", "1 s"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

#[test]
fn secrets_come_from_the_environment_and_do_not_print() {
    let config = Config::from_parts(&ServeFlags::default(), "", |name| {
        (name == USER_SECRET).then(|| "hunter2".into())
    })
    .unwrap();
    assert_eq!(config.user_secret.as_ref().unwrap().expose(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn networks_come_as_a_list_of_the_flag_or_of_the_file() {
    let flags = ServeFlags {
        allow_networks: Some(vec!["10.1.0.0/16".parse().unwrap()]),
        ..ServeFlags::default()
    };
    let text = "allow_networks = [\"192.168.0.0/16\"]\ntrusted_proxies = [\"10.0.0.1/32\"]\nrequire_https = true\n";
    let config = Config::from_parts(&flags, text, |_| None).unwrap();
    assert_eq!(config.allow_networks, ["10.1.0.0/16".parse().unwrap()]);
    assert_eq!(load(text).unwrap().allow_networks, ["192.168.0.0/16".parse().unwrap()]);
    assert_eq!(config.trusted_proxies, ["10.0.0.1/32".parse().unwrap()]);
    assert!(config.require_https && !load("").unwrap().require_https);
    assert!(load("allow_networks = [\"10.1.0.0/33\"]").is_err());
}

#[test]
fn an_element_s_secret_hosts_are_checked_and_are_no_property() {
    let config = load("[elements.x]\nsecret_hosts = [\"*.a.example\", \"http://127.0.0.1:8\"]\nkey = 5\n").unwrap();
    assert_eq!(config.secret_hosts["x"], ["*.a.example", "http://127.0.0.1:8"]);
    assert_eq!(config.elements["x"].len(), 1);
    for value in [
        "\"a.example\"",
        "[7]",
        "[\"\"]",
        "[\"a b\"]",
        "[\"ftp://a.example\"]",
        "[\"*\"]",
        "[\"a.example/x\"]",
    ] {
        let error = format!(
            "{:#}",
            load(&format!("[elements.x]\nsecret_hosts = {value}")).unwrap_err()
        );
        assert!(
            error.contains("elements.x.secret_hosts: expected a list of hosts"),
            "{error}"
        );
    }
}

#[test]
fn the_operators_callback_is_a_url_with_or_without_a_key() {
    let config = load("[operator]\ncallback_url = \"https://ops.example/\"\nsignature_key = \"hunter2\"").unwrap();
    let operator = config.operator.clone().unwrap();
    assert_eq!(operator.url, "https://ops.example/");
    assert!(operator.signature_key.is_some() && !format!("{config:?}").contains("hunter2"));
    assert!(load("").unwrap().operator.is_none());
    for text in [
        "callback_url = \"ftp://ops.example/\"",
        "callback_url = \"ops\"",
        "callback_url = \"https://ops:hunter2@ops.example/?key=hunter2\"",
        "callback_url = \"ftp://ops.example/?key=hunter2\"",
        "callback_url = \"https://ops.example:0/\"",
        "signature_key = \"x\"",
        "url = \"https://ops.example/\"",
    ] {
        let error = format!("{:#}", load(&format!("[operator]\n{text}")).unwrap_err());
        assert!(error.contains("callback_url"), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn the_example_file_is_a_configuration() {
    let config = load(include_str!("../../examples/tidegate.toml")).unwrap();
    assert!(config.elements["autotaskcrm"].contains_key("crm.autotask.integration.code"));
}
