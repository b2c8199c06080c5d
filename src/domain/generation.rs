//! The components that an element has had: which one runs, where each came from, and how it stands.
//! Must not say which one should run: `engine::trust` and the services do.

use serde::{Deserialize, Serialize};

use super::id::Digest;
use super::time::Timestamp;

/// All components of one element that are kept. One row per element, written whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generations {
    /// Raised by each write; a write that expects another revision is refused.
    pub revision: u64,
    /// What new runs take. None: the element is not loaded.
    pub active: Option<Digest>,
    /// What was active before, and what a rollback goes back to.
    pub previous: Option<Digest>,
    /// Newest first.
    pub all: Vec<Generation>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    pub digest: Digest,
    /// As its manifest says.
    pub version: String,
    pub loaded: Timestamp,
    pub source: Source,
    pub standing: Standing,
}

/// Where a component came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Inside of the program.
    BuiltIn,
    /// Over REST.
    Upload,
    /// A file of the elements directory, by its name.
    File(String),
}

/// What is thought of a component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Standing {
    /// Nothing speaks against it.
    Good,
    /// New: it is rolled back by itself when it does worse than the one before.
    Probation { since: Timestamp },
    /// It failed again and again: no poll uses it before `until`, then some may try.
    Quarantined {
        reason: String,
        since: Timestamp,
        until: Timestamp,
        /// How often in a row, for the backoff.
        times: u32,
    },
    /// It was taken back, by itself or by an operator.
    RolledBack { reason: String, at: Timestamp },
}

impl Generations {
    pub fn find(&self, digest: Digest) -> Option<&Generation> {
        self.all.iter().find(|generation| generation.digest == digest)
    }

    pub fn find_mut(&mut self, digest: Digest) -> Option<&mut Generation> {
        self.all.iter_mut().find(|generation| generation.digest == digest)
    }

    pub fn active(&self) -> Option<&Generation> {
        self.find(self.active?)
    }
}
