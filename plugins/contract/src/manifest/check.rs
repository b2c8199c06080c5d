//! The manifest of a component: read, and checked in words.
//! Must not fill in or repair anything: defaults are the domain's, and a wrong manifest is its author's to correct.

mod limits;
mod oauth2;

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::Value;

use super::{BYTES_MAX, Manifest, Property, PropertyKind, Resource};

/// Keys name files, URL segments and log fields.
const KEY_CHARS_MAX: usize = 64;

/// The manifest and the document it was read from. The error names field, found and expected.
pub(super) fn parse(bytes: &[u8]) -> Result<(Manifest, Value), String> {
    if bytes.len() > BYTES_MAX {
        return Err(format!("it has {} bytes; expected at most {BYTES_MAX}", bytes.len()));
    }
    let document: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    let manifest = Manifest::deserialize(&document).map_err(|error| error.to_string())?;
    check(&manifest)?;
    Ok((manifest, document))
}

fn check(manifest: &Manifest) -> Result<(), String> {
    check_key("key", &manifest.key)?;
    check_key("hub", &manifest.hub)?;
    check_filled("name", &manifest.name)?;
    check_filled("version", &manifest.version)?;
    check_properties(manifest)?;
    check_resources(&manifest.resources)?;
    for (index, host) in manifest.hosts.iter().enumerate() {
        check_host(&format!("hosts[{index}]"), host)?;
    }
    limits::check(manifest)?;
    for (index, name) in manifest.response_headers.iter().enumerate() {
        let is_header = !name.is_empty()
            && name
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        check_that(
            is_header,
            &format!("responseHeaders[{index}]"),
            name,
            "the name of a header in lower case",
        )?;
    }
    oauth2::check(manifest)?;
    for key in manifest.defaults.keys() {
        check_that(
            key.starts_with("event."),
            "defaults",
            key,
            "keys that begin with `event.`",
        )?;
    }
    Ok(())
}

fn check_properties(manifest: &Manifest) -> Result<(), String> {
    check_distinct(
        "properties",
        manifest.properties.iter().map(|property| property.key.as_str()),
    )?;
    for (index, property) in manifest.properties.iter().enumerate() {
        check_filled(&format!("properties[{index}].key"), &property.key)?;
        check_default(index, property)?;
    }
    for key in &manifest.hosts_from {
        let is_url = manifest
            .property(key)
            .is_some_and(|property| property.kind == PropertyKind::Url);
        check_that(is_url, "hostsFrom", key, "keys of properties of type `url`")?;
    }
    for key in &manifest.account {
        check_that(manifest.property(key).is_some(), "account", key, "keys of properties")?;
    }
    Ok(())
}

fn check_default(index: usize, property: &Property) -> Result<(), String> {
    let Some(default) = &property.default else {
        return Ok(());
    };
    let field = format!("properties[{index}].default");
    if property.secret {
        // Whoever has the component can read it.
        return Err(format!("{field}: found one for a secret; expected none"));
    }
    let (fits, expected) = match property.kind {
        PropertyKind::Boolean => (default.is_boolean(), "true or false"),
        PropertyKind::Integer => (default.is_i64() || default.is_u64(), "a whole number"),
        PropertyKind::String | PropertyKind::Url | PropertyKind::Password => (default.is_string(), "text"),
    };
    check_that(fits, &field, &default.to_string(), expected)
}

fn check_resources(resources: &[Resource]) -> Result<(), String> {
    if resources.is_empty() {
        return Err("resources: found none; expected at least one".into());
    }
    check_distinct("resources", resources.iter().map(|resource| resource.name.as_str()))?;
    for (index, resource) in resources.iter().enumerate() {
        check_filled(&format!("resources[{index}].name"), &resource.name)?;
        check_filled(&format!("resources[{index}].idField"), &resource.id_field)?;
    }
    let generic = resources.iter().filter(|resource| resource.generic).count();
    check_that(
        generic <= 1,
        "resources",
        &format!("{generic} with `generic`"),
        "at most one",
    )
}

/// A whole name in lower case, or `*.` and one with at least two labels: `*.com` would allow every vendor.
fn check_host(field: &str, host: &str) -> Result<(), String> {
    let (name, labels_min) = host.strip_prefix("*.").map_or((host, 1), |rest| (rest, 2));
    let labels = name.split('.');
    let is_name = labels.clone().count() >= labels_min
        && labels
            .into_iter()
            .all(|label| !label.is_empty() && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')));
    check_that(is_name, field, host, "a host name in lower case, or `*.example.com`")
}

fn check_key(field: &str, key: &str) -> Result<(), String> {
    let is_key = (1..=KEY_CHARS_MAX).contains(&key.len())
        && key
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    check_that(
        is_key,
        field,
        key,
        &format!("1 to {KEY_CHARS_MAX} of a-z, 0-9, - and _"),
    )
}

fn check_filled(field: &str, text: &str) -> Result<(), String> {
    check_that(!text.trim().is_empty(), field, text, "text that is not empty")
}

fn check_at_least_one(field: &str, number: u32) -> Result<(), String> {
    check_that(number >= 1, field, &number.to_string(), "at least 1")
}

fn check_distinct<'a>(field: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        check_that(seen.insert(name), field, &format!("{name} twice"), "names that differ")?;
    }
    Ok(())
}

