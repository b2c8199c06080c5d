//! Tiny elements and cases for this crate's tests. Must not be compiled into anything else.

use serde_json::json;

use crate::call::{Call, CallError, Subject};
use crate::case::{Case, Exchange, FORMAT};
use crate::record::Record;
use crate::replay::Outcome;
use crate::run::{Fault, ListArgs, Next, Operation, Remedy, Request, Response, Run, Step};
use crate::time::Timestamp;

/// A function that plays an element.
pub(crate) struct Element<F>(pub(crate) F);

impl<F: Fn(&Call) -> Outcome> Subject for Element<F> {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        Ok(manifest().to_string().into_bytes())
    }

    fn call(&self, _run: &Run, call: &Call) -> Outcome {
        (self.0)(call)
    }
}

pub(crate) fn manifest() -> serde_json::Value {
    json!({
        "key": "acme", "name": "Acme", "hub": "crm", "version": "1.0.0", "projection": 1,
        "hosts": ["acme.example"],
        "properties": [{"key": "acme.key", "type": "password", "secret": true}, {"key": "acme.url", "type": "url"}],
        "hostsFrom": ["acme.url"],
        "resources": [{"name": "contacts"}]
    })
}

pub(crate) fn case(exchanges: Vec<Vec<Exchange>>) -> Case {
    Case {
        format: FORMAT,
        name: "a case".into(),
        source: None,
        made_by: None,
        same_records_as: None,
        run: Run {
            operation: Operation::List(list()),
            configuration: json!({}),
            memo: None,
            now: Timestamp::EPOCH,
        },
        state: None,
        exchanges,
        cut: false,
        expect: None,
        failure: None,
    }
}

pub(crate) fn list() -> ListArgs {
    ListArgs {
        resource: "contacts".into(),
        window: None,
        filter: None,
        parameters: Vec::new(),
        id_field: "id".into(),
        dates: crate::run::DateFields::default(),
        page_size: 2,
        checkpoint: None,
    }
}

pub(crate) fn get(url: &str) -> Request {
    Request {
        id: 0,
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        idempotent: true,
        cost: 1,
        lane: String::new(),
    }
}

pub(crate) fn exchange(request: Request, status: u16, body: &str) -> Exchange {
    Exchange {
        request,
        response: Response {
            id: 0,
            status,
            headers: Vec::new(),
            body: body.to_owned().into(),
        },
    }
}

pub(crate) fn done() -> Step {
    Step {
        next: Next::Done,
        records: Vec::new(),
        ids: Vec::new(),
        problems: Vec::new(),
        checkpoint: None,
        memo: None,
        state: Vec::new(),
    }
}

pub(crate) fn send(requests: impl Into<Vec<Request>>, state: &[u8]) -> Step {
    Step {
        next: Next::Send(requests.into()),
        state: state.to_vec(),
        ..done()
    }
}

pub(crate) fn wait(milliseconds: u32, state: &[u8]) -> Step {
    Step {
        next: Next::WaitMs(milliseconds),
        state: state.to_vec(),
        ..done()
    }
}

pub(crate) fn record(id: &str, body: &str) -> Record {
    Record {
        id: id.into(),
        created: None,
        updated: None,
        deleted: false,
        body: body.to_owned().into(),
    }
}

pub(crate) fn fault(code: &str) -> Fault {
    Fault {
        remedy: Remedy::Broken,
        code: code.into(),
        message: "a message".into(),
        detail: None,
    }
}
