//! The notes of a simulated account, and pages of them in the order in which they changed.
//! Knows no HTTP.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// The vendor's limit.
const PAGE_MAX: usize = 100;
const PAGE_DEFAULT: usize = 50;
/// When the first made-up note was written: 2026-01-01 at nine, in seconds of Unix time.
const SEEDED_FROM: i64 = 1_767_258_000;
/// What made-up notes are about.
const TITLES: [&str; 5] = ["Milk", "Call Zoë", "Rent", "Birthday of Ada", "Bicycle"];
const TAGS: [&str; 3] = ["shop", "home", "work"];

/// What a list is asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) updated_since: Option<DateTime<Utc>>,
    pub(super) tag: Option<String>,
    pub(super) include_deleted: bool,
    pub(super) limit: Option<usize>,
    /// Of the page before: the place of its last note.
    pub(super) after: Option<Place>,
}

/// A note's place in a list: when it changed, and its id.
pub(super) type Place = (i64, u64);

#[derive(Debug)]
struct Note {
    fields: Map<String, Value>,
    updated: DateTime<Utc>,
    deleted: bool,
}

#[derive(Debug, Default)]
pub(super) struct Book(BTreeMap<u64, Note>);

impl Book {
    pub(super) fn create(&mut self, fields: Map<String, Value>, now: DateTime<Utc>) -> u64 {
        let id = self.0.keys().next_back().map_or(1, |last| last + 1);
        let made_up =
            json!({"title": format!("Note {id}"), "text": "", "tags": [], "author": {"id": 3, "name": "Zoë"}});
        let mut note = object(made_up);
        note.extend(fields);
        note.insert("id".into(), id.into());
        note.insert("createdAt".into(), iso(now).into());
        let (updated, deleted) = (now, false);
        self.0.insert(
            id,
            Note {
                fields: note,
                updated,
                deleted,
            },
        );
        id
    }

    /// Made-up notes, an hour apart from the beginning of 2026 on: the same ones in every account.
    pub(super) fn seed(&mut self, count: u32) {
        let begin = DateTime::UNIX_EPOCH + Duration::seconds(SEEDED_FROM);
        for (n, (title, tag)) in (0..count).zip(TITLES.iter().cycle().zip(TAGS.iter().cycle())) {
            let fields = object(json!({"title": title, "tags": [tag]}));
            self.create(fields, begin + Duration::hours(n.into()));
        }
    }

    /// False where there is no such note, or it was deleted.
    pub(super) fn update(&mut self, id: u64, fields: Map<String, Value>, now: DateTime<Utc>) -> bool {
        let Some(note) = self.0.get_mut(&id).filter(|note| !note.deleted) else {
            return false;
        };
        note.fields.extend(fields);
        note.fields.insert("id".into(), id.into());
        note.updated = now;
        true
    }

    /// It stays in the book, and says that it is gone. False where there is no such note, or it was deleted.
    pub(super) fn delete(&mut self, id: u64, now: DateTime<Utc>) -> bool {
        let there = self.update(id, Map::new(), now);
        if let Some(note) = self.0.get_mut(&id) {
            note.deleted = true;
        }
        there
    }

    pub(super) fn get(&self, id: u64) -> Option<Value> {
        self.0.get(&id).map(body)
    }

    /// A page, in the order of `updatedAt` and then of `id`.
    pub(super) fn page(&self, asked: &Asked) -> Value {
        let is_asked_for = |note: &Note| {
            (asked.include_deleted || !note.deleted)
                && asked.updated_since.is_none_or(|since| note.updated >= since)
                && asked.tag.as_deref().is_none_or(|tag| has_tag(note, tag))
        };
        let mut found: Vec<(Place, &Note)> = self
            .0
            .iter()
            .filter(|(_, note)| is_asked_for(note))
            .map(|(id, note)| ((note.updated.timestamp_millis(), *id), note))
            .filter(|(place, _)| asked.after.is_none_or(|after| *place > after))
            .collect();
        found.sort_by_key(|(place, _)| *place);
        let size = asked.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
        let is_last = found.len() <= size;
        found.truncate(size);
        let next = found.last().filter(|_| !is_last);
        let notes: Vec<_> = found.iter().map(|(_, note)| body(note)).collect();
        json!({"notes": notes, "nextCursor": next.map(|(place, _)| cursor(*place))})
    }
}

fn cursor((updated, id): Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{updated}/{id}"))
}

/// None for a cursor that no page ever gave.
pub(super) fn place(cursor: &str) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (updated, id) = text.split_once('/')?;
    Some((updated.parse().ok()?, id.parse().ok()?))
}

fn body(note: &Note) -> Value {
    let mut fields = note.fields.clone();
    fields.insert("updatedAt".into(), iso(note.updated).into());
    fields.insert("deleted".into(), note.deleted.into());
    fields.into()
}

fn has_tag(note: &Note, tag: &str) -> bool {
    let tags = note.fields.get("tags").and_then(Value::as_array);
    tags.is_some_and(|tags| tags.iter().any(|own| own == tag))
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    fn ids(page: &Value) -> Vec<u64> {
        let notes = page["notes"].as_array().unwrap();
        notes.iter().map(|note| note["id"].as_u64().unwrap()).collect()
    }

    #[test]
    fn pages_follow_the_order_of_change_and_lead_to_the_end() {
        let mut book = Book::default();
        book.seed(5);
        let later = Utc.with_ymd_and_hms(2026, 2, 1, 0, 0, 0).unwrap();
        assert!(book.update(2, object(json!({"title": "Oat milk"})), later));
        assert!(book.delete(4, later));
        let mut asked = Asked {
            limit: Some(2),
            ..Asked::default()
        };
        let mut found = Vec::new();
        loop {
            let page = book.page(&asked);
            found.push(ids(&page));
            match page["nextCursor"].as_str() {
                Some(cursor) => asked.after = place(cursor),
                None => break,
            }
        }
        assert_eq!(found, [vec![1, 3], vec![5, 2]]);
        let changed = Asked {
            updated_since: Some(later),
            include_deleted: true,
            ..Asked::default()
        };
        let page = book.page(&changed);
        assert_eq!(ids(&page), [2, 4]);
        assert_eq!(
            (&page["notes"][0]["deleted"], &page["notes"][1]["deleted"]),
            (&json!(false), &json!(true))
        );
        assert!(!book.update(4, Map::new(), later), "what is gone is not changed");
        let home = Asked {
            tag: Some("home".into()),
            ..Asked::default()
        };
        assert_eq!(ids(&book.page(&home)), [5, 2]);
    }
}
