//! A page of the vendor's records, normalised: hub names, sorted, nulls dropped, user-defined fields as an object.
//! Must not ask for anything, and must not believe a page: what does not fit together is an error, never fewer records.

use std::collections::BTreeSet;
use std::fmt;

use tidegate_sdk::json::{self, Kind, List, Member, Page, Value, scan_page};
use tidegate_sdk::{DateFields, Moment, Records, dates};

use crate::entities::Naming;
use crate::layout::{Candidates, Layouts};

const LIST: &str = "items";

/// How a page is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    pub naming: Naming,
    pub drop_nulls: bool,
    /// Path to the id.
    pub id_field: &'w str,
    /// Paths to the dates, tried in order.
    pub dates: &'w DateFields,
    /// What the query asked for: records with a greater number only.
    pub after: Option<i64>,
}

/// What a page said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRead {
    /// Records in it, those without an id counted.
    pub records: usize,
    /// The greatest of the vendor's numbers.
    pub last: Option<i64>,
    pub more: More,
    /// The vendor's numbers of records whose id field is empty; they were left out.
    pub without_id: Vec<i64>,
    pub created: Presence,
    pub updated: Presence,
}

/// Does another page follow?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    Yes,
    No,
    /// The page does not say.
    Unknown,
}

/// Which of the paths to a date were found in any record of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    pub first: bool,
    pub any: bool,
}

impl Presence {
    fn add(&mut self, candidates: &Candidates) {
        self.first |= candidates.has_first;
        self.any |= !candidates.is_empty();
    }
}

/// Why a page cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageError {
    /// Empty, cut off or not JSON.
    Json(json::Error),
    /// No array of records.
    NoList(List),
    /// The page has another number of records than it says.
    Incomplete { says: i64, has: usize },
    /// A record without the number that pages are ordered by.
    NoNumber,
    /// A record that the query excludes.
    NotAfter { number: i64, after: i64 },
    /// Numbers that do not rise, so that the next page's start is unknown.
    Unordered { number: i64, before: i64 },
    /// Two records with one id.
    SameId(String),
}

impl From<json::Error> for PageError {
    fn from(error: json::Error) -> Self {
        Self::Json(error)
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(formatter),
            Self::NoList(List::Null) => write!(formatter, "`{LIST}` is null"),
            Self::NoList(List::Other(kind)) => write!(formatter, "`{LIST}` is no array but {kind:?}"),
            Self::NoList(_) => write!(formatter, "`{LIST}` is missing"),
            Self::Incomplete { says, has } => {
                write!(formatter, "the page says that it has {says} records, and has {has}")
            }
            Self::NoNumber => formatter.write_str("a record has no whole number as its `id`"),
            Self::NotAfter { number, after } => {
                write!(
                    formatter,
                    "records with an id greater than {after} were asked for, and one with id {number} came"
                )
            }
            Self::Unordered { number, before } => {
                write!(
                    formatter,
                    "records come in the order of their ids, and {number} came after {before}"
                )
            }
            Self::SameId(id) => write!(formatter, "two records of one page have the id `{id}`"),
        }
    }
}

impl std::error::Error for PageError {}

/// Reads a page and appends its records in the hub's form.
///
/// One pass over the page; nothing is allocated for a record but a date that cannot be read and an escaped text.
///
/// # Errors
/// If the page cannot be used: what was appended must then be thrown away.
pub fn normalise_page(page: &[u8], wanted: &Wanted<'_>, records: &mut Records) -> Result<PageRead, PageError> {
    let mut layouts = Layouts::new(wanted);
    let mut reading = Reading::new(wanted);
    let envelope = scan_page(page, LIST, |members: &[Member<'_>]| {
        let (layout, is_new) = layouts.of(members);
        if is_new {
            reading.created.add(&layout.created);
            reading.updated.add(&layout.updated);
        }
        let number = layout.walk_id(members).ok_or(PageError::NoNumber)?;
        reading.count(number)?;
        let Some(id) = layout.id(members) else {
            reading.without_id.push(number);
            return Ok(());
        };
        reading.check_unique(&id)?;
        let created = moment(layout.created.value(members));
        let updated = moment(layout.updated.value(members));
        records.push(&id, created, updated, |out| {
            layout.write(members, wanted.drop_nulls, out)
        });
        Ok::<_, PageError>(())
    })?;
    reading.finish(&envelope)
}

