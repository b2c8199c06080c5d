//! Whole runs, answered by hand.

use serde_json::{Value, json};
use tidegate_sdk::{Configuration, Element, Next, Operation, Remedy, Window};

use super::*;
use crate::Zendesk;

const NOW_MS: i64 = 1_700_000_000_000;
const SITE: &str = "https://acme.zendesk.com";

fn run(operation: Operation) -> Run {
    let configuration = json!({"zendesk.url": SITE, "zendesk.email": "a@b.example", "$secrets": ["zendesk.token"]});
    Run {
        operation,
        configuration: Configuration::from_json(configuration.to_string().as_bytes()).unwrap(),
        memo: None,
        now_ms: NOW_MS,
    }
}

fn dates() -> tidegate_sdk::DateFields {
    tidegate_sdk::DateFields {
        created: vec!["created_at".into()],
        updated: vec!["updated_at".into()],
    }
}

fn poll(resource: &str, checkpoint: Option<&Value>) -> tidegate_sdk::ListArgs {
    tidegate_sdk::ListArgs {
        resource: resource.into(),
        window: Some(Window {
            from_ms: 1_600_000_000_000,
            until_ms: None,
        }),
        filter: None,
        parameters: Vec::new(),
        id_field: "id".into(),
        dates: dates(),
        page_size: 2,
        checkpoint: checkpoint.map(|checkpoint| checkpoint.to_string().into_bytes()),
    }
}

fn kept(resource: &str, at: Value) -> Value {
    json!({"site": SITE, "resource": resource, "at": at})
}

/// The request's path and query, and the state that waits for its answer.
fn sent(step: &Step<State>) -> (&str, State) {
    let Next::Send(requests, state) = &step.next else {
        panic!("nothing was sent: {step:?}");
    };
    (requests[0].url.strip_prefix(SITE).unwrap(), state.clone())
}

fn answer(run: &Run, state: State, status: u16, body: &Value) -> Answered {
    Zendesk::advance(run, state, &[Response::new(REQUEST, status, body.to_string())])
}

fn checkpoint(step: &Step<State>) -> Option<Value> {
    step.checkpoint
        .as_deref()
        .map(|bytes| serde_json::from_slice(bytes).unwrap())
}

fn ids(step: &Step<State>) -> Vec<&str> {
    step.records.iter().map(|record| record.id).collect()
}

#[test]
fn a_poll_leaves_with_each_page_the_place_behind_its_records() {
    let first_run = run(Operation::List(poll("tickets", None)));
    let begun = Zendesk::begin(&first_run).unwrap();
    assert_eq!(begun.checkpoint, None);
    let (path, state) = sent(&begun);
    assert_eq!(
        path,
        "/api/v2/incremental/tickets/cursor.json?start_time=1600000000&per_page=2"
    );
    let page = json!({"tickets": [{"id": 1, "status": "new"}, {"id": 2, "status": "deleted"}], "after_cursor": "a", "end_of_stream": false});
    let first = answer(&first_run, state, 200, &page).unwrap();
    assert_eq!(ids(&first), ["1", "2"]);
    assert_eq!(checkpoint(&first), Some(kept("tickets", json!({"cursor": "a"}))));
    let (path, state) = sent(&first);
    assert_eq!(path, "/api/v2/incremental/tickets/cursor.json?cursor=a&per_page=2");
    let page = json!({"tickets": [{"id": 3, "status": "new"}], "after_cursor": "b", "end_of_stream": true});
    let last = answer(&first_run, state, 200, &page).unwrap();
    assert_eq!((ids(&last), &last.next), (vec!["3"], &Next::Done));
    let left = checkpoint(&last);
    assert_eq!(left, Some(kept("tickets", json!({"cursor": "b"}))));

    let second_run = run(Operation::List(poll("tickets", left.as_ref())));
    let begun = Zendesk::begin(&second_run).unwrap();
    let (path, state) = sent(&begun);
    assert_eq!(path, "/api/v2/incremental/tickets/cursor.json?cursor=b&per_page=2");
    let refused = answer(&second_run, state, 422, &json!({"error": "InvalidCursor"})).unwrap_err();
    assert_eq!(refused.remedy, Remedy::Restart);
}

#[test]
fn organizations_are_read_on_from_the_second_that_was_reached() {
    let run = run(Operation::List(poll(
        "organizations",
        Some(&kept("organizations", json!({"startTime": 1_600_000_123}))),
    )));
    let begun = Zendesk::begin(&run).unwrap();
    let (path, state) = sent(&begun);
    assert_eq!(
        path,
        "/api/v2/incremental/organizations.json?start_time=1600000123&per_page=2"
    );
    let page = json!({"organizations": [{"id": 1}, {"id": 2}], "end_time": 1_600_000_200, "end_of_stream": false});
    let step = answer(&run, state, 200, &page).unwrap();
    assert_eq!(
        checkpoint(&step),
        Some(kept("organizations", json!({"startTime": 1_600_000_200})))
    );
    assert_eq!(
        sent(&step).0,
        "/api/v2/incremental/organizations.json?start_time=1600000200&per_page=2"
    );
}

