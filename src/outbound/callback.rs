//! One POST of a notification. What the answer means is judged elsewhere; of its body the beginning is kept.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method};

use super::Shared;
use super::reason::Reason;
use super::vendor::header;
use crate::engine::egress::{is_nats, web_url};
use crate::ports::{Answer, Post};

/// After the status came, its body is worth so much waiting: a connection that can be used again saves about as much.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// So much of an answer's body is kept to be looked up.
const BODY_KEPT_BYTES: usize = 4 * 1024;
/// Headers of an answer that are kept; more say nothing.
const HEADERS_KEPT_MAX: usize = 32;
/// Most bytes of their names and values; one that is too long for what is left is left out.
const HEADERS_KEPT_BYTES: usize = 4 * 1024;
/// What retries go by is kept before all else.
const STEERING: [&str; 3] = ["retry-after", "webhook-delivery", "date"];

impl Shared {
    /// As `Callback::post` promises. Once a status came it stands, whatever becomes of the answer's body.
    pub(super) async fn post(&self, post: Post) -> Result<Answer, Reason> {
        if is_nats(&post.url) {
            return self.nats.publish(&post).await;
        }
        let url = web_url(&post.url).map_err(Reason::Url)?;
        self.guard.check_url(&url)?;
        let mut request = reqwest::Request::new(Method::POST, url);
        request.headers_mut().reserve(post.headers.len() + 2);
        for (name, value) in &post.headers {
            let (name, value) = header(name, value).map_err(Reason::Header)?;
            request.headers_mut().append(name, value);
        }
        *request.body_mut() = Some(Body::from(post.body));
        let sent = tokio::time::timeout(post.timeout, self.client.execute(request)).await;
        let mut response = sent
            .map_err(|_| Reason::Timeout(post.timeout))?
            .map_err(|error| Reason::of_sending(&error, self.options.connect_timeout))?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            headers: kept(response.headers()),
            ..Answer::default()
        };
        (answer.body, answer.body_is_cut) = read_beginning(&mut response, self.options.answer_bytes_max).await;
        Ok(answer)
    }
}

/// The headers that steer, then the others as far as there is room.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut left = HEADERS_KEPT_BYTES;
    let mut fits = |name: &HeaderName, value: &HeaderValue| match left.checked_sub(name.as_str().len() + value.len()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let (steering, others): (Vec<_>, Vec<_>) = headers.iter().partition(|(name, _)| STEERING.contains(&name.as_str()));
    let kept = steering
        .into_iter()
        .chain(others)
        .filter(|(name, value)| fits(name, value));
    kept.take(HEADERS_KEPT_MAX)
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// Reads the answer's body, but not much of it and not for long, and keeps its beginning; what remains goes with the
/// connection. Late or not, the status is what counts.
async fn read_beginning(response: &mut reqwest::Response, bytes_max: usize) -> (Bytes, bool) {
    let mut kept = BytesMut::new();
    let mut is_cut = false;
    let read = async {
        let mut bytes_left = bytes_max;
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    let room = BODY_KEPT_BYTES - kept.len();
                    is_cut |= bytes.len() > room;
                    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
                    match bytes_left.checked_sub(bytes.len()) {
                        Some(left) => bytes_left = left,
                        None => return true,
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    };
    let is_whole = tokio::time::timeout(DRAIN_MAX, read).await.unwrap_or(false);
    (kept.freeze(), is_cut || !is_whole)
}
