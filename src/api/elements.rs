//! The loaded elements and what they say of themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Api;
use super::auth::Owner;
use super::error::ApiError;
use crate::domain::element::Element;

pub(crate) async fn list(State(api): State<Api>, _: Owner) -> Json<Vec<Value>> {
    Json(
        api.gateway
            .elements
            .list()
            .iter()
            .map(|element| render(element))
            .collect(),
    )
}

pub(crate) async fn one(State(api): State<Api>, _: Owner, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(render(&*find(&api, &key)?)))
}

/// The manifest, with what Cloud Elements' clients look for beside it.
pub(crate) async fn metadata(
    State(api): State<Api>,
    _: Owner,
    Path(key): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let element = find(&api, &key)?;
    let mut metadata = render(&element);
    let polled = |resource: &&crate::domain::element::Resource| resource.default_poll;
    let polling: serde_json::Map<String, Value> = element
        .manifest
        .resources
        .iter()
        .filter(polled)
        .map(|resource| (resource.name.clone(), json!({"eventTypes": ["created", "updated"]})))
        .collect();
    metadata["events"] = json!({"supported": true, "methods": ["polling"], "polling": polling});
    metadata["manifest"] = element.document.clone();
    Ok(Json(metadata))
}

/// By key, or by number as Cloud Elements allows.
pub(crate) fn find(api: &Api, key: &str) -> Result<Arc<Element>, ApiError> {
    let elements = &api.gateway.elements;
    let by_id = || {
        elements
            .list()
            .into_iter()
            .find(|element| element.manifest.id.to_string() == key)
    };
    elements.find(key).or_else(by_id).ok_or_else(|| {
        let loaded: Vec<_> = elements
            .list()
            .iter()
            .map(|element| element.manifest.key.clone())
            .collect();
        ApiError::not_found(format!(
            "there is no element {key:?}; loaded are: {}",
            loaded.join(", ")
        ))
    })
}

pub(crate) fn render(element: &Element) -> Value {
    let manifest = &element.manifest;
    json!({
        "id": manifest.id,
        "key": manifest.key,
        "name": manifest.name,
        "description": manifest.description,
        "hub": manifest.hub,
        "version": manifest.version,
        "digest": element.digest,
        "active": true,
        "deleted": false,
        "typeOauth": false,
        "private": false,
        "resources": manifest.resources.iter().map(|resource| &resource.name).collect::<Vec<_>>(),
    })
}