#[test]
fn a_checkpoint_of_another_account_is_not_used_and_one_that_is_none_starts_anew() {
    let mut foreign = kept("users", json!({"cursor": "a"}));
    foreign["site"] = "https://other.zendesk.com".into();
    let begun = Zendesk::begin(&run(Operation::List(poll("users", Some(&foreign))))).unwrap();
    assert!(sent(&begun).0.contains("start_time=1600000000"));
    assert_eq!(begun.problems[0].code, "checkpoint-foreign");
    let fault = Zendesk::begin(&run(Operation::List(poll("users", Some(&json!("a")))))).unwrap_err();
    assert_eq!(fault.remedy, Remedy::Restart);
}

#[test]
fn a_poll_s_where_clause_is_applied_to_the_export_without_its_date() {
    let clause = json!({"op": "and", "terms": [
        {"op": ">=", "field": "updated_at", "value": "2026-01-01T00:00:00Z"},
        {"op": "=", "field": "status", "value": "open"},
    ]});
    let mut args = poll("tickets", None);
    args.filter = Some(tidegate_sdk::filter::Filter::from_json(clause.to_string().as_bytes()).unwrap());
    let run = run(Operation::List(args));
    let begun = Zendesk::begin(&run).unwrap();
    let old = "2011-05-05T10:38:52Z";
    let page = json!({"tickets": [
        {"id": 1, "status": "open", "updated_at": old}, {"id": 2, "status": "new", "updated_at": old},
        {"id": 3, "status": "deleted", "updated_at": old},
    ], "after_cursor": "a", "end_of_stream": true});
    let step = answer(&run, sent(&begun).1, 200, &page).unwrap();
    assert_eq!(ids(&step), ["1", "3"]);
}

#[test]
fn a_where_clause_that_can_match_nothing_says_so() {
    let clause = json!({"op": "=", "field": "tags", "value": "a"});
    let mut args = poll("tickets", None);
    args.filter = Some(tidegate_sdk::filter::Filter::from_json(clause.to_string().as_bytes()).unwrap());
    let run = run(Operation::List(args));
    let begun = Zendesk::begin(&run).unwrap();
    let page = json!({"tickets": [{"id": 1, "tags": ["a"]}, {"id": 2, "tags": []}, {"id": 3, "tags": null}],
        "after_cursor": "a", "end_of_stream": true});
    let step = answer(&run, sent(&begun).1, 200, &page).unwrap();
    assert!(step.records.is_empty());
    let told: Vec<_> = step
        .problems
        .iter()
        .map(|problem| (problem.subject.as_str(), problem.code.as_str()))
        .collect();
    assert_eq!(told, [("tags", "field-incomparable")]);
}

