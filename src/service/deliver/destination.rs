//! Where notifications go, and the headers of one attempt: what signs them is opened here and leaves as signatures.
//! Sends nothing, and reads no clock: the time that is signed is that of the attempt.

use std::time::Duration;

use tracing::warn;

use super::super::{Gateway, reach};
use crate::domain::event::Notification;
use crate::domain::id::InstanceId;
use crate::domain::instance::{DeliverySettings, Instance};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::configuration::{
    BASIC_PASSWORD, BASIC_USERNAME, CALLBACK_HEADERS, FieldError, SIGNATURE_KEY, extra_headers,
};
use crate::engine::egress::{Names, fill_subject};
use crate::engine::sign::{SigningKey, elements_signature, webhook_signature};

const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// Names and values; no value is printed by accident.
type Headers = Vec<(String, Secret)>;

/// An endpoint, ready to be posted to.
pub(in crate::service) struct Destination {
    pub(in crate::service) url: String,
    pub(in crate::service) settings: DeliverySettings,
    pub(in crate::service) timeout: Duration,
    element: String,
    instance: InstanceId,
    /// Newest first; the time is when an old one ceases to sign.
    keys: Vec<(SigningKey, Option<Timestamp>)>,
    /// The user's own headers and authorization.
    extra: Headers,
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
        let extra = self.extra_headers(instance)?.unwrap_or_else(|error| {
            // Stored by a version that neither looked at them nor sent them.
            warn!(instance = %instance.id, %error, "headers of the callback are not sent");
            Headers::new()
        });
        let settings = instance.events.delivery.clone();
        let timeout = settings.timeout_ms.map(Duration::from_millis);
        Ok(Destined::To(Box::new(Destination {
            url,
            timeout: timeout.unwrap_or(self.settings.callback_timeout),
            element: instance.element.clone(),
            instance: instance.id,
            settings,
            keys: self.signing_keys(instance)?,
            extra,
        })))
    }

    /// Where the operator's events go.
    pub(in crate::service) fn operators_destination(&self) -> Destined {
        let Some(operator) = &self.settings.operator else {
            return Destined::Nowhere;
        };
        Destined::To(Box::new(Destination {
            url: operator.url.clone(),
            settings: DeliverySettings::default(),
            timeout: self.settings.callback_timeout,
            element: "tidegate".to_owned(),
            instance: InstanceId::OPERATOR,
            keys: (operator.signature_key.iter())
                .map(|key| (SigningKey::stored(key.expose()), None))
                .collect(),
            extra: Headers::new(),
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
    /// Where this one goes: into a log each event has its subject.
    pub(in crate::service) fn url_of(&self, notification: &Notification) -> String {
        let instance = self.instance.to_string();
        let change = notification.events.first().map_or("", |event| event.change.as_str());
        let names = Names {
            element: &self.element,
            instance: &instance,
            resource: &notification.resource,
            change: &change.to_ascii_lowercase(),
        };
        fill_subject(&self.url, &names)
    }

    /// The headers of an attempt that is made at `at`. Names are in lower case.
    pub(in crate::service) fn headers(&self, notification: &Notification, at: Timestamp) -> Headers {
        let seconds = at.as_ms().div_euclid(1_000);
        let id = notification.id.as_str();
        let keys: Vec<&SigningKey> = self
            .keys
            .iter()
            .filter(|(_, until)| until.is_none_or(|until| at < until))
            .map(|(key, _)| key)
            .collect();
        let own = [
            ("content-type", Some(notification.format.content_type().to_owned())),
            ("user-agent", Some(USER_AGENT.to_owned())),
            ("elements-webhook-id", Some(id.to_owned())),
            (
                "elements-webhook-signature",
                elements_signature(&keys, &notification.body),
            ),
            ("webhook-id", Some(id.to_owned())),
            ("webhook-timestamp", Some(seconds.to_string())),
            (
                "webhook-signature",
                webhook_signature(&keys, id, seconds, &notification.body),
            ),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Secret::new(value?))));
        own.chain(self.extra.iter().cloned()).collect()
    }
}

impl Gateway {
    /// The headers that a user has sent along, or what is wrong with them.
    pub(crate) fn extra_headers(&self, instance: &Instance) -> Result<Result<Headers, FieldError>, reach::Error> {
        let [headers, username, password] =
            [CALLBACK_HEADERS, BASIC_USERNAME, BASIC_PASSWORD].map(|key| self.secret(instance, key));
        Ok(extra_headers(headers?.as_ref(), username?.as_ref(), password?.as_ref()))
    }

    fn signing_keys(&self, instance: &Instance) -> Result<Vec<(SigningKey, Option<Timestamp>)>, reach::Error> {
        let mut keys = Vec::new();
        if let Some(current) = self.secret(instance, SIGNATURE_KEY)? {
            keys.push((SigningKey::stored(current.expose()), None));
            for previous in &instance.previous_keys {
                let key = self.unseal(SIGNATURE_KEY, &previous.sealed)?;
                keys.push((SigningKey::stored(key.expose()), Some(previous.until)));
            }
        }
        Ok(keys)
    }

    /// A secret of an instance, opened; None where it has none under this key.
    pub(crate) fn secret(&self, instance: &Instance, key: &str) -> Result<Option<Secret>, reach::Error> {
        let sealed = instance.secrets.get(key);
        sealed.map(|sealed| self.unseal(key, sealed)).transpose()
    }
}
