//! The entities of the simulated vendor: fields in the vendor's order and types, from `data/autotask-fields.json`.
//! Holds no rows.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::cell::Kind;

const FIELDS_JSON: &str = include_str!("../../data/autotask-fields.json");

/// Entity, field that holds the creation date, fields that move with a change (the first also with mere activity).
const DATES: [(&str, &str, &[&str]); 19] = [
    (
        "Companies",
        "createDate",
        &["lastActivityDate", "lastTrackedModifiedDateTime"],
    ),
    ("Contacts", "createDate", &["lastActivityDate", "lastModifiedDate"]),
    ("Opportunities", "createDate", &["lastActivity"]),
    (
        "Tickets",
        "createDate",
        &["lastActivityDate", "lastTrackedModificationDateTime"],
    ),
    ("Tasks", "createDateTime", &["lastActivityDateTime"]),
    ("CompanyToDos", "createDateTime", &["lastModifiedDate"]),
    ("Projects", "createDateTime", &["lastActivityDateTime"]),
    ("TimeEntries", "createDateTime", &["lastModifiedDateTime"]),
    ("CompanyNotes", "createDateTime", &["lastModifiedDate"]),
    ("TicketNotes", "createDateTime", &["lastActivityDate"]),
    ("ConfigurationItems", "createDate", &["lastModifiedTime"]),
    ("Contracts", "", &["lastModifiedDateTime"]),
    ("Quotes", "createDate", &["lastActivityDate"]),
    ("Invoices", "createDateTime", &[]),
    ("ServiceCalls", "createDateTime", &["lastModifiedDateTime"]),
    ("Resources", "hireDate", &[]),
    ("Phases", "createDate", &["lastActivityDateTime"]),
    ("Appointments", "createDateTime", &["updateDateTime"]),
    ("DeletedTicketLogs", "deletedDateTime", &[]),
];

/// User-defined fields, which differ from tenant to tenant: these are the invention of this one.
const USER_DEFINED: [(&str, &[&str]); 2] = [
    ("Companies", &["Discount", "Acronym", "NAV ID"]),
    ("Tickets", &["Root Cause"]),
];

/// Fields that exist but refuse to be filtered by.
const NOT_QUERYABLE: [(&str, &str); 2] = [("Tickets", "creatorType"), ("Tickets", "lastActivityPersonType")];

/// A collection under a parent: path of the parent, path of the child, entity, field that holds the parent's id.
pub(super) const CHILDREN: [(&str, &str, &str, &str); 7] = [
    ("Companies", "Contacts", "Contacts", "companyID"),
    ("Companies", "ToDos", "CompanyToDos", "companyID"),
    ("Companies", "Notes", "CompanyNotes", "companyID"),
    ("Companies", "Tickets", "Tickets", "companyID"),
    ("Tickets", "Notes", "TicketNotes", "ticketID"),
    ("Projects", "Tasks", "Tasks", "projectID"),
    ("Projects", "Phases", "Phases", "projectID"),
];

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) queryable: bool,
}

/// One entity. Fields are addressed by their position; position 0 is `id`.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    pub(super) created: Option<usize>,
    pub(super) changed: Vec<usize>,
    pub(super) user_defined: &'static [&'static str],
    /// Whether rows carry `userDefinedFields` at all.
    pub(super) has_user_defined: bool,
    by_folded_name: HashMap<String, usize>,
}

impl Entity {
    /// Field names are met without regard to case.
    pub(super) fn field(&self, name: &str) -> Option<usize> {
        self.by_folded_name.get(&name.to_ascii_lowercase()).copied()
    }

    pub(super) fn user_defined_field(&self, name: &str) -> Option<usize> {
        self.user_defined
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
    }

    /// `TimeEntries` in paths is `TimeEntry` in error texts.
    pub(super) fn singular(&self) -> String {
        match self.name.strip_suffix("ies") {
            Some(stem) => format!("{stem}y"),
            None => self.name.strip_suffix('s').unwrap_or(&self.name).to_owned(),
        }
    }

    fn new(name: String, columns: Vec<(String, String)>) -> Self {
        let has_user_defined = columns.iter().any(|(column, _)| column == "userDefinedFields");
        let fields: Vec<Field> = columns
            .into_iter()
            .filter_map(|(column, kind)| {
                let queryable = !NOT_QUERYABLE.contains(&(name.as_str(), column.as_str()));
                Kind::from_table(&kind).map(|kind| Field {
                    name: column,
                    kind,
                    queryable,
                })
            })
            .collect();
        let by_folded_name: HashMap<String, usize> = fields
            .iter()
            .enumerate()
            .map(|(index, field)| (field.name.to_ascii_lowercase(), index))
            .collect();
        let position = |field: &&str| by_folded_name.get(&field.to_ascii_lowercase()).copied();
        let dates = DATES.iter().find(|(entity, ..)| *entity == name);
        let created = dates.and_then(|(_, created, _)| position(created));
        let changed = dates
            .map(|(.., changed)| changed.iter().filter_map(position).collect())
            .unwrap_or_default();
        let user_defined = USER_DEFINED
            .iter()
            .find(|(entity, _)| *entity == name)
            .map_or(&[][..], |(_, names)| names);
        Self {
            name,
            fields,
            created,
            changed,
            user_defined,
            has_user_defined,
            by_folded_name,
        }
    }
}

/// Every entity that the simulated tenant has, in the order of the table.
pub(super) fn entities() -> Vec<Entity> {
    let table: Ordered<Ordered<String>> = serde_json::from_str(FIELDS_JSON).expect("the table is part of this package");
    table
        .0
        .into_iter()
        .map(|(name, columns)| Entity::new(name, columns.0))
        .collect()
}

/// A JSON object in the order it was written, which serde_json's own map does not keep.
struct Ordered<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }

        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_date_field_that_is_named_exists() {
        let entities = entities();
        assert_eq!(entities.len(), 20);
        for (name, created, changed) in DATES {
            let entity = entities.iter().find(|entity| entity.name == name).unwrap();
            assert_eq!(entity.created.is_some(), !created.is_empty(), "{name}");
            assert_eq!(entity.changed.len(), changed.len(), "{name}");
            assert_eq!(entity.fields[0].name, "id", "{name}");
        }
        for (parent, _, child, field) in CHILDREN {
            assert!(entities.iter().any(|entity| entity.name == parent));
            assert!(
                entities
                    .iter()
                    .any(|entity| entity.name == child && entity.field(field).is_some())
            );
        }
    }
}
