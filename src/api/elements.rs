//! The loaded elements: what they say of themselves, and how their components come, go and stand.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::Api;
use super::auth::Owner;
use super::error::ApiError;
use crate::domain::element::Element;
use crate::domain::generation::Source;
use crate::service::elements::{Compared, Load, Shadow, Version};

/// The largest component that is taken.
pub(super) const COMPONENT_BYTES_MAX: usize = 64 * 1024 * 1024;

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

/// Takes a component in and makes it the one that new runs take. `dry_run` shows what it would change; `force` takes it
/// although it does worse on what was recorded.
pub(crate) async fn load(
    State(api): State<Api>,
    _: Owner,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let load = Load {
        dry_run: flag(&query, "dry_run")?,
        force: flag(&query, "force")?,
    };
    let component = body.map_err(|rejection| not_whole(&rejection))?;
    if component.is_empty() {
        return Err(ApiError::bad_request(
            "the body is empty; expected a component: curl --data-binary @element.wasm",
        ));
    }
    let loaded = api
        .gateway
        .load_element(Some(&key), component, Source::Upload, load)
        .await?;
    let mut rendered = render(&loaded.element);
    rendered["previousDigest"] = json!(loaded.former);
    rendered["dryRun"] = loaded.dry_run.into();
    rendered["shadow"] = shadow(&loaded.shadow);
    if loaded.dry_run {
        rendered["active"] = false.into();
    }
    let status = match loaded.former {
        None if !loaded.dry_run => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    Ok((status, Json(rendered)))
}

pub(crate) async fn unload(
    State(api): State<Api>,
    _: Owner,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<StatusCode, ApiError> {
    api.gateway.remove_element(&key, flag(&query, "force")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn roll_back(
    State(api): State<Api>,
    _: Owner,
    Path(key): Path<String>,
) -> Result<Json<Value>, ApiError> {
    api.gateway.roll_back(&key, "rolled back over REST").await?;
    Ok(Json(render(&*find(&api, &key)?)))
}

/// JSON, or lines for people where the client prefers text.
pub(crate) async fn versions(
    State(api): State<Api>,
    _: Owner,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let versions = api.gateway.versions(&key).await?;
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepted.is_some_and(|accept| accept.starts_with("text/plain")) {
        return Ok(version_lines(&versions).into_response());
    }
    Ok(Json(versions.iter().map(version).collect::<Vec<_>>()).into_response())
}

fn flag(query: &HashMap<String, String>, name: &str) -> Result<bool, ApiError> {
    match query.get(name).map(String::as_str) {
        None | Some("0" | "false") => Ok(false),
        Some("" | "1" | "true") => Ok(true),
        Some(other) => Err(ApiError::bad_request(format!(
            "{name}: found {other:?}; expected 1 or 0"
        ))),
    }
}

fn not_whole(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = format!("the component is longer than {COMPONENT_BYTES_MAX} bytes");
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message);
    }
    ApiError::bad_request("the component did not arrive whole")
}

fn source(source: &Source) -> String {
    match source {
        Source::BuiltIn => "built-in".into(),
        Source::Upload => "upload".into(),
        Source::File(name) => format!("file {name}"),
    }
}

fn version(version: &Version) -> Value {
    let usage = version.usage;
    json!({
        "version": version.generation.version,
        "digest": version.generation.digest,
        "state": version.state,
        "reason": version.reason,
        "active": version.active,
        "source": source(&version.generation.source),
        "loaded": version.generation.loaded.to_string(),
        "instances": version.instances,
        "runs": version.runs,
        "calls": usage.calls,
        "cpuMs": usage.cpu_us / 1_000,
        "records": usage.records,
        "faults": usage.faults,
        "traps": usage.traps,
        "peakMemoryBytes": usage.peak_memory_bytes,
    })
}

fn version_lines(versions: &[Version]) -> String {
    let mut lines = format!(
        "{:<12} {:<12} {:<12} {:>9} {:>5} {:>9} {:>9} {:>9} {:>6} {:>5} {:>9}  {}\n",
        "version",
        "digest",
        "state",
        "instances",
        "runs",
        "calls",
        "cpu ms",
        "records",
        "faults",
        "traps",
        "peak KiB",
        "why"
    );
    for version in versions {
        let (generation, usage) = (&version.generation, version.usage);
        let digest = generation.digest.to_string();
        let _ = writeln!(
            lines,
            "{:<12} {:<12} {:<12} {:>9} {:>5} {:>9} {:>9} {:>9} {:>6} {:>5} {:>9}  {}",
            generation.version,
            &digest[..12],
            version.state,
            version.instances,
            version.runs,
            usage.calls,
            usage.cpu_us / 1_000,
            usage.records,
            usage.faults,
            usage.traps,
            usage.peak_memory_bytes / 1_024,
            version.reason.as_deref().unwrap_or_default(),
        );
    }
    lines
}

fn shadow(shadow: &Shadow) -> Value {
    json!({
        "instancesLeftOut": shadow.instances_left_out,
        "compared": shadow.compared.iter().map(compared).collect::<Vec<_>>(),
    })
}

fn compared(compared: &Compared) -> Value {
    json!({
        "instance": compared.instance,
        "resource": compared.resource,
        "records": compared.records,
        "added": compared.added,
        "gone": compared.gone,
        "changed": compared.changed,
        "examples": compared.examples,
        "failed": compared.failed,
        "asksOtherwise": compared.asks_otherwise,
    })
}
