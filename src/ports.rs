//! What the services need from outside, as traits. Each says what its caller can rely on.
//! No implementation here, and no name of a concrete adapter.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::domain::audit::{AuditEntry, AuditPage, AuditQuery};
use crate::domain::credential::{AccountSecret, AccountSecrets};
pub use crate::domain::delivery::Trouble;
use crate::domain::delivery::{AttemptRow, Delivery, DeliveryStatus, OutboxId, Outgoing};
use crate::domain::element::{Element, Usage};
use crate::domain::endpoint::Endpoint;
use crate::domain::event::Notification;
use crate::domain::generation::Generations;
pub use crate::domain::grants::{Grants, RefreshGrant};
use crate::domain::id::{Digest, InstanceId, ResourceKey};
use crate::domain::instance::Instance;
use crate::domain::poll::ResourceState;
use crate::domain::record::{Fingerprint, SketchUpdate, Sketches};
pub use crate::domain::run::Refusal;
use crate::domain::run::{Fault, Request, Response, Run, Step};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
pub use tidegate_contract::replay::Replayed;
pub use tidegate_contract::{Call, CallError, Case};

/// The time and waiting. Tests move it by hand.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Bytes nobody can guess.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// Seals what lies on disk. Opening what another key or a changed byte made is an error.
pub trait Vault: Send + Sync {
    fn seal(&self, plain: &[u8]) -> Vec<u8>;
    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, VaultError>;
}

#[derive(Debug, thiserror::Error)]
#[error("sealed with another key, or damaged")]
pub struct VaultError;

/// Keeps the hashes of the account's secrets.
pub trait AccountFile: Send + Sync {
    /// Whole or not at all, and on the disk when it returns. The people's copy of the secret that was rotated is removed.
    fn put(&self, kept: AccountSecrets, rotated: AccountSecret) -> Stored<()>;
}

// --- store ---------------------------------------------------------------------------------------------------------

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Trying again may help: disk full, I/O error.
    #[error("the store is not available: {0}")]
    Transient(String),
    /// Somebody else committed first: the resource's revision is not the expected one, or the row is gone.
    #[error("{0} was changed by somebody else meanwhile")]
    Conflict(String),
    /// What lies on disk can't be read. Needs an operator.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}

pub type Stored<T> = BoxFuture<'static, Result<T, StoreError>>;

/// When a write must be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before the call returns: flushed and synced. Commits that meet share one sync.
    Synced,
    /// With the next synced commit or within a second; after a crash it may be as if it had never been made.
    Lazy,
}

/// Everything that one page changes. Applied whole or not at all.
#[derive(Clone, Debug)]
pub struct PageCommit {
    pub resource: ResourceKey,
    /// The row to write; refused with `Conflict` unless the stored revision is `state.revision - 1`.
    pub state: ResourceState,
    /// New and changed ones only; one entry per id.
    pub fingerprints: Vec<(String, Fingerprint)>,
    /// In order of their sequence numbers.
    pub notifications: Vec<Notification>,
    /// Must they be delivered? Otherwise they are kept to be looked up.
    pub deliver: bool,
    /// Written for the whole instance when set; empty clears it.
    pub memo: Option<Vec<u8>>,
    pub durability: Durability,
    /// What is known of the fields of its records from now on.
    pub sketches: Option<SketchUpdate>,
}

/// Due polls that nobody asks for now.
#[derive(Clone, Debug, Default)]
pub struct Skip {
    /// Being polled.
    pub resources: HashSet<ResourceKey>,
    /// With as many polls under way as one instance may have.
    pub instances: HashSet<InstanceId>,
}

/// What is older is dropped.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    pub delivered: Timestamp,
    /// Of dead letters and of what was only stored.
    pub undelivered: Timestamp,
}

/// What became of one notification; written with the time of the next attempt in one commit.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub id: OutboxId,
    pub delivery: Delivery,
    /// The attempt that led to it, to be looked up.
    pub attempt: Option<AttemptRow>,
}

