//! The same call again, in a fresh guest and in one that is kept: nothing but the inputs may matter.
//! Must not look at what an outcome means.

use super::scene::{Scene, Trace};
use super::watched::Watched;
use super::{Breach, Rule, Ruled, count};
use crate::call::{CallError, Subject};
use crate::difference::{Field, of_bytes, of_json};
use crate::replay::Outcome;
use crate::run::{Fault, Next, Step};

/// Rounds of a case in one kept guest: what the first leaves behind, the second meets.
const ROUNDS: usize = 2;

pub(super) fn same_bytes(watched: &Watched<'_>, traces: &[Trace<'_>]) -> Ruled {
    let before = watched.calls();
    let mut breaches: Vec<Breach> = same_manifest(watched).into_iter().collect();
    for trace in traces {
        for (index, called) in trace.replayed.calls.iter().enumerate() {
            let scene = Scene::new(trace.case, index, "called again with the same inputs");
            let again = watched.call_in(&scene, &trace.case.run, &called.call);
            let words = difference(&called.outcome, &again);
            breaches.extend(words.map(|words| scene.breach(&called.call, &again, words)));
        }
    }
    Ruled::of(Rule::SameBytes, count(watched.calls() - before, "call"), breaches)
}

/// The manifest too, which is that of the element that is checked.
fn same_manifest(watched: &Watched<'_>) -> Option<Breach> {
    let wrong = |words: String| {
        Some(Breach {
            place: "manifest".into(),
            words,
            reproduce: None,
        })
    };
    match (watched.manifest(), watched.manifest()) {
        (Ok(one), Ok(other)) if one == other => None,
        (Ok(_), Ok(_)) => wrong("found other bytes when asked again; expected the same".into()),
        (Err(error), _) | (_, Err(error)) => wrong(error.to_string()),
    }
}

pub(super) fn fresh_guest(subject: &dyn Subject, traces: &[Trace<'_>]) -> Ruled {
    match in_kept_guests(subject, traces) {
        Ok(Some((calls, breaches))) => Ruled::of(Rule::FreshGuest, count(calls, "call"), breaches),
        Ok(None) => Ruled::not_proven(
            Rule::FreshGuest,
            count(0, "call"),
            "natively there are no guests; the component shows it",
        ),
        Err(error) => Ruled::not_proven(
            Rule::FreshGuest,
            count(0, "call"),
            format!("there is no guest to keep: {error}"),
        ),
    }
}

fn in_kept_guests(subject: &dyn Subject, traces: &[Trace<'_>]) -> Result<Option<(usize, Vec<Breach>)>, CallError> {
    let mut calls = 0;
    let mut breaches = Vec::new();
    for trace in traces {
        // One for each case: a guest is not made for many calls, and may have a memory that only grows.
        let Some(kept) = subject.kept()? else {
            return Ok(None);
        };
        for round in 1..=ROUNDS {
            for (index, called) in trace.replayed.calls.iter().enumerate() {
                calls += 1;
                let outcome = kept.call(&trace.case.run, &called.call);
                let change = format!("in a guest that made the calls before too (round {round})");
                let scene = Scene::new(trace.case, index, change);
                let words = difference(&called.outcome, &outcome);
                breaches.extend(words.map(|words| scene.breach(&called.call, &outcome, words)));
            }
        }
    }
    Ok(Some((calls, breaches)))
}

/// What differs, in words; none where nothing does.
fn difference(first: &Outcome, again: &Outcome) -> Option<String> {
    if first == again {
        return None;
    }
    let fields = match (first, again) {
        (Ok(Ok(first)), Ok(Ok(again))) => of_steps(first, again),
        (Ok(Err(first)), Ok(Err(again))) => of_faults(first, again),
        (first, again) => vec![Field::of("outcome", Some(&kind(first)), Some(&kind(again)))],
    };
    let words: Vec<_> = fields.iter().map(Field::as_expectation).collect();
    Some(words.join("; "))
}

fn of_faults(first: &Fault, again: &Fault) -> Vec<Field> {
    let json = |fault: &Fault| serde_json::to_value(fault).unwrap_or_default();
    of_json("fault", &json(first), &json(again))
}

fn of_steps(first: &Step, again: &Step) -> Vec<Field> {
    let mut fields = Vec::new();
    let json = |step: &Step| {
        let next = match &step.next {
            Next::Send(requests) => serde_json::json!({ "send": requests }),
            Next::WaitMs(milliseconds) => serde_json::json!({ "waitMs": milliseconds }),
            Next::Done => serde_json::json!("done"),
        };
        serde_json::json!({"next": next, "records": step.records, "ids": step.ids, "problems": step.problems})
    };
    fields.extend(of_json("", &json(first), &json(again)));
    let parts = |step: &Step| [Some(step.state.clone()), step.checkpoint.clone(), step.memo.clone()];
    for ((path, first), again) in ["state", "checkpoint", "memo"]
        .into_iter()
        .zip(parts(first))
        .zip(parts(again))
    {
        fields.extend(of_bytes(path, first.as_deref(), again.as_deref()));
    }
    fields
}

fn kind(outcome: &Outcome) -> String {
    match outcome {
        Ok(Ok(_)) => "a step".into(),
        Ok(Err(fault)) => format!("the fault `{}`", fault.code),
        Err(error) => error.to_string(),
    }
}
