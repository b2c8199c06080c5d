//! Drives one run of an element: call, send what it asks for, call again. Shared by polls, hub reads and checks.
//! Knows nothing of fingerprints or events.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::Gateway;
use super::reach::Reach;
use crate::domain::element::ACCESS_TOKEN;
use crate::domain::id::Digest;
use crate::domain::poll::Continuation;
use crate::domain::run::{Fault, Next, Operation, Request, Response, Run, Step};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::egress;
use crate::engine::retry::http_date;
use crate::ports::{Call, CallError, Case, Refusal};
use tidegate_contract::case::{self, Exchange};

/// Steps of one run; beyond it the element is thought to be going in circles. 10,000 pages of 500 are five million records.
pub const STEPS_PER_RUN_MAX: u32 = 10_000;

/// Longest that one `wait-ms` may ask for: beyond it an element must answer a fault.
const WAIT_MS_MAX: u32 = 60_000;

/// Waits that an element may ask for with nothing sent between them: more would hold a poll's place for nothing.
pub const WAITS_IN_A_ROW_MAX: u32 = 100;

/// Why a run ended without `done`.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{}", .0.message)]
    Fault(Fault),
    #[error("{}", .0.reason)]
    Breach(Box<Breach>),
    /// Only of a run that is taken up: what it wants to send was allowed when it stopped.
    #[error("the element's request may not be sent any more: {0}")]
    Refused(#[from] Refusal),
}

/// A step that broke the contract, or did not come about, with all that went into it.
#[derive(Debug)]
pub struct Breach {
    pub reason: BreachReason,
    pub run: Arc<Run>,
    pub call: Arc<Call>,
    /// What the responses in the call answer, in their order.
    pub requests: Vec<Request>,
}

#[derive(Debug, thiserror::Error)]
pub enum BreachReason {
    #[error(transparent)]
    Call(CallError),
    #[error("the element asked for a request that it may not send: {0}")]
    Refused(Refusal),
    #[error("the element sent the same requests from the same state twice; it is going in circles")]
    Stalled,
    #[error("the element asked to wait more than {WAITS_IN_A_ROW_MAX} times in a row, and for nothing else")]
    OnlyWaits,
    #[error("the run took more than {STEPS_PER_RUN_MAX} steps")]
    TooLong,
}

impl BreachReason {
    /// For programs; stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Call(error) => error.code(),
            Self::Refused(_) => "request-refused",
            Self::Stalled | Self::OnlyWaits => "stalled",
            Self::TooLong => "too-long",
        }
    }

    /// Is it the gateway's own trouble?
    pub fn is_gateways(&self) -> bool {
        matches!(self, Self::Call(CallError::NotLoaded(_) | CallError::Host(_)))
    }
}

impl Breach {
    /// The failing step as a case that can be replayed: it begins where the step did.
    pub fn case(&self, name: String, source: String) -> Case {
        let (state, exchanges) = match &*self.call {
            Call::Begin => (None, Vec::new()),
            Call::Advance { state, responses } => {
                let exchanges = self.requests.iter().zip(responses);
                let exchanges = exchanges.map(|(request, response)| Exchange {
                    request: request.clone(),
                    response: response.clone(),
                });
                (Some(state.clone()), vec![exchanges.collect()])
            }
        };
        Case {
            state,
            exchanges,
            cut: true,
            source: Some(source),
            failure: Some(case::Failure {
                code: self.reason.code().into(),
                message: self.reason.to_string(),
            }),
            ..Case::new(name, (*self.run).clone())
        }
    }
}

/// A run under way.
pub struct Runner {
    reach: Reach,
    run: Arc<Run>,
    state: Vec<u8>,
    requests: Vec<Request>,
    /// What the element asked to wait before the next step.
    wait: Option<Duration>,
    begun: bool,
    steps: u32,
    waits_in_a_row: u32,
    /// Requests sent so far.
    pub sent: u32,
    /// The last answers tell of trouble at the vendor's: no connection, a refusal, a limit, an error of its own.
    pub vendor_trouble: bool,
    /// The `Date` of the first answer.
    pub vendor_date: Option<Timestamp>,
}

/// What to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Call `answer` and then `advance`.
    GoOn,
    Done,
}

impl Runner {
    pub fn new(reach: Reach, operation: Operation, memo: Option<Vec<u8>>, now: Timestamp) -> Self {
        let run = Run {
            operation,
            configuration: reach.configuration.clone(),
            memo,
            now,
        };
        Self {
            reach,
            run: Arc::new(run),
            state: Vec::new(),
            requests: Vec::new(),
            wait: None,
            begun: false,
            steps: 0,
            waits_in_a_row: 0,
            sent: 0,
            vendor_trouble: false,
            vendor_date: None,
        }
    }

