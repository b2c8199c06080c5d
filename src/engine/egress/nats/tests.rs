//! What is a URL of a stream and what is not, and what becomes of its placeholders.

use super::*;

fn parse(url: &str) -> NatsUrl {
    NatsUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn a_url_names_server_port_and_subject() {
    for (url, host, port, tls, subject) in [
        ("nats://nats.test/events", "nats.test", 4222, false, "events"),
        ("NATS://Nats.Test:4223/a.b", "nats.test", 4223, false, "a.b"),
        ("tls://nats.test/a", "nats.test", 4222, true, "a"),
        ("nats://nats.test:80/a", "nats.test", 80, false, "a"),
        ("tls://nats.test:443/a", "nats.test", 443, true, "a"),
        ("nats://0x7f.1/a", "127.0.0.1", 4222, false, "a"),
        ("nats://[::1]:4222/a", "[::1]", 4222, false, "a"),
        (
            "nats://h/crm.{element}.{instance}.{resource}.{change}",
            "h",
            4222,
            false,
            "crm.{element}.{instance}.{resource}.{change}",
        ),
        (
            "nats://h/{resource}-x.A_b%20c$",
            "h",
            4222,
            false,
            "{resource}-x.A_b%20c$",
        ),
    ] {
        let read = parse(url);
        assert_eq!(read.origin().host_str(), Some(host), "{url}");
        assert_eq!((read.port(), read.tls(), read.subject()), (port, tls, subject), "{url}");
    }
}

#[test]
fn what_is_no_url_of_a_stream_is_refused_in_words() {
    for (url, words) in [
        ("", "expected nats://"),
        ("nats:h/a", "expected nats://"),
        ("http://h/a", "expected nats://"),
        ("nats:///a", "not host:port"),
        ("nats://h:x/a", "not host:port"),
        ("nats://h:99999/a", "not host:port"),
        ("nats://h:0/a", "no port 0"),
        ("nats://{resource}.h/a", "only the subject"),
        ("nats://h", "no subject"),
        ("nats://h/", "no subject"),
        ("nats://h?x/a", "expected a / and a subject"),
        ("nats://h#x/a", "expected a / and a subject"),
        ("nats://h\\x/a", "expected a / and a subject"),
        ("nats://h/.a", "is empty"),
        ("nats://h/a.", "is empty"),
        ("nats://h/a..b", "is empty"),
        ("nats://h/a b", "holds ' '"),
        ("nats://h/a\tb", "holds '\\t'"),
        ("nats://h/a\r\nPUB x 0", "holds '\\r'"),
        ("nats://h/a.*", "holds '*'"),
        ("nats://h/a.>", "holds '>'"),
        ("nats://h/a/b", "holds '/'"),
        ("nats://h/a?b", "holds '?'"),
        ("nats://h/a#b", "holds '#'"),
        ("nats://h/\u{e4}", "holds 'ä'"),
        ("nats://h/{tenant}", "placeholder that is not known"),
        ("nats://h/{element", "placeholder that is not known"),
        ("nats://h/$JS.API.STREAM.DELETE.x", "the server's own"),
        ("nats://h/_INBOX.x", "the server's own"),
    ] {
        let error = NatsUrl::parse(url).expect_err(url);
        assert!(error.contains(words), "{url}: {error}");
    }
    let error = NatsUrl::parse(&format!("nats://h/{}", "a".repeat(SUBJECT_BYTES_MAX + 1))).unwrap_err();
    assert!(error.contains("1025 bytes; at most 1024"), "{error}");
}

#[test]
fn credentials_in_a_url_are_refused_unseen_and_the_right_place_is_named() {
    for url in ["nats://ada:hunter2@h/a", "tls://hunter2@h/a", "nats://@h/a"] {
        let error = NatsUrl::parse(url).expect_err(url);
        assert!(error.contains("event.notification.basic.username"), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("ada"), "{error}");
    }
}

#[test]
fn a_name_goes_into_the_subject_as_one_token() {
    let names = Names {
        element: "autotaskcrm",
        instance: "42",
        resource: "a.b *>\r\n{change}",
        change: "created",
    };
    let url = fill_subject("nats://h:1/x.{element}.{instance}-{resource}.{change}", &names);
    assert_eq!(
        url,
        "nats://h:1/x.autotaskcrm.42-a%2Eb%20%2A%3E%0D%0A%7Bchange%7D.created"
    );
    let read = parse(&url);
    assert!(read.is_filled());
    assert_eq!(read.subject().split('.').count(), 4);
    assert!(!parse("nats://h/{element}").is_filled());
}

#[test]
fn an_empty_name_is_a_token_too_and_a_web_address_stays_as_it_is() {
    let names = Names {
        element: "",
        instance: "ü",
        resource: "",
        change: "",
    };
    assert_eq!(fill_subject("tls://h/{element}.{instance}", &names), "tls://h/_.%C3%BC");
    let web = "https://example.com/{element}?x={change}";
    assert_eq!(fill_subject(web, &names), web);
}
