//! A vendor that answers everything with the same page for ever: a run must notice, and end.
//! Must not go on for ever itself.

use std::collections::HashSet;

use super::scene::{Answered, Scene, Trace};
use super::watched::Watched;
use super::{Breach, Rule, Ruled, count};
use crate::call::Call;
use crate::run::{Next, Request, Response};

/// Steps after which a run counts as endless. The gateway's own limit is 10,000, an hour of requests.
pub(super) const STEPS_MAX: usize = 1_000;

/// Answers of one case that are tried.
const ANSWERS_MAX: usize = 40;

pub(super) fn rule(watched: &Watched<'_>, traces: &[Trace<'_>]) -> Ruled {
    let before = watched.calls();
    let mut tried = 0;
    let mut breaches = Vec::new();
    for trace in traces {
        let answers = trace.answered().flat_map(|answered| {
            let count = answered.responses.len();
            (0..count).map(move |index| (answered.clone(), index))
        });
        for (answered, index) in answers.take(ANSWERS_MAX) {
            tried += 1;
            breaches.extend(for_ever(watched, trace, &answered, &answered.responses[index]));
        }
    }
    let calls = watched.calls() - before;
    let tried_words = format!("{}, {}", count(tried, "answer"), count(calls, "call"));
    if tried == 0 {
        return Ruled::not_proven(Rule::Progress, tried_words, "no case has an answer");
    }
    Ruled::of(Rule::Progress, tried_words, breaches)
}

/// From this call on, everything that is asked gets this answer.
fn for_ever(watched: &Watched<'_>, trace: &Trace<'_>, answered: &Answered<'_>, response: &Response) -> Option<Breach> {
    let change = format!(
        "every request from here on answered as {} was",
        answered.named(response.id)
    );
    let mut call = Call::Advance {
        state: answered.state.to_vec(),
        responses: answered
            .requests
            .iter()
            .map(|request| answer(request, response))
            .collect(),
    };
    let mut requests = answered.requests.clone();
    let mut seen = HashSet::new();
    for step in 0..STEPS_MAX {
        let scene = Scene::new(trace.case, answered.index + step, change.clone()).asked(&requests);
        let outcome = watched.call_in(&scene, &trace.case.run, &call);
        // What a call that fails means is another rule's.
        let Ok(Ok(found)) = &outcome else { return None };
        requests = match &found.next {
            Next::Done => return None,
            Next::WaitMs(_) => Vec::new(),
            Next::Send(requests) => requests.clone(),
        };
        if !seen.insert((found.state.clone(), fingerprint(&requests))) {
            return Some(scene.breach(
                &call,
                &outcome,
                "found the state and the requests of a step before, so that the run goes in circles; expected a fault",
            ));
        }
        let next = Call::Advance {
            state: found.state.clone(),
            responses: requests.iter().map(|request| answer(request, response)).collect(),
        };
        if step + 1 == STEPS_MAX {
            return Some(scene.breach(
                &call,
                &outcome,
                format!("found no end within {STEPS_MAX} steps; expected a fault"),
            ));
        }
        call = next;
    }
    None
}

fn answer(request: &Request, response: &Response) -> Response {
    Response {
        id: request.id,
        ..response.clone()
    }
}

/// Requests have no hash of their own.
fn fingerprint(requests: &[Request]) -> String {
    serde_json::to_string(requests).unwrap_or_default()
}
