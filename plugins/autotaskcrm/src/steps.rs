//! The course of a run: find the zone, ask, read the answer, ask on.
//! Must not know what pages, queries or refusals look like inside: other modules do.
//!
//! ```text
//! begin ─▶ zone known from the memo? ──yes──▶ ask ─▶ read ─▶ ask on … ─▶ done
//!                 │ no                         ▲       │ 401, once, if the zone came from the memo
//!                 └─▶ discover ─▶ zone ────────┘ ◀─────┘
//! ```

mod check;
mod get;
mod job;
mod usage;
mod walk;

use serde::{Deserialize, Serialize};
use tidegate_sdk::{Fault, Request, Response, Run, Step};

use crate::faults::{self, Asked};
use crate::memo::Memo;
use crate::settings::{SERVER, Settings};
use crate::zones::{Answer, Origin, Zone};
use job::Job;

/// Ids of requests: each kind is sent at most once in a step.
const DISCOVERY: u32 = 1;
const QUERY: u32 = 2;
const USAGE: u32 = 3;
const VERSION: u32 = 4;

/// What a run knows between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// None while it is being looked up.
    zone: Option<Zone>,
    /// What the look-ups so far came to, in words.
    tried: Vec<String>,
    /// The address from the memo that refused the credentials: the account may have been moved.
    refused: Option<String>,
    /// The greatest id seen; pages ask for the ids above.
    after: Option<i64>,
    told: Told,
    memo: Memo,
}

/// Problems that are told once in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    created: bool,
    updated: bool,
}

type Answered = Result<Step<State>, Fault>;

/// One run, its inputs understood.
struct Session<'r> {
    run: &'r Run,
    settings: Settings,
    job: Job<'r>,
}

/// The first step of a run.
///
/// # Errors
/// A fault that ends the run: what the configuration or the request asks for cannot be done.
pub fn begin(run: &Run) -> Answered {
    let session = Session::open(run)?;
    let memo = Memo::read(
        run.memo.as_deref(),
        session.settings.server.key(),
        &session.settings.username,
    );
    let zone = memo.zone.clone().map(|base| Zone {
        base,
        origin: Origin::Memo,
    });
    let state = State {
        zone: None,
        tried: Vec::new(),
        refused: None,
        after: None,
        told: Told::default(),
        memo,
    };
    let mut step = Step::done();
    session.job.tell_problems(&mut step);
    if session.job.is_done() {
        return Ok(step);
    }
    match zone {
        Some(zone) => session.ask(
            State {
                zone: Some(zone),
                ..state
            },
            step,
        ),
        None => session.discover(state, step),
    }
}

/// The next step of a run.
///
/// # Errors
/// A fault that ends the run.
pub fn advance(run: &Run, mut state: State, responses: &[Response]) -> Answered {
    let session = Session::open(run)?;
    match state.zone.take() {
        None => session.discovered(state, response(responses, DISCOVERY)?),
        Some(zone) => session.answered(zone, state, responses),
    }
}

fn response(responses: &[Response], id: u32) -> Result<&Response, Fault> {
    responses.iter().find(|response| response.id == id).ok_or_else(|| {
        Fault::broken(
            "response-missing",
            format!("the gateway gave {} responses, none for request {id}", responses.len()),
        )
    })
}

impl<'r> Session<'r> {
    fn open(run: &'r Run) -> Result<Self, Fault> {
        Ok(Self {
            run,
            settings: Settings::read(&run.configuration)?,
            job: Job::read(&run.operation)?,
        })
    }

    /// Looks the zone up at the next place that may know it, or does without.
    fn discover(&self, state: State, mut step: Step<State>) -> Answered {
        if let Some(request) = self
            .settings
            .server
            .discovery(state.tried.len(), &self.settings.username, DISCOVERY)
        {
            return Ok(step.then_send(vec![request], state));
        }
        let tried = state.tried.join("; ");
        let Some(base) = self.settings.server.guess() else {
            return Err(Fault::retry(
                "zone-unknown",
                format!(
                    "the zone of the account could not be looked up ({tried}), and `{SERVER}` does not name one: it is tried \
                     again; an address with the zone's number, such as https://ww2.autotask.net, needs no look-up"
                ),
            ));
        };
        step.push_problem(
            SERVER,
            "zone-guessed",
            format!("the zone of the account could not be looked up ({tried}): {base} is used"),
        );
        self.settle(
            Zone {
                base,
                origin: Origin::Guessed,
            },
            state,
            step,
        )
    }

