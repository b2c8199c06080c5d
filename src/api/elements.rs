//! The loaded elements: what they say of themselves, and how their components come, go and stand.

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
use crate::service::Gateway;
use crate::service::elements::{self, Compared, Load, Shadow, Version};

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
    Query(query): Query<Vec<(String, String)>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let [dry_run, force] = flags(&query, ["dry_run", "force"])?;
    let load = Load { dry_run, force };
    let component = body.map_err(|rejection| not_whole(&rejection))?;
    if component.is_empty() {
        return Err(ApiError::bad_request(
            "the body is empty; expected a component: curl --data-binary @element.wasm",
        ));
    }
    let key = key_of(&api, key);
    let loaded = to_its_end(&api, async move |gateway| {
        gateway.load_element(Some(&key), component, Source::Upload, load).await
    })
    .await?;
    let mut rendered = render(&loaded.element);
    rendered["previousDigest"] = json!(loaded.former);
    rendered["dryRun"] = loaded.dry_run.into();
    rendered["shadow"] = shadow(&loaded.shadow);
    if loaded.dry_run {
        rendered["active"] = false.into();
        rendered["wouldBeRefused"] = json!(loaded.worse);
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
    Query(query): Query<Vec<(String, String)>>,
) -> Result<StatusCode, ApiError> {
    let [force] = flags(&query, ["force"])?;
    let key = key_of(&api, key);
    to_its_end(&api, async move |gateway| gateway.remove_element(&key, force).await).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn roll_back(
    State(api): State<Api>,
    _: Owner,
    Path(key): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let key = key_of(&api, key);
    let named = key.clone();
    to_its_end(&api, async move |gateway| {
        gateway.roll_back(&named, "rolled back over REST").await
    })
    .await?;
    Ok(Json(render(&*find(&api, &key)?)))
}

/// JSON, or lines for people where the client prefers text.
pub(crate) async fn versions(
    State(api): State<Api>,
    _: Owner,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let versions = api.gateway.versions(&key_of(&api, key)).await?;
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepted.is_some_and(|accept| accept.starts_with("text/plain")) {
        return Ok(version_lines(&versions).into_response());
    }
    Ok(Json(versions.iter().map(version).collect::<Vec<_>>()).into_response())
}

/// Goes on when the client hangs up: half a change of an element is no state to be left in.
async fn to_its_end<T: Send + 'static, F: Future<Output = Result<T, elements::Error>> + Send + 'static>(
    api: &Api,
    change: impl FnOnce(Arc<Gateway>) -> F,
) -> Result<T, ApiError> {
    let changed = tokio::spawn(change(api.gateway.clone())).await;
    let failed = |_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed; see its log");
    Ok(changed.map_err(failed)??)
}

/// A number in place of a key, as in Cloud Elements; what is not loaded is taken as it stands.
fn key_of(api: &Api, key: String) -> String {
    find(api, &key).map_or(key, |element| element.manifest.key.clone())
}

/// Each at most once, and no other: a switch that is misspelt must not be taken for one that is off.
fn flags<const N: usize>(query: &[(String, String)], names: [&str; N]) -> Result<[bool; N], ApiError> {
    let mut flags = [None; N];
    for (name, value) in query {
        let Some(place) = names.iter().position(|known| known == name) else {
            let known = names.join(" or ");
            return Err(ApiError::bad_request(format!(
                "{name}: found this parameter; expected {known}"
            )));
        };
        let flag = match value.as_str() {
            "0" | "false" => false,
            "" | "1" | "true" => true,
            other => {
                return Err(ApiError::bad_request(format!(
                    "{name}: found {other:?}; expected 1 or 0"
                )));
            }
        };
        if flags[place].replace(flag).is_some() {
            return Err(ApiError::bad_request(format!(
                "{name}: found it twice; expected it once"
            )));
        }
    }
    Ok(flags.map(|flag| flag.unwrap_or(false)))
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
