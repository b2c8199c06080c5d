//! The rows of a simulated account, and how they look on the wire.
//! Knows nothing of HTTP, searches or the time.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// HubSpot's numbers are large, and every object counts in the same series here.
const FIRST_ID: u64 = 100_451;

/// Every object of the account, by its name in addresses.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: BTreeMap<String, BTreeMap<u64, Row>>,
    made: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: u64,
    /// Those that are set, dates and number among them; values are texts, as the vendor's are.
    pub(super) properties: BTreeMap<String, String>,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
    archived: Option<DateTime<Utc>>,
}

impl Store {
    pub(super) fn create(&mut self, object: &str, properties: &Value, now: DateTime<Utc>) -> u64 {
        let id = FIRST_ID + self.made;
        self.made += 1;
        let mut row = Row {
            id,
            properties: BTreeMap::new(),
            created: now,
            updated: now,
            archived: None,
        };
        row.set("createdate", &text(now));
        row.set("hs_object_id", &id.to_string());
        row.change(object, properties, now);
        self.objects.entry(object.to_owned()).or_default().insert(id, row);
        id
    }

    /// False when there is no such row.
    pub(super) fn update(&mut self, object: &str, id: u64, properties: &Value, now: DateTime<Utc>) -> bool {
        let row = self.objects.get_mut(object).and_then(|rows| rows.get_mut(&id));
        row.map(|row| row.change(object, properties, now)).is_some()
    }

    /// False when there is no such row.
    pub(super) fn archive(&mut self, object: &str, id: u64, now: DateTime<Utc>) -> bool {
        let row = self.objects.get_mut(object).and_then(|rows| rows.get_mut(&id));
        row.map(|row| row.archived = Some(now)).is_some()
    }

    /// Rows of an object by their number; those that are archived, or those that are not.
    pub(super) fn rows(&self, object: &str, archived: bool) -> impl Iterator<Item = &Row> {
        let rows = self.objects.get(object).into_iter().flat_map(BTreeMap::values);
        rows.filter(move |row| row.archived.is_some() == archived)
    }
}

impl Row {
    fn set(&mut self, property: &str, value: &str) {
        self.properties.insert(property.to_owned(), value.to_owned());
    }

    /// An empty text or null unsets a property, as HubSpot has it.
    fn change(&mut self, object: &str, properties: &Value, now: DateTime<Utc>) {
        for (property, value) in properties.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if value.is_empty() || value == "null" {
                self.properties.remove(property);
            } else {
                self.set(property, &value);
            }
        }
        self.updated = now;
        self.set(modified(object), &text(now));
    }

    /// The row as it is answered: the properties that an object gives of itself and those asked for, null where unset.
    pub(super) fn shown(&self, object: &str, asked: &[String]) -> Value {
        let always = ["hs_object_id", "createdate", modified(object)];
        let names = always.into_iter().chain(defaults(object).iter().copied());
        let mut properties: Map<String, Value> = Map::new();
        for name in names
            .filter(|_| asked.is_empty())
            .chain(always)
            .chain(asked.iter().map(String::as_str))
        {
            properties.insert(name.to_owned(), json!(self.properties.get(name)));
        }
        let mut row = json!({
            "id": self.id.to_string(),
            "properties": properties,
            "createdAt": text(self.created),
            "updatedAt": text(self.updated),
            "archived": self.archived.is_some(),
        });
        if let Some(at) = self.archived {
            row["archivedAt"] = text(at).into();
        }
        row
    }
}

/// The property with the date of the last change.
fn modified(object: &str) -> &'static str {
    if object == "contacts" {
        "lastmodifieddate"
    } else {
        "hs_lastmodifieddate"
    }
}

/// What a search gives of itself: <https://developers.hubspot.com/docs/api-reference/search/guide>, section Objects.
fn defaults(object: &str) -> &'static [&'static str] {
    match object {
        "contacts" => &["firstname", "lastname", "email"],
        "companies" => &["name", "domain"],
        "deals" => &["dealname", "amount", "closedate", "pipeline", "dealstage"],
        "tickets" => &[
            "content",
            "hs_pipeline",
            "hs_pipeline_stage",
            "hs_ticket_category",
            "hs_ticket_priority",
            "subject",
        ],
        _ => &[],
    }
}

/// `2024-10-21T21:36:02.961Z`
fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
