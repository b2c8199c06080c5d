//! Fingerprints packed into leaves, dozens of neighbouring ids to a value, as in the lowest level of a B+tree.
//! Plans what changes as values to write. Writes nothing itself.

use std::cmp::Ordering;
use std::ops::Range;

use ::sled::{IVec, Tree};

use super::codec::{Malformed, Reader, put_bytes, put_varint};
use super::keys::corrupt;
use super::leaf_cache::{Leaf, Leaves};
use crate::domain::record::Fingerprint;
use crate::ports::StoreError;

/// Longest id in bytes. Longer ones are refused: an id is part of a key.
pub(super) const ID_BYTES_MAX: usize = 1024;

/// Most entries of a leaf. Each changed entry rewrites its leaf: fewer are better for scattered ids, more for neighbours and memory.
const LEAF_ENTRIES_MAX: usize = 32;

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

/// A leaf's key, which begins with the resource's prefix: bytes that sort as `order` does.
fn order_key(prefix: &[u8], id: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(prefix.len() + 3 + id.len());
    put_order_key(&mut key, prefix, id);
    key
}

/// Replaces what is in `key`.
fn put_order_key(key: &mut Vec<u8>, prefix: &[u8], id: &[u8]) {
    key.clear();
    key.extend_from_slice(prefix);
    if is_number(id) {
        key.push(0);
        // `ID_BYTES_MAX` fits.
        key.extend_from_slice(&(id.len() as u16).to_be_bytes());
    } else {
        key.push(1);
    }
    key.extend_from_slice(id);
}

fn put_entry(out: &mut Vec<u8>, id: &[u8], fingerprint: &Fingerprint) {
    put_bytes(out, id);
    out.extend_from_slice(&fingerprint.digest.to_be_bytes());
    put_varint(out, u64::from(fingerprint.projection));
    put_varint(out, u64::from(fingerprint.version));
    out.push(if fingerprint.deleted { DELETED } else { 0 });
}

/// What follows the id.
fn read_fingerprint(reader: &mut Reader<'_>) -> Result<Fingerprint, Malformed> {
    Ok(Fingerprint {
        digest: u128::from_be_bytes(reader.array()?),
        projection: reader.varint_u32()?,
        version: reader.varint_u32()?,
        deleted: reader.byte()? & DELETED != 0,
    })
}

fn skip_fingerprint(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    reader.take(DIGEST_BYTES)?;
    reader.varint()?;
    reader.varint()?;
    reader.byte()?;
    Ok(())
}

/// The entries of a leaf; none for the empty value of a leaf that is not stored yet.
fn open_leaf(value: &[u8]) -> Result<Option<Reader<'_>>, Malformed> {
    if value.is_empty() {
        return Ok(None);
    }
    Reader::of_format(value, FORMAT).map(Some)
}

