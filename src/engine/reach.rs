//! What an element is told of an instance's configuration, and what it may reach with it.
//! Must not show a secret: of those that are set, the element gets the names.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use url::Url;

use crate::domain::element::{ACCESS_TOKEN, Manifest, Oauth2, Property, PropertyKind};
use crate::domain::grants::{Grants, OperatorGrants, RefreshGrant};
use crate::domain::secret::Secret;

/// Names of the secrets that are set are listed under this key of the configuration.
const SECRETS_KEY: &str = "$secrets";

/// What follows from a configuration.
#[derive(Debug)]
pub struct Told {
    /// The configuration without secrets and without their names.
    pub plain: Map<String, Value>,
    pub grants: Grants,
}

impl Told {
    /// `value` gives what is set for a property that is no secret; the manifest's default stands in for what is not.
    #[must_use]
    pub fn of(
        manifest: &Manifest,
        value: impl Fn(&Property) -> Option<Value>,
        secrets: HashMap<String, Secret>,
        by_operator: &ByOperator,
    ) -> Self {
        let mut plain = Map::new();
        for property in manifest.properties.iter().filter(|property| !property.secret) {
            if let Some(value) = value(property).or_else(|| property.default.clone()) {
                plain.insert(property.key.clone(), typed(property.kind, value));
            }
        }
        let parts = manifest.account.iter().filter_map(|key| plain.get(key));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let account = parts.fold(manifest.key.clone(), |name, value| format!("{name}|{}", text(value)));
        let urls = manifest.hosts_from.iter();
        let origins = urls.filter_map(|key| origin_of(plain.get(key)?.as_str()?)).collect();
        let operator = operator_grants(manifest, &value, &plain, &secrets, by_operator);
        let oauth2 = manifest.oauth2.as_ref();
        let grants = Grants {
            hosts: manifest.hosts.clone(),
            origins,
            oauth2: oauth2.and_then(|oauth2| refresh_grant(oauth2, &plain, &secrets, by_operator)),
            operator,
            secrets,
            account,
            limits: manifest.limits.clone(),
            response_headers: manifest.response_headers.clone(),
        };
        Self { plain, grants }
    }

    /// As the WIT's `run.configuration` describes it.
    #[must_use]
    pub fn configuration(&self) -> Value {
        let mut names: Vec<&str> = self.grants.secrets.keys().map(String::as_str).collect();
        names.extend(self.grants.oauth2.as_ref().map(|_| ACCESS_TOKEN));
        names.sort_unstable();
        let mut configuration = self.plain.clone();
        configuration.insert(SECRETS_KEY.into(), names.into());
        Value::Object(configuration)
    }
}

/// What whoever runs the gateway set for an element, where the instance says nothing of its own.
#[derive(Debug, Default)]
pub struct ByOperator {
    /// Keys of properties, secret or not, whose value is the operator's.
    pub keys: HashSet<String>,
    /// Host patterns and origins that the operator's secrets may go to as well.
    pub secret_hosts: Vec<String>,
}

/// Urls that are the operator's or the manifest's own are no user's choice.
fn operator_grants(
    manifest: &Manifest,
    value: impl Fn(&Property) -> Option<Value>,
    plain: &Map<String, Value>,
    secrets: &HashMap<String, Secret>,
    by_operator: &ByOperator,
) -> OperatorGrants {
    let chosen_by_user = |key: &str| {
        let property = manifest.property(key);
        !by_operator.keys.contains(key) && property.is_none_or(|property| value(property).is_some())
    };
    let urls = manifest.hosts_from.iter().filter(|key| !chosen_by_user(key));
    let urls = urls.filter_map(|key| plain.get(key)?.as_str());
    let listed = by_operator.secret_hosts.iter().map(String::as_str);
    let (listed, hosts): (Vec<_>, Vec<_>) = listed.partition(|text| text.contains("://"));
    OperatorGrants {
        secrets: by_operator
            .keys
            .iter()
            .filter(|key| secrets.contains_key(*key))
            .cloned()
            .collect(),
        hosts: hosts.into_iter().map(str::to_owned).collect(),
        origins: urls.chain(listed).filter_map(origin_of).collect(),
    }
}

