//! The composition root: the only place that names concrete adapters. Builds them, starts the tasks, stops in order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::api;
use crate::clock::{SystemClock, SystemEntropy};
use crate::config::{Config, OperatorCallback};
use crate::domain::credential::AccountSecret;
use crate::domain::secret::Secret;
use crate::element_host::{ElementHost, Limits, Options as HostOptions};
use crate::engine::sign::{KeyKind, SigningKey};
use crate::outbound::{Options as OutboundOptions, Outbound};
use crate::ports::Store;
use crate::service::account::{Account, SetByOperator};
use crate::service::elements::Watch;
use crate::service::{Adapters, Gateway, Operator, Settings, audit, deliver, scheduler};
use crate::store::files::{ComponentFolder, Files};
use crate::store::sled::{Options as StoreOptions, SledStore};
use crate::vault::{AccountFile, FileVault};

pub use builtin::BUILTIN;

mod builtin {
    //! First-party elements, as build.rs put them in.
    include!(concat!(env!("OUT_DIR"), "/builtin.rs"));
}

/// Longest that stopping may take; what is under way then stays in the outbox or is polled again.
const GRACE: Duration = Duration::from_secs(7);

/// A running gateway.
pub struct App {
    address: SocketAddr,
    gateway: Arc<Gateway>,
    store: Arc<SledStore>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl App {
    /// # Errors
    /// What could not be opened, loaded or bound, with the reason.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        make_private_folder(&config.data_dir)?;
        let account = account(&config, clock.clone(), entropy.clone())?;
        let vault = FileVault::open(&config.data_dir, entropy.clone()).context("opening the vault's key")?;
        let elements = ElementHost::new(HostOptions {
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            limits: Limits::default(),
            cache_dir: Some(config.data_dir.join("compiled")),
        })?;
        let files = Files::open(&config.data_dir.join("files")).context("making the folder for files")?;
        let store = SledStore::open(&config.data_dir.join("store"), StoreOptions::default())
            .with_context(|| format!("opening the store in {}", config.data_dir.display()))?;
        let outbound = Outbound::new(
            OutboundOptions {
                allow_private_networks: config.allow_private_networks,
                allow_networks: config.allow_networks.clone(),
                require_https: config.require_https,
                vendor_timeout: config.vendor_timeout,
                ..OutboundOptions::default()
            },
            clock.clone(),
        )?;
        let gateway = Gateway::new(
            Adapters {
                store: store.clone(),
                elements,
                vendor: outbound.clone(),
                callback: outbound,
                clock,
                entropy,
                vault: Arc::new(vault),
                files: Arc::new(files),
            },
            Settings {
                min_refresh_interval: config.min_refresh_interval,
                element_configuration: config.elements.clone(),
                retention: config.retention,
                undelivered_retention: config.undelivered_retention,
                callback_timeout: config.callback_timeout,
                operator: config.operator.clone().map(operator).transpose()?,
                secret_hosts: config.secret_hosts.clone(),
                require_https: config.require_https,
                ..Settings::default()
            },
        );
        let built_in = builtin::BUILTIN
            .iter()
            .map(|(_, component)| Bytes::from_static(component));
        let restored = gateway.restore_elements(built_in.collect()).await;
        restored.context("loading the elements")?;
        let settings = gateway.restore_account_settings().await;
        settings.context("reading the account's settings")?;
        let watch = open_watch(&config, &gateway).await?;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("listening on {}", config.listen))?;
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(scheduler::run(gateway.clone(), stop.clone()));
        tasks.spawn(deliver::run(gateway.clone(), stop.clone()));
        tasks.spawn(deliver::run_retention(gateway.clone(), stop.clone()));
        if let Some(watch) = watch {
            tasks.spawn(watch.run(gateway.clone(), stop.clone()));
        }
        let keep = config.audit_retention;
        tasks.spawn(audit::run_retention(gateway.clone(), keep, stop.clone()));
        let router = api::router(gateway.clone(), account, config.trusted_proxies.clone());
        let stopped = stop.clone().cancelled_owned();
        tasks.spawn(api::serve(listener, router, api::Limits::default(), stopped));
        info!(%address, data_dir = %config.data_dir.display(), "gateway ready");
        Ok(Self {
            address,
            gateway,
            store,
            stop,
            tasks,
        })
    }

    /// Where the REST API listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Runs until SIGTERM or Ctrl-C, then stops.
    ///
    /// # Errors
    /// Signals can't be listened to, or the store can't be closed.
    pub async fn until_signal(self) -> anyhow::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM: stopping"),
            result = tokio::signal::ctrl_c() => { result?; info!("Ctrl-C: stopping"); }
        }
        self.stop().await
    }

    /// Ends polls after the page they are at and lets POSTs under way finish, for at most seven seconds.
    ///
    /// # Errors
    /// The store can't be closed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait()).await.is_err() {
            warn!(
                "something was still under way after {} s; it is taken up after the next start",
                GRACE.as_secs()
            );
        }
        self.store.sync().await?;
        info!("stopped");
        Ok(())
    }
}

