//! Instances over REST, in the JSON that Cloud Elements documents. Secrets are answered as a mask; the token is shown
//! once, when the instance is made.

use axum::Json as Answer;
use axum::extract::{Path, RawQuery, State};
use serde_json::{Map, Value, json};

use super::Api;
use super::auth::{Bearer, Owner, Target};
use super::elements;
use super::endpoint;
use super::error::ApiError;
use super::page::Query;
use super::request::Json;
use super::visit;
use crate::domain::id::InstanceId;
use crate::domain::instance::Instance;
use crate::domain::secret::{MASK, Secret};
use crate::domain::time::Timestamp;
use crate::engine::configuration::{Body, SIGNATURE_KEY, parse_body, parse_patch};
use crate::service::instances::{Change, Validate};

type Rendered = Result<Answer<Value>, ApiError>;

pub(crate) async fn create(State(api): State<Api>, _: Owner, RawQuery(query): RawQuery, Json(body): Json) -> Rendered {
    create_from(&api, &Query::parse(query.as_deref()), parse_body(&body)?).await
}

/// The element is in the path; a body may leave it out.
pub(crate) async fn create_of_element(
    State(api): State<Api>,
    _: Owner,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    Json(mut body): Json,
) -> Rendered {
    let element = elements::find(&api, &key)?;
    if let Some(object) = body.as_object_mut() {
        object.insert("element".into(), json!({"key": element.manifest.key}));
    }
    create_from(&api, &Query::parse(query.as_deref()), parse_body(&body)?).await
}

async fn create_from(api: &Api, query: &Query, body: Body) -> Rendered {
    let created = api.gateway.create_instance(body, validate(query)?).await?;
    visit::note_instance(created.instance.id);
    let mut rendered = render(api, &created.instance);
    rendered["token"] = created.token.expose().into();
    show_made_key(&mut rendered, created.made_key.as_ref());
    Ok(Answer(rendered))
}

pub(crate) async fn list(
    State(api): State<Api>,
    _: Owner,
    RawQuery(query): RawQuery,
) -> Result<Answer<Vec<Value>>, ApiError> {
    list_where(&api, &Query::parse(query.as_deref()), |_| true).await
}

