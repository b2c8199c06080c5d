//! One POST of a notification. What the answer means is judged elsewhere; of its body the beginning is kept.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
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
        let headers = response.headers().iter().take(HEADERS_KEPT_MAX);
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut answer = Answer {
            status: response.status().as_u16(),
            headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
            ..Answer::default()
        };
        (answer.body, answer.body_is_cut) = read_beginning(&mut response, self.options.answer_bytes_max).await;
        Ok(answer)
    }
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
