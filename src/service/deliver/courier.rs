//! Delivers for one instance: as much at a time as its endpoint bears, one probe when it was away, nothing while it rests.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, watch};
use tracing::{error, info, warn};

use super::destination::{Destination, Destined};
use super::exchange::{ended, masked, post_of, reason, row, secrets_of, shown_headers, shown_url};
use super::{Couriers, Error, WINDOW, operator};
use crate::domain::delivery::{Attempt, DeadReason, Delivery, DeliveryStatus, OutboxId, Outgoing};
use crate::domain::endpoint::{Endpoint, Health};
use crate::domain::event::Notification;
use crate::domain::id::InstanceId;
use crate::domain::instance::RetryPolicy;
use crate::domain::time::Timestamp;
use crate::engine::deliverable::{deliverable, next_due};
use crate::engine::endpoint::{Gate, Turn, disable, gate, observe};
use crate::engine::retry::{Effect, Fate, SCHEDULE, asks_to_slow_down, next_delay, verdict};
use crate::ports::{Settled, Settlement};

/// The window grows to this while everything in it waits for a retry, so that new notifications are still tried.
const WINDOW_MAX: usize = 4_096;
/// The window grows to this while everything in it is delivered.
const WINDOW_FLOWING_MAX: usize = 1_024;
/// POSTs under way at first; each delivery allows one more, so that a dead endpoint holds few of the gateway's places.
const POSTS_AT_FIRST: usize = 2;
/// Attempts that were made and are not on the disk yet: as many are made again after a crash, at most.
const UNWRITTEN_MAX: usize = 256;

pub(super) struct Courier<'a> {
    couriers: &'a Couriers,
    instance: InstanceId,
}

/// What one delivery run shares between its POSTs.
struct Run<'a> {
    destination: &'a Destination,
    endpoint: Mutex<Endpoint>,
}

impl Run<'_> {
    fn gate(&self, now: Timestamp) -> Gate {
        gate(&self.endpoint(), now)
    }

    fn endpoint(&self) -> std::sync::MutexGuard<'_, Endpoint> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that was made and is not written yet.
struct Posted {
    settlement: Settlement,
    changed_endpoint: bool,
    told: Option<Notification>,
    worked: bool,
    slow_down: bool,
}

/// A write on its way: the places that it settles, each with what it is settled to.
type Writing<'a> = BoxFuture<'a, (Vec<(usize, Delivery)>, Result<(), Error>)>;

impl<'a> Courier<'a> {
    pub(super) fn new(couriers: &'a Couriers, instance: InstanceId) -> Self {
        Self { couriers, instance }
    }

    #[tracing::instrument(name = "deliver", skip_all, fields(instance = %self.instance))]
    pub(super) async fn deliver(&self) {
        if let Err(error) = self.try_deliver().await {
            error!(%error, "delivery stopped");
            self.couriers.pause_after_trouble().await;
        }
    }

