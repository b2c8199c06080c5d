//! The log of what a simulated vendor was asked, secrets included: tests check that they arrive.
//! In memory only; the HTTP face of the simulator masks the secrets.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

/// A long run must not eat the machine: the oldest entries go first.
const ENTRIES_MAX: usize = 20_000;

/// One request to the vendor's API.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Counts from 1 over the simulator's life.
    pub number: u64,
    /// By the simulator's clock.
    pub at: DateTime<Utc>,
    /// By the machine's monotonic clock, for distances between requests.
    #[serde(skip)]
    pub arrived: Instant,
    pub method: String,
    /// Path and query, as they came.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The status answered; `None` while under way and when nothing was answered.
    pub status: Option<u16>,
}

impl Request {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the path contains `part`, in any case.
    pub fn is_on(&self, part: &str) -> bool {
        self.path.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
    }
}

#[derive(Debug)]
pub(super) struct Log {
    entries: Mutex<VecDeque<Request>>,
    /// Moves with every arrival and every answer, for those who wait.
    moved: watch::Sender<u64>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            moved: watch::Sender::new(0),
        }
    }
}

impl Log {
    /// Numbers and keeps `request`; returns it with its number.
    pub(super) fn arrived(&self, mut request: Request) -> Request {
        let mut entries = self.lock();
        request.number = entries.back().map_or(1, |last| last.number + 1);
        if entries.len() == ENTRIES_MAX {
            entries.pop_front();
        }
        entries.push_back(request.clone());
        drop(entries);
        self.moved.send_modify(|moves| *moves += 1);
        request
    }

    pub(super) fn answered(&self, number: u64, status: u16) {
        if let Some(entry) = self.lock().iter_mut().rev().find(|entry| entry.number == number) {
            entry.status = Some(status);
        }
        self.moved.send_modify(|moves| *moves += 1);
    }

    pub(super) fn list(&self) -> Vec<Request> {
        self.lock().iter().cloned().collect()
    }

    /// Waits until `enough` of the log; `None` when `timeout` passes first.
    pub(super) async fn wait_until(
        &self,
        timeout: Duration,
        enough: impl Fn(&[Request]) -> bool,
    ) -> Option<Vec<Request>> {
        let mut moved = self.moved.subscribe();
        let waiting = async {
            loop {
                moved.mark_unchanged();
                if let Some(list) = self.list_if(&enough) {
                    return Some(list);
                }
                moved.changed().await.ok()?;
            }
        };
        tokio::time::timeout(timeout, waiting).await.ok().flatten()
    }

    /// Copies only when there is reason to: the log may be looked at on every arrival.
    fn list_if(&self, enough: impl Fn(&[Request]) -> bool) -> Option<Vec<Request>> {
        let mut entries = self.lock();
        let list = entries.make_contiguous();
        enough(list).then(|| list.to_vec())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Request>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
