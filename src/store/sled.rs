//! The embedded store: one sled tree of ordered keys, written by one thread, read by everybody.
//! The only module that uses sled. Decides nothing about polls and deliveries.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use ::sled::Tree;
use tokio::sync::{Semaphore, oneshot};

use self::database::{Database, Lock};
use self::leaf_cache::LeafCache;
use self::transaction::Transaction;
use self::writer::{Message, Pending, Writer};
use super::Error;
use crate::domain::audit::{AuditEntry, AuditPage, AuditQuery};
use crate::domain::delivery::{AttemptRow, DeliveryStatus, OutboxId, Outgoing};
use crate::domain::endpoint::Endpoint;
use crate::domain::event::Notification;
use crate::domain::generation::Generations;
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::instance::Instance;
use crate::domain::poll::ResourceState;
use crate::domain::record::{Fingerprint, Sketches};
use crate::domain::time::Timestamp;
use crate::ports::{
    Backlog, Durability, Horizon, PageCommit, Search, Searched, Settled, Skip, Store, StoreError, Stored,
};

mod audit;
mod batches;
mod codec;
mod couriers;
mod database;
mod elements;
mod fingerprints;
mod instances;
mod keys;
mod leaf_cache;
mod outbox;
mod polls;
mod removal;
mod rows;
mod search;
mod sketches;
#[cfg(test)]
mod tests;
mod transaction;
mod writer;

/// The queue of writes is bounded by what they hold in memory: a write takes a permit for each of these, one at least.
const PERMIT_BYTES: usize = 64 << 10;

/// 32 MiB of writes on their way; who comes later waits.
const PERMITS: usize = 512;

#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for pages of the tree, in bytes.
    pub cache_bytes: u64,
    /// Memory for fingerprints of resources that were polled lately, in bytes: 32 for a record with a short id.
    pub leaf_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 32 << 20,
            leaf_bytes: 48 << 20,
        }
    }
}

/// What the store did since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Writes that were applied, lazy ones too.
    pub writes: u64,
    /// Syncs that reached the disk; fewer than writes, as writes that meet share one.
    pub syncs: u64,
    /// Times that the database was opened anew after an I/O error.
    pub reopened: u64,
}

#[derive(Default)]
struct Counts {
    writes: AtomicU64,
    syncs: AtomicU64,
    reopened: AtomicU64,
}

/// What the writer and the readers share.
struct Shared {
    /// None while it could not be opened anew.
    database: RwLock<Option<Database>>,
    leaves: LeafCache,
    counts: Counts,
    /// A `Reopen` is queued.
    reopen_asked: AtomicBool,
    /// Something was orphaned since the writer looked last.
    removals: AtomicBool,
}

impl Shared {
    fn database(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn database_mut(&self) -> RwLockWriteGuard<'_, Option<Database>> {
        self.database.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_open() -> StoreError {
        StoreError::Transient("the database is not open".into())
    }
}

/// `ports::Store` over sled.
pub struct SledStore {
    handle: Handle,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the futures of the store hold.
#[derive(Clone)]
struct Handle {
    shared: Arc<Shared>,
    sender: SyncSender<Message>,
    permits: Arc<Semaphore>,
}

impl SledStore {
    /// Opens or makes the store in `dir`, which no other process may be using. Blocks while it reads the disk.
    pub fn open(dir: &Path, options: Options) -> Result<Arc<Self>, Error> {
        let lock = Lock::acquire(dir)?;
        let database = Database::open(dir, &options)?;
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(database)),
            leaves: LeafCache::new(options.leaf_bytes),
            counts: Counts::default(),
            reopen_asked: AtomicBool::new(false),
            removals: AtomicBool::new(false),
        });
        // Every write holds a permit, and beside them there is one `Reopen` and one `Stop`.
        let (sender, receiver) = sync_channel(PERMITS + 2);
        let writer = Writer::new(Arc::clone(&shared), receiver, dir.to_owned(), options, lock).map_err(|error| {
            Error::Damaged {
                dir: dir.to_owned(),
                reason: error.to_string(),
            }
        })?;
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run())
            .map_err(|source| Error::Directory {
                dir: dir.to_owned(),
                source,
            })?;
        Ok(Arc::new(Self {
            handle: Handle {
                shared,
                sender,
                permits: Arc::new(Semaphore::new(PERMITS)),
            },
            writer: Mutex::new(Some(thread)),
        }))
    }

    pub fn stats(&self) -> Stats {
        let counts = &self.handle.shared.counts;
        Stats {
            writes: counts.writes.load(Relaxed),
            syncs: counts.syncs.load(Relaxed),
            reopened: counts.reopened.load(Relaxed),
        }
    }

    /// Writes what is queued, syncs, and gives the directory up. Later calls are `Transient` errors. Blocks.
    pub fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // The writer has ended by itself if nobody receives.
            let _ = self.handle.sender.send(Message::Stop);
            if writer.join().is_err() {
                tracing::error!("the store's writer panicked");
            }
        }
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl Handle {
    async fn write<T: Send + 'static>(
        self,
        durability: Durability,
        size_bytes: usize,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permits = (1 + size_bytes / PERMIT_BYTES).min(PERMITS) as u32;
        let closed = || StoreError::Transient("the store is closed".into());
        let permit = self.permits.acquire_many_owned(permits).await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let pending = Pending::new(durability, change, reply, permit);
        match self.sender.try_send(Message::Write(Box::new(pending))) {
            Ok(()) => answer.await.map_err(|_| closed())?,
            Err(TrySendError::Disconnected(_)) => Err(closed()),
            Err(TrySendError::Full(_)) => Err(StoreError::Transient("the queue of writes is full".into())),
        }
    }

    async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&Tree) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let (result, reopened) = blocking(move || {
            let database = shared.database();
            let reopened = shared.counts.reopened.load(Relaxed);
            let result = match database.as_ref() {
                Some(database) => read(database.tree()),
                None => Err(Shared::not_open()),
            };
            Ok((result, reopened))
        })
        .await?;
        if matches!(result, Err(StoreError::Transient(_))) && !self.shared.reopen_asked.swap(true, Relaxed) {
            // If it can't be sent, the store is being closed.
            let _ = self.sender.try_send(Message::Reopen(reopened));
        }
        result
    }
}

