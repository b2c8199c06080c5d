//! The durable memory: adapters of `ports::Store`, one module each, and of `ports::Files`.
//! Picks none of them, and names no database itself.

use std::io;
use std::path::PathBuf;

#[cfg(test)]
mod contract;
pub mod files;
pub mod sled;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the data directory {} is in use by another process", dir.display())]
    InUse { dir: PathBuf },
    #[error("cannot prepare the data directory {}", dir.display())]
    Directory {
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot open the database in {}", dir.display())]
    Database {
        dir: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Opening it panicked or told of damage. Trying again does not help.
    #[error("the database in {} is damaged ({reason}): restore the directory from a backup", dir.display())]
    Damaged { dir: PathBuf, reason: String },
}
