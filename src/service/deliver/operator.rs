//! Tells the operator what nobody else would: through the same outbox, in Standard Webhooks' form, under types of its own.

use serde_json::{Value, json};

use super::super::Gateway;
use crate::domain::event::Notification;
use crate::domain::id::InstanceId;
use crate::domain::time::Timestamp;
use crate::engine::news::{self, News};
use crate::ports::StoreError;

impl Gateway {
    /// Puts it into the operator's outbox. What can't be written is logged, and nothing fails by it.
    pub(in crate::service) async fn tell_operator(&self, kind: News, about: &str, data: Value) {
        let notification = news::notification(kind, about, &data, self.clock.now());
        match self.store.tell_operator(vec![notification]).await {
            Ok(()) => self.deliveries.notify_one(),
            Err(error) => log(&error, kind),
        }
    }
}

fn log(error: &StoreError, kind: News) {
    tracing::error!(%error, kind = kind.as_str(), "the operator could not be told");
}

pub(super) fn disabled(instance: InstanceId, url: &str, reason: &str, now: Timestamp) -> Notification {
    let data = json!({"instanceId": instance, "url": url, "reason": reason, "enable": format!("PUT /instances/{instance}/endpoint/enabled")});
    news::notification(News::EndpointDisabled, &instance.to_string(), &data, now)
}
