//! Where an instance's notifications go, and the headers that go with them. Sends nothing.

use std::time::Duration;

use super::super::{Gateway, reach};
use crate::domain::event::Notification;
use crate::domain::id::InstanceId;
use crate::domain::instance::{DeliverySettings, Instance};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::configuration::SIGNATURE_KEY;
use crate::engine::sign::elements_signature;

/// An endpoint, ready to be posted to.
pub(in crate::service) struct Destination {
    pub(in crate::service) url: String,
    pub(in crate::service) settings: DeliverySettings,
    pub(in crate::service) timeout: Duration,
    key: Option<Secret>,
}

/// Where an instance's notifications go now.
pub(in crate::service) enum Destined {
    To(Box<Destination>),
    /// The instance is disabled: they keep until it is not.
    Later,
    /// It has no callback.
    Nowhere,
}

impl Gateway {
    /// None when there is no such instance.
    pub(in crate::service) fn destined(&self, instance: &Instance) -> Result<Destined, reach::Error> {
        if !instance.enabled {
            return Ok(Destined::Later);
        }
        self.destination(instance)
    }

    /// The same whether the instance is enabled or not.
    pub(in crate::service) fn destination(&self, instance: &Instance) -> Result<Destined, reach::Error> {
        let Some(url) = instance.events.callback_url.clone() else {
            return Ok(Destined::Nowhere);
        };
        let key = match instance.secrets.get(SIGNATURE_KEY) {
            Some(sealed) => Some(self.unseal(SIGNATURE_KEY, sealed)?),
            None => None,
        };
        let settings = instance.events.delivery.clone();
        let timeout = settings.timeout_ms.map(Duration::from_millis);
        Ok(Destined::To(Box::new(Destination {
            url,
            timeout: timeout.unwrap_or(self.settings.callback_timeout),
            settings,
            key,
        })))
    }

    /// Where the operator's events go.
    pub(super) fn operators_destination(&self) -> Destined {
        let Some(operator) = &self.settings.operator else {
            return Destined::Nowhere;
        };
        Destined::To(Box::new(Destination {
            url: operator.url.clone(),
            settings: DeliverySettings::default(),
            timeout: self.settings.callback_timeout,
            key: operator.signature_key.clone(),
        }))
    }

    /// Of an instance, or of the operator.
    pub(super) async fn destined_of(&self, id: InstanceId) -> Result<Option<Destined>, super::Error> {
        if id == InstanceId::OPERATOR {
            return Ok(Some(self.operators_destination()));
        }
        let instance = self.store.instance(id).await?;
        Ok(instance.map(|instance| self.destined(&instance)).transpose()?)
    }
}

impl Destination {
    /// The headers of one attempt: a signature is made when it is sent, never before.
    pub(in crate::service) fn headers(&self, notification: &Notification, _at: Timestamp) -> Vec<(String, Secret)> {
        let mut headers = vec![
            (
                "content-type".to_owned(),
                Secret::new(notification.format.content_type()),
            ),
            ("elements-webhook-id".to_owned(), Secret::new(notification.id.clone())),
        ];
        if let Some(key) = &self.key {
            let signature = elements_signature(key.expose().as_bytes(), &notification.body);
            headers.push(("elements-webhook-signature".to_owned(), Secret::new(signature)));
        }
        headers
    }
}
