//! Requests beside the manifest: where they may go, and which secrets they may name.
//! Must not be the guard: the gateway judges every request again as it leaves.

use serde_json::Value;
use url::Url;

use super::watched::Watched;
use super::{Rule, Ruled, count};
use crate::case::secrets;
use crate::difference::shown;
use crate::manifest::Manifest;
use crate::placeholders::{self, ACCESS_TOKEN};
use crate::run::{Request, Run};

/// Headers that belong to the connection, or that the gateway sets.
const GATEWAY_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn rule(watched: &Watched<'_>) -> Ruled {
    let seen = watched.requests();
    let tried = count(seen.count, "request");
    if seen.count == 0 {
        return Ruled::not_proven(Rule::Requests, tried, "no case leads to a request");
    }
    Ruled::of(Rule::Requests, tried, seen.breaches())
}

/// What a run's requests may do.
pub(super) struct Judge<'m> {
    manifest: &'m Manifest,
    /// Of the configuration, as `hostsFrom` allows them.
    origins: Vec<Url>,
}

impl<'m> Judge<'m> {
    pub(super) fn new(manifest: &'m Manifest, run: &Run) -> Self {
        let configured = manifest.hosts_from.iter().filter_map(|key| run.configuration.get(key));
        let origins = configured.filter_map(Value::as_str).filter_map(configured_url);
        Self {
            manifest,
            origins: origins.collect(),
        }
    }

    /// What is wrong with a request, in words that show no query.
    pub(super) fn of(&self, request: &Request) -> Vec<String> {
        let bare = request.url.split(['?', '#']).next().unwrap_or_default();
        let named = format!("{} {}", shown(&request.method), shown(bare));
        let mut wrong: Vec<String> = self.of_url(&request.url).into_iter().collect();
        wrong.extend(
            request
                .headers
                .iter()
                .filter_map(|(name, value)| self.of_header(name, value)),
        );
        let in_body = request.body.as_deref().map(String::from_utf8_lossy);
        for (place, text) in [("url", Some(request.url.as_str().into())), ("body", in_body)] {
            if text.is_some_and(|text: std::borrow::Cow<'_, str>| placeholders::any_is_in(&text)) {
                wrong.push(format!(
                    "{place}: found a placeholder; expected them in headers' values only"
                ));
            }
        }
        wrong.into_iter().map(|wrong| format!("{named}: {wrong}")).collect()
    }

    fn of_url(&self, url: &str) -> Option<String> {
        let url = match Url::parse(url) {
            Ok(url) => url,
            Err(error) => return Some(format!("url: found no absolute address ({error})")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Some("url: found a user or a password; expected none".into());
        }
        let is_configured = self.origins.iter().any(|origin| origin.origin() == url.origin());
        let is_plain_https = url.scheme() == "https" && url.port_or_known_default() == Some(443);
        let host = url.host_str().unwrap_or_default();
        let is_listed = self.manifest.hosts.iter().any(|pattern| matches(host, pattern));
        if is_configured || (is_plain_https && is_listed) {
            return None;
        }
        Some(format!(
            "url: found {}; expected https and one of the manifest's hosts ({}), or an address of the configuration ({})",
            url.origin().ascii_serialization(),
            listed(&self.manifest.hosts),
            listed(&self.manifest.hosts_from)
        ))
    }

    fn of_header(&self, name: &str, value: &str) -> Option<String> {
        if GATEWAY_HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return Some(format!(
                "header `{name}`: found one that the gateway sets; expected none"
            ));
        }
        if secrets::is_literal(name, value) {
            return Some(format!(
                "header `{name}`: found a value of the element's own (not shown); expected a placeholder, so that the gateway \
                 fills in the secret"
            ));
        }
        let names = match placeholders::names(value) {
            Ok(names) => names,
            Err(wrong) => return Some(format!("header `{name}`: {wrong}")),
        };
        let foreign = names.into_iter().find(|secret| !self.is_secret(secret))?;
        Some(format!(
            "header `{name}`: found the placeholder of `{}`; expected a property of the manifest that is `secret`, or \
             `{ACCESS_TOKEN}` where it has `oauth2`",
            shown(foreign)
        ))
    }

