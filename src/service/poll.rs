//! One poll of one resource, from due to done: the only writer of fingerprints, events and watermarks.
//!
//! Per page: compare with the fingerprints, plan, ONE commit. The next page's requests are under way meanwhile; that is
//! safe, since a page that is read and not committed is read again. A crash at any line redoes one page, and the
//! fingerprints make the redo silent.

mod commit;
mod dates;
mod verdict;

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Gateway;
use super::elements::{Held, Recorder};
use super::reach::{self, Reach};
use super::runner::{Failure, Runner, Then};
use crate::domain::element::Element;
use crate::domain::id::ResourceKey;
use crate::domain::instance::{Instance, Poller};
use crate::domain::poll::{Continuation, Outcome, PollReport, Progress, ResourceState};
use crate::domain::run::{DateFields, ListArgs, Operation, Remedy, Window};
use crate::domain::time::Timestamp;
use crate::engine::compare::Rules;
use crate::engine::dates::Zone;
use crate::engine::envelope::Sender;
use crate::engine::macros::Moments;
use crate::engine::news::News;
use crate::engine::poller_url::{PollerUrl, PollerUrlError};
use crate::engine::retry::{DELAY_MAX, poll_backoff};
use crate::engine::trust::{Ending, Reread};
use crate::engine::watermark;
use crate::ports::{Durability, PageCommit, StoreError};
use dates::DateReader;
use verdict::Verdict;

/// Pause after the store refused to answer, so that a full disk does not become a busy loop.
const STORE_PAUSE: Duration = Duration::from_secs(5);
/// After so many failures in a row the operator is told.
const FAILURES_BEFORE_TOLD: u32 = 3;
/// After so many failures in a row a run starts anew rather than where it stopped: the place itself may be the trouble.
const FAILURES_BEFORE_ANEW: u32 = 3;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Run(#[from] Failure),
    #[error(transparent)]
    Reach(#[from] reach::Error),
    #[error("{field}: {message}")]
    Configuration { field: String, message: String },
    #[error("the vendor account is over its limit and rests until {0}")]
    Paused(Timestamp),
    #[error("this version of the element is quarantined until {until}: {reason}")]
    Quarantined { until: Timestamp, reason: String },
    #[error(
        "this version of the element would update {} of {} records that the vendor did not touch",
        .0.differ,
        .0.records
    )]
    Storm(Reread),
    #[error("the gateway is stopping")]
    Stopping,
}

/// A poll under way.
struct Poll<'a> {
    gateway: &'a Gateway,
    key: ResourceKey,
    instance: Instance,
    poller: Poller,
    state: ResourceState,
    progress: Progress,
    dates: DateReader,
    sender: Sender,
    reach: Reach,
    rules: Rules,
    _held: Held<'a>,
    /// Is the component on probation? Then what it reads in another way than the one before it is counted.
    on_probation: bool,
    /// Set while the run's first pages are recorded.
    recorder: Option<Recorder>,
    /// Some record of the run was updated after the poll began.
    leaves_records: bool,
    /// Failed polls in a row before this one gets on.
    failures: u32,
}

impl Gateway {
    /// Polls a resource once and writes how it went. Errors are part of the report; nothing is returned.
    #[tracing::instrument(name = "poll", skip_all, fields(instance = %key.instance, resource = %key.resource))]
    pub(crate) async fn poll(&self, key: ResourceKey, stop: &CancellationToken) {
        match self.try_poll(&key, stop).await {
            Ok(()) | Err(Error::Stopping) => {}
            Err(Error::Store(StoreError::Conflict(what))) => {
                info!(what, "the instance was changed during the poll, which ends here");
            }
            Err(Error::Store(error)) => {
                error!(%error, "poll ended: the store did not answer");
                tokio::select! {
                    () = self.clock.sleep(STORE_PAUSE) => {}
                    () = stop.cancelled() => {}
                }
            }
            Err(error) => error!(%error, "the poll's failure could not be recorded"),
        }
    }

