//! The manifest against the code that it describes.

use serde_json::{Value, json};
use tidegate_sdk::Element;

use crate::HubSpot;
use crate::objects::{ENVELOPE, KNOWN, Object};
use crate::settings::{ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, HUB_ID, OTHER, PROPERTIES, REFRESH_TOKEN, TOKEN, URL};
use crate::steps::job::SEARCHES;

fn manifest() -> Value {
    serde_json::from_str(HubSpot::manifest()).unwrap()
}

fn property(manifest: &Value, key: &str) -> Value {
    let properties = manifest["properties"].as_array().unwrap();
    let found = properties.iter().find(|property| property["key"] == key);
    found.unwrap_or_else(|| panic!("{key} is no property")).clone()
}

#[test]
fn the_properties_are_those_that_are_read_and_secrets_are_marked() {
    let manifest = manifest();
    for (key, is_secret) in [
        (HUB_ID, false),
        (TOKEN, true),
        (CLIENT_ID, false),
        (CLIENT_SECRET, true),
        (REFRESH_TOKEN, true),
        (URL, false),
        (OTHER, false),
    ] {
        assert_eq!(property(&manifest, key)["secret"] == true, is_secret, "{key}");
    }
    let oauth2 = &manifest["oauth2"];
    let keys = ["clientId", "clientSecret", "refreshToken", "tokenUrlFrom"].map(|name| oauth2[name].as_str().unwrap());
    assert_eq!(keys, [CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, URL]);
    assert_eq!(ACCESS_TOKEN, "oauth2.access_token");
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_default_properties_of_each_object_are_written_where_they_are_configured() {
    let manifest = manifest();
    for known in &KNOWN {
        let property = property(&manifest, &format!("{PROPERTIES}.{}", known.names[0]));
        let list = known.properties.join(", ");
        assert!(property["description"].as_str().unwrap().contains(&list), "{list}");
    }
}

#[test]
fn searches_have_a_budget_of_their_own() {
    let limits = &manifest()["limits"];
    assert_eq!(limits["lanes"], json!({SEARCHES: {"requests": 5, "perSeconds": 1}}));
}

#[test]
fn every_resource_has_dates_that_its_records_hold() {
    let manifest = manifest();
    for resource in manifest["resources"].as_array().unwrap() {
        let name = resource["name"].as_str().unwrap();
        let object = Object::of(if resource["generic"] == true { "products" } else { name }).unwrap();
        assert_eq!(resource["updatedDateField"], "updatedAt", "{name}");
        let fields = resource["dateFields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| field.as_str().unwrap());
        for field in fields.filter(|field| !ENVELOPE.contains(field)) {
            let is_asked_for = object.known.is_none_or(|known| known.properties.contains(&field));
            assert!(is_asked_for, "{name}: {field}");
        }
    }
}