/// In order, each id once, as `write_leaf` got them.
fn read_leaf(value: &[u8]) -> Result<Vec<Entry<'_>>, Malformed> {
    let mut entries = Vec::new();
    let Some(mut reader) = open_leaf(value)? else {
        return Ok(entries);
    };
    entries.reserve(LEAF_ENTRIES_MAX);
    while !reader.is_empty() {
        let start = reader.rest();
        let id = reader.bytes()?;
        skip_fingerprint(&mut reader)?;
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

/// Visits each leaf that holds or would hold one of `ids`, which are in order, with those that are its own.
fn walk(
    tree: &Tree,
    leaves: &Leaves,
    ids: &[&[u8]],
    mut visit: impl FnMut(Leaf, Range<usize>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut start = 0;
    let mut key = Vec::new();
    while start < ids.len() {
        put_order_key(&mut key, leaves.prefix(), ids[start]);
        let leaf = leaves.at(tree, &key)?;
        let mut end = start + 1;
        while end < ids.len() {
            put_order_key(&mut key, leaves.prefix(), ids[end]);
            if leaf.end.as_ref().is_some_and(|end| key.as_slice() >= end.as_ref()) {
                break;
            }
            end += 1;
        }
        visit(leaf, start..end)?;
        start = end;
    }
    Ok(())
}

/// What is stored for `ids`, in their order.
pub(super) fn read(tree: &Tree, leaves: &Leaves, ids: &[String]) -> Result<Vec<Option<Fingerprint>>, StoreError> {
    let mut wanted: Vec<(&[u8], usize)> = ids.iter().map(|id| id.as_bytes()).zip(0..).collect();
    wanted.sort_by(|a, b| order(a.0, b.0));
    let sorted: Vec<&[u8]> = wanted.iter().map(|(id, _)| *id).collect();
    let mut found = vec![None; ids.len()];
    walk(tree, leaves, &sorted, |leaf, here| {
        look_up(&leaf.value, &wanted[here], &mut found).map_err(|error| corrupt(&leaf.key, error))
    })?;
    Ok(found)
}

/// Finds what is wanted of one leaf; `wanted` is in order, each with its place in `found`.
fn look_up(value: &[u8], wanted: &[(&[u8], usize)], found: &mut [Option<Fingerprint>]) -> Result<(), Malformed> {
    let Some(mut reader) = open_leaf(value)? else {
        return Ok(());
    };
    for (id, place) in wanted {
        let start = reader;
        loop {
            if reader.is_empty() {
                // Not here; the next may be.
                reader = start;
                break;
            }
            if reader.bytes()? == *id {
                found[*place] = Some(read_fingerprint(&mut reader)?);
                break;
            }
            skip_fingerprint(&mut reader)?;
        }
    }
    Ok(())
}

/// What is to be written so that fingerprints are stored, and what the cache keeps of it.
pub(super) struct Plan {
    /// Leaves that differ from what is stored.
    pub(super) writes: Vec<(IVec, IVec)>,
    /// Every touched leaf as it will be, in pieces where it was split.
    pub(super) leaves: Vec<Leaf>,
}

/// Each touched leaf is read once and written once.
pub(super) fn plan(tree: &Tree, leaves: &Leaves, changes: &[(String, Fingerprint)]) -> Result<Plan, StoreError> {
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
    let mut plan = Plan {
        writes: Vec::new(),
        leaves: Vec::new(),
    };
    walk(tree, leaves, &ids, |leaf, here| {
        replace(&leaf, &changed[here], leaves.prefix(), &mut plan).map_err(|error| corrupt(&leaf.key, error))
    })?;
    Ok(plan)
}

/// Adds to `plan` what becomes of one leaf.
fn replace(leaf: &Leaf, changed: &[Entry<'_>], prefix: &[u8], plan: &mut Plan) -> Result<(), Malformed> {
    let stored = read_leaf(&leaf.value)?;
    let appends = match (stored.last(), changed.first()) {
        (Some(last), Some(first)) => order(last.id, first.id).is_lt(),
        _ => true,
    };
    let merged = merge(&stored, changed);
    let cap = entries_max(&merged);
    // Ids that come in order leave full leaves behind; splitting in halves would leave half-empty ones.
    let piece = if appends {
        cap
    } else {
        merged.len().div_ceil(merged.len().div_ceil(cap))
    };
    let mut key = leaf.key.clone();
    let mut pieces = merged.chunks(piece.max(1)).peekable();
    while let Some(entries) = pieces.next() {
        let value = IVec::from(write_leaf(entries));
        let end = match pieces.peek() {
            Some(next) => Some(order_key(prefix, next[0].id).into()),
            None => leaf.end.clone(),
        };
        let next = end.clone();
        // The first of several may be what it was.
        if key != leaf.key || value != leaf.value {
            plan.writes.push((key.clone(), value.clone()));
        }
        plan.leaves.push(Leaf { key, value, end });
        let Some(next) = next else { break };
        key = next;
    }
    Ok(())
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
    use std::sync::Arc;

    use super::*;
    use crate::domain::id::InstanceId;
    use crate::store::sled::keys;
    use crate::store::sled::leaf_cache::LeafCache;

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

    fn leaves() -> Arc<Leaves> {
        LeafCache::new(0).of(keys::leaves(InstanceId(1), keys::ResourceNumber(1)))
    }

    fn store(tree: &Tree, ids: impl IntoIterator<Item = String>) {
        let changes: Vec<_> = ids.into_iter().map(|id| (id, fingerprint(9))).collect();
        for (key, value) in plan(tree, &leaves(), &changes).unwrap().writes {
            tree.insert(key, value).unwrap();
        }
    }

    fn sizes(tree: &Tree) -> Vec<usize> {
        tree.iter()
            .map(|leaf| read_leaf(&leaf.unwrap().1).unwrap().len())
            .collect()
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
            store(
                &tree,
                (page * 500..page * 500 + 500).map(|id| (100_000 + id).to_string()),
            );
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
        for damaged in [&value[..value.len() - 1], &[9u8][..]] {
            tree.insert(&key, damaged).unwrap();
            let error = read(&tree, &leaves(), &["2".to_owned()]).unwrap_err();
            assert!(
                matches!(&error, StoreError::Corrupt(text) if text.contains("fingerprint leaf")),
                "{error}"
            );
        }
    }

    #[test]
    fn an_id_longer_than_the_limit_is_refused() {
        let changes = [("x".repeat(ID_BYTES_MAX + 1), fingerprint(1))];
        assert!(plan(&tree(), &leaves(), &changes).is_err());
    }
}
