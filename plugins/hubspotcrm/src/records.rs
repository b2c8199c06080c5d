//! What a page becomes: flat records, each property a field beside the record's own `id`, `createdAt`, `updatedAt`,
//! `archived` and, where it is gone, `archivedAt`; values as the vendor writes them, which is as text.
//! Must not give a page that may be incomplete: a doubt is an error.
//!
//! Other members of the vendor's records (associations, history, addresses for people) are left out. A record that says
//! that it is archived becomes the news that it is gone.

use std::borrow::Cow;
use std::collections::BTreeSet;

use tidegate_sdk::json::{self, Kind, List, Member, Value, parse_object, scan_page, write_object};
use tidegate_sdk::{DateFields, Moment, Records, dates};

use crate::objects::{ENVELOPE, field_of};

/// The envelope's member with the records.
const LIST: &str = "results";

/// Characters of a page that a message quotes.
const QUOTED_CHARS_MAX: usize = 100;

/// What a caller wants of each record.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub id_field: &'a str,
    pub dates: &'a DateFields,
    /// Numbers rise, and are above this one.
    pub above: Option<u64>,
}

/// What was found of a page, beside the records.
#[derive(Debug, PartialEq, Eq)]
pub struct PageRead {
    pub records: usize,
    /// The greatest number.
    pub last: Option<u64>,
    /// The vendor's word for where the next page begins; none on the last.
    pub after: Option<String>,
    /// Numbers of records that have nothing in the field that should identify them.
    pub without_id: Vec<String>,
}

/// Why a page cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum PageError {
    Json(json::Error),
    NoList(List),
    NoNumber,
    /// What it says of the next page is not understood.
    Paging(String),
    /// The filter or the order was ignored.
    NotAbove {
        number: String,
        above: u64,
    },
    SameId(String),
}

impl From<json::Error> for PageError {
    fn from(error: json::Error) -> Self {
        Self::Json(error)
    }
}

impl std::fmt::Display for PageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(error) => write!(f, "it is no JSON: {error}"),
            Self::NoList(_) => f.write_str("it has no array `results`"),
            Self::Paging(found) => write!(
                f,
                "`paging` in it should have a `next` with an `after`, and has {found}"
            ),
            Self::NoNumber => f.write_str("a record in it has no `id`"),
            Self::NotAbove { number, above } => {
                write!(
                    f,
                    "the numbers above {above} were asked for in their order, and {number} came"
                )
            }
            Self::SameId(id) => write!(f, "two records in it have the id {id}"),
        }
    }
}

impl std::error::Error for PageError {}

/// Reads a page of a search and appends its records.
///
/// # Errors
/// If the page cannot be used: what was appended must then be thrown away.
pub fn read_page(page: &[u8], wanted: &Wanted<'_>, records: &mut Records) -> Result<PageRead, PageError> {
    let mut reading = Reading::new(wanted);
    let envelope = scan_page(page, LIST, |members: &[Member<'_>]| {
        let record = Flat::of(members);
        let number = reading.count(&record)?;
        if let Some(id) = reading.id(&record, number)? {
            record.push(&id, wanted.dates, records);
        }
        Ok::<_, PageError>(())
    })?;
    reading.finish(&envelope)
}

/// Reads a page of a list for its ids alone.
///
/// # Errors
/// If the page cannot be used: what was appended must then be thrown away.
pub fn read_ids(page: &[u8], wanted: &Wanted<'_>, ids: &mut Vec<String>) -> Result<PageRead, PageError> {
    let mut reading = Reading::new(wanted);
    let envelope = scan_page(page, LIST, |members: &[Member<'_>]| {
        let record = Flat::of(members);
        let number = reading.count(&record)?;
        ids.extend(reading.id(&record, number)?.map(Cow::into_owned));
        Ok::<_, PageError>(())
    })?;
    reading.finish(&envelope)
}

/// Reads a single record, as it comes when it is asked for by its id. False: it has no id in the field for it.
///
/// # Errors
/// If it cannot be used.
pub fn read_one(document: &[u8], wanted: &Wanted<'_>, records: &mut Records) -> Result<bool, PageError> {
    let members = parse_object(document)?;
    let record = Flat::of(&members);
    let mut reading = Reading::new(wanted);
    let number = reading.count(&record)?;
    let id = reading.id(&record, number)?;
    if let Some(id) = &id {
        record.push(id, wanted.dates, records);
    }
    Ok(id.is_some())
}

/// A record's own members and its properties, side by side.
struct Flat<'a>(Vec<Member<'a>>);

