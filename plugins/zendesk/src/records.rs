//! A page of the vendor's records, normalised: sorted names, nulls dropped, what is no content of a record left out.
//! Must not ask for anything, and must not believe a page: what does not fit together is an error, never fewer records.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tidegate_sdk::filter::Filter;
use tidegate_sdk::json::{self, Kind, List, Member, ObjectWriter, Page, Value, scan_page};
use tidegate_sdk::{DateFields, Moment, Records, dates};

use crate::matching;
use crate::paths::Path;
use crate::resources::Resource;

/// Members that say when the export or the search last touched a record, and what kind it is: not what it holds.
const NO_CONTENT: [&str; 2] = ["generated_timestamp", "result_type"];

/// A number so great is milliseconds of Unix time (1973 and later), a smaller one seconds.
const EPOCH_MS_MIN: u64 = 100_000_000_000;

/// How records are to be read.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub resource: &'static Resource,
    /// As the user wrote it, for messages.
    pub id_field: String,
    id: Path,
    created: Vec<Path>,
    updated: Vec<Path>,
    /// Records that do not match are left out; those that are gone are not, for they match nothing any more.
    filter: Option<Filter>,
    drop_nulls: bool,
}

impl Wanted {
    pub fn new(resource: &'static Resource, id_field: &str, dates: &DateFields, drop_nulls: bool) -> Self {
        let paths = |paths: &[String]| paths.iter().map(|path| Path::parse(path)).collect();
        Self {
            resource,
            id_field: id_field.to_owned(),
            id: Path::parse(id_field),
            created: paths(&dates.created),
            updated: paths(&dates.updated),
            filter: None,
            drop_nulls,
        }
    }

    #[must_use]
    pub fn matching(mut self, filter: Option<Filter>) -> Self {
        self.filter = filter;
        self
    }
}

/// What a page held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRead<'p> {
    /// Records in it, those left out counted.
    pub records: usize,
    /// Records in it whose id field is empty; they were left out.
    pub without_id: usize,
    /// Fields that the where clause compares with what cannot be compared with them.
    pub incomparable: BTreeSet<String>,
    pub envelope: Page<'p>,
}

/// Why a page cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageError {
    /// Empty, cut off or not JSON.
    Json(json::Error),
    /// No array of records under this name.
    NoList(String, List),
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
            Self::NoList(name, List::Null) => write!(formatter, "`{name}` is null"),
            Self::NoList(name, List::Other(kind)) => write!(formatter, "`{name}` is no array but {kind:?}"),
            Self::NoList(name, _) => write!(formatter, "`{name}` is missing"),
        }
    }
}

impl std::error::Error for PageError {}

/// Reads a page and appends its records. One that comes twice is given once, as it came last: an export is in the order of
/// time.
///
/// # Errors
/// If the page cannot be used: what was appended must then be thrown away.
pub fn normalise_page<'p>(
    page: &'p [u8],
    list: &str,
    wanted: &Wanted,
    records: &mut Records,
) -> Result<PageRead<'p>, PageError> {
    let mut writer = Writer::new(wanted);
    let mut last_places: BTreeMap<String, usize> = BTreeMap::new();
    let mut without_id = 0;
    let mut repeats = false;
    let envelope = scan_page(page, list, |members: &[Member<'p>]| {
        let Some(id) = id_of(members, wanted) else {
            without_id += 1;
            return Ok(());
        };
        if writer.write(&id, members, records) {
            repeats |= last_places.insert(id, records.len() - 1).is_some();
        } else if let Some(place) = last_places.get_mut(&id) {
            // It matched before and does no longer: what came before is old.
            repeats = true;
            *place = usize::MAX;
        }
        Ok::<_, PageError>(())
    })?;
    if repeats {
        *records = without_repeats(records, &last_places);
    }
    let incomparable = std::mem::take(&mut writer.incomparable);
    Ok(PageRead {
        incomparable,
        ..read(envelope, list, without_id)?
    })
}

