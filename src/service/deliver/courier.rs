//! Delivers for one instance: as much at a time as its endpoint bears, one probe when it was away, nothing while it rests.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, watch};
use tracing::{error, info, warn};

use super::destination::{Destination, Destined};
use super::{Couriers, Error, WINDOW, operator};
use crate::domain::delivery::{Attempt, AttemptRow, DeadReason, Delivery, DeliveryStatus, OutboxId, Outgoing};
use crate::domain::endpoint::{Endpoint, Health};
use crate::domain::id::InstanceId;
use crate::domain::instance::RetryPolicy;
use crate::domain::secret::{MASK, Secret};
use crate::domain::time::Timestamp;
use crate::engine::deliverable::{deliverable, next_due};
use crate::engine::endpoint::{Gate, Turn, disable, gate, observe};
use crate::engine::retry::{Effect, Ended, Fate, RetryAfter, SCHEDULE, asks_to_slow_down, next_delay, verdict};
use crate::ports::{Answer, Post, Settled, Settlement, Unanswered};

/// The window grows to this while everything in it waits for a retry, so that new notifications are still tried.
const WINDOW_MAX: usize = 4_096;
/// POSTs under way at first; each delivery allows one more, so that a dead endpoint holds few of the gateway's places.
const POSTS_AT_FIRST: usize = 2;
/// Shorter values than this are left in an answer that repeats them: they are words rather than secrets.
const ECHO_BYTES_MIN: usize = 8;
/// Characters of an attempt's URL that are kept.
const URL_CHARS_MAX: usize = 500;

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

