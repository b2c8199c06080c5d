//! What comes with every request: its id, and its body as JSON.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use super::error::ApiError;
use super::{Api, BODY_BYTES_MAX};

/// 24 hex digits, in the error body and the header `Elements-Request-Id`.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub String);

tokio::task_local! {
    static REQUEST_ID: RequestId;
}

/// The id of the request that is being answered.
pub(crate) fn current_id() -> String {
    REQUEST_ID.try_with(|id| id.0.clone()).unwrap_or_default()
}

/// Gives a request its id and its line in the log.
pub(crate) async fn with_id(request: Request, next: Next) -> Response {
    let mut bytes = [0_u8; 12];
    // An id that is all zero when there is no entropy still answers the request.
    let _ = getrandom::fill(&mut bytes);
    let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = REQUEST_ID.scope(RequestId(id.clone()), next.run(request)).await;
    tracing::debug!(request = id, %method, path, status = response.status().as_u16(), "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("elements-request-id", value);
    }
    response
}

/// A body that is JSON.
pub(crate) struct Json(pub Value);

impl FromRequest<Api> for Json {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Api) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| body_error(&rejection))?;
        serde_json::from_slice(&bytes)
            .map(Json)
            .map_err(|error| not_json(&bytes, &error))
    }
}

fn body_error(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = format!("the body is longer than {BODY_BYTES_MAX} bytes");
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message);
    }
    ApiError::new(StatusCode::BAD_REQUEST, "the body did not arrive whole")
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> ApiError {
    let mut message = if bytes.is_empty() {
        "the body is empty; expected a JSON object".to_owned()
    } else {
        format!("the body is not JSON: {error}")
    };
    if bytes.windows(4).any(|window| window == br"'\''") {
        message.push_str(
            r"; it holds '\'', which is how a shell writes a quote within quotes: in a file or another client, write ' alone",
        );
    }
    ApiError::new(StatusCode::BAD_REQUEST, message)
}
