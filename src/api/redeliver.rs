//! Redelivery over REST: by ids, or by filters, one of which at least is asked for.

use axum::Json as Answer;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;
use super::auth::{Owner, Target};
use super::endpoint;
use super::error::ApiError;
use super::filters::{self, FILTERS};
use super::request::Json;
use super::secrets::only;
use crate::domain::id::InstanceId;
use crate::service::redeliver::{Mode, Wanted};

type Rendered = Result<Answer<Value>, ApiError>;

pub(crate) async fn of_instance(State(api): State<Api>, Target(id): Target, Json(body): Json) -> Rendered {
    redeliver(&api, id, &body).await
}

pub(crate) async fn of_operator(State(api): State<Api>, _: Owner, Json(body): Json) -> Rendered {
    redeliver(&api, InstanceId::OPERATOR, &body).await
}

async fn redeliver(api: &Api, id: InstanceId, body: &Value) -> Rendered {
    let mut known = FILTERS.to_vec();
    known.extend(["ids", "dryRun"]);
    only(body, &known)?;
    let mode = match &body["dryRun"] {
        Value::Null | Value::Bool(false) => Mode::Redeliver,
        Value::Bool(true) => Mode::DryRun,
        other => {
            return Err(ApiError::bad_request(format!(
                "dryRun: expected true or false, found {other}"
            )));
        }
    };
    let redelivery = api.gateway.redeliver(id, wanted(body)?, mode).await?;
    Ok(Answer(json!({
        "matched": redelivery.matched,
        "redelivered": redelivery.redelivered,
        "endpoint": endpoint::health(&redelivery.health),
    })))
}

fn wanted(body: &Value) -> Result<Wanted, ApiError> {
    let selection = filters::of_body(body)?;
    if body["ids"].is_null() {
        return Ok(Wanted::Selected(selection));
    }
    if !selection.is_empty() {
        return Err(ApiError::bad_request("ids: expected either ids or filters, found both"));
    }
    let ids = body["ids"].as_array().and_then(|ids| ids.iter().map(id).collect());
    let ids: Option<Vec<String>> = ids;
    ids.map(Wanted::Ids).ok_or_else(|| {
        ApiError::bad_request(format!(
            "ids: expected a list of events' ids or numbers, found {}",
            body["ids"]
        ))
    })
}

fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}
