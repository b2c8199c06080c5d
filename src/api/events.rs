//! Events of an instance or of the operator with what became of them, and their attempts. A row is what Cloud Elements
//! calls an event: one notification, with the up to ten changes that it carries.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use super::auth::{Bearer, Owner, Target};
use super::error::ApiError;
use super::page::{self, Query};
use super::{Api, filters};
use crate::domain::delivery::{AttemptRow, DeliveryStatus, OutboxId, Outgoing};
use crate::domain::id::InstanceId;

type Rows = Result<(HeaderMap, Json<Vec<Value>>), ApiError>;

pub(crate) async fn list(State(api): State<Api>, Target(id): Target, RawQuery(query): RawQuery) -> Rows {
    list_of(&api, id, query.as_deref()).await
}

pub(crate) async fn list_own(State(api): State<Api>, Bearer(own): Bearer, RawQuery(query): RawQuery) -> Rows {
    list_of(&api, own.id, query.as_deref()).await
}

pub(crate) async fn list_operators(State(api): State<Api>, _: Owner, RawQuery(query): RawQuery) -> Rows {
    list_of(&api, InstanceId::OPERATOR, query.as_deref()).await
}

pub(crate) async fn one(
    State(api): State<Api>,
    Target(id): Target,
    Path((_, event)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    one_of(&api, id, &event, query.as_deref()).await
}

pub(crate) async fn one_own(
    State(api): State<Api>,
    Bearer(own): Bearer,
    Path(event): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    one_of(&api, own.id, &event, query.as_deref()).await
}

pub(crate) async fn one_operators(
    State(api): State<Api>,
    _: Owner,
    Path(event): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    one_of(&api, InstanceId::OPERATOR, &event, query.as_deref()).await
}

pub(crate) async fn attempts(
    State(api): State<Api>,
    Target(id): Target,
    Path((_, event)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Rows {
    attempts_of(&api, id, &event, query.as_deref()).await
}

pub(crate) async fn attempts_operators(
    State(api): State<Api>,
    _: Owner,
    Path(event): Path<String>,
    RawQuery(query): RawQuery,
) -> Rows {
    attempts_of(&api, InstanceId::OPERATOR, &event, query.as_deref()).await
}

async fn list_of(api: &Api, id: InstanceId, query: Option<&str>) -> Rows {
    let query = Query::parse(query);
    let selection = filters::of_query(&query)?;
    let before = next_page(&query).map(parse_place).transpose()?;
    let page = api
        .gateway
        .events(id, &selection, before, query.own_page_size()?)
        .await?;
    let next = page.next.map(place_text);
    Ok((
        page::headers(page.rows.len(), next.as_deref()),
        Json(page.rows.iter().map(render).collect()),
    ))
}

async fn one_of(api: &Api, id: InstanceId, event: &str, query: Option<&str>) -> Result<Json<Value>, ApiError> {
    let wants_body = Query::parse(query).flag("body", false)?;
    let row = api.gateway.event(id, event).await?;
    let mut rendered = render(&row);
    rendered["size"] = row.notification.body.len().into();
    if wants_body {
        rendered["body"] = String::from_utf8_lossy(&row.notification.body).into();
    }
    Ok(Json(rendered))
}

async fn attempts_of(api: &Api, id: InstanceId, event: &str, query: Option<&str>) -> Rows {
    let query = Query::parse(query);
    let size = query.own_page_size()?;
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| ApiError::bad_request(format!("nextPage: expected a token of this list, found {text:?}")))
    };
    let after = next_page(&query).map(number).transpose()?.unwrap_or(0);
    let mut attempts = api.gateway.attempts(id, event).await?;
    attempts.retain(|attempt| attempt.number > after);
    let more = attempts.len() > size;
    attempts.truncate(size);
    let next = attempts.last().filter(|_| more).map(|last| last.number.to_string());
    Ok((
        page::headers(attempts.len(), next.as_deref()),
        Json(attempts.iter().map(render_attempt).collect()),
    ))
}

pub(super) fn next_page(query: &Query) -> Option<&str> {
    query.get("nextPage").filter(|text| !text.is_empty())
}

pub(super) fn place_text(place: OutboxId) -> String {
    format!("{}-{}", place.batch, place.index)
}

pub(super) fn parse_place(text: &str) -> Result<OutboxId, ApiError> {
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
            "before": event.before.map(hex),
            "after": event.after.map(hex),
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
        "format": notification.format,
        "events": notification.events.iter().map(event).collect::<Vec<_>>(),
        "delivery": {
            "status": delivery.status,
            "deadReason": delivery.dead,
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

fn render_attempt(row: &AttemptRow) -> Value {
    let attempt = &row.attempt;
    json!({
        "number": row.number,
        "at": attempt.at.to_string(),
        "tookMs": attempt.took_ms,
        "status": attempt.status,
        "error": attempt.error,
        "url": row.url,
        "requestHeaders": headers(&row.request_headers),
        "responseHeaders": headers(&row.response_headers),
        "responseBody": row.response_body,
        "responseBodyIsCut": row.body_is_cut,
    })
}

/// By name, in order; of a name that comes several times the values stand behind each other, as HTTP has it.
pub(super) fn headers(headers: &[(String, String)]) -> Map<String, Value> {
    let mut shown = Map::new();
    for (name, value) in headers {
        let joined = match shown.get(name).and_then(Value::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value.clone(),
        };
        shown.insert(name.clone(), joined.into());
    }
    shown
}

/// A digest as notifications show it.
fn hex(digest: u128) -> String {
    format!("{digest:032x}")
}
