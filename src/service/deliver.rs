//! From the outbox to the callback: posts what is due, in order per record, and writes each attempt together with the
//! time of the next in one commit. At least once: a crash after a POST posts again, with the same ids and bytes.

mod destination;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use destination::Destination;

use super::{Gateway, reach};
use crate::domain::delivery::{Attempt, Delivery, DeliveryStatus, Outgoing};
use crate::domain::id::InstanceId;
use crate::domain::instance::Instance;
use crate::domain::time::Timestamp;
use crate::engine::deliverable::{deliverable, held_until};
use crate::engine::retry::{RetryAfter, SCHEDULE, Verdict, next_delay, verdict};
use crate::ports::{Post, Settlement, StoreError};

/// Longest sleep of the deliverer: a wake-up that got lost costs no more.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// POSTs under way at the same time to one instance's callback.
const POSTS_PER_INSTANCE_MAX: usize = 16;
/// Notifications of an instance looked at together: twice what can be under way, at some 15 kB each.
const WINDOW: usize = 64;
/// The window grows to this while everything in it waits for a retry, so that new notifications are still tried.
const WINDOW_MAX: usize = 4_096;
/// Pause when nothing that is due could be posted.
const IDLE_PAUSE: Duration = Duration::from_secs(10);
/// Instances looked up at a time.
const DUE_MAX: usize = 256;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Reach(#[from] reach::Error),
}

/// Runs until `stop`; POSTs under way then end and are recorded.
pub async fn run(gateway: Arc<Gateway>, stop: CancellationToken) {
    let couriers = TaskTracker::new();
    let busy: Arc<Mutex<HashSet<InstanceId>>> = Arc::default();
    let posts = Arc::new(Semaphore::new(gateway.settings.posts_max));
    info!(posts_max = gateway.settings.posts_max, "deliverer started");
    while !stop.is_cancelled() {
        let now = gateway.clock.now();
        let wait = match gateway.store.due_deliveries(now, set_of(&busy), DUE_MAX).await {
            Ok(due) => {
                for instance in due {
                    if busy.lock().unwrap_or_else(PoisonError::into_inner).insert(instance) {
                        let courier = Courier {
                            gateway: gateway.clone(),
                            posts: posts.clone(),
                            stop: stop.clone(),
                        };
                        let busy = busy.clone();
                        couriers.spawn(async move {
                            courier.deliver(instance).await;
                            busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&instance);
                            courier.gateway.deliveries.notify_one();
                        });
                    }
                }
                match gateway.store.next_delivery(now).await {
                    Ok(Some(next)) => next.since(now).min(SLEEP_MAX),
                    _ => SLEEP_MAX,
                }
            }
            Err(error) => {
                error!(%error, "due deliveries can't be read");
                SLEEP_MAX
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = gateway.deliveries.notified() => {}
            () = gateway.clock.sleep(wait) => {}
        }
    }
    couriers.close();
    couriers.wait().await;
}