    async fn try_poll(&self, key: &ResourceKey, stop: &CancellationToken) -> Result<(), Error> {
        let Some(state) = self.store.resource(key.clone()).await? else {
            return Ok(());
        };
        let Some(instance) = self.store.instance(key.instance).await? else {
            return Ok(());
        };
        let Some(poller) = instance
            .events
            .pollers
            .iter()
            .find(|poller| poller.resource == key.resource)
            .cloned()
        else {
            return Ok(());
        };
        if !instance.enabled || !instance.events.enabled {
            return Ok(());
        }
        let started = self.clock.now();
        let polled = match self.open(key, &instance, &poller, &state, started).await {
            Ok((mut poll, mut runner)) => {
                let ended = poll.pages(&mut runner, stop).await;
                let element = poll.reach.element.clone();
                self.judge(key, &element, &ended, runner.vendor_trouble).await;
                ended.map_err(|error| (error, poll.state, poll.progress))
            }
            Err(error) => Err((error, state, Progress::new(started))),
        };
        match polled {
            Ok(()) => Ok(()),
            Err((error @ (Error::Store(_) | Error::Stopping), ..)) => Err(error),
            Err((Error::Paused(until), state, _)) => self.postpone(key, state, until).await,
            Err((error, state, progress)) => self.record_failure(key, &instance, state, progress, &error).await,
        }
    }

    /// What the poll's end says of the component, and keeps what went into a step that broke.
    async fn judge(&self, key: &ResourceKey, element: &Element, ended: &Result<(), Error>, vendor_trouble: bool) {
        let ending = match ended {
            Ok(()) => Ending::Good,
            Err(Error::Run(Failure::Breach(breach))) if !breach.reason.is_gateways() => {
                self.keep_failure(key, element, breach).await;
                Ending::Breach
            }
            Err(Error::Run(Failure::Fault(fault))) if !vendor_trouble && speaks_against(&fault.remedy) => Ending::Fault,
            Err(Error::Storm(reread)) => return self.note_storm(element, *reread).await,
            Err(_) => return,
        };
        self.note_ending(element, key.instance, ending).await;
    }

