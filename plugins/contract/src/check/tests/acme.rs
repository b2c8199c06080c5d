//! A small element with a flaw to choose, and two cases of it.
//! Must not be flawed in two ways at a time: a flaw breaks one rule.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::call::{Call, CallError, Subject};
use crate::case::Case;
use crate::record::Record;
use crate::replay::Outcome;
use crate::run::{Operation, Request, Run, Step};
use crate::testing::{case, done, exchange, fault, get, manifest, record, send};

/// What is wrong with an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flaw {
    None,
    CountsCalls,
    KeepsAGuestsCalls,
    ManifestVaries,
    LosesWithSmallPages,
    TrapsAtHtml,
    TrapsAtText,
    TakesNothingForTheEnd,
    TakesRefusalsForTheEnd,
    TakesAStrangeCursorForTheEnd,
    LeavesRecordsOut,
    GoesInCircles,
    WalksForEver,
    FollowsAnyAddress,
    WritesASecret,
    RepeatsIds,
    IsNotCanonical,
    HasNoDates,
}

/// The only filter that this element knows; records whose date is another are left out where it is asked for.
pub(super) fn filter() -> Value {
    json!({"op": "=", "field": "changed", "value": DATE})
}

const DATE: &str = "2020-01-01";

/// Reads `{"items":[{"id":"1","changed":"…"}],"next":"cursor"}`.
pub(super) struct Acme {
    flaw: Flaw,
    calls: Cell<u32>,
    is_kept: bool,
}

impl Acme {
    pub(super) fn with(flaw: Flaw) -> Self {
        Self {
            flaw,
            calls: Cell::new(0),
            is_kept: false,
        }
    }

    fn ask(&self, cursor: &str) -> Step {
        let authorization = match self.flaw {
            Flaw::WritesASecret => "Bearer hunter2",
            _ => "Bearer {{secret:acme.key}}",
        };
        let url = match cursor {
            cursor if self.flaw == Flaw::FollowsAnyAddress && cursor.starts_with("http") => cursor.to_owned(),
            cursor => format!("https://acme.example/contacts?after={cursor}"),
        };
        let request = Request {
            headers: vec![("Authorization".into(), authorization.into())],
            ..get(&url)
        };
        let calls = match self.flaw {
            Flaw::CountsCalls => self.calls.get(),
            Flaw::KeepsAGuestsCalls if self.is_kept => self.calls.get(),
            _ => 0,
        };
        send([request], json!([cursor, calls]).to_string().as_bytes())
    }

    fn read(&self, run: &Run, cursor: &str, status: u16, body: &[u8]) -> Outcome {
        if status != 200 {
            return match self.flaw {
                Flaw::TakesRefusalsForTheEnd => Ok(Ok(done())),
                _ => Ok(Err(fault("refused"))),
            };
        }
        if self.flaw == Flaw::TrapsAtHtml && body.starts_with(b"<") {
            return Err(CallError::Trap("unreachable".into()));
        }
        let page: Value = match serde_json::from_slice(body) {
            Ok(page) => page,
            Err(_) if self.flaw == Flaw::TakesNothingForTheEnd => return Ok(Ok(done())),
            Err(_) => return Ok(Err(fault("unreadable"))),
        };
        let Some(items) = page["items"].as_array() else {
            return Ok(Err(fault("unreadable")));
        };
        let mut records: Vec<Record> = Vec::new();
        for item in items {
            if has_filter(run) && item["changed"] != DATE {
                continue;
            }
            match item["id"].as_str() {
                Some(id) if (1..=1024).contains(&id.len()) && records.iter().all(|known| known.id != id) => {
                    records.push(self.record(id, item));
                }
                Some(id) if self.flaw == Flaw::RepeatsIds && id.len() == 1 => records.push(record(id, "{}")),
                _ if self.flaw == Flaw::LeavesRecordsOut => {}
                _ if self.flaw == Flaw::TrapsAtText => return Err(CallError::Trap("unwrap on a None".into())),
                _ => return Ok(Err(fault("no-id"))),
            }
        }
        if self.flaw == Flaw::LosesWithSmallPages && page_size(run) < 3 {
            records.truncate(1);
        }
        let next = match &page["next"] {
            Value::Null => None,
            Value::String(next) => Some(next.as_str()),
            _ if self.flaw == Flaw::TakesAStrangeCursorForTheEnd => None,
            _ => return Ok(Err(fault("unreadable"))),
        };
        Ok(match next {
            None => Ok(Step { records, ..done() }),
            Some(next) if self.flaw == Flaw::WalksForEver => {
                let longer = format!("{cursor}{}", next.len());
                Ok(Step {
                    records,
                    ..self.ask(&longer[..longer.len().min(2_000)])
                })
            }
            Some(next) if next == cursor && self.flaw != Flaw::GoesInCircles => Err(fault("no-progress")),
            Some(next) => Ok(Step {
                records,
                ..self.ask(next)
            }),
        })
    }

