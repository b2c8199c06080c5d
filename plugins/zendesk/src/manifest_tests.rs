//! The manifest against the code that it describes.

use serde_json::{Value, json};
use tidegate_sdk::Element;

use crate::resources::RESOURCES;
use crate::settings::{EMAIL, TOKEN, URL};
use crate::{Zendesk, export, listing};

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
fn lanes_with_a_limit_of_their_own_have_a_budget() {
    let limits = &manifest()["limits"];
    let budgets = [export::LANE, listing::SEARCHES].map(|lane| limits["lanes"][lane].clone());
    let a_minute = |requests: u32| json!({"requests": requests, "perSeconds": 60});
    assert_eq!(budgets, [a_minute(10), a_minute(100)]);
    assert_eq!(limits["lanes"].as_object().unwrap().len(), 2);
}
