//! An element's answer: the records it found and what should happen next.
//! Must not let an author see lengths and offsets: a record's bytes are written here.

pub(crate) mod ids;

use crate::Request;

/// A point in time as found in a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    #[default]
    None,
    /// Milliseconds of Unix time.
    AtMs(i64),
    /// Text that the element cannot read; the gateway may, by the date pattern that the user configured.
    Text(String),
}

/// Something worth telling the operator that does not end the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is about: a configuration key, a field or a record's id.
    pub subject: String,
    pub code: String,
    pub message: String,
}

/// What should happen after this step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<S> {
    /// Send these, then call `advance` with the state and all responses.
    Send(Vec<Request>, S),
    /// Call `advance` with the state and no responses after so many milliseconds.
    WaitMs(u32, S),
    Done,
}

/// One answer of an element. Starts as "done"; records, problems and what comes next are added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<S> {
    pub next: Next<S>,
    pub records: Records,
    /// Ids found by a sweep.
    pub ids: Vec<String>,
    pub problems: Vec<Problem>,
    pub checkpoint: Option<Vec<u8>>,
    /// Set when the memo changed; an empty one clears it.
    pub memo: Option<Vec<u8>>,
}

impl<S> Step<S> {
    /// The run's end, with nothing found yet.
    pub fn done() -> Self {
        Self {
            next: Next::Done,
            records: Records::default(),
            ids: Vec::new(),
            problems: Vec::new(),
            checkpoint: None,
            memo: None,
        }
    }

    /// Instead of ending: sends these (1 to 16, their ids unique), then goes on with `state`.
    #[must_use]
    pub fn then_send(mut self, requests: Vec<Request>, state: S) -> Self {
        self.next = Next::Send(requests, state);
        self
    }

    /// Instead of ending: waits, then goes on with `state` and no responses.
    #[must_use]
    pub fn then_wait(mut self, milliseconds: u32, state: S) -> Self {
        self.next = Next::WaitMs(milliseconds, state);
        self
    }

    /// Adds a record; see [`Records::push`].
    pub fn push_record(&mut self, id: &str, body: &[u8], created: Moment, updated: Moment) {
        self.records
            .push(id, created, updated, |out| out.extend_from_slice(body));
    }

    /// Adds the news that a record is gone.
    pub fn push_tombstone(&mut self, id: &str, updated: Moment) {
        self.records.push_tombstone(id, updated);
    }

    pub fn push_problem(&mut self, subject: impl Into<String>, code: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            subject: subject.into(),
            code: code.into(),
            message: message.into(),
        });
    }
}

/// Where a record lies in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) id_length: u32,
    pub(crate) body_length: u32,
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
    pub(crate) deleted: bool,
}

/// The records of a step, written one after the other into one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    pub(crate) bytes: Vec<u8>,
    pub(crate) items: Vec<Item>,
}

/// One record, looked at in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub id: &'a str,
    /// Empty for a tombstone.
    pub body: &'a str,
    pub created: &'a Moment,
    pub updated: &'a Moment,
    pub deleted: bool,
}

impl Records {
    /// Room for so many bytes and records, so that a page is written without moving it.
    pub fn with_capacity(bytes: usize, records: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            items: Vec::with_capacity(records),
        }
    }

    /// Adds a record. `write` appends its body: one canonical JSON object, sorted keys, no white space. The id must not
    /// be empty.
    pub fn push(&mut self, id: &str, created: Moment, updated: Moment, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend_from_slice(id.as_bytes());
        let start = self.bytes.len();
        write(&mut self.bytes);
        let body_length = length(self.bytes.len() - start);
        self.items.push(Item {
            id_length: length(id.len()),
            body_length,
            created,
            updated,
            deleted: false,
        });
    }

    /// Adds the news that a record is gone.
    pub fn push_tombstone(&mut self, id: &str, updated: Moment) {
        self.bytes.extend_from_slice(id.as_bytes());
        let id_length = length(id.len());
        self.items.push(Item {
            id_length,
            body_length: 0,
            created: Moment::None,
            updated,
            deleted: true,
        });
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The ids in order, without a look at the bodies.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut start = 0;
        self.items.iter().map(move |item| {
            let id = &self.bytes[start..][..item.id_length as usize];
            start += item.id_length as usize + item.body_length as usize;
            id
        })
    }

    /// The records in order, as the gateway will read them.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let mut rest = self.bytes.as_slice();
        self.items.iter().map(move |item| {
            let (id, after) = rest.split_at(item.id_length as usize);
            let (body, after) = after.split_at(item.body_length as usize);
            rest = after;
            Record {
                id: text(id),
                body: text(body),
                created: &item.created,
                updated: &item.updated,
                deleted: item.deleted,
            }
        })
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("ids come from `str` and bodies are JSON")
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a step is far smaller than 4 GiB: the gateway caps a page")
}

#[cfg(test)]
mod tests;
