//! Every answer of every case replaced by what vendors, proxies and attackers also send: the element must see it and say
//! so, never trap, and never take it for the end of the data.
//! Must not know what an answer means: it compares with what the true one led to.

mod answers;
mod mutations;

use std::collections::BTreeMap;

use self::answers::Hostile;
use super::scene::{Answered, Scene, Trace};
use super::watched::Watched;
use super::{Breach, Rule, Ruled, count};
use crate::call::Call;
use crate::replay::Outcome;
use crate::run::{Next, Operation, Response, Step};

/// Calls that all cases' changed values may cost together; a component does some five thousand in a second.
pub(super) const MUTATIONS_MAX: usize = 6_000;

/// Changed values of one answer, however many answers there are.
pub(super) const MUTATIONS_MIN: usize = 50;

/// What must not come of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// Anything may, but a trap.
    Nothing,
    /// It makes no sense, so the run must not end well with it.
    NoEnd,
    /// A value of it makes no sense, so nothing may be lost without a word: no record, and no page that would have followed.
    NoLoss,
    /// A value of a record makes no sense, and the run has a filter, which the record may not match any more: only pages
    /// are never lost.
    NoPageLost,
    /// A value is missing, which may mean that no page follows, but not that there is no record.
    NoRecordLost,
}

/// A call with other answers than the case has.
struct Attempt {
    change: String,
    responses: Vec<Response>,
    claim: Claim,
    /// None of the answers is the true one.
    is_all: bool,
}

pub(super) fn rules(watched: &Watched<'_>, traces: &[Trace<'_>]) -> [Ruled; 2] {
    let before = watched.calls();
    let all: usize = traces
        .iter()
        .flat_map(Trace::answered)
        .map(|answered| answered.responses.len())
        .sum();
    let budget = (MUTATIONS_MAX / all.max(1)).max(MUTATIONS_MIN);
    let mut traps = Kinds::default();
    let mut losses = Kinds::default();
    for trace in traces {
        for answered in trace.answered() {
            for attempt in attempts(&answered, &trace.case.run.operation, budget) {
                let scene = Scene::new(trace.case, answered.index, attempt.change.as_str()).asked(&answered.requests);
                let call = Call::Advance {
                    state: answered.state.to_vec(),
                    responses: attempt.responses.clone(),
                };
                let outcome = watched.call_in(&scene, &trace.case.run, &call);
                let breach = |words: &str| scene.breach(&call, &outcome, words);
                match &outcome {
                    Err(error) => traps.add(&error.to_string(), breach),
                    Ok(Ok(step)) => {
                        if let Some(words) = lost(&attempt, answered.outcome, step) {
                            losses.add(words, breach);
                        }
                    }
                    Ok(Err(_)) => {}
                }
            }
        }
    }
    let tried = format!("{}, {}", count(all, "answer"), count(watched.calls() - before, "call"));
    [(Rule::NoTrap, traps), (Rule::NoLoss, losses)].map(|(rule, kinds)| match all {
        0 => Ruled::not_proven(rule, tried.clone(), "no case has an answer"),
        _ => Ruled::of(rule, tried.clone(), kinds.breaches()),
    })
}

fn attempts(answered: &Answered<'_>, operation: &Operation, budget: usize) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let is_only = answered.responses.len() == 1;
    for (index, response) in answered.responses.iter().enumerate() {
        let named = answered.named(response.id);
        let fixed = answers::of(response, operation);
        let mutations = mutations::of(response, operation, budget);
        for hostile in fixed.into_iter().chain(mutations) {
            let mut responses = answered.responses.to_vec();
            responses[index] = hostile.response(response.id);
            attempts.push(Attempt {
                change: format!("the answer to {named} {}", hostile.change),
                responses,
                claim: hostile.claim,
                is_all: is_only,
            });
        }
    }
    if !is_only {
        attempts.extend(all_at_once(answered, operation));
    }
    attempts.extend(unasked(answered));
    attempts
}

/// One of several answers may be dispensable; all of them never are.
fn all_at_once(answered: &Answered<'_>, operation: &Operation) -> Vec<Attempt> {
    let Some(first) = answered.responses.first() else {
        return Vec::new();
    };
    let hostiles = answers::of(first, operation).into_iter();
    let hostiles = hostiles.filter(|hostile| hostile.claim == Claim::NoEnd);
    let attempts = hostiles.map(|hostile: Hostile| Attempt {
        responses: answered
            .responses
            .iter()
            .map(|response| hostile.response(response.id))
            .collect(),
        change: format!("all answers {}", hostile.change),
        claim: hostile.claim,
        is_all: true,
    });
    attempts.collect()
}

/// What a gateway would have to be wrong for; an element that is sure of its ids is not hurt.
fn unasked(answered: &Answered<'_>) -> Vec<Attempt> {
    let attempt = |change: &str, responses: Vec<Response>, claim| Attempt {
        change: change.to_owned(),
        responses,
        claim,
        is_all: true,
    };
    let unknown = |response: &Response| Response {
        id: response.id.wrapping_add(1_000),
        ..response.clone()
    };
    let twice = answered.responses.iter().chain(answered.responses.first()).cloned();
    vec![
        attempt("no answers at all", Vec::new(), Claim::NoEnd),
        attempt(
            "all answers with ids that nobody asked with",
            answered.responses.iter().map(unknown).collect(),
            Claim::NoEnd,
        ),
        attempt("two answers with the same id", twice.collect(), Claim::Nothing),
    ]
}

/// What an attempt lost, in words.
fn lost(attempt: &Attempt, truth: &Outcome, step: &Step) -> Option<&'static str> {
    let ends = step.next == Next::Done;
    let truth = truth.as_ref().ok().and_then(|answer| answer.as_ref().ok());
    let has_fewer = truth.is_some_and(|truth| {
        let found = |step: &Step| step.records.len() + step.ids.len();
        found(step) < found(truth) && step.problems.len() <= truth.problems.len()
    });
    let ends_early = ends && truth.is_some_and(|truth| truth.next != Next::Done);
    const ENDS: &str = "found that the run is done; expected a fault, since the data was not read";
    const EARLY: &str = "found that the run is done, where the true answer leads on; expected a fault";
    const FEWER: &str =
        "found fewer records than in the true answer, and no problem told; expected a fault or a problem";
    match attempt.claim {
        Claim::NoEnd if ends && attempt.is_all => Some(ENDS),
        Claim::NoEnd if ends && (has_fewer || ends_early) => Some(ENDS),
        Claim::NoLoss | Claim::NoPageLost if ends_early => Some(EARLY),
        Claim::NoLoss | Claim::NoRecordLost if has_fewer => Some(FEWER),
        _ => None,
    }
}

/// Breaches by their words: a trap that a hundred answers lead to is one.
#[derive(Default)]
struct Kinds(BTreeMap<String, (Breach, usize)>);

impl Kinds {
    fn add(&mut self, words: &str, breach: impl FnOnce(&str) -> Breach) {
        match self.0.get_mut(words) {
            Some((_, more)) => *more += 1,
            None => {
                self.0.insert(words.to_owned(), (breach(words), 0));
            }
        }
    }

    fn breaches(self) -> Vec<Breach> {
        let breaches = self.0.into_values().map(|(mut breach, more)| {
            if more > 0 {
                breach
                    .words
                    .push_str(&format!(" (and {more} other answers did the same)"));
            }
            breach
        });
        breaches.collect()
    }
}
