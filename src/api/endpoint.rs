//! Endpoints over REST: how they stand, on and off, and an example posted to them.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;
use super::auth::{Owner, Target};
use super::error::ApiError;
use super::events;
use super::request::JsonOrNothing;
use super::secrets::only;
use crate::domain::endpoint::Health;
use crate::domain::id::InstanceId;
use crate::engine::retry::SCHEDULE;
use crate::service::endpoints::{EndpointView, REASON_CHARS_MAX};
use crate::service::try_out::Tried;

type Rendered = Result<Json<Value>, ApiError>;

pub(crate) async fn show(State(api): State<Api>, Target(id): Target) -> Rendered {
    view(&api, id).await
}

pub(crate) async fn show_operators(State(api): State<Api>, _: Owner) -> Rendered {
    view(&api, InstanceId::OPERATOR).await
}

pub(crate) async fn enable(State(api): State<Api>, Target(id): Target) -> Rendered {
    api.gateway.enable_endpoint(id).await?;
    view(&api, id).await
}

pub(crate) async fn enable_operators(State(api): State<Api>, _: Owner) -> Rendered {
    api.gateway.enable_endpoint(InstanceId::OPERATOR).await?;
    view(&api, InstanceId::OPERATOR).await
}

pub(crate) async fn disable(
    State(api): State<Api>,
    Target(id): Target,
    JsonOrNothing(body): JsonOrNothing,
) -> Rendered {
    api.gateway.disable_endpoint(id, reason(&body)?).await?;
    view(&api, id).await
}

pub(crate) async fn disable_operators(
    State(api): State<Api>,
    _: Owner,
    JsonOrNothing(body): JsonOrNothing,
) -> Rendered {
    api.gateway
        .disable_endpoint(InstanceId::OPERATOR, reason(&body)?)
        .await?;
    view(&api, InstanceId::OPERATOR).await
}

pub(crate) async fn try_out(State(api): State<Api>, Target(id): Target) -> Rendered {
    Ok(Json(render_tried(&api.gateway.try_endpoint(id).await?)))
}

pub(crate) async fn try_operators(State(api): State<Api>, _: Owner) -> Rendered {
    Ok(Json(render_tried(&api.gateway.try_operator().await?)))
}

fn reason(body: &Value) -> Result<Option<&str>, ApiError> {
    only(body, &["reason"])?;
    match &body["reason"] {
        Value::Null => Ok(None),
        Value::String(text) if !text.is_empty() && text.chars().count() <= REASON_CHARS_MAX => Ok(Some(text)),
        other => Err(ApiError::bad_request(format!(
            "reason: expected text of 1 to {REASON_CHARS_MAX} characters, found {other}"
        ))),
    }
}

async fn view(api: &Api, id: InstanceId) -> Rendered {
    Ok(Json(render(&api.gateway.endpoint_view(id).await?)))
}

/// How an endpoint stands, in short.
pub(super) fn health(health: &Health) -> Value {
    match health {
        Health::Delivering => json!({"state": "delivering"}),
        Health::Paused { until, reason, .. } => {
            json!({"state": "paused", "until": until.to_string(), "reason": reason})
        }
        Health::Disabled { since, reason } => {
            json!({"state": "disabled", "since": since.to_string(), "reason": reason})
        }
    }
}

fn render(view: &EndpointView) -> Value {
    let (endpoint, settings, backlog) = (&view.endpoint, &view.settings, &view.backlog);
    let mut rendered = health(&endpoint.health);
    rendered["url"] = view.url.clone().into();
    rendered["failingSince"] = endpoint.failing_since.map(|time| time.to_string()).into();
    rendered["failuresInARow"] = endpoint.failures.into();
    rendered["recovered"] = endpoint.recovered.map(|time| time.to_string()).into();
    rendered["backlog"] = json!({
        "alive": backlog.alive,
        "isCut": backlog.is_cut,
        "oldestAgeSeconds": backlog.oldest.map(|oldest| view.at.since(oldest).as_secs()),
    });
    let waits: Vec<f64> = match settings.retry.waits_ms.as_slice() {
        [] => SCHEDULE.iter().map(Duration::as_secs_f64).collect(),
        own => own.iter().map(|ms| Duration::from_millis(*ms).as_secs_f64()).collect(),
    };
    rendered["settings"] = json!({
        "format": settings.format,
        "scheduleSeconds": waits,
        "disablesWhenExhausted": settings.retry.disables,
        "policy": view.policy,
        "ratePerSecond": settings.rate_per_second,
        "concurrency": settings.concurrency,
        "timeoutMs": u64::try_from(view.timeout.as_millis()).unwrap_or(u64::MAX),
        "bodyBytesMax": settings.body_bytes_max,
    });
    rendered
}

fn render_tried(tried: &Tried) -> Value {
    json!({
        "url": tried.url,
        "requestHeaders": events::headers(&tried.request_headers),
        "body": String::from_utf8_lossy(&tried.body),
        "status": tried.status,
        "responseHeaders": events::headers(&tried.answer.headers),
        "responseBody": String::from_utf8_lossy(&tried.answer.body),
        "responseBodyIsCut": tried.answer.body_is_cut,
        "tookMs": u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX),
        "error": tried.error,
        "verdict": tried.verdict,
    })
}