    /// Goes on where another run of the same component stopped. The first call must be `answer`.
    pub fn resume(reach: Reach, continuation: Continuation) -> Self {
        let Continuation {
            run,
            state,
            requests,
            progress,
            ..
        } = continuation;
        // Credentials and addresses may have been mended since.
        let run = Run {
            configuration: reach.configuration.clone(),
            ..run
        };
        Self {
            reach,
            run: Arc::new(run),
            state,
            requests,
            wait: None,
            begun: true,
            steps: 1,
            waits_in_a_row: 0,
            sent: progress.requests,
            vendor_trouble: false,
            vendor_date: progress.vendor_started,
        }
    }

    /// The component that this run began with.
    pub fn digest(&self) -> Digest {
        self.reach.element.digest
    }

    /// Is the first call still to come?
    pub fn is_fresh(&self) -> bool {
        !self.begun
    }

    pub fn run(&self) -> &Run {
        &self.run
    }

    /// State and requests to go on from.
    pub fn position(&self) -> (&[u8], &[Request]) {
        (&self.state, &self.requests)
    }

    pub async fn begin(&mut self, gateway: &Gateway) -> Result<(Step, Then), Failure> {
        self.begun = true;
        self.call(gateway, Call::Begin).await
    }

    /// Sends what the last step asked for, all at once, and waits for every answer; or just waits as long as it asked.
    pub async fn answer(&mut self, gateway: &Gateway) -> Result<Vec<Response>, Failure> {
        if let Some(wait) = self.wait.take() {
            gateway.clock.sleep(wait).await;
            return Ok(Vec::new());
        }
        let sends = self
            .requests
            .iter()
            .map(|request| gateway.vendor.send(request.clone(), self.reach.grants.clone()));
        let responses = try_join_all(sends).await?;
        self.sent += u32::try_from(responses.len()).unwrap_or(u32::MAX);
        self.vendor_trouble = responses.iter().any(is_trouble);
        if self.vendor_date.is_none() {
            self.vendor_date = responses.iter().find_map(date_of);
        }
        Ok(responses)
    }

    pub async fn advance(&mut self, gateway: &Gateway, responses: Vec<Response>) -> Result<(Step, Then), Failure> {
        let state = std::mem::take(&mut self.state);
        self.call(gateway, Call::Advance { state, responses }).await
    }

    async fn call(&mut self, gateway: &Gateway, call: Call) -> Result<(Step, Then), Failure> {
        let (run, call) = (self.run.clone(), Arc::new(call));
        let requests = std::mem::take(&mut self.requests);
        let answer = self.try_call(gateway, &call, &requests).await;
        answer.map_err(|error| match error {
            StepError::Fault(fault) => Failure::Fault(fault),
            StepError::Breach(reason) => Failure::Breach(Box::new(Breach {
                reason,
                run,
                call,
                requests,
            })),
        })
    }

    async fn try_call(
        &mut self,
        gateway: &Gateway,
        call: &Arc<Call>,
        before: &[Request],
    ) -> Result<(Step, Then), StepError> {
        self.steps += 1;
        if self.steps > STEPS_PER_RUN_MAX {
            return Err(BreachReason::TooLong.into());
        }
        let digest = self.reach.element.digest;
        let called = gateway.elements.call(digest, self.run.clone(), call.clone());
        let mut step = called.await.map_err(BreachReason::Call)?.map_err(StepError::Fault)?;
        self.state = std::mem::take(&mut step.state);
        let then = match &mut step.next {
            Next::Send(requests) => {
                self.requests = std::mem::take(requests);
                self.waits_in_a_row = 0;
                self.check_requests()?;
                Then::GoOn
            }
            Next::WaitMs(wait) => {
                self.waits_in_a_row += 1;
                if self.waits_in_a_row > WAITS_IN_A_ROW_MAX {
                    return Err(BreachReason::OnlyWaits.into());
                }
                self.wait = Some(Duration::from_millis((*wait).clamp(1, WAIT_MS_MAX).into()));
                Then::GoOn
            }
            Next::Done => Then::Done,
        };
        let same_state = matches!(&**call, Call::Advance { state, .. } if *state == self.state);
        if then == Then::GoOn && self.wait.is_none() && same_state && self.requests == before {
            return Err(BreachReason::Stalled.into());
        }
        Ok((step, then))
    }

    /// Found here rather than on sending, what went into the step is still at hand.
    fn check_requests(&self) -> Result<(), BreachReason> {
        let grants = &self.reach.grants;
        let mut secrets = Cow::Borrowed(&grants.secrets);
        if grants.oauth2.is_some() {
            // The gateway gets the true one when it sends.
            secrets.to_mut().insert(ACCESS_TOKEN.into(), Secret::new("token"));
        }
        self.requests
            .iter()
            .try_for_each(|request| egress::check(request, &grants.hosts, &grants.origins, &secrets))
            .map_err(BreachReason::Refused)
    }
}

/// Why one call gave no step.
enum StepError {
    Fault(Fault),
    Breach(BreachReason),
}

impl From<BreachReason> for StepError {
    fn from(reason: BreachReason) -> Self {
        Self::Breach(reason)
    }
}

fn is_trouble(response: &Response) -> bool {
    matches!(response.status, 0 | 401 | 403 | 429 | 500..)
}

fn date_of(response: &Response) -> Option<Timestamp> {
    http_date(response.header("date")?)
}