/// Runs what may wait for the disk off the async threads, in the caller's span.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(call)).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            // sled panics on some damaged pages.
            Ok(panic) => Err(StoreError::Corrupt(database::panic_text(panic.as_ref()))),
            Err(_) => Err(StoreError::Transient("the gateway is stopping".into())),
        },
    }
}

/// What the database's error means to a caller.
fn transient(error: ::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Corruption { .. } => StoreError::Corrupt(error.to_string()),
        other => StoreError::Transient(other.to_string()),
    }
}

/// About what a page takes in memory, in bytes.
fn size_of(page: &PageCommit) -> usize {
    const FINGERPRINT_BYTES: usize = 100;
    let bodies: usize = page
        .notifications
        .iter()
        .map(|notification| notification.body.len())
        .sum();
    let sketches = page.sketches.iter().flat_map(|update| &update.sketches);
    let sketches: usize = sketches
        .map(|(_, sketch)| FINGERPRINT_BYTES + sketch.as_ref().map_or(0, Vec::len))
        .sum();
    bodies + sketches + page.fingerprints.len() * FINGERPRINT_BYTES
}

impl SledStore {
    fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        size_bytes: usize,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Stored<T> {
        Box::pin(self.handle.clone().write(durability, size_bytes, change))
    }

    fn read<T: Send + 'static>(&self, read: impl FnOnce(&Tree) -> Result<T, StoreError> + Send + 'static) -> Stored<T> {
        Box::pin(self.handle.clone().read(read))
    }

    /// A synced write that may orphan keys: the writer removes them once it is on the disk.
    fn write_and_remove<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Stored<T> {
        let shared = Arc::clone(&self.handle.shared);
        self.write(Durability::Synced, 0, move |transaction| {
            shared.removals.store(true, Relaxed);
            change(transaction)
        })
    }
}

impl Store for SledStore {
    fn create_instance(&self, instance: Instance, resources: Vec<(String, ResourceState)>) -> Stored<Instance> {
        self.write(Durability::Synced, 0, move |transaction| {
            instances::create(transaction, instance, resources)
        })
    }

    fn update_instance(
        &self,
        instance: Instance,
        resources: Vec<(String, ResourceState)>,
        removed: Vec<String>,
    ) -> Stored<()> {
        self.write_and_remove(move |transaction| instances::update(transaction, &instance, resources, &removed))
    }

    fn delete_instance(&self, id: InstanceId) -> Stored<bool> {
        self.write_and_remove(move |transaction| instances::delete(transaction, id))
    }

    fn instance(&self, id: InstanceId) -> Stored<Option<Instance>> {
        self.read(move |tree| instances::instance(tree, id))
    }

    fn instance_by_token(&self, token_hash: String) -> Stored<Option<Instance>> {
        self.read(move |tree| instances::by_token(tree, &token_hash))
    }

    fn instances(&self) -> Stored<Vec<Instance>> {
        self.read(instances::all)
    }

    fn memo(&self, id: InstanceId) -> Stored<Option<Vec<u8>>> {
        self.read(move |tree| instances::memo(tree, id))
    }

    fn resource(&self, key: ResourceKey) -> Stored<Option<ResourceState>> {
        self.read(move |tree| instances::resource(tree, &key))
    }

    fn resources(&self, id: InstanceId) -> Stored<Vec<(String, ResourceState)>> {
        self.read(move |tree| instances::resources(tree, id))
    }

    fn due_polls(&self, now: Timestamp, skip: Skip, limit: usize) -> Stored<Vec<ResourceKey>> {
        self.read(move |tree| polls::due(tree, now, &skip, limit))
    }

    fn next_poll(&self, after: Timestamp) -> Stored<Option<Timestamp>> {
        self.read(move |tree| polls::next(tree, after))
    }

