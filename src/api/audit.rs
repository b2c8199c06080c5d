//! The audit log over REST, for the account's owner alone.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::Api;
use super::auth::Owner;
use super::error::ApiError;
use super::page::{self, Query};
use crate::domain::audit::{AuditEntry, AuditPlace, AuditQuery, Who};
use crate::domain::id::InstanceId;
use crate::domain::time::Timestamp;
use crate::engine::dates::{Zone, read_lenient};

pub(crate) async fn list(
    State(api): State<Api>,
    _: Owner,
    RawQuery(query): RawQuery,
) -> Result<(HeaderMap, Json<Vec<Value>>), ApiError> {
    let query = Query::parse(query.as_deref());
    let asked = AuditQuery {
        from: time(&query, "from")?,
        to: time(&query, "to")?,
        instance: given(&query, "instanceId").map(instance).transpose()?,
        before: given(&query, "nextPage").map(place).transpose()?,
    };
    let page = api.gateway.audited(asked, query.own_page_size()?).await?;
    let next = page.next.map(|place| format!("{}-{}", place.at.as_ms(), place.number));
    Ok((
        page::headers(page.entries.len(), next.as_deref()),
        Json(page.entries.iter().map(render).collect()),
    ))
}

fn given<'a>(query: &'a Query, name: &str) -> Option<&'a str> {
    query.get(name).filter(|text| !text.is_empty())
}

fn time(query: &Query, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let read = |text: &str| {
        read_lenient(text, None, &Zone::utc()).map_err(|error| {
            ApiError::bad_request(format!(
                "{name}: expected a time such as 2026-01-31T00:00:00Z, found {text:?}: {error}"
            ))
        })
    };
    given(query, name).map(read).transpose()
}

fn instance(text: &str) -> Result<InstanceId, ApiError> {
    let number = text.parse().map(InstanceId);
    number.map_err(|_| {
        ApiError::bad_request(format!(
            "instanceId: expected the number of an instance, found {text:?}"
        ))
    })
}

fn place(text: &str) -> Result<AuditPlace, ApiError> {
    let place = text.rsplit_once('-').and_then(|(at, number)| {
        Some(AuditPlace {
            at: Timestamp::from_ms(at.parse().ok()?),
            number: number.parse().ok()?,
        })
    });
    place.ok_or_else(|| ApiError::bad_request(format!("nextPage: expected a token of this list, found {text:?}")))
}

fn render(entry: &AuditEntry) -> Value {
    let (who, token_of) = match entry.who {
        Who::Owner => ("owner", None),
        Who::Token(id) => ("token", Some(id)),
        Who::Nobody => ("nobody", None),
    };
    json!({
        "at": entry.at.to_string(),
        "requestId": entry.request,
        "who": who,
        "tokenOf": token_of,
        "client": entry.client,
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "instanceId": entry.instance,
    })
}
