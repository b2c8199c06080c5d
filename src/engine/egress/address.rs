//! The addresses that the gateway may dial. A table and its reading; never resolves a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// The address that a URL names without a name to resolve: `127.0.0.1`, `0x7f.1`, `[::1]`.
#[must_use]
pub fn literal_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// May a connection be opened to this address? The error names the range that forbids it. `allow_private` opens loopback,
/// private and carrier networks, and still no cloud's metadata; `allow_networks` opens whatever lies in them.
pub fn allowed_address(address: IpAddr, allow_private: bool, allow_networks: &[IpNet]) -> Result<(), &'static str> {
    // ::ffff:10.0.0.1 is dialled as 10.0.0.1, so that is what is judged.
    let address = address.to_canonical();
    if allow_networks.iter().any(|network| network.contains(&address)) {
        return Ok(());
    }
    let range = match address {
        IpAddr::V4(address) => BLOCKED_IPV4
            .iter()
            .find(|(network, ..)| network.contains(&address))
            .map(named),
        IpAddr::V6(address) => BLOCKED_IPV6
            .iter()
            .find(|(network, ..)| network.contains(&address))
            .map(named)
            .or((!GLOBAL_UNICAST.contains(&address)).then_some((Opened::Listed, "unassigned (outside of 2000::/3)"))),
    };
    match range {
        Some((Opened::Private, _)) if allow_private => Ok(()),
        Some((_, name)) => Err(name),
        None => Ok(()),
    }
}

fn named<N>((_, opened, name): &(N, Opened, &'static str)) -> (Opened, &'static str) {
    (*opened, name)
}

/// Who may open a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opened {
    /// Private networks are allowed, or the very network is.
    Private,
    /// The very network is allowed: nothing that a gateway should talk to unasked lives there.
    Listed,
}

use Opened::{Listed, Private};

/// The first range that holds an address names it, so that a range stands after its parts.
const BLOCKED_IPV4: &[(Ipv4Net, Opened, &str)] = &[
    (v4([100, 100, 100, 200], 32), Listed, "cloud metadata (100.100.100.200)"),
    (v4([168, 63, 129, 16], 32), Listed, "Azure's host (168.63.129.16)"),
    (v4([0, 0, 0, 0], 8), Listed, "this network (0.0.0.0/8)"),
    (v4([10, 0, 0, 0], 8), Private, "private (10.0.0.0/8)"),
    (v4([172, 16, 0, 0], 12), Private, "private (172.16.0.0/12)"),
    (v4([192, 168, 0, 0], 16), Private, "private (192.168.0.0/16)"),
    (v4([100, 64, 0, 0], 10), Private, "carrier NAT (100.64.0.0/10)"),
    (v4([127, 0, 0, 0], 8), Private, "loopback (127.0.0.0/8)"),
    (
        v4([169, 254, 0, 0], 16),
        Listed,
        "link-local, cloud metadata (169.254.0.0/16)",
    ),
    (v4([192, 0, 0, 0], 24), Listed, "protocol assignments (192.0.0.0/24)"),
    (v4([192, 0, 2, 0], 24), Listed, "documentation (192.0.2.0/24)"),
    (v4([198, 51, 100, 0], 24), Listed, "documentation (198.51.100.0/24)"),
    (v4([203, 0, 113, 0], 24), Listed, "documentation (203.0.113.0/24)"),
    (v4([192, 88, 99, 0], 24), Listed, "old 6to4 relay (192.88.99.0/24)"),
    (v4([198, 18, 0, 0], 15), Listed, "benchmarking (198.18.0.0/15)"),
    (v4([224, 0, 0, 0], 4), Listed, "multicast (224.0.0.0/4)"),
    (v4([255, 255, 255, 255], 32), Listed, "broadcast (255.255.255.255)"),
    (v4([240, 0, 0, 0], 4), Listed, "reserved (240.0.0.0/4)"),
];

const BLOCKED_IPV6: &[(Ipv6Net, Opened, &str)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), Listed, "unspecified (::)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), Private, "loopback (::1)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), Listed, "IPv4-compatible (::/96)"),
    (
        v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96),
        Listed,
        "IPv4-translated (::ffff:0:0:0/96)",
    ),
    (
        v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
        Listed,
        "cloud metadata (fd00:ec2::254)",
    ),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), Private, "unique local (fc00::/7)"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), Listed, "link-local (fe80::/10)"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), Listed, "site-local (fec0::/10)"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), Listed, "multicast (ff00::/8)"),
    (
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        Listed,
        "documentation (2001:db8::/32)",
    ),
    (
        v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
        Listed,
        "documentation (3fff::/20)",
    ),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), Listed, "discard (100::/64)"),
    (v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), Listed, "dummy (100:0:0:1::/64)"),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), Listed, "6to4 (2002::/16)"),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), Listed, "NAT64 (64:ff9b::/96)"),
    (
        v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
        Listed,
        "NAT64 (64:ff9b:1::/48)",
    ),
    (
        v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
        Listed,
        "segment routing (5f00::/16)",
    ),
    (
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
        Listed,
        "Teredo and protocol assignments (2001::/23)",
    ),
];