/// What access tokens are obtained with; `None` unless all of it is set.
fn refresh_grant(
    oauth2: &Oauth2,
    configuration: &Map<String, Value>,
    secrets: &HashMap<String, Secret>,
    by_operator: &ByOperator,
) -> Option<RefreshGrant> {
    let text = |key: &str| configuration.get(key).and_then(Value::as_str);
    let secret = |key: &str| secrets.get(key).cloned().or_else(|| text(key).map(Secret::new));
    let filled = |key: &str| secret(key).filter(|value| !value.expose().trim().is_empty());
    Some(RefreshGrant {
        token_url: oauth2.url(text)?,
        client_id: filled(&oauth2.client_id)?,
        client_secret: filled(&oauth2.client_secret)?,
        refresh_token: filled(&oauth2.refresh_token)?,
        by_operator: [&oauth2.client_secret, &oauth2.refresh_token]
            .into_iter()
            .any(|key| by_operator.keys.contains(key)),
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
    fn an_element_gets_what_is_set_as_its_manifest_types_it_and_no_secret() {
        let document = json!({
            "key": "x", "name": "X", "hub": "h", "version": "1.0.0", "projection": 1, "resources": [{"name": "r"}],
            "properties": [
                {"key": "url", "type": "url"}, {"key": "user", "type": "string"}, {"key": "count", "type": "integer"},
                {"key": "all", "type": "boolean", "default": true}, {"key": "token", "type": "password", "secret": true},
                {"key": "unset", "type": "string"},
            ],
            "hosts": ["x.example"], "hostsFrom": ["url"], "account": ["url", "count"],
        });
        let (manifest, _) = Manifest::parse(document.to_string().as_bytes()).unwrap();
        let set = json!({"url": "https://a.example:8443/p?q", "user": "jo", "count": "7", "token": "hunter2"});
        let secrets = HashMap::from(["token", "a"].map(|name| (name.to_owned(), Secret::new("hunter2"))));
        let told = Told::of(
            &manifest,
            |property| set.get(&property.key).cloned(),
            secrets,
            &ByOperator::default(),
        );
        let expected = json!({
            "url": "https://a.example:8443/p?q", "user": "jo", "count": 7, "all": true, "$secrets": ["a", "token"],
        });
        assert_eq!(told.configuration(), expected);
        assert!(!told.plain.contains_key("$secrets"));
        assert_eq!(told.grants.account, "x|https://a.example:8443/p?q|7");
        assert_eq!(told.grants.origins, ["https://a.example:8443"]);
    }

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
            refresh_grant(
                &oauth2,
                configuration.as_object().unwrap(),
                &secrets.collect(),
                &ByOperator::default(),
            )
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

    #[test]
    fn a_secret_of_the_operator_follows_no_url_of_the_user() {
        let document = json!({
            "key": "x", "name": "X", "hub": "h", "version": "1.0.0", "projection": 1, "resources": [{"name": "r"}],
            "properties": [
                {"key": "url", "type": "url", "operator": true},
                {"key": "code", "type": "password", "secret": true, "operator": true},
                {"key": "other", "type": "url", "default": "https://default.example"},
            ],
            "hosts": ["x.example"], "hostsFrom": ["url", "other"],
        });
        let (manifest, _) = Manifest::parse(document.to_string().as_bytes()).unwrap();
        let grants = |set: Value, operator: &[&str], secret_hosts: &[&str]| {
            let by_operator = ByOperator {
                keys: operator.iter().map(ToString::to_string).collect(),
                secret_hosts: secret_hosts.iter().map(ToString::to_string).collect(),
            };
            let secrets = HashMap::from([("code".to_owned(), Secret::new("hunter2"))]);
            let value = |property: &Property| set.get(&property.key).cloned();
            Told::of(&manifest, value, secrets, &by_operator).grants.operator
        };
        let url = json!({"url": "https://a.example/p"});
        let default = "https://default.example".to_owned();
        let own = grants(url.clone(), &["code"], &[]);
        assert_eq!((own.secrets.len(), &own.origins), (1, &vec![default.clone()]));
        let set = grants(url.clone(), &["code", "url"], &[]);
        assert_eq!(set.origins, ["https://a.example".to_owned(), default]);
        let both = json!({"url": "https://a.example", "other": "https://b.example"});
        let listed = grants(both, &["code"], &["*.c.example", "http://127.0.0.1:8080/x"]);
        assert_eq!(listed.hosts, ["*.c.example"]);
        assert_eq!(listed.origins, ["http://127.0.0.1:8080"]);
        assert!(
            grants(url, &[], &[]).secrets.is_empty(),
            "the instance's own secret may go where its url says"
        );
    }
}
