//! The element `notes-rust`: Acme Notes, a vendor that does not exist (../README.md), in Rust.
//! Must give the very records that notes-js and notes-python give: tests/languages.rs compares them.

mod answers;
mod records;

use serde::{Deserialize, Serialize};
use tidegate_sdk::filter::{Filter, Operator, QueryParameters, percent_encoded, query};
use tidegate_sdk::paging::Cursor;
use tidegate_sdk::{
    DateFields, Element, Fault, Operation, Request, Response, Run, Step, Window, dates, export_element, secret,
};

use crate::answers::{VENDOR, fault_of, unreadable};
use crate::records::{Paths, is_someone, read_note, read_page};

/// The vendor's limit.
const PAGE_MAX: u32 = 100;
/// What a where clause may ask for, and the parameter that does.
const CONDITIONS: QueryParameters<'_> = QueryParameters {
    vendor: VENDOR,
    known: &[
        ("updatedAt", Operator::GreaterOrEqual, "updated_since"),
        ("tag", Operator::Equal, "tag"),
    ],
    joined: "",
};
/// A sweep looks for no dates.
static NO_DATES: DateFields = DateFields {
    created: Vec::new(),
    updated: Vec::new(),
};

pub struct Notes;

/// Where a walk through pages is; absent where there are none.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    cursor: Option<Cursor>,
}

impl Element for Notes {
    type State = State;

    fn manifest() -> &'static str {
        include_str!("../manifest.json")
    }

    fn begin(run: &Run) -> Result<Step<State>, Fault> {
        match &run.operation {
            Operation::Check => Ok(Step::done().then_send(vec![ask(run, "me")?], State::default())),
            Operation::Get(args) => {
                let path = format!("notes/{}", percent_encoded(&args.id));
                Ok(Step::done().then_send(vec![ask(run, &path)?], State::default()))
            }
            Operation::List(_) | Operation::Sweep(_) => page(run, Cursor::start(), Step::done()),
            Operation::Other(name, _) => Err(Fault::broken(
                "operation-unknown",
                format!("this element does not know the operation `{name}`"),
            )),
        }
    }

    fn advance(run: &Run, state: State, responses: &[Response]) -> Result<Step<State>, Fault> {
        // Every request has the id 0, which is the default.
        let [response @ Response { id: 0, .. }] = responses else {
            return Err(unreadable("other answers than the one that was asked for"));
        };
        let mut step = Step::done();
        match &run.operation {
            Operation::Get(_) if response.status == 404 => {}
            _ => fault_of(response)?,
        }
        match &run.operation {
            Operation::Get(_) if response.status == 404 => Ok(step),
            Operation::Get(args) => {
                let paths = Paths {
                    id: &args.id_field,
                    dates: &args.dates,
                };
                read_note(&response.body, paths, &mut step.records)?;
                Ok(step)
            }
            Operation::List(args) => {
                let paths = Paths {
                    id: &args.id_field,
                    dates: &args.dates,
                };
                let next = read_page(&response.body, paths, &mut step.records)?;
                go_on(run, state, next, step)
            }
            Operation::Sweep(args) => {
                let paths = Paths {
                    id: &args.id_field,
                    dates: &NO_DATES,
                };
                let mut notes = Step::<State>::done();
                let next = read_page(&response.body, paths, &mut notes.records)?;
                step.ids = notes.records.iter().map(|note| note.id.to_owned()).collect();
                go_on(run, state, next, step)
            }
            _ if is_someone(&response.body) => Ok(step),
            _ => Err(unreadable("an answer without the `id` of who the token belongs to")),
        }
    }
}

/// The page after the one that was read, if there is one.
fn go_on(run: &Run, state: State, next: Option<String>, step: Step<State>) -> Result<Step<State>, Fault> {
    match state.cursor.unwrap_or_else(Cursor::start).next(next.as_deref())? {
        Some(cursor) => page(run, cursor, step),
        None => Ok(step),
    }
}

fn page(run: &Run, cursor: Cursor, step: Step<State>) -> Result<Step<State>, Fault> {
    let parameters = parameters(&run.operation, &cursor)?;
    let request = ask(run, &format!("notes?{}", query(&parameters)))?;
    Ok(step.then_send(vec![request], State { cursor: Some(cursor) }))
}

fn parameters(operation: &Operation, cursor: &Cursor) -> Result<Vec<(String, String)>, Fault> {
    let (window, filter, wanted) = match operation {
        Operation::List(args) => (args.window, args.filter.as_ref(), args.page_size),
        Operation::Sweep(args) => (None, None, args.page_size),
        _ => (None, None, PAGE_MAX),
    };
    let mut parameters = conditions(window, filter)?;
    let mut add = |name: &str, value: String| parameters.push((name.to_owned(), value));
    if window.is_some() {
        add("include_deleted", "true".into());
    }
    add("limit", wanted.clamp(1, PAGE_MAX).to_string());
    if let Some(token) = cursor.token() {
        add("cursor", token.to_owned());
    }
    Ok(parameters)
}

/// A where clause says more than the window, which the user may have put into it.
fn conditions(window: Option<Window>, filter: Option<&Filter>) -> Result<Vec<(String, String)>, Fault> {
    const SINCE: &str = "updated_since";
    let mut parameters = filter
        .map(|filter| CONDITIONS.of(filter))
        .transpose()?
        .unwrap_or_default();
    let has_since = parameters.iter().any(|(name, _)| name == SINCE);
    if let Some(window) = window.filter(|_| !has_since) {
        parameters.insert(0, (SINCE.into(), dates::format_iso(window.from_ms)));
    }
    Ok(parameters)
}

fn ask(run: &Run, path: &str) -> Result<Request, Fault> {
    let base = run.configuration.require("notes.url")?.trim_end_matches('/');
    let request = Request::get(format!("{base}/v1/{path}"));
    let token = format!("Bearer {}", secret("notes.token"));
    Ok(request.header("Authorization", token).lane("notes"))
}

export_element!(Notes);
