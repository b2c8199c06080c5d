//! Runs, driven by hand-written responses. Every state crosses as the bytes that the gateway would keep.

mod lists;
mod others;
mod zones;

use serde_json::{Value, json};
use tidegate_sdk::filter::Filter;
use tidegate_sdk::{
    Configuration, DateFields, Element, Fault, GetArgs, ListArgs, Next, Operation, Parameter, Remedy, Request,
    Response, Run, Step, SweepArgs, Window,
};

use super::State;
use crate::Autotask;

const NOW_MS: i64 = 1_790_000_000_000;
const ZONE: &str = "https://webservices2.autotask.net/atservicesrest/";

fn configuration() -> Value {
    json!({
        "crm.autotask.username": "api@example.com",
        "crm.autotask.server.url": "https://ww2.autotask.net",
        "filter.response.nulls": true,
        "$secrets": ["crm.autotask.password", "crm.autotask.integration.code"],
    })
}

fn run(operation: Operation) -> Run {
    let configuration = Configuration::from_json(configuration().to_string().as_bytes()).unwrap();
    Run {
        operation,
        configuration,
        memo: None,
        now_ms: NOW_MS,
    }
}

/// A run that knows its zone and asked for usage a minute ago.
fn settled(operation: Operation) -> Run {
    Run {
        memo: Some(memo(ZONE, Some(NOW_MS - 60_000))),
        ..run(operation)
    }
}

fn memo(zone: &str, usage_asked_ms: Option<i64>) -> Vec<u8> {
    let mut memo = json!({"server": "https://webservices2.autotask.net/", "username": "api@example.com", "zone": zone});
    if let Some(asked) = usage_asked_ms {
        memo["usageAskedMs"] = asked.into();
    }
    memo.to_string().into_bytes()
}

fn list(resource: &str) -> ListArgs {
    ListArgs {
        resource: resource.into(),
        window: None,
        filter: None,
        parameters: Vec::new(),
        id_field: "id".into(),
        dates: DateFields {
            created: vec!["createDate".into()],
            updated: vec!["lastActivityDate".into()],
        },
        page_size: 500,
        checkpoint: None,
    }
}

fn get(id: &str) -> Operation {
    Operation::Get(GetArgs {
        resource: "accounts".into(),
        id: id.into(),
        id_field: "id".into(),
        dates: DateFields::default(),
    })
}

fn sweep(page_size: u32) -> Operation {
    Operation::Sweep(SweepArgs {
        resource: "accounts".into(),
        id_field: "id".into(),
        page_size,
    })
}

fn begin(run: &Run) -> Result<Step<State>, Fault> {
    Autotask::begin(run)
}

/// Takes the step's state through its bytes, as the gateway does, and answers its requests.
fn answer(run: &Run, step: Step<State>, responses: &[Response]) -> Result<Step<State>, Fault> {
    let Next::Send(requests, state) = step.next else {
        panic!("expected requests, found {:?}", step.next)
    };
    assert!(responses.len() <= requests.len());
    let bytes = serde_json::to_vec(&state).unwrap();
    Autotask::advance(run, serde_json::from_slice(&bytes).unwrap(), responses)
}

fn requests(step: &Step<State>) -> &[Request] {
    match &step.next {
        Next::Send(requests, _) => requests,
        _ => &[],
    }
}

fn urls(step: &Step<State>) -> Vec<&str> {
    requests(step).iter().map(|request| request.url.as_str()).collect()
}

fn body(step: &Step<State>) -> Value {
    serde_json::from_slice(requests(step)[0].body.as_deref().unwrap()).unwrap()
}

fn is_done(step: &Step<State>) -> bool {
    step.next == Next::Done
}

fn codes(step: &Step<State>) -> Vec<&str> {
    step.problems.iter().map(|problem| problem.code.as_str()).collect()
}

fn ids(step: &Step<State>) -> Vec<String> {
    step.records.iter().map(|record| record.id.to_owned()).collect()
}

fn zone_is(url: &str) -> Response {
    let body = json!({"zoneName": "Zone", "url": url, "webUrl": "https://ww2.autotask.net/", "ci": 30049});
    Response::new(super::DISCOVERY, 200, body.to_string())
}

fn page(ids: impl IntoIterator<Item = i64>, next: Option<&str>) -> Response {
    let item = |id| json!({"id": id, "companyName": format!("c{id}"), "createDate": "2020-01-01T00:00:00Z", "lastActivityDate": "2021-01-01T00:00:00Z"});
    records(ids.into_iter().map(item).collect(), next)
}

fn records(items: Vec<Value>, next: Option<&str>) -> Response {
    let details = json!({"count": items.len(), "requestCount": 500, "prevPageUrl": null, "nextPageUrl": next});
    Response::new(
        super::QUERY,
        200,
        json!({"items": items, "pageDetails": details}).to_string(),
    )
}

fn usage(used: u64) -> Response {
    let body = json!({"externalRequestThreshold": 10_000, "requestThresholdTimeframe": 60, "currentTimeframeRequestCount": used});
    Response::new(super::USAGE, 200, body.to_string())
}
