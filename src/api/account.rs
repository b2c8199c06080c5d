//! The account's settings, under the key and the paths that Cloud Elements documents.

use axum::Json as Answer;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Api;
use super::auth::Owner;
use super::error::ApiError;
use super::request::Json;
use super::secrets::only;
use crate::domain::instance::RetryPolicy;

type Rendered = Result<Answer<Value>, ApiError>;

const POLICY: &str = "notification.webhook.failure.policy";
/// Tidegate has one account; notifications carry its number as `accountId`.
const ACCOUNT: &str = "1";

pub(crate) async fn show(State(api): State<Api>, _: Owner) -> Rendered {
    Ok(render(&api))
}

pub(crate) async fn show_of(State(api): State<Api>, _: Owner, Path(id): Path<String>) -> Rendered {
    known(&id)?;
    Ok(render(&api))
}

pub(crate) async fn change(State(api): State<Api>, _: Owner, Json(body): Json) -> Rendered {
    set(&api, &body).await
}

pub(crate) async fn change_of(State(api): State<Api>, _: Owner, Path(id): Path<String>, Json(body): Json) -> Rendered {
    known(&id)?;
    set(&api, &body).await
}

fn known(id: &str) -> Result<(), ApiError> {
    if id == ACCOUNT {
        return Ok(());
    }
    Err(ApiError::not_found(format!(
        "there is no account {id:?}; the one account is {ACCOUNT}"
    )))
}

async fn set(api: &Api, body: &Value) -> Rendered {
    only(body, &[POLICY])?;
    let policy = match body[POLICY].as_str() {
        Some("retry") => RetryPolicy::Retry,
        Some("queue") => RetryPolicy::Queue,
        _ => {
            return Err(ApiError::bad_request(format!(
                "{POLICY}: expected \"retry\" or \"queue\", found {}",
                body[POLICY]
            )));
        }
    };
    api.gateway.set_failure_policy(policy).await?;
    Ok(render(api))
}

fn render(api: &Api) -> Answer<Value> {
    Answer(json!({POLICY: api.gateway.failure_policy()}))
}
