//! The handle that moves a simulated account: rows, refusals, the log of requests.
//! Speaks no HTTP.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::SimulatorOptions;
use super::desk::{Desk, Kind};

/// Why a row could not be created, changed or deleted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the simulated vendor has no resource {0}")]
    UnknownResource(String),
    #[error("the fields of a row must be a JSON object")]
    NotAnObject,
    #[error("{resource} has no row {id}")]
    NoSuchRow { resource: String, id: i64 },
}

/// Moves one simulator; clones move the same one.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

struct Shared {
    options: SimulatorOptions,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) desk: Desk,
    /// Path and query of every request, oldest first.
    requests: Vec<String>,
    /// So many of the next exports are refused, each with this `Retry-After`.
    exports_refused: (u32, u32),
    cursors_refused: bool,
    /// None: the one of the options.
    token: Option<String>,
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
            state: Mutex::default(),
        }))
    }

    /// Creates a row now, with `fields` over made-up ones, and returns its id. Resources are `tickets`, `users` and
    /// `organizations`.
    ///
    /// # Errors
    /// For an unknown resource, or fields that are no object.
    pub fn create(&self, resource: &str, fields: Value) -> Result<i64, Error> {
        let (kind, fields) = (kind(resource)?, object(fields)?);
        Ok(self.state().desk.create(kind, fields, self.now()))
    }

    /// Changes a row now.
    ///
    /// # Errors
    /// For an unknown resource or id, or fields that are no object.
    pub fn update(&self, resource: &str, id: i64, fields: Value) -> Result<(), Error> {
        let (kind, fields) = (kind(resource)?, object(fields)?);
        found(self.state().desk.update(kind, id, fields, self.now()), resource, id)
    }

    /// A change by the system: only `generated_timestamp` of a ticket moves, and its place in the export.
    ///
    /// # Errors
    /// For an unknown resource or id.
    pub fn touch(&self, resource: &str, id: i64) -> Result<(), Error> {
        let kind = kind(resource)?;
        found(self.state().desk.touch(kind, id, self.now(), false), resource, id)
    }

    /// Deletes a row: exports say that it is gone, lists leave it out.
    ///
    /// # Errors
    /// For an unknown resource or id.
    pub fn delete(&self, resource: &str, id: i64) -> Result<(), Error> {
        let kind = kind(resource)?;
        found(self.state().desk.delete(kind, id, self.now()), resource, id)
    }

    /// Answers the next `count` exports with 429 and this `Retry-After`.
    pub fn refuse_exports(&self, count: u32, retry_after_seconds: u32) {
        self.state().exports_refused = (count, retry_after_seconds);
    }

    /// Answers exports that come with a cursor with 422, as for one that the vendor forgot.
    pub fn refuse_cursors(&self, refused: bool) {
        self.state().cursors_refused = refused;
    }

    /// From now on this is the token.
    pub fn set_token(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }

    /// Path and query of every request so far, oldest first.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// What the simulator's clock shows.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0.options.clock)()
    }

    pub(super) fn options(&self) -> &SimulatorOptions {
        &self.0.options
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn log(&mut self, request: &str) {
        self.requests.push(request.to_owned());
    }

    /// The `Retry-After` of an export that is refused.
    pub(super) fn refuses_export(&mut self) -> Option<u32> {
        let (count, retry_after) = &mut self.exports_refused;
        *count = count.checked_sub(1)?;
        Some(*retry_after)
    }

    pub(super) fn refuses_cursors(&self) -> bool {
        self.cursors_refused
    }

    pub(super) fn token<'s>(&'s self, options: &'s SimulatorOptions) -> &'s str {
        self.token.as_deref().unwrap_or(&options.token)
    }
}

fn kind(resource: &str) -> Result<Kind, Error> {
    Kind::of(resource).ok_or_else(|| Error::UnknownResource(resource.to_owned()))
}

fn object(fields: Value) -> Result<Map<String, Value>, Error> {
    match fields {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::NotAnObject),
    }
}

fn found(found: bool, resource: &str, id: i64) -> Result<(), Error> {
    found.then_some(()).ok_or_else(|| Error::NoSuchRow {
        resource: resource.to_owned(),
        id,
    })
}
