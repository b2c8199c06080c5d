//! The time that a simulated vendor lives in: the system's, or one that a test moves.
//! Nothing here waits; delays of the simulator are real ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, Utc};

/// Answers "what time is it?" for record dates and for the `Date` header.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The clock of this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "a simulated vendor is outside the gateway and has its own clock"
)]
pub fn system_clock() -> Clock {
    Arc::new(Utc::now)
}

/// A clock that stands still until it is moved. Clones share the hand.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Starts at `at`, cut to milliseconds.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(Arc::new(AtomicI64::new(at.timestamp_millis())))
    }

    /// Moves the hand to `at`, backwards if need be.
    pub fn set(&self, at: DateTime<Utc>) {
        self.0.store(at.timestamp_millis(), Ordering::SeqCst);
    }

    /// Moves the hand by `by`; a negative duration moves it back.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }

    /// What the hand shows.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }

    /// This clock in the form that the simulator takes.
    pub fn clock(&self) -> Clock {
        let hand = self.clone();
        Arc::new(move || hand.now())
    }
}
