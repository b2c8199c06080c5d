//! Tests of replaying: a run of two pages and a wait, and every way in which it may leave its case.

use serde_json::json;

use super::*;
use crate::case::Failure;
use crate::run::{Remedy, Request};
use crate::testing::{Element, case, done, exchange, fault, get, record, send, wait};

/// Asks for a page, waits, asks for two things at once, and is done. The state counts.
fn two_pages(call: &Call) -> Outcome {
    let Call::Advance { state, responses } = call else {
        return Ok(Ok(send([get("https://acme.example/1")], b"1")));
    };
    Ok(Ok(match state.as_slice() {
        b"1" => Step {
            records: vec![record("1", r#"{"id":1}"#)],
            ..wait(50, b"2")
        },
        b"2" => {
            assert!(responses.is_empty());
            let two = Request {
                id: 2,
                headers: vec![("Accept".into(), "application/json".into()), ("X".into(), "y".into())],
                body: Some(br#"{"a":1,"b":2}"#.to_vec()),
                ..get("https://acme.example/2")
            };
            send(
                [
                    two,
                    Request {
                        id: 3,
                        ..get("https://acme.example/3")
                    },
                ],
                b"3",
            )
        }
        _ => {
            let ids: Vec<_> = responses.iter().map(|response| response.id).collect();
            assert_eq!(ids, [2, 3], "ids are those of the requests");
            assert_eq!((&*responses[0].body, &*responses[1].body), (&b"two"[..], &b"three"[..]));
            Step {
                records: vec![record("2", r#"{"id":2}"#)],
                memo: Some(b"m".to_vec()),
                ..done()
            }
        }
    }))
}

/// The case that fits, its bodies and headers written in another way.
fn fitting() -> Case {
    let two = Request {
        id: 2,
        headers: vec![("x".into(), "y".into()), ("ACCEPT".into(), "application/json".into())],
        body: Some(b"{ \"b\": 2, \"a\": 1 }".to_vec()),
        ..get("https://acme.example/2")
    };
    let three = Request {
        id: 3,
        ..get("https://acme.example/3")
    };
    case(vec![
        vec![exchange(get("https://acme.example/1"), 200, "one")],
        vec![],
        vec![exchange(three, 200, "three"), exchange(two, 200, "two")],
    ])
}

fn words(case: &Case) -> Vec<String> {
    let replayed = replay(&Element(two_pages), case);
    assert_eq!(replayed.snapshot().is_some(), replayed.mismatches.is_empty());
    replayed.mismatches.iter().map(ToString::to_string).collect()
}

#[test]
fn a_run_that_asks_what_the_case_has_gives_what_it_found() {
    let replayed = replay(&Element(two_pages), &fitting());
    assert_eq!(replayed.mismatches, []);
    assert_eq!(replayed.steps(), 4);
    let ids: Vec<_> = replayed.found.records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!((ids, replayed.found.memo.as_deref()), (vec!["1", "2"], Some(&b"m"[..])));
}

#[test]
fn a_request_that_differs_is_named_field_by_field() {
    let mut changed = fitting();
    let request = &mut changed.exchanges[2][1].request;
    request.method = "POST".into();
    request.cost = 5;
    request.headers.push(("Z".into(), "z".into()));
    request.body = Some(b"{\"a\":2}".to_vec());
    assert_eq!(
        words(&changed),
        [
            "step 3: GET https://acme.example/2 is not what the case has an answer for: method: found `GET`; expected `POST`; \
             cost: found `1`; expected `5`; header `z`: found none; expected `z`; body.a: found 1; expected 2; body.b: found 2; \
             expected none"
        ]
    );
}

#[test]
fn every_field_of_a_request_counts() {
    type Change = fn(&mut Request);
    let changes: [(&str, Change); 8] = [
        ("id", |request| request.id = 9),
        ("method", |request| request.method = "PUT".into()),
        ("url", |request| request.url.push('/')),
        ("idempotent", |request| request.idempotent = false),
        ("cost", |request| request.cost = 0),
        ("lane", |request| request.lane = "x".into()),
        ("header", |request| request.headers.push(("a".into(), "b".into()))),
        ("body", |request| request.body = Some(Vec::new())),
    ];
    for (field, change) in changes {
        let mut changed = fitting();
        change(&mut changed.exchanges[0][0].request);
        let words = words(&changed);
        assert!(
            words.len() == 1 && words[0].contains(&format!("for: {field}")),
            "{field}: {words:?}"
        );
    }
}

#[test]
fn a_missing_and_an_unused_answer_are_told() {
    let mut missing = fitting();
    missing.exchanges[2].pop();
    assert_eq!(
        words(&missing),
        ["step 3: GET https://acme.example/2 has no answer in the case; expected no further request"]
    );
    let mut unused = fitting();
    let more = exchange(get("https://acme.example/9"), 200, "");
    unused.exchanges[2].push(more.clone());
    assert_eq!(
        words(&unused),
        ["step 3: GET https://acme.example/9 was never asked for, and the case has an answer"]
    );
    let mut later = fitting();
    later.exchanges.push(vec![more]);
    assert_eq!(
        words(&later),
        ["step 4: the run is done; GET https://acme.example/9 was never asked for, and the case has an answer"]
    );
    let mut waits = fitting();
    waits.exchanges.remove(1);
    assert_eq!(words(&waits).len(), 2, "a wait is a step that has no exchanges");
}

#[test]
fn a_run_that_goes_on_is_told_unless_the_case_is_cut() {
    let mut short = fitting();
    short.exchanges.pop();
    assert_eq!(
        words(&short),
        [
            "step 3: the run goes on after the last exchange and wants GET https://acme.example/2 and GET \
             https://acme.example/3; expected its end (or `\"cut\": true`)"
        ]
    );
    short.cut = true;
    assert_eq!(replay(&Element(two_pages), &short).found.records.len(), 1);
    assert!(words(&short).is_empty());
    let mut ended = fitting();
    ended.cut = true;
    assert_eq!(
        words(&ended),
        ["step 4: the run is done; expected that it goes on, for the case is `cut`"]
    );
    // A gateway keeps a step that failed, and cannot know what would have followed.
    ended.failure = Some(Failure {
        code: "trap".into(),
        message: "unreachable".into(),
    });
    assert!(words(&ended).is_empty());
}

#[test]
fn a_case_may_begin_in_the_middle_of_a_run() {
    let mut middle = fitting();
    middle.state = Some(b"1".to_vec());
    assert!(words(&middle).is_empty());
    let replayed = replay(&Element(two_pages), &middle);
    assert!(matches!(&replayed.calls[0].call, Call::Advance { responses, .. } if responses.len() == 1));
}

#[test]
fn a_fault_ends_the_run_and_is_found() {
    let refuses = |call: &Call| match call {
        Call::Begin => Ok(Ok(send([get("https://acme.example/1")], b""))),
        Call::Advance { .. } => Ok(Err(fault("refused"))),
    };
    let replayed = replay(
        &Element(refuses),
        &case(vec![vec![exchange(get("https://acme.example/1"), 401, "")]]),
    );
    assert_eq!(replayed.mismatches, []);
    assert_eq!(
        replayed.snapshot().unwrap().fault.as_ref().unwrap().remedy,
        Remedy::Broken
    );
}

#[test]
fn a_failure_is_kept_and_gives_no_snapshot() {
    let traps = |_: &Call| Err(CallError::Trap("unreachable".into()));
    let replayed = replay(&Element(traps), &case(Vec::new()));
    assert_eq!(replayed.failure, Some(CallError::Trap("unreachable".into())));
    assert_eq!(replayed.snapshot(), None);
}

#[test]
fn a_replay_is_bounded() {
    let waits = |_: &Call| Ok(Ok(wait(1, b"")));
    let endless = case(vec![Vec::new(); STEPS_MAX as usize + 1]);
    let replayed = replay(&Element(waits), &endless);
    assert_eq!(replayed.steps(), STEPS_MAX);
    assert!(replayed.mismatches[0].words.contains("within 10000 steps"));
    assert!(endless.to_text().contains("exchanges"));
    assert_eq!(json!(endless)["format"], 1);
}