/// What follows from an attempt for those that come after it.
struct Posted {
    delivery: Delivery,
    worked: bool,
    slow_down: bool,
}

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
            let calls = gateway.store.calls(self.instance).await?;
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
                    if self.drain(&run, &mut alive, &changes).await? > 0 {
                        window = WINDOW;
                        continue;
                    }
                    if alive.len() >= window && window < WINDOW_MAX {
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
    /// is under way is always waited for and written down.
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
            let recovered = run.endpoint().recovered;
            if room > 0 && go_on {
                let places = deliverable(alive, recovered, now, room);
                for &place in &places {
                    // Not due again until it is settled, and still in the way of later ones of its records.
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
                }
                if !places.is_empty() && run.destination.settings.rate_per_second.is_some() {
                    // Perhaps the rate alone is in the way of the next, and that must not wait for an answer.
                    continue;
                }
            }
            let waits_for_pace = paced.filter(|_| go_on && !deliverable(alive, recovered, now, 1).is_empty());
            tokio::select! {
                ended = under_way.next(), if !under_way.is_empty() => match ended {
                    Some((place, Ok(Posted { delivery, worked, slow_down }))) => {
                        alive[place].delivery = delivery;
                        at_once = match (worked, slow_down) {
                            (true, _) => (at_once + 1).min(most),
                            (false, true) => (at_once / 2).max(1),
                            (false, false) => at_once,
                        };
                    }
                    Some((_, Err(error))) => failed = Some(error),
                    None => {}
                },
                () = self.pause(waits_for_pace.unwrap_or_default(), changes), if waits_for_pace.is_some() => {}
                else => return failed.map_or(Ok(posted), Err),
            }
        }
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

    /// One attempt and its record.
    async fn post(
        &self,
        run: &Run<'_>,
        mut outgoing: Outgoing,
        places: &Semaphore,
        changes: &watch::Receiver<u64>,
    ) -> Result<Posted, Error> {
        let gateway = &self.couriers.gateway;
        let place = places.acquire().await;
        let is_there = self.read_body(&mut outgoing).await?;
        if !is_there || self.couriers.stop.is_cancelled() || changes.has_changed().unwrap_or(false) {
            // As if it had never been taken up: while it waited for a place the destination may have become another.
            return Ok(Posted {
                delivery: outgoing.delivery,
                worked: false,
                slow_down: false,
            });
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
        let (endpoint, turn) = self.observe(run, effect, error.as_deref().unwrap_or_default(), exhausted, now);
        let told = match (&turn, endpoint.as_ref().map(|endpoint| &endpoint.health)) {
            (Turn::Disabled, Some(Health::Disabled { reason, .. })) if self.instance != InstanceId::OPERATOR => {
                vec![operator::disabled(
                    self.instance,
                    &shown_url(&run.destination.url),
                    reason,
                    now,
                )]
            }
            _ => Vec::new(),
        };
        let is_told = !told.is_empty();
        let settlement = Settlement {
            id: outgoing.id,
            attempt: Some(masked(
                row(&run.destination.url, delivery.attempts, attempt, shown, answer),
                &secrets,
            )),
            delivery: delivery.clone(),
        };
        let settled = Settled {
            endpoint,
            told,
            ..Settled::from(vec![settlement])
        };
        gateway.store.settle(self.instance, settled).await?;
        if is_told {
            gateway.deliveries.notify_one();
        }
        Ok(Posted {
            delivery,
            worked: fate == Fate::Delivered,
            slow_down,
        })
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

    /// What the attempt makes of the endpoint; None when that is what is written already.
    fn observe(
        &self,
        run: &Run<'_>,
        effect: Effect,
        reason: &str,
        exhausted: bool,
        now: Timestamp,
    ) -> (Option<Endpoint>, Turn) {
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
        ((*endpoint != before).then(|| endpoint.clone()), turn)
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

fn post_of(destination: &Destination, outgoing: &Outgoing, at: Timestamp) -> Post {
    let notification = &outgoing.notification;
    // A log knows a message again by its event; a webhook's body may hold several.
    let id = match notification.events.as_slice() {
        [event] => event.id.clone(),
        _ => notification.id.clone(),
    };
    Post {
        url: destination.url_of(notification),
        id,
        headers: destination.headers(notification, at),
        body: notification.body.clone(),
        timeout: destination.timeout,
    }
}

fn ended(answer: &Result<Answer, Unanswered>) -> Ended<'_> {
    match answer {
        Ok(answer) => Ended::Answered {
            status: answer.status,
            asked: answer
                .header("retry-after")
                .and_then(|text| RetryAfter::parse(text, answer.header("date"))),
            instruction: answer.header("webhook-delivery").map(str::trim),
        },
        Err(unanswered) => Ended::Unanswered(unanswered.trouble),
    }
}

/// Why it does not count as delivered.
fn reason(answer: &Result<Answer, Unanswered>, fate: Fate) -> Option<String> {
    match answer {
        _ if fate == Fate::Delivered => None,
        Ok(answer) => Some(format!("the callback answered {}", answer.status)),
        Err(unanswered) => Some(unanswered.reason.clone()),
    }
}

fn row(
    url: &str,
    number: u32,
    attempt: Attempt,
    request_headers: Vec<(String, String)>,
    answer: Result<Answer, Unanswered>,
) -> AttemptRow {
    let answer = answer.unwrap_or_default();
    AttemptRow {
        number,
        attempt,
        url: shown_url(url),
        request_headers,
        response_headers: answer.headers,
        response_body: String::from_utf8_lossy(&answer.body).into_owned(),
        body_is_cut: answer.body_is_cut,
    }
}

/// Servers in trouble like to show what they were sent: a secret that comes back is not written down either.
fn masked(mut row: AttemptRow, secrets: &[Secret]) -> AttemptRow {
    let mask = |text: &mut String| {
        for secret in secrets {
            *text = text.replace(secret.expose(), MASK);
        }
    };
    row.response_headers.iter_mut().for_each(|(_, value)| mask(value));
    mask(&mut row.response_body);
    row
}

/// The values of a user's own headers, and of those with a scheme (`Basic …`) what comes behind it: whole ones first.
fn secrets_of(headers: &[(String, Secret)]) -> Vec<Secret> {
    let own = headers.iter().filter(|(name, _)| !is_gateways(name));
    let parts = own.flat_map(|(_, value)| {
        let behind = value.expose().split_once(' ').map(|(_, rest)| Secret::new(rest));
        [Some(value.clone()), behind]
    });
    let long = |secret: &Secret| secret.expose().len() >= ECHO_BYTES_MIN;
    parts.flatten().filter(long).collect()
}

fn is_gateways(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("webhook-")
        || name.starts_with("elements-webhook-")
        || matches!(name.as_str(), "content-type" | "user-agent")
}

/// Without query, which may hold a secret.
fn shown_url(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    url[..end].chars().take(URL_CHARS_MAX).collect()
}

/// The gateway's own headers as they are; a user's may hold secrets.
pub(in crate::service) fn shown_headers(headers: &[(String, Secret)]) -> Vec<(String, String)> {
    let shown = |(name, value): &(String, Secret)| {
        let value = if is_gateways(name) { value.expose() } else { MASK };
        (name.clone(), value.to_owned())
    };
    headers.iter().map(shown).collect()
}