/// Reads a page for the ids of records that are not gone.
///
/// # Errors
/// If the page cannot be used: what was appended must then be thrown away.
pub fn ids_of_page<'p>(
    page: &'p [u8],
    list: &str,
    wanted: &Wanted,
    ids: &mut Vec<String>,
) -> Result<PageRead<'p>, PageError> {
    let mut alive: BTreeMap<String, bool> = BTreeMap::new();
    let mut without_id = 0;
    let envelope = scan_page(page, list, |members: &[Member<'p>]| {
        match id_of(members, wanted) {
            Some(id) => {
                alive.insert(id, !wanted.resource.is_gone(members));
            }
            None => without_id += 1,
        }
        Ok::<_, PageError>(())
    })?;
    ids.extend(alive.into_iter().filter(|(_, alive)| *alive).map(|(id, _)| id));
    read(envelope, list, without_id)
}

/// Appends one record, as an answer of one record holds it.
pub fn normalise_one(members: &[Member<'_>], wanted: &Wanted, records: &mut Records) -> Option<()> {
    let id = id_of(members, wanted)?;
    Writer::new(wanted).write(&id, members, records);
    Some(())
}

fn read<'p>(envelope: Page<'p>, list: &str, without_id: usize) -> Result<PageRead<'p>, PageError> {
    let List::Array { records } = envelope.list else {
        return Err(PageError::NoList(list.to_owned(), envelope.list));
    };
    Ok(PageRead {
        records,
        without_id,
        incomparable: BTreeSet::new(),
        envelope,
    })
}

fn without_repeats(records: &Records, last_places: &BTreeMap<String, usize>) -> Records {
    let mut kept = Records::with_capacity(0, records.len());
    for (place, record) in records.iter().enumerate() {
        if last_places.get(record.id).is_some_and(|last| *last != place) {
            continue;
        }
        if record.deleted {
            kept.push_tombstone(record.id, record.updated.clone());
        } else {
            kept.push(record.id, record.created.clone(), record.updated.clone(), |out| {
                out.extend_from_slice(record.body.as_bytes());
            });
        }
    }
    kept
}

/// Ids are numbers; a field that a user chose may hold text.
fn id_of(members: &[Member<'_>], wanted: &Wanted) -> Option<String> {
    let value = wanted.id.value(members)?;
    let id = match value.kind() {
        Kind::String => value.as_str()?.trim().to_owned(),
        Kind::Number => value.raw().to_owned(),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => return None,
    };
    Some(id).filter(|id| !id.is_empty())
}

/// Turns members into records of one page.
struct Writer<'w, 'a> {
    wanted: &'w Wanted,
    objects: ObjectWriter<'a>,
    /// Used again for each record.
    content: Vec<Member<'a>>,
    incomparable: BTreeSet<String>,
}

impl<'w, 'a> Writer<'w, 'a> {
    fn new(wanted: &'w Wanted) -> Self {
        Self {
            wanted,
            objects: if wanted.drop_nulls {
                ObjectWriter::dropping_nulls()
            } else {
                ObjectWriter::new()
            },
            content: Vec::new(),
            incomparable: BTreeSet::new(),
        }
    }

    /// False for a record that does not match.
    fn write(&mut self, id: &str, members: &[Member<'a>], records: &mut Records) -> bool {
        let updated = moment(&self.wanted.updated, members);
        if self.wanted.resource.is_gone(members) {
            records.push_tombstone(id, updated);
            return true;
        }
        if let Some(filter) = &self.wanted.filter
            && !matching::matches(filter, members, &mut self.incomparable)
        {
            return false;
        }
        self.content.clear();
        let content = members.iter().filter(|member| !NO_CONTENT.contains(&member.key));
        self.content.extend(content);
        let created = moment(&self.wanted.created, members);
        records.push(id, created, updated, |out| self.objects.write(&self.content, out));
        true
    }
}

/// The first of these dates that is there: ISO 8601 in UTC, or a number of Unix time; else handed on as text.
fn moment(paths: &[Path], members: &[Member<'_>]) -> Moment {
    let Some(value) = paths.iter().find_map(|path| path.value(members)) else {
        return Moment::None;
    };
    if let Some(number) = value.as_i64() {
        return Moment::AtMs(if number.unsigned_abs() < EPOCH_MS_MIN {
            number * 1_000
        } else {
            number
        });
    }
    text_moment(&value)
}

fn text_moment(value: &Value<'_>) -> Moment {
    match value.as_str() {
        Some(text) if text.trim().is_empty() => Moment::None,
        Some(text) => dates::parse_iso(text.trim().as_bytes()).map_or_else(|| Moment::Text(text.into()), Moment::AtMs),
        None => Moment::Text(value.raw().into()),
    }
}

#[cfg(test)]
mod tests;
