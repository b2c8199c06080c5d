//! Tests of `zones` by tables of cases. Must not reach beyond the module's own functions.

use serde_json::json;

use super::*;

const USER: &str = "api+user@example.com";

fn discovery(server: &str, attempt: usize) -> Option<String> {
    Server::parse(server)
        .unwrap()
        .discovery(attempt, USER, 1)
        .map(|request| request.url)
}

fn guess(server: &str) -> Option<String> {
    Server::parse(server).unwrap().guess()
}

#[test]
fn login_and_api_addresses_lead_to_the_api_of_the_same_zone() {
    for server in [
        "https://ww2.autotask.net",
        "https://ww2.autotask.net/",
        "https://WW2.Autotask.NET/Mvc/Framework/Landing.mvc?x=1#y",
        "ww2.autotask.net",
        "http://ww2.autotask.net",
        "https://webservices2.autotask.net",
        "https://webservices2.autotask.net/atservicesrest",
        "https://webservices2.autotask.net/ATServicesRest/V1.0/",
    ] {
        assert_eq!(
            guess(server).as_deref(),
            Some("https://webservices2.autotask.net/atservicesrest/"),
            "{server}"
        );
        assert_eq!(
            discovery(server, 0).as_deref(),
            Some("https://webservices2.autotask.net/atservicesrest/v1.0/zoneInformation?user=api%2Buser%40example.com")
        );
        assert_eq!(
            discovery(server, 1).as_deref(),
            Some("https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation?user=api%2Buser%40example.com")
        );
        assert_eq!(discovery(server, 2), None);
    }
    assert_eq!(
        guess("https://prde.autotask.net").as_deref(),
        Some("https://prde.autotask.net/atservicesrest/")
    );
}

#[test]
fn addresses_without_a_zone_are_left_to_discovery() {
    for server in [
        "https://www.autotask.net",
        "https://ww.autotask.net",
        "https://webservices.autotask.net/atservicesrest",
    ] {
        assert_eq!(guess(server), None, "{server}");
        assert!(
            discovery(server, 0)
                .unwrap()
                .starts_with("https://webservices.autotask.net/")
        );
        assert_eq!(discovery(server, 1), None);
    }
}

#[test]
fn any_other_base_is_asked_itself_and_nobody_else() {
    for (server, base) in [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
        ("http://127.0.0.1:8080/atservicesrest/v1.0", "http://127.0.0.1:8080/"),
        ("https://proxy.example/autotask/", "https://proxy.example/autotask/"),
        ("http://[::1]:9/x", "http://[::1]:9/x/"),
        (
            "https://autotask.net.evil.example",
            "https://autotask.net.evil.example/",
        ),
    ] {
        assert_eq!(guess(server), Some(format!("{base}atservicesrest/")));
        assert!(
            discovery(server, 0)
                .unwrap()
                .starts_with(&format!("{base}atservicesrest/v1.0/zoneInformation?")),
            "{server}"
        );
        assert_eq!(discovery(server, 1), None);
    }
}

#[test]
fn what_is_no_address_is_refused_with_the_key() {
    for server in [
        "ftp://ww2.autotask.net",
        "https://",
        "https:///x",
        "https://user@ww2.autotask.net",
        "<AUTOTASK_LOGIN_URL>",
        "https://a b",
        "https://ww2.autotask.net\r\nX: y",
        "https://h\u{e9}llo",
    ] {
        let fault = Server::parse(server).unwrap_err();
        assert_eq!(fault.code, SERVER, "{server}");
    }
}

fn read(server: &str, status: u16, body: impl Into<Vec<u8>>) -> Result<Answer, Fault> {
    Server::parse(server)
        .unwrap()
        .read(&Response::new(1, status, body), USER)
}

fn zone(server: &str, url: &str) -> Answer {
    read(
        server,
        200,
        json!({"zoneName": "x", "url": url, "webUrl": "", "ci": 1}).to_string(),
    )
    .unwrap()
}

#[test]
fn discovered_addresses_are_made_uniform() {
    let expected = Answer::Zone("https://webservices15.autotask.net/atservicesrest/".into());
    for url in [
        "https://webservices15.autotask.net/atservicesrest/",
        "https://webservices15.autotask.net/ATServicesRest",
        "https://WEBSERVICES15.autotask.net/ATServicesRest/V1.0/",
        " https://webservices15.autotask.net ",
    ] {
        assert_eq!(zone("https://ww2.autotask.net", url), expected, "{url}");
    }
}

#[test]
fn an_address_of_a_foreign_host_is_not_used() {
    for url in [
        "https://evil.example/atservicesrest/",
        "https://autotask.net.evil.example/",
        "https://webservices2.autotask.net@evil.example/",
        "https://evilautotask.net/",
        "http://webservices2.autotask.net/atservicesrest/",
        "javascript:alert(1)",
        "",
    ] {
        assert!(
            matches!(zone("https://ww2.autotask.net", url), Answer::Nothing(_)),
            "{url}"
        );
    }
    assert!(
        matches!(
            zone("https://proxy.example", "http://proxy.example/"),
            Answer::Nothing(_)
        ),
        "encryption is not lost"
    );
}

#[test]
fn a_test_server_may_name_itself_on_any_port() {
    let own = Answer::Zone("http://127.0.0.1:9999/zone2/atservicesrest/".into());
    assert_eq!(
        zone("http://127.0.0.1:8080", "http://127.0.0.1:9999/zone2/atservicesrest/"),
        own
    );
    assert!(matches!(
        zone("http://127.0.0.1:8080", "http://127.0.0.2:8080/"),
        Answer::Nothing(_)
    ));
}

#[test]
fn an_unknown_user_is_a_matter_of_the_configuration() {
    let fault = read(
        "https://ww2.autotask.net",
        500,
        r#"{"errors":["Zone information could not be determined"]}"#,
    )
    .unwrap_err();
    assert_eq!(fault.code, USERNAME);
    assert!(fault.message.contains(USER), "{}", fault.message);
}

#[test]
fn an_answer_of_no_use_says_what_it_was() {
    for (status, body, words) in [
        (0, "connection refused", "no answer (connection refused)"),
        (500, "", "HTTP 500"),
        (404, "<html>", "HTTP 404"),
        (200, "", "without"),
        (200, "<html>", "without"),
        (200, r#"{"url":null}"#, "without"),
        (200, "[]", "without"),
    ] {
        let Answer::Nothing(found) = read("https://ww2.autotask.net", status, body).unwrap() else {
            panic!("{body}")
        };
        assert!(found.contains(words), "{found}");
    }
}
