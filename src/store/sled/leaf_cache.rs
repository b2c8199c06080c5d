//! Leaves of fingerprints in memory: looking one up in the tree costs several times as much, above all for scattered ids.
//! Never newer or older than the tree: a leaf is kept only if nothing was written while it was read.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::sled::{IVec, Tree};

use super::transient;
use crate::ports::StoreError;

/// What a leaf takes beside its key and value: nodes of the map, counters, lengths. In bytes.
const LEAF_OVERHEAD_BYTES: usize = 150;

/// One leaf as the tree has it.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) key: IVec,
    pub(super) value: IVec,
    /// Key of the next leaf of the resource; ids from there on are not in this one.
    pub(super) end: Option<IVec>,
}

impl Leaf {
    fn bytes(&self) -> usize {
        self.key.len() + self.value.len() + LEAF_OVERHEAD_BYTES
    }
}

/// The leaves of all resources that were used lately, up to a number of bytes.
pub(super) struct LeafCache {
    bytes_max: usize,
    bytes: Arc<AtomicUsize>,
    resources: Mutex<Resources>,
}

#[derive(Default)]
struct Resources {
    uses: u64,
    by_prefix: HashMap<Vec<u8>, (u64, Arc<Leaves>)>,
}

impl LeafCache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: Arc::default(),
            resources: Mutex::default(),
        }
    }

    /// The leaves of one resource. `prefix` is `keys::leaves` of it.
    pub(super) fn of(&self, prefix: Vec<u8>) -> Arc<Leaves> {
        let mut resources = lock(&self.resources);
        resources.uses += 1;
        let use_ = resources.uses;
        let bytes = &self.bytes;
        let bytes_max = self.bytes_max;
        let entry = resources.by_prefix.entry(prefix).or_insert_with_key(|prefix| {
            let leaves = Leaves {
                prefix: prefix.clone(),
                bytes_max,
                bytes: Arc::clone(bytes),
                kept: Mutex::default(),
            };
            (use_, Arc::new(leaves))
        });
        entry.0 = use_;
        let leaves = Arc::clone(&entry.1);
        self.forget_longest_unused(&mut resources, use_);
        leaves
    }

    /// Whole resources go, those first that were not used for longest; the newest is trimmed by itself.
    fn forget_longest_unused(&self, resources: &mut Resources, newest: u64) {
        while self.bytes.load(Relaxed) > self.bytes_max {
            let others = resources.by_prefix.iter().filter(|(_, (use_, _))| *use_ != newest);
            let Some((prefix, _)) = others.min_by_key(|(_, (use_, _))| *use_) else {
                return;
            };
            let prefix = prefix.clone();
            if let Some((_, leaves)) = resources.by_prefix.remove(&prefix) {
                leaves.retire();
            }
        }
    }

    /// Nothing of a database that failed is believed.
    pub(super) fn clear(&self) {
        for (_, (_, leaves)) in lock(&self.resources).by_prefix.drain() {
            leaves.retire();
        }
    }
}

/// The leaves of one resource.
pub(super) struct Leaves {
    prefix: Vec<u8>,
    bytes_max: usize,
    /// Of all resources together.
    bytes: Arc<AtomicUsize>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// By their keys without the resource's prefix: those of usual ids are short enough to lie in the map itself, which
    /// spares a look elsewhere in memory at each comparison.
    leaves: BTreeMap<IVec, Leaf>,
    /// Counts the writes.
    writes: u64,
    /// A write is being applied: what is read from the tree may be from before or after it.
    writing: bool,
    /// Dropped from the cache: nothing is kept any more.
    retired: bool,
    /// Where trimming goes on.
    hand: IVec,
}

