//! One run against the real vendor, through the gateway's own vendor port: what it sends, what comes back, what it gives.
//! Must not store anything, and must not decide what is shown: a witness is told of each thing as it happens.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tidegate_contract::Subject;
use tidegate_contract::case::{Exchange, Found};
use tidegate_contract::replay::Outcome;

use super::ask::Asked;
use crate::domain::run::{Next, Request, Response, Step};
use crate::ports::{Call, CallError, Clock, Refusal, Vendor};

/// Longest that one `wait-ms` may ask for, as in the gateway.
const WAIT_MS_MAX: u32 = 60_000;
/// Steps of a run, waiting ones counted, as in the gateway.
const STEPS_MAX: u32 = 10_000;

/// How a run ended.
pub(super) enum End {
    Done,
    /// It would go on, but was asked to stop here.
    Cut,
    /// Which is in what was found.
    Fault,
    Failed(CallError),
    /// It asked for what may not be sent.
    Refused(Refusal),
    /// The same requests from the same state, twice.
    Stalled,
}

/// Told of everything as it happens.
pub(super) trait Witness {
    fn sends(&mut self, request: &Request);
    fn answered(&mut self, response: &Response, after: Duration);
    /// A call with its outcome.
    fn called(&mut self, number: u32, outcome: &Outcome);
}

/// All of a run.
pub(super) struct Ran {
    pub(super) end: End,
    pub(super) exchanges: Vec<Vec<Exchange>>,
    pub(super) found: Found,
    pub(super) steps: u32,
    /// Time spent waiting for the vendor, and as the element asked.
    pub(super) waited: Duration,
}

pub(super) struct Live<'a> {
    pub(super) vendor: &'a dyn Vendor,
    pub(super) clock: &'a dyn Clock,
    pub(super) asked: &'a Asked,
    /// Steps that send, at most.
    pub(super) pages_max: usize,
}

impl Live<'_> {
    pub(super) async fn run(&self, subject: &dyn Subject, witness: &mut dyn Witness) -> Ran {
        let mut ran = Ran {
            end: End::Done,
            exchanges: Vec::new(),
            found: Found::default(),
            steps: 0,
            waited: Duration::ZERO,
        };
        let mut call = Call::Begin;
        loop {
            let outcome = subject.call(&self.asked.run, &call);
            ran.steps += 1;
            witness.called(ran.steps, &outcome);
            let step = match outcome {
                Ok(Ok(step)) => step,
                Ok(Err(fault)) => {
                    ran.found.fault = Some(fault);
                    ran.end = End::Fault;
                    return ran;
                }
                Err(failure) => {
                    ran.end = End::Failed(failure);
                    return ran;
                }
            };
            gather(&mut ran.found, &step);
            if is_stalled(&call, &step, &ran) {
                ran.end = End::Stalled;
                return ran;
            }
            match self.answer(&step, &mut ran, witness).await {
                Ok(responses) => {
                    call = Call::Advance {
                        state: step.state,
                        responses,
                    };
                }
                Err(end) => {
                    ran.end = end;
                    return ran;
                }
            }
        }
    }

    /// Sends what the step asks for, all at once, or waits as it asks.
    async fn answer(&self, step: &Step, ran: &mut Ran, witness: &mut dyn Witness) -> Result<Vec<Response>, End> {
        let started = self.clock.now();
        let requests = match &step.next {
            Next::Done => return Err(End::Done),
            _ if ran.steps >= STEPS_MAX => return Err(End::Cut),
            Next::WaitMs(wait) => {
                let wait = Duration::from_millis((*wait).clamp(1, WAIT_MS_MAX).into());
                self.clock.sleep(wait).await;
                ran.waited += wait;
                ran.exchanges.push(Vec::new());
                return Ok(Vec::new());
            }
            Next::Send(_) if ran.pages() >= self.pages_max => return Err(End::Cut),
            Next::Send(requests) => requests,
        };
        requests.iter().for_each(|request| witness.sends(request));
        let sends = requests
            .iter()
            .map(|request| self.vendor.send(request.clone(), Arc::clone(&self.asked.grants)));
        let responses = try_join_all(sends).await.map_err(End::Refused)?;
        let after = self.clock.now().since(started);
        responses.iter().for_each(|response| witness.answered(response, after));
        ran.waited += after;
        let pairs = requests.iter().zip(&responses);
        let exchanges = pairs.map(|(request, response)| Exchange {
            request: request.clone(),
            response: response.clone(),
        });
        ran.exchanges.push(exchanges.collect());
        Ok(responses)
    }
}

impl Ran {
    /// Steps that sent something.
    fn pages(&self) -> usize {
        self.exchanges.iter().filter(|exchanges| !exchanges.is_empty()).count()
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter().flatten()
    }
}

/// Does the step ask for what was just answered, from the state that it was called with?
fn is_stalled(call: &Call, step: &Step, ran: &Ran) -> bool {
    let (Call::Advance { state, .. }, Next::Send(requests)) = (call, &step.next) else {
        return false;
    };
    let before = ran.exchanges.last();
    let before = before.map(|exchanges| exchanges.iter().map(|exchange| &exchange.request));
    *state == step.state && before.is_some_and(|before| before.eq(requests.iter()))
}

/// Adds what a step gave to what the run gave.
fn gather(found: &mut Found, step: &Step) {
    found.records.extend(step.records.iter().cloned());
    found.ids.extend(step.ids.iter().cloned());
    found.problems.extend(step.problems.iter().cloned());
    if step.checkpoint.is_some() {
        found.checkpoint.clone_from(&step.checkpoint);
    }
    if step.memo.is_some() {
        found.memo.clone_from(&step.memo);
    }
}

#[cfg(test)]
mod tests;
