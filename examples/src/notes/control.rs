//! The handle that moves a simulated account: notes, refusals, the log of requests.
//! Speaks no HTTP.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::SimulatorOptions;
use super::book::Book;

/// A long run must not eat the machine: the oldest requests go first.
const REQUESTS_MAX: usize = 10_000;

/// Why a note could not be created, changed or deleted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the fields of a note must be a JSON object")]
    NotAnObject,
    #[error("there is no note {0}")]
    NoSuchNote(u64),
}

/// Moves one simulator; clones move the same one.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

struct Shared {
    options: SimulatorOptions,
    account: Mutex<Account>,
}

#[derive(Default)]
pub(super) struct Account {
    pub(super) book: Book,
    /// Method, path and query.
    requests: VecDeque<String>,
    /// So many of the next requests are refused, each with this `Retry-After`.
    refused: (u32, u32),
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    pub(super) fn new(options: SimulatorOptions) -> Self {
        Self(Arc::new(Shared {
            options,
            account: Mutex::default(),
        }))
    }

    /// Creates a note now, with `fields` over made-up ones, and returns its id.
    ///
    /// # Errors
    /// For fields that are no object.
    pub fn create(&self, fields: Value) -> Result<u64, Error> {
        let fields = object(fields)?;
        Ok(self.account().book.create(fields, self.now()))
    }

    /// Creates `count` made-up notes of January 2026.
    pub fn seed(&self, count: u32) {
        self.account().book.seed(count);
    }

    /// Changes a note now.
    ///
    /// # Errors
    /// For an unknown id, or fields that are no object.
    pub fn update(&self, id: u64, fields: Value) -> Result<(), Error> {
        let fields = object(fields)?;
        found(self.account().book.update(id, fields, self.now()), id)
    }

    /// Deletes a note now: lists that ask for deleted ones say that it is gone.
    ///
    /// # Errors
    /// For an unknown id.
    pub fn delete(&self, id: u64) -> Result<(), Error> {
        found(self.account().book.delete(id, self.now()), id)
    }

    /// Answers the next `count` requests with 429 and this `Retry-After`.
    pub fn refuse(&self, count: u32, retry_after_seconds: u32) {
        self.account().refused = (count, retry_after_seconds);
    }

    /// Method, path and query of the requests so far, oldest first.
    pub fn requests(&self) -> Vec<String> {
        self.account().requests.iter().cloned().collect()
    }

    pub(super) fn token(&self) -> &str {
        &self.0.options.token
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.0.options.clock)()
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.0.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    pub(super) fn log(&mut self, request: String) {
        if self.requests.len() == REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// The `Retry-After` of a request that is refused.
    pub(super) fn refuses(&mut self) -> Option<u32> {
        let (count, retry_after) = &mut self.refused;
        *count = count.checked_sub(1)?;
        Some(*retry_after)
    }
}

fn object(fields: Value) -> Result<Map<String, Value>, Error> {
    match fields {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::NotAnObject),
    }
}

fn found(found: bool, id: u64) -> Result<(), Error> {
    found.then_some(()).ok_or(Error::NoSuchNote(id))
}
