//! The vendor's paths: who asks, what for, and what is answered.
//! Only GET: nothing that a gateway does writes.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use chrono::DateTime;
use serde_json::{Value, json};

use super::book::{Asked, place};
use super::control::Control;

/// Status and body of a refusal.
type Refusal = (u16, Value);

/// A refusal that says when to come back.
const RATE_LIMITED: u16 = 429;

pub(super) fn router(control: Control) -> Router {
    Router::new().fallback(handle).with_state(control)
}

async fn handle(State(control): State<Control>, request: Request) -> Response {
    let path = request.uri().path_and_query().map(ToString::to_string);
    let asked = format!("{} {}", request.method(), path.unwrap_or_default());
    let refused = {
        let mut account = control.account();
        account.log(asked);
        account.refuses()
    };
    let (status, body) = match refused {
        Some(seconds) => (RATE_LIMITED, json!({"error": "slow down", "seconds": seconds})),
        None => answer(&control, &request).unwrap_or_else(|refusal| refusal),
    };
    render(&control, status, &body)
}

fn answer(control: &Control, request: &Request) -> Result<(u16, Value), Refusal> {
    if request.method() != Method::GET {
        return Err((405, json!({"error": "only GET is simulated"})));
    }
    let authorization = request.headers().get(header::AUTHORIZATION);
    let token = authorization.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if token != Some(control.token()) {
        return Err((401, json!({"error": "invalid token"})));
    }
    let body = match request.uri().path() {
        "/v1/me" => json!({"id": 3, "name": "Zoë"}),
        "/v1/notes" => {
            let asked = asked(request.uri().query().unwrap_or_default())?;
            control.account().book.page(&asked)
        }
        path => path
            .strip_prefix("/v1/notes/")
            .and_then(|id| control.account().book.get(id.parse().ok()?))
            .ok_or_else(|| (404, json!({"error": "not found"})))?,
    };
    Ok((200, body))
}

fn asked(query: &str) -> Result<Asked, Refusal> {
    let mut asked = Asked::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let is_known = match &*name {
            "updated_since" => DateTime::parse_from_rfc3339(&value)
                .map(|since| asked.updated_since = Some(since.to_utc()))
                .is_ok(),
            "tag" => {
                asked.tag = Some(value.clone().into_owned());
                true
            }
            "include_deleted" => value.parse().map(|flag| asked.include_deleted = flag).is_ok(),
            "limit" => value.parse().map(|limit| asked.limit = Some(limit)).is_ok(),
            "cursor" => {
                asked.after = place(&value);
                asked.after.is_some()
            }
            _ => false,
        };
        if !is_known {
            return Err((400, json!({"error": format!("{name}={value} is not understood")})));
        }
    }
    Ok(asked)
}

fn render(control: &Control, status: u16, body: &Value) -> Response {
    let date = control.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::DATE, date);
    if status == RATE_LIMITED {
        response = response.header(header::RETRY_AFTER, body["seconds"].to_string());
    }
    response
        .body(Body::from(body.to_string()))
        .expect("the headers are texts without control characters")
}
