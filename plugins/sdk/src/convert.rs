//! Between this crate's types and the bindings': moves what is large, copies nothing of it.
//! Must not decide anything.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::tidegate::element::types;
use crate::filter::Filter;
use crate::run::{Configuration, DateFields, GetArgs, ListArgs, Operation, Parameter, Run, SweepArgs, Window};
use crate::step::ids;
use crate::step::{Item, Moment, Next, Problem, Step};
use crate::{Fault, Remedy, Request, Response};

pub(crate) fn run_in(run: types::Run) -> Result<Run, Fault> {
    let configuration = Configuration::from_json(&run.configuration).map_err(|error| {
        Fault::broken(
            "configuration-unreadable",
            format!("the run's configuration is no JSON object: {error}"),
        )
    })?;
    Ok(Run {
        operation: operation_in(run.operation)?,
        configuration,
        memo: run.memo,
        now_ms: run.now_ms,
    })
}

fn operation_in(operation: types::Operation) -> Result<Operation, Fault> {
    Ok(match operation {
        types::Operation::Check => Operation::Check,
        types::Operation::List(args) => Operation::List(list_in(args)?),
        types::Operation::Get(args) => Operation::Get(GetArgs {
            resource: args.resource,
            id: args.id,
            id_field: args.id_field,
            dates: dates_in(args.dates),
        }),
        types::Operation::Sweep(args) => Operation::Sweep(SweepArgs {
            resource: args.resource,
            id_field: args.id_field,
            page_size: args.page_size,
        }),
        types::Operation::Other((name, arguments)) => Operation::Other(name, arguments),
    })
}

fn list_in(args: types::ListArgs) -> Result<ListArgs, Fault> {
    let filter = args
        .filter
        .as_deref()
        .map(Filter::from_json)
        .transpose()
        .map_err(|error| {
            Fault::broken(
                "filter-unreadable",
                format!("the run's filter has a form that this element does not know: {error}"),
            )
        })?;
    let parameters = args.parameters.into_iter();
    Ok(ListArgs {
        resource: args.resource,
        window: args.window.map(|window| Window {
            from_ms: window.from_ms,
            until_ms: window.until_ms,
        }),
        filter,
        parameters: parameters
            .map(|parameter| Parameter {
                name: parameter.name,
                value: parameter.value,
            })
            .collect(),
        id_field: args.id_field,
        dates: dates_in(args.dates),
        page_size: args.page_size,
        checkpoint: args.checkpoint,
    })
}

fn dates_in(dates: types::DateFields) -> DateFields {
    DateFields {
        created: dates.created,
        updated: dates.updated,
    }
}

pub(crate) fn responses_in(responses: Vec<types::Response>) -> Vec<Response> {
    let convert = |response: types::Response| Response {
        id: response.id,
        status: response.status,
        headers: response
            .headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect(),
        body: response.body,
    };
    responses.into_iter().map(convert).collect()
}

pub(crate) fn state_in<S: DeserializeOwned>(state: &[u8]) -> Result<S, Fault> {
    serde_json::from_slice(state).map_err(|error| {
        // An element that was swapped in the middle of a run: its new version starts over.
        Fault::restart(
            "state-unreadable",
            format!("the run's state is of another version of this element: {error}"),
        )
    })
}

pub(crate) fn step_out<S: Serialize>(step: Step<S>) -> Result<types::Step, Fault> {
    ids::check(&step.records, &step.ids)?;
    let (next, state) = match step.next {
        Next::Send(requests, state) => (
            types::Next::Send(requests.into_iter().map(request_out).collect()),
            state_out(&state)?,
        ),
        Next::WaitMs(milliseconds, state) => (types::Next::WaitMs(milliseconds), state_out(&state)?),
        Next::Done => (types::Next::Done, Vec::new()),
    };
    Ok(types::Step {
        next,
        bytes: step.records.bytes,
        items: step.records.items.into_iter().map(item_out).collect(),
        ids: step.ids,
        problems: step.problems.into_iter().map(problem_out).collect(),
        checkpoint: step.checkpoint,
        memo: step.memo,
        state,
    })
}

fn state_out(state: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(state)
        .map_err(|error| Fault::broken("state-unwritable", format!("the run's state has no JSON form: {error}")))
}

fn request_out(request: Request) -> types::Request {
    let header = |(name, value)| types::Header { name, value };
    types::Request {
        id: request.id,
        method: request.method.to_owned(),
        url: request.url,
        headers: request.headers.into_iter().map(header).collect(),
        body: request.body,
        idempotent: request.idempotent,
        cost: request.cost,
        lane: request.lane,
    }
}

fn item_out(item: Item) -> types::Item {
    types::Item {
        id_length: item.id_length,
        body_length: item.body_length,
        created: moment_out(item.created),
        updated: moment_out(item.updated),
        deleted: item.deleted,
    }
}

fn moment_out(moment: Moment) -> types::Moment {
    match moment {
        Moment::None => types::Moment::None,
        Moment::AtMs(milliseconds) => types::Moment::AtMs(milliseconds),
        Moment::Text(text) => types::Moment::Text(text),
    }
}

fn problem_out(problem: Problem) -> types::Problem {
    types::Problem {
        subject: problem.subject,
        code: problem.code,
        message: problem.message,
    }
}

pub(crate) fn fault_out(fault: Fault) -> types::Fault {
    let remedy = match fault.remedy {
        Remedy::Retry { after_seconds } => types::Remedy::Retry(after_seconds),
        Remedy::RateLimited { after_seconds } => types::Remedy::RateLimited(after_seconds),
        Remedy::RefreshAuth => types::Remedy::RefreshAuth,
        Remedy::Restart => types::Remedy::Restart,
        Remedy::BadConfiguration => types::Remedy::BadConfiguration,
        Remedy::Broken => types::Remedy::Broken,
        Remedy::Other(name) => types::Remedy::Other(name),
    };
    let detail = fault.detail.map(|detail| detail.to_string().into_bytes());
    types::Fault {
        remedy,
        code: fault.code,
        message: fault.message,
        detail,
    }
}
