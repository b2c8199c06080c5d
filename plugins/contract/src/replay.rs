//! A case driven through an element: every request is matched whole against what the case has an answer for.
//! Must not judge what came of the run ([`crate::expect`] compares it), and must not forgive: a request that differs in a
//! header is another request.

mod matching;

use std::fmt;

use crate::call::{Call, CallError, Subject};
use crate::case::{Case, Exchange, Found};
use crate::run::{Fault, Next, Response, Step};

/// Steps of a replay, waiting ones counted. The gateway ends a run at 10,000; no case is that long.
pub const STEPS_MAX: u32 = 10_000;

/// What came of a replay.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    pub found: Found,
    /// All calls in their order, with what they gave.
    pub calls: Vec<Called>,
    /// Where the run and the case part ways; the run ends there.
    pub mismatches: Vec<Mismatch>,
    /// The last call gave neither step nor fault.
    pub failure: Option<CallError>,
}

/// One call and its outcome.
#[derive(Clone, Debug)]
pub struct Called {
    pub call: Call,
    pub outcome: Outcome,
}

/// What a call gives.
pub type Outcome = Result<Result<Step, Fault>, CallError>;

/// The run asked for something else than the case has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The step that asked, counted from 1.
    pub step: u32,
    pub words: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "step {}: {}", self.step, self.words)
    }
}

impl Replayed {
    pub fn steps(&self) -> u32 {
        u32::try_from(self.calls.len()).unwrap_or(u32::MAX)
    }

    /// What may be kept as the case's expectation: nothing where the run left the case or failed.
    pub fn snapshot(&self) -> Option<&Found> {
        (self.mismatches.is_empty() && self.failure.is_none()).then_some(&self.found)
    }
}

/// Drives the case's run until it ends, fails, leaves the case, or the case is cut.
pub fn replay(subject: &dyn Subject, case: &Case) -> Replayed {
    let mut replay = Replay {
        case,
        replayed: Replayed::default(),
        exchanges: case.exchanges.iter(),
    };
    let mut call = replay.first_call();
    while let Some(next) = replay.step(subject, call) {
        call = next;
    }
    replay.replayed
}

struct Replay<'c> {
    case: &'c Case,
    replayed: Replayed,
    /// Not used yet.
    exchanges: std::slice::Iter<'c, Vec<Exchange>>,
}

impl Replay<'_> {
    fn first_call(&mut self) -> Call {
        match &self.case.state {
            None => Call::Begin,
            Some(state) => {
                let exchanges = self.exchanges.next().map(Vec::as_slice).unwrap_or_default();
                let answers = exchanges.iter().map(|exchange| answer(exchange, exchange.request.id));
                Call::Advance {
                    state: state.clone(),
                    responses: answers.collect(),
                }
            }
        }
    }

    /// The call that follows; none where the replay ends.
    fn step(&mut self, subject: &dyn Subject, call: Call) -> Option<Call> {
        let outcome = subject.call(&self.case.run, &call);
        self.replayed.calls.push(Called {
            call,
            outcome: outcome.clone(),
        });
        match outcome {
            Err(failure) => self.replayed.failure = Some(failure),
            Ok(Err(fault)) => {
                self.replayed.found.fault = Some(fault);
                self.ended("ended in a fault");
            }
            Ok(Ok(step)) => return self.go_on(step),
        }
        None
    }

    fn go_on(&mut self, step: Step) -> Option<Call> {
        gather(&mut self.replayed.found, &step);
        let requests = match &step.next {
            Next::Done => {
                self.ended("is done");
                return None;
            }
            Next::WaitMs(_) => &[][..],
            Next::Send(requests) => requests,
        };
        let Some(exchanges) = self.exchanges.next() else {
            if !self.case.cut {
                self.mismatch(matching::goes_on(&step.next));
            }
            return None;
        };
        if self.replayed.steps() >= STEPS_MAX {
            self.mismatch(format!("the run goes on; expected its end within {STEPS_MAX} steps"));
            return None;
        }
        match matching::answers(requests, exchanges) {
            Ok(responses) => Some(Call::Advance {
                state: step.state,
                responses,
            }),
            Err(found) => {
                found.into_iter().for_each(|words| self.mismatch(words));
                None
            }
        }
    }

    /// The run came to an end by itself: the case should too.
    fn ended(&mut self, how: &str) {
        let unused: Vec<&Exchange> = self.exchanges.clone().flatten().collect();
        for exchange in &unused {
            self.mismatch(format!("the run {how}; {}", matching::unused(exchange)));
        }
        // Where a step failed, nobody knows yet how it would have gone on.
        if self.case.cut && self.case.failure.is_none() && unused.is_empty() {
            self.mismatch(format!(
                "the run {how}; expected that it goes on, for the case is `cut`"
            ));
        }
    }

    fn mismatch(&mut self, words: String) {
        let step = self.replayed.steps();
        self.replayed.mismatches.push(Mismatch { step, words });
    }
}

fn answer(exchange: &Exchange, id: u32) -> Response {
    Response {
        id,
        ..exchange.response.clone()
    }
}

/// Adds what a step gave to what the run gave.
pub(crate) fn gather(found: &mut Found, step: &Step) {
    found.records.extend(step.records.iter().cloned());
    found.ids.extend(step.ids.iter().cloned());
    found.problems.extend(step.problems.iter().cloned());
    if step.checkpoint.is_some() {
        found.checkpoint.clone_from(&step.checkpoint);
    }
    if step.memo.is_some() {
        found.memo.clone_from(&step.memo);
    }
}

#[cfg(test)]
mod tests;
