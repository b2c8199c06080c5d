//! One request of an element, from its grants to the answer that the element gets.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method};
use url::Url;

use super::reason::{Reason, causes};
use super::{Shared, oauth2};
use crate::domain::run::{Request, Response};
use crate::domain::secret::Secret;
use crate::engine::egress;
use crate::ports::{Grants, Refusal};

/// An idempotent request whose connection broke is sent once more, not again and again: the poll has its own backoff.
const TRIES_MAX: u32 = 2;

/// A whole answer.
pub(super) struct Whole {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A judged request with its secrets filled in: must not be shown.
pub(super) struct Ready {
    request: reqwest::Request,
    /// Headers that wait for an access token.
    late: Vec<(String, String)>,
    idempotent: bool,
    lane: String,
    cost: u16,
}

impl Shared {
    /// As `Vendor::send` promises. Dropping the future gives back its place and what it took of the budget.
    pub(super) async fn send(self: &Arc<Self>, request: Request, grants: &Grants) -> Result<Response, Refusal> {
        let id = request.id;
        let url = egress::admit(&request, &grants.hosts, &grants.origins)?;
        // Not the element's mistake, and so no refusal: it is told that nothing came, and why.
        if let Some(sentence) = egress::withheld(&url, &request.headers, grants) {
            return Ok(no_answer(id, &Reason::Withheld(sentence)));
        }
        if let Err(reason) = self.guard.check_url(&url) {
            return Ok(no_answer(id, &reason));
        }
        let ready = prepare(request, url, grants)?;
        let _place = self.turns.place(grants, &ready.lane).await;
        let result = match &grants.oauth2 {
            Some(grant) if !ready.late.is_empty() => self.authorized(&ready, grant, grants).await?,
            _ => self.tries(&ready, ready.filled(&grants.secrets)?, grants).await,
        };
        Ok(match result {
            Ok(whole) => Response {
                id,
                status: whole.status,
                headers: wanted(&whole.headers, &grants.response_headers),
                body: whole.body,
            },
            Err(reason) => no_answer(id, &reason),
        })
    }

    /// Sends `request` within the budget; twice where the connection broke and it is idempotent.
    pub(super) async fn tries(
        &self,
        ready: &Ready,
        request: reqwest::Request,
        grants: &Grants,
    ) -> Result<Whole, Reason> {
        let mut tries = 0;
        loop {
            self.turns.spend(grants, &ready.lane, ready.cost).await;
            tries += 1;
            let this_try = request.try_clone().expect("a body of bytes can be sent again");
            match self.exchange(this_try).await {
                Err(reason) if ready.idempotent && tries < TRIES_MAX && reason.is_worth_a_second_try() => {
                    tracing::debug!(%reason, "sending a vendor request once more");
                }
                result => return result,
            }
        }
    }

    pub(super) async fn exchange(&self, request: reqwest::Request) -> Result<Whole, Reason> {
        let timeout = self.options.vendor_timeout;
        tokio::time::timeout(timeout, async {
            let connect_timeout = self.options.connect_timeout;
            let sent = self.client.execute(request).await;
            let mut answer = sent.map_err(|error| Reason::of_sending(&error, connect_timeout))?;
            let body = read_whole(&mut answer, self.options.vendor_body_bytes_max).await?;
            Ok(Whole {
                status: answer.status().as_u16(),
                headers: std::mem::take(answer.headers_mut()),
                body,
            })
        })
        .await
        .unwrap_or(Err(Reason::Timeout(timeout)))
    }
}

impl Ready {
    /// The request with the headers that waited for a token.
    pub(super) fn filled(&self, secrets: &HashMap<String, Secret>) -> Result<reqwest::Request, Refusal> {
        let mut request = self.request.try_clone().expect("a body of bytes can be sent again");
        self.late
            .iter()
            .try_for_each(|(name, value)| add_header(&mut request, name, value, secrets))?;
        Ok(request)
    }
}

/// Fills the placeholders of a judged request, but for an access token, which is filled in when the request leaves.
fn prepare(request: Request, url: Url, grants: &Grants) -> Result<Ready, Refusal> {
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|error| Refusal(error.to_string()))?;
    let mut ready = reqwest::Request::new(method, url);
    let (late, headers): (Vec<_>, Vec<_>) = request
        .headers
        .into_iter()
        .partition(|(_, value)| oauth2::is_awaited(value, grants));
    for (name, value) in &headers {
        add_header(&mut ready, name, value, &grants.secrets)?;
    }
    *ready.body_mut() = request.body.map(Body::from);
    Ok(Ready {
        request: ready,
        late,
        idempotent: request.idempotent,
        lane: request.lane,
        cost: request.cost,
    })
}

fn add_header(
    request: &mut reqwest::Request,
    name: &str,
    value: &str,
    secrets: &HashMap<String, Secret>,
) -> Result<(), Refusal> {
    let filled = egress::fill(value, secrets)?;
    let (name, value) = header(name, &filled).map_err(Refusal)?;
    request.headers_mut().append(name, value);
    Ok(())
}

/// The error names the header and not its value.
pub(super) fn header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no name of a header"))?;
    let mut value = HeaderValue::from_bytes(value.expose().as_bytes())
        .map_err(|_| format!("the value of the header {name} holds a line break or another control character"))?;
    value.set_sensitive(true);
    Ok((header, value))
}

async fn read_whole(answer: &mut reqwest::Response, bytes_max: usize) -> Result<Bytes, Reason> {
    let announced = usize::try_from(answer.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > bytes_max {
        return Err(Reason::TooLong(bytes_max));
    }
    let mut length = 0;
    let Some(first) = read_piece(answer, &mut length, bytes_max).await? else {
        return Ok(Bytes::new());
    };
    // The usual small answer comes in one piece, which needs no copy.
    let Some(second) = read_piece(answer, &mut length, bytes_max).await? else {
        return Ok(first);
    };
    let mut body = BytesMut::with_capacity(announced.max(length));
    body.extend_from_slice(&first);
    body.extend_from_slice(&second);
    while let Some(piece) = read_piece(answer, &mut length, bytes_max).await? {
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

async fn read_piece(
    answer: &mut reqwest::Response,
    length: &mut usize,
    bytes_max: usize,
) -> Result<Option<Bytes>, Reason> {
    let piece = answer.chunk().await.map_err(|error| Reason::CutShort(causes(&error)))?;
    *length += piece.as_ref().map_or(0, Bytes::len);
    if *length > bytes_max {
        Err(Reason::TooLong(bytes_max))
    } else {
        Ok(piece)
    }
}

/// `date` and what the manifest asks for. Text that is not UTF-8 is shown as well as it can be.
fn wanted(headers: &HeaderMap, names: &[String]) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| *name == "date" || names.iter().any(|wanted| name.as_str().eq_ignore_ascii_case(wanted)))
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect()
}

fn no_answer(id: u32, reason: &Reason) -> Response {
    Response {
        id,
        status: 0,
        headers: Vec::new(),
        body: Bytes::from(reason.to_string()),
    }
}
