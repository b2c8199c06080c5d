//! Errors as Cloud Elements answers them: `{"requestId", "message", "providerMessage"?}`. What a client may not see goes
//! to the log, once, here.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::visit::current_id;
use crate::domain::run::{Fault, Remedy};
use crate::engine::configuration::FieldError;
use crate::ports::StoreError;
use crate::service::runner::Failure;
use crate::service::{account, elements, hub, instances, look_up, reach};

#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    /// What the vendor said.
    provider: Option<String>,
    retry_after_seconds: Option<u32>,
    /// For the log alone.
    internal: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            provider: None,
            retry_after_seconds: None,
            internal: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// With `Retry-After`.
    pub(crate) fn locked(wait: Duration) -> Self {
        let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
        let message = format!("too many failed logins from this address; try again in {seconds} s");
        Self {
            retry_after_seconds: Some(seconds),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, message)
        }
    }

    /// A handler that panicked, which the log shows.
    pub(crate) fn broken() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the gateway made a mistake; see its log",
        )
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let id = current_id();
        if let Some(internal) = &self.internal {
            tracing::error!(request = id, error = internal, blame = "gateway", "request failed");
        }
        let mut body = json!({"requestId": id, "message": self.message});
        if let Some(provider) = self.provider {
            body["providerMessage"] = provider.into();
        }
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(crate) async fn no_route() -> ApiError {
    ApiError::not_found("there is no such path; README.md lists the routes")
}

pub(crate) async fn no_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not know the method")
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let (status, message) = match &error {
            StoreError::Conflict(_) => (
                StatusCode::CONFLICT,
                "somebody else changed it meanwhile; read it and try again",
            ),
            StoreError::Transient(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store is not available; try again"),
            StoreError::Corrupt(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the store is damaged; see the gateway's log",
            ),
        };
        Self {
            internal: Some(error.to_string()),
            ..Self::new(status, message)
        }
    }
}

impl From<FieldError> for ApiError {
    fn from(error: FieldError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<reach::Error> for ApiError {
    fn from(error: reach::Error) -> Self {
        let status = match error {
            reach::Error::NotLoaded(_) => StatusCode::SERVICE_UNAVAILABLE,
            reach::Error::Sealed(..) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

/// How an element's or vendor's failure looks to a client.
fn from_failure(failure: &Failure, context: &str) -> ApiError {
    let Failure::Fault(fault) = failure else {
        let message = format!("{context}{failure}");
        return ApiError {
            internal: Some(failure.to_string()),
            ..ApiError::new(StatusCode::BAD_GATEWAY, message)
        };
    };
    let retry_after_seconds = match fault.remedy {
        Remedy::RateLimited { after_seconds } | Remedy::Retry { after_seconds } => after_seconds,
        _ => None,
    };
    let message = format!("{context}{}", fault.message);
    ApiError {
        provider: Some(fault.message.clone()),
        retry_after_seconds,
        ..ApiError::new(fault_status(fault), message)
    }
}

fn fault_status(fault: &Fault) -> StatusCode {
    match (&fault.remedy, fault.code.as_str()) {
        (_, "forbidden") => StatusCode::FORBIDDEN,
        (_, "not-found") => StatusCode::NOT_FOUND,
        (Remedy::RefreshAuth, _) => StatusCode::UNAUTHORIZED,
        (Remedy::BadConfiguration, _) => StatusCode::BAD_REQUEST,
        (Remedy::RateLimited { .. }, _) => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_GATEWAY,
    }
}

impl From<instances::Error> for ApiError {
    fn from(error: instances::Error) -> Self {
        use instances::Error;
        match error {
            Error::Invalid(error) => error.into(),
            Error::UnknownElement(_) | Error::NotFound(_) => Self::not_found(error.to_string()),
            Error::Check(failure) => {
                let mut error = from_failure(&failure, "the vendor did not accept the configuration: ");
                error
                    .message
                    .push_str("; nothing was stored (?validate=false skips this check)");
                error
            }
            Error::Reach(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

impl From<account::Error> for ApiError {
    fn from(error: account::Error) -> Self {
        match error {
            account::Error::SetByOperator(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            account::Error::Store(error) => error.into(),
        }
    }
}

impl From<elements::Error> for ApiError {
    fn from(error: elements::Error) -> Self {
        use elements::Error;
        let status = match error {
            Error::Unknown(_) => StatusCode::NOT_FOUND,
            Error::OtherKey { .. } => StatusCode::BAD_REQUEST,
            Error::Inadmissible(_) | Error::Worse(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::InUse { .. } | Error::BuiltIn(_) | Error::NothingBefore(_) => StatusCode::CONFLICT,
            Error::Store(error) => return error.into(),
        };
        Self::new(status, error.to_string())
    }
}

impl From<look_up::Error> for ApiError {
    fn from(error: look_up::Error) -> Self {
        use look_up::Error;
        match error {
            Error::Invalid(message) => Self::bad_request(message),
            Error::UnknownEvent { .. } => Self::not_found(error.to_string()),
            Error::NoCallback { .. } => Self::new(StatusCode::CONFLICT, error.to_string()),
            Error::Instance(error) => error.into(),
            Error::Reach(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

impl From<hub::Error> for ApiError {
    fn from(error: hub::Error) -> Self {
        use hub::Error;
        match error {
            Error::Invalid { .. } => Self::bad_request(error.to_string()),
            Error::UnknownResource { .. } | Error::NotFound { .. } => Self::not_found(error.to_string()),
            Error::Disabled(_) => Self::new(StatusCode::FORBIDDEN, error.to_string()),
            Error::Paused(seconds) => Self {
                retry_after_seconds: Some(seconds),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())
            },
            Error::Run(failure) => from_failure(&failure, ""),
            Error::Reach(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}
