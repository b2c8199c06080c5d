//! One atomic change of the tree while it is put together, by the writer's thread alone.
//! Knows no noun, and does not wait for the disk.

use std::sync::Arc;

use ::sled::{Batch, IVec, Tree};

use super::fingerprints::Plan;
use super::keys::{self, ResourceNumber};
use super::leaf_cache::{Leaf, LeafCache, Leaves};
use super::rows::Counters;
use super::transient;
use crate::domain::id::InstanceId;
use crate::ports::StoreError;

/// Most keys that are changed at once. sled keeps every version of a node that a batch makes until the batch ends: one of 5,000
/// keys took 2.9 GiB. A page of 1,000 scattered records needs about 1,100.
const KEYS_MAX: usize = 2_000;

/// Changes that need not be atomic are cut at this many keys.
const KEYS_SPLIT: usize = 1_000;

pub(super) struct Transaction<'a> {
    tree: &'a Tree,
    /// None removes the key.
    changes: Vec<(IVec, Option<IVec>)>,
    bytes: usize,
    counters: &'a mut Counters,
    /// The counters as the disk knows them.
    stored: Counters,
    cache: &'a LeafCache,
    /// Leaves of a resource as they will be.
    leaves: Option<(Arc<Leaves>, Vec<Leaf>)>,
    broken: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(tree: &'a Tree, cache: &'a LeafCache, counters: &'a mut Counters) -> Self {
        Self {
            tree,
            changes: Vec::new(),
            bytes: 0,
            stored: *counters,
            counters,
            cache,
            leaves: None,
            broken: false,
        }
    }

    /// What was applied so far; does not show what this transaction puts.
    pub(super) fn tree(&self) -> &'a Tree {
        self.tree
    }

    pub(super) fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<IVec>, StoreError> {
        self.tree.get(key).map_err(transient)
    }

    pub(super) fn put(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        let value = value.into();
        self.bytes += value.len();
        self.changes.push((key.into(), Some(value)));
    }

    pub(super) fn remove(&mut self, key: impl Into<IVec>) {
        self.changes.push((key.into(), None));
    }

    /// The leaves of a resource, of which `put_leaves` changes some.
    pub(super) fn leaves(&self, instance: InstanceId, resource: ResourceNumber) -> Arc<Leaves> {
        self.cache.of(keys::leaves(instance, resource))
    }

    /// Of one resource at most in a transaction.
    pub(super) fn put_leaves(&mut self, leaves: Arc<Leaves>, plan: Plan) {
        for (key, value) in plan.writes {
            self.put(key, value);
        }
        self.leaves = Some((leaves, plan.leaves));
    }

    pub(super) fn next_instance(&mut self) -> InstanceId {
        self.counters.instance += 1;
        InstanceId(self.counters.instance - 1)
    }

    pub(super) fn next_resource(&mut self) -> Result<ResourceNumber, StoreError> {
        let number = ResourceNumber(self.counters.resource);
        let next = self.counters.resource.checked_add(1);
        self.counters.resource = next.ok_or_else(|| StoreError::Corrupt("no number is left for a resource".into()))?;
        Ok(number)
    }

    pub(super) fn next_batch(&mut self) -> u64 {
        self.counters.batch += 1;
        self.counters.batch - 1
    }

    /// Should what is together so far be applied before more is added?
    pub(super) fn is_long(&self) -> bool {
        self.changes.len() >= KEYS_SPLIT
    }

    /// Of all values that were put, applied or not.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All or nothing. The transaction is empty afterwards.
    pub(super) fn apply(&mut self) -> Result<(), StoreError> {
        if *self.counters != self.stored {
            self.put(keys::counters(), self.counters.encode());
            self.stored = *self.counters;
        }
        let changes = std::mem::take(&mut self.changes);
        let leaves = self.leaves.take();
        if changes.len() > KEYS_MAX {
            let keys = changes.len();
            return Err(StoreError::Corrupt(format!(
                "refused: {keys} keys in one change, more than {KEYS_MAX}"
            )));
        }
        if changes.is_empty() {
            return Ok(());
        }
        let batch = self.batch_of(changes)?;
        if let Some((cached, leaves)) = &leaves {
            cached.writing(leaves);
        }
        // Should it panic, or fail: the writer opens the database anew, and the cache is cleared with it.
        self.broken = true;
        self.tree.apply_batch(batch).map_err(transient)?;
        self.broken = false;
        if let Some((cached, leaves)) = leaves {
            cached.written(leaves);
        }
        Ok(())
    }

    /// Reads where each key goes: a page that can't be read is met before the first key is written, not between two.
    fn batch_of(&self, changes: Vec<(IVec, Option<IVec>)>) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        for (key, value) in changes {
            self.tree.get(&key).map_err(transient)?;
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        Ok(batch)
    }

    /// Did the database fail while it was being changed?
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }
}
