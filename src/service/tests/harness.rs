//! A gateway with everything around it in the test's hands.
//! Asserts nothing by itself, but that whatever is waited for comes.

mod callback;
mod clock;
mod element;
mod secrets;
mod vendor;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) use self::callback::{ScriptedCallback, answer};
pub(super) use self::clock::{ManualClock, at};
pub(super) use self::element::{ScriptedElement, Turn, component, fault, page, record};
use self::secrets::{Dice, PaperVault};
pub(super) use self::vendor::ScriptedVendor;
use crate::domain::delivery::Delivery;
use crate::domain::event::Change;
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::instance::Instance;
use crate::domain::poll::{Outcome, ResourceState};
use crate::engine::configuration::Body;
use crate::ports::Store as _;
use crate::service::instances::{self, Validate};
use crate::service::{Adapters, Gateway, Settings, deliver, scheduler};
use crate::store::files::Files;
use crate::store::sled::{Options, SledStore};

/// Between two polls of a resource, unless a test says otherwise.
pub(super) const INTERVAL: Duration = Duration::from_mins(1);

/// What does not come within this much of real time does not come.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Harness {
    pub(super) gateway: Arc<Gateway>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) dice: Arc<Dice>,
    pub(super) element: Arc<ScriptedElement>,
    pub(super) vendor: Arc<ScriptedVendor>,
    pub(super) callback: Arc<ScriptedCallback>,
    pub(super) store: Arc<SledStore>,
    /// Ends what `start_scheduler` and `start_deliverer` started.
    pub(super) stop: CancellationToken,
    _dir: TempDir,
}