/// All that is handed out to anybody so far.
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::egress::web_url;

    fn judge_address(text: &str) -> Result<(), &'static str> {
        allowed_address(text.parse().expect(text), false, &[])
    }

    /// First and last address of every range of the block list, and a word of its name.
    const BLOCKED: &[(&str, &str, &str)] = &[
        ("0.0.0.0", "0.255.255.255", "this network"),
        ("10.0.0.0", "10.255.255.255", "private"),
        ("172.16.0.0", "172.31.255.255", "private"),
        ("192.168.0.0", "192.168.255.255", "private"),
        ("100.64.0.0", "100.127.255.255", "carrier NAT"),
        ("100.100.100.200", "100.100.100.200", "metadata"),
        ("127.0.0.0", "127.255.255.255", "loopback"),
        ("169.254.0.0", "169.254.255.255", "link-local"),
        ("169.254.169.254", "169.254.169.254", "metadata"),
        ("192.0.0.0", "192.0.0.255", "protocol"),
        ("192.0.0.192", "192.0.0.192", "protocol"),
        ("192.0.2.0", "192.0.2.255", "documentation"),
        ("198.51.100.0", "198.51.100.255", "documentation"),
        ("203.0.113.0", "203.0.113.255", "documentation"),
        ("192.88.99.0", "192.88.99.255", "6to4 relay"),
        ("198.18.0.0", "198.19.255.255", "benchmarking"),
        ("224.0.0.0", "239.255.255.255", "multicast"),
        ("240.0.0.0", "255.255.255.254", "reserved"),
        ("255.255.255.255", "255.255.255.255", "broadcast"),
        ("168.63.129.16", "168.63.129.16", "Azure"),
        ("::", "::", "unspecified"),
        ("::1", "::1", "loopback"),
        ("::2", "::ffff:ffff", "IPv4-compatible"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1", "private"),
        ("::ffff:127.0.0.1", "::ffff:169.254.169.254", ""),
        ("::ffff:0:0:0", "::ffff:0:ffff:ffff", "IPv4-translated"),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local"),
        ("fd00:ec2::254", "fd00:ec2::254", "metadata"),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"),
        ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
        ("100::", "100::ffff:ffff:ffff:ffff", "discard"),
        ("100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", "dummy"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"),
        ("64:ff9b::808:808", "64:ff9b::ffff:ffff", "NAT64"),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64"),
        ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing"),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"),
        ("4000::", "5eff::1", "unassigned"),
    ];

    #[test]
    fn no_address_of_the_block_list_is_dialled() {
        for (first, last, name) in BLOCKED {
            for address in [first, last] {
                let range = judge_address(address).expect_err(address);
                assert!(range.contains(name), "{address}: {range}");
            }
        }
        assert!(BLOCKED.len() > BLOCKED_IPV4.len() + BLOCKED_IPV6.len());
    }

    #[test]
    fn public_addresses_next_to_the_block_list_are_dialled() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:200::",
            "2003::",
            "3fff:1000::",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(judge_address(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn allowing_private_networks_opens_no_metadata() {
        let judge = |text: &str| allowed_address(text.parse().expect(text), true, &[]);
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd12::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(judge(address), Ok(()), "{address}");
        }
        for address in [
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "0.0.0.0",
            "::",
            "fe80::1",
        ] {
            assert!(judge(address).is_err(), "{address}");
        }
    }

    #[test]
    fn an_allowed_network_opens_itself_alone() {
        let networks = [
            "10.1.0.0/16".parse().unwrap(),
            "169.254.169.254/32".parse().unwrap(),
            "64:ff9b::/96".parse().unwrap(),
        ];
        let judge = |text: &str| allowed_address(text.parse().expect(text), false, &networks);
        for address in ["10.1.255.255", "169.254.169.254", "::ffff:10.1.0.1", "64:ff9b::808:808"] {
            assert_eq!(judge(address), Ok(()), "{address}");
        }
        for address in ["10.2.0.0", "169.254.169.253", "127.0.0.1"] {
            assert!(judge(address).is_err(), "{address}");
        }
    }

    #[test]
    fn addresses_written_in_odd_ways_are_seen_through() {
        for url in [
            "http://2130706433/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://127.1/",
            "http://[::ffff:7f00:1]/",
        ] {
            let address = literal_address(&web_url(url).unwrap()).expect(url);
            assert_eq!(
                allowed_address(address, false, &[]),
                Err("loopback (127.0.0.0/8)"),
                "{url}"
            );
        }
        assert_eq!(literal_address(&web_url("http://localhost/").unwrap()), None);
    }
}
