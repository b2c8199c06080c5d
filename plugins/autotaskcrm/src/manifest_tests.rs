//! The manifest against the code that it describes.

use serde_json::Value;
use tidegate_sdk::Element;

use crate::Autotask;
use crate::entities::{Entity, Naming, RESOURCES, hub_name};
use crate::settings::{INTEGRATION_CODE, PASSWORD, SERVER, USERNAME};

fn manifest() -> Value {
    serde_json::from_str(Autotask::manifest()).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn every_hub_resource_is_described_with_fields_that_its_entity_has() {
    let manifest = manifest();
    let resources = manifest["resources"].as_array().unwrap();
    let (generic, named): (Vec<_>, Vec<_>) = resources.iter().partition(|resource| resource["generic"] == true);
    assert_eq!(generic.len(), 1);
    let names: Vec<_> = named
        .iter()
        .map(|resource| resource["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, RESOURCES.map(|(name, _)| name));
    for resource in named {
        let name = resource["name"].as_str().unwrap();
        let entity = Entity::of(name).unwrap();
        let fields = entity.fields.unwrap();
        let known: Vec<_> = fields.dates.iter().map(|field| hub_name(field)).collect();
        assert_eq!(entity.naming, Naming::Hub);
        assert_eq!(texts(&resource["dateFields"]), known, "{name}");
        assert_eq!(resource["createdDateField"].as_str(), fields.created, "{name}");
        assert_eq!(resource["updatedDateField"].as_str(), fields.updated, "{name}");
    }
}

#[test]
fn the_default_polls_are_the_seeds() {
    let manifest = manifest();
    let polled = manifest["resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|resource| resource["defaultPoll"] == true);
    assert_eq!(
        polled
            .map(|resource| resource["name"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["accounts", "contacts", "tasks"]
    );
}

#[test]
fn the_properties_are_those_that_are_read_and_secrets_are_marked() {
    let manifest = manifest();
    let secret = |key: &str| {
        let property = manifest["properties"]
            .as_array()
            .unwrap()
            .iter()
            .find(|property| property["key"] == key);
        property.map(|property| property["secret"] == true)
    };
    for (key, is_secret) in [
        (USERNAME, false),
        (PASSWORD, true),
        (SERVER, false),
        (INTEGRATION_CODE, true),
    ] {
        assert_eq!(secret(key), Some(is_secret), "{key}");
    }
    assert_eq!(secret("filter.response.nulls"), Some(false));
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
}
