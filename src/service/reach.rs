//! What an instance hands to its element and to the vendor port: configuration without secrets, and grants with them.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use super::Gateway;
use crate::domain::element::{ACCESS_TOKEN, Element, Oauth2, PropertyKind};
use crate::domain::instance::Instance;
use crate::domain::secret::Secret;
use crate::ports::{Grants, RefreshGrant};

/// An instance's element with all that its runs need.
#[derive(Clone)]
pub struct Reach {
    pub element: Arc<Element>,
    /// As the WIT's `run.configuration` describes it.
    pub configuration: Value,
    pub grants: Arc<Grants>,
    /// Digest of the configuration: what was learnt under another one does not hold.
    origin: u64,
}

impl Reach {
    /// A memo as it is stored: marked with the configuration that it was learnt under. Empty stays empty, which clears it.
    pub(crate) fn mark_memo(&self, memo: Vec<u8>) -> Vec<u8> {
        if memo.is_empty() {
            return memo;
        }
        [&self.origin.to_be_bytes()[..], &memo].concat()
    }

    /// The memo, if it was learnt under this very configuration.
    pub(crate) fn read_memo(&self, stored: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let stored = stored?;
        let (mark, memo) = stored.split_at_checked(size_of::<u64>())?;
        (mark == self.origin.to_be_bytes()).then(|| memo.to_vec())
    }
}

/// Why an instance cannot run at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("element {0:?} is not loaded; put its component into the elements directory")]
    NotLoaded(String),
    #[error(
        "the secret {0} can't be opened: {1}; was vault.key in the data directory replaced? PATCH the instance with the secret to store it anew"
    )]
    Sealed(String, String),
}

impl Gateway {
    /// `plain_secrets` holds secrets that are not stored yet: those of an instance that is being created or changed.
    pub(crate) fn reach(&self, instance: &Instance, plain_secrets: &HashMap<String, Secret>) -> Result<Reach, Error> {
        let element = self
            .elements
            .find(&instance.element)
            .ok_or_else(|| Error::NotLoaded(instance.element.clone()))?;
        let manifest = &element.manifest;
        let operator = self.settings.element_configuration.get(&manifest.key);
        let mut configuration = Map::new();
        let mut secrets: HashMap<String, Secret> = HashMap::new();
        for property in &manifest.properties {
            let set_by_operator = || {
                operator
                    .filter(|_| property.operator)
                    .and_then(|operator| operator.get(&property.key))
            };
            if property.secret {
                if let Some(secret) = plain_secrets.get(&property.key) {
                    secrets.insert(property.key.clone(), secret.clone());
                } else if let Some(sealed) = instance.secrets.get(&property.key) {
                    secrets.insert(property.key.clone(), self.unseal(&property.key, sealed)?);
                } else if let Some(text) = set_by_operator() {
                    secrets.insert(property.key.clone(), text.clone());
                }
            } else {
                let value = instance.configuration.get(&property.key).cloned();
                let value = value.or_else(|| set_by_operator().map(|text| Value::from(text.expose())));
                if let Some(value) = value.or_else(|| property.default.clone()) {
                    configuration.insert(property.key.clone(), typed(property.kind, value));
                }
            }
        }
        let origin = xxh3_64(Value::Object(configuration.clone()).to_string().as_bytes());
        let account = manifest.account.iter().filter_map(|key| configuration.get(key));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let account = account.fold(manifest.key.clone(), |name, value| format!("{name}|{}", text(value)));
        let origins = manifest
            .hosts_from
            .iter()
            .filter_map(|key| configuration.get(key)?.as_str());
        let origins = origins.filter_map(origin_of).collect();
        let oauth2 = manifest.oauth2.as_ref();
        let oauth2 = oauth2.and_then(|oauth2| refresh_grant(oauth2, &configuration, &secrets));
        let mut names: Vec<&str> = secrets.keys().map(String::as_str).collect();
        names.extend(oauth2.as_ref().map(|_| ACCESS_TOKEN));
        names.sort_unstable();
        configuration.insert("$secrets".into(), Value::from(names));
        let grants = Grants {
            hosts: manifest.hosts.clone(),
            origins,
            secrets,
            oauth2,
            account,
            limits: manifest.limits.clone(),
            response_headers: manifest.response_headers.clone(),
        };
        Ok(Reach {
            configuration: Value::Object(configuration),
            grants: Arc::new(grants),
            origin,
            element,
        })
    }