    fn record(&self, id: &str, item: &Value) -> Record {
        let body = match self.flaw {
            Flaw::HasNoDates => json!({"id": id}).to_string(),
            Flaw::IsNotCanonical => format!("{{\"id\":\"{id}\",\"changed\":{}}}", item["changed"]),
            _ => item.to_string(),
        };
        record(id, &body)
    }
}

fn has_filter(run: &Run) -> bool {
    matches!(&run.operation, Operation::List(list) if list.filter.is_some())
}

fn page_size(run: &Run) -> u32 {
    match &run.operation {
        Operation::List(list) => list.page_size,
        _ => 0,
    }
}

impl Subject for Acme {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        self.calls.set(self.calls.get() + 1);
        let mut document = dated_manifest();
        if self.flaw == Flaw::ManifestVaries {
            document["id"] = self.calls.get().into();
        }
        Ok(document.to_string().into_bytes())
    }

    fn call(&self, run: &Run, call: &Call) -> Outcome {
        self.calls.set(self.calls.get() + 1);
        let Call::Advance { state, responses } = call else {
            return Ok(Ok(self.ask("")));
        };
        let state: Value = serde_json::from_slice(state).expect("it is of this element");
        let cursor = state[0].as_str().expect("it is of this element");
        match responses.iter().find(|response| response.id == 0) {
            Some(response) => self.read(run, cursor, response.status, &response.body),
            None => Ok(Err(fault("response-missing"))),
        }
    }

    fn kept(&self) -> Result<Option<Box<dyn Subject + '_>>, CallError> {
        Ok(Some(Box::new(Self {
            is_kept: true,
            ..Self::with(self.flaw)
        })))
    }
}

pub(super) fn dated_manifest() -> Value {
    let mut document = manifest();
    document["resources"] = json!([{"name": "contacts", "updatedDateField": "changed"}]);
    document
}

fn page(ids: &[&str], next: Option<&str>) -> String {
    let items: Vec<_> = ids.iter().map(|id| json!({"id": id, "changed": DATE})).collect();
    json!({"items": items, "next": next}).to_string()
}

/// Three records by pages of two, and all at once.
pub(super) fn cases(acme: &Acme) -> Vec<Case> {
    let request = |cursor: &str| match acme.ask(cursor).next {
        crate::run::Next::Send(mut requests) => requests.remove(0),
        _ => unreachable!("it asks"),
    };
    let mut two = case(vec![
        vec![exchange(request(""), 200, &page(&["1", "2"], Some("http://x")))],
        vec![exchange(request("http://x"), 200, &page(&["3"], None))],
    ]);
    two.name = "two pages".into();
    let mut one = case(vec![vec![exchange(request(""), 200, &page(&["1", "2", "3"], None))]]);
    one.name = "one page".into();
    one.same_records_as = Some("two pages".into());
    if let Operation::List(list) = &mut one.run.operation {
        list.page_size = 5;
    }
    vec![two, one]
}
