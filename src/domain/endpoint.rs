//! An instance's callback with its state: may it be posted to, and since when does it fail. Decides nothing.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// What is remembered of an endpoint between two attempts. Written with the attempt that changed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Raised when somebody other than its courier changes it; the courier's write of an older one is dropped.
    pub revision: u64,
    pub health: Health,
    /// The first failed attempt since the last delivery.
    pub failing_since: Option<Timestamp>,
    /// Failed attempts in a row.
    pub failures: u32,
    /// Attempts of the last minutes: the window that began at `from`.
    pub recent: Recent,
    /// When it was last found to answer again after a pause.
    pub recovered: Option<Timestamp>,
}

/// May it be posted to?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Health {
    #[default]
    Delivering,
    /// Nothing goes out until `until`; then one notification alone finds out whether it answers again.
    Paused {
        until: Timestamp,
        /// How many pauses followed each other.
        pauses: u32,
        reason: String,
        /// It asked for this time, so that nothing ends it sooner.
        #[serde(default)]
        asked: bool,
    },
    /// Nothing goes out until somebody enables it.
    Disabled { since: Timestamp, reason: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    pub from: Timestamp,
    pub attempts: u32,
    pub failed: u32,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            from: Timestamp::EPOCH,
            attempts: 0,
            failed: 0,
        }
    }
}
