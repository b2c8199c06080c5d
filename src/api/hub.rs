//! A user's reads of hub resources with an instance's token. The hub's name is not looked at, as Cloud Elements has it.

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::auth::Bearer;
use super::error::ApiError;
use super::page::{self, Query};
use crate::service::hub::Read;

/// Query parameters that the gateway reads itself.
const OWN_PARAMETERS: [&str; 4] = ["where", "pageSize", "nextPage", "page"];

pub(crate) async fn read(
    State(api): State<Api>,
    Bearer(instance): Bearer,
    Path((_hub, path)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let path = path.trim_end_matches('/');
    let element = api.gateway.elements.find(&instance.element);
    let is_collection = |name: &str| {
        !name.contains('/')
            || element.is_some_and(|element| element.manifest.resources.iter().any(|resource| resource.name == name))
    };
    let mut response = if is_collection(path) {
        let query = Query::parse(query.as_deref());
        let read = Read {
            resource: path.to_owned(),
            where_text: query.get("where").map(str::to_owned),
            page_size: query.page_size()?,
            next_page: query.get("nextPage").filter(|text| !text.is_empty()).map(str::to_owned),
            parameters: query.others(&OWN_PARAMETERS),
        };
        let page = api.gateway.read_page(&instance, read).await?;
        (
            page::headers(page.records.len(), page.next_page.as_deref()),
            json(array(&page.records)),
        )
            .into_response()
    } else {
        let (resource, id) = path.rsplit_once('/').unwrap_or((path, ""));
        json(Body::from(api.gateway.read_record(&instance, resource, id).await?))
    };
    response
        .headers_mut()
        .insert("elements-element-instance-id", HeaderValue::from(instance.id.0));
    Ok(response)
}

/// Bodies are JSON already; they are joined, not parsed.
fn array(records: &[Bytes]) -> Body {
    let mut out = Vec::with_capacity(records.iter().map(|record| record.len() + 1).sum::<usize>() + 2);
    out.push(b'[');
    for (i, record) in records.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(record);
    }
    out.push(b']');
    Body::from(out)
}

fn json(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
