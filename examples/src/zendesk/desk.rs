//! The rows of a simulated account, in the order in which they changed.
//! Knows no HTTP and no pages.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// Ids of made-up rows begin here, as those of the vendor's examples.
const FIRST_ID: i64 = 35_436;

/// A resource of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Tickets,
    Users,
    Organizations,
}

impl Kind {
    pub(super) fn of(name: &str) -> Option<Self> {
        [Self::Tickets, Self::Users, Self::Organizations]
            .into_iter()
            .find(|kind| kind.name() == name || kind.singular() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tickets => "tickets",
            Self::Users => "users",
            Self::Organizations => "organizations",
        }
    }

    pub(super) fn singular(self) -> &'static str {
        match self {
            Self::Tickets => "ticket",
            Self::Users => "user",
            Self::Organizations => "organization",
        }
    }
}

/// One row as the vendor would answer it, and when it changed last.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) fields: Map<String, Value>,
    /// Seconds of Unix time.
    pub(super) changed: i64,
    /// Of two changes the later one has the greater.
    pub(super) sequence: u64,
    pub(super) deleted: bool,
}

#[derive(Debug, Default)]
pub(super) struct Desk {
    rows: BTreeMap<(Kind, i64), Row>,
    changes: u64,
    last_id: Option<i64>,
}

impl Desk {
    pub(super) fn create(&mut self, kind: Kind, fields: Map<String, Value>, now: DateTime<Utc>) -> i64 {
        let id = self.last_id.map_or(FIRST_ID, |id| id + 1);
        self.last_id = Some(id);
        let mut row = made_up(kind, id);
        row.insert("id".into(), id.into());
        row.insert("created_at".into(), iso(now));
        row.extend(fields);
        self.rows.insert(
            (kind, id),
            Row {
                fields: row,
                changed: 0,
                sequence: 0,
                deleted: false,
            },
        );
        self.touch(kind, id, now, true);
        id
    }

    /// False where there is no such row.
    pub(super) fn update(&mut self, kind: Kind, id: i64, fields: Map<String, Value>, now: DateTime<Utc>) -> bool {
        if let Some(row) = self.rows.get_mut(&(kind, id)) {
            row.fields.extend(fields);
        }
        self.touch(kind, id, now, true)
    }

    /// A row that is gone stays in exports and says so.
    pub(super) fn delete(&mut self, kind: Kind, id: i64, now: DateTime<Utc>) -> bool {
        let (name, value) = match kind {
            Kind::Tickets => ("status", json!("deleted")),
            Kind::Users => ("active", json!(false)),
            Kind::Organizations => ("deleted_at", iso(now)),
        };
        if let Some(row) = self.rows.get_mut(&(kind, id)) {
            row.fields.insert(name.into(), value);
            row.deleted = true;
        }
        self.touch(kind, id, now, true)
    }

    /// A change of a row; `visible` also moves `updated_at`, which a change by the system does not.
    pub(super) fn touch(&mut self, kind: Kind, id: i64, now: DateTime<Utc>, visible: bool) -> bool {
        let Some(row) = self.rows.get_mut(&(kind, id)) else {
            return false;
        };
        self.changes += 1;
        row.sequence = self.changes;
        row.changed = now.timestamp();
        if visible {
            row.fields.insert("updated_at".into(), iso(now));
        }
        if kind == Kind::Tickets {
            row.fields.insert("generated_timestamp".into(), row.changed.into());
        }
        true
    }

    pub(super) fn get(&self, kind: Kind, id: i64) -> Option<&Row> {
        self.rows.get(&(kind, id))
    }

    /// All rows of a kind by their ids, those gone included.
    pub(super) fn by_id(&self, kind: Kind) -> impl Iterator<Item = (i64, &Row)> {
        let range = (kind, i64::MIN)..=(kind, i64::MAX);
        self.rows.range(range).map(|((_, id), row)| (*id, row))
    }

    /// All rows of a kind in the order in which they changed, those gone included.
    pub(super) fn by_change(&self, kind: Kind) -> Vec<&Row> {
        let mut rows: Vec<_> = self.by_id(kind).map(|(_, row)| row).collect();
        rows.sort_by_key(|row| row.sequence);
        rows
    }
}

fn iso(at: DateTime<Utc>) -> Value {
    at.to_rfc3339_opts(SecondsFormat::Secs, true).into()
}

fn made_up(kind: Kind, id: i64) -> Map<String, Value> {
    let fields = match kind {
        Kind::Tickets => json!({
            "subject": format!("Simulated ticket {id}"), "status": "new", "priority": null, "type": "incident",
            "tags": ["simulated"], "via": {"channel": "api"}, "due_at": null,
        }),
        Kind::Users => json!({
            "name": format!("Simulated user {id}"), "email": format!("user{id}@acme.example"), "role": "end-user",
            "active": true, "phone": null,
        }),
        Kind::Organizations => json!({
            "name": format!("Simulated organization {id}"), "domain_names": [], "external_id": null,
        }),
    };
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