    fn fingerprints(&self, key: ResourceKey, ids: Vec<String>) -> Stored<Vec<Option<Fingerprint>>> {
        let shared = Arc::clone(&self.handle.shared);
        self.read(move |tree| polls::fingerprints(tree, &shared.leaves, &key, &ids))
    }

    fn commit(&self, page: PageCommit) -> Stored<()> {
        self.write(page.durability, size_of(&page), move |transaction| {
            polls::commit(transaction, &page)
        })
    }

    fn due_deliveries(&self, now: Timestamp, busy: HashSet<InstanceId>, limit: usize) -> Stored<Vec<InstanceId>> {
        self.read(move |tree| couriers::due(tree, now, &busy, limit))
    }

    fn next_delivery(&self, after: Timestamp) -> Stored<Option<Timestamp>> {
        self.read(move |tree| couriers::next(tree, after))
    }

    fn outbox(&self, id: InstanceId, limit: usize) -> Stored<Vec<Outgoing>> {
        self.read(move |tree| outbox::alive(tree, id, limit))
    }

    fn courier_calls(&self, id: InstanceId) -> Stored<u64> {
        self.read(move |tree| couriers::calls(tree, id))
    }

    fn rest(&self, id: InstanceId, calls: u64, wake: Option<Timestamp>) -> Stored<bool> {
        // A courier that wakes once more finds the same.
        self.write(Durability::Lazy, 0, move |transaction| {
            couriers::rest(transaction, id, calls, wake)
        })
    }

    fn settle(&self, id: InstanceId, settled: Settled) -> Stored<()> {
        self.write(Durability::Synced, 0, move |transaction| {
            outbox::settle(transaction, id, settled)
        })
    }

    fn find_notification(&self, number: u64) -> Stored<Vec<(InstanceId, Outgoing)>> {
        self.read(move |tree| outbox::find(tree, number))
    }

    fn attempts(&self, id: InstanceId, notification: OutboxId) -> Stored<Vec<AttemptRow>> {
        self.read(move |tree| outbox::attempts(tree, id, notification))
    }

    fn search(&self, id: InstanceId, search: Search, limit: usize) -> Stored<Searched> {
        self.read(move |tree| search::search(tree, id, &search, limit))
    }

    fn backlog(&self, id: InstanceId, limit: usize) -> Stored<Backlog> {
        self.read(move |tree| search::backlog(tree, id, limit))
    }

    fn redeliver(&self, id: InstanceId, places: Vec<(OutboxId, DeliveryStatus)>, now: Timestamp) -> Stored<usize> {
        self.write(Durability::Synced, 0, move |transaction| {
            outbox::redeliver(transaction, id, places, now)
        })
    }

    fn endpoint(&self, id: InstanceId) -> Stored<Endpoint> {
        self.read(move |tree| couriers::endpoint(tree, id))
    }

    fn put_endpoint(&self, id: InstanceId, endpoint: Endpoint) -> Stored<()> {
        self.write(Durability::Synced, 0, move |transaction| {
            couriers::put(transaction, id, &endpoint)
        })
    }

    fn tell_operator(&self, notifications: Vec<Notification>) -> Stored<()> {
        self.write(Durability::Synced, 0, move |transaction| {
            outbox::add(transaction, InstanceId::OPERATOR, &notifications, true)
        })
    }

    fn notifications(&self, id: InstanceId, before: Option<OutboxId>, limit: usize) -> Stored<Vec<Outgoing>> {
        self.read(move |tree| outbox::newest(tree, id, before, limit))
    }

    fn purge(&self, before: Horizon, limit: usize) -> Stored<usize> {
        // A batch that comes back after a crash is purged again.
        self.write(Durability::Lazy, 0, move |transaction| {
            outbox::purge(transaction, before, limit)
        })
    }

    fn sync(&self) -> Stored<()> {
        self.write(Durability::Synced, 0, |_| Ok(()))
    }

    fn generations(&self) -> Stored<Vec<(String, Generations)>> {
        self.read(elements::all)
    }

    fn put_generations(&self, key: String, generations: Generations) -> Stored<()> {
        self.write(Durability::Synced, 0, move |transaction| {
            elements::put(transaction, &key, &generations)
        })
    }

    fn sketches(&self, key: ResourceKey, ids: Vec<String>) -> Stored<Sketches> {
        self.read(move |tree| polls::sketches(tree, &key, &ids))
    }

    fn append_audit(&self, entry: AuditEntry) -> Stored<()> {
        self.write(Durability::Synced, 0, move |transaction| {
            audit::append(transaction, &entry)
        })
    }

    fn audit(&self, query: AuditQuery, limit: usize) -> Stored<AuditPage> {
        self.read(move |tree| audit::newest(tree, &query, limit))
    }

    fn purge_audit(&self, time: Timestamp, limit: usize) -> Stored<usize> {
        // What comes back after a crash is purged again.
        self.write(Durability::Lazy, 0, move |transaction| {
            audit::purge(transaction, time, limit)
        })
    }
}
