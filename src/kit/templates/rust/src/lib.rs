//! My element: reads contacts of a made-up vendor. What happens in a run is here; what a page becomes is in [`page`],
//! what a refusal means in [`refusal`].
//!
//! An element does no I/O. It says which requests it wants sent and gets the answers; a fresh copy of it runs for each
//! step, so that everything it must remember is in [`State`].

mod page;
mod refusal;

use serde::{Deserialize, Serialize};
use tidegate_sdk::filter::{Operator, QueryParameters, percent_encoded, query};
use tidegate_sdk::paging::Cursor;
use tidegate_sdk::{
    Element, Fault, ListArgs, Operation, Request, Response, Run, Step, dates, secret,
};

/// Names of configuration properties, as in manifest.json.
const TOKEN: &str = "my-element.token";
const URL: &str = "my-element.url";

/// Records that the vendor gives per page at most.
const PAGE_RECORDS_MAX: u32 = 100;

/// Each step sends one request; an answer carries its id.
const REQUEST: u32 = 1;

/// What of a where clause the vendor can be asked for, and by which parameter.
const FILTERS: QueryParameters<'_> = QueryParameters {
    vendor: "My element",
    known: &[
        ("email", Operator::Equal, "email"),
        ("updated_at", Operator::GreaterOrEqual, "updated_since"),
    ],
    joined: "",
};

/// The element.
#[derive(Clone, Copy, Debug)]
pub struct Vendor;

/// What a run knows between two steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    cursor: Cursor,
}

impl Element for Vendor {
    type State = State;

    fn manifest() -> &'static str {
        include_str!("../manifest.json")
    }

    fn begin(run: &Run) -> Result<Step<State>, Fault> {
        let first = State {
            cursor: Cursor::start(),
        };
        ask(run, first, Step::done())
    }

    fn advance(run: &Run, state: State, responses: &[Response]) -> Result<Step<State>, Fault> {
        let answer = match responses {
            [answer] if answer.id == REQUEST => answer,
            _ => {
                let message = format!(
                    "expected the answer to one request, found {}",
                    responses.len()
                );
                return Err(Fault::broken("answers-wrong", message));
            }
        };
        let mut step = Step::done();
        if let (Operation::Get(_), 404) = (&run.operation, answer.status) {
            // `done` without a record says that there is none.
            return Ok(step);
        }
        refusal::check(answer)?;
        let next = match &run.operation {
            Operation::List(args) => {
                page::read(&answer.body, &args.id_field, &args.dates, &mut step)?
            }
            Operation::Sweep(args) => page::read_ids(&answer.body, &args.id_field, &mut step)?,
            Operation::Get(args) => {
                page::read_one(&answer.body, &args.id_field, &args.dates, &mut step)?;
                None
            }
            Operation::Check | Operation::Other(..) => {
                page::read_account(&answer.body)?;
                None
            }
        };
        match state.cursor.next(next.as_deref())? {
            Some(cursor) => ask(run, State { cursor }, step),
            None => Ok(step),
        }
    }
}

/// Adds to the step what is to be sent next.
fn ask(run: &Run, state: State, step: Step<State>) -> Result<Step<State>, Fault> {
    let path = match &run.operation {
        Operation::Check => "/v1/me".to_owned(),
        Operation::List(args) => {
            check_resource(&args.resource)?;
            let mut parameters = page_parameters(args.page_size, &state.cursor);
            parameters.extend(conditions(args)?);
            format!("/v1/contacts?{}", query(&parameters))
        }
        Operation::Sweep(args) => {
            check_resource(&args.resource)?;
            format!(
                "/v1/contacts?{}",
                query(&page_parameters(args.page_size, &state.cursor))
            )
        }
        Operation::Get(args) => {
            check_resource(&args.resource)?;
            format!("/v1/contacts/{}", percent_encoded(&args.id))
        }
        Operation::Other(name, _) => {
            let message = format!("this element does not know the operation `{name}`");
            return Err(Fault::broken("operation-unknown", message));
        }
    };
    let base = run.configuration.require(URL)?.trim_end_matches('/');
    let request = Request::get(format!("{base}{path}"))
        .id(REQUEST)
        .header("Accept", "application/json")
        // The gateway fills the token in as the request leaves.
        .header("Authorization", format!("Bearer {}", secret(TOKEN)))
        .lane("contacts");
    Ok(step.then_send(vec![request], state))
}

fn check_resource(name: &str) -> Result<(), Fault> {
    if name == "contacts" {
        return Ok(());
    }
    let message = format!("there is no resource `{name}`; this element has `contacts`");
    Err(Fault::bad_configuration("resource-unknown", message))
}

fn page_parameters(page_size: u32, cursor: &Cursor) -> Vec<(String, String)> {
    let limit = page_size.clamp(1, PAGE_RECORDS_MAX);
    let mut parameters = vec![("limit".to_owned(), limit.to_string())];
    parameters.extend(
        cursor
            .token()
            .map(|token| ("cursor".to_owned(), token.to_owned())),
    );
    parameters
}

/// A where clause says all itself; without one, a poll wants what changed in its window.
fn conditions(args: &ListArgs) -> Result<Vec<(String, String)>, Fault> {
    match (&args.filter, args.window) {
        (Some(filter), _) => FILTERS.of(filter),
        (None, Some(window)) => Ok(vec![(
            "updated_since".to_owned(),
            dates::format_iso(window.from_ms),
        )]),
        (None, None) => Ok(Vec::new()),
    }
}

tidegate_sdk::export_element!(Vendor);

#[cfg(test)]
tidegate_sdk::conformance!(Vendor);