    /// Sets the stage: element, window, run (new or continued).
    async fn open<'a>(
        &'a self,
        key: &ResourceKey,
        instance: &Instance,
        poller: &Poller,
        state: &ResourceState,
        now: Timestamp,
    ) -> Result<(Poll<'a>, Runner), Error> {
        let reach = self.reach(instance, &HashMap::new())?;
        if let Some(until) = self.vendor.paused_until(&reach.grants.account) {
            return Err(Error::Paused(until));
        }
        let (element, own_reach) = (reach.element.clone(), reach.clone());
        if let Some((until, reason)) = self.catalogue.quarantine(&element.manifest.key, element.digest, now) {
            return Err(Error::Quarantined { until, reason });
        }
        let held = self.catalogue.hold(element.digest);
        let first_sight = instance.events.first_sight;
        let from = watermark::ask_from(state.watermark, poller.overlap_seconds, first_sight);
        let configuration = |field: &str, message: String| Error::Configuration {
            field: format!("event.poller.configuration.{}.{field}", key.resource),
            message,
        };
        let resumed = state
            .continuation
            .clone()
            .filter(|continuation| continuation.digest == element.digest);
        let (runner, progress) = if let Some(continuation) = resumed {
            debug!("the poll goes on where it stopped");
            let progress = continuation.progress.clone();
            (Runner::resume(reach, continuation), progress)
        } else {
            let operation = list_operation(poller, from, now, state.checkpoint.clone())
                .map_err(|error| configuration("url", error.to_string()))?;
            let memo = reach.read_memo(self.store.memo(key.instance).await?);
            (Runner::new(reach, operation, memo, now), Progress::new(now))
        };
        let recorder = match runner.is_fresh() {
            true => self.recorder(key, &element, runner.run()).await,
            false => None,
        };
        let on_probation = self.catalogue.is_on_probation(&element.manifest.key, element.digest);
        let rules = Rules {
            first_sight,
            baselined: state.baselined,
            projection: element.manifest.projection,
            watermark: state.watermark,
            window_from: from,
            created_check_tolerance_ms: i64::from(poller.created_check_tolerance_seconds) * 1_000,
            not_after: None,
        };
        let poll = Poll {
            gateway: self,
            key: key.clone(),
            instance: instance.clone(),
            poller: poller.clone(),
            state: state.clone(),
            progress,
            dates: DateReader::new(poller).map_err(|(field, message)| configuration(field, message))?,
            sender: Sender {
                element: instance.element.clone(),
                hub: element.manifest.hub.clone(),
                instance_name: instance.name.clone(),
                instance_tags: instance.tags.clone(),
            },
            reach: own_reach,
            rules,
            _held: held,
            on_probation,
            recorder,
            leaves_records: false,
            failures: state.failures,
        };
        Ok((poll, runner))
    }

    /// Leaves the resource as it is until its account may be asked again. No failure of its own, and no place taken.
    async fn postpone(&self, key: &ResourceKey, mut state: ResourceState, until: Timestamp) -> Result<(), Error> {
        state.due = Some(until);
        Ok(self.store.commit(row_only(key, state)).await?)
    }

    async fn record_failure(
        &self,
        key: &ResourceKey,
        instance: &Instance,
        mut state: ResourceState,
        progress: Progress,
        error: &Error,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let verdict = Verdict::of(error, now);
        if let Some(pause) = verdict.account_pause
            && let Ok(reach) = self.reach(instance, &HashMap::new())
        {
            self.vendor.pause(&reach.grants.account, now.plus(pause.min(DELAY_MAX)));
        }
        // Where the component could not be taken back, it would read the same again at once, and again.
        let active = self.elements.find(&instance.element);
        let is_stuck = matches!(error, Error::Storm(_))
            && active.is_some_and(|active| self.catalogue.is_on_probation(&instance.element, active.digest));
        let delay = verdict
            .delay
            .filter(|_| !is_stuck)
            .map(|delay| delay + delay.mul_f64(self.jitter()));
        let delay = delay.unwrap_or_else(|| {
            state.failures = state.failures.saturating_add(1);
            let interval = Duration::from_millis(instance.events.refresh_interval_ms);
            poll_backoff(state.failures, interval, self.jitter()).max(verdict.wait.min(DELAY_MAX))
        });
        if (verdict.anew || state.failures >= FAILURES_BEFORE_ANEW)
            && let Some(continuation) = state.continuation.take()
        {
            // The pages before it are in: a run that begins anew need not read them again.
            keep_checkpoint(&mut state, &continuation.progress.checkpoint);
        }
        if verdict.drop_checkpoint {
            state.checkpoint = None;
        }
        state.due = Some(now.plus(delay));
        warn!(error = %error, code = verdict.code, blame = verdict.blame, failures = state.failures, "poll failed");
        let outcome = Outcome::Failed {
            code: verdict.code.clone(),
            blame: verdict.blame.into(),
            message: error.to_string(),
        };
        state.last = Some(report(&progress, state.baselined, now, outcome));
        let failures = state.failures;
        self.store.commit(row_only(key, state)).await?;
        if failures == FAILURES_BEFORE_TOLD {
            let mut data = news_of(key, failures);
            data["code"] = verdict.code.into();
            data["blame"] = verdict.blame.into();
            data["message"] = error.to_string().into();
            self.tell_operator(News::PollFailing, &key.to_string(), data).await;
        }
        Ok(())
    }
}

fn news_of(key: &ResourceKey, failures: u32) -> Value {
    json!({"instanceId": key.instance, "objectType": key.resource, "failures": failures})
}

