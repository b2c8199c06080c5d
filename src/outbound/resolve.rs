//! Addresses that may be dialled: the check of literal ones, and the resolver that hands on allowed addresses alone.
//! Never caches: each new connection resolves and judges again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use super::Options;
use super::reason::Reason;
use crate::engine::egress::{NatsUrl, allowed_address, is_nats, literal_address, web_url};

/// Asks for the addresses of a name.
pub(super) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The operator's address policy. Cheap to clone.
#[derive(Clone)]
pub(super) struct Guard {
    policy: Arc<Policy>,
    lookup: Lookup,
}

/// By the system's resolver.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|host: String| Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) }))
}

#[derive(Debug)]
struct Policy {
    allow_private: bool,
    allow_networks: Vec<IpNet>,
    require_https: bool,
}

/// No address of a host may be dialled. Says which and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is {address}, which is {range}; --allow-private-networks or an allowed network would open what is private"
)]
pub(super) struct Blocked {
    host: String,
    address: IpAddr,
    range: &'static str,
}

impl Guard {
    pub(super) fn new(options: &Options, lookup: Lookup) -> Self {
        Self {
            policy: Arc::new(Policy {
                allow_private: options.allow_private_networks,
                allow_networks: options.allow_networks.clone(),
                require_https: options.require_https,
            }),
            lookup,
        }
    }

    /// The addresses of a name, without a port and not yet judged.
    pub(super) async fn look_up(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        (self.lookup)(host.to_owned()).await
    }

    /// All that can be said of a URL before its name is resolved.
    pub(super) fn check_url(&self, url: &Url) -> Result<(), Reason> {
        self.check_encryption(url, url.scheme() == "https")?;
        Ok(self.check_literal(url)?)
    }

    /// May this host be reached so?
    pub(super) fn check_encryption(&self, url: &Url, is_encrypted: bool) -> Result<(), Reason> {
        if self.policy.require_https && !is_encrypted {
            return Err(Reason::NotEncrypted(url.host_str().unwrap_or_default().to_owned()));
        }
        Ok(())
    }

    /// For hosts that no resolver is asked about.
    pub(super) fn check_literal(&self, url: &Url) -> Result<(), Blocked> {
        literal_address(url).map_or(Ok(()), |address| {
            self.check(url.host_str().unwrap_or_default(), address)
        })
    }

