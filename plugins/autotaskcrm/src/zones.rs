//! Where an account's API is: what the configured server address means, and what zone discovery answers.
//! Must not trust an address that the vendor's answer names before it was checked.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_sdk::{Fault, Request, Response};

use crate::faults;
use crate::settings::{SERVER, USERNAME};

/// Zone look-ups are exempt from the vendor's limits.
const LANE: &str = "zone";

/// Any zone's host answers for every account; this one has no number that could be wrong.
const ANY_ZONE: &str = "https://webservices.autotask.net/";

/// Pinned: a later version (2.0 appeared in 2026) has no zone look-up and other answers.
const VERSION: &str = "V1.0/";

/// The configured server address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where discovery is asked first, as far as the address tells; ends with a slash.
    base: Option<String>,
    /// Lower case, with a port if one was given.
    host: String,
    is_https: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A host of the vendor.
    Vendor,
    /// A proxy, or a test.
    Other,
}

/// The parts of an address that matter here.
struct Address<'a> {
    is_https: bool,
    /// With a port if there is one; lower case.
    host: String,
    path: &'a str,
}

impl<'a> Address<'a> {
    /// None for what is no plain http or https address. User information is refused: it hides where a request goes.
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let path_is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if !host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            || !host.bytes().all(is_plain)
            || !path_is_plain
        {
            return None;
        }
        Some(Self {
            is_https,
            host: host.to_ascii_lowercase(),
            path,
        })
    }

    /// The host without its port.
    fn name(&self) -> &str {
        match self.host.rfind(':') {
            Some(colon) if !self.host[colon..].contains(']') => &self.host[..colon],
            _ => &self.host,
        }
    }

    fn is_vendor(&self) -> bool {
        self.name().ends_with(".autotask.net")
    }

    fn origin(&self) -> String {
        format!("{}://{}", if self.is_https { "https" } else { "http" }, self.host)
    }
}

impl Server {
    /// Reads a login address (`https://ww2.autotask.net/…`), an API address or any base address.
    ///
    /// # Errors
    /// A bad-configuration fault that names the key.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let address = Address::parse(text).ok_or_else(|| {
            Fault::bad_configuration(
                SERVER,
                format!(
                    "`{SERVER}` is no address that can be used: expected one such as https://ww2.autotask.net, without a \
                     user name in it"
                ),
            )
        })?;
        if !address.is_vendor() {
            let base = format!("{}/", address.origin() + api_parent(address.path));
            return Ok(Self {
                base: Some(base),
                host: address.host,
                is_https: address.is_https,
                kind: Kind::Other,
            });
        }
        let base = api_host(address.name()).map(|host| format!("https://{host}/"));
        Ok(Self {
            base,
            host: address.host,
            is_https: true,
            kind: Kind::Vendor,
        })
    }

    /// Names the server in a memo.
    pub fn key(&self) -> &str {
        self.base.as_deref().unwrap_or(&self.host)
    }

    /// The n-th request that may find the zone, None when all were sent. `id` is the request's.
    pub fn discovery(&self, attempt: usize, username: &str, id: u32) -> Option<Request> {
        let any_zone = (self.kind == Kind::Vendor).then_some(ANY_ZONE);
        let base = self.base.as_deref().into_iter().chain(any_zone).nth(attempt)?;
        let url = format!(
            "{base}atservicesrest/v1.0/zoneInformation?user={}",
            percent_encoded(username)
        );
        Some(
            Request::get(url)
                .id(id)
                .cost(0)
                .lane(LANE)
                .header("Accept", "application/json"),
        )
    }

    /// Where the API most likely is when discovery says nothing: by the rule that `wwN` and `webservicesN` are one zone.
    pub fn guess(&self) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}atservicesrest/"))
    }

    /// What discovery answered.
    ///
    /// # Errors
    /// A bad-configuration fault if the vendor does not know the user name.
    pub fn read(&self, response: &Response, username: &str) -> Result<Answer, Fault> {
        if response.status == 0 {
            return Ok(Answer::Nothing(format!("no answer ({})", response.excerpt(200))));
        }
        if response.status == 500
            && faults::errors(response)
                .iter()
                .any(|error| error.contains("Zone information"))
        {
            return Err(unknown_user(username));
        }
        if response.status != 200 {
            return Ok(Answer::Nothing(format!("HTTP {}", response.status)));
        }
        let url = serde_json::from_slice::<Value>(&response.body).ok();
        match url.as_ref().and_then(|zone| zone.get("url")).and_then(Value::as_str) {
            Some(url) => Ok(self.accept(url)),
            None => Ok(Answer::Nothing("an answer without the zone's `url`".into())),
        }
    }

    /// Makes a zone's address uniform, if it is one that credentials may be sent to.
    fn accept(&self, url: &str) -> Answer {
        let refused = |why: &str| {
            let shown: String = url.chars().take(200).collect();
            Answer::Nothing(format!("the zone address `{shown}`, which {why}"))
        };
        let Some(address) = Address::parse(url.trim()) else {
            return refused("is none");
        };
        let own = Address::parse(&self.host).is_some_and(|own| own.name() == address.name());
        if !address.is_vendor() && !own {
            return refused("is of a host that neither is Autotask's nor the configured one");
        }
        if !address.is_https && (address.is_vendor() || self.is_https) {
            return refused("is not encrypted");
        }
        Answer::Zone(format!(
            "{}{}/atservicesrest/",
            address.origin(),
            api_parent(address.path)
        ))
    }
}

/// What discovery came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The zone's API address, ending in a slash.
    Zone(String),
    /// Nothing that can be used; the text says what came instead.
    Nothing(String),
}

fn unknown_user(username: &str) -> Fault {
    Fault::bad_configuration(
        USERNAME,
        format!(
            "Autotask knows no zone for the user `{username}`: `{USERNAME}` must be the user name (key) of an API user, in its \
             e-mail form, as the user's page in Autotask shows it"
        ),
    )
}

/// The part of a path before `atservicesrest`, or all of it if it has none; without a slash at the end.
/// Anything of the web interface (`/Mvc/…`) matters on the vendor's hosts only, and there no path is kept.
fn api_parent(path: &str) -> &str {
    let lower = path.to_ascii_lowercase();
    let end = lower.find("/atservicesrest").unwrap_or(path.len());
    path[..end].trim_end_matches('/')
}

/// The API host that belongs to a host of the vendor; None where only discovery can tell.
fn api_host(host: &str) -> Option<String> {
    let label = host.strip_suffix(".autotask.net")?;
    if let Some(zone) = label
        .strip_prefix("ww")
        .filter(|zone| zone.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return (!zone.is_empty()).then(|| format!("webservices{zone}.autotask.net"));
    }
    (label != "www" && label != "webservices").then(|| host.to_owned())
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// An account's API address, and how it came to be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Ends in a slash, before the version.
    pub base: String,
    pub origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Kept from an earlier run: the account may have been moved since.
    Memo,
    Discovered,
    /// Discovery said nothing.
    Guessed,
}

impl Zone {
    pub fn url(&self, path: &str) -> String {
        format!("{}{VERSION}{path}", self.base)
    }

    /// For messages.
    pub fn host(&self) -> &str {
        let rest = self.base.split_once("://").map_or(self.base.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
