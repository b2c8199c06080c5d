//! An element that follows a script. As pure as a real one: the state is the place in the script, so that a step which is
//! done again is the same step.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::domain::element::{Element, Manifest, Usage};
use crate::domain::id::Digest;
use crate::domain::record::{Moment, Record};
use crate::domain::run::{Fault, ListArgs, Next, Operation, Problem, Remedy, Request, Run, Step};
use crate::domain::time::Timestamp;
use crate::ports::{Call, CallError, Case, Elements, Inadmissible, Replayed};
use tidegate_contract::{Subject, replay};

/// What the element makes of the answer to one page's request.
#[derive(Clone)]
pub(crate) enum Turn {
    Page(Page),
    Fault(Fault),
    /// Asks the gateway to wait, in milliseconds, and then for the next page.
    Wait(u32),
    /// Asks for the same page once more, as if nothing had come.
    Again,
}

/// The records of a page, and what may come with them. The last one of a script ends the run.
#[derive(Clone, Default)]
pub(crate) struct Page {
    records: Vec<Record>,
    problems: Vec<Problem>,
    checkpoint: Option<Vec<u8>>,
}

pub(crate) fn page(records: impl IntoIterator<Item = ScriptedRecord>) -> Turn {
    Turn::Page(Page {
        records: records.into_iter().map(|record| record.0).collect(),
        ..Page::default()
    })
}

impl Turn {
    pub(crate) fn with_checkpoint(self, checkpoint: &str) -> Self {
        match self {
            Turn::Page(page) => Turn::Page(Page {
                checkpoint: Some(checkpoint.into()),
                ..page
            }),
            other => other,
        }
    }
}

pub(crate) fn fault(remedy: Remedy) -> Turn {
    Turn::Fault(Fault {
        remedy,
        code: "as-scripted".into(),
        message: "the script says so".into(),
        detail: None,
    })
}

pub(crate) struct ScriptedRecord(Record);

/// A record without dates.
pub(crate) fn record(id: &str, content: u32) -> ScriptedRecord {
    ScriptedRecord(Record {
        id: id.into(),
        body: Bytes::from(format!("{{\"content\":{content}}}")),
        created: None,
        updated: None,
        deleted: false,
    })
}

impl ScriptedRecord {
    pub(crate) fn updated(mut self, time: Timestamp) -> Self {
        self.0.updated = Some(Moment::At(time));
        self
    }

    pub(crate) fn created(mut self, time: Timestamp) -> Self {
        self.0.created = Some(Moment::At(time));
        self
    }

    pub(crate) fn with_body(mut self, json: impl Into<Bytes>) -> Self {
        self.0.body = json.into();
        self
    }

    pub(crate) fn deleted(mut self) -> Self {
        self.0.deleted = true;
        self.0.body = Bytes::new();
        self
    }

    pub(crate) fn updated_text(mut self, text: &str) -> Self {
        self.0.updated = Some(Moment::Text(text.into()));
        self
    }
}

/// One call into a list run.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    /// `accounts begin`, or `accounts 1` for the page that the element was given the answer to.
    pub(crate) what: String,
    pub(crate) list: ListArgs,
}

pub(crate) struct ScriptedElement {
    state: Mutex<State>,
}

struct State {
    /// The one that runs take.
    active: Arc<Element>,
    loaded: Vec<Arc<Element>>,
    scripts: HashMap<String, Vec<Turn>>,
    check: Option<Fault>,
    calls: Vec<Called>,
    /// Digests of components that trap whatever they are asked.
    trapping: Vec<u8>,
}