pub(crate) async fn list_of_element(
    State(api): State<Api>,
    _: Owner,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Answer<Vec<Value>>, ApiError> {
    let key = elements::find(&api, &key)?.manifest.key.clone();
    list_where(&api, &Query::parse(query.as_deref()), |instance| {
        instance.element == key
    })
    .await
}

async fn list_where(
    api: &Api,
    query: &Query,
    matches: impl Fn(&Instance) -> bool,
) -> Result<Answer<Vec<Value>>, ApiError> {
    let tags: Vec<&str> = query.all("tags[]").chain(query.all("tags")).collect();
    let text = query.get("searchText").map(str::to_lowercase);
    let wanted = |instance: &Instance| {
        matches(instance)
            && tags.iter().all(|tag| instance.tags.iter().any(|own| own == tag))
            && text
                .as_ref()
                .is_none_or(|text| instance.name.to_lowercase().contains(text))
    };
    let instances = api.gateway.store.instances().await?;
    let found: Vec<Value> = instances
        .iter()
        .filter(|instance| wanted(instance))
        .map(|instance| render(api, instance))
        .collect();
    if found.is_empty() && (!tags.is_empty() || text.is_some()) {
        return Err(ApiError::not_found("no instance matches"));
    }
    Ok(Answer(found))
}

pub(crate) async fn one(State(api): State<Api>, Target(id): Target) -> Rendered {
    let mut rendered = render(&api, &api.gateway.instance(id).await?);
    rendered["endpoint"] = endpoint::health(&api.gateway.store.endpoint(id).await?.health);
    Ok(Answer(rendered))
}

pub(crate) async fn patch(
    State(api): State<Api>,
    Target(id): Target,
    RawQuery(query): RawQuery,
    Json(body): Json,
) -> Rendered {
    change(&api, id, &body, Change::Merge, query.as_deref()).await
}

pub(crate) async fn put(
    State(api): State<Api>,
    Target(id): Target,
    RawQuery(query): RawQuery,
    Json(body): Json,
) -> Rendered {
    change(&api, id, &body, Change::Replace, query.as_deref()).await
}

pub(crate) async fn patch_own(
    State(api): State<Api>,
    Bearer(own): Bearer,
    RawQuery(query): RawQuery,
    Json(body): Json,
) -> Rendered {
    change(&api, own.id, &body, Change::Merge, query.as_deref()).await
}

pub(crate) async fn put_own(
    State(api): State<Api>,
    Bearer(own): Bearer,
    RawQuery(query): RawQuery,
    Json(body): Json,
) -> Rendered {
    change(&api, own.id, &body, Change::Replace, query.as_deref()).await
}

async fn change(api: &Api, id: InstanceId, body: &Value, change: Change, query: Option<&str>) -> Rendered {
    let body = parse_patch(body)?;
    let changed = api
        .gateway
        .change_instance(id, body, change, validate(&Query::parse(query))?)
        .await?;
    let mut rendered = render(api, &changed.instance);
    show_made_key(&mut rendered, changed.made_key.as_ref());
    Ok(Answer(rendered))
}

/// A key that the gateway made is known to nobody yet; later answers show the mask.
fn show_made_key(rendered: &mut Value, made_key: Option<&Secret>) {
    if let Some(key) = made_key {
        rendered["configuration"][SIGNATURE_KEY] = key.expose().into();
    }
}

pub(crate) async fn remove(State(api): State<Api>, Target(id): Target) -> Rendered {
    api.gateway.remove_instance(id).await?;
    Ok(Answer(json!({})))
}

pub(crate) async fn enable(State(api): State<Api>, Target(id): Target) -> Rendered {
    Ok(Answer(render(&api, &api.gateway.enable_instance(id, true).await?)))
}

pub(crate) async fn disable(State(api): State<Api>, Target(id): Target) -> Rendered {
    Ok(Answer(render(&api, &api.gateway.enable_instance(id, false).await?)))
}

pub(crate) async fn enable_own(State(api): State<Api>, Bearer(own): Bearer) -> Rendered {
    Ok(Answer(render(&api, &api.gateway.enable_instance(own.id, true).await?)))
}

pub(crate) async fn disable_own(State(api): State<Api>, Bearer(own): Bearer) -> Rendered {
    Ok(Answer(render(&api, &api.gateway.enable_instance(own.id, false).await?)))
}

/// `?validate=false`, or Cloud Elements' `?reAuthenticate=false`.
fn validate(query: &Query) -> Result<Validate, ApiError> {
    let wanted = query.flag("validate", true)? && query.flag("reAuthenticate", true)?;
    Ok(if wanted { Validate::Yes } else { Validate::No })
}

fn render(api: &Api, instance: &Instance) -> Value {
    let element = api.gateway.elements.find(&instance.element);
    let element_id = element.as_ref().map_or(0, |element| element.manifest.id);
    let element = element.map_or_else(
        || json!({"key": instance.element, "active": false}),
        |element| elements::render(&element),
    );
    json!({
        "id": instance.id,
        "name": instance.name,
        "createdDate": instance.created.to_seconds_text(),
        "updatedDate": instance.updated.to_seconds_text(),
        "token": MASK,
        "element": element,
        "elementId": element_id,
        "tags": instance.tags,
        "provisionInteractions": [],
        "valid": true,
        "disabled": !instance.enabled,
        "maxCacheSize": 0,
        "cacheTimeToLive": 0,
        "configuration": configuration(instance),
        "signature": signature(api, instance),
        "eventsEnabled": instance.events.enabled,
        "traceLoggingEnabled": false,
        "cachingEnabled": false,
        "externalAuthentication": "none",
        "user": {"id": 1, "emailAddress": "", "firstName": "", "lastName": ""},
        "warnings": instance.warnings,
    })
}

/// How notifications are signed; null where they are not.
fn signature(api: &Api, instance: &Instance) -> Value {
    api.gateway.signature(instance).map_or(Value::Null, |signature| {
        json!({
            "kind": signature.kind.version(),
            "publicKey": signature.public_key,
            "previousUntil": signature.previous_until.map(Timestamp::to_seconds_text),
        })
    })
}

/// Values as text, as Cloud Elements answers them; objects as JSON in a string.
fn configuration(instance: &Instance) -> Map<String, Value> {
    let text = |value: &Value| match value {
        Value::Null | Value::String(_) => value.clone(),
        other => Value::from(other.to_string()),
    };
    let plain = instance
        .configuration
        .iter()
        .map(|(key, value)| (key.clone(), text(value)));
    let masked = instance.secrets.keys().map(|key| (key.clone(), Value::from(MASK)));
    plain.chain(masked).collect()
}