    fn discovered(&self, mut state: State, response: &Response) -> Answered {
        match self.settings.server.read(response, &self.settings.username)? {
            Answer::Zone(base) => self.settle(
                Zone {
                    base,
                    origin: Origin::Discovered,
                },
                state,
                Step::done(),
            ),
            Answer::Nothing(found) => {
                state.tried.push(found);
                self.discover(state, Step::done())
            }
        }
    }

    /// Goes on with a zone that was looked up or guessed.
    fn settle(&self, zone: Zone, mut state: State, mut step: Step<State>) -> Answered {
        if state.refused.as_ref() == Some(&zone.base) {
            return Err(faults::refused_credentials(zone.host()));
        }
        // A guess is not worth keeping: the next run looks again.
        let kept = (zone.origin == Origin::Discovered).then(|| zone.base.clone());
        if state.memo.zone != kept {
            state.memo.zone = kept;
            step.memo = Some(state.memo.to_bytes());
        }
        self.ask(
            State {
                zone: Some(zone),
                ..state
            },
            step,
        )
    }

    /// Sends what the job wants to know next.
    fn ask(&self, state: State, step: Step<State>) -> Answered {
        let Some(zone) = &state.zone else {
            return self.discover(state, step);
        };
        let requests = match &self.job {
            Job::Check => vec![self.version(zone), self.usage(zone)],
            Job::Walk(walk) => {
                let mut requests = vec![self.query(zone, &walk.entity.name, &walk.body(state.after))];
                if walk.asks_usage() && state.after.is_none() && usage::is_due(&state.memo, self.run.now_ms) {
                    requests.push(self.usage(zone));
                }
                requests
            }
            Job::Get(get) => vec![self.query(zone, &get.entity.name, &get.body())],
            Job::Nothing => return Ok(step),
        };
        Ok(step.then_send(requests, state))
    }

    fn answered(&self, zone: Zone, mut state: State, responses: &[Response]) -> Answered {
        let asked = Asked {
            what: self.job.asked(),
            host: zone.host(),
        };
        let first = response(responses, self.job.request_id())?;
        if first.status == 401 && zone.origin == Origin::Memo && state.refused.is_none() {
            state.memo.zone = None;
            let mut step = Step::done();
            step.memo = Some(state.memo.to_bytes());
            return self.discover(
                State {
                    refused: Some(zone.base),
                    tried: Vec::new(),
                    ..state
                },
                step,
            );
        }
        let mut step = Step::done();
        if let Some(usage) = responses.iter().find(|response| response.id == USAGE) {
            self.read_usage(usage, asked, &mut state, &mut step)?;
        }
        if first.status != 200 {
            return Err(faults::of(first, asked));
        }
        match &self.job {
            Job::Check => check::read(first, asked).map(|()| step),
            Job::Walk(walk) => match walk.read(first, asked, &mut state, &self.settings, &mut step)? {
                walk::Course::Goes => self.ask(
                    State {
                        zone: Some(zone),
                        ..state
                    },
                    step,
                ),
                walk::Course::Ends => Ok(step),
            },
            Job::Get(get) => get.read(first, asked, &self.settings, &mut step).map(|()| step),
            Job::Nothing => Ok(step),
        }
    }

    /// A query of one entity. Reading twice does no harm, so it may be sent again.
    fn query(&self, zone: &Zone, entity: &str, body: &serde_json::Value) -> Request {
        let request = Request::post(zone.url(&format!("{entity}/query")))
            .id(QUERY)
            .lane(entity)
            .idempotent();
        self.settings.authorise(request).json(body)
    }

    /// The cheapest request that needs the credentials and no right to any entity.
    fn version(&self, zone: &Zone) -> Request {
        let request = Request::get(zone.url("Version")).id(VERSION).lane("Version");
        self.settings
            .authorise(request)
            .header("Content-Type", "application/json")
    }
}

#[cfg(test)]
mod tests;
