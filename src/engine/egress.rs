//! May this request leave the gateway, and where to? Judges text and addresses; never resolves a name and never sends.

mod address;
mod nats;
mod placeholder;
mod withheld;

use std::collections::HashMap;

use url::Url;

use crate::domain::run::{Refusal, Request};
use crate::domain::secret::Secret;

pub use address::{allowed_address, literal_address};
pub use nats::{Names, NatsUrl, fill_subject, is_nats};
pub use placeholder::fill;
pub use withheld::{withheld, withheld_token};

/// Longest URL, in bytes; more is refused by many servers anyway.
pub const URL_BYTES_MAX: usize = 16 * 1024;
/// Most headers of a request.
pub const HEADERS_MAX: usize = 64;
/// Names and values of all headers together, in bytes, before placeholders are filled in.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Longest body of a request, in bytes; as much as an answer may have.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest name of a lane, in bytes.
pub const LANE_BYTES_MAX: usize = 256;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Headers that belong to the connection, or that the gateway sets: an element that set them could smuggle a second
/// request or reach another virtual host.
const HEADERS_REFUSED: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Checks all of a request but the addresses that its host has. The answer is the URL to send it to, without a fragment.
pub fn admit(request: &Request, hosts: &[String], origins: &[String]) -> Result<Url, Refusal> {
    if !METHODS.contains(&request.method.as_str()) {
        return refuse(format!(
            "method {:?} is not one of {}",
            clip(&request.method),
            METHODS.join(", ")
        ));
    }
    let url = admit_url(&request.url, hosts, origins)?;
    admit_headers(&request.headers)?;
    if request.lane.len() > LANE_BYTES_MAX {
        return refuse(format!(
            "the lane's name has {} bytes; at most {LANE_BYTES_MAX} are allowed",
            request.lane.len()
        ));
    }
    if let Some(body) = &request.body {
        if body.len() > BODY_BYTES_MAX {
            return refuse(format!(
                "the body has {} bytes; at most {BODY_BYTES_MAX} are allowed",
                body.len()
            ));
        }
        if placeholder::stands_in(body) {
            return refuse("a placeholder may stand in a header's value only, not in the body".into());
        }
    }
    Ok(url)
}

/// What [`admit`] and [`fill`] will say of it when it is sent.
///
/// # Errors
/// The same refusals.
pub fn check(
    request: &Request,
    hosts: &[String],
    origins: &[String],
    secrets: &HashMap<String, Secret>,
) -> Result<(), Refusal> {
    admit(request, hosts, origins)?;
    request
        .headers
        .iter()
        .try_for_each(|(_, value)| fill(value, secrets).map(|_| ()))
}

fn admit_url(text: &str, hosts: &[String], origins: &[String]) -> Result<Url, Refusal> {
    if text.len() > URL_BYTES_MAX {
        return refuse(format!(
            "the URL has {} bytes; at most {URL_BYTES_MAX} are allowed",
            text.len()
        ));
    }
    if placeholder::stands_in(text.as_bytes()) {
        return refuse("a placeholder may stand in a header's value only, not in the URL".into());
    }
    let mut url = web_url(text).map_err(Refusal)?;
    url.set_fragment(None);
    if is_of_hosts(&url, hosts) || is_of_origins(&url, origins) {
        return Ok(url);
    }
    refuse(format!(
        "{} is neither a host of the element's manifest, reached by https, nor an address of the instance's configuration",
        url.origin().ascii_serialization()
    ))
}

/// A pattern's host is reached by https, on its port.
fn is_of_hosts(url: &Url, hosts: &[String]) -> bool {
    url.scheme() == "https"
        && url.port_or_known_default() == Some(443)
        && url
            .domain()
            .is_some_and(|domain| hosts.iter().any(|pattern| matches_pattern(domain, pattern)))
}

fn is_of_origins(url: &Url, origins: &[String]) -> bool {
    origins
        .iter()
        .any(|origin| Url::parse(origin).is_ok_and(|origin| origin.origin() == url.origin()))
}

/// Would it go over a network as plain text? What stays within this machine does not.
#[must_use]
pub fn is_in_the_clear(url: &Url) -> bool {
    let is_local = match url.host() {
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            // Of a scheme that browsers don't know, an address is read as a name.
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || name.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
        }
        _ => literal_address(url).is_some_and(|address| address.to_canonical().is_loopback()),
    };
    matches!(url.scheme(), "http" | "nats") && !is_local
}

/// An absolute http or https URL with a host, without user, password and port 0. The error is for people and shows neither
/// password nor query.
pub fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not an absolute URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme {:?} is neither http nor https", clip(url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("user and password may not stand in a URL".into());
    }
    if url.port() == Some(0) {
        return Err("there is no port 0".into());
    }
    Ok(url)
}

fn admit_headers(headers: &[(String, String)]) -> Result<(), Refusal> {
    if headers.len() > HEADERS_MAX {
        return refuse(format!("{} headers; at most {HEADERS_MAX} are allowed", headers.len()));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return refuse(format!(
            "the headers have {bytes} bytes; at most {HEADER_BYTES_MAX} are allowed"
        ));
    }
    for (name, value) in headers {
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return refuse(format!("{:?} is no name of a header", clip(name)));
        }
        if HEADERS_REFUSED.iter().any(|refused| name.eq_ignore_ascii_case(refused)) {
            return refuse(format!("the header {name} is the gateway's to set"));
        }
        if !value.bytes().all(is_value_byte) {
            return refuse(format!(
                "the header {name} holds a line break or another control character"
            ));
        }
    }
    Ok(())
}

