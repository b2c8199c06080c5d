//! The manifest against the code that it describes.

use serde_json::Value;
use tidegate_sdk::Element;

use crate::Zendesk;
use crate::resources::RESOURCES;
use crate::settings::{EMAIL, TOKEN, URL};

fn manifest() -> Value {
    serde_json::from_str(Zendesk::manifest()).unwrap()
}

#[test]
fn every_resource_is_described_with_the_date_that_it_is_polled_by() {
    let manifest = manifest();
    let resources = manifest["resources"].as_array().unwrap();
    let names: Vec<_> = resources
        .iter()
        .map(|resource| resource["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, RESOURCES.map(|resource| resource.name));
    for resource in resources {
        assert_eq!(resource["updatedDateField"], "updated_at");
        assert!(
            resource["dateFields"]
                .as_array()
                .unwrap()
                .contains(&"updated_at".into())
        );
    }
}

#[test]
fn the_properties_are_those_that_are_read_and_the_token_is_secret() {
    let manifest = manifest();
    let properties = manifest["properties"].as_array().unwrap();
    let secret = |key: &str| {
        let property = properties.iter().find(|property| property["key"] == key);
        property.map(|property| property["secret"] == true)
    };
    assert_eq!(
        [URL, EMAIL, TOKEN, "filter.response.nulls"].map(secret),
        [Some(false), Some(false), Some(true), Some(false)]
    );
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_quiet_account_may_export_once_at_once_and_ten_times_a_minute_at_most() {
    let limits = &manifest()["limits"];
    let a_minute = limits["requests"].as_f64().unwrap() * 60.0 / limits["perSeconds"].as_f64().unwrap();
    assert!(a_minute / 10.0 <= 10.0, "an export costs 10 (see export.rs)");
}