    pub(crate) fn unseal(&self, key: &str, sealed: &str) -> Result<Secret, Error> {
        let refuse = |reason: String| Error::Sealed(key.to_owned(), reason);
        let sealed = STANDARD.decode(sealed).map_err(|error| refuse(error.to_string()))?;
        let plain = self.vault.open(&sealed).map_err(|error| refuse(error.to_string()))?;
        String::from_utf8(plain)
            .map(Secret::new)
            .map_err(|_| refuse("not text".into()))
    }

    pub(crate) fn seal(&self, secret: &Secret) -> String {
        STANDARD.encode(self.vault.seal(secret.expose().as_bytes()))
    }
}

/// What access tokens are obtained with; `None` unless all of it is set.
fn refresh_grant(
    oauth2: &Oauth2,
    configuration: &Map<String, Value>,
    secrets: &HashMap<String, Secret>,
) -> Option<RefreshGrant> {
    let text = |key: &str| configuration.get(key).and_then(Value::as_str);
    let secret = |key: &str| secrets.get(key).cloned().or_else(|| text(key).map(Secret::new));
    let filled = |key: &str| secret(key).filter(|value| !value.expose().trim().is_empty());
    Some(RefreshGrant {
        token_url: oauth2.url(text)?,
        client_id: filled(&oauth2.client_id)?,
        client_secret: filled(&oauth2.client_secret)?,
        refresh_token: filled(&oauth2.refresh_token)?,
    })
}

/// `https://ww2.autotask.net/Mvc/x` -> `https://ww2.autotask.net`
fn origin_of(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    url.has_host().then(|| url.origin().ascii_serialization())
}

/// Booleans and integers come as strings from Cloud Elements' clients; the element gets what its manifest says.
fn typed(kind: PropertyKind, value: Value) -> Value {
    match (kind, &value) {
        (PropertyKind::Boolean, Value::String(text)) => text.trim().parse::<bool>().map_or(value, Value::Bool),
        (PropertyKind::Integer, Value::String(text)) => text.trim().parse::<i64>().map_or(value, Value::from),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn access_tokens_are_asked_for_where_all_three_properties_are_set() {
        let oauth2 = Oauth2 {
            token_url: "/token".into(),
            token_url_from: Some("url".into()),
            client_id: "id".into(),
            client_secret: "secret".into(),
            refresh_token: "refresh".into(),
        };
        let grant = |configuration: Value, names: &[&str]| {
            let secrets = names.iter().map(|name| ((*name).to_owned(), Secret::new(*name)));
            refresh_grant(&oauth2, configuration.as_object().unwrap(), &secrets.collect())
        };
        let all = json!({"url": "https://vendor.example/", "id": "me"});
        let found = grant(all.clone(), &["secret", "refresh"]).unwrap();
        assert_eq!(found.token_url, "https://vendor.example/token");
        let values = [&found.client_id, &found.client_secret, &found.refresh_token].map(Secret::expose);
        assert_eq!(values, ["me", "secret", "refresh"]);
        assert!(grant(all.clone(), &["secret"]).is_none());
        assert!(grant(all, &[]).is_none());
        assert!(
            grant(
                json!({"url": "https://vendor.example", "id": " "}),
                &["secret", "refresh"]
            )
            .is_none()
        );
        assert!(grant(json!({"id": "me"}), &["secret", "refresh"]).is_none());
    }
}
