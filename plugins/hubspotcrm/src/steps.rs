//! The course of a run: ask, read the answer, ask on.
//! Must not know what pages, searches or refusals look like inside: other modules do.

pub(crate) mod job;
mod walk;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_sdk::paging::Cursor;
use tidegate_sdk::{Fault, Response, Run, Step};

use crate::faults::{self, Asked};
use crate::records::read_one;
use crate::settings::{HUB_ID, Settings};
use job::{Get, Job};

/// The id of a request: every step sends one.
const REQUEST: u32 = 0;

/// What a run knows between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// One question, one answer.
    Asked,
    /// The greatest number so far; a search asks for those above.
    Above(Option<u64>),
    /// Where a sweep is.
    At(Cursor),
}

type Answered = Result<Step<State>, Fault>;

/// One run, its inputs understood.
struct Session<'r> {
    settings: Settings<'r>,
    job: Job<'r>,
}

/// The first step of a run.
///
/// # Errors
/// A fault that ends the run: what the configuration or the request asks for cannot be done.
pub fn begin(run: &Run) -> Answered {
    let session = Session::open(run)?;
    let mut step = Step::done();
    match &session.job {
        Job::Check => Ok(session.check(step)),
        Job::List(listing) => {
            step.problems.extend(listing.problems.iter().cloned());
            Ok(session.search(listing, None, step))
        }
        Job::Get(get) => Ok(session.get(get, step)),
        Job::Sweep(sweep) => Ok(session.sweep(sweep, Cursor::start(), step)),
        Job::Nothing => Ok(step),
    }
}

/// The next step of a run.
///
/// # Errors
/// A fault that ends the run.
pub fn advance(run: &Run, state: State, responses: &[Response]) -> Answered {
    let session = Session::open(run)?;
    let response = responses
        .iter()
        .find(|response| response.id == REQUEST)
        .ok_or_else(|| {
            Fault::broken(
                "response-missing",
                format!(
                    "the gateway gave {} responses, none for request {REQUEST}",
                    responses.len()
                ),
            )
        })?;
    session.answered(state, response)
}

impl<'r> Session<'r> {
    fn open(run: &'r Run) -> Result<Self, Fault> {
        let settings = Settings::read(&run.configuration)?;
        let job = Job::read(&run.operation, settings)?;
        Ok(Self { settings, job })
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            what: self.job.asked(),
            host: self.settings.host(),
        }
    }

    fn answered(&self, state: State, response: &Response) -> Answered {
        if let Job::Get(get) = &self.job
            && response.status == 404
        {
            return self.absent(get, response);
        }
        if response.status != 200 {
            return Err(faults::of(response, self.asked()));
        }
        match (&self.job, state) {
            (Job::Check, State::Asked) => self.checked(response),
            (Job::Get(get), State::Asked) => self.got(get, response),
            (Job::List(listing), State::Above(above)) => self.listed(listing, above, response),
            (Job::Sweep(sweep), State::At(cursor)) => self.swept(sweep, cursor, response),
            (_, state) => Err(Fault::restart(
                "state-unknown",
                format!("the run was at {state:?}, which does not fit what it is to do: it begins anew"),
            )),
        }
    }

    /// An answer of the API says that there is no such record; any other 404 says nothing.
    fn absent(&self, get: &Get<'_>, response: &Response) -> Answered {
        if faults::is_of_the_api(response) {
            return Ok(Step::done());
        }
        let why = format!("no error of the API about the record {}", get.args.id);
        Err(faults::unreadable(response, self.asked(), &why))
    }

    /// The account's number shows that the credentials are of the account whose limits this instance shares.
    fn checked(&self, response: &Response) -> Answered {
        let account: Option<Value> = serde_json::from_slice(&response.body).ok();
        let found = account.as_ref().and_then(|account| account.get("portalId")?.as_i64());
        match found {
            Some(found) if found == self.settings.hub_id => Ok(Step::done()),
            Some(found) => Err(faults::other_account(HUB_ID, self.settings.hub_id, &found.to_string())),
            None => Err(faults::unreadable(response, self.asked(), "no `portalId` in it")),
        }
    }

    fn got(&self, get: &Get<'_>, response: &Response) -> Answered {
        let mut step = Step::done();
        let has_id = read_one(&response.body, &get.wanted(), &mut step.records)
            .map_err(|error| walk::page_fault(&error, response, self.asked()))?;
        if !has_id {
            return Err(faults::no_id(self.asked(), &get.args.id_field));
        }
        let found = step.records.iter().next().map(|record| record.id.to_owned());
        match found {
            Some(found) if !found.eq_ignore_ascii_case(&get.args.id) => Err(faults::unreliable(
                "other-record",
                self.asked(),
                &format!(
                    "the record with `{}` {} was asked for, and {found} came",
                    get.args.id_field, get.args.id
                ),
            )),
            _ => Ok(step),
        }
    }
}

#[cfg(test)]
mod tests;
