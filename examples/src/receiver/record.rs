//! One POST as it arrived, and its line in the journal.
//! Interprets the body only through `event` and `signature`.

use std::io;
use std::path::Path;

use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::event::{ReceivedEvent, events};
use super::signature::{SIGNATURE_HEADER, Signature, verify};

/// One POST.
#[derive(Debug, Clone)]
pub struct Received {
    /// Counts from 1 within this process.
    pub number: u64,
    /// By the receiver's clock.
    pub at: DateTime<Utc>,
    /// By the machine's monotonic clock, for distances between attempts.
    pub arrived: Instant,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The bytes that were signed.
    pub body: Bytes,
    pub signature: Signature,
    /// The status of the answer; `None` when the script said to hang or to reset.
    pub answered: Option<u16>,
    /// What the body says, flattened.
    pub events: Vec<ReceivedEvent>,
}

/// A line of the journal. The body is text where it is UTF-8, else base64.
#[derive(Serialize, Deserialize)]
struct Line {
    at: DateTime<Utc>,
    path: String,
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    signature: Signature,
    answered: Option<u16>,
}

impl Received {
    pub(super) fn new(at: DateTime<Utc>, arrived: Instant, parts: &Parts, body: Bytes, key: Option<&str>) -> Self {
        let headers: Vec<(String, String)> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let header = parts
            .headers
            .get(SIGNATURE_HEADER)
            .and_then(|value| value.to_str().ok());
        Self {
            number: 0,
            at,
            arrived,
            path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers,
            signature: verify(key, header, &body),
            events: events(&body, true),
            body,
            answered: None,
        }
    }

    /// Whether the sender was told that it arrived.
    pub fn accepted(&self) -> bool {
        self.answered.is_some_and(|status| (200..300).contains(&status))
    }

    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Settles what the answer is; events know whether they were accepted.
    pub(super) fn answer_with(&mut self, status: Option<u16>) {
        self.answered = status;
        let accepted = self.accepted();
        for event in &mut self.events {
            event.accepted = accepted;
        }
    }

    pub(super) fn journal_line(&self) -> String {
        let text = std::str::from_utf8(&self.body).ok();
        let line = Line {
            at: self.at,
            path: self.path.clone(),
            headers: self.headers.clone(),
            body: text.map(str::to_owned),
            body_base64: text.is_none().then(|| STANDARD.encode(&self.body)),
            signature: self.signature,
            answered: self.answered,
        };
        serde_json::to_string(&line).expect("strings and numbers always serialise")
    }

    fn from_line(number: u64, line: Line) -> Self {
        let decoded = line.body_base64.and_then(|encoded| STANDARD.decode(encoded).ok());
        let body = decoded
            .or_else(|| line.body.map(String::into_bytes))
            .unwrap_or_default();
        let mut received = Self {
            number,
            at: line.at,
            arrived: Instant::now(),
            path: line.path,
            headers: line.headers,
            signature: line.signature,
            answered: None,
            events: events(&body, false),
            body: body.into(),
        };
        received.answer_with(line.answered);
        received
    }
}

/// Reads a journal back. A last line that a killed process left unfinished is skipped: its POST was never answered.
///
/// # Errors
/// When the file cannot be read, or a line other than the last is damaged.
pub fn read_journal(path: &Path) -> io::Result<Vec<Received>> {
    let text = std::fs::read_to_string(path)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut received = Vec::with_capacity(lines.len());
    for (position, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(line) => received.push(Received::from_line(position as u64 + 1, line)),
            Err(_) if position + 1 == lines.len() && !text.ends_with('\n') => {}
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
    Ok(received)
}
