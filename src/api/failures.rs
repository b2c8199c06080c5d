//! Steps of an instance's polls that broke, with all that went into them, for `tidegate element replay`.
//! Must not show a case to whoever has an instance's token alone.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::Api;
use super::auth::{Owner, Target};
use super::error::ApiError;
use crate::service::elements::KeptFailure;

pub(crate) async fn list(State(api): State<Api>, Target(id): Target) -> Result<Json<Vec<Value>>, ApiError> {
    api.gateway.instance(id).await?;
    let failures = api.gateway.failures(id).await?;
    Ok(Json(failures.iter().map(render).collect()))
}

/// The file itself. It holds what the vendor answered, so that the account's secrets are asked for and not the token.
pub(crate) async fn one(
    State(api): State<Api>,
    _: Owner,
    Target(id): Target,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let case = api.gateway.failure(id, &name).await?;
    let case = case.ok_or_else(|| ApiError::not_found(format!("instance {id} has no kept failure {name:?}")))?;
    let text = serde_json::to_string_pretty(&case).expect("a case is always JSON");
    Ok(([(header::CONTENT_TYPE, "application/json")], text + "\n").into_response())
}

fn render(failure: &KeptFailure) -> Value {
    let KeptFailure { id, at, case } = failure;
    json!({
        "id": id,
        "at": at.to_string(),
        "what": case.name,
        "code": case.failure.as_ref().map(|failure| &failure.code),
        "message": case.failure.as_ref().map(|failure| &failure.message),
        "element": case.made_by.as_ref().map(|made_by| &made_by.element),
        "version": case.made_by.as_ref().map(|made_by| &made_by.version),
        "digest": case.made_by.as_ref().map(|made_by| &made_by.digest),
    })
}