/// Settlements of one instance's notifications, with what they mean for its endpoint: one commit.
#[derive(Clone, Debug)]
pub struct Settled {
    pub settlements: Vec<Settlement>,
    /// Written unless somebody raised the stored revision meanwhile.
    pub endpoint: Option<Endpoint>,
    /// Told to the operator, if the endpoint was written.
    pub told: Vec<Notification>,
}

impl From<Vec<Settlement>> for Settled {
    fn from(settlements: Vec<Settlement>) -> Self {
        Self {
            settlements,
            endpoint: None,
            told: Vec::new(),
        }
    }
}

/// Which of an instance's notifications to look through, and from where.
#[derive(Clone, Debug, Default)]
pub struct Search {
    pub newest_first: bool,
    /// Only those behind this one.
    pub beyond: Option<OutboxId>,
    /// None for all.
    pub statuses: Option<Vec<DeliveryStatus>>,
}

#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// In order, with their bodies left out.
    pub found: Vec<Outgoing>,
    /// Where to go on; None when all were looked at.
    pub next: Option<OutboxId>,
}

/// What is still to be delivered to an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub alive: usize,
    /// When the oldest of them was made.
    pub oldest: Option<Timestamp>,
    /// There are more than were counted.
    pub is_cut: bool,
}

/// The durable memory. Everything that was acknowledged with `Synced` survives kill -9 and a power cut.
pub trait Store: Send + Sync + 'static {
    /// Gives the instance its id (`instance.id` is ignored) and writes it with one row per poller.
    fn create_instance(&self, instance: Instance, resources: Vec<(String, ResourceState)>) -> Stored<Instance>;
    /// Replaces the instance; refused with `Conflict` unless the stored revision is `instance.revision - 1`. Rows in `resources` are written, those in `removed` go with their fingerprints; a name in both is a new row.
    /// Rows of running polls are fenced by the higher revision that the caller sets.
    fn update_instance(
        &self,
        instance: Instance,
        resources: Vec<(String, ResourceState)>,
        removed: Vec<String>,
    ) -> Stored<()>;
    /// Removes the instance with all that is kept for it. False when there is none.
    fn delete_instance(&self, id: InstanceId) -> Stored<bool>;
    fn instance(&self, id: InstanceId) -> Stored<Option<Instance>>;
    fn instance_by_token(&self, token_hash: String) -> Stored<Option<Instance>>;
    /// All, in order of id.
    fn instances(&self) -> Stored<Vec<Instance>>;
    fn memo(&self, id: InstanceId) -> Stored<Option<Vec<u8>>>;

    fn resource(&self, key: ResourceKey) -> Stored<Option<ResourceState>>;
    /// All rows of an instance, in order of name.
    fn resources(&self, id: InstanceId) -> Stored<Vec<(String, ResourceState)>>;
    /// Resources due at or before `now`, the longest waiting first, without what is to be skipped.
    fn due_polls(&self, now: Timestamp, skip: Skip, limit: usize) -> Stored<Vec<ResourceKey>>;
    /// The earliest due time of a poll later than `after`.
    fn next_poll(&self, after: Timestamp) -> Stored<Option<Timestamp>>;
    /// In the order of `ids`.
    fn fingerprints(&self, key: ResourceKey, ids: Vec<String>) -> Stored<Vec<Option<Fingerprint>>>;
    fn commit(&self, page: PageCommit) -> Stored<()>;

    /// Instances whose couriers are to wake at or before `now`, the longest waiting first, without those in `busy`.
    /// A commit that is to be delivered calls its instance's courier; so does a change of the instance or its endpoint.
    fn due_deliveries(&self, now: Timestamp, busy: HashSet<InstanceId>, limit: usize) -> Stored<Vec<InstanceId>>;
    /// When the next courier is to wake, later than `after`.
    fn next_delivery(&self, after: Timestamp) -> Stored<Option<Timestamp>>;
    /// How often an instance's courier was called so far.
    fn courier_calls(&self, id: InstanceId) -> Stored<u64>;
    /// Nobody looks at this instance's outbox before `wake`, unless the courier is called. False, and nothing is written,
    /// when it was called since `calls` was read. Need not be synced.
    fn rest(&self, id: InstanceId, calls: u64, wake: Option<Timestamp>) -> Stored<bool>;
    /// The oldest notifications of an instance that are alive, in order of commit, whole batches, until `limit` is reached.
    /// Bodies of 16 MiB in all; one that has no room is empty, to be read by `notifications` when it is posted.
    fn outbox(&self, id: InstanceId, limit: usize) -> Stored<Vec<Outgoing>>;
    /// Synced.
    fn settle(&self, id: InstanceId, settled: Settled) -> Stored<()>;
    /// Notifications of an instance, newest first, older than `before`.
    fn notifications(&self, id: InstanceId, before: Option<OutboxId>, limit: usize) -> Stored<Vec<Outgoing>>;
    /// The notification with this id, or with this number (`numeric` of the id), and whose it is.
    fn find_notification(&self, number: u64) -> Stored<Vec<(InstanceId, Outgoing)>>;
    /// Attempts of a notification, the oldest first.
    fn attempts(&self, id: InstanceId, notification: OutboxId) -> Stored<Vec<AttemptRow>>;
    /// Looks at `limit` notifications of an instance, and at those of the last one's batch.
    fn search(&self, id: InstanceId, search: Search, limit: usize) -> Stored<Searched>;
    /// Counts what is alive, `limit` and those of the last one's batch.
    fn backlog(&self, id: InstanceId, limit: usize) -> Stored<Backlog>;
    /// Has these notifications delivered again, as `engine::redeliver` says, unless their status is not the given one any
    /// more; returns how many. Calls the instance's courier. Synced.
    fn redeliver(&self, id: InstanceId, places: Vec<(OutboxId, DeliveryStatus)>, now: Timestamp) -> Stored<usize>;
    /// The endpoint as last written; a new one where nothing was.
    fn endpoint(&self, id: InstanceId) -> Stored<Endpoint>;
    /// Synced; refused with `Conflict` unless the stored revision is one less. Calls the instance's courier.
    fn put_endpoint(&self, id: InstanceId, endpoint: Endpoint) -> Stored<()>;
    /// Puts notifications for the operator into the operator's outbox. Synced.
    fn tell_operator(&self, notifications: Vec<Notification>) -> Stored<()>;
    /// Drops batches with no notification alive that were made before `before.delivered`, or before `before.undelivered`
    /// where one was never delivered; returns how many. Call again while it returns `limit`.
    fn purge(&self, before: Horizon, limit: usize) -> Stored<usize>;
    /// Everything written so far is on the disk when this returns.
    fn sync(&self) -> Stored<()>;

    /// The components of every element, in order of key.
    fn generations(&self) -> Stored<Vec<(String, Generations)>>;
    /// Synced; refused with `Conflict` unless the stored revision is one less (0 where there is no row). Without any
    /// generation the row goes.
    fn put_generations(&self, key: String, generations: Generations) -> Stored<()>;

    /// Synced.
    fn append_audit(&self, entry: AuditEntry) -> Stored<()>;
    /// Entries of the audit log, newest first. A page may have fewer than `limit` while `next` says that there are more.
    fn audit(&self, query: AuditQuery, limit: usize) -> Stored<AuditPage>;
    /// Drops entries from before `time`; returns how many. Call again while it returns `limit`.
    fn purge_audit(&self, time: Timestamp, limit: usize) -> Stored<usize>;

    /// What is known of the fields of these records, in the order of `ids`.
    fn sketches(&self, key: ResourceKey, ids: Vec<String>) -> Stored<Sketches>;
}

