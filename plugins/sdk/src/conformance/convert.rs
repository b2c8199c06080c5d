//! Between the contract's types and the bindings', in the gateway's place.
//! Must not repair anything: what a gateway refuses is refused here.

use bytes::Bytes;
use tidegate_contract::record::{Moment, Record};
use tidegate_contract::run::{
    DateFields, Fault, ListArgs, Next, Operation, Problem, Remedy, Request, Response, Run, Step, Window,
};
use tidegate_contract::time::Timestamp;

use crate::bindings::tidegate::element::types;

pub(super) fn run_out(run: &Run) -> types::Run {
    types::Run {
        operation: operation_out(&run.operation),
        configuration: run.configuration.to_string().into_bytes(),
        memo: run.memo.clone(),
        now_ms: run.now.as_ms(),
    }
}

fn operation_out(operation: &Operation) -> types::Operation {
    match operation {
        Operation::Check => types::Operation::Check,
        Operation::List(list) => types::Operation::List(list_out(list)),
        Operation::Get(get) => types::Operation::Get(types::GetArgs {
            resource: get.resource.clone(),
            id: get.id.clone(),
            id_field: get.id_field.clone(),
            dates: dates_out(&get.dates),
        }),
        Operation::Sweep(sweep) => types::Operation::Sweep(types::SweepArgs {
            resource: sweep.resource.clone(),
            id_field: sweep.id_field.clone(),
            page_size: sweep.page_size,
        }),
    }
}

fn list_out(list: &ListArgs) -> types::ListArgs {
    let parameter = |(name, value): &(String, String)| types::Parameter {
        name: name.clone(),
        value: value.clone(),
    };
    types::ListArgs {
        resource: list.resource.clone(),
        window: list.window.map(|Window { from, until }| types::Window {
            from_ms: from.as_ms(),
            until_ms: until.map(Timestamp::as_ms),
        }),
        filter: list.filter.as_ref().map(|filter| filter.to_string().into_bytes()),
        parameters: list.parameters.iter().map(parameter).collect(),
        id_field: list.id_field.clone(),
        dates: dates_out(&list.dates),
        page_size: list.page_size,
        checkpoint: list.checkpoint.clone(),
    }
}

fn dates_out(dates: &DateFields) -> types::DateFields {
    types::DateFields {
        created: dates.created.clone(),
        updated: dates.updated.clone(),
    }
}

pub(super) fn responses_out(responses: &[Response]) -> Vec<types::Response> {
    let header = |(name, value): &(String, String)| types::Header {
        name: name.clone(),
        value: value.clone(),
    };
    let response = |response: &Response| types::Response {
        id: response.id,
        status: response.status,
        headers: response.headers.iter().map(header).collect(),
        body: response.body.to_vec(),
    };
    responses.iter().map(response).collect()
}

/// The error is what a gateway would refuse.
pub(super) fn step_in(step: types::Step) -> Result<Step, String> {
    Ok(Step {
        next: match step.next {
            types::Next::Send(requests) => Next::Send(requests.into_iter().map(request_in).collect()),
            types::Next::WaitMs(milliseconds) => Next::WaitMs(milliseconds),
            types::Next::Done => Next::Done,
            types::Next::Other(name) => return Err(format!("next is `{name}`, which this gateway does not know")),
        },
        records: records_in(step.bytes.into(), step.items)?,
        ids: step.ids,
        problems: step.problems.into_iter().map(problem_in).collect(),
        checkpoint: step.checkpoint,
        memo: step.memo,
        state: step.state,
    })
}

fn request_in(request: types::Request) -> Request {
    let header = |header: types::Header| (header.name, header.value);
    Request {
        id: request.id,
        method: request.method,
        url: request.url,
        headers: request.headers.into_iter().map(header).collect(),
        body: request.body,
        idempotent: request.idempotent,
        cost: request.cost,
        lane: request.lane,
    }
}

fn records_in(mut bytes: Bytes, items: Vec<types::Item>) -> Result<Vec<Record>, String> {
    let mut take = |length: u32| {
        let length = usize::try_from(length).ok().filter(|length| *length <= bytes.len());
        length
            .map(|length| bytes.split_to(length))
            .ok_or("an item is longer than what is left of `bytes`")
    };
    let mut records = Vec::with_capacity(items.len());
    for item in items {
        let id = take(item.id_length)?.to_vec();
        records.push(Record {
            id: String::from_utf8(id).map_err(|_| "an id is not UTF-8")?,
            body: take(item.body_length)?,
            created: moment_in(item.created),
            updated: moment_in(item.updated),
            deleted: item.deleted,
        });
    }
    Ok(records)
}

fn moment_in(moment: types::Moment) -> Option<Moment> {
    match moment {
        types::Moment::None => None,
        types::Moment::AtMs(milliseconds) => Some(Moment::At(Timestamp::from_ms(milliseconds))),
        types::Moment::Text(text) => Some(Moment::Text(text)),
    }
}

fn problem_in(problem: types::Problem) -> Problem {
    Problem {
        subject: problem.subject,
        code: problem.code,
        message: problem.message,
    }
}

/// The error is what a gateway would refuse.
pub(super) fn fault_in(fault: types::Fault) -> Result<Fault, String> {
    let detail = fault.detail.map(|detail| serde_json::from_slice(&detail)).transpose();
    Ok(Fault {
        remedy: match fault.remedy {
            types::Remedy::Retry(after_seconds) => Remedy::Retry { after_seconds },
            types::Remedy::RateLimited(after_seconds) => Remedy::RateLimited { after_seconds },
            types::Remedy::RefreshAuth => Remedy::RefreshAuth,
            types::Remedy::Restart => Remedy::Restart,
            types::Remedy::BadConfiguration => Remedy::BadConfiguration,
            types::Remedy::Broken => Remedy::Broken,
            types::Remedy::Other(name) => Remedy::Other(name),
        },
        code: fault.code,
        message: fault.message,
        detail: detail.map_err(|error| format!("a fault's detail is not JSON: {error}"))?,
    })
}
