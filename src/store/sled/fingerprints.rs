//! Fingerprints packed into leaves, dozens of neighbouring ids to a value, as in the lowest level of a B+tree.
//! Plans what changes as values to write. Writes nothing itself.

use std::cmp::Ordering;
use std::ops::{Bound, Range};

use ::sled::{IVec, Tree};

use super::codec::{Malformed, Reader, put_bytes, put_varint};
use super::keys::corrupt;
use super::transient;
use crate::domain::record::Fingerprint;
use crate::ports::StoreError;

/// Longest id in bytes. Longer ones are refused: an id is part of a key.
pub(super) const ID_BYTES_MAX: usize = 1024;

/// Most entries of a leaf. Each changed entry rewrites its leaf: fewer are better for scattered ids, more for neighbours and memory.
const LEAF_ENTRIES_MAX: usize = 64;

/// Aim for the size of a leaf: long ids make leaves of fewer entries.
const LEAF_BYTES_MAX: usize = 8 * 1024;

const FORMAT: u8 = 1;
const DELETED: u8 = 1;
const DIGEST_BYTES: usize = 16;

/// One fingerprint inside a leaf: its id, and all of its bytes.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    id: &'a [u8],
    raw: &'a [u8],
}

/// Ids of digits come first and sort as numbers do, so that neighbours of a counting vendor share a leaf; others follow by bytes.
fn order(a: &[u8], b: &[u8]) -> Ordering {
    match (is_number(a), is_number(b)) {
        (true, true) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

fn is_number(id: &[u8]) -> bool {
    !id.is_empty() && id.iter().all(u8::is_ascii_digit)
}

/// The end of a leaf's key: bytes that sort as `order` does.
fn order_key(prefix: &[u8], id: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(prefix.len() + 3 + id.len());
    key.extend_from_slice(prefix);
    if is_number(id) {
        key.push(0);
        // `ID_BYTES_MAX` fits.
        key.extend_from_slice(&(id.len() as u16).to_be_bytes());
    } else {
        key.push(1);
    }
    key.extend_from_slice(id);
    key
}

fn put_entry(out: &mut Vec<u8>, id: &[u8], fingerprint: &Fingerprint) {
    put_bytes(out, id);
    out.extend_from_slice(&fingerprint.digest.to_be_bytes());
    put_varint(out, u64::from(fingerprint.projection));
    put_varint(out, u64::from(fingerprint.version));
    out.push(if fingerprint.deleted { DELETED } else { 0 });
}

fn read_fingerprint(entry: Entry<'_>) -> Result<Fingerprint, Malformed> {
    let mut reader = Reader::new(entry.raw);
    reader.bytes()?;
    Ok(Fingerprint {
        digest: u128::from_be_bytes(reader.array()?),
        projection: reader.varint_u32()?,
        version: reader.varint_u32()?,
        deleted: reader.byte()? & DELETED != 0,
    })
}

/// In order, each id once, as `write_leaf` got them.
fn read_leaf(value: &[u8]) -> Result<Vec<Entry<'_>>, Malformed> {
    let mut reader = Reader::of_format(value, FORMAT)?;
    let mut entries = Vec::with_capacity(LEAF_ENTRIES_MAX);
    while !reader.is_empty() {
        let start = reader.rest();
        let id = reader.bytes()?;
        reader.take(DIGEST_BYTES)?;
        reader.varint()?;
        reader.varint()?;
        reader.byte()?;
        let raw = &start[..start.len() - reader.rest().len()];
        entries.push(Entry { id, raw });
    }
    Ok(entries)
}

fn write_leaf(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut value = Vec::with_capacity(1 + bytes_of(entries));
    value.push(FORMAT);
    entries.iter().for_each(|entry| value.extend_from_slice(entry.raw));
    value
}

fn bytes_of(entries: &[Entry<'_>]) -> usize {
    entries.iter().map(|entry| entry.raw.len()).sum()
}

/// Visits each leaf that holds or would hold one of `ids`, which are in order: with its key and value, and which ids are its own.
/// The first leaf of a resource has no lower bound, so its key stands for a leaf that is not there yet.
fn walk<'a>(
    tree: &Tree,
    prefix: &[u8],
    ids: &[&'a [u8]],
    mut visit: impl FnMut(&IVec, &IVec, &[Entry<'_>], Range<usize>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut start = 0;
    let mut ahead = None;
    while start < ids.len() {
        let (key, value) = match ahead.take() {
            Some(leaf) => leaf,
            None => leaf_of(tree, prefix, ids[start])?,
        };
        let entries = read_leaf(&value).map_err(|error| corrupt(&key, error))?;
        let last = entries.last().map(|entry| entry.id);
        let mut end = start + 1;
        // Where the next leaf begins: looked up for ids that fall between this leaf's last entry and there.
        let mut bound: Option<Option<IVec>> = None;
        while end < ids.len() {
            let id = ids[end];
            if last.is_none_or(|last| order(id, last).is_gt()) {
                match &bound {
                    Some(bound) => {
                        if bound.as_ref().is_some_and(|bound| order_key(prefix, id) >= bound.to_vec()) {
                            break;
                        }
                    }
                    None => {
                        let next = leaf_of(tree, prefix, id)?;
                        if next.0 != key {
                            ahead = Some(next);
                            break;
                        }
                        bound = Some(key_after(tree, prefix, &key)?);
                    }
                }
            }
            end += 1;
        }
        visit(&key, &value, &entries, start..end)?;
        start = end;
    }
    Ok(())
}

fn leaf_of(tree: &Tree, prefix: &[u8], id: &[u8]) -> Result<(IVec, IVec), StoreError> {
    let stored = tree.range(prefix.to_vec()..=order_key(prefix, id)).next_back();
    let stored = stored.transpose().map_err(transient)?;
    Ok(stored.unwrap_or_else(|| (prefix.into(), vec![FORMAT].into())))
}

fn key_after(tree: &Tree, prefix: &[u8], key: &IVec) -> Result<Option<IVec>, StoreError> {
    let next = tree.range::<&[u8], _>((Bound::Excluded(key.as_ref()), Bound::Unbounded)).next();
    let next = next.transpose().map_err(transient)?;
    Ok(next.map(|(key, _)| key).filter(|key| key.starts_with(prefix)))
}

/// What is stored for `ids`, in their order. `prefix` is `keys::leaves` of the resource.
pub(super) fn read(tree: &Tree, prefix: &[u8], ids: &[String]) -> Result<Vec<Option<Fingerprint>>, StoreError> {
    let mut wanted: Vec<(&[u8], usize)> = ids.iter().map(|id| id.as_bytes()).zip(0..).collect();
    wanted.sort_by(|a, b| order(a.0, b.0));
    let sorted: Vec<&[u8]> = wanted.iter().map(|(id, _)| *id).collect();
    let mut found = vec![None; ids.len()];
    walk(tree, prefix, &sorted, |key, _, entries, here| {
        for (id, place) in &wanted[here] {
            if let Ok(entry) = entries.binary_search_by(|entry| order(entry.id, id)) {
                found[*place] = Some(read_fingerprint(entries[entry]).map_err(|error| corrupt(key, error))?);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// The leaves to write so that `changes` are stored: each touched leaf read once and written once.
/// `prefix` is `keys::leaves` of the resource.
pub(super) fn plan(
    tree: &Tree,
    prefix: &[u8],
    changes: &[(String, Fingerprint)],
) -> Result<Vec<(IVec, Vec<u8>)>, StoreError> {
    let mut encoded = Vec::new();
    let mut bounds = Vec::with_capacity(changes.len());
    for (id, fingerprint) in changes {
        if id.len() > ID_BYTES_MAX {
            return Err(StoreError::Corrupt(format!(
                "refused: an id of {} bytes, longer than {ID_BYTES_MAX}",
                id.len()
            )));
        }
        let start = encoded.len();
        put_entry(&mut encoded, id.as_bytes(), fingerprint);
        bounds.push(start..encoded.len());
    }
    let mut changed: Vec<Entry<'_>> = changes
        .iter()
        .zip(bounds)
        .map(|((id, _), bounds)| Entry {
            id: id.as_bytes(),
            raw: &encoded[bounds],
        })
        .collect();
    changed.sort_by(|a, b| order(a.id, b.id));
    // The order within a leaf is strict: an id that comes twice would spoil it. The later one counts.
    changed.dedup_by(|later, earlier| {
        let same = later.id == earlier.id;
        if same {
            *earlier = *later;
        }
        same
    });

    let ids: Vec<&[u8]> = changed.iter().map(|entry| entry.id).collect();
    let mut writes = Vec::new();
    walk(tree, prefix, &ids, |key, value, stored, here| {
        replace(key, value, stored, &changed[here], prefix, &mut writes);
        Ok(())
    })?;
    Ok(writes)
}

/// Adds to `writes` what becomes of one leaf.
fn replace(
    key: &IVec,
    value: &IVec,
    stored: &[Entry<'_>],
    changed: &[Entry<'_>],
    prefix: &[u8],
    writes: &mut Vec<(IVec, Vec<u8>)>,
) {
    let appends = match (stored.last(), changed.first()) {
        (Some(last), Some(first)) => order(last.id, first.id).is_lt(),
        _ => true,
    };
    let merged = merge(stored, changed);
    let cap = entries_max(&merged);
    // Ids that come in order leave full leaves behind; splitting in halves would leave half-empty ones.
    let piece = if appends {
        cap
    } else {
        merged.len().div_ceil(merged.len().div_ceil(cap))
    };
    for (place, entries) in merged.chunks(piece.max(1)).enumerate() {
        let leaf = write_leaf(entries);
        if place > 0 {
            writes.push((order_key(prefix, entries[0].id).into(), leaf));
        } else if leaf != value.as_ref() {
            writes.push((key.clone(), leaf));
        }
    }
}

fn entries_max(entries: &[Entry<'_>]) -> usize {
    let fitting = LEAF_BYTES_MAX * entries.len() / bytes_of(entries).max(1);
    fitting.clamp(1, LEAF_ENTRIES_MAX)
}

/// Both in order; where an id is in both, the changed entry.
fn merge<'a>(stored: &[Entry<'a>], changed: &[Entry<'a>]) -> Vec<Entry<'a>> {
    let mut merged = Vec::with_capacity(stored.len() + changed.len());
    let mut stored = stored.iter().peekable();
    for entry in changed {
        while let Some(before) = stored.next_if(|before| order(before.id, entry.id).is_lt()) {
            merged.push(*before);
        }
        stored.next_if(|same| same.id == entry.id);
        merged.push(*entry);
    }
    merged.extend(stored);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::InstanceId;
    use crate::store::sled::keys;

    fn fingerprint(digest: u128) -> Fingerprint {
        Fingerprint {
            digest,
            projection: 3,
            version: 1,
            deleted: false,
        }
    }

    fn tree() -> ::sled::Db {
        ::sled::Config::new().temporary(true).open().unwrap()
    }

    fn prefix() -> Vec<u8> {
        keys::leaves(InstanceId(1), keys::ResourceNumber(1))
    }

    fn store(tree: &Tree, ids: impl IntoIterator<Item = String>) {
        let changes: Vec<_> = ids.into_iter().map(|id| (id, fingerprint(9))).collect();
        for (key, value) in plan(tree, &prefix(), &changes).unwrap() {
            tree.insert(key, value).unwrap();
        }
    }

    fn sizes(tree: &Tree) -> Vec<usize> {
        tree.iter().map(|leaf| read_leaf(&leaf.unwrap().1).unwrap().len()).collect()
    }

    #[test]
    fn order_keys_sort_as_ids_do() {
        let ids = ["0", "7", "10", "99", "007", "100", "", "-1", "1a", "a", "aa", "b", "é"];
        for a in ids {
            for b in ids {
                let (a, b) = (a.as_bytes(), b.as_bytes());
                assert_eq!(order_key(b"p", a).cmp(&order_key(b"p", b)), order(a, b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn ids_that_come_in_order_leave_full_leaves() {
        let tree = tree();
        for page in 0..4 {
            store(&tree, (page * 500..page * 500 + 500).map(|id| (100_000 + id).to_string()));
        }
        let sizes = sizes(&tree);
        assert_eq!(sizes.iter().sum::<usize>(), 2_000);
        assert_eq!(sizes.len(), 2_000usize.div_ceil(LEAF_ENTRIES_MAX));
    }

    #[test]
    fn a_leaf_that_overflows_in_the_middle_splits_in_halves() {
        let tree = tree();
        store(&tree, (0..LEAF_ENTRIES_MAX).map(|id| (1_000 + 2 * id).to_string()));
        store(&tree, ["1003".to_owned()]);
        assert_eq!(sizes(&tree), [LEAF_ENTRIES_MAX / 2 + 1, LEAF_ENTRIES_MAX / 2]);
    }

    #[test]
    fn long_ids_make_leaves_of_fewer_entries() {
        let tree = tree();
        store(&tree, (0..100).map(|id| format!("{id:0>1024}x").split_off(1)));
        assert!(sizes(&tree).iter().all(|entries| *entries <= 8), "{:?}", sizes(&tree));
    }

    #[test]
    fn leaves_of_the_next_resource_are_not_touched() {
        let tree = tree();
        let next = keys::leaves(InstanceId(1), keys::ResourceNumber(2));
        tree.insert(next.clone(), vec![FORMAT]).unwrap();
        store(&tree, (0..200).map(|id| id.to_string()));
        assert_eq!(tree.get(next).unwrap().unwrap().as_ref(), [FORMAT]);
    }

    #[test]
    fn a_leaf_that_cannot_be_read_is_an_error_and_no_unknown_record() {
        let tree = tree();
        store(&tree, ["1".to_owned(), "2".to_owned()]);
        let (key, value) = tree.first().unwrap().unwrap();
        for damaged in [&value[..value.len() - 1], &[9u8][..], &[]] {
            tree.insert(&key, damaged).unwrap();
            let error = read(&tree, &prefix(), &["2".to_owned()]).unwrap_err();
            assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("fingerprint leaf")), "{error}");
        }
    }

    #[test]
    fn an_id_longer_than_the_limit_is_refused() {
        let changes = [("x".repeat(ID_BYTES_MAX + 1), fingerprint(1))];
        assert!(plan(&tree(), &prefix(), &changes).is_err());
    }
}
