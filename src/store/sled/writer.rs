//! The one thread that writes. Applies what is queued, syncs once for all that met, then answers.
//! Knows no noun: what a write does comes in as a closure.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::database::{Database, Lock, panic_text};
use super::rows::Counters;
use super::transaction::Transaction;
use super::{Options, Shared, keys, removal, transient};
use crate::ports::{Durability, StoreError};
use crate::store::Error;

/// Most writes that share a sync: the first of them waits for all.
const GROUP_MAX: usize = 256;

/// A lazy write is synced this long after it was applied, within the second that the port promises.
const LAZY_SYNC_DELAY: Duration = Duration::from_millis(500);

/// Lazy writes are synced early when they come to this much: what sled has not written yet it keeps in memory.
const UNSYNCED_BYTES_MAX: usize = 4 << 20;

/// Between two attempts to open a database that could not be opened, so that a full disk is not hammered.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// What reaches the writer.
pub(super) enum Message {
    Write(Box<dyn Write>),
    /// Somebody read an I/O error, which sled never forgets, while the database had been opened anew this many times.
    Reopen(u64),
    Stop,
}

/// A write on its way. Applied, then answered.
pub(super) trait Write: Send {
    fn durability(&self) -> Durability;
    fn apply(&mut self, transaction: &mut Transaction<'_>) -> Applied;
    /// `outcome` says whether what was applied counts; the write's own error comes first.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

pub(super) enum Applied {
    Done,
    /// The write has an error of its own and changed nothing that matters.
    Refused,
    /// The database can't go on.
    Failed,
}

/// A write with the one who waits for its result.
pub(super) struct Pending<F, T> {
    durability: Durability,
    change: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    /// Its share of the queue; given back with the answer.
    _permit: OwnedSemaphorePermit,
}

impl<F, T> Pending<F, T> {
    pub(super) fn new(
        durability: Durability,
        change: F,
        reply: oneshot::Sender<Result<T, StoreError>>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            durability,
            change: Some(change),
            result: None,
            reply,
            _permit: permit,
        }
    }
}

impl<F, T> Write for Pending<F, T>
where
    F: FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn apply(&mut self, transaction: &mut Transaction<'_>) -> Applied {
        let Some(change) = self.change.take() else {
            return Applied::Refused;
        };
        let result = change(transaction).and_then(|value| transaction.apply().map(|()| value));
        let applied = match &result {
            Ok(_) => Applied::Done,
            // Only the database itself says that trying again may help.
            Err(StoreError::Transient(_)) => Applied::Failed,
            Err(_) if transaction.is_broken() => Applied::Failed,
            Err(_) => Applied::Refused,
        };
        self.result = Some(result);
        applied
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let result = match (self.result, outcome) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Transient("the write was not applied".into())),
        };
        // Nobody waits any more: the write counts all the same.
        let _ = self.reply.send(result);
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    receiver: Receiver<Message>,
    /// Taken out of the receiver to see whether more has come.
    ahead: VecDeque<Message>,
    dir: PathBuf,
    options: Options,
    counters: Counters,
    /// Something applied is not on the disk yet: when it must be.
    sync_at: Option<Instant>,
    unsynced_bytes: usize,
    removing: bool,
    reopened: Option<Instant>,
    /// Given up when the thread ends, after the database is closed.
    _lock: Lock,
}

