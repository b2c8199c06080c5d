//! From the outbox to the endpoint: posts what is due, in order per record, and writes each attempt together with the
//! time of the next in one commit. At least once: a crash after a POST posts again, with the same ids and bytes.
//!
//! Nothing is kept in memory per idle endpoint: the store knows when each courier wakes.

mod courier;
mod destination;
mod exchange;
mod operator;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info};

use super::{Gateway, reach};
use crate::domain::delivery::{DeadReason, Delivery, DeliveryStatus, Outgoing};
use crate::domain::endpoint::Health;
use crate::domain::id::InstanceId;
use crate::domain::time::Timestamp;
use crate::engine::endpoint::Gate;
use crate::ports::{Horizon, Settled, Settlement, StoreError};
use courier::Courier;
pub(in crate::service) use destination::{Destination, Destined};
pub(in crate::service) use exchange::{ended, reason, shown_headers, shown_url};

/// Longest sleep of the deliverer: a wake-up that got lost costs no more.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// Instances looked up at a time.
const DUE_MAX: usize = 256;
/// Notifications of an instance looked at together: several times what can be under way, at some 15 kB each.
const WINDOW: usize = 64;

/// For so many POSTs that may be under way there is one place for a probe beside them.
const PROBES_SHARE: usize = 4;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Reach(#[from] reach::Error),
}

/// What couriers have in common.
struct Couriers {
    gateway: Arc<Gateway>,
    /// Instances with a courier at work.
    busy: Mutex<HashSet<InstanceId>>,
    posts: Semaphore,
    /// Places for probes alone: endpoints that are away must not take those of others while they hang.
    probes: Semaphore,
    /// When the next POST may leave, of instances with a limited rate.
    paces: Mutex<HashMap<InstanceId, Timestamp>>,
    stop: CancellationToken,
}

impl Couriers {
    fn busy(&self) -> HashSet<InstanceId> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn places(&self, gate: Gate) -> &Semaphore {
        if gate == Gate::Probe { &self.probes } else { &self.posts }
    }

    /// So that what fails is not tried again and again at once.
    async fn pause_after_trouble(&self) {
        tokio::select! {
            () = self.gateway.clock.sleep(SLEEP_MAX) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Sends a courier for each of these instances.
    fn send(self: &Arc<Self>, due: Vec<InstanceId>, tasks: &TaskTracker) {
        for instance in due {
            if self
                .busy
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(instance)
            {
                let couriers = self.clone();
                tasks.spawn(async move {
                    let courier = Courier::new(&couriers, instance);
                    if AssertUnwindSafe(courier.deliver()).catch_unwind().await.is_err() {
                        // Else it would stay busy, and nothing would go to it until the next start.
                        error!(%instance, "a courier panicked; it looks again in a while");
                        couriers.pause_after_trouble().await;
                    }
                    couriers
                        .busy
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .remove(&instance);
                    couriers.gateway.deliveries.notify_one();
                });
            }
        }
    }
}

/// Runs until `stop`; POSTs under way then end and are recorded.
pub async fn run(gateway: Arc<Gateway>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    info!(posts_max = gateway.settings.posts_max, "deliverer started");
    let couriers = Arc::new(Couriers {
        posts: Semaphore::new(gateway.settings.posts_max),
        probes: Semaphore::new((gateway.settings.posts_max / PROBES_SHARE).max(1)),
        gateway,
        busy: Mutex::default(),
        paces: Mutex::default(),
        stop: stop.clone(),
    });
    let gateway = &couriers.gateway;
    while !stop.is_cancelled() {
        let now = gateway.clock.now();
        let wait = match gateway.store.due_deliveries(now, couriers.busy(), DUE_MAX).await {
            Ok(due) => {
                couriers.send(due, &tasks);
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
    tasks.close();
    tasks.wait().await;
}

/// Drops what is older than the retention, a little at a time, until `stop`.
pub async fn run_retention(gateway: Arc<Gateway>, stop: CancellationToken) {
    const EVERY: Duration = Duration::from_mins(1);
    while !stop.is_cancelled() {
        if let Err(error) = gateway.drop_old(&stop).await {
            error!(%error, "old notifications could not be dropped");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = gateway.clock.sleep(EVERY) => {}
        }
    }
}

/// Batches dropped in one write, so that others get their turn between two.
const BATCHES_MAX: usize = 500;

impl Gateway {
    pub(in crate::service) async fn drop_old(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = Horizon {
            delivered: now.minus(self.settings.retention),
            undelivered: now.minus(self.settings.undelivered_retention),
        };
        self.expire_backlogs(before.undelivered).await?;
        while !stop.is_cancelled() {
            let dropped = self.store.purge(before, BATCHES_MAX).await?;
            if dropped > 0 {
                debug!(dropped, "old notifications dropped");
            }
            if dropped < BATCHES_MAX {
                break;
            }
        }
        Ok(())
    }

    /// What waited for a disabled endpoint for too long becomes a dead letter.
    async fn expire_backlogs(&self, before: Timestamp) -> Result<(), StoreError> {
        let instances = self.store.instances().await?;
        let instances = instances.into_iter().map(|instance| (instance.id, instance.enabled));
        for (id, is_enabled) in instances.chain([(InstanceId::OPERATOR, true)]) {
            let endpoint = self.store.endpoint(id).await?;
            if is_enabled && !matches!(endpoint.health, Health::Disabled { .. }) {
                continue;
            }
            loop {
                let alive = self.store.outbox(id, WINDOW).await?;
                let old = |outgoing: &Outgoing| outgoing.delivery.due.unwrap_or(outgoing.notification.created) < before;
                let expired: Vec<Settlement> = alive.into_iter().filter(old).map(expire).collect();
                if expired.is_empty() {
                    break;
                }
                self.store.settle(id, Settled::from(expired)).await?;
            }
        }
        Ok(())
    }
}

fn expire(outgoing: Outgoing) -> Settlement {
    Settlement {
        id: outgoing.id,
        delivery: Delivery {
            status: DeliveryStatus::Dead,
            due: None,
            dead: Some(DeadReason::Expired),
            ..outgoing.delivery
        },
        attempt: None,
    }
}
