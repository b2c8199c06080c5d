//! The course of a run: ask, read the answer, ask on.
//! Must not know what pages, addresses or refusals look like inside: other modules do.
//!
//! ```text
//! check ─▶ who am I ─▶ done          get ─▶ one record ─▶ done
//! list with a window, sweep of tickets ─▶ export, page by page ─▶ done, a checkpoint with every page of a list
//! list without, other sweeps           ─▶ list or search, page by page ─▶ done
//! ```

mod job;

use serde::{Deserialize, Serialize};
use tidegate_sdk::paging::Cursor;
use tidegate_sdk::{Fault, Records, Request, Response, Run, Step};

use crate::checkpoint::Checkpoint;
use crate::export::Position;
use crate::faults::{self, Asked};
use crate::listing::Listing;
use crate::lookup;
use crate::records::{PageRead, Wanted, ids_of_page, normalise_page};
use crate::settings::Settings;
use job::{Exporting, Job, Purpose};

/// The one request of a step.
const REQUEST: u32 = 1;

/// What a run knows between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// A single question.
    Asked,
    Export(Position),
    Pages(Cursor),
}

type Answered = Result<Step<State>, Fault>;

/// One run, its inputs understood.
struct Session<'r> {
    settings: Settings,
    job: Job<'r>,
}

/// The first step of a run.
///
/// # Errors
/// A fault that ends the run: what the configuration or the request asks for cannot be done.
pub fn begin(run: &Run) -> Answered {
    let session = Session::open(run)?;
    let mut step = Step::done();
    session.job.tell_problems(&mut step);
    match &session.job {
        Job::Check => Ok(ask(step, lookup::who_am_i(&session.settings), State::Asked)),
        Job::Get(get) => Ok(match lookup::one(get.args, get.wanted.resource, &session.settings)? {
            Some(request) => ask(step, request, State::Asked),
            None => step,
        }),
        Job::Export(export) => {
            let position = export.first(run.now_ms, &session.settings, &mut step)?;
            Ok(session.ask_export(export, position, step))
        }
        Job::Pages(pages) => Ok(session.ask_page(&pages.listing, Cursor::start(), step)),
    }
}

/// The next step of a run.
///
/// # Errors
/// A fault that ends the run.
pub fn advance(run: &Run, state: State, responses: &[Response]) -> Answered {
    let session = Session::open(run)?;
    let [response @ Response { id: REQUEST, .. }] = responses else {
        return Err(Fault::broken(
            "response-missing",
            format!(
                "the gateway gave {} responses, expected one, for request {REQUEST}",
                responses.len()
            ),
        ));
    };
    let asked = Asked {
        what: session.job.what(),
        host: session.settings.host(),
    };
    match (&session.job, state) {
        (Job::Check, State::Asked) => lookup::check(response, asked).map(|()| Step::done()),
        (Job::Get(get), State::Asked) => {
            let mut step = Step::done();
            lookup::read_one(response, asked, get.args, &get.wanted, &mut step.records)?;
            Ok(step)
        }
        (Job::Export(export), State::Export(position)) => {
            if response.status != 200 {
                return Err(position.refused(response, asked));
            }
            session.read_export(export, &position, response, asked)
        }
        (Job::Pages(pages), State::Pages(cursor)) => {
            if response.status != 200 {
                return Err(faults::of(response, asked));
            }
            let mut step = Step::done();
            let read = read_page(
                response,
                asked,
                pages.listing.list_name(),
                pages.purpose,
                &pages.wanted,
                &mut step,
            )?;
            let next = Listing::next(cursor, &read.envelope, asked)?;
            Ok(match next {
                Some(cursor) => session.ask_page(&pages.listing, cursor, step),
                None => step,
            })
        }
        _ => Err(Fault::broken("state-unknown", "the state is none of this operation's")),
    }
}

fn ask(step: Step<State>, request: Request, state: State) -> Step<State> {
    step.then_send(vec![request.id(REQUEST)], state)
}

impl<'r> Session<'r> {
    fn open(run: &'r Run) -> Result<Self, Fault> {
        let settings = Settings::read(&run.configuration)?;
        let job = Job::read(&run.operation, settings.drop_nulls)?;
        Ok(Self { settings, job })
    }

    fn ask_export(&self, export: &Exporting<'_>, position: Position, step: Step<State>) -> Step<State> {
        let request = position.request(export.resource(), export.page_size, &self.settings);
        ask(step, request, State::Export(position))
    }

    fn ask_page(&self, listing: &Listing, cursor: Cursor, step: Step<State>) -> Step<State> {
        let request = listing.request(&cursor, &self.settings);
        ask(step, request, State::Pages(cursor))
    }

    fn read_export(
        &self,
        export: &Exporting<'_>,
        position: &Position,
        response: &Response,
        asked: Asked<'_>,
    ) -> Answered {
        let mut step = Step::done();
        let read = read_page(
            response,
            asked,
            export.resource().name,
            export.purpose,
            &export.wanted,
            &mut step,
        )?;
        let onward = position.onward(export.resource(), &read.envelope, asked)?;
        if export.purpose == Purpose::Records {
            let checkpoint = Checkpoint {
                site: self.settings.site.clone(),
                resource: export.resource().name.to_owned(),
                at: onward.reached,
            };
            step.checkpoint = Some(checkpoint.to_bytes());
        }
        Ok(match onward.next {
            Some(next) => self.ask_export(export, next, step),
            None => step,
        })
    }
}

/// Reads a page's records, or its ids alone, into the step.
fn read_page<'p>(
    response: &'p Response,
    asked: Asked<'_>,
    list: &str,
    purpose: Purpose,
    wanted: &Wanted,
    step: &mut Step<State>,
) -> Result<PageRead<'p>, Fault> {
    let read = match purpose {
        Purpose::Records => {
            step.records = Records::with_capacity(response.body.len(), 0);
            normalise_page(&response.body, list, wanted, &mut step.records)
        }
        Purpose::Ids => ids_of_page(&response.body, list, wanted, &mut step.ids),
    };
    let read = read.map_err(|error| faults::unreadable(response, asked, &error.to_string()))?;
    for field in &read.incomparable {
        step.push_problem(
            field,
            "field-incomparable",
            format!(
                "the where clause compares `{field}` of `{}` with what no value of it can be compared with",
                asked.what
            ),
        );
    }
    if read.without_id > 0 {
        let id_field = &wanted.id_field;
        let found = format!(
            "{} of {} records of `{}` have nothing in `{id_field}`",
            read.without_id, read.records, asked.what
        );
        // A sweep that leaves records out would say that they are gone.
        if read.without_id == read.records || purpose == Purpose::Ids {
            return Err(Fault::bad_configuration(
                "idField",
                format!("{found}: the field that Zendesk keeps for this is `id`"),
            ));
        }
        step.push_problem(id_field, "record-without-id", format!("{found} and were left out"));
    }
    Ok(read)
}

#[cfg(test)]
mod tests;