/// How a group of writes ended.
enum Ended {
    GoOn,
    Stop,
    /// With the reason.
    Broken(String),
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        receiver: Receiver<Message>,
        dir: PathBuf,
        options: Options,
        lock: Lock,
    ) -> Result<Self, StoreError> {
        let mut writer = Self {
            shared,
            receiver,
            ahead: VecDeque::new(),
            dir,
            options,
            counters: Counters::FIRST,
            sync_at: None,
            unsynced_bytes: 0,
            removing: false,
            reopened: None,
            _lock: lock,
        };
        let shared = Arc::clone(&writer.shared);
        let database = shared.database();
        let database = database.as_ref().ok_or_else(Shared::not_open)?;
        writer.look_around(database)?;
        Ok(writer)
    }

    /// What the writer must know of a database that was just opened.
    fn look_around(&mut self, database: &Database) -> Result<(), StoreError> {
        let key = keys::counters();
        let stored = database.tree().get(&key).map_err(transient)?;
        if let Some(value) = stored {
            let stored = Counters::decode(&value).map_err(|error| keys::corrupt(&key, error))?;
            // A number that was given but lost with an unsynced write is not given again: somebody may hold it.
            self.counters = self.counters.max(stored);
        }
        self.removing = removal::is_needed(database.tree())?;
        Ok(())
    }

    pub(super) fn run(mut self) {
        loop {
            let ended = match self.receive() {
                Some(Message::Stop) => Ended::Stop,
                Some(message) => self.group(message),
                None => self.quiet(),
            };
            match ended {
                Ended::GoOn => {}
                Ended::Stop => break,
                Ended::Broken(reason) => self.reopen(&reason),
            }
        }
        self.close();
    }

    /// The next message; none when something else is to be done first.
    fn receive(&mut self) -> Option<Message> {
        if let Some(message) = self.ahead.pop_front() {
            return Some(message);
        }
        let wait = if self.removing {
            Some(Duration::ZERO)
        } else {
            self.sync_at.map(|at| at.saturating_duration_since(Instant::now()))
        };
        let received = match wait {
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => self.receiver.recv_timeout(wait),
        };
        match received {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            // The store is gone without a word.
            Err(RecvTimeoutError::Disconnected) => Some(Message::Stop),
        }
    }

    /// Applies the first and what else is queued, syncs, answers.
    fn group(&mut self, first: Message) -> Ended {
        if matches!(first, Message::Reopen(_)) {
            self.shared.reopen_asked.store(false, Relaxed);
        }
        if self.shared.database().is_none() {
            self.reopen("it is not open");
        }
        let shared = Arc::clone(&self.shared);
        let guard = shared.database();
        let Some(database) = guard.as_ref() else {
            if let Message::Write(write) = first {
                write.answer(Err(Shared::not_open()));
            }
            return Ended::GoOn;
        };
        let mut waiting = Vec::new();
        let mut broken = None;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Write(mut write) => match self.apply(database, write.as_mut()) {
                    Ok(Applied::Done) if write.durability() == Durability::Synced => waiting.push(write),
                    Ok(Applied::Done | Applied::Refused) => write.answer(Ok(())),
                    Ok(Applied::Failed) => {
                        write.answer(Ok(()));
                        broken = Some("a write failed".to_owned());
                    }
                    Err(panic) => {
                        write.answer(Err(StoreError::Corrupt(format!("the database panicked: {panic}"))));
                        broken = Some(panic);
                    }
                },
                Message::Reopen(seen) => {
                    self.shared.reopen_asked.store(false, Relaxed);
                    if seen == self.shared.counts.reopened.load(Relaxed) {
                        broken = Some("a read failed".to_owned());
                    }
                }
                // After what met before it.
                Message::Stop => self.ahead.push_front(Message::Stop),
            }
            if broken.is_some() || !self.ahead.is_empty() || waiting.len() >= GROUP_MAX || self.is_sync_due() {
                break;
            }
            next = self.receiver.try_recv().ok();
        }
        if broken.is_none() && (!waiting.is_empty() || self.is_sync_due()) {
            broken = self.sync(database).err();
        }
        drop(guard);
        for write in waiting {
            write.answer(match &broken {
                None => Ok(()),
                Some(reason) => Err(StoreError::Transient(reason.clone())),
            });
        }
        broken.map_or(Ended::GoOn, Ended::Broken)
    }

    fn apply(&mut self, database: &Database, write: &mut dyn Write) -> Result<Applied, String> {
        let cache = &self.shared.leaves;
        let counters = &mut self.counters;
        let (applied, bytes) = guarded(|| {
            let mut transaction = Transaction::new(database.tree(), cache, counters);
            (write.apply(&mut transaction), transaction.bytes())
        })?;
        self.applied(bytes);
        Ok(applied)
    }

    /// Counts a write, and notes that something is to be synced and perhaps removed.
    fn applied(&mut self, bytes: usize) {
        self.unsynced_bytes += bytes;
        self.shared.counts.writes.fetch_add(1, Relaxed);
        if self.sync_at.is_none() {
            self.sync_at = Some(Instant::now() + LAZY_SYNC_DELAY);
        }
    }

    fn is_sync_due(&self) -> bool {
        self.unsynced_bytes >= UNSYNCED_BYTES_MAX || self.sync_at.is_some_and(|at| at <= Instant::now())
    }

    fn sync(&mut self, database: &Database) -> Result<(), String> {
        if self.sync_at.is_none() {
            return Ok(());
        }
        guarded(|| database.sync())?.map_err(|error| format!("the disk refused a sync: {error}"))?;
        self.sync_at = None;
        self.unsynced_bytes = 0;
        self.shared.counts.syncs.fetch_add(1, Relaxed);
        self.removing = self.removing || self.shared.removals.swap(false, Relaxed);
        Ok(())
    }

    /// Nobody asked for anything: sync what is due, remove a piece of what is orphaned.
    fn quiet(&mut self) -> Ended {
        let shared = Arc::clone(&self.shared);
        let guard = shared.database();
        let Some(database) = guard.as_ref() else {
            // What was lazy is lost with the database that failed.
            self.sync_at = None;
            self.unsynced_bytes = 0;
            self.removing = false;
            return Ended::GoOn;
        };
        if self.is_sync_due()
            && let Err(reason) = self.sync(database)
        {
            return Ended::Broken(reason);
        }
        if self.removing {
            return self.remove_piece(database);
        }
        Ended::GoOn
    }

    fn remove_piece(&mut self, database: &Database) -> Ended {
        let cache = &self.shared.leaves;
        let counters = &mut self.counters;
        let removed = guarded(|| {
            let mut transaction = Transaction::new(database.tree(), cache, counters);
            removal::remove_piece(&mut transaction)?;
            transaction.apply()?;
            removal::is_needed(database.tree())
        });
        match removed {
            Ok(Ok(more)) => {
                self.removing = more;
                self.applied(0);
                Ended::GoOn
            }
            Ok(Err(StoreError::Transient(reason))) | Err(reason) => Ended::Broken(reason),
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot remove what a deleted instance left behind");
                self.removing = false;
                Ended::GoOn
            }
        }
    }

    /// After an I/O error sled refuses everything, even when the cause is gone, and after a panic what it holds may be half a
    /// change. A database that is opened anew has all that was synced.
    fn reopen(&mut self, reason: &str) {
        let shared = Arc::clone(&self.shared);
        let mut guard = shared.database_mut();
        shared.leaves.clear();
        self.sync_at = None;
        self.unsynced_bytes = 0;
        if let Some(old) = guard.take()
            && let Err(panic) = guarded(|| drop(old))
        {
            tracing::warn!(error = panic, "the failed database panicked once more");
        }
        let now = Instant::now();
        if self.reopened.is_some_and(|last| now < last + REOPEN_PAUSE) {
            return;
        }
        self.reopened = Some(now);
        self.shared.counts.reopened.fetch_add(1, Relaxed);
        tracing::warn!(reason, "opening the database anew");
        let opened = guarded(|| Database::open(&self.dir, &self.options)).unwrap_or_else(|reason| {
            Err(Error::Damaged {
                dir: self.dir.clone(),
                reason,
            })
        });
        match opened {
            Ok(database) => match self.look_around(&database) {
                Ok(()) => *guard = Some(database),
                Err(error) => tracing::error!(%error, "cannot read the database that was opened anew"),
            },
            Err(error) => {
                let error = chain(&error);
                tracing::error!(error, "cannot open the database anew");
            }
        }
    }

    fn close(mut self) {
        let shared = Arc::clone(&self.shared);
        let database = shared.database_mut().take();
        if let Some(database) = &database
            && let Err(error) = self.sync(database)
        {
            tracing::error!(error, "cannot sync the database at the end");
        }
        if let Err(error) = guarded(|| drop(database)) {
            tracing::error!(error, "the database panicked at the end");
        }
    }
}

/// sled panics where it meets damage; the writer must not end by that. What it held is dropped by `reopen`.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| panic_text(panic.as_ref()))
}

/// An error with its sources, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