impl Leaves {
    pub(super) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The leaf that holds or would hold the id whose key is `key`. A resource without leaves has an empty one at its prefix.
    pub(super) fn at(&self, tree: &Tree, key: &[u8]) -> Result<Leaf, StoreError> {
        let writes = {
            let kept = lock(&self.kept);
            let range = (Bound::Unbounded, Bound::Included(self.short(key)));
            if let Some((_, leaf)) = kept.leaves.range::<[u8], _>(range).next_back()
                && leaf.end.as_ref().is_none_or(|end| key < end.as_ref())
            {
                return Ok(leaf.clone());
            }
            (!kept.writing).then_some(kept.writes)
        };
        let leaf = self.read(tree, key)?;
        if let Some(writes) = writes {
            let mut kept = lock(&self.kept);
            if !kept.writing && kept.writes == writes {
                self.keep(&mut kept, leaf.clone());
                self.trim(&mut kept);
            }
        }
        Ok(leaf)
    }

    /// A key without the prefix that all keys of the resource have.
    fn short<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        key.strip_prefix(self.prefix.as_slice()).unwrap_or(key)
    }

    fn read(&self, tree: &Tree, key: &[u8]) -> Result<Leaf, StoreError> {
        let stored = tree.range(self.prefix.as_slice()..=key).next_back();
        let (key, value) = match stored.transpose().map_err(transient)? {
            Some(stored) => stored,
            None => (self.prefix.as_slice().into(), IVec::default()),
        };
        let next = tree
            .range::<&[u8], _>((Bound::Excluded(key.as_ref()), Bound::Unbounded))
            .next();
        let next = next.transpose().map_err(transient)?;
        let end = next.map(|(key, _)| key).filter(|key| key.starts_with(&self.prefix));
        Ok(Leaf { key, value, end })
    }

    /// `leaves` are about to be written: what is kept of their ranges is dropped, and nothing is kept until `written`.
    pub(super) fn writing(&self, leaves: &[Leaf]) {
        let mut kept = lock(&self.kept);
        kept.writing = true;
        for leaf in leaves {
            self.drop_one(&mut kept, self.short(&leaf.key));
        }
    }

    /// The tree has `leaves` now, instead of all that was kept of their ranges.
    pub(super) fn written(&self, leaves: Vec<Leaf>) {
        let mut kept = lock(&self.kept);
        for leaf in leaves {
            self.keep(&mut kept, leaf);
        }
        kept.writes += 1;
        kept.writing = false;
        self.trim(&mut kept);
    }

    fn keep(&self, kept: &mut Kept, leaf: Leaf) {
        if kept.retired {
            return;
        }
        self.bytes.fetch_add(leaf.bytes(), Relaxed);
        let short = IVec::from(self.short(&leaf.key));
        if let Some(before) = kept.leaves.insert(short, leaf) {
            self.bytes.fetch_sub(before.bytes(), Relaxed);
        }
    }

    fn drop_one(&self, kept: &mut Kept, short: &[u8]) {
        if let Some(leaf) = kept.leaves.remove(short) {
            self.bytes.fetch_sub(leaf.bytes(), Relaxed);
        }
    }

    /// One after the other round the resource: for scattered ids as good as any order, and nothing to keep book of.
    fn trim(&self, kept: &mut Kept) {
        while self.bytes.load(Relaxed) > self.bytes_max {
            let range = (Bound::Excluded(kept.hand.clone()), Bound::Unbounded);
            let next = kept.leaves.range::<IVec, _>(range).next().map(|(key, _)| key.clone());
            let Some(short) = next.or_else(|| kept.leaves.keys().next().cloned()) else {
                return;
            };
            self.drop_one(kept, &short);
            kept.hand = short;
        }
    }

    fn retire(&self) {
        let mut kept = lock(&self.kept);
        kept.retired = true;
        let leaves = std::mem::take(&mut kept.leaves);
        let bytes = leaves.values().map(Leaf::bytes).sum();
        self.bytes.fetch_sub(bytes, Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> ::sled::Db {
        let tree = ::sled::Config::new().temporary(true).open().unwrap();
        for (key, value) in [("p", "0"), ("p3", "3"), ("p6", "6"), ("q", "other")] {
            tree.insert(key, value).unwrap();
        }
        tree
    }

    fn leaf(key: &str, value: &str, end: Option<&str>) -> Leaf {
        Leaf {
            key: key.into(),
            value: value.into(),
            end: end.map(IVec::from),
        }
    }

    fn value(leaves: &Leaves, tree: &Tree, key: &str) -> String {
        let leaf = leaves.at(tree, key.as_bytes()).unwrap();
        String::from_utf8(leaf.value.to_vec()).unwrap()
    }

    #[test]
    fn each_key_finds_the_leaf_that_begins_at_or_before_it() {
        let tree = tree();
        let leaves = LeafCache::new(1 << 20).of(b"p".to_vec());
        for _ in 0..2 {
            let found = ["p0", "p3", "p5", "p9", "p1"].map(|key| value(&leaves, &tree, key));
            assert_eq!(found, ["0", "3", "3", "6", "0"]);
        }
    }

    #[test]
    fn what_is_kept_is_not_read_again() {
        let tree = tree();
        let leaves = LeafCache::new(1 << 20).of(b"p".to_vec());
        value(&leaves, &tree, "p4");
        tree.insert("p3", "behind the back").unwrap();
        assert_eq!(value(&leaves, &tree, "p5"), "3");
    }

    #[test]
    fn a_split_moves_the_end_of_the_first_half() {
        let tree = tree();
        let leaves = LeafCache::new(1 << 20).of(b"p".to_vec());
        value(&leaves, &tree, "p4");
        let halves = vec![leaf("p3", "low", Some("p5")), leaf("p5", "high", Some("p6"))];
        leaves.writing(&halves);
        tree.insert("p3", "low").unwrap();
        tree.insert("p5", "high").unwrap();
        leaves.written(halves);
        // The second half alone is forgotten: the first must not answer for it.
        let mut kept = lock(&leaves.kept);
        leaves.drop_one(&mut kept, b"5");
        drop(kept);
        assert_eq!(value(&leaves, &tree, "p5"), "high");
        assert_eq!(value(&leaves, &tree, "p4"), "low");
    }

    #[test]
    fn nothing_that_was_read_during_a_write_is_kept() {
        let tree = tree();
        let leaves = LeafCache::new(1 << 20).of(b"p".to_vec());
        leaves.writing(&[]);
        assert_eq!(value(&leaves, &tree, "p4"), "3");
        tree.insert("p3", "new").unwrap();
        leaves.written(Vec::new());
        assert_eq!(value(&leaves, &tree, "p4"), "new");
    }

    #[test]
    fn more_than_the_limit_is_not_kept() {
        let tree = tree();
        let cache = LeafCache::new(2 * (LEAF_OVERHEAD_BYTES + 3));
        let leaves = cache.of(b"p".to_vec());
        for key in ["p0", "p3", "p6", "p0", "p6"] {
            value(&leaves, &tree, key);
            assert!(cache.bytes.load(Relaxed) <= cache.bytes_max);
        }
        assert!(!lock(&leaves.kept).leaves.is_empty());
    }

    #[test]
    fn the_resource_that_was_not_used_for_longest_is_forgotten_whole() {
        let tree = tree();
        let cache = LeafCache::new(LEAF_OVERHEAD_BYTES + 3);
        let first = cache.of(b"p".to_vec());
        value(&first, &tree, "p");
        let second = cache.of(b"q".to_vec());
        cache.bytes.fetch_add(cache.bytes_max, Relaxed);
        cache.of(b"q".to_vec());
        assert!(lock(&first.kept).retired);
        assert!(!lock(&second.kept).retired);
        // Who still holds it reads the tree.
        assert_eq!(value(&first, &tree, "p4"), "3");
        assert!(lock(&first.kept).leaves.is_empty());
    }
}
