//! New secrets in place of old ones: an instance's token, and those of the account. Each is shown this once.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;
use super::auth::{Owner, Target};
use super::error::ApiError;
use super::request::JsonOrNothing;
use crate::domain::credential::AccountSecret;
use crate::domain::time::Timestamp;
use crate::engine::credentials::GRACE_SECONDS_MAX;

pub(crate) async fn rotate_token(
    State(api): State<Api>,
    Target(id): Target,
    JsonOrNothing(body): JsonOrNothing,
) -> Result<Answer<Value>, ApiError> {
    let grace = only(&body, &["graceSeconds"]).and_then(|()| grace(&body))?;
    let (token, until) = api.gateway.rotate_token(id, grace).await?;
    Ok(Answer(
        json!({"id": id, "token": token.expose(), "oldValidUntil": end(grace, until)}),
    ))
}

pub(crate) async fn rotate_account(
    State(api): State<Api>,
    _: Owner,
    JsonOrNothing(body): JsonOrNothing,
) -> Result<Answer<Value>, ApiError> {
    only(&body, &["rotate", "graceSeconds"])?;
    let which = match body["rotate"].as_str() {
        Some("user") => AccountSecret::User,
        Some("organization") => AccountSecret::Organization,
        _ => {
            let found = &body["rotate"];
            return Err(ApiError::bad_request(format!(
                "rotate: expected \"user\" or \"organization\", found {found}"
            )));
        }
    };
    let grace = grace(&body)?;
    let (secret, until) = api.account.rotate(which, grace).await?;
    Ok(Answer(json!({
        "rotated": which.name(),
        "secret": secret.expose(),
        "oldValidUntil": end(grace, until),
    })))
}

/// Null: the old one is not valid any more.
fn end(grace: Duration, until: Timestamp) -> Option<String> {
    (!grace.is_zero()).then(|| until.to_string())
}

fn grace(body: &Value) -> Result<Duration, ApiError> {
    match &body["graceSeconds"] {
        Value::Null => Ok(Duration::ZERO),
        value => value
            .as_u64()
            .filter(|seconds| *seconds <= GRACE_SECONDS_MAX.into())
            .map(Duration::from_secs)
            .ok_or_else(|| {
                ApiError::bad_request(format!(
                    "graceSeconds: expected a whole number from 0 to {GRACE_SECONDS_MAX}, found {value}"
                ))
            }),
    }
}

/// A misspelt grace must not end the old secret at once.
pub(super) fn only(body: &Value, known: &[&str]) -> Result<(), ApiError> {
    let Some(object) = body.as_object() else {
        return Err(ApiError::bad_request("body: expected a JSON object"));
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(ApiError::bad_request(format!(
            "{key}: is not known; expected {}",
            known.join(", ")
        ))),
        None => Ok(()),
    }
}
