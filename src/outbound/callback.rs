//! One POST of a notification. What the answer means is judged elsewhere; its body is read only to use the connection again.

use std::time::Duration;

use reqwest::header::{DATE, HeaderName, RETRY_AFTER};
use reqwest::{Body, Method};

use super::Shared;
use super::reason::Reason;
use super::vendor::header;
use crate::engine::egress::{is_nats, web_url};
use crate::ports::{Answer, Post};

/// After the status came, its body is worth so much waiting: a connection that can be used again saves about as much.
const DRAIN_MAX: Duration = Duration::from_secs(2);

impl Shared {
    /// As `Callback::post` promises. Once a status came it stands, whatever becomes of the answer's body.
    pub(super) async fn post(&self, post: Post) -> Result<Answer, Reason> {
        if is_nats(&post.url) {
            return self.publish(post).await;
        }
        let url = web_url(&post.url).map_err(Reason::Url)?;
        self.guard.check_literal(&url)?;
        let mut request = reqwest::Request::new(Method::POST, url);
        request.headers_mut().reserve(post.headers.len() + 2);
        for (name, value) in &post.headers {
            let (name, value) = header(name, value).map_err(Reason::Header)?;
            request.headers_mut().append(name, value);
        }
        *request.body_mut() = Some(Body::from(post.body));
        let timeout = self.options.callback_timeout;
        let sent = tokio::time::timeout(timeout, self.client.execute(request)).await;
        let mut response = sent
            .map_err(|_| Reason::Timeout(timeout))?
            .map_err(|error| Reason::of_sending(&error, self.options.connect_timeout))?;
        let text = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let answer = Answer {
            status: response.status().as_u16(),
            retry_after: text(RETRY_AFTER),
            date: text(DATE),
        };
        drain(&mut response, self.options.answer_bytes_max).await;
        Ok(answer)
    }

    async fn publish(&self, post: Post) -> Result<Answer, Reason> {
        let id = post.headers.iter().find(|(name, _)| name == "webhook-id");
        let id = id
            .ok_or_else(|| Reason::Header("there is no webhook-id".into()))?
            .1
            .expose();
        let timeout = self.options.callback_timeout;
        self.nats
            .publish(&post.url, &post.headers, post.body.clone(), id, timeout)
            .await
    }
}

/// Reads the rest of an answer, but not much of it and not for long; what remains goes with the connection.
async fn drain(response: &mut reqwest::Response, bytes_max: usize) {
    let read = async {
        let mut bytes_left = bytes_max;
        while let Ok(Some(bytes)) = response.chunk().await {
            match bytes_left.checked_sub(bytes.len()) {
                Some(left) => bytes_left = left,
                None => return,
            }
        }
    };
    // Late or not, the status is what counts.
    let _in_time = tokio::time::timeout(DRAIN_MAX, read).await;
}
