//! What a receiver answers, well-behaved or not.
//! Holds no state: the script is the receiver's.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;

use crate::server::reset_connection;

const ENDLESS_CHUNK: Bytes = Bytes::from_static(&[b'.'; 16 << 10]);

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A status, headers and a body.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// The answer after a delay.
    Slow { delay: Duration, then: Box<Reply> },
    /// Takes the notification and says nothing, until the sender gives up.
    Hang,
    /// Takes the notification and resets the connection.
    Reset,
    /// 200, and a body that never ends, as fast as the sender reads.
    Endless,
    /// 200, and a body that comes a byte at a time and never ends.
    Trickle { pause: Duration },
}

impl Default for Reply {
    fn default() -> Self {
        Self::status(200)
    }
}

impl Reply {
    /// This status, without a body.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// This status with one header, as `Retry-After` or `Location`.
    pub fn status_with(status: u16, name: &str, value: &str) -> Self {
        Self::Answer {
            status,
            headers: vec![(name.to_owned(), value.to_owned())],
            body: String::new(),
        }
    }

    /// This status after `delay`.
    pub fn slow(delay: Duration, status: u16) -> Self {
        Self::Slow {
            delay,
            then: Box::new(Self::status(status)),
        }
    }

    /// The status that goes out; `None` when none does.
    pub(super) fn status_sent(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            Self::Slow { then, .. } => then.status_sent(),
            Self::Hang | Self::Reset => None,
            Self::Endless | Self::Trickle { .. } => Some(200),
        }
    }

    pub(super) async fn send(self) -> Response {
        let mut reply = self;
        while let Self::Slow { delay, then } = reply {
            tokio::time::sleep(delay).await;
            reply = *then;
        }
        match reply {
            Self::Answer { status, headers, body } => answer(status, headers, body),
            Self::Hang => std::future::pending().await,
            Self::Reset | Self::Slow { .. } => reset_connection(),
            Self::Endless => streamed(Duration::ZERO, ENDLESS_CHUNK),
            Self::Trickle { pause } => streamed(pause, Bytes::from_static(b".")),
        }
    }
}

fn answer(status: u16, headers: Vec<(String, String)>, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    for (name, value) in headers {
        // A header that HTTP cannot carry is left out: the script belongs to a test, which will notice.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn streamed(pause: Duration, chunk: Bytes) -> Response {
    let chunks = stream::unfold(chunk, move |chunk| async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Some((Ok::<_, std::io::Error>(chunk.clone()), chunk))
    });
    Response::new(Body::from_stream(chunks))
}
