//! Where notifications go, and the headers of one attempt: what they are signed by is opened here and leaves as signatures.
//! Sends nothing, and reads no clock: the time that is signed is that of the attempt.

use tracing::warn;

use crate::domain::event::Notification;
use crate::domain::id::InstanceId;
use crate::domain::instance::Instance;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::configuration::{
    BASIC_PASSWORD, BASIC_USERNAME, CALLBACK_HEADERS, FieldError, SIGNATURE_KEY, extra_headers,
};
use crate::engine::sign::{SigningKey, elements_signature, webhook_signature};
use crate::service::{Gateway, reach};

const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// An instance's callback with what its POSTs carry. Read once, used until the instance changes.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) instance: InstanceId,
    pub(super) url: String,
    /// Newest first; the time is when an old one ceases to sign.
    keys: Vec<(SigningKey, Option<Timestamp>)>,
    /// The user's own headers and authorization.
    extra: Vec<(String, Secret)>,
}

impl Destination {
    /// # Errors
    /// A secret that can't be opened.
    pub(super) fn of(gateway: &Gateway, instance: &Instance, url: String) -> Result<Self, reach::Error> {
        let mut keys = Vec::new();
        if let Some(current) = gateway.secret(instance, SIGNATURE_KEY)? {
            keys.push((SigningKey::stored(current.expose()), None));
            for previous in &instance.previous_keys {
                let key = gateway.unseal(SIGNATURE_KEY, &previous.sealed)?;
                keys.push((SigningKey::stored(key.expose()), Some(previous.until)));
            }
        }
        let extra = gateway.extra_headers(instance)?.unwrap_or_else(|error| {
            // Stored by a version that did not look at it, and did not send it.
            warn!(instance = %instance.id, %error, "headers of the callback are not sent");
            Vec::new()
        });
        Ok(Self {
            instance: instance.id,
            url,
            keys,
            extra,
        })
    }

    /// The headers of an attempt that is made at `at`. Names are in lower case.
    pub(super) fn headers(&self, notification: &Notification, at: Timestamp) -> Vec<(String, Secret)> {
        let seconds = at.as_ms().div_euclid(1_000);
        let id = notification.id.as_str();
        let keys: Vec<&SigningKey> = self
            .keys
            .iter()
            .filter(|(_, until)| until.is_none_or(|until| at < until))
            .map(|(key, _)| key)
            .collect();
        let own = [
            ("content-type", Some("application/json".to_owned())),
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
    pub(crate) fn extra_headers(
        &self,
        instance: &Instance,
    ) -> Result<Result<Vec<(String, Secret)>, FieldError>, reach::Error> {
        let [headers, username, password] =
            [CALLBACK_HEADERS, BASIC_USERNAME, BASIC_PASSWORD].map(|key| self.secret(instance, key));
        Ok(extra_headers(headers?.as_ref(), username?.as_ref(), password?.as_ref()))
    }

    /// A secret of an instance, opened; None where it has none under this key.
    pub(crate) fn secret(&self, instance: &Instance, key: &str) -> Result<Option<Secret>, reach::Error> {
        let sealed = instance.secrets.get(key);
        sealed.map(|sealed| self.unseal(key, sealed)).transpose()
    }
}