fn set_of(busy: &Mutex<HashSet<InstanceId>>) -> HashSet<InstanceId> {
    busy.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Drops what is older than the retention, a little at a time, until `stop`.
pub async fn run_retention(gateway: Arc<Gateway>, stop: CancellationToken) {
    const EVERY: Duration = Duration::from_mins(1);
    const BATCHES_MAX: usize = 500;
    while !stop.is_cancelled() {
        let before = gateway.clock.now().minus(gateway.settings.retention);
        loop {
            match gateway.store.purge(before, BATCHES_MAX).await {
                Ok(BATCHES_MAX) => {}
                Ok(0) => break,
                Ok(dropped) => {
                    debug!(dropped, "old notifications dropped");
                    break;
                }
                Err(error) => {
                    error!(%error, "old notifications could not be dropped");
                    break;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = gateway.clock.sleep(EVERY) => {}
        }
    }
}

/// Delivers for one instance at a time.
struct Courier {
    gateway: Arc<Gateway>,
    posts: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Courier {
    #[tracing::instrument(name = "deliver", skip(self))]
    async fn deliver(&self, instance: InstanceId) {
        if let Err(error) = self.try_deliver(instance).await {
            error!(%error, "delivery stopped");
            tokio::select! {
                () = self.gateway.clock.sleep(SLEEP_MAX) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    async fn try_deliver(&self, id: InstanceId) -> Result<(), Error> {
        let mut changes = self.gateway.changes.subscribe();
        let mut window = WINDOW;
        let mut idle = true;
        loop {
            changes.mark_unchanged();
            let Some(instance) = self.gateway.store.instance(id).await? else {
                return Ok(());
            };
            let destination = match self.destination(&instance)? {
                Destined::To(destination) => destination,
                Destined::Nowhere => return self.keep(id).await,
                Destined::Later => {
                    // Parked until somebody changes an instance; nothing is written meanwhile.
                    tokio::select! {
                        _ = changes.changed() => continue,
                        () = self.stop.cancelled() => return Ok(()),
                    }
                }
            };
            let mut alive = self.gateway.store.outbox(id, window).await?;
            let posted = self.drain(&destination, &mut alive, &changes).await?;
            if changes.has_changed().unwrap_or(false) {
                continue;
            }
            let held = self.hold(id, &alive).await?;
            idle &= posted == 0 && held == 0;
            let looked_at_all = alive.len() < window || window == WINDOW_MAX;
            if self.stop.is_cancelled() || (posted == 0 && looked_at_all) {
                break;
            }
            if posted == 0 {
                window = (window * 4).min(WINDOW_MAX);
            }
        }
        if idle {
            // Something is due that can't be reached; looking again at once would find the same.
            tokio::select! {
                () = self.gateway.clock.sleep(IDLE_PAUSE) => {}
                () = self.stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Lets what waits for an earlier notification of its records rest until that one is tried again; returns how many.
    async fn hold(&self, instance: InstanceId, alive: &[Outgoing]) -> Result<usize, Error> {
        let held = held_until(alive, self.gateway.clock.now());
        let settle = |&(place, until): &(usize, Timestamp)| Settlement {
            instance,
            id: alive[place].id,
            delivery: Delivery {
                due: Some(until),
                ..alive[place].delivery.clone()
            },
        };
        if !held.is_empty() {
            self.gateway.store.settle(held.iter().map(settle).collect()).await?;
        }
        Ok(held.len())
    }

    /// Posts all that may be posted of `alive`, until an instance changes; returns how many. What is under way is always
    /// waited for and written down.
    async fn drain(
        &self,
        destination: &Destination,
        alive: &mut [Outgoing],
        changes: &watch::Receiver<u64>,
    ) -> Result<usize, Error> {
        let mut under_way = FuturesUnordered::new();
        let mut posted = 0;
        let mut failed = None;
        loop {
            let free = POSTS_PER_INSTANCE_MAX - under_way.len();
            let go_on = failed.is_none() && !self.stop.is_cancelled() && !changes.has_changed().unwrap_or(false);
            if free > 0 && go_on {
                for place in deliverable(alive, self.gateway.clock.now(), free) {
                    // Not due again until it is settled, and still in the way of later ones of its records.
                    alive[place].delivery.due = None;
                    let outgoing = alive[place].clone();
                    under_way.push(async move { (place, self.post(destination, outgoing).await) });
                    posted += 1;
                }
            }
            match under_way.next().await {
                None => return failed.map_or(Ok(posted), Err),
                Some((place, Ok(delivery))) => alive[place].delivery = delivery,
                Some((_, Err(error))) => failed = Some(error),
            }
        }
    }

    /// One attempt and its record.
    async fn post(&self, destination: &Destination, outgoing: Outgoing) -> Result<Delivery, Error> {
        let gateway = &self.gateway;
        let place = self.posts.acquire().await.expect("the semaphore is never closed");
        if self.stop.is_cancelled() {
            // As if it had never been taken up.
            return Ok(outgoing.delivery);
        }
        let notification = outgoing.notification;
        let at = gateway.clock.now();
        let post = Post {
            url: destination.url.clone(),
            headers: destination.headers(&notification, at),
            body: notification.body,
        };
        let answer = gateway.callback.post(post).await;
        drop(place);
        let now = gateway.clock.now();
        let (status, error, retry_after) = match answer {
            Ok(answer) if verdict(answer.status) == Verdict::Delivered => (Some(answer.status), None, None),
            Ok(answer) => {
                let wait = answer
                    .retry_after
                    .as_deref()
                    .and_then(|text| RetryAfter::parse(text, answer.date.as_deref()));
                (
                    Some(answer.status),
                    Some(format!("the callback answered {}", answer.status)),
                    wait,
                )
            }
            Err(reason) => (None, Some(reason), None),
        };
        let attempts = outgoing.delivery.attempts + 1;
        let (state, due) = if error.is_none() {
            (DeliveryStatus::Delivered, None)
        } else {
            match next_delay(&SCHEDULE, attempts, gateway.jitter(), retry_after) {
                Some(delay) => (DeliveryStatus::Retry, Some(now.plus(delay))),
                None => (DeliveryStatus::Dead, None),
            }
        };
        if let Some(error) = &error {
            warn!(
                notification = notification.id,
                error,
                attempts,
                blame = "callback",
                "notification not delivered"
            );
        }
        let took_ms = u32::try_from(now.since(at).as_millis()).unwrap_or(u32::MAX);
        let delivery = Delivery {
            status: state,
            attempts,
            due,
            last: Some(Attempt {
                at,
                took_ms,
                status,
                error,
            }),
        };
        let settlement = Settlement {
            instance: destination.instance,
            id: outgoing.id,
            delivery: delivery.clone(),
        };
        gateway.store.settle(vec![settlement]).await?;
        Ok(delivery)
    }

    fn destination(&self, instance: &Instance) -> Result<Destined, Error> {
        if !instance.enabled {
            return Ok(Destined::Later);
        }
        let Some(url) = instance.events.callback_url.clone() else {
            return Ok(Destined::Nowhere);
        };
        Ok(Destined::To(Destination::of(&self.gateway, instance, url)?))
    }

    /// There is no callback any more: what waits for one is kept to be looked up.
    async fn keep(&self, instance: InstanceId) -> Result<(), Error> {
        loop {
            let alive = self.gateway.store.outbox(instance, WINDOW).await?;
            if alive.is_empty() || self.stop.is_cancelled() {
                return Ok(());
            }
            let settle = |outgoing: Outgoing| Settlement {
                instance,
                id: outgoing.id,
                delivery: Delivery {
                    status: DeliveryStatus::Stored,
                    due: None,
                    ..outgoing.delivery
                },
            };
            self.gateway
                .store
                .settle(alive.into_iter().map(settle).collect())
                .await?;
        }
    }
}

/// Where an instance's notifications go now.
enum Destined {
    To(Destination),
    /// The instance is disabled: they keep until it is not.
    Later,
    /// It has no callback.
    Nowhere,
}
