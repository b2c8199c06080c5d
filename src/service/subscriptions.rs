//! Deliveries and subscriptions as Cloud Elements has them: an instance with a callback is one subscription, and each of
//! its notifications one delivery to it.

use super::Gateway;
use super::look_up::{Error, EventPage, LOOKED_AT_MAX};
use super::redeliver::{Mode, Wanted};
use crate::domain::delivery::{OutboxId, Outgoing};
use crate::domain::endpoint::Health;
use crate::domain::id::InstanceId;
use crate::domain::instance::Instance;
use crate::engine::delivery_clause::{DeliveryClause, name_of};
use crate::engine::selection::Selection;
use crate::ports::StoreError;

/// The one channel there is.
const CHANNEL: &str = "webhook";
/// Longest bodies of a page whose notifications are asked for with it, in bytes.
pub const HYDRATED_BYTES_MAX: usize = 8 << 20;

#[derive(Clone, Debug)]
pub struct Subscription {
    pub instance: InstanceId,
    pub topic: String,
    pub url: Option<String>,
    pub active: bool,
    is_disabled: bool,
}

#[derive(Clone, Debug)]
pub struct SubscribedDelivery {
    /// Its body is left out unless it was asked for.
    pub row: Outgoing,
    pub subscription: Subscription,
}

/// Where a list of deliveries goes on: at an instance, behind one of its notifications.
pub type DeliveryPlace = (InstanceId, Option<OutboxId>);

#[derive(Debug, Default)]
pub struct DeliveryPage {
    pub deliveries: Vec<SubscribedDelivery>,
    pub next: Option<DeliveryPlace>,
}

/// What a redelivery over all instances came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reactivated {
    pub matched: usize,
    pub redelivered: usize,
    /// Endpoints that had been paused or disabled.
    pub reactivated: usize,
}

impl SubscribedDelivery {
    #[must_use]
    pub fn status(&self) -> &'static str {
        name_of(self.row.delivery.status, self.subscription.is_disabled)
    }
}

