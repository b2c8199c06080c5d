//! Which fields of a record changed. A fingerprint is one digest of the whole record, so a sketch is kept beside it: of each
//! field a number for its path, and a short hash of its value.
//! Knows no store: what is known comes in, what is to be kept goes out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::compare::Difference;
use crate::domain::event::Change;
use crate::domain::record::{SketchUpdate, Sketches};

/// Most fields of a record. One with more has no sketch.
const FIELDS_MAX: usize = 512;
/// Objects are descended into so far; what lies deeper is one field.
const DEPTH_MAX: usize = 4;
/// Longest path to a field, in bytes. A record with a longer one has no sketch.
const PATH_BYTES_MAX: usize = 200;
/// Most paths of a resource, over all of its records. A record with another one has no sketch.
const NAMES_MAX: usize = 4_096;
/// Most bytes of all paths of a resource. They are read with every page that changed something.
const NAMES_BYTES_MAX: usize = 64 << 10;

/// First byte of a sketch.
const FORMAT: u8 = 1;
/// Format, and as much of the record's digest as tells whether the sketch is of that very record.
const HEAD_BYTES: usize = 1 + 8;
/// Number of the path, hash of the value.
const FIELD_BYTES: usize = 2 + 4;

/// The paths of a resource's fields, each under the number by which sketches know it. Paths are added, and never move.
#[derive(Debug)]
struct Names {
    paths: Vec<String>,
    numbers: HashMap<String, u16>,
    bytes: usize,
    known: usize,
}

impl Names {
    fn new(paths: Vec<String>) -> Self {
        let numbers = (0..=u16::MAX).zip(&paths).map(|(number, path)| (path.clone(), number));
        Self {
            numbers: numbers.collect(),
            bytes: paths.iter().map(String::len).sum(),
            known: paths.len(),
            paths,
        }
    }

    /// Numbers of these paths; the unknown ones are added. None, and nothing is added, where there is no room for all.
    fn numbers(&mut self, fields: &BTreeMap<String, Vec<u32>>) -> Option<Vec<u16>> {
        let unknown = || fields.keys().filter(|path| !self.numbers.contains_key(*path));
        let bytes = self.bytes + unknown().map(String::len).sum::<usize>();
        if self.paths.len() + unknown().count() > NAMES_MAX || bytes > NAMES_BYTES_MAX {
            return None;
        }
        self.bytes = bytes;
        let mut numbers = Vec::with_capacity(fields.len());
        for path in fields.keys() {
            let next = self.paths.len();
            let number = *self.numbers.entry(path.clone()).or_insert_with(|| {
                self.paths.push(path.clone());
                u16::try_from(next).expect("NAMES_MAX is below 2^16")
            });
            numbers.push(number);
        }
        Some(numbers)
    }
}

/// A record field by field: path, and hashes of what stands there (of more than one where keys with dots make two paths
/// the same). None of what is no object or has too many fields.
fn fields(body: &[u8]) -> Option<BTreeMap<String, Vec<u32>>> {
    let mut fields = BTreeMap::new();
    let members = members(std::str::from_utf8(body).ok()?)?;
    put_fields(&mut fields, "", &members, 1)?;
    Some(fields)
}

fn members(json: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json).ok()
}

fn put_fields(
    fields: &mut BTreeMap<String, Vec<u32>>,
    parent: &str,
    members: &BTreeMap<String, &RawValue>,
    depth: usize,
) -> Option<()> {
    for (name, value) in members {
        let path = match parent {
            "" => name.clone(),
            parent => format!("{parent}.{name}"),
        };
        let json = value.get();
        if depth < DEPTH_MAX && json.starts_with('{') {
            let inner = self::members(json)?;
            if !inner.is_empty() {
                put_fields(fields, &path, &inner, depth + 1)?;
                continue;
            }
        }
        if path.len() > PATH_BYTES_MAX {
            return None;
        }
        fields.entry(path).or_default().push(xxh3_64(json.as_bytes()) as u32);
        if fields.len() > FIELDS_MAX {
            return None;
        }
    }
    Some(())
}

