//! Tests of `entities` by tables of cases. Must not reach beyond the module's own functions.

use super::*;

#[test]
fn hub_names_follow_the_two_rules_and_lead_back() {
    for (vendor, hub) in [
        ("companyName", "accountName"),
        ("companyType", "accountType"),
        ("companyNumber", "accountNumber"),
        ("companyID", "accountID"),
        ("companyCategoryID", "accountCategoryID"),
        ("parentCompanyID", "parentAccountID"),
        ("billToCompanyLocationID", "billToAccountLocationID"),
        ("surveyCompanyRating", "surveyAccountRating"),
        ("companyOwnerResourceID", "accountOwnerResourceID"),
        ("isActive", "active"),
        ("isTaxExempt", "isTaxExempt"),
        ("accountingReferenceID", "accountingReferenceID"),
        ("accompanying", "accompanying"),
        ("CompanysOwn", "CompanysOwn"),
        ("phone", "phone"),
        ("id", "id"),
        ("", ""),
    ] {
        assert_eq!(hub_name(vendor), hub);
        assert_eq!(vendor_name(hub), vendor);
        assert_eq!(vendor_name(vendor), vendor, "vendor names stay usable");
    }
}

#[test]
fn no_known_field_takes_the_hub_name_of_another() {
    let fields: serde_json::Value =
        serde_json::from_str(include_str!("../../../../examples/data/autotask-fields.json")).unwrap();
    for (entity, fields) in fields.as_object().unwrap() {
        let Some(fields) = fields.as_object() else { continue };
        let mut hub: Vec<_> = fields.keys().map(|field| hub_name(field)).collect();
        hub.sort();
        assert!(hub.windows(2).all(|pair| pair[0] != pair[1]), "{entity}");
        assert!(
            fields.keys().all(|field| vendor_name(&hub_name(field)) == *field),
            "{entity}"
        );
    }
}

#[test]
fn the_table_of_fields_agrees_with_the_vendors_description() {
    let described: serde_json::Value =
        serde_json::from_str(include_str!("../../../../examples/data/autotask-fields.json")).unwrap();
    let newer = ["lastModifiedDateTime"]; // Contracts have it since the description was made.
    for fields in &FIELDS {
        let Some(entity) = described[fields.entity].as_object() else {
            panic!("{}", fields.entity)
        };
        for date in fields.dates.iter().filter(|date| !newer.contains(date)) {
            assert_eq!(entity[*date], "date-time", "{} {date}", fields.entity);
        }
        let dates = entity.iter().filter(|(_, kind)| *kind == "date-time");
        assert!(
            dates.into_iter().all(|(name, _)| fields.dates.contains(&name.as_str())),
            "{}",
            fields.entity
        );
        for boolean in fields.booleans {
            assert_eq!(entity[*boolean], "boolean", "{} {boolean}", fields.entity);
        }
        assert!(
            fields
                .created
                .into_iter()
                .chain(fields.updated)
                .all(|date| fields.dates.contains(&date))
        );
    }
}

#[test]
fn resources_are_found_by_hub_name_entity_name_and_soap_name() {
    for (resource, entity, naming) in [
        ("accounts", "Companies", Naming::Hub),
        ("customers", "Companies", Naming::Hub),
        ("incidents", "Tickets", Naming::Hub),
        ("users", "Resources", Naming::Hub),
        ("time-entries", "TimeEntries", Naming::Hub),
        ("Companies", "Companies", Naming::Vendor),
        ("companies", "Companies", Naming::Vendor),
        ("Account", "Companies", Naming::Vendor),
        ("installedProduct", "ConfigurationItems", Naming::Vendor),
        ("timeentries", "TimeEntries", Naming::Vendor),
        ("quotes", "Quotes", Naming::Vendor),
        ("contractBlocks", "ContractBlocks", Naming::Vendor),
    ] {
        let found = Entity::of(resource).unwrap();
        assert_eq!((found.name.as_str(), found.naming), (entity, naming), "{resource}");
    }
}

#[test]
fn names_that_are_no_path_segment_are_refused() {
    for resource in [
        "",
        "a/b",
        "../Companies",
        "Companies?x",
        "Über",
        "time entries",
        "{objectName}",
    ] {
        let fault = Entity::of(resource).unwrap_err();
        assert_eq!(fault.code, "unknown-resource", "{resource}");
        assert!(fault.message.contains("accounts"), "{}", fault.message);
    }
}

#[test]
fn kinds_of_fields_are_known_or_guessed_by_name() {
    let contacts = Entity::of("contacts").unwrap();
    assert_eq!(contacts.is_date("lastModifiedDate"), Certainty::Yes);
    assert_eq!(
        contacts.is_date("LASTMODIFIEDDATE"),
        Certainty::Yes,
        "field names have no case in filters"
    );
    assert_eq!(contacts.is_date("birthDate"), Certainty::Maybe);
    assert_eq!(contacts.is_date("lastName"), Certainty::No);
    assert_eq!(contacts.truth("isActive"), Truth::Number);
    assert_eq!(contacts.truth("primaryContact"), Truth::Boolean);
    assert_eq!(contacts.truth("issueType"), Truth::NotOne);
    assert_eq!(Entity::of("accounts").unwrap().truth("isActive"), Truth::Boolean);
}
