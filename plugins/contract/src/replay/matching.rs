//! A step's requests beside a case's exchanges: who answers whom, and in words what differs.
//! Must not run anything.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer;
use crate::case::Exchange;
use crate::difference::{Field, of_bytes, shown};
use crate::run::{Next, Request, Response};

/// The answers to all requests, where each has its exchange and no exchange is left; else what is wrong, in words.
pub(super) fn answers(requests: &[Request], exchanges: &[Exchange]) -> Result<Vec<Response>, Vec<String>> {
    let mut left: Vec<&Exchange> = exchanges.iter().collect();
    let mut responses = Vec::new();
    let mut unanswered = Vec::new();
    for request in requests {
        match left
            .iter()
            .position(|exchange| differences(request, &exchange.request).is_empty())
        {
            Some(place) => responses.push(answer(left.remove(place), request.id)),
            None => unanswered.push(request),
        }
    }
    let mut words = Vec::new();
    for request in unanswered {
        words.push(match nearest(request, &mut left) {
            Some(exchange) => differs(request, &exchange.request),
            None => format!(
                "{} has no answer in the case; expected no further request",
                named(request)
            ),
        });
    }
    words.extend(left.into_iter().map(unused));
    if words.is_empty() { Ok(responses) } else { Err(words) }
}

/// What a run asks for after the last exchange.
pub(super) fn goes_on(next: &Next) -> String {
    let wants = match next {
        Next::Send(requests) => requests.iter().map(named).collect::<Vec<_>>().join(" and "),
        Next::WaitMs(milliseconds) => format!("a wait of {milliseconds} ms"),
        Next::Done => "nothing".into(),
    };
    format!("the run goes on after the last exchange and wants {wants}; expected its end (or `\"cut\": true`)")
}

pub(super) fn unused(exchange: &Exchange) -> String {
    format!(
        "{} was never asked for, and the case has an answer",
        named(&exchange.request)
    )
}

fn differs(request: &Request, expected: &Request) -> String {
    let fields = differences(request, expected);
    let fields: Vec<_> = fields.iter().map(Field::as_expectation).collect();
    format!(
        "{} is not what the case has an answer for: {}",
        named(request),
        fields.join("; ")
    )
}

/// Takes the exchange that is most like the request, if there is any left.
fn nearest<'e>(request: &Request, left: &mut Vec<&'e Exchange>) -> Option<&'e Exchange> {
    let distance = |exchange: &Exchange| differences(request, &exchange.request).len();
    let place = (0..left.len()).min_by_key(|place| distance(left[*place]))?;
    Some(left.remove(place))
}

/// `GET https://…`
fn named(request: &Request) -> String {
    format!("{} {}", request.method, shown(&request.url))
}

fn differences(request: &Request, expected: &Request) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut compare = |path: &str, found: &str, expected: &str| {
        if found != expected {
            fields.push(Field::of(
                path,
                Some(&format!("`{expected}`")),
                Some(&format!("`{found}`")),
            ));
        }
    };
    compare("id", &request.id.to_string(), &expected.id.to_string());
    compare("method", &request.method, &expected.method);
    compare("url", &request.url, &expected.url);
    compare(
        "idempotent",
        &request.idempotent.to_string(),
        &expected.idempotent.to_string(),
    );
    compare("cost", &request.cost.to_string(), &expected.cost.to_string());
    compare("lane", &request.lane, &expected.lane);
    fields.extend(header_differences(request, expected));
    if !same_body(request.body.as_deref(), expected.body.as_deref()) {
        fields.extend(of_bytes("body", expected.body.as_deref(), request.body.as_deref()));
    }
    fields
}

/// Names in whatever case and order; values of one name in their order.
fn header_differences(request: &Request, expected: &Request) -> Vec<Field> {
    let [found, expected] = [request, expected].map(|request| {
        let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, value) in &request.headers {
            values.entry(name.to_ascii_lowercase()).or_default().push(value);
        }
        values
    });
    let mut names: Vec<&String> = found.keys().chain(expected.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let text = |values: Option<&Vec<&str>>| values.map(|values| format!("`{}`", values.join(", ")));
    names
        .into_iter()
        .filter(|name| found.get(*name) != expected.get(*name))
        .map(|name| {
            let [old, new] = [&expected, &found].map(|headers| text(headers.get(name)));
            Field::of(format!("header `{name}`"), old.as_deref(), new.as_deref())
        })
        .collect()
}

/// Equal bytes, or equal JSON: a file for people has its own white space.
fn same_body(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    if one == other {
        return true;
    }
    let json = |bytes: Option<&[u8]>| serde_json::from_slice::<Value>(bytes?).ok();
    json(one).is_some_and(|one| json(other) == Some(one))
}