/// Files that are written whole, read whole, and named by where they belong: `components/<digest>`. A name is one or more
/// parts with `/` between them; a part is made of letters, digits, `.`, `-` and `_`, and does not begin with a dot.
pub trait Files: Send + Sync + 'static {
    /// Whole or not at all, and on the disk when it returns.
    fn put(&self, name: String, bytes: Bytes) -> Stored<()>;
    fn get(&self, name: String) -> Stored<Option<Bytes>>;
    /// Names and times of the last write of what lies in a folder, in order of name. Folders in it are left out.
    fn list(&self, folder: String) -> Stored<Vec<(String, Timestamp)>>;
    /// A file, or a folder with all that is in it. What is not there is removed already.
    fn remove(&self, name: String) -> Stored<()>;
}

/// A folder that an operator puts files into.
pub trait Folder: Send + Sync + 'static {
    /// Every component file in it, in order of name.
    fn scan(&self) -> Stored<Vec<Stamp>>;
    /// None when it is gone, or longer than `bytes_max`.
    fn read(&self, name: String, bytes_max: usize) -> Stored<Option<Bytes>>;
}

/// What tells whether a file changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub name: String,
    pub bytes: u64,
    pub modified: Timestamp,
    /// Number of the file's inode: another one after an atomic rename.
    pub inode: u64,
}