    /// Those of a host's addresses that may be dialled; the first refusal when there is none. No addresses stay none.
    pub(super) fn filter(&self, host: &str, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Blocked> {
        let mut refusal = None;
        let mut allowed = addresses;
        allowed.retain(|address| match self.check(host, address.ip()) {
            Ok(()) => true,
            Err(blocked) => {
                refusal.get_or_insert(blocked);
                false
            }
        });
        match refusal {
            Some(blocked) if allowed.is_empty() => Err(blocked),
            _ => Ok(allowed),
        }
    }

    /// The kind check, when a callback is configured; the one at each connection counts.
    pub(super) fn admissible(&self, url: &str) -> Result<(), String> {
        let (url, is_encrypted) = if is_nats(url) {
            let url = NatsUrl::parse(url)?;
            (url.origin().clone(), url.tls())
        } else {
            let url = web_url(url)?;
            let is_encrypted = url.scheme() == "https";
            (url, is_encrypted)
        };
        if self.policy.require_https && !is_encrypted {
            return Err(
                "is not encrypted; expected an https or tls URL, since this gateway sends in no other way (require_https)"
                    .into(),
            );
        }
        self.check_literal(&url).map_err(|blocked| blocked.to_string())?;
        let name = url.domain().unwrap_or_default().trim_end_matches('.');
        let is_local = name == "localhost" || name.ends_with(".localhost");
        if is_local && !self.policy.allow_private && self.policy.allow_networks.is_empty() {
            return Err(format!(
                "{name} is this machine; --allow-private-networks would open it"
            ));
        }
        Ok(())
    }

    fn check(&self, host: &str, address: IpAddr) -> Result<(), Blocked> {
        let Policy {
            allow_private,
            allow_networks,
            ..
        } = &*self.policy;
        allowed_address(address, *allow_private, allow_networks).map_err(|range| Blocked {
            host: host.to_owned(),
            address,
            range,
        })
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let addresses = guard.look_up(host).await?;
            let allowed = guard.filter(host, addresses)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts
            .iter()
            .map(|text| SocketAddr::new(text.parse().expect(text), 0))
            .collect()
    }

    fn guard(allow_private_networks: bool, allow_networks: Vec<IpNet>) -> Guard {
        let options = Options {
            allow_private_networks,
            allow_networks,
            ..Options::default()
        };
        Guard::new(&options, system_lookup())
    }

    fn strict() -> Guard {
        guard(false, Vec::new())
    }

    #[test]
    fn a_name_that_is_rebound_to_a_private_address_is_not_dialled() {
        let answers = [vec!["93.184.216.34"], vec!["169.254.169.254"], vec!["::ffff:127.0.0.1"]];
        let judged = answers.map(|answer| strict().filter("rebind.test", addresses(&answer)));
        assert_eq!(judged[0], Ok(addresses(&["93.184.216.34"])));
        for refused in &judged[1..] {
            assert!(refused.is_err(), "{refused:?}");
        }
    }

    #[test]
    fn of_a_name_with_mixed_addresses_only_the_allowed_ones_are_dialled() {
        let mixed = addresses(&["10.0.0.1", "1.1.1.1", "::1", "2606:4700:4700::1111"]);
        assert_eq!(
            strict().filter("mixed.test", mixed),
            Ok(addresses(&["1.1.1.1", "2606:4700:4700::1111"]))
        );
    }

    #[test]
    fn a_refusal_names_host_address_and_range() {
        let refusal = strict()
            .filter("internal.test", addresses(&["10.1.2.3", "127.0.0.1"]))
            .unwrap_err()
            .to_string();
        assert!(
            refusal.starts_with("internal.test is 10.1.2.3, which is private (10.0.0.0/8)"),
            "{refusal}"
        );
    }

    #[test]
    fn a_url_that_could_never_be_posted_to_is_refused_when_it_is_configured() {
        for url in [
            "",
            "callback",
            "ftp://example.com/",
            "https://user:pass@example.com/",
            "http://example.com:0/",
            "http://127.0.0.1/",
            "http://0x7f.1/",
            "http://[::1]:8080/",
            "http://localhost:8080/",
            "http://LOCALHOST./",
            "http://x.localhost/",
            "nats://127.0.0.1/a",
            "tls://0x7f.1/a",
            "nats://[::ffff:10.0.0.1]/a",
            "nats://localhost/a",
            "nats://nats.test/",
        ] {
            assert!(strict().admissible(url).is_err(), "{url}");
        }
        for url in [
            "https://example.com/hook?x=1",
            "http://example.com:8080/",
            "https://1.1.1.1/",
            "nats://nats.test/a.{instance}",
            "tls://1.1.1.1:4222/a",
        ] {
            assert_eq!(strict().admissible(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_machine_of_one_s_own_may_be_posted_to_where_that_is_allowed() {
        let open = guard(true, Vec::new());
        for url in ["http://127.0.0.1:9/", "http://localhost:9/", "http://10.0.0.1/"] {
            assert_eq!(open.admissible(url), Ok(()), "{url}");
        }
        assert!(open.admissible("http://169.254.169.254/latest/meta-data").is_err());
        let loopback = guard(false, vec!["127.0.0.0/8".parse().unwrap()]);
        assert_eq!(loopback.admissible("http://localhost:9/"), Ok(()));
        assert!(loopback.admissible("http://10.0.0.1/").is_err());
    }

    #[test]
    fn where_https_is_required_no_plain_url_passes() {
        let options = Options {
            allow_private_networks: true,
            require_https: true,
            ..Options::default()
        };
        let guard = Guard::new(&options, system_lookup());
        for url in ["http://example.com/", "http://127.0.0.1:9/"] {
            assert!(guard.admissible(url).unwrap_err().contains("require_https"), "{url}");
            let refused = guard.check_url(&Url::parse(url).unwrap()).unwrap_err();
            assert!(refused.to_string().starts_with("not_encrypted: "), "{refused}");
        }
        assert_eq!(guard.admissible("https://example.com/"), Ok(()));
        assert_eq!(guard.check_url(&Url::parse("https://example.com/").unwrap()), Ok(()));
    }
}