impl<'a> Flat<'a> {
    fn of(members: &[Member<'a>]) -> Self {
        let is_own = |member: &Member<'_>| ENVELOPE.contains(&&*member.name());
        let properties = members.iter().filter(|member| member.name() == "properties");
        let properties = properties.flat_map(|member| member.value.members());
        let own = members.iter().copied().filter(is_own);
        Self(properties.filter(|member| !is_own(member)).chain(own).collect())
    }

    fn get(&self, name: &str) -> Option<Value<'a>> {
        let found = self.0.iter().rev().find(|member| member.name() == name);
        found.map(|member| member.value).filter(|value| !value.is_null())
    }

    /// Text, or a number as it is written.
    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let value = self.get(name)?;
        let text = value
            .as_str()
            .or_else(|| Some(Cow::Borrowed(value.raw())).filter(|_| value.as_f64().is_some()))?;
        (!text.trim().is_empty()).then_some(text)
    }

    /// The first date that is there.
    fn moment(&self, paths: &[String]) -> Moment {
        let found = paths.iter().find_map(|path| self.text(field_of(path)));
        found.map_or(Moment::None, |text| moment(&text))
    }

    fn push(mut self, id: &str, fields: &DateFields, records: &mut Records) {
        let (created, updated) = (self.moment(&fields.created), self.moment(&fields.updated));
        if self.get("archived").and_then(|value| value.as_bool()) == Some(true) {
            records.push_tombstone(id, updated);
        } else {
            records.push(id, created, updated, |out| write_object(&mut self.0, out));
        }
    }
}

/// ISO 8601, or milliseconds of Unix time in digits: the vendor has both.
fn moment(text: &str) -> Moment {
    let text = text.trim();
    let digits = || text.parse::<i64>().ok().filter(|_| text.len() > 8);
    match dates::parse_iso(text.as_bytes()).or_else(digits) {
        Some(at) => Moment::AtMs(at),
        None => Moment::Text(text.to_owned()),
    }
}

/// What is known of a page while it is read.
struct Reading<'a> {
    id_field: &'a str,
    above: Option<u64>,
    records: usize,
    last: Option<u64>,
    /// Ids that are not the vendor's numbers are unique only if somebody looks.
    ids: BTreeSet<String>,
    without_id: Vec<String>,
}

impl<'a> Reading<'a> {
    fn new(wanted: &Wanted<'a>) -> Self {
        Self {
            id_field: field_of(wanted.id_field),
            above: wanted.above,
            records: 0,
            last: None,
            ids: BTreeSet::new(),
            without_id: Vec::new(),
        }
    }

    /// The record's number, which must rise where an order was asked for.
    fn count(&mut self, record: &Flat<'_>) -> Result<u64, PageError> {
        let text = record.text("id").ok_or(PageError::NoNumber)?;
        let number: u64 = text.parse().map_err(|_| PageError::NoNumber)?;
        self.records += 1;
        if let Some(above) = self.above {
            let above = self.last.map_or(above, |last| last.max(above));
            // Zero is no record's number, and stands for the beginning.
            if number <= above {
                let number = text.into_owned();
                return Err(PageError::NotAbove { number, above });
            }
        }
        self.last = self.last.max(Some(number));
        Ok(number)
    }

    fn id<'r>(&mut self, record: &Flat<'r>, number: u64) -> Result<Option<Cow<'r, str>>, PageError> {
        let Some(id) = record.text(self.id_field) else {
            self.without_id.push(number.to_string());
            return Ok(None);
        };
        if self.ids.insert(id.clone().into_owned()) {
            Ok(Some(id))
        } else {
            Err(PageError::SameId(id.into_owned()))
        }
    }

    fn finish(self, envelope: &json::Page<'_>) -> Result<PageRead, PageError> {
        if !envelope.found() {
            return Err(PageError::NoList(envelope.list));
        }
        let after = after_of(envelope)?;
        Ok(PageRead {
            records: self.records,
            last: self.last,
            after,
            without_id: self.without_id,
        })
    }
}

/// Where the next page begins. `paging`, and `next` in it, may be absent; what is there and is not understood must not be
/// taken for the end.
fn after_of(envelope: &json::Page<'_>) -> Result<Option<String>, PageError> {
    let Some(paging) = envelope.get("paging").filter(|paging| !paging.is_null()) else {
        return Ok(None);
    };
    if paging.kind() != Kind::Object {
        return Err(PageError::Paging(paging.raw().chars().take(QUOTED_CHARS_MAX).collect()));
    }
    let Some(next) = paging.get("next").filter(|next| !next.is_null()) else {
        return Ok(None);
    };
    let after = next.get("after");
    let text = after.and_then(|after| after.as_str().or_else(|| after.as_i64().map(|_| after.raw().into())));
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Ok(Some(text.into_owned())),
        None => Err(PageError::Paging(next.raw().chars().take(QUOTED_CHARS_MAX).collect())),
    }
}

#[cfg(test)]
mod tests;
