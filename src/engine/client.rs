//! Where a request comes from, and its id: what the client's side says of itself, and how far that is believed.

use std::net::IpAddr;

use ipnet::IpNet;

/// Longest id of a request that is taken over from the client, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 64;

/// May this be the id of a request, in answers, log and audit log? Letters, digits, `.`, `_` and `-`.
#[must_use]
pub fn is_request_id(text: &str) -> bool {
    let is_sane = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && text.len() <= REQUEST_ID_BYTES_MAX && text.bytes().all(is_sane)
}

/// The client's address: the peer of the connection, or, where that is a proxy that the operator named, the last address in
/// `X-Forwarded-For` that is no such proxy. What stands before it could be anybody's invention.
#[must_use]
pub fn address(peer: IpAddr, forwarded_for: Option<&str>, trusted_proxies: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted_proxies.iter().any(|network| network.contains(&address));
    let mut address = peer.to_canonical();
    for hop in forwarded_for.unwrap_or_default().rsplit(',') {
        let Some(hop) = hop.trim().parse::<IpAddr>().ok().filter(|_| is_proxy(address)) else {
            break;
        };
        address = hop.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_over_if_it_is_short_and_plain() {
        for text in ["a", "7f3e-A_b.c", &"x".repeat(REQUEST_ID_BYTES_MAX)] {
            assert!(is_request_id(text), "{text}");
        }
        for text in [
            "",
            "a b",
            "ä",
            "a\"b",
            "a=b",
            "a\n",
            &"x".repeat(REQUEST_ID_BYTES_MAX + 1),
        ] {
            assert!(!is_request_id(text), "{text:?}");
        }
    }

    #[test]
    fn only_named_proxies_are_believed_about_their_clients() {
        let table = [
            ("192.0.2.1", None, "192.0.2.1"),
            ("192.0.2.1", Some("198.51.100.7"), "192.0.2.1"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("10.0.0.1", Some("198.51.100.7"), "198.51.100.7"),
            ("::ffff:10.0.0.1", Some("198.51.100.7"), "198.51.100.7"),
            ("10.0.0.1", Some("1.1.1.1, 198.51.100.7"), "198.51.100.7"),
            ("10.0.0.1", Some("1.1.1.1, 198.51.100.7,10.0.0.2"), "198.51.100.7"),
            ("10.0.0.1", Some("198.51.100.7, nonsense"), "10.0.0.1"),
            ("10.0.0.1", Some(""), "10.0.0.1"),
        ];
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        for (peer, forwarded_for, expected) in table {
            let found = address(peer.parse().unwrap(), forwarded_for, &proxies);
            assert_eq!(found.to_string(), expected, "{peer} for {forwarded_for:?}");
        }
    }
}
