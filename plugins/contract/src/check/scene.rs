//! A case's run as the calls that it came to, and the words for one call of it.
//! Must not judge an outcome.

use super::watched::Watched;
use super::{Breach, Rule, Ruled, count};
use crate::call::Call;
use crate::case::{Case, Exchange, Failure};
use crate::difference::shown;
use crate::replay::{Called, Outcome, Replayed, replay};
use crate::run::{Next, Request, Response, Run};

/// A case and its replay.
pub(super) struct Trace<'c> {
    pub(super) case: &'c Case,
    pub(super) replayed: Replayed,
}

impl<'c> Trace<'c> {
    pub(super) fn of(watched: &Watched<'_>, case: &'c Case) -> Self {
        let replayed = replay(watched, case);
        for (index, called) in replayed.calls.iter().enumerate() {
            let scene = Scene::new(case, index, String::new());
            watched.inspect(&scene, &called.call, &called.outcome);
        }
        Self { case, replayed }
    }

    /// The calls that answer requests, with their place and those requests.
    pub(super) fn answered(&self) -> impl Iterator<Item = Answered<'_>> {
        self.replayed.calls.iter().enumerate().filter_map(|(index, called)| {
            let Call::Advance { state, responses } = &called.call else {
                return None;
            };
            let requests = self.requests(index)?;
            (!responses.is_empty()).then_some(Answered {
                index,
                state,
                responses,
                requests,
                outcome: &called.outcome,
            })
        })
    }

    /// What the call of this place answers.
    fn requests(&self, index: usize) -> Option<Vec<Request>> {
        let Some(before) = index.checked_sub(1) else {
            // The file begins in the middle of a run, and says itself what was asked.
            let exchanges = self.case.exchanges.first()?;
            return Some(exchanges.iter().map(|exchange| exchange.request.clone()).collect());
        };
        match &self.replayed.calls[before].outcome {
            Ok(Ok(step)) => match &step.next {
                Next::Send(requests) => Some(requests.clone()),
                Next::WaitMs(_) | Next::Done => None,
            },
            _ => None,
        }
    }
}

/// A call that answers requests.
#[derive(Clone)]
pub(super) struct Answered<'t> {
    pub(super) index: usize,
    pub(super) state: &'t [u8],
    pub(super) responses: &'t [Response],
    pub(super) requests: Vec<Request>,
    pub(super) outcome: &'t Outcome,
}

impl Answered<'_> {
    /// `GET https://…`, which this answers.
    pub(super) fn named(&self, id: u32) -> String {
        match self.requests.iter().find(|request| request.id == id) {
            Some(request) => format!("{} {}", request.method, shown(&request.url)),
            None => format!("request {id}"),
        }
    }
}

/// One call, in words.
pub(super) struct Scene<'s> {
    case: &'s Case,
    /// Of the call, from 0.
    index: usize,
    /// What is not as the case says; empty where all is.
    change: String,
    requests: Vec<Request>,
}

impl<'s> Scene<'s> {
    pub(super) fn new(case: &'s Case, index: usize, change: impl Into<String>) -> Self {
        Self {
            case,
            index,
            change: change.into(),
            requests: Vec::new(),
        }
    }

    /// So that a case of it shows what was asked.
    pub(super) fn asked(mut self, requests: &[Request]) -> Self {
        self.requests = requests.to_vec();
        self
    }

    pub(super) fn run(&self) -> &'s Run {
        &self.case.run
    }

    pub(super) fn place(&self) -> String {
        let step = self.index + 1;
        let change = match self.change.as_str() {
            "" => String::new(),
            change => format!(", {change}"),
        };
        format!("case `{}`, step {step}{change}", shown(&self.case.name))
    }

    pub(super) fn breach(&self, call: &Call, outcome: &Outcome, words: impl Into<String>) -> Breach {
        Breach {
            place: self.place(),
            words: words.into(),
            reproduce: Some(Box::new(self.reproduce(call, outcome))),
        }
    }

    /// A case that makes this very call and no other.
    fn reproduce(&self, call: &Call, outcome: &Outcome) -> Case {
        let (state, exchanges) = match call {
            Call::Begin => (None, Vec::new()),
            Call::Advance { state, responses } => {
                let exchanges = responses.iter().map(|response| self.exchange(response));
                (Some(state.clone()), vec![exchanges.collect()])
            }
        };
        Case {
            name: self.place(),
            state,
            exchanges,
            expect: None,
            same_records_as: None,
            cut: matches!(outcome, Ok(Ok(step)) if step.next != Next::Done),
            failure: outcome.as_ref().err().map(Failure::from),
            ..self.case.clone()
        }
    }

    fn exchange(&self, response: &Response) -> Exchange {
        let asked = self.requests.iter().find(|request| request.id == response.id);
        let request = asked.cloned().unwrap_or_else(|| Request {
            id: response.id,
            method: "GET".into(),
            // Nobody asked.
            url: String::new(),
            headers: Vec::new(),
            body: None,
            idempotent: true,
            cost: 0,
            lane: String::new(),
        });
        Exchange {
            request,
            response: response.clone(),
        }
    }
}

/// The first rule: all others are worth little where a case does not run as it is written.
pub(super) fn rule(traces: &[Trace<'_>]) -> Ruled {
    let tried = count(traces.len(), "case");
    if traces.is_empty() {
        return Ruled::not_proven(Rule::Cases, tried, "there are no cases");
    }
    let breaches = traces.iter().flat_map(|trace| {
        let failed = trace
            .replayed
            .calls
            .last()
            .and_then(|called| failure(trace.case, called, trace.replayed.calls.len()));
        let mismatches = trace.replayed.mismatches.iter().map(|mismatch| Breach {
            place: format!("case `{}`", shown(&trace.case.name)),
            words: mismatch.to_string(),
            reproduce: None,
        });
        mismatches.chain(failed).collect::<Vec<_>>()
    });
    Ruled::of(Rule::Cases, tried, breaches.collect())
}

fn failure(case: &Case, last: &Called, calls: usize) -> Option<Breach> {
    let error = last.outcome.as_ref().err()?;
    let scene = Scene::new(case, calls - 1, "");
    Some(scene.breach(&last.call, &last.outcome, error.to_string()))
}
