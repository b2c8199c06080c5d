//! Endpoints: how they stand, switched on and off by hand, and made fresh when what they are changes.
//! Posts nothing.

use std::time::Duration;

use tracing::{info, warn};

use super::Gateway;
use super::deliver::shown_url;
use super::look_up::{Error, owner};
use crate::domain::endpoint::{Endpoint, Health};
use crate::domain::id::InstanceId;
use crate::domain::instance::{DeliverySettings, Instance, RetryPolicy};
use crate::domain::time::Timestamp;
use crate::engine::configuration::SIGNATURE_KEY;
use crate::engine::endpoint::{disable, fresh};
use crate::ports::{Backlog, StoreError};

/// Notifications of a backlog that are counted.
pub const BACKLOG_COUNT_MAX: usize = 10_000;
/// Longest reason that somebody may give for disabling an endpoint, in characters.
pub const REASON_CHARS_MAX: usize = 500;
/// How often a change is tried against others at the same time.
const CHANGE_TRIES: u32 = 8;

/// An endpoint for people.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// Without query, which may hold a secret.
    pub url: Option<String>,
    pub endpoint: Endpoint,
    pub backlog: Backlog,
    pub settings: DeliverySettings,
    pub timeout: Duration,
    /// The instance's own, else the account's.
    pub policy: RetryPolicy,
    /// When this was looked at.
    pub at: Timestamp,
}

impl Gateway {
    /// The endpoint of an instance, or the operator's.
    ///
    /// # Errors
    /// There is no such instance, or the store's.
    pub async fn endpoint_view(&self, id: InstanceId) -> Result<EndpointView, Error> {
        let url = self.callback_url(id).await?;
        let settings = match id {
            InstanceId::OPERATOR => DeliverySettings::default(),
            id => self.instance(id).await?.events.delivery,
        };
        Ok(EndpointView {
            url: url.map(|url| shown_url(&url)),
            endpoint: self.store.endpoint(id).await?,
            backlog: self.store.backlog(id, BACKLOG_COUNT_MAX).await?,
            timeout: settings
                .timeout_ms
                .map_or(self.settings.callback_timeout, Duration::from_millis),
            policy: settings.retry.policy.unwrap_or_else(|| self.retry_policy()),
            settings,
            at: self.clock.now(),
        })
    }

    /// As if nothing had ever been posted to it: what waits goes out, in order.
    ///
    /// # Errors
    /// There is no such instance, or the store's.
    pub async fn enable_endpoint(&self, id: InstanceId) -> Result<(), Error> {
        self.callback_url(id).await?;
        self.change_endpoint(id, |endpoint, now| Some(fresh(endpoint, now)))
            .await?;
        info!(of = owner(id), "the endpoint is enabled by hand");
        Ok(())
    }

    /// Nothing goes out until it is enabled again; what comes meanwhile is kept.
    ///
    /// # Errors
    /// There is no such instance, or the store's.
    pub async fn disable_endpoint(&self, id: InstanceId, reason: Option<&str>) -> Result<(), Error> {
        self.callback_url(id).await?;
        let reason = match reason {
            Some(reason) => format!("disabled by hand: {reason}"),
            None => "disabled by hand".to_owned(),
        };
        self.change_endpoint(id, |endpoint, now| {
            let mut changed = endpoint.clone();
            disable(&mut changed, &reason, now);
            changed.revision += 1;
            Some(changed)
        })
        .await?;
        info!(of = owner(id), reason, "the endpoint is disabled");
        Ok(())
    }

    /// Made fresh unless it delivers; true if it was not delivering.
    pub(super) async fn reactivate_endpoint(&self, id: InstanceId) -> Result<bool, StoreError> {
        self.change_endpoint(id, |endpoint, now| {
            (endpoint.health != Health::Delivering).then(|| fresh(endpoint, now))
        })
        .await
    }

    /// Another URL or another key is another endpoint: what the old one did says nothing of it. The instance is written
    /// already, so that failing here fails nothing.
    pub(super) async fn renew_endpoint(&self, instance: &Instance, before: &Instance) {
        let key = |instance: &Instance| self.secret(instance, SIGNATURE_KEY).ok().flatten();
        if instance.events.callback_url == before.events.callback_url && key(instance) == key(before) {
            return;
        }
        let is_new = |endpoint: &Endpoint| {
            *endpoint
                == Endpoint {
                    revision: endpoint.revision,
                    recovered: endpoint.recovered,
                    ..Endpoint::default()
                }
        };
        let change = |endpoint: &Endpoint, now| (!is_new(endpoint)).then(|| fresh(endpoint, now));
        if let Err(error) = self.change_endpoint(instance.id, change).await {
            warn!(instance = %instance.id, %error, "the endpoint could not be made fresh; PUT /instances/{}/endpoint/enabled does it", instance.id);
        }
    }

    /// False where there was nothing to change.
    async fn change_endpoint(
        &self,
        id: InstanceId,
        change: impl Fn(&Endpoint, Timestamp) -> Option<Endpoint>,
    ) -> Result<bool, StoreError> {
        let mut tries = 0;
        loop {
            let endpoint = self.store.endpoint(id).await?;
            let Some(changed) = change(&endpoint, self.clock.now()) else {
                return Ok(false);
            };
            tries += 1;
            match self.store.put_endpoint(id, changed).await {
                Err(StoreError::Conflict(_)) if tries < CHANGE_TRIES => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        self.announce_change();
        Ok(true)
    }
}