    async fn try_deliver(&self) -> Result<(), Error> {
        let gateway = &self.couriers.gateway;
        let mut changes = gateway.changes.subscribe();
        let mut window = WINDOW;
        while !self.couriers.stop.is_cancelled() {
            changes.mark_unchanged();
            let calls = gateway.store.courier_calls(self.instance).await?;
            let Some(destined) = gateway.destined_of(self.instance).await? else {
                return Ok(());
            };
            let destination = match destined {
                Destined::To(destination) => destination,
                Destined::Nowhere => {
                    self.keep().await?;
                    // Whoever is stopped half-way does not go to rest: nobody would wake it for what is left.
                    if self.couriers.stop.is_cancelled() || self.rest(calls, None).await? {
                        return Ok(());
                    }
                    continue;
                }
                Destined::Later if self.rest(calls, None).await? => return Ok(()),
                Destined::Later => continue,
            };
            let endpoint = gateway.store.endpoint(self.instance).await?;
            let recovered = endpoint.recovered;
            let wake = match gate(&endpoint, gateway.clock.now()) {
                Gate::Open | Gate::Probe => {
                    let mut alive = gateway.store.outbox(self.instance, window).await?;
                    let run = Run {
                        destination: &destination,
                        endpoint: Mutex::new(endpoint),
                    };
                    let posted = self.drain(&run, &mut alive, &changes).await?;
                    let is_full = alive.len() >= window;
                    if posted > 0 {
                        // Whoever takes much at a time is read more at a time.
                        let flows = is_full && posted >= window / 2;
                        window = if flows {
                            (window * 2).min(WINDOW_FLOWING_MAX)
                        } else {
                            WINDOW
                        };
                        continue;
                    }
                    if is_full && window < WINDOW_MAX {
                        window = (window * 4).min(WINDOW_MAX);
                        continue;
                    }
                    next_due(&alive, recovered)
                }
                Gate::Until(until) => Some(until),
                Gate::Closed => None,
            };
            if self.rest(calls, wake).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False when there is something new to look at.
    async fn rest(&self, calls: u64, wake: Option<Timestamp>) -> Result<bool, Error> {
        Ok(self.couriers.gateway.store.rest(self.instance, calls, wake).await?)
    }

    /// Posts all that may be posted of `alive`, until the endpoint pauses or an instance changes; returns how many. What
    /// is under way is always waited for and written down: what ended while one write was on its way to the disk is the next.
    async fn drain(
        &self,
        run: &Run<'_>,
        alive: &mut [Outgoing],
        changes: &watch::Receiver<u64>,
    ) -> Result<usize, Error> {
        let clock = &self.couriers.gateway.clock;
        let most = run.destination.settings.concurrency.max(1) as usize;
        let mut at_once = POSTS_AT_FIRST.min(most);
        let mut under_way = FuturesUnordered::new();
        let mut ended = Vec::new();
        let mut writing: Option<Writing<'_>> = None;
        // Places that may be posted: they share no record with each other or with an earlier one.
        let mut ready = VecDeque::new();
        let mut looks_again = true;
        let mut unwritten = 0;
        let mut posted = 0;
        let mut failed = None;
        loop {
            let go_on =
                failed.is_none() && !self.couriers.stop.is_cancelled() && !changes.has_changed().unwrap_or(false);
            let now = clock.now();
            let gate = run.gate(now);
            let (room, paced) = match gate {
                Gate::Open => self.paced(run.destination, at_once.saturating_sub(under_way.len()), now),
                Gate::Probe => (usize::from(under_way.is_empty()), None),
                Gate::Until(_) | Gate::Closed => (0, None),
            };
            if go_on && ready.is_empty() && looks_again {
                ready.extend(deliverable(alive, run.endpoint().recovered, now, alive.len()));
                looks_again = false;
            }
            if go_on && room > 0 && unwritten < UNWRITTEN_MAX && !ready.is_empty() {
                for _ in 0..room.min(ready.len()) {
                    let Some(place) = ready.pop_front() else { break };
                    // Not due again until it is written, and still in the way of later ones of its records.
                    alive[place].delivery.due = None;
                    let outgoing = alive[place].clone();
                    self.take_turn(run.destination, now);
                    under_way.push(async move {
                        (
                            place,
                            self.post(run, outgoing, self.couriers.places(gate), changes).await,
                        )
                    });
                    posted += 1;
                    unwritten += 1;
                }
                if !ready.is_empty() && run.destination.settings.rate_per_second.is_some() {
                    // Perhaps the rate alone is in the way of the next, and that must not wait for an answer.
                    continue;
                }
            }
            if writing.is_none() && !ended.is_empty() {
                writing = Some(self.write(run, std::mem::take(&mut ended)));
            }
            let waits_for_pace = paced.filter(|_| go_on && !ready.is_empty());
            tokio::select! {
                Some((place, post)) = under_way.next(), if !under_way.is_empty() => match post {
                    Err(error) => {
                        unwritten -= 1;
                        failed = Some(error);
                    }
                    // Counted as posted all the same, so that the outbox is read again: here it has no due time any more.
                    Ok(None) => unwritten -= 1,
                    Ok(Some(post)) => {
                        at_once = match (post.worked, post.slow_down) {
                            (true, _) => (at_once + 1).min(most),
                            (false, true) => (at_once / 2).max(1),
                            (false, false) => at_once,
                        };
                        ended.push((place, post));
                    }
                },
                (places, written) = async { writing.as_mut().expect("checked").await }, if writing.is_some() => {
                    writing = None;
                    unwritten -= places.len();
                    looks_again = true;
                    for (place, delivery) in places {
                        alive[place].delivery = delivery;
                    }
                    failed = failed.or(written.err());
                }
                () = self.pause(waits_for_pace.unwrap_or_default(), changes), if waits_for_pace.is_some() => {}
                else => return failed.map_or(Ok(posted), Err),
            }
        }
    }

    /// Writes what ended, in one commit, with what it all made of the endpoint.
    fn write(&self, run: &Run<'_>, ended: Vec<(usize, Posted)>) -> Writing<'a> {
        let gateway = &self.couriers.gateway;
        let mut places = Vec::with_capacity(ended.len());
        let mut settled = Settled::from(Vec::with_capacity(ended.len()));
        for (place, posted) in ended {
            places.push((place, posted.settlement.delivery.clone()));
            settled.settlements.push(posted.settlement);
            settled.told.extend(posted.told);
            if posted.changed_endpoint {
                settled.endpoint = Some(run.endpoint().clone());
            }
        }
        let is_told = !settled.told.is_empty();
        let write = gateway.store.settle(self.instance, settled);
        Box::pin(async move {
            let written = write.await.map_err(Error::from);
            if is_told {
                gateway.deliveries.notify_one();
            }
            (places, written)
        })
    }

    /// Sleeps, unless the gateway stops or an instance changes.
    async fn pause(&self, wait: Duration, changes: &watch::Receiver<u64>) {
        let mut changes = changes.clone();
        tokio::select! {
            () = self.couriers.gateway.clock.sleep(wait) => {}
            () = self.couriers.stop.cancelled() => {}
            Ok(()) = changes.changed() => {}
        }
    }

    /// How many may leave now by the endpoint's rate; where none may, how long until one may.
    fn paced(&self, destination: &Destination, room: usize, now: Timestamp) -> (usize, Option<Duration>) {
        let Some(rate) = destination.settings.rate_per_second.filter(|_| room > 0) else {
            return (room, None);
        };
        let (at_once, interval) = turn_of(rate);
        let mut paces = self.couriers.paces.lock().unwrap_or_else(PoisonError::into_inner);
        match paces.get_mut(&self.instance).filter(|next| **next > now) {
            Some(next) => {
                // No later than by the rate of now, whatever was set before, and wherever the clock went.
                *next = (*next).min(now.plus(interval));
                (0, Some(next.since(now)))
            }
            None => (room.min(at_once), None),
        }
    }

    fn take_turn(&self, destination: &Destination, now: Timestamp) {
        if let Some(rate) = destination.settings.rate_per_second {
            let (_, interval) = turn_of(rate);
            let mut paces = self.couriers.paces.lock().unwrap_or_else(PoisonError::into_inner);
            // Turns long past say nothing.
            paces.retain(|_, next| *next > now);
            paces.insert(self.instance, now.plus(interval));
        }
    }

    /// One attempt; None when it was not made after all.
    async fn post(
        &self,
        run: &Run<'_>,
        mut outgoing: Outgoing,
        places: &Semaphore,
        changes: &watch::Receiver<u64>,
    ) -> Result<Option<Posted>, Error> {
        let gateway = &self.couriers.gateway;
        let place = places.acquire().await;
        let is_there = self.read_body(&mut outgoing).await?;
        let is_open = matches!(run.gate(gateway.clock.now()), Gate::Open | Gate::Probe);
        if !is_there || !is_open || self.couriers.stop.is_cancelled() || changes.has_changed().unwrap_or(false) {
            // While it waited for a place the destination may have become another, or been lost.
            return Ok(None);
        }
        let at = gateway.clock.now();
        let post = post_of(run.destination, &outgoing, at);
        let shown = shown_headers(&post.headers);
        let secrets = secrets_of(&post.headers);
        let answer = gateway.callback.post(post).await;
        drop(place);
        let now = gateway.clock.now();
        let took_ms = u32::try_from(now.since(at).as_millis()).unwrap_or(u32::MAX);
        let ended = ended(&answer);
        let (fate, effect) = verdict(ended);
        let slow_down = asks_to_slow_down(ended);
        let error = reason(&answer, fate);
        let attempt = Attempt {
            at,
            took_ms,
            status: answer.as_ref().ok().map(|answer| answer.status),
            error: error.clone(),
        };
        let delivery = self.next(run.destination, &outgoing.delivery, attempt.clone(), fate, now);
        if let Some(error) = &error {
            let notification = &outgoing.notification.id;
            let (attempts, dead) = (delivery.attempts, delivery.dead);
            warn!(
                notification,
                error,
                attempts,
                ?dead,
                blame = "callback",
                "notification not delivered"
            );
        }
        let exhausted = delivery.dead == Some(DeadReason::Exhausted);
        let reason = error.as_deref().unwrap_or_default();
        let (changed_endpoint, turn) = self.observe(run, effect, reason, exhausted, now);
        let told = match (turn, &run.endpoint().health) {
            (Turn::Disabled, Health::Disabled { reason, .. }) if self.instance != InstanceId::OPERATOR => {
                let url = shown_url(&run.destination.url);
                Some(operator::disabled(self.instance, &url, reason, now))
            }
            _ => None,
        };
        let attempt = row(&run.destination.url, delivery.attempts, attempt, shown, answer);
        Ok(Some(Posted {
            settlement: Settlement {
                id: outgoing.id,
                attempt: Some(masked(attempt, &secrets)),
                delivery,
            },
            changed_endpoint,
            told,
            worked: fate == Fate::Delivered,
            slow_down,
        }))
    }

    /// Reads the body that a long outbox left out. False when the notification is gone.
    async fn read_body(&self, outgoing: &mut Outgoing) -> Result<bool, Error> {
        if !outgoing.notification.body.is_empty() {
            return Ok(true);
        }
        let behind = OutboxId {
            index: outgoing.id.index + 1,
            ..outgoing.id
        };
        let store = &self.couriers.gateway.store;
        let read = store.notifications(self.instance, Some(behind), 1).await?;
        let read = read.into_iter().find(|read| read.id == outgoing.id);
        Ok(read
            .map(|read| outgoing.notification.body = read.notification.body)
            .is_some())
    }

    /// What the attempt makes of the notification.
    fn next(
        &self,
        destination: &Destination,
        before: &Delivery,
        attempt: Attempt,
        fate: Fate,
        now: Timestamp,
    ) -> Delivery {
        let gateway = &self.couriers.gateway;
        let attempts = before.attempts.saturating_add(1);
        let retry = &destination.settings.retry;
        let policy = retry.policy.unwrap_or_else(|| gateway.retry_policy());
        let own: Vec<Duration> = retry.waits_ms.iter().copied().map(Duration::from_millis).collect();
        let schedule = if own.is_empty() { &SCHEDULE[..] } else { &own };
        let (status, due, dead) = match fate {
            Fate::Delivered => (DeliveryStatus::Delivered, None, None),
            Fate::Dead(reason) => (DeliveryStatus::Dead, None, Some(reason)),
            Fate::Retry { .. } if policy == RetryPolicy::Queue => {
                (DeliveryStatus::Dead, None, Some(DeadReason::Queued))
            }
            Fate::Retry { at_least } => {
                let made = attempts.saturating_sub(before.attempts_before);
                match next_delay(schedule, made, gateway.jitter(), at_least) {
                    Some(delay) => (DeliveryStatus::Retry, Some(now.plus(delay)), None),
                    None => (DeliveryStatus::Dead, None, Some(DeadReason::Exhausted)),
                }
            }
        };
        Delivery {
            status,
            attempts,
            due,
            last: Some(attempt),
            dead,
            attempts_before: before.attempts_before,
        }
    }

    /// What the attempt makes of the endpoint, and whether that is to be written.
    fn observe(&self, run: &Run<'_>, effect: Effect, reason: &str, exhausted: bool, now: Timestamp) -> (bool, Turn) {
        let mut endpoint = run.endpoint();
        let before = endpoint.clone();
        let mut turn = observe(&mut endpoint, effect, reason, now, self.couriers.gateway.jitter());
        if exhausted && run.destination.settings.retry.disables {
            let reason = format!("a notification used its schedule up: {reason}");
            turn = disable(&mut endpoint, &reason, now);
        }
        match turn {
            Turn::Same => {}
            Turn::Paused => warn!(reason, blame = "callback", "the endpoint is paused"),
            Turn::Recovered => info!("the endpoint answers again"),
            Turn::Disabled => warn!(reason, blame = "callback", "the endpoint is disabled"),
        }
        (*endpoint != before, turn)
    }

    /// There is no callback any more: what waits for one is kept to be looked up.
    async fn keep(&self) -> Result<(), Error> {
        let store = &self.couriers.gateway.store;
        loop {
            let alive = store.outbox(self.instance, WINDOW).await?;
            if alive.is_empty() || self.couriers.stop.is_cancelled() {
                return Ok(());
            }
            let settle = |outgoing: Outgoing| Settlement {
                id: outgoing.id,
                delivery: Delivery {
                    status: DeliveryStatus::Stored,
                    due: None,
                    ..outgoing.delivery
                },
                attempt: None,
            };
            let settlements: Vec<Settlement> = alive.into_iter().map(settle).collect();
            store.settle(self.instance, Settled::from(settlements)).await?;
        }
    }
}

/// How many leave together, and how long after the last of them the next. In whole milliseconds, which is what the clock
/// tells, and rounded so that the rate is never exceeded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is from 0.01 to 10,000"
)]
fn turn_of(rate_per_second: f64) -> (usize, Duration) {
    let at_once = (rate_per_second / 1_000.0).floor().max(1.0);
    let interval = Duration::from_secs_f64((at_once * 1_000.0 / rate_per_second).ceil() / 1_000.0);
    (at_once as usize, interval)
}