/// `api.example.com` matches itself, `*.example.com` all below it and not itself.
fn matches_pattern(domain: &str, pattern: &str) -> bool {
    let Some(suffix) = pattern.strip_prefix("*.") else {
        return domain.eq_ignore_ascii_case(pattern);
    };
    let Some(cut) = domain.len().checked_sub(suffix.len()) else {
        return false;
    };
    // A host is ASCII; a pattern need not be, and then matches none.
    cut > 1
        && domain.is_char_boundary(cut)
        && domain[cut..].eq_ignore_ascii_case(suffix)
        && domain[..cut].ends_with('.')
}

/// The characters that RFC 9110 allows in a token.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The beginning of what an element wrote, for a message.
fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

fn refuse<T>(reason: String) -> Result<T, Refusal> {
    Err(Refusal(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> Request {
        Request {
            id: 1,
            method: method.into(),
            url: url.into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            body: None,
            idempotent: true,
            cost: 1,
            lane: "Companies".into(),
        }
    }

    fn judge(request: &Request) -> Result<String, String> {
        let hosts = ["api.example.com".to_owned(), "*.autotask.net".to_owned()];
        let origins = ["http://127.0.0.1:8080".to_owned(), "https://vendor.test".to_owned()];
        admit(request, &hosts, &origins)
            .map(String::from)
            .map_err(|refusal| refusal.0)
    }

    fn judge_url(url: &str) -> Result<String, String> {
        judge(&request("GET", url, &[]))
    }

    #[test]
    fn a_request_goes_to_the_manifest_s_hosts_and_to_the_configured_addresses() {
        for url in [
            "https://api.example.com/",
            "https://API.example.com:443/v1?x=1",
            "https://webservices2.autotask.net/atservicesrest/v1.0/Companies/query",
            "https://a.b.autotask.net/",
            "http://127.0.0.1:8080/x",
            "https://vendor.test/x",
        ] {
            assert!(judge_url(url).is_ok(), "{url}: {:?}", judge_url(url));
        }
        assert_eq!(
            judge_url("https://api.example.com/a#b").unwrap(),
            "https://api.example.com/a"
        );
    }

    #[test]
    fn a_request_goes_nowhere_else() {
        for url in [
            "https://example.com/",
            "https://autotask.net/",
            "https://evilautotask.net/",
            "https://.autotask.net/",
            "https://autotask.net.evil.test/",
            "https://api.example.com./",
            "https://api.example.com:8443/",
            "http://api.example.com/",
            "http://127.0.0.1:8081/",
            "https://127.0.0.1:8080/",
            "http://127.0.0.2:8080/",
            "http://localhost:8080/",
            "http://vendor.test/",
            "https://x.vendor.test/",
        ] {
            let refusal = judge_url(url).expect_err(url);
            assert!(
                refusal.contains("is neither a host of the element's manifest"),
                "{url}: {refusal}"
            );
        }
    }

    #[test]
    fn a_url_that_is_no_plain_web_address_is_refused_in_words() {
        for (url, reason) in [
            ("", "not an absolute URL"),
            ("/v1.0/Companies", "not an absolute URL"),
            ("https://", "not an absolute URL"),
            ("ftp://api.example.com/", "neither http nor https"),
            ("file:///etc/passwd", "neither http nor https"),
            ("https://user@api.example.com/", "user and password"),
            ("https://:hunter2@api.example.com/", "user and password"),
            ("http://127.0.0.1:0/", "no port 0"),
            ("https://api.example.com/?key={{secret:k}}", "not in the URL"),
            ("https://api.example.com/?key={{base64:k}}", "not in the URL"),
        ] {
            let refusal = judge_url(url).expect_err(url);
            assert!(refusal.contains(reason), "{url}: {refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
        assert!(judge_url(&format!("https://api.example.com/{}", "x".repeat(URL_BYTES_MAX))).is_err());
    }

    #[test]
    fn methods_and_headers_cannot_smuggle_anything() {
        let url = "https://api.example.com/";
        for method in ["", "get", "GET / HTTP/1.1\r\n", "CONNECT", "TRACE"] {
            assert!(
                judge(&request(method, url, &[]))
                    .expect_err(method)
                    .starts_with("method"),
                "{method}"
            );
        }
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "",
            "a b",
            "a:b",
            "a\r\nb",
            "ä",
        ] {
            assert!(judge(&request("GET", url, &[(name, "x")])).is_err(), "{name:?}");
        }
        for value in ["a\r\nb: c", "a\0", "\u{7f}"] {
            assert!(judge(&request("GET", url, &[("x", value)])).is_err(), "{value:?}");
        }
        assert!(
            judge(&request(
                "POST",
                url,
                &[("Content-Type", "application/json"), ("x", "Zoë\t1")]
            ))
            .is_ok()
        );
    }

    #[test]
    fn what_an_element_may_send_has_a_limit() {
        let good = request("POST", "https://api.example.com/", &[]);
        let many = vec![("x".to_owned(), "y".to_owned()); HEADERS_MAX + 1];
        let long = vec![("x".to_owned(), "y".repeat(HEADER_BYTES_MAX))];
        for bad in [
            Request {
                headers: many,
                ..good.clone()
            },
            Request {
                headers: long,
                ..good.clone()
            },
            Request {
                body: Some(vec![b'x'; BODY_BYTES_MAX + 1]),
                ..good.clone()
            },
            Request {
                body: Some(b"{\"key\":\"{{secret:k}}\"}".to_vec()),
                ..good.clone()
            },
            Request {
                body: Some(b"{{base64:k}}".to_vec()),
                ..good.clone()
            },
            Request {
                lane: "x".repeat(LANE_BYTES_MAX + 1),
                ..good.clone()
            },
        ] {
            assert!(judge(&bad).is_err());
        }
        assert!(
            judge(&Request {
                body: Some(b"{{\"a\":{}}}".to_vec()),
                ..good
            })
            .is_ok()
        );
    }
}