/// What is kept of a record with this digest: pairs of number and hash, sorted.
fn sketch(body: &[u8], digest: u128, names: &mut Names) -> Option<Vec<u8>> {
    let fields = fields(body)?;
    let numbers = names.numbers(&fields)?;
    let pairs = numbers.into_iter().zip(fields.values());
    let pairs: BTreeSet<(u16, u32)> = pairs
        .flat_map(|(number, hashes)| hashes.iter().map(move |hash| (number, *hash)))
        .collect();
    let mut sketch = Vec::with_capacity(HEAD_BYTES + pairs.len() * FIELD_BYTES);
    sketch.push(FORMAT);
    sketch.extend_from_slice(&mark(digest));
    for (number, hash) in pairs {
        sketch.extend_from_slice(&number.to_be_bytes());
        sketch.extend_from_slice(&hash.to_be_bytes());
    }
    Some(sketch)
}

fn mark(digest: u128) -> [u8; 8] {
    (digest as u64).to_be_bytes()
}

/// The pairs of a sketch, if it is one of the record with this digest.
fn pairs(sketch: &[u8], digest: u128) -> Option<BTreeSet<(u16, u32)>> {
    let rest = sketch.strip_prefix(&[FORMAT])?.strip_prefix(&mark(digest))?;
    let (pairs, []) = rest.as_chunks::<FIELD_BYTES>() else {
        return None;
    };
    let pair =
        |[a, b, c, d, e, f]: &[u8; FIELD_BYTES]| (u16::from_be_bytes([*a, *b]), u32::from_be_bytes([*c, *d, *e, *f]));
    Some(pairs.iter().map(pair).collect())
}

/// Paths that are in one of two sketches alone, or stand for another value: sorted. None where that says nothing.
fn changed(
    (before, digest_before): (&[u8], u128),
    (after, digest_after): (&[u8], u128),
    names: &Names,
) -> Option<Vec<String>> {
    let (before, after) = (pairs(before, digest_before)?, pairs(after, digest_after)?);
    let numbers: BTreeSet<u16> = before.symmetric_difference(&after).map(|(number, _)| *number).collect();
    let paths = numbers
        .iter()
        .map(|number| names.paths.get(usize::from(*number)).cloned());
    let mut paths = paths.collect::<Option<Vec<_>>>()?;
    paths.sort_unstable();
    // The record differs, so that something must: two values share their hash.
    Some(paths).filter(|paths| !paths.is_empty())
}

/// Does this difference need what is known of its record's fields?
fn is_sketched(difference: &Difference, all: bool) -> bool {
    difference.change.is_some() || all
}

/// Ids of the records whose sketches `tell` wants; without any it need not be called.
#[must_use]
pub fn wanted(differences: &[Difference], all: bool) -> Vec<String> {
    let wanted = differences.iter().filter(|difference| is_sketched(difference, all));
    wanted.map(|difference| difference.dated.record.id.clone()).collect()
}

/// Tells of each update which fields changed, and gives what is to be kept. `known` is of the ids that were `wanted`.
/// With `all`, sketches are kept of what made no event, too.
#[must_use]
pub fn tell(differences: &mut [Difference], known: Sketches, all: bool) -> SketchUpdate {
    let mut names = Names::new(known.names);
    let mut sketches = Vec::new();
    let wanted = differences.iter_mut().filter(|difference| is_sketched(difference, all));
    for (difference, known) in wanted.zip(known.each) {
        let record = &difference.dated.record;
        let digest = difference.fingerprint.digest;
        let sketch = if record.deleted {
            None
        } else {
            sketch(&record.body, digest, &mut names)
        };
        if let (Some(Change::Updated), Some(digest_before)) = (difference.change, difference.before)
            && let (Some(before), Some(after)) = (&known, &sketch)
        {
            difference.fields = changed((before, digest_before), (after, digest), &names);
        }
        // A sketch of what the record was before goes.
        if sketch.is_some() || known.is_some() {
            sketches.push((record.id.clone(), sketch));
        }
    }
    SketchUpdate {
        names: (names.paths.len() > names.known).then_some(names.paths),
        sketches,
    }
}

#[cfg(test)]
mod tests;
