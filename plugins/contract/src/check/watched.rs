//! The element, with every call counted and every step looked at.
//! Must not change what the element answers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::scene::Scene;
use super::{Breach, canonical, requests};
use crate::call::{Call, CallError, Subject};
use crate::manifest::Manifest;
use crate::promises;
use crate::replay::Outcome;
use crate::run::{Next, Run, Step};

pub(super) struct Watched<'s> {
    subject: &'s dyn Subject,
    manifest: &'s Manifest,
    calls: Cell<usize>,
    requests: RefCell<Seen>,
    records: RefCell<Seen>,
}

/// What was looked at, and what was wrong with it.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) count: usize,
    /// By their words: the first of each kind is enough.
    breaches: BTreeMap<String, Breach>,
}

impl Seen {
    pub(super) fn breaches(&self) -> Vec<Breach> {
        self.breaches.values().cloned().collect()
    }
}

impl<'s> Watched<'s> {
    pub(super) fn new(subject: &'s dyn Subject, manifest: &'s Manifest) -> Self {
        Self {
            subject,
            manifest,
            calls: Cell::default(),
            requests: RefCell::default(),
            records: RefCell::default(),
        }
    }

    /// How many calls were made so far.
    pub(super) fn calls(&self) -> usize {
        self.calls.get()
    }

    /// A call whose step is looked at.
    pub(super) fn call_in(&self, scene: &Scene<'_>, run: &Run, call: &Call) -> Outcome {
        let outcome = self.call(run, call);
        self.inspect(scene, call, &outcome);
        outcome
    }

    pub(super) fn inspect(&self, scene: &Scene<'_>, call: &Call, outcome: &Outcome) {
        let Ok(Ok(step)) = outcome else { return };
        let breach = |words: &str| scene.breach(call, outcome, words);
        note(&mut self.requests.borrow_mut(), self.of_requests(scene, step), &breach);
        note(&mut self.records.borrow_mut(), of_records(step), &breach);
    }

    fn of_requests(&self, scene: &Scene<'_>, step: &Step) -> (usize, Vec<String>) {
        let Next::Send(requests) = &step.next else {
            return (0, Vec::new());
        };
        let judge = requests::Judge::new(self.manifest, scene.run());
        (
            requests.len(),
            requests.iter().flat_map(|request| judge.of(request)).collect(),
        )
    }

    pub(super) fn requests(&self) -> std::cell::Ref<'_, Seen> {
        self.requests.borrow()
    }

    pub(super) fn records(&self) -> std::cell::Ref<'_, Seen> {
        self.records.borrow()
    }
}

fn of_records(step: &Step) -> (usize, Vec<String>) {
    let promises = promises::check(step).err();
    let bodies = step.records.iter().filter(|record| !record.body.is_empty());
    let bodies = bodies.filter_map(|record| {
        let wrong = canonical::check(&record.body).err()?;
        Some(format!(
            "the body of record `{}` is not canonical JSON: {wrong}",
            record.id
        ))
    });
    (step.records.len(), promises.into_iter().chain(bodies).collect())
}

fn note(seen: &mut Seen, (count, words): (usize, Vec<String>), breach: &dyn Fn(&str) -> Breach) {
    seen.count += count;
    for words in words {
        if let Entry::Vacant(place) = seen.breaches.entry(words) {
            let breach = breach(place.key());
            place.insert(breach);
        }
    }
}

impl Subject for Watched<'_> {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        self.calls.set(self.calls.get() + 1);
        self.subject.manifest()
    }

    fn call(&self, run: &Run, call: &Call) -> Outcome {
        self.calls.set(self.calls.get() + 1);
        self.subject.call(run, call)
    }
}
