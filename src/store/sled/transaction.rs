//! One atomic change of the tree while it is put together, by the writer's thread alone.
//! Knows no noun, and does not wait for the disk.

use ::sled::{Batch, IVec, Tree};

use super::keys::{self, ResourceNumber};
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
    batch: Batch,
    keys: usize,
    bytes: usize,
    counters: &'a mut Counters,
    /// The counters as the disk knows them.
    stored: Counters,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(tree: &'a Tree, counters: &'a mut Counters) -> Self {
        Self {
            tree,
            batch: Batch::default(),
            keys: 0,
            bytes: 0,
            stored: *counters,
            counters,
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
        self.batch.insert(key, value);
        self.keys += 1;
    }

    pub(super) fn remove(&mut self, key: impl Into<IVec>) {
        self.batch.remove(key);
        self.keys += 1;
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
        self.keys >= KEYS_SPLIT
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
        let keys = std::mem::take(&mut self.keys);
        let batch = std::mem::take(&mut self.batch);
        if keys > KEYS_MAX {
            return Err(StoreError::Corrupt(format!(
                "refused: {keys} keys in one change, more than {KEYS_MAX}"
            )));
        }
        if keys == 0 {
            return Ok(());
        }
        self.tree.apply_batch(batch).map_err(transient)
    }
}