    fn is_secret(&self, name: &str) -> bool {
        let is_property = self.manifest.property(name).is_some_and(|property| property.secret);
        is_property || (name == ACCESS_TOKEN && self.manifest.oauth2.is_some())
    }
}

/// A configured address, which people also write without its scheme.
fn configured_url(text: &str) -> Option<Url> {
    let text = text.trim();
    Url::parse(text)
        .ok()
        .filter(Url::has_host)
        .or_else(|| Url::parse(&format!("https://{text}")).ok())
}

/// `api.example.com` is itself, `*.example.com` all below it and not itself.
fn matches(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => host == pattern,
        Some(suffix) => host
            .strip_suffix(suffix)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".into(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{case, get, manifest};

    fn wrong(request: &Request) -> Vec<String> {
        let mut document = manifest();
        document["hosts"] = json!(["acme.example", "*.acme.example"]);
        let (manifest, _) = Manifest::parse(document.to_string().as_bytes()).unwrap();
        let mut run = case(Vec::new()).run;
        run.configuration = json!({"acme.url": "http://127.0.0.1:8080/x"});
        Judge::new(&manifest, &run).of(request)
    }

    #[test]
    fn requests_go_where_the_manifest_and_the_configuration_allow() {
        for url in [
            "https://acme.example/a",
            "https://eu.acme.example/a",
            "http://127.0.0.1:8080/other",
        ] {
            assert_eq!(wrong(&get(url)), [""; 0], "{url}");
        }
        for url in [
            "http://acme.example/a",
            "https://acme.example:8443/a",
            "https://evil.example/a",
            "https://notacme.example",
            "https://127.0.0.1:8080/",
            "https://jo@acme.example/",
            "/a",
        ] {
            assert_eq!(wrong(&get(url)).len(), 1, "{url}");
        }
        let said = wrong(&get("https://evil.example/a?secret=x"));
        assert_eq!(
            said,
            [
                "GET https://evil.example/a: url: found https://evil.example; expected https and one of the manifest's hosts \
                 (acme.example, *.acme.example), or an address of the configuration (acme.url)"
            ]
        );
    }

    #[test]
    fn secrets_are_the_manifests_own_and_stand_in_headers() {
        let with = |name: &str, value: &str| Request {
            headers: vec![(name.into(), value.into())],
            ..get("https://acme.example/a")
        };
        for value in ["Bearer {{secret:acme.key}}", "Basic {{base64:jo:{{secret:acme.key}}}}"] {
            assert_eq!(wrong(&with("Authorization", value)), [""; 0], "{value}");
        }
        for (name, value, said) in [
            ("Authorization", "Bearer abc", "found a value of the element's own"),
            ("X-Api-Key", "abc", "found a value of the element's own"),
            (
                "Authorization",
                "{{secret:acme.url}}",
                "found the placeholder of `acme.url`",
            ),
            (
                "X",
                "{{secret:oauth2.access_token}}",
                "found the placeholder of `oauth2.access_token`",
            ),
            ("X", "{{secret:acme.key", "found `{{secret:` that is not closed"),
            ("Host", "evil.example", "found one that the gateway sets"),
        ] {
            let words = wrong(&with(name, value));
            assert!(words.len() == 1 && words[0].contains(said), "{value}: {words:?}");
        }
        let in_url = get("https://acme.example/{{secret:acme.key}}");
        let in_body = Request {
            body: Some(b"{{secret:acme.key}}".to_vec()),
            ..get("https://acme.example/a")
        };
        assert!(wrong(&in_url)[0].contains("url: found a placeholder"));
        assert!(wrong(&in_body)[0].contains("body: found a placeholder"));
    }

    #[test]
    fn a_token_is_named_where_the_manifest_has_oauth2() {
        let mut document = manifest();
        document["oauth2"] = json!({
            "tokenUrl": "https://acme.example/token", "clientId": "acme.url", "clientSecret": "acme.key", "refreshToken": "acme.key"
        });
        let (manifest, _) = Manifest::parse(document.to_string().as_bytes()).unwrap();
        let request = Request {
            headers: vec![("Authorization".into(), "Bearer {{secret:oauth2.access_token}}".into())],
            ..get("https://acme.example/a")
        };
        assert_eq!(Judge::new(&manifest, &case(Vec::new()).run).of(&request), [""; 0]);
    }
}
