//! The vendor's notes as records: the same content but its flag `deleted`, in canonical form.
//! Must not ask for anything, and must not take what it cannot read for the end of the notes.

use std::collections::BTreeSet;

use tidegate_sdk::json::{Error, Kind, Member, Value, parse_object, scan_page, write_object};
use tidegate_sdk::{DateFields, Fault, Moment, Records, dates};

use crate::answers::{no_json, unreadable};

const DELETED: &str = "deleted";
/// The longest id that the gateway takes.
const ID_BYTES: usize = 1024;

/// Where a note's id and dates are.
#[derive(Clone, Copy)]
pub(crate) struct Paths<'p> {
    pub(crate) id: &'p str,
    pub(crate) dates: &'p DateFields,
}

/// Reads a page, and gives the cursor of the next.
pub(crate) fn read_page(body: &[u8], paths: Paths<'_>, records: &mut Records) -> Result<Option<String>, Fault> {
    let mut ids = BTreeSet::new();
    let page = scan_page(body, "notes", |members: &[Member<'_>]| {
        let id = push(members, paths, records).map_err(Stop::Fault)?;
        if !ids.insert(id.clone()) {
            let words = format!("two records of one page have the id `{id}`");
            return Err(Stop::Fault(Fault::broken("same-id", words)));
        }
        Ok::<_, Stop>(())
    });
    let page = page.map_err(|stop| stop.into_fault(body))?;
    if !page.found() {
        return Err(unreadable("a page without a list of `notes`"));
    }
    match page.get("nextCursor").filter(|cursor| !cursor.is_null()) {
        None => Ok(None),
        Some(cursor) => match (cursor.kind(), cursor.as_str()) {
            (_, Some(text)) => Ok(Some(text.into_owned())),
            (Kind::Number, _) => Ok(Some(cursor.raw().to_owned())),
            _ => Err(unreadable("a cursor that is no text")),
        },
    }
}

/// Reads one note; one that was deleted gives no record.
pub(crate) fn read_note(body: &[u8], paths: Paths<'_>, records: &mut Records) -> Result<(), Fault> {
    let members = parse_object(body).map_err(|_| no_json(body))?;
    let mut found = Records::default();
    push(&members, paths, &mut found)?;
    if found.iter().all(|record| !record.deleted) {
        *records = found;
    }
    Ok(())
}

/// Does an answer say who the token belongs to?
pub(crate) fn is_someone(body: &[u8]) -> bool {
    parse_object(body).is_ok_and(|members| members.iter().any(|member| member.name() == "id"))
}

/// Why reading a page stopped.
enum Stop {
    Json,
    Fault(Fault),
}

impl From<Error> for Stop {
    fn from(_: Error) -> Self {
        Self::Json
    }
}

impl Stop {
    fn into_fault(self, body: &[u8]) -> Fault {
        match self {
            Self::Json => no_json(body),
            Self::Fault(fault) => fault,
        }
    }
}

/// Adds one note, and gives its id.
fn push(members: &[Member<'_>], paths: Paths<'_>, records: &mut Records) -> Result<String, Fault> {
    let id = at(members, paths.id).and_then(id_text).ok_or_else(|| {
        Fault::broken(
            "no-id",
            format!(
                "a note has no text or number of 1 to {ID_BYTES} bytes as its `{}`",
                paths.id
            ),
        )
    })?;
    let deleted = match at(members, DELETED) {
        None => false,
        Some(flag) => flag
            .as_bool()
            .ok_or_else(|| unreadable("a note whose `deleted` is neither true nor false"))?,
    };
    let updated = moment(members, &paths.dates.updated);
    if deleted {
        records.push_tombstone(&id, updated);
    } else {
        let mut kept: Vec<_> = members
            .iter()
            .filter(|member| member.name() != DELETED)
            .copied()
            .collect();
        let created = moment(members, &paths.dates.created);
        records.push(&id, created, updated, |out| write_object(&mut kept, out));
    }
    Ok(id)
}

fn id_text(value: Value<'_>) -> Option<String> {
    let text = match value.kind() {
        Kind::Number => value.raw().to_owned(),
        _ => value.as_str()?.into_owned(),
    };
    (1..=ID_BYTES).contains(&text.len()).then_some(text)
}

/// What lies at a dotted path; of members with one name the last one counts.
fn at<'a>(members: &[Member<'a>], path: &str) -> Option<Value<'a>> {
    let mut names = path.split('.');
    let first = names.next()?;
    let found = members.iter().rev().find(|member| member.name() == first)?.value;
    names.try_fold(found, |value, name| value.get(name))
}

/// The first of the paths that leads to something.
fn moment(members: &[Member<'_>], paths: &[String]) -> Moment {
    let found = paths
        .iter()
        .filter_map(|path| at(members, path))
        .find(|value| !value.is_null());
    let Some(value) = found else { return Moment::None };
    let text = value.as_str().unwrap_or_else(|| value.raw().into());
    match text.trim() {
        "" => Moment::None,
        text => dates::parse_iso(text.as_bytes()).map_or_else(|| Moment::Text(text.to_owned()), Moment::AtMs),
    }
}
