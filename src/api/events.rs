//! Events of an instance with what became of them. A row is what Cloud Elements calls an event: one notification, with
//! the up to ten changes that it carries.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::Api;
use super::auth::Target;
use super::error::ApiError;
use super::page::{self, Query};
use crate::domain::delivery::{DeliveryStatus, OutboxId, Outgoing};

pub(crate) async fn list(
    State(api): State<Api>,
    Target(id): Target,
    RawQuery(query): RawQuery,
) -> Result<(HeaderMap, Json<Vec<Value>>), ApiError> {
    let query = Query::parse(query.as_deref());
    let size = query.own_page_size()?;
    let before = query
        .get("nextPage")
        .filter(|text| !text.is_empty())
        .map(parse_place)
        .transpose()?;
    let mut rows = api.gateway.notifications(id, before, size + 1).await?;
    let more = rows.len() > size;
    rows.truncate(size);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|row| format!("{}-{}", row.id.batch, row.id.index));
    Ok((
        page::headers(rows.len(), next.as_deref()),
        Json(rows.iter().map(render).collect()),
    ))
}

fn parse_place(text: &str) -> Result<OutboxId, ApiError> {
    let place = text.split_once('-').and_then(|(batch, index)| {
        Some(OutboxId {
            batch: batch.parse().ok()?,
            index: index.parse().ok()?,
        })
    });
    place.ok_or_else(|| ApiError::bad_request(format!("nextPage: expected a token of this list, found {text:?}")))
}

fn render(row: &Outgoing) -> Value {
    let (notification, delivery) = (&row.notification, &row.delivery);
    let event = |event: &crate::domain::event::Event| {
        json!({
            "eventId": event.id,
            "sequence": event.sequence,
            "eventType": event.change.as_str(),
            "objectId": event.record,
            "date": event.date.to_seconds_text(),
            "before": event.before.map(|digest| format!("{digest:032x}")),
            "after": event.after.map(|digest| format!("{digest:032x}")),
            "changedFields": event.fields,
        })
    };
    json!({
        "id": notification.id,
        "eventDate": notification.created.to_seconds_text(),
        "status": status(delivery.status),
        "providerData": "",
        "notifiedData": [],
        "objectType": notification.resource,
        "events": notification.events.iter().map(event).collect::<Vec<_>>(),
        "delivery": {
            "status": delivery.status,
            "attempts": delivery.attempts,
            "nextAttempt": delivery.due.map(|time| time.to_string()),
            "lastAttempt": delivery.last.as_ref().map(|last| json!({
                "at": last.at.to_string(), "tookMs": last.took_ms, "status": last.status, "error": last.error,
            })),
        },
    })
}

/// In Cloud Elements' words; ours, which say more, stand under `delivery`.
fn status(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Stored | DeliveryStatus::Waiting => "NEW",
        DeliveryStatus::Retry | DeliveryStatus::Dead => "DISPATCHED",
        DeliveryStatus::Delivered => "NOTIFIED",
    }
}
