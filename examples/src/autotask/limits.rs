//! The vendor's two limits: calls at the same time per integration code and entity, and calls per rolling hour.
//! Counts only; what a refused call is answered is the API module's business.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const HOUR_MILLIS: i64 = 3_600_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Key = (String, String);

/// Calls under way.
#[derive(Debug, Default)]
pub(super) struct Threads {
    in_flight: Mutex<HashMap<Key, usize>>,
}

/// One call under way; dropping it ends the call.
#[derive(Debug)]
pub(super) struct Thread {
    threads: Arc<Threads>,
    key: Key,
}

impl Threads {
    /// Starts a call, unless `max` are under way for this code and entity.
    pub(super) fn start(self: &Arc<Self>, code: &str, entity: &str, max: usize) -> Option<Thread> {
        let key = (code.to_ascii_lowercase(), entity.to_ascii_lowercase());
        let mut in_flight = lock(&self.in_flight);
        let count = in_flight.entry(key.clone()).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Thread {
            threads: Arc::clone(self),
            key,
        })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let mut in_flight = lock(&self.threads.in_flight);
        if let Some(count) = in_flight.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                in_flight.remove(&self.key);
            }
        }
    }
}

/// Calls of the last hour, this simulator's own and those that other integrations are said to have made.
#[derive(Debug, Default)]
pub(super) struct Usage(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    by_others: u64,
    own_millis: VecDeque<i64>,
}

impl Usage {
    /// Counts a call; returns how many there are now.
    pub(super) fn count(&self, now_millis: i64) -> u64 {
        let mut calls = lock(&self.0);
        calls.own_millis.push_back(now_millis);
        while calls
            .own_millis
            .front()
            .is_some_and(|at| now_millis - at >= HOUR_MILLIS)
        {
            calls.own_millis.pop_front();
        }
        calls.by_others + calls.own_millis.len() as u64
    }

    /// How many calls there were at the last one.
    pub(super) fn current(&self) -> u64 {
        let calls = lock(&self.0);
        calls.by_others + calls.own_millis.len() as u64
    }

    /// Makes the count `total`, whatever was called so far.
    pub(super) fn set(&self, total: u64) {
        *lock(&self.0) = Calls {
            by_others: total,
            own_millis: VecDeque::new(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fourth_call_on_one_entity_waits_for_one_to_end() {
        let threads = Arc::new(Threads::default());
        let mut running: Vec<_> = (0..3).map(|_| threads.start("CODE", "Companies", 3).unwrap()).collect();
        assert!(threads.start("code", "companies", 3).is_none());
        assert!(threads.start("code", "contacts", 3).is_some());
        assert!(threads.start("other", "companies", 3).is_some());
        running.pop();
        assert!(threads.start("code", "companies", 3).is_some());
    }

    #[test]
    fn calls_leave_the_count_after_an_hour() {
        let usage = Usage::default();
        assert_eq!((usage.count(0), usage.count(1), usage.count(HOUR_MILLIS)), (1, 2, 2));
        usage.set(9_999);
        assert_eq!(usage.count(HOUR_MILLIS), 10_000);
    }
}