/// Reads a page for its ids alone.
///
/// # Errors
/// If the page cannot be used: what was appended must then be thrown away.
pub fn ids_of_page(page: &[u8], wanted: &Wanted<'_>, ids: &mut Vec<String>) -> Result<PageRead, PageError> {
    let mut layouts = Layouts::new(wanted);
    let mut reading = Reading::new(wanted);
    let envelope = scan_page(page, LIST, |members: &[Member<'_>]| {
        let (layout, _) = layouts.of(members);
        let number = layout.walk_id(members).ok_or(PageError::NoNumber)?;
        reading.count(number)?;
        match layout.id(members) {
            Some(id) => {
                reading.check_unique(&id)?;
                ids.push(id.into_owned());
            }
            None => reading.without_id.push(number),
        }
        Ok::<_, PageError>(())
    })?;
    reading.finish(&envelope)
}

/// What is known of a page while it is read.
struct Reading {
    after: Option<i64>,
    numbers: Vec<i64>,
    /// The first number that is not greater than the one before it.
    unordered: Option<(i64, i64)>,
    /// Ids that are not the vendor's numbers are unique only if somebody looks.
    ids: Option<BTreeSet<String>>,
    without_id: Vec<i64>,
    created: Presence,
    updated: Presence,
}

impl Reading {
    fn new(wanted: &Wanted<'_>) -> Self {
        Self {
            after: wanted.after,
            numbers: Vec::with_capacity(500),
            unordered: None,
            ids: (wanted.id_field != "id").then(BTreeSet::new),
            without_id: Vec::new(),
            created: Presence::default(),
            updated: Presence::default(),
        }
    }

    #[inline]
    fn count(&mut self, number: i64) -> Result<(), PageError> {
        if let Some(after) = self.after.filter(|after| number <= *after) {
            return Err(PageError::NotAfter { number, after });
        }
        if let Some(before) = self.numbers.last().filter(|before| number <= **before) {
            self.unordered.get_or_insert((number, *before));
        }
        self.numbers.push(number);
        Ok(())
    }

    #[inline]
    fn check_unique(&mut self, id: &str) -> Result<(), PageError> {
        match &mut self.ids {
            Some(ids) => ids
                .insert(id.to_owned())
                .then_some(())
                .ok_or_else(|| PageError::SameId(id.to_owned())),
            None => Ok(()),
        }
    }

    fn finish(mut self, envelope: &Page<'_>) -> Result<PageRead, PageError> {
        let List::Array { records } = envelope.list else {
            return Err(PageError::NoList(envelope.list));
        };
        let details = envelope.get("pageDetails");
        let detail = |name| details.as_ref().and_then(|details| details.get(name));
        if let Some(says) = detail("count")
            .and_then(|count| count.as_i64())
            .filter(|says| usize::try_from(*says) != Ok(records))
        {
            return Err(PageError::Incomplete { says, has: records });
        }
        let more = match detail("nextPageUrl").map(|url| url.kind()) {
            Some(Kind::Null) => More::No,
            Some(_) => More::Yes,
            None => More::Unknown,
        };
        self.check_order(more)?;
        Ok(PageRead {
            records,
            last: self.numbers.iter().max().copied(),
            more,
            without_id: self.without_id,
            created: self.created,
            updated: self.updated,
        })
    }

    /// An order matters where a page follows; that no record comes twice matters always.
    fn check_order(&mut self, more: More) -> Result<(), PageError> {
        let Some((number, before)) = self.unordered else {
            return Ok(());
        };
        if more != More::No {
            return Err(PageError::Unordered { number, before });
        }
        self.numbers.sort_unstable();
        match self.numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(PageError::SameId(pair[0].to_string())),
            None => Ok(()),
        }
    }
}

/// A date as found: read where it is ISO 8601, else handed on as text.
#[inline]
fn moment(value: Option<Value<'_>>) -> Moment {
    let Some(value) = value else { return Moment::None };
    if let Some(text) = value.as_key()
        && let Some(at) = dates::parse_iso(text.as_bytes())
    {
        return Moment::AtMs(at);
    }
    match value.as_str() {
        Some(text) if text.trim().is_empty() => Moment::None,
        Some(text) => dates::parse_iso(text.trim().as_bytes()).map_or_else(|| Moment::Text(text.into()), Moment::AtMs),
        None => Moment::Text(value.raw().into()),
    }
}

#[cfg(test)]
mod tests;