#[test]
fn a_user_s_read_is_a_list_or_a_search_and_leaves_no_checkpoint() {
    let mut args = poll("users", None);
    args.window = None;
    let plain = run(Operation::List(args.clone()));
    let begun = Zendesk::begin(&plain).unwrap();
    assert_eq!(sent(&begun).0, "/api/v2/users.json?page%5Bsize%5D=2");
    let page = json!({"users": [{"id": 1}], "meta": {"has_more": true, "after_cursor": "x"}, "links": {}});
    let step = answer(&plain, sent(&begun).1, 200, &page).unwrap();
    assert_eq!((ids(&step), step.checkpoint.clone()), (vec!["1"], None));
    assert_eq!(sent(&step).0, "/api/v2/users.json?page%5Bsize%5D=2&page%5Bafter%5D=x");
    let page = json!({"users": [], "meta": {"has_more": false}});
    assert_eq!(answer(&plain, sent(&step).1, 200, &page).unwrap().next, Next::Done);

    let clause = json!({"op": "and", "terms": [
        {"op": "=", "field": "role", "value": "admin"}, {"op": "like", "field": "name", "value": "J%"},
    ]});
    args.filter = Some(tidegate_sdk::filter::Filter::from_json(clause.to_string().as_bytes()).unwrap());
    let search = run(Operation::List(args));
    let begun = Zendesk::begin(&search).unwrap();
    assert!(
        sent(&begun)
            .0
            .starts_with("/api/v2/search/export.json?filter%5Btype%5D=user&query=role%3Aadmin&")
    );
    let page = json!({"results": [
        {"id": 1, "name": "Jo", "role": "admin", "result_type": "user"}, {"id": 2, "name": "Al", "role": "admin"},
    ], "meta": {"has_more": false}});
    let step = answer(&search, sent(&begun).1, 200, &page).unwrap();
    let bodies: Vec<_> = step.records.iter().map(|record| record.body).collect();
    assert_eq!(bodies, [r#"{"id":1,"name":"Jo","role":"admin"}"#]);
}

#[test]
fn one_record_is_there_gone_or_not_asked_for() {
    let get = |id: &str| {
        run(Operation::Get(tidegate_sdk::GetArgs {
            resource: "tickets".into(),
            id: id.into(),
            id_field: "id".into(),
            dates: dates(),
        }))
    };
    let asked = get("35436");
    let state = || sent(&Zendesk::begin(&asked).unwrap()).1;
    assert_eq!(sent(&Zendesk::begin(&asked).unwrap()).0, "/api/v2/tickets/35436.json");
    let there = answer(&asked, state(), 200, &json!({"ticket": {"id": 35436}})).unwrap();
    assert_eq!((ids(&there), &there.next), (vec!["35436"], &Next::Done));
    let gone = answer(
        &asked,
        state(),
        404,
        &json!({"error": "RecordNotFound", "description": "Not found"}),
    )
    .unwrap();
    assert_eq!((ids(&gone).len(), &gone.next), (0, &Next::Done));
    let other = answer(&asked, state(), 200, &json!({"ticket": {"id": 1}})).unwrap_err();
    assert_eq!(other.code, "other-record");
    for body in [json!({}), json!({"ticket": null}), json!({"ticket": {}}), json!([])] {
        let fault = answer(&asked, state(), 200, &body).unwrap_err();
        assert_eq!(fault.code, "answer-unreadable", "{body}");
    }
    let page = Response::new(REQUEST, 404, "<!DOCTYPE html>");
    let nobody = Zendesk::advance(&asked, state(), &[page]).unwrap_err();
    assert_eq!(nobody.remedy, Remedy::BadConfiguration);
    for id in ["me", "", "1/comments", "-1", "12345678901234567890"] {
        assert_eq!(Zendesk::begin(&get(id)).unwrap(), Step::done(), "{id}");
    }
}

#[test]
fn credentials_are_good_only_if_they_are_somebody_s() {
    let check = run(Operation::Check);
    let state = || sent(&Zendesk::begin(&check).unwrap()).1;
    let user = |user: Value| answer(&check, state(), 200, &json!({"user": user}));
    assert!(user(json!({"id": 1, "role": "admin"})).is_ok());
    assert!(user(json!({"id": 1, "role": "agent"})).is_ok());
    let stranger = user(json!({"id": null, "name": "Anonymous user", "role": "end-user"})).unwrap_err();
    assert_eq!(stranger.remedy, Remedy::RefreshAuth);
    assert_eq!(
        user(json!({"id": 1, "role": "end-user"})).unwrap_err().code,
        "zendesk.email"
    );
    assert_eq!(
        answer(&check, state(), 200, &json!({})).unwrap_err().code,
        "answer-unreadable"
    );
    let refused = answer(&check, state(), 401, &json!({"error": "Couldn't authenticate you"})).unwrap_err();
    assert_eq!(refused.remedy, Remedy::RefreshAuth);
}

#[test]
fn a_sweep_of_tickets_reads_the_export_and_others_their_lists() {
    let sweep = |resource: &str, id_field: &str| {
        run(Operation::Sweep(tidegate_sdk::SweepArgs {
            resource: resource.into(),
            id_field: id_field.into(),
            page_size: 500,
        }))
    };
    let tickets = sweep("tickets", "id");
    let begun = Zendesk::begin(&tickets).unwrap();
    assert_eq!(
        sent(&begun).0,
        "/api/v2/incremental/tickets/cursor.json?start_time=0&per_page=500"
    );
    let page = json!({"tickets": [{"id": 2, "status": "closed"}, {"id": 1, "status": "deleted"}], "after_cursor": "a", "end_of_stream": true});
    let step = answer(&tickets, sent(&begun).1, 200, &page).unwrap();
    assert_eq!(
        (step.ids.as_slice(), &step.checkpoint),
        (["2".to_owned()].as_slice(), &None)
    );
    let organizations = sweep("organizations", "external_id");
    let begun = Zendesk::begin(&organizations).unwrap();
    assert_eq!(sent(&begun).0, "/api/v2/organizations.json?page%5Bsize%5D=100");
    let page = json!({"organizations": [{"id": 1, "external_id": "x"}, {"id": 2}], "meta": {"has_more": false}});
    let fault = answer(&organizations, sent(&begun).1, 200, &page).unwrap_err();
    assert_eq!(
        fault.code, "idField",
        "a sweep that leaves records out says that they are gone"
    );
}

#[test]
fn what_a_run_is_not_asked_for_is_a_fault() {
    let check = run(Operation::Check);
    for responses in [vec![], vec![Response::new(REQUEST + 1, 200, r#"{"user":{"id":1}}"#)]] {
        let fault = Zendesk::advance(&check, State::Asked, &responses).unwrap_err();
        assert_eq!(fault.code, "response-missing");
    }
    let other = State::Pages(Cursor::start());
    assert_eq!(
        answer(&check, other, 200, &json!({})).unwrap_err().code,
        "state-unknown"
    );
    let unknown = run(Operation::Other("merge".into(), Vec::new()));
    assert_eq!(Zendesk::begin(&unknown).unwrap_err().code, "operation-unknown");
}