// --- HTTP ----------------------------------------------------------------------------------------------------------

/// Sends an element's requests.
pub trait Vendor: Send + Sync {
    /// Waits for the account's budget and the lane's turn, fills placeholders, sends. A transport failure is a response
    /// of status 0 with the reason as body; a request outside of the grants is a refusal and nothing was sent. A refused
    /// refresh token is a response of status 401 that says so.
    fn send(&self, request: Request, grants: Arc<Grants>) -> BoxFuture<'static, Result<Response, Refusal>>;
    /// No request of this account leaves before `until`.
    fn pause(&self, account: &str, until: Timestamp);
    /// Until when the account is paused, if it is.
    fn paused_until(&self, account: &str) -> Option<Timestamp>;
}

/// One POST to a callback.
#[derive(Clone, Debug)]
pub struct Post {
    pub url: String,
    /// By which a log tells that it has the message already; webhooks have it among the headers.
    pub id: String,
    pub headers: Vec<(String, Secret)>,
    pub body: Bytes,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case; those that retries go by come first.
    pub headers: Vec<(String, String)>,
    /// The body's beginning.
    pub body: Bytes,
    pub body_is_cut: bool,
}

impl Answer {
    /// The first header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Why no answer came, in words that begin with the kind of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    pub trouble: Trouble,
    pub reason: String,
}

/// Posts notifications.
pub trait Callback: Send + Sync {
    /// Redirects are not followed; the body of the answer is not read beyond 16 KiB.
    fn post(&self, post: Post) -> BoxFuture<'static, Result<Answer, Unanswered>>;
    /// Could this URL be posted to? The error is for the user.
    fn admissible(&self, url: &str) -> Result<(), String>;
}

// --- elements ------------------------------------------------------------------------------------------------------

/// Why a component is not taken: a whole sentence for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Inadmissible(pub String);

/// The loaded elements.
pub trait Elements: Send + Sync {
    /// The active component of a key.
    fn find(&self, key: &str) -> Option<Arc<Element>>;
    /// The active ones, in order of key.
    fn list(&self) -> Vec<Arc<Element>>;
    /// Admits a component and gets it ready: validated, compiled, its manifest read, the cases that it carries replayed.
    /// No run takes it before it is made active. What is loaded already is not compiled again.
    fn admit(&self, component: Bytes) -> BoxFuture<'static, Result<Arc<Element>, Inadmissible>>;
    /// New runs of its key take this component from now on: a pointer is swapped. False when it is not loaded.
    fn activate(&self, digest: Digest) -> bool;
    /// New runs find no component under this key.
    fn deactivate(&self, key: &str);
    /// Forgets what is not among these, not active and not held by a run.
    fn retain(&self, digests: &HashSet<Digest>);
    /// Runs off the async threads, in a fresh guest, within the limits.
    fn call(
        &self,
        digest: Digest,
        run: Arc<Run>,
        call: Arc<Call>,
    ) -> BoxFuture<'static, Result<Result<Step, Fault>, CallError>>;
    /// What a case gives with this component, off the async threads. None when it is not loaded.
    fn replay(&self, digest: Digest, case: Arc<Case>) -> BoxFuture<'static, Option<Replayed>>;
    fn usage(&self, digest: Digest) -> Usage;
}