fn check_that(holds: bool, field: &str, found: &str, expected: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{field}: found `{found}`; expected {expected}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    pub(super) fn minimal() -> Value {
        json!({
            "key": "zoho-crm", "name": "Zoho", "hub": "crm", "version": "1.0.0", "projection": 1,
            "resources": [{ "name": "accounts" }]
        })
    }

    /// What is said when these entries replace the minimal manifest's.
    pub(super) fn refusal(entries: Value) -> String {
        let mut document = minimal();
        let Value::Object(entries) = entries else {
            panic!("a test gives an object")
        };
        document.as_object_mut().unwrap().extend(entries);
        parse(document.to_string().as_bytes()).expect_err("should be refused")
    }

    #[test]
    fn reads_a_minimal_manifest() {
        let (manifest, document) = parse(minimal().to_string().as_bytes()).unwrap();
        assert_eq!(manifest.key, "zoho-crm");
        assert_eq!(document, minimal());
    }

    #[test]
    fn says_which_field_is_missing() {
        assert!(parse(b"{}").unwrap_err().contains("missing field `key`"));
        assert!(parse(b"no").unwrap_err().starts_with("it is not JSON"));
    }

    #[test]
    fn a_key_fits_into_a_file_name() {
        for key in ["", "Zoho", "../zoho", "zoho crm", &"a".repeat(65)] {
            let expected = format!("key: found `{key}`; expected 1 to 64 of a-z, 0-9, - and _");
            assert_eq!(refusal(json!({ "key": key })), expected);
        }
    }

    #[test]
    fn an_element_has_resources_with_names_that_differ() {
        assert_eq!(
            refusal(json!({ "resources": [] })),
            "resources: found none; expected at least one"
        );
        let twice = json!({ "resources": [{ "name": "a" }, { "name": "a" }] });
        assert_eq!(refusal(twice), "resources: found `a twice`; expected names that differ");
        let generic = json!({ "resources": [{ "name": "a", "generic": true }, { "name": "b", "generic": true }] });
        assert_eq!(
            refusal(generic),
            "resources: found `2 with `generic``; expected at most one"
        );
    }

    #[test]
    fn a_host_pattern_cannot_allow_a_whole_top_level_domain() {
        for host in [
            "*",
            "*.com",
            "*.*.com",
            "https://vendor.example",
            "Vendor.example",
            "vendor.example:8080",
            "",
        ] {
            let said = refusal(json!({ "hosts": [host] }));
            assert!(said.starts_with(&format!("hosts[0]: found `{host}`")), "{said}");
        }
        let mut document = minimal();
        document["hosts"] = json!(["vendor.example", "*.vendor.example"]);
        parse(document.to_string().as_bytes()).unwrap();
    }

    #[test]
    fn properties_that_are_referred_to_exist() {
        let unknown = json!({ "hostsFrom": ["url"] });
        assert_eq!(
            refusal(unknown),
            "hostsFrom: found `url`; expected keys of properties of type `url`"
        );
        let no_url = json!({ "hostsFrom": ["url"], "properties": [{ "key": "url", "type": "string" }] });
        assert!(refusal(no_url).starts_with("hostsFrom"));
        assert!(refusal(json!({ "account": ["user"] })).starts_with("account: found `user`"));
    }

    #[test]
    fn a_default_has_the_type_of_its_property() {
        let text = json!({ "properties": [{ "key": "a", "type": "integer", "default": "1" }] });
        assert_eq!(
            refusal(text),
            "properties[0].default: found `\"1\"`; expected a whole number"
        );
    }

    #[test]
    fn a_secret_has_no_default_and_its_value_is_not_repeated() {
        let secret =
            json!({ "properties": [{ "key": "a", "type": "password", "secret": true, "default": "hunter2" }] });
        assert_eq!(
            refusal(secret),
            "properties[0].default: found one for a secret; expected none"
        );
    }

    #[test]
    fn defaults_are_event_settings() {
        assert!(refusal(json!({ "defaults": { "crm.user": "x" } })).starts_with("defaults: found `crm.user`"));
    }
}
