//! Is the gateway up, and can it reach its store? Asks for no credentials.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;
use super::error::ApiError;

pub(crate) async fn health(State(api): State<Api>) -> Result<Json<Value>, ApiError> {
    let now = api.gateway.clock.now();
    api.gateway.store.next_poll(now).await?;
    let elements: Vec<_> = api
        .gateway
        .elements
        .list()
        .iter()
        .map(|element| element.manifest.key.clone())
        .collect();
    Ok(Json(
        json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "elements": elements}),
    ))
}
