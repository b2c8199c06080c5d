//! Notifications, subscriptions and deliveries under Cloud Elements' paths and in its shapes, for the account's owner. Each
//! instance with a callback is one subscription, under the instance's number.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::Api;
use super::auth::Owner;
use super::error::ApiError;
use super::events::{next_page, parse_place, place_text};
use super::page::{self, Query};
use crate::domain::id::InstanceId;
use crate::engine::delivery_clause::DeliveryClause;
use crate::service::subscriptions::{DeliveryPlace, SubscribedDelivery, Subscription};

type Rendered = Result<Json<Value>, ApiError>;
type Rows = Result<(HeaderMap, Json<Vec<Value>>), ApiError>;

pub(crate) async fn one(State(api): State<Api>, _: Owner, Path(event): Path<String>) -> Rendered {
    Ok(Json(notification(&api.gateway.delivery_of(&event).await?)))
}

/// Of one notification: there is one.
pub(crate) async fn deliveries_of(
    State(api): State<Api>,
    _: Owner,
    Path(event): Path<String>,
    RawQuery(query): RawQuery,
) -> Rows {
    let hydrate = Query::parse(query.as_deref()).flag("hydrate", false)?;
    let found = api.gateway.delivery_of(&event).await?;
    Ok((page::headers(1, None), Json(vec![delivery(&found, hydrate)])))
}

pub(crate) async fn delivery_of(
    State(api): State<Api>,
    _: Owner,
    Path((event, subscription)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Rendered {
    let hydrate = Query::parse(query.as_deref()).flag("hydrate", false)?;
    let found = api.gateway.delivery_of(&event).await?;
    if found.subscription.instance.to_string() != subscription {
        return Err(ApiError::not_found(format!(
            "notification {event:?} has no delivery to the subscription {subscription:?}; it has one to {}",
            found.subscription.instance
        )));
    }
    Ok(Json(delivery(&found, hydrate)))
}

pub(crate) async fn deliveries(State(api): State<Api>, _: Owner, RawQuery(query): RawQuery) -> Rows {
    let query = Query::parse(query.as_deref());
    let hydrate = query.flag("hydrate", false)?;
    let from = next_page(&query).map(parse_from).transpose()?;
    let from = from.unwrap_or((InstanceId::OPERATOR, None));
    let clause = clause(&query)?.unwrap_or_default();
    let page = api
        .gateway
        .deliveries(&clause, from, query.own_page_size()?, hydrate)
        .await?;
    let next = page.next.map(|(instance, before)| match before {
        Some(before) => format!("{instance}-{}", place_text(before)),
        None => instance.to_string(),
    });
    let rows = page.deliveries.iter().map(|found| delivery(found, hydrate)).collect();
    Ok((page::headers(page.deliveries.len(), next.as_deref()), Json(rows)))
}

pub(crate) async fn redeliver(State(api): State<Api>, _: Owner, RawQuery(query): RawQuery) -> Rendered {
    let Some(clause) = clause(&Query::parse(query.as_deref()))? else {
        return Err(ApiError::bad_request(
            "where: expected a clause such as channel='webhook' and status='queued', found none",
        ));
    };
    let all = api.gateway.redeliver_and_reactivate(&clause).await?;
    Ok(Json(json!({
        "matched": all.matched,
        "redelivered": all.redelivered,
        "reactivated": all.reactivated,
    })))
}

pub(crate) async fn subscriptions(State(api): State<Api>, _: Owner) -> Result<Json<Vec<Value>>, ApiError> {
    let subscriptions = api.gateway.subscriptions().await?;
    Ok(Json(subscriptions.iter().map(subscription).collect()))
}

pub(crate) async fn subscription_of(State(api): State<Api>, _: Owner, Path(id): Path<String>) -> Rendered {
    let unknown = || {
        ApiError::not_found(format!(
            "there is no subscription {id:?}; each is an instance with a callback"
        ))
    };
    let found = api
        .gateway
        .subscription(InstanceId(id.parse().map_err(|_| unknown())?))
        .await?;
    if found.url.is_none() {
        return Err(unknown());
    }
    Ok(Json(subscription(&found)))
}

fn clause(query: &Query) -> Result<Option<DeliveryClause>, ApiError> {
    let text = query.get("where").filter(|text| !text.trim().is_empty());
    text.map(|text| DeliveryClause::parse(text).map_err(ApiError::bad_request))
        .transpose()
}

/// The number of an instance, and the place of one of its notifications.
fn parse_from(text: &str) -> Result<DeliveryPlace, ApiError> {
    let (instance, place) = match text.split_once('-') {
        Some((instance, place)) => (instance, Some(parse_place(place)?)),
        None => (text, None),
    };
    let instance = instance
        .parse()
        .map(InstanceId)
        .map_err(|_| ApiError::bad_request(format!("nextPage: expected a token of this list, found {text:?}")))?;
    Ok((instance, place))
}

fn delivery(found: &SubscribedDelivery, hydrate: bool) -> Value {
    let row = &found.row;
    let updated = row
        .delivery
        .last
        .as_ref()
        .map_or(row.notification.created, |last| last.at);
    let mut rendered = json!({
        "notificationId": row.notification.number(),
        "subscriptionId": found.subscription.instance,
        "status": found.status(),
        "createdDate": row.notification.created.to_seconds_text(),
        "updatedDate": updated.to_seconds_text(),
        "eventId": row.notification.id,
    });
    if hydrate {
        rendered["notification"] = notification(found);
        rendered["subscription"] = subscription(&found.subscription);
    }
    rendered
}

fn notification(found: &SubscribedDelivery) -> Value {
    let notification = &found.row.notification;
    json!({
        "id": notification.number(),
        "eventId": notification.id,
        "from": "tidegate",
        "topic": found.subscription.topic,
        "severity": "medium",
        "message": String::from_utf8_lossy(&notification.body),
        "createdDate": notification.created.to_seconds_text(),
        "active": true,
        "acknowledged": false,
    })
}

fn subscription(subscription: &Subscription) -> Value {
    json!({
        "id": subscription.instance,
        "channel": "webhook",
        "topics": [subscription.topic],
        "config": {"url": subscription.url},
        "active": subscription.active,
    })
}