impl ScriptedElement {
    pub(super) fn new() -> Self {
        let first = Arc::new(element(1, 1));
        let state = State {
            active: first.clone(),
            loaded: vec![first],
            scripts: HashMap::new(),
            check: None,
            calls: Vec::new(),
            trapping: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What a list of this resource gives from now on: `accounts`, `anna/accounts` for one user's alone, or `2:accounts`
    /// for the component with that digest alone.
    pub(crate) fn script(&self, resource: &str, turns: Vec<Turn>) {
        self.lock().scripts.insert(resource.into(), turns);
    }

    pub(crate) fn fail_checks(&self, remedy: Remedy) {
        if let Turn::Fault(fault) = fault(remedy) {
            self.lock().check = Some(fault);
        }
    }

    /// Another component takes the place of the one that is loaded.
    pub(crate) fn load(&self, digest: u8, projection: u32) {
        let mut state = self.lock();
        state.active = Arc::new(element(digest, projection));
        state.loaded = vec![state.active.clone()];
    }

    pub(crate) fn trap(&self, digest: u8) {
        self.lock().trapping.push(digest);
    }

    /// Calls of list runs since this was asked last.
    pub(crate) fn calls(&self) -> Vec<Called> {
        std::mem::take(&mut self.lock().calls)
    }

    pub(crate) fn called(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.what).collect()
    }
}

fn element(digest: u8, projection: u32) -> Element {
    let document = json!({
        "key": "demo", "name": "Demo", "hub": "demo", "id": 7, "version": "1", "projection": projection,
        "properties": [
            {"key": "user", "type": "string", "required": true},
            {"key": "password", "type": "password", "secret": true, "required": true},
        ],
        "account": ["user"],
        "hosts": ["vendor.example"],
        "resources": [
            {"name": "accounts", "updatedDateField": "updated", "createdDateField": "created"},
            {"name": "contacts", "updatedDateField": "updated"},
        ],
    });
    let manifest: Manifest = serde_json::from_value(document.clone()).unwrap();
    Element {
        manifest,
        document,
        digest: Digest([digest; 32]),
    }
}

impl State {
    fn call(&mut self, digest: Digest, run: &Run, call: &Call) -> Result<Step, Fault> {
        let list = match &run.operation {
            Operation::List(list) => list.clone(),
            _ => return self.check.clone().map_or_else(|| Ok(step(Next::Done, "")), Err),
        };
        let user = run.configuration["user"].as_str().unwrap();
        let path = format!("{user}/{}", list.resource);
        let of_component = format!("{}:{}", digest.0[0], list.resource);
        let script = [&of_component, &path, &list.resource];
        let script = script.into_iter().find_map(|name| self.scripts.get(name));
        let script = script.unwrap_or_else(|| panic!("nothing is scripted for {path}"));
        let ask = |place: usize| step(Next::Send(vec![request(&path, place)]), &place.to_string());
        let place = match call {
            Call::Begin => None,
            Call::Advance { state, .. } => Some(std::str::from_utf8(state).unwrap().parse::<usize>().unwrap()),
        };
        let what = place.map_or_else(|| "begin".into(), |place| place.to_string());
        let what = format!("{} {what}", list.resource);
        self.calls.push(Called { what, list });
        let Some(place) = place else { return Ok(ask(0)) };
        match script[place].clone() {
            Turn::Fault(fault) => Err(fault),
            Turn::Again => Ok(ask(place)),
            Turn::Wait(wait_ms) => Ok(step(Next::WaitMs(wait_ms), &(place + 1).to_string())),
            Turn::Page(page) => Ok(Step {
                records: page.records,
                problems: page.problems,
                checkpoint: page.checkpoint,
                ..if place + 1 == script.len() {
                    step(Next::Done, "")
                } else {
                    ask(place + 1)
                }
            }),
        }
    }
}

fn step(next: Next, state: &str) -> Step {
    Step {
        next,
        records: Vec::new(),
        ids: Vec::new(),
        problems: Vec::new(),
        checkpoint: None,
        memo: None,
        state: state.into(),
    }
}

fn request(path: &str, place: usize) -> Request {
    Request {
        id: 1,
        method: "GET".into(),
        url: format!("https://vendor.example/{path}/{place}"),
        headers: vec![("authorization".into(), "{{secret:password}}".into())],
        body: None,
        idempotent: true,
        cost: 1,
        lane: String::new(),
    }
}

/// A component for [`ScriptedElement::admit`]: its digest (all bytes the same) and its projection.
pub(crate) fn component(digest: u8, projection: u32) -> Bytes {
    Bytes::from(format!("{digest} {projection}"))
}

impl Elements for ScriptedElement {
    fn find(&self, key: &str) -> Option<Arc<Element>> {
        self.list().into_iter().find(|element| element.manifest.key == key)
    }

    fn list(&self) -> Vec<Arc<Element>> {
        vec![self.lock().active.clone()]
    }

    fn admit(&self, component: Bytes) -> BoxFuture<'static, Result<Arc<Element>, Inadmissible>> {
        let text = std::str::from_utf8(&component).unwrap();
        let admitted = match text.split_once(' ') {
            None => Err(Inadmissible(format!("{text:?} is no component"))),
            Some((digest, projection)) => {
                let element = Arc::new(element(digest.parse().unwrap(), projection.parse().unwrap()));
                self.lock().loaded.push(element.clone());
                Ok(element)
            }
        };
        Box::pin(async move { admitted })
    }

    fn activate(&self, digest: Digest) -> bool {
        let mut state = self.lock();
        let loaded = state.loaded.iter().find(|element| element.digest == digest).cloned();
        loaded.map(|element| state.active = element).is_some()
    }

    fn deactivate(&self, _key: &str) {
        unreachable!("no test of a service leaves an element without a component");
    }

    fn retain(&self, _digests: &HashSet<Digest>) {}

    fn call(
        &self,
        digest: Digest,
        run: Arc<Run>,
        call: Arc<Call>,
    ) -> BoxFuture<'static, Result<Result<Step, Fault>, CallError>> {
        let mut state = self.lock();
        let is_loaded = state.loaded.iter().any(|element| element.digest == digest);
        let called = if !is_loaded {
            Err(CallError::NotLoaded(digest.to_string()))
        } else if state.trapping.contains(&digest.0[0]) {
            Err(CallError::Trap("as scripted".into()))
        } else {
            Ok(state.call(digest, &run, &call))
        };
        Box::pin(async move { called })
    }

    fn replay(&self, digest: Digest, case: Arc<Case>) -> BoxFuture<'static, Option<Replayed>> {
        let replayed = replay::replay(&Loaded { element: self, digest }, &case);
        Box::pin(async move { Some(replayed) })
    }

    fn usage(&self, _digest: Digest) -> Usage {
        Usage::default()
    }
}

/// One of the components, for replays.
struct Loaded<'a> {
    element: &'a ScriptedElement,
    digest: Digest,
}

impl Subject for Loaded<'_> {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        unreachable!("a replay asks for no manifest")
    }

    fn call(&self, run: &Run, call: &Call) -> Result<Result<Step, Fault>, CallError> {
        let mut state = self.element.lock();
        if state.trapping.contains(&self.digest.0[0]) {
            return Err(CallError::Trap("as scripted".into()));
        }
        Ok(state.call(self.digest, run, call))
    }
}
