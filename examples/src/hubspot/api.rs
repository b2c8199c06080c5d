//! The vendor's paths over HTTP: who asks, what is asked, and answers in the vendor's form.
//! Changes no row.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::control::{Asked, Control};
use super::search::Search;
use super::tokens::HUB_ID;

/// The list's limit and default: <https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/basic/get-crm-v3-objects-contacts>.
const LIST_LIMIT_MAX: usize = 100;
const LIST_LIMIT: usize = 10;

/// A status and a body.
type Answer = (u16, Value);

pub(super) fn router(control: Control) -> Router {
    Router::new().fallback(handle).with_state(control)
}

async fn handle(State(control): State<Control>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let (status, answer) = answer(&control, &method, &uri, &headers, &body);
    control.note(Asked {
        method: method.to_string(),
        path: uri.path_and_query().map_or_else(String::new, ToString::to_string),
        // The form of the token endpoint holds secrets.
        body: if uri.path().starts_with("/oauth") {
            String::new()
        } else {
            String::from_utf8_lossy(&body).into_owned()
        },
        status,
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        [(CONTENT_TYPE, "application/json;charset=utf-8")],
        answer.to_string(),
    )
        .into_response()
}

fn answer(control: &Control, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answer {
    let now = control.now();
    let segments: Vec<&str> = uri.path().split('/').skip(1).collect();
    if (method, &segments[..]) == (&Method::POST, &["oauth", "v3", "token"]) {
        return control.lock().tokens.exchange(body, now);
    }
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if !bearer.is_some_and(|token| control.lock().tokens.is_good(token, now)) {
        return error(
            401,
            "EXPIRED_AUTHENTICATION",
            "The OAuth token used to make this call is expired or unknown.",
        );
    }
    if (method, &segments[..]) == (&Method::GET, &["account-info", "v3", "details"]) {
        return (
            200,
            json!({"portalId": HUB_ID, "accountType": "STANDARD", "timeZone": "US/Eastern"}),
        );
    }
    let ["crm", "v3", "objects", rest @ ..] = &segments[..] else {
        return error(404, "OBJECT_NOT_FOUND", "resource not found");
    };
    if let Some(limit) = control.take_limit() {
        let policy = limit.policy();
        let message = format!("You have reached your {} limit.", policy.to_lowercase());
        let limited = json!({"status": "error", "message": message, "errorType": "RATE_LIMIT", "policyName": policy});
        return (429, limited);
    }
    match (method, rest) {
        (&Method::POST, [object, "search"]) => search(control, object, body),
        (&Method::GET, [object]) => list(control, object, uri),
        (&Method::GET, [object, id]) => get(control, object, id, uri),
        _ => error(405, "VALIDATION_ERROR", "method not allowed"),
    }
}

fn search(control: &Control, object: &str, body: &[u8]) -> Answer {
    let found = Search::read(&String::from_utf8_lossy(body))
        .and_then(|search| search.page(&control.lock().store, object, control.results_max()));
    found.map_or_else(|message| error(400, "VALIDATION_ERROR", &message), |page| (200, page))
}

/// `after` is the number that the next page begins with.
fn list(control: &Control, object: &str, uri: &Uri) -> Answer {
    let limit = parameter(uri, "limit").map_or(Ok(LIST_LIMIT), |text| text.parse());
    let after = parameter(uri, "after").map_or(Ok(0), |text| text.parse::<u64>());
    let (Ok(limit @ 1..=LIST_LIMIT_MAX), Ok(after)) = (limit, after) else {
        return error(400, "VALIDATION_ERROR", "limit or after is not valid");
    };
    let account = control.lock();
    let archived = parameter(uri, "archived").as_deref() == Some("true");
    let mut rows = account.store.rows(object, archived).skip_while(|row| row.id < after);
    let properties = properties(uri);
    let results: Vec<Value> = rows
        .by_ref()
        .take(limit)
        .map(|row| row.shown(object, &properties))
        .collect();
    let mut page = json!({"results": results});
    if let Some(next) = rows.next() {
        page["paging"] = json!({"next": {"after": next.id.to_string(), "link": "?"}});
    }
    (200, page)
}

fn get(control: &Control, object: &str, id: &str, uri: &Uri) -> Answer {
    let property = parameter(uri, "idProperty").unwrap_or_else(|| "hs_object_id".into());
    let account = control.lock();
    let row = account
        .store
        .rows(object, false)
        .find(|row| row.properties.get(&property).is_some_and(|value| value == id));
    match row {
        Some(row) => (200, row.shown(object, &properties(uri))),
        None => error(404, "OBJECT_NOT_FOUND", "resource not found"),
    }
}

fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn properties(uri: &Uri) -> Vec<String> {
    let list = parameter(uri, "properties").unwrap_or_default();
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// <https://developers.hubspot.com/docs/api-reference/error-handling>
fn error(status: u16, category: &str, message: &str) -> Answer {
    let body = json!({
        "status": "error",
        "message": message,
        "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf",
        "category": category,
    });
    (status, body)
}
