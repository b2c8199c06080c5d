//! WIT to domain, where a guest can lie: lengths, identity and caps are checked.
//! Must not build anything out of bodies: that each is one JSON object is seen in one pass that keeps nothing.

use std::collections::HashSet;
use std::fmt::Display;

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::domain::record::{Moment, Record};
use crate::domain::run::{Fault, Next, Problem, Remedy, Request, Step};
use crate::domain::time::Timestamp;
use crate::ports::CallError;

use super::super::bindings::tidegate::element::types as wit;
use super::super::limits::{ID_BYTES, Limits};

type Checked<T> = Result<T, CallError>;

/// A step that keeps the contract. Bodies are slices of the one buffer that came out of the guest.
pub(in super::super) fn step(step: wit::Step, limits: &Limits) -> Checked<Step> {
    check_length("state", step.state.len(), limits.state_bytes)?;
    check_length(
        "checkpoint",
        step.checkpoint.as_ref().map_or(0, Vec::len),
        limits.state_bytes,
    )?;
    check_length("memo", step.memo.as_ref().map_or(0, Vec::len), limits.memo_bytes)?;
    check_ids("ids", step.ids.iter().map(String::as_str))?;
    Ok(Step {
        next: next(step.next, limits)?,
        records: records(step.bytes.into(), step.items)?,
        ids: step.ids,
        problems: step.problems.into_iter().map(problem).collect(),
        checkpoint: step.checkpoint,
        memo: step.memo,
        state: step.state,
    })
}

pub(in super::super) fn fault(fault: wit::Fault) -> Checked<Fault> {
    let detail = fault.detail.map(|json| serde_json::from_slice(&json)).transpose();
    let detail = detail.or_else(|error| broken(format!("a fault's detail is not JSON: {error}")))?;
    Ok(Fault {
        remedy: remedy(fault.remedy),
        code: fault.code,
        message: fault.message,
        detail,
    })
}

fn broken<T>(rule: impl Into<String>) -> Checked<T> {
    Err(CallError::Contract(rule.into()))
}

fn check_length(name: &str, length: usize, limit: usize) -> Checked<()> {
    if length > limit {
        return broken(format!("{name} has {length} bytes; expected at most {limit}"));
    }
    Ok(())
}

fn next(next: wit::Next, limits: &Limits) -> Checked<Next> {
    match next {
        wit::Next::Send(requests) => {
            let count = requests.len();
            let most = limits.requests_per_step;
            if count == 0 || count > most {
                return broken(format!("a step sends {count} requests; expected 1 to {most}"));
            }
            check_unique("request id", requests.iter().map(|request| request.id))?;
            Ok(Next::Send(requests.into_iter().map(request).collect()))
        }
        wit::Next::WaitMs(ms) => Ok(Next::WaitMs(ms)),
        wit::Next::Done => Ok(Next::Done),
        wit::Next::Other(name) => broken(format!("next is `{}`, which this gateway does not know", shown(&name))),
    }
}

fn records(mut bytes: Bytes, items: Vec<wit::Item>) -> Checked<Vec<Record>> {
    let mut records = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let id = take(&mut bytes, item.id_length, index)?;
        let body = take(&mut bytes, item.body_length, index)?;
        records.push(record(id, body, item, index)?);
    }
    if !bytes.is_empty() {
        return broken(format!("the last {} bytes of `bytes` belong to no item", bytes.len()));
    }
    check_ids("items", records.iter().map(|record| record.id.as_str()))?;
    Ok(records)
}

/// Cuts off the front without copying.
fn take(bytes: &mut Bytes, length: u32, index: usize) -> Checked<Bytes> {
    match usize::try_from(length) {
        Ok(length) if length <= bytes.len() => Ok(bytes.split_to(length)),
        _ => broken(format!(
            "item {index} claims {length} bytes where `bytes` has {} left",
            bytes.len()
        )),
    }
}

fn record(id: Bytes, body: Bytes, item: wit::Item, index: usize) -> Checked<Record> {
    let Ok(id) = String::from_utf8(id.into()) else {
        return broken(format!("the id of item {index} is not UTF-8"));
    };
    match body.first() {
        Some(b'{') => check_json(&body, index)?,
        Some(_) => return broken(format!("the body of item {index} is not one JSON object")),
        None if item.deleted => {}
        None => return broken(format!("item {index} has no body and is not deleted")),
    }
    Ok(Record {
        id,
        body,
        created: moment(item.created),
        updated: moment(item.updated),
        deleted: item.deleted,
    })
}

/// Bodies go into notifications and answers as they are: one that is no JSON would spoil all around it.
fn check_json(body: &[u8], index: usize) -> Checked<()> {
    let text = std::str::from_utf8(body).or_else(|_| broken(format!("the body of item {index} is not UTF-8")))?;
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => broken(format!("the body of item {index} is not one JSON object: {error}")),
    }
}

fn check_ids<'a>(place: &str, ids: impl Iterator<Item = &'a str> + Clone) -> Checked<()> {
    for (index, id) in ids.clone().enumerate() {
        if id.is_empty() || id.len() > ID_BYTES {
            return broken(format!(
                "id {index} of {place} has {} bytes; expected 1 to {ID_BYTES}",
                id.len()
            ));
        }
    }
    check_unique(&format!("id of {place}"), ids)
}

fn check_unique<T: Eq + std::hash::Hash + Display>(name: &str, values: impl Iterator<Item = T>) -> Checked<()> {
    let mut seen = HashSet::with_capacity(values.size_hint().0);
    for value in values {
        if seen.contains(&value) {
            return broken(format!("{name} `{}` comes twice in a step", shown(&value.to_string())));
        }
        seen.insert(value);
    }
    Ok(())
}

/// A guest's text in a message of ours: short, and in one line.
fn shown(text: &str) -> String {
    const CHARS: usize = 100;
    text.chars()
        .take(CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn moment(moment: wit::Moment) -> Option<Moment> {
    match moment {
        wit::Moment::None => None,
        wit::Moment::AtMs(ms) => Some(Moment::At(Timestamp::from_ms(ms))),
        wit::Moment::Text(text) => Some(Moment::Text(text)),
    }
}

fn request(request: wit::Request) -> Request {
    Request {
        id: request.id,
        method: request.method,
        url: request.url,
        headers: request
            .headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect(),
        body: request.body,
        idempotent: request.idempotent,
        cost: request.cost,
        lane: request.lane,
    }
}

fn problem(problem: wit::Problem) -> Problem {
    Problem {
        subject: problem.subject,
        code: problem.code,
        message: problem.message,
    }
}

fn remedy(remedy: wit::Remedy) -> Remedy {
    match remedy {
        wit::Remedy::Retry(after_seconds) => Remedy::Retry { after_seconds },
        wit::Remedy::RateLimited(after_seconds) => Remedy::RateLimited { after_seconds },
        wit::Remedy::RefreshAuth => Remedy::RefreshAuth,
        wit::Remedy::Restart => Remedy::Restart,
        wit::Remedy::BadConfiguration => Remedy::BadConfiguration,
        wit::Remedy::Broken => Remedy::Broken,
        wit::Remedy::Other(name) => Remedy::Other(name),
    }
}