impl Gateway {
    /// In order of instance.
    ///
    /// # Errors
    /// The store's.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        let mut subscriptions = Vec::new();
        for instance in self.subscribed(&DeliveryClause::default()).await? {
            subscriptions.push(self.subscription_of(&instance).await?);
        }
        Ok(subscriptions)
    }

    /// # Errors
    /// There is no such instance, or the store's.
    pub async fn subscription(&self, id: InstanceId) -> Result<Subscription, Error> {
        let instance = self.instance(id).await?;
        Ok(self.subscription_of(&instance).await?)
    }

    /// A notification of any instance, with its body.
    ///
    /// # Errors
    /// There is none, or the store's.
    pub async fn delivery_of(&self, event: &str) -> Result<SubscribedDelivery, Error> {
        let found = self.find_event(event).await?;
        let mut found = found.into_iter().filter(|(id, _)| *id != InstanceId::OPERATOR);
        let Some((id, row)) = found.next() else {
            return Err(Error::UnknownEvent {
                event: event.to_owned(),
                owner: "any instance".to_owned(),
            });
        };
        let subscription = self.subscription(id).await?;
        Ok(SubscribedDelivery { row, subscription })
    }

    /// Of all instances, in order of instance, each one's newest first. May be a short page with more to come.
    ///
    /// # Errors
    /// The store's.
    pub async fn deliveries(
        &self,
        clause: &DeliveryClause,
        from: DeliveryPlace,
        size: usize,
        hydrate: bool,
    ) -> Result<DeliveryPage, Error> {
        let mut page = DeliveryPage::default();
        let (mut budget, mut bytes) = (LOOKED_AT_MAX, 0);
        let mut before = from.1;
        for instance in self.subscribed(clause).await? {
            if instance.id < from.0 {
                continue;
            }
            if instance.id > from.0 {
                before = None;
            }
            let wanted = size - page.deliveries.len();
            if wanted == 0 || budget == 0 {
                page.next = Some((instance.id, before));
                return Ok(page);
            }
            // Even one without any notification costs a look.
            budget -= 1;
            let subscription = self.subscription_of(&instance).await?;
            let selection = selection_of(clause, &subscription);
            let mut rows = EventPage::default();
            self.look_through(instance.id, &selection, before, wanted, &mut budget, &mut rows)
                .await?;
            for row in rows.rows {
                let Some(row) = self.with_body(row, hydrate, &mut bytes).await? else {
                    page.next = Some((instance.id, before));
                    return Ok(page);
                };
                before = Some(row.id);
                let subscription = subscription.clone();
                page.deliveries.push(SubscribedDelivery { row, subscription });
            }
            if rows.next.is_some() {
                page.next = Some((instance.id, rows.next));
                return Ok(page);
            }
        }
        Ok(page)
    }

    /// The row with its body if that is asked for; None when the page would be too long with it.
    async fn with_body(&self, row: Outgoing, hydrate: bool, bytes: &mut usize) -> Result<Option<Outgoing>, StoreError> {
        if !hydrate {
            return Ok(Some(row));
        }
        let found = self.store.find_notification(row.notification.number()).await?;
        let whole = found
            .into_iter()
            .map(|(_, whole)| whole)
            .find(|whole| whole.id == row.id);
        // Gone since it was found.
        let whole = whole.unwrap_or(row);
        let is_first = *bytes == 0;
        *bytes += whole.notification.body.len().max(1);
        Ok((is_first || *bytes <= HYDRATED_BYTES_MAX).then_some(whole))
    }

    /// Redelivers what the clause says, and enables the endpoints that it is about.
    ///
    /// # Errors
    /// The clause names no status, or one that is on its way already; or the store's.
    pub async fn redeliver_and_reactivate(&self, clause: &DeliveryClause) -> Result<Reactivated, Error> {
        if clause.status.is_none() {
            let message = "where: expected a status, as in channel='webhook' and status='queued'";
            return Err(Error::Invalid(message.to_owned()));
        }
        let mut all = Reactivated::default();
        for instance in self.subscribed(clause).await? {
            let subscription = self.subscription_of(&instance).await?;
            let selection = selection_of(clause, &subscription);
            // Before the endpoint is enabled: or what waits might overtake.
            let redelivery = self
                .redeliver(instance.id, Wanted::Selected(selection), Mode::Redeliver)
                .await?;
            all.matched += redelivery.matched;
            all.redelivered += redelivery.redelivered;
            all.reactivated += usize::from(self.reactivate_endpoint(instance.id).await?);
        }
        Ok(all)
    }

    /// Instances with a callback that the clause may mean.
    async fn subscribed(&self, clause: &DeliveryClause) -> Result<Vec<Instance>, StoreError> {
        if clause.channel.as_ref().is_some_and(|channel| channel != CHANNEL) {
            return Ok(Vec::new());
        }
        let mut instances = self.store.instances().await?;
        instances.retain(|instance| {
            let url = instance.events.callback_url.as_ref();
            url.is_some_and(|url| clause.url.as_ref().is_none_or(|wanted| wanted == url))
        });
        Ok(instances)
    }

    async fn subscription_of(&self, instance: &Instance) -> Result<Subscription, StoreError> {
        let endpoint = self.store.endpoint(instance.id).await?;
        let is_disabled = matches!(endpoint.health, Health::Disabled { .. });
        let url = instance.events.callback_url.clone();
        Ok(Subscription {
            instance: instance.id,
            topic: format!("instance-{}-{}-events", instance.id, instance.element),
            active: url.is_some() && instance.enabled && !is_disabled,
            url,
            is_disabled,
        })
    }
}

fn selection_of(clause: &DeliveryClause, subscription: &Subscription) -> Selection {
    Selection {
        statuses: clause.status.map(|status| status.statuses(subscription.is_disabled)),
        ..Selection::default()
    }
}
