//! The body of a request as JSON.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::{Api, BODY_BYTES_MAX};

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

/// A body that is JSON, or none, which stands for `{}`.
pub(crate) struct JsonOrNothing(pub Value);

impl FromRequest<Api> for JsonOrNothing {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Api) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| body_error(&rejection))?;
        if bytes.is_empty() {
            return Ok(Self(Value::Object(Map::new())));
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| not_json(&bytes, &error))
    }
}

fn body_error(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = format!("the body is longer than {BODY_BYTES_MAX} bytes");
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message);
    }
    ApiError::new(StatusCode::BAD_REQUEST, "the body did not arrive whole, or not in time")
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
