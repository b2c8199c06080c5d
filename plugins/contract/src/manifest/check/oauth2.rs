//! What a manifest says of OAuth2: where tokens come from, and which properties are handed over for them.
//! Must not let secrets go anywhere but to hosts that the element may reach.

use super::check_that;
use crate::manifest::{Manifest, Oauth2, PropertyKind};
use crate::placeholders::ACCESS_TOKEN;

pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    let Some(oauth2) = &manifest.oauth2 else {
        return Ok(());
    };
    match &oauth2.token_url_from {
        None => check_token_url(manifest, oauth2)?,
        Some(key) => check_token_path(manifest, oauth2, key)?,
    }
    check_that(
        manifest.property(ACCESS_TOKEN).is_none(),
        "properties",
        ACCESS_TOKEN,
        "another key: this one stands for the token that the gateway keeps",
    )?;
    for (field, key, secret) in [
        ("oauth2.clientId", &oauth2.client_id, false),
        ("oauth2.clientSecret", &oauth2.client_secret, true),
        ("oauth2.refreshToken", &oauth2.refresh_token, true),
    ] {
        let known = manifest.property(key);
        check_that(known.is_some(), field, key, "the key of a property")?;
        if secret {
            let is_secret = known.is_some_and(|known| known.secret);
            check_that(is_secret, field, key, "a property that is `secret`")?;
        }
    }
    Ok(())
}

fn check_token_url(manifest: &Manifest, oauth2: &Oauth2) -> Result<(), String> {
    let rest = oauth2.token_url.strip_prefix("https://");
    let host = rest.and_then(|rest| rest.split('/').next());
    check_that(
        host.is_some_and(|host| manifest.hosts.iter().any(|known| known == host)),
        "oauth2.tokenUrl",
        &oauth2.token_url,
        "an https url whose host is one of `hosts`, by its whole name; or a path, with `tokenUrlFrom`",
    )
}

/// A path that is added to a property's value, which must then always be there.
fn check_token_path(manifest: &Manifest, oauth2: &Oauth2, key: &str) -> Result<(), String> {
    let path = &oauth2.token_url;
    check_that(
        path.starts_with('/') && !path.starts_with("//"),
        "oauth2.tokenUrl",
        path,
        "a path that begins with one `/`, as `tokenUrlFrom` is set",
    )?;
    let is_base = manifest.property(key).is_some_and(|property| {
        property.kind == PropertyKind::Url && !property.secret && (property.required || property.default.is_some())
    });
    check_that(
        is_base && manifest.hosts_from.iter().any(|known| known == key),
        "oauth2.tokenUrlFrom",
        key,
        "a property of type `url` that is in `hostsFrom`, and required or with a default",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::manifest::Manifest;

    fn document() -> Value {
        json!({
            "key": "vendor", "name": "Vendor", "hub": "crm", "version": "1.0.0", "projection": 1,
            "resources": [{ "name": "accounts" }],
            "hosts": ["vendor.example", "*.any.example"],
            "hostsFrom": ["base", "maybe"],
            "properties": [
                { "key": "id", "type": "string" }, { "key": "open", "type": "string" },
                { "key": "secret", "type": "password", "secret": true },
                { "key": "token", "type": "password", "secret": true },
                { "key": "base", "type": "url", "default": "https://vendor.example" },
                { "key": "maybe", "type": "url" }, { "key": "other", "type": "url", "required": true }
            ],
            "oauth2": {
                "tokenUrl": "https://vendor.example/oauth/token",
                "clientId": "id", "clientSecret": "secret", "refreshToken": "token"
            }
        })
    }

    fn with(entries: Value) -> Result<Manifest, String> {
        let mut document = document();
        for (key, value) in entries.as_object().unwrap() {
            document["oauth2"][key] = value.clone();
        }
        Manifest::parse(document.to_string().as_bytes()).map(|(manifest, _)| manifest)
    }

    fn refusal(entries: Value) -> String {
        with(entries).expect_err("should be refused")
    }

    #[test]
    fn tokens_come_from_a_host_of_the_manifest_for_properties_that_exist() {
        let manifest = with(json!({})).unwrap();
        let url = manifest.oauth2.unwrap().url(|_| None);
        assert_eq!(url.as_deref(), Some("https://vendor.example/oauth/token"));
        for url in [
            "http://vendor.example/token",
            "https://other.example/",
            "https://a.any.example/t",
            "https://vendor.example.evil/",
            "/oauth/token",
        ] {
            let said = refusal(json!({ "tokenUrl": url }));
            assert!(said.starts_with(&format!("oauth2.tokenUrl: found `{url}`")), "{said}");
        }
        assert!(refusal(json!({ "clientId": "nobody" })).ends_with("expected the key of a property"));
        assert!(refusal(json!({ "refreshToken": "open" })).ends_with("expected a property that is `secret`"));
    }

    #[test]
    fn a_token_url_may_be_a_path_below_an_address_of_the_configuration() {
        let manifest = with(json!({ "tokenUrl": "/oauth/v1/token", "tokenUrlFrom": "base" })).unwrap();
        let oauth2 = manifest.oauth2.unwrap();
        let at = |base: &'static str| oauth2.url(|key| (key == "base").then_some(base));
        assert_eq!(
            at("http://127.0.0.1:8080").as_deref(),
            Some("http://127.0.0.1:8080/oauth/v1/token")
        );
        assert_eq!(
            at("https://x.example/a/").as_deref(),
            Some("https://x.example/a/oauth/v1/token")
        );
        assert_eq!(oauth2.url(|_| None), None);
        for path in ["https://vendor.example/token", "token", "//evil.example/", ""] {
            let said = refusal(json!({ "tokenUrl": path, "tokenUrlFrom": "base" }));
            assert!(said.starts_with(&format!("oauth2.tokenUrl: found `{path}`")), "{said}");
        }
        for (key, why) in [
            ("maybe", "it may be absent"),
            ("other", "it is not in hostsFrom"),
            ("id", "it is no url"),
            ("nobody", "there is none"),
        ] {
            let said = refusal(json!({ "tokenUrl": "/token", "tokenUrlFrom": key }));
            assert!(
                said.starts_with("oauth2.tokenUrlFrom: found"),
                "{key}, though {why}: {said}"
            );
        }
    }

    #[test]
    fn no_property_has_the_name_of_the_token() {
        let mut document = document();
        let token = json!({ "key": "oauth2.access_token", "type": "string" });
        document["properties"].as_array_mut().unwrap().push(token);
        let said = Manifest::parse(document.to_string().as_bytes()).unwrap_err();
        assert!(said.starts_with("properties: found `oauth2.access_token`"), "{said}");
    }
}
