//! A callback that takes what it gets, unless the test has it refuse, and remembers it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;

use super::clock::ManualClock;
use crate::domain::time::Timestamp;
use crate::ports::{Answer, Callback, Post, Trouble, Unanswered};

/// One POST that came.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) at: Timestamp,
    pub(crate) url: String,
    /// Of the first event, and so of all in most tests.
    pub(crate) record: String,
    /// Of the first event.
    pub(crate) sequence: u64,
    pub(crate) body: bytes::Bytes,
    pub(crate) headers: Vec<(String, String)>,
}

pub(crate) struct ScriptedCallback {
    clock: Arc<ManualClock>,
    posts: watch::Sender<Vec<Posted>>,
    answers: Mutex<HashMap<String, VecDeque<Result<Answer, Unanswered>>>>,
    held: watch::Sender<Option<String>>,
    is_down: AtomicBool,
    panics: AtomicBool,
}

pub(crate) fn answer(status: u16) -> Answer {
    Answer {
        status,
        ..Answer::default()
    }
}

pub(crate) fn unreachable(reason: &str) -> Unanswered {
    Unanswered {
        trouble: Trouble::Unreachable,
        reason: reason.into(),
    }
}

impl ScriptedCallback {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            posts: watch::Sender::default(),
            answers: Mutex::default(),
            held: watch::Sender::new(None),
            is_down: AtomicBool::new(false),
            panics: AtomicBool::new(false),
        }
    }

    /// The next POSTs about this record are answered so; later ones with 200.
    pub(crate) fn answer(&self, record: &str, answers: impl IntoIterator<Item = Answer>) {
        let mut scripted = self.answers.lock().unwrap();
        scripted.insert(record.into(), answers.into_iter().map(Ok).collect());
    }

    /// While down, nobody answers.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Relaxed);
    }

    /// The next POST panics.
    pub(crate) fn panic_once(&self) {
        self.panics.store(true, Relaxed);
    }

    /// POSTs about this record get no answer until `release`.
    pub(crate) fn hold(&self, record: &str) {
        self.held.send_replace(Some(record.into()));
    }

    pub(crate) fn release(&self) {
        self.held.send_replace(None);
    }

    pub(crate) fn posts(&self) -> Vec<Posted> {
        self.posts.borrow().clone()
    }

    /// Record and sequence number of each POST, in order.
    pub(crate) fn posted(&self) -> Vec<(String, u64)> {
        let posts = self.posts().into_iter();
        posts.map(|post| (post.record, post.sequence)).collect()
    }
}

/// Record and sequence number of the first event of a body, whatever its form.
fn first_event(body: &Value) -> (String, u64) {
    let first = body.get(0).unwrap_or(body);
    let (event, sequence) = match first.get("data") {
        Some(data) => (data, first.get("sequence").unwrap_or(&data["sequence"])),
        None => {
            let event = &first["message"]["events"][0];
            (event, &event["sequence"])
        }
    };
    let sequence = match sequence {
        Value::String(digits) => digits.parse().unwrap(),
        number => number.as_u64().unwrap(),
    };
    (event["objectId"].as_str().unwrap().to_owned(), sequence)
}

impl Callback for ScriptedCallback {
    fn post(&self, post: Post) -> BoxFuture<'static, Result<Answer, Unanswered>> {
        let body: Value = serde_json::from_slice(&post.body).unwrap();
        let (record, sequence) = first_event(&body);
        let scripted = self
            .answers
            .lock()
            .unwrap()
            .get_mut(&record)
            .and_then(VecDeque::pop_front);
        self.posts.send_modify(|posts| {
            posts.push(Posted {
                at: self.clock.time(),
                url: post.url.clone(),
                record: record.clone(),
                sequence,
                body: post.body.clone(),
                headers: (post.headers.iter())
                    .map(|(name, value)| (name.clone(), value.expose().to_owned()))
                    .collect(),
            });
        });
        assert!(!self.panics.swap(false, Relaxed), "as the test wants it");
        if self.is_down.load(Relaxed) {
            return Box::pin(async { Err(unreachable("connect: refused")) });
        }
        let mut held = self.held.subscribe();
        Box::pin(async move {
            if held.wait_for(|held| held.as_ref() != Some(&record)).await.is_err() {
                return Err(unreachable("the test is over"));
            }
            scripted.unwrap_or_else(|| Ok(answer(200)))
        })
    }

    fn admissible(&self, url: &str) -> Result<(), String> {
        if url.contains("forbidden") {
            return Err("must not be posted to".into());
        }
        Ok(())
    }
}
