//! A clock that stands until the test moves it.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::domain::time::Timestamp;
use crate::ports::Clock;

/// When every test begins: 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;

/// So many minutes after the test's beginning.
pub(crate) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_ms(START_MS + minutes * 60_000)
}

pub(crate) struct ManualClock {
    now: watch::Sender<Timestamp>,
    sleeps: AtomicUsize,
}

impl ManualClock {
    pub(super) fn new() -> Self {
        Self {
            now: watch::Sender::new(at(0)),
            sleeps: AtomicUsize::new(0),
        }
    }

    pub(crate) fn time(&self) -> Timestamp {
        *self.now.borrow()
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now = now.plus(duration));
    }

    pub(crate) fn advance_to(&self, time: Timestamp) {
        self.advance(time.since(self.time()));
    }

    /// How often somebody went to sleep.
    pub(crate) fn sleeps(&self) -> usize {
        self.sleeps.load(Relaxed)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.time()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.sleeps.fetch_add(1, Relaxed);
        let mut now = self.now.subscribe();
        let end = self.time().plus(duration);
        Box::pin(async move {
            // A clock that is gone wakes nobody.
            if now.wait_for(|now| *now >= end).await.is_err() {
                std::future::pending().await
            }
        })
    }
}
