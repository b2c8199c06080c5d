//! The vendor's paths: who asks, what for, and what is answered.
//! Only GET: nothing that a gateway does writes.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::control::Control;
use super::desk::Kind;
use super::pages::{self, Query, Refusal};

/// A refusal that says when to come back.
const RATE_LIMITED: u16 = 429;

pub(super) async fn handle(State(control): State<Control>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let site = format!("http://{}", header_of(&request, header::HOST));
    control.state().log(&format!("{path}?{query}"));
    let knows = is_known(&control, &header_of(&request, header::AUTHORIZATION));
    let answer = if request.method() == Method::GET {
        answer(&control, &path, &Query::parse(&query), &site, knows)
    } else {
        Err((405, json!({"error": "only GET is simulated"})))
    };
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(refusal) => refusal,
    };
    render(&control, status, &body)
}

fn header_of(request: &Request, name: header::HeaderName) -> String {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// `Basic` and base64 of `email/token:TOKEN`.
fn is_known(control: &Control, authorization: &str) -> bool {
    let options = control.options();
    let expected = format!("{}/token:{}", options.email, control.state().token(options));
    authorization
        .strip_prefix("Basic ")
        .and_then(|text| STANDARD.decode(text).ok())
        .is_some_and(|text| text == expected.as_bytes())
}

fn answer(control: &Control, path: &str, query: &Query, site: &str, knows: bool) -> Result<Value, Refusal> {
    let path = path
        .strip_prefix("/api/v2/")
        .and_then(|path| path.strip_suffix(".json"));
    let parts: Vec<&str> = path.ok_or_else(not_found)?.split('/').collect();
    let options = control.options();
    if parts == ["users", "me"] && (knows || options.greets_strangers) {
        return Ok(json!({"user": me(knows, &options.email)}));
    }
    if !knows {
        return Err((401, json!({"error": "Couldn't authenticate you"})));
    }
    let latest = control.now().timestamp() - options.settling_seconds;
    let mut state = control.state();
    if parts[0] == "incremental"
        && let Some(seconds) = state.refuses_export()
    {
        return Err((
            RATE_LIMITED,
            json!({"error": "TooManyRequests", "retry_after": seconds}),
        ));
    }
    if query.get("cursor").is_some() && state.refuses_cursors() {
        return Err((
            422,
            json!({"error": "InvalidCursor", "description": "The cursor is invalid"}),
        ));
    }
    match parts.as_slice() {
        ["incremental", name @ ("tickets" | "users"), "cursor"] => {
            pages::export_by_cursor(&state.desk, kind(name)?, query, site, latest)
        }
        ["incremental", name] => pages::export_by_time(&state.desk, kind(name)?, query, site, latest),
        ["search", "export"] => pages::search_export(&state.desk, query),
        [name] => pages::list(&state.desk, kind(name)?, query),
        [name, id] => {
            let kind = kind(name)?;
            let id = id.parse().map_err(|_| not_found())?;
            let row = state
                .desk
                .get(kind, id)
                .filter(|row| !row.deleted || kind == Kind::Users);
            let row = row.ok_or_else(not_found)?;
            Ok(json!({kind.singular(): row.fields}))
        }
        _ => Err(not_found()),
    }
}

fn me(knows: bool, email: &str) -> Value {
    if knows {
        json!({"id": 1, "name": "Simulated administrator", "email": email, "role": "admin", "active": true})
    } else {
        json!({"id": null, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"})
    }
}

fn kind(name: &str) -> Result<Kind, Refusal> {
    Kind::of(name).filter(|kind| kind.name() == name).ok_or_else(not_found)
}

fn not_found() -> Refusal {
    (404, json!({"error": "RecordNotFound", "description": "Not found"}))
}

fn render(control: &Control, status: u16, body: &Value) -> Response {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(
            header::DATE,
            control.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        );
    if status == RATE_LIMITED {
        response = response.header(header::RETRY_AFTER, body["retry_after"].to_string());
    }
    response
        .body(Body::from(body.to_string()))
        .expect("the headers are texts without control characters")
}
