//! The opened database in its directory: the lock, the cure for what a kill leaves behind, and a flush that reaches the disk.
//! Knows no key and no value.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ::sled::Tree;

use super::Options;
use crate::store::Error;

/// Held for the life of the store. sled's own lock is on a file that its opening may already have spoiled.
const LOCK_FILE: &str = "tidegate.lock";

/// sled keeps what is longer than a quarter of a segment in a file of its own, which it never syncs: a power cut could leave it
/// torn. A node holds up to 26 values (16, and ten more before it is written anew); with values up to `VALUE_BYTES_MAX` it
/// stays below the quarter, and such files are all but never made. Larger segments take memory: sled has several in hand.
/// A database keeps the segments that it was made with, and opens with no others.
const SEGMENT_BYTES: usize = 2 << 20;

/// Longer values are stored in pieces of this size; see `SEGMENT_BYTES`.
pub(super) const VALUE_BYTES_MAX: usize = 19_000;

const _: () = assert!(27 * VALUE_BYTES_MAX < SEGMENT_BYTES / 4);

/// sled writes and syncs by itself this often, and cleans its file then.
const BACKGROUND_FLUSH_MS: u64 = 500;

/// Two seconds in all for a child process to run its program.
const OWNER_ATTEMPTS: u32 = 200;
const OWNER_PAUSE: Duration = Duration::from_millis(10);

/// A directory's time of change is no finer than this: a file made in the same tick would not show in it.
const DIRECTORY_TIME_STEP: Duration = Duration::from_millis(50);

/// The right to use a directory; given up when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Makes the directory where it is missing.
    pub(super) fn acquire(dir: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Directory {
            dir: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir).map_err(failed)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(LOCK_FILE))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl Drop for Lock {
    /// Closing alone would not do: a child process that is just being started holds a copy of the file until it runs its program.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "cannot unlock the data directory");
        }
    }
}

/// sled's database, opened under a `Lock`.
pub(super) struct Database {
    db: ::sled::Db,
    /// sled's file once more, for the sync that sled leaves out.
    file: File,
    blobs: Mutex<Blobs>,
}

impl Database {
    /// The caller holds the directory's `Lock`, so that nobody is writing what is deleted here.
    pub(super) fn open(dir: &Path, options: &Options) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::Directory {
            dir: dir.to_owned(),
            source,
        };
        remove_unfinished_snapshots(dir).map_err(failed)?;
        wait_for_the_last_owner(&dir.join("db")).map_err(failed)?;
        let config = ::sled::Config::new()
            .path(dir)
            .cache_capacity(options.cache_bytes)
            .segment_size(SEGMENT_BYTES)
            .flush_every_ms(Some(BACKGROUND_FLUSH_MS))
            .use_compression(false);
        // sled panics on some damaged files.
        let db = catch_unwind(AssertUnwindSafe(|| config.open()))
            .map_err(|panic| damaged(dir, panic_text(panic.as_ref())))?
            .map_err(|error| match error {
                ::sled::Error::Corruption { .. } | ::sled::Error::ReportableBug(_) => damaged(dir, error.to_string()),
                other => Error::Database {
                    dir: dir.to_owned(),
                    source: Box::new(other),
                },
            })?;
        let file = File::open(dir.join("db")).map_err(failed)?;
        let blobs = Mutex::new(Blobs::new(dir.join("blobs")));
        let database = Self { db, file, blobs };
        database.sync_all(dir).map_err(failed)?;
        Ok(database)
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.db
    }

    /// Everything applied so far survives a power cut when this returns. An error sticks: open the database anew.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.db.flush()?;
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.sync(self.file.metadata()?.modified()?)?;
        self.file.sync_data()
    }

    /// With the names of the files, which a fresh directory has not on disk yet.
    fn sync_all(&self, dir: &Path) -> io::Result<()> {
        self.sync()?;
        self.file.sync_all()?;
        File::open(dir)?.sync_all()?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }
}

/// sled locks its file and never unlocks it: the lock goes when the last copy of the file is closed, and a child process that is
/// just being started holds one. Nobody else can own it, as the caller holds the directory's lock. After the last attempt
/// sled has the word.
fn wait_for_the_last_owner(file: &Path) -> io::Result<()> {
    let file = match File::open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for _ in 0..OWNER_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return file.unlock(),
            Err(TryLockError::WouldBlock) => std::thread::sleep(OWNER_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Opening writes `snap.X.generating` and renames it. A kill in between leaves it, empty or torn, and the next opening would
/// take it for the newest snapshot and fail.
fn remove_unfinished_snapshots(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::info!(file = %name, "removing a snapshot that was never finished");
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn damaged(dir: &Path, reason: String) -> Error {
    Error::Damaged {
        dir: dir.to_owned(),
        reason,
    }
}

/// The words of a panic, as far as it had any.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panic without words").to_owned()
}

/// The files beside sled's log that hold what is too long for it.
struct Blobs {
    dir: PathBuf,
    synced: HashSet<OsString>,
    /// The directory's time of change when it was last listed, if it was old enough then to show any later change.
    listed: Option<SystemTime>,
}

impl Blobs {
    fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            synced: HashSet::new(),
            listed: None,
        }
    }

    /// Usually one look at the directory's time of change. `written` is when the log was last written.
    fn sync(&mut self, written: SystemTime) -> io::Result<()> {
        let changed = fs::metadata(&self.dir)?.modified()?;
        if self.listed == Some(changed) {
            return Ok(());
        }
        let mut present = HashSet::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if !self.synced.contains(&name) {
                match File::open(entry.path()) {
                    Ok(file) => file.sync_all()?,
                    // sled removed it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            present.insert(name);
        }
        if present != self.synced {
            File::open(&self.dir)?.sync_all()?;
        }
        self.synced = present;
        let old = written
            .duration_since(changed)
            .is_ok_and(|age| age > DIRECTORY_TIME_STEP);
        self.listed = old.then_some(changed);
        Ok(())
    }
}
