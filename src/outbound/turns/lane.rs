//! One lane of an account: its places, and its own budget where the manifest gives it one.
//! Must not wait: whoever asks does.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::domain::time::Timestamp;
use crate::engine::pace::{Budget, Rate};

/// Places are handed out in the order of asking.
pub(super) struct Lane {
    pub(super) places: Arc<Semaphore>,
    size: usize,
    /// Of a lane that has one in the manifest.
    pub(super) own: Option<Own>,
}

/// A lane's own budget.
pub(super) struct Own {
    pub(super) budget: Budget,
    rate: Rate,
    /// Held by the one whose turn is next, from before it looks at the budget until it leaves: so what waits for the
    /// lane takes nothing from the account, what waits for the account takes nothing from the lane, and both are spent
    /// in the moment of leaving.
    pub(super) gate: Arc<Semaphore>,
}

impl Lane {
    pub(super) fn new(size: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(size)),
            size,
            own: None,
        }
    }

    /// Another size is another set of places: those under way in the old one keep theirs and go.
    pub(super) fn resize(&mut self, size: usize) {
        if self.size != size {
            self.places = Arc::new(Semaphore::new(size));
            self.size = size;
        }
    }

    /// Goes on at this rate. What was used stays used.
    pub(super) fn adopt(&mut self, rate: Option<Rate>, now: Timestamp) {
        match (&mut self.own, rate) {
            (Some(own), Some(rate)) if own.rate == rate => {}
            (Some(own), Some(rate)) => {
                own.budget.adopt(rate, now);
                own.rate = rate;
            }
            (own, rate) => {
                *own = rate.map(|rate| Own {
                    budget: Budget::new(rate, now),
                    rate,
                    gate: Arc::new(Semaphore::new(1)),
                });
            }
        }
    }

    /// Nobody is in it or waits for it, since both hold a semaphore; and its budget is full.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        let own = self.own.as_ref();
        Arc::strong_count(&self.places) == 1
            && own.is_none_or(|own| Arc::strong_count(&own.gate) == 1 && own.budget.is_fresh(now))
    }
}
