//! The handle that moves a simulated account: rows, tokens, limits, and what was asked.
//! Speaks no HTTP.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::SimulatorOptions;
use super::store::Store;
use super::tokens::Tokens;
use crate::clock::Clock;

/// A long run must not eat the machine: the oldest entries go first.
const ASKED_MAX: usize = 10_000;

/// Moves one simulator; clones move the same one.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

struct Shared {
    clock: Clock,
    results_max: usize,
    account: Mutex<Account>,
}

pub(super) struct Account {
    pub(super) store: Store,
    pub(super) tokens: Tokens,
    limits: VecDeque<Limit>,
    asked: VecDeque<Asked>,
}

/// One request to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub body: String,
    /// As it was answered.
    pub status: u16,
}

/// A 429, as <https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines> shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Secondly,
    TenSecondlyRolling,
    Daily,
}

impl Limit {
    pub(super) fn policy(self) -> &'static str {
        match self {
            Self::Secondly => "SECONDLY",
            Self::TenSecondlyRolling => "TEN_SECONDLY_ROLLING",
            Self::Daily => "DAILY",
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    pub(super) fn new(options: SimulatorOptions) -> Self {
        Self(Arc::new(Shared {
            clock: options.clock,
            results_max: options.results_max,
            account: Mutex::new(Account {
                store: Store::default(),
                tokens: Tokens::new(options.token_seconds),
                limits: VecDeque::new(),
                asked: VecDeque::new(),
            }),
        }))
    }

    /// Creates a row now and returns its number. `properties` is an object; values become texts.
    pub fn create(&self, object: &str, properties: &Value) -> u64 {
        let now = self.now();
        self.lock().store.create(object, properties, now)
    }

    /// Changes a row now.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn update(&self, object: &str, id: u64, properties: &Value) {
        let now = self.now();
        assert!(
            self.lock().store.update(object, id, properties, now),
            "{object} has no row {id}"
        );
    }

    /// Archives a row now: it is in no search any more.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn archive(&self, object: &str, id: u64) {
        let now = self.now();
        assert!(self.lock().store.archive(object, id, now), "{object} has no row {id}");
    }

    /// The next request of the CRM is answered with 429.
    pub fn limit_next(&self, limit: Limit) {
        self.lock().limits.push_back(limit);
    }

    /// Access tokens end now, earlier than they were said to.
    pub fn end_tokens(&self) {
        self.lock().tokens.end_all();
    }

    /// The app was uninstalled: its refresh token is refused from now on.
    pub fn revoke(&self) {
        self.lock().tokens.revoke();
    }

    /// How many access tokens were handed out.
    pub fn tokens_made(&self) -> u32 {
        self.lock().tokens.made()
    }

    /// What was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.lock().asked.iter().cloned().collect()
    }

    pub(super) fn note(&self, asked: Asked) {
        let mut account = self.lock();
        if account.asked.len() == ASKED_MAX {
            account.asked.pop_front();
        }
        account.asked.push_back(asked);
    }

    pub(super) fn take_limit(&self) -> Option<Limit> {
        self.lock().limits.pop_front()
    }

    pub(super) fn results_max(&self) -> usize {
        self.0.results_max
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.0.clock)()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