/// The account's secrets: as set, else as the data directory keeps their hashes, else new ones.
fn account(config: &Config, clock: Arc<SystemClock>, entropy: Arc<SystemEntropy>) -> anyhow::Result<Arc<Account>> {
    let set = SetByOperator {
        user: config.user_secret.clone(),
        organization: config.organization_secret.clone(),
    };
    let wanted = [
        (set.user.is_none(), AccountSecret::User),
        (set.organization.is_none(), AccountSecret::Organization),
    ];
    let wanted: Vec<_> = wanted
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, which)| which)
        .collect();
    let (file, kept) = AccountFile::open(&config.data_dir, &wanted, entropy.clone())
        .with_context(|| format!("reading the account's secrets in {}", config.data_dir.display()))?;
    for path in file.plain_copies() {
        info!(path = %path.display(), "a secret of the account lies here as plain text; put it in your password store and delete the file");
    }
    Ok(Arc::new(Account::new(kept, &set, file, clock, entropy)))
}

/// Takes what lies in the elements directory, and is ready to follow it.
/// A key that can't sign is found at the start rather than by a receiver.
fn operator(given: OperatorCallback) -> anyhow::Result<Operator> {
    if let Some(key) = given.signature_key.as_ref().map(Secret::expose) {
        SigningKey::parse(key).context("operator.signature_key")?;
        if KeyKind::asked_for(key).is_some() {
            bail!(
                "operator.signature_key asks for a key to be made, which instances alone have done: give whsec_ and what \
                 `head -c 32 /dev/urandom | base64` prints"
            );
        }
    }
    Ok(Operator {
        url: given.url,
        signature_key: given.signature_key,
    })
}

async fn open_watch(config: &Config, gateway: &Gateway) -> anyhow::Result<Option<Watch>> {
    let Some(dir) = &config.elements_dir else {
        return Ok(None);
    };
    let folder = ComponentFolder::open(dir).with_context(|| format!("making {}", dir.display()))?;
    let watch = Watch::open(gateway, Arc::new(folder)).await;
    Ok(Some(watch.with_context(|| format!("reading {}", dir.display()))?))
}

fn make_private_folder(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("making the data directory {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_key_is_looked_at_at_the_start_and_not_repeated() {
        let start = |key: &str| {
            let given = OperatorCallback {
                url: "https://ops.example".into(),
                signature_key: Some(Secret::new(key)),
            };
            operator(given).map_err(|error| format!("{error:#}"))
        };
        for key in ["whsec_hunter2", "whpk_hunter2", "generate", "generate-ed25519"] {
            let error = start(key).unwrap_err();
            assert!(error.contains("operator.signature_key"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(start("a text").is_ok());
    }
}