impl Harness {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path(), Options::default()).unwrap();
        let clock = Arc::new(ManualClock::new());
        let dice = Arc::new(Dice::default());
        let element = Arc::new(ScriptedElement::new());
        let vendor = Arc::new(ScriptedVendor::new(clock.clone()));
        let callback = Arc::new(ScriptedCallback::new(clock.clone()));
        let adapters = Adapters {
            store: store.clone(),
            elements: element.clone(),
            vendor: vendor.clone(),
            callback: callback.clone(),
            clock: clock.clone(),
            entropy: dice.clone(),
            vault: Arc::new(PaperVault),
            files: Arc::new(Files::open(&dir.path().join("files")).unwrap()),
        };
        Self {
            gateway: Gateway::new(adapters, Settings::default()),
            clock,
            dice,
            element,
            vendor,
            callback,
            store,
            stop: CancellationToken::new(),
            _dir: dir,
        }
    }

    /// The same store and files under a new gateway, whose element host knows nothing of before.
    pub(super) fn restarted(self) -> Self {
        self.restarted_with(Settings::default())
    }

    pub(super) fn restarted_with(self, settings: Settings) -> Self {
        let element = Arc::new(ScriptedElement::new());
        let gateway = &self.gateway;
        let adapters = Adapters {
            store: gateway.store.clone(),
            elements: element.clone(),
            vendor: gateway.vendor.clone(),
            callback: gateway.callback.clone(),
            clock: gateway.clock.clone(),
            entropy: gateway.entropy.clone(),
            vault: gateway.vault.clone(),
            files: gateway.files.clone(),
        };
        Self {
            gateway: Gateway::new(adapters, settings),
            element,
            ..self
        }
    }

    /// A new instance that polls `accounts` each minute, unless `configuration` says otherwise. The vendor is not asked.
    pub(super) async fn create(&self, configuration: Value) -> InstanceId {
        self.try_create(configuration, Validate::No).await.unwrap().id
    }

    pub(super) async fn try_create(
        &self,
        configuration: Value,
        validate: Validate,
    ) -> Result<Instance, instances::Error> {
        let mut whole = configuration_of(json!({
            "user": "anna",
            "password": "hunter2",
            "event.notification.enabled": true,
            "event.notification.callback.url": "https://callback.example/events",
            "event.poller.refresh_interval": INTERVAL.as_secs() / 60,
            "event.poller.configuration": {"accounts": {"url": "/hubs/demo/accounts"}},
        }));
        whole.extend(configuration_of(configuration));
        let body = Body {
            element: Some("demo".into()),
            name: Some("name".into()),
            configuration: Some(whole),
            ..Body::default()
        };
        Ok(Box::pin(self.gateway.create_instance(body, validate)).await?.instance)
    }

    /// An instance whose first poll of `accounts` found nothing, so that whatever comes now is news.
    pub(super) async fn create_baselined(&self) -> ResourceKey {
        let accounts = accounts(self.create(json!({})).await);
        self.element.script("accounts", vec![page([])]);
        self.poll(&accounts).await;
        assert!(self.state(&accounts).await.baselined);
        accounts
    }

    pub(super) async fn patch(&self, id: InstanceId, configuration: Value) {
        let body = Body {
            configuration: Some(configuration_of(configuration)),
            ..Body::default()
        };
        let change = instances::Change::Merge;
        let changed = self.gateway.change_instance(id, body, change, Validate::No).await;
        changed.unwrap();
    }

    /// Polls once, now, whenever it is due.
    pub(super) async fn poll(&self, key: &ResourceKey) {
        within(Box::pin(self.gateway.poll(key.clone(), &self.stop))).await;
    }

    /// The same in the background, for a poll that something happens to.
    pub(super) fn start_poll(&self, key: &ResourceKey) -> JoinHandle<()> {
        let (gateway, key, stop) = (self.gateway.clone(), key.clone(), self.stop.clone());
        tokio::spawn(async move { gateway.poll(key, &stop).await })
    }

    /// Polls `accounts` once, which then has one page of one record with this content.
    pub(super) async fn poll_one(&self, key: &ResourceKey, id: &str, content: u32) {
        let changed = record(id, content).updated(self.clock.time());
        self.element.script(&key.resource, vec![page([changed])]);
        self.poll(key).await;
    }

    pub(super) fn start_scheduler(&self) -> JoinHandle<()> {
        tokio::spawn(scheduler::run(self.gateway.clone(), self.stop.clone()))
    }

    pub(super) fn start_deliverer(&self) -> JoinHandle<()> {
        tokio::spawn(deliver::run(self.gateway.clone(), self.stop.clone()))
    }

    pub(super) async fn state(&self, key: &ResourceKey) -> ResourceState {
        self.store.resource(key.clone()).await.unwrap().unwrap()
    }

    /// How the last poll failed: code and blame.
    pub(super) async fn failure(&self, key: &ResourceKey) -> Option<(String, String)> {
        match self.state(key).await.last?.outcome {
            Outcome::Succeeded => None,
            Outcome::Failed { code, blame, .. } => Some((code, blame)),
        }
    }

    /// How long until the next poll.
    pub(super) async fn delay(&self, key: &ResourceKey) -> Duration {
        self.state(key).await.due.unwrap().since(self.clock.time())
    }

    /// All events of an instance in order of commit: sequence number, change, record.
    pub(super) async fn events(&self, id: InstanceId) -> Vec<(u64, Change, String)> {
        let mut notifications = self.store.notifications(id, None, 10_000).await.unwrap();
        notifications.sort_by_key(|outgoing| outgoing.id);
        let events = notifications
            .into_iter()
            .flat_map(|outgoing| outgoing.notification.events);
        events
            .map(|event| (event.sequence, event.change, event.record))
            .collect()
    }

    /// What became of the notifications, in order of commit.
    pub(super) async fn deliveries(&self, id: InstanceId) -> Vec<Delivery> {
        let mut notifications = self.store.notifications(id, None, 10_000).await.unwrap();
        notifications.sort_by_key(|outgoing| outgoing.id);
        notifications.into_iter().map(|outgoing| outgoing.delivery).collect()
    }

    /// Waits for something to become true, and has scheduler and deliverer look again meanwhile: a time that moved while
    /// they were about to sleep is nothing that a test should hang on.
    pub(super) async fn eventually(&self, what: &str, mut is_true: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !is_true().await {
                self.gateway.polls.notify_one();
                self.gateway.deliveries.notify_one();
                tokio::task::yield_now().await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(came.is_ok(), "it never came that {what}");
    }

    /// Gives whatever could happen now the time to happen: many turns through the store, and so through its disk.
    pub(super) async fn let_things_happen(&self) {
        for _ in 0..20 {
            self.gateway.polls.notify_one();
            self.gateway.deliveries.notify_one();
            within(self.store.sync()).await.unwrap();
        }
    }
}

pub(super) async fn within<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.expect("what the test waits for never ends")
}

pub(super) fn accounts(instance: InstanceId) -> ResourceKey {
    resource(instance, "accounts")
}

pub(super) fn resource(instance: InstanceId, name: &str) -> ResourceKey {
    ResourceKey {
        instance,
        resource: name.into(),
    }
}

pub(super) fn configuration_of(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}
