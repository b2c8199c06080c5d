//! How the polls of an instance are doing, and a poll on demand.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Api;
use super::auth::Target;
use super::error::ApiError;
use crate::domain::poll::{Outcome, PollReport};
use crate::domain::time::Timestamp;
use crate::service::instances::Polling;

pub(crate) async fn list(State(api): State<Api>, Target(id): Target) -> Result<Json<Vec<Value>>, ApiError> {
    Ok(Json(api.gateway.polls(id).await?.iter().map(render).collect()))
}

pub(crate) async fn poll_now(
    State(api): State<Api>,
    Target(id): Target,
) -> Result<(StatusCode, Json<Vec<Value>>), ApiError> {
    api.gateway.poll_now(id).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(api.gateway.polls(id).await?.iter().map(render).collect()),
    ))
}

fn render(polling: &Polling) -> Value {
    let state = &polling.state;
    json!({
        "resource": polling.resource,
        "running": polling.running,
        "baselined": state.baselined,
        "watermark": state.watermark.map(|time| time.to_string()),
        "nextDue": state.due.map(|time| time.to_string()),
        "failures": state.failures,
        "nextSequence": state.next_sequence,
        "last": state.last.as_ref().map(report),
    })
}

fn report(report: &PollReport) -> Value {
    let text = |time: Timestamp| time.to_string();
    let mut rendered = json!({
        "started": text(report.started),
        "tookMs": report.took_ms,
        "requests": report.requests,
        "records": report.records,
        "events": report.events,
        "first": report.first,
        "outcome": "succeeded",
        "problems": report.problems,
    });
    if let Outcome::Failed { code, blame, message } = &report.outcome {
        rendered["outcome"] = "failed".into();
        rendered["code"] = code.as_str().into();
        rendered["blame"] = blame.as_str().into();
        rendered["error"] = message.as_str().into();
    }
    rendered
}
