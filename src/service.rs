//! The use cases, through ports only. Excludes HTTP servers, databases, WebAssembly and every other concrete thing.
//!
//! `Gateway` holds what all of them need; each file adds one use case to it.

pub mod account;
pub mod account_settings;
pub mod audit;
pub mod deliver;
pub mod elements;
pub mod endpoints;
pub mod hub;
pub mod instances;
pub mod look_up;
pub mod poll;
pub mod reach;
pub mod redeliver;
pub mod runner;
pub mod scheduler;
pub mod subscriptions;
#[cfg(test)]
mod tests;
pub mod try_out;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::domain::instance::RetryPolicy;
use crate::domain::secret::Secret;
use crate::ports::{Callback, Clock, Elements, Entropy, Files, Store, Vault, Vendor};

/// Everything that the services work with. Cheap to clone, shared by all tasks.
pub struct Gateway {
    pub store: Arc<dyn Store>,
    pub elements: Arc<dyn Elements>,
    pub vendor: Arc<dyn Vendor>,
    pub callback: Arc<dyn Callback>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub vault: Arc<dyn Vault>,
    pub files: Arc<dyn Files>,
    pub settings: Settings,
    /// Something is due sooner than the scheduler thinks. Carries no data.
    pub polls: Notify,
    /// Something is to be delivered sooner than the deliverer thinks. Carries no data.
    pub deliveries: Notify,
    /// Is the account's policy `queue`? For instances with none of their own.
    pub(crate) queues_failed: AtomicBool,
    /// One change of the account's settings at a time, or file and memory could differ.
    pub(crate) account_turn: tokio::sync::Mutex<()>,
    pub(crate) running: scheduler::Running,
    pub(crate) catalogue: elements::Catalogue,
    /// Counts changes of instances, for those who hold what they read of one.
    pub(crate) changes: watch::Sender<u64>,
}

/// Where the operator's events go, and what signs them.
#[derive(Clone, Debug)]
pub struct Operator {
    pub url: String,
    pub signature_key: Option<Secret>,
}

/// What the operator sets for all instances.
#[derive(Clone, Debug)]
pub struct Settings {
    /// No resource is polled more often.
    pub min_refresh_interval: Duration,
    /// Configuration that an element's manifest lets an operator set, by element key.
    pub element_configuration: BTreeMap<String, BTreeMap<String, Secret>>,
    /// Polls that may run at the same time. One that waits for its vendor costs little but its place.
    pub polls_max: usize,
    /// Polls of one instance at the same time, so that a vendor that hangs does not take all places.
    pub polls_per_instance_max: usize,
    /// POSTs that may be under way at the same time, over all callbacks.
    pub posts_max: usize,
    /// How long delivered notifications can be looked up.
    pub retention: Duration,
    /// How long dead letters, and what waits for a disabled endpoint, are kept.
    pub undelivered_retention: Duration,
    /// Longest wait for an endpoint's answer, where its instance does not say.
    pub callback_timeout: Duration,
    /// Who is told what the operator should know; None where it can only be looked up.
    pub operator: Option<Operator>,
    /// Where secrets that the operator set may go beside the manifest's hosts, by element key.
    pub secret_hosts: BTreeMap<String, Vec<String>>,
    /// Vendors are reached by https alone; callbacks are the callback port's to judge.
    pub require_https: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_refresh_interval: Duration::from_mins(1),
            element_configuration: BTreeMap::new(),
            polls_max: 256,
            polls_per_instance_max: 4,
            posts_max: 256,
            retention: Duration::from_hours(7 * 24),
            undelivered_retention: Duration::from_hours(30 * 24),
            callback_timeout: Duration::from_secs(30),
            operator: None,
            secret_hosts: BTreeMap::new(),
            require_https: false,
        }
    }
}

/// The adapters that a gateway is made of.
pub struct Adapters {
    pub store: Arc<dyn Store>,
    pub elements: Arc<dyn Elements>,
    pub vendor: Arc<dyn Vendor>,
    pub callback: Arc<dyn Callback>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub vault: Arc<dyn Vault>,
    pub files: Arc<dyn Files>,
}

impl Gateway {
    #[must_use]
    pub fn new(adapters: Adapters, settings: Settings) -> Arc<Self> {
        let Adapters {
            store,
            elements,
            vendor,
            callback,
            clock,
            entropy,
            vault,
            files,
        } = adapters;
        Arc::new(Self {
            store,
            elements,
            vendor,
            callback,
            clock,
            entropy,
            vault,
            files,
            settings,
            polls: Notify::new(),
            deliveries: Notify::new(),
            queues_failed: AtomicBool::new(false),
            account_turn: tokio::sync::Mutex::default(),
            running: scheduler::Running::default(),
            catalogue: elements::Catalogue::default(),
            changes: watch::Sender::new(0),
        })
    }

    /// Tells polls and couriers that an instance is not what it was.
    pub(crate) fn announce_change(&self) {
        self.changes.send_modify(|changes| *changes += 1);
        self.polls.notify_one();
        self.deliveries.notify_one();
    }

    /// The account's policy for what failed.
    pub(crate) fn retry_policy(&self) -> RetryPolicy {
        match self.queues_failed.load(Ordering::Relaxed) {
            true => RetryPolicy::Queue,
            false => RetryPolicy::Retry,
        }
    }

    /// A fraction in 0..1, for jitter.
    pub(crate) fn jitter(&self) -> f64 {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes);
        f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
    }
}