/// What a poll asks an element for: the poller's url with the time put in.
pub(crate) fn list_operation(
    poller: &Poller,
    from: Timestamp,
    now: Timestamp,
    checkpoint: Option<Vec<u8>>,
) -> Result<Operation, PollerUrlError> {
    let (url, _) = PollerUrl::parse(&poller.url)?;
    let request = url.at(&Moments {
        last_poll: from,
        now,
        default_zone: Zone::utc(),
    })?;
    Ok(Operation::List(ListArgs {
        resource: request.resource,
        window: Some(Window { from, until: None }),
        filter: request.filter.map(|filter| filter.to_json()),
        parameters: request.parameters,
        id_field: poller.id_field.clone(),
        dates: date_fields(poller),
        page_size: poller.page_size,
        checkpoint,
    }))
}

/// Is it the element that failed? A vendor that is slow, limits, refuses or forgot a cursor is not its fault.
fn speaks_against(remedy: &Remedy) -> bool {
    matches!(remedy, Remedy::Broken | Remedy::BadConfiguration | Remedy::Other(_))
}

/// A commit of a resource's row alone. Need not be synced: without it the gateway polls again, sooner.
pub(super) fn row_only(key: &ResourceKey, state: ResourceState) -> PageCommit {
    PageCommit {
        resource: key.clone(),
        state: ResourceState {
            revision: state.revision + 1,
            ..state
        },
        fingerprints: Vec::new(),
        notifications: Vec::new(),
        deliver: false,
        memo: None,
        durability: Durability::Lazy,
        sketches: None,
    }
}

impl Poll<'_> {
    async fn pages(&mut self, runner: &mut Runner, stop: &CancellationToken) -> Result<(), Error> {
        let gateway = self.gateway;
        let (mut step, mut then) = if runner.is_fresh() {
            runner.begin(gateway).await?
        } else {
            let responses = until_stopped(stop, runner.answer(gateway)).await??;
            runner.advance(gateway, responses).await?
        };
        loop {
            self.progress.vendor_started = runner.vendor_date;
            self.progress.requests = runner.sent;
            if then == Then::Done {
                self.keep_recording().await;
                return self.commit(step, None).await;
            }
            let continuation = self.continuation(runner);
            let commit = self.commit(step, Some(continuation));
            let answer = until_stopped(stop, runner.answer(gateway));
            let (committed, responses) = tokio::join!(commit, answer);
            committed?;
            let responses = responses??;
            let asked = self
                .recorder
                .is_some()
                .then(|| (runner.position().1.to_vec(), responses.clone()));
            (step, then) = runner.advance(gateway, responses).await?;
            if let (Some(recorder), Some((requests, responses))) = (&mut self.recorder, asked)
                && recorder.add(&requests, &responses, step.records.len())
            {
                self.keep_recording().await;
            }
        }
    }

    async fn keep_recording(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            self.gateway.keep_recording(recorder).await;
        }
    }

    fn continuation(&self, runner: &Runner) -> Continuation {
        let (state, requests) = runner.position();
        Continuation {
            digest: runner.digest(),
            run: runner.run().clone(),
            state: state.to_vec(),
            requests: requests.to_vec(),
            progress: self.progress.clone(),
        }
    }
}

/// An empty checkpoint clears the one that is kept.
fn keep_checkpoint(state: &mut ResourceState, checkpoint: &Option<Vec<u8>>) {
    if let Some(checkpoint) = checkpoint {
        state.checkpoint = Some(checkpoint.clone()).filter(|checkpoint| !checkpoint.is_empty());
    }
}

/// The answer, unless the gateway stops first; what was sent is sent again after the restart.
async fn until_stopped<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        result = work => Ok(result),
        () = stop.cancelled() => Err(Error::Stopping),
    }
}

fn report(progress: &Progress, baselined: bool, now: Timestamp, outcome: Outcome) -> PollReport {
    PollReport {
        started: progress.started,
        took_ms: u64::try_from(now.since(progress.started).as_millis()).unwrap_or(u64::MAX),
        requests: progress.requests,
        records: progress.records,
        events: progress.events,
        first: !baselined,
        outcome,
        problems: progress.problems.clone(),
    }
}

fn date_fields(poller: &Poller) -> DateFields {
    DateFields {
        created: poller.dates.created.paths.clone(),
        updated: poller.dates.updated.paths.clone(),
    }
}
