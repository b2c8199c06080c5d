//! One request on its way: its id, where it comes from and who it turned out to be; its log span and its audit entry.
//! Decides nothing about who may do what.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::Api;
use super::error::ApiError;
use crate::domain::audit::{AuditEntry, Who};
use crate::domain::id::InstanceId;
use crate::engine::client;

/// Ids that a client may give its request, the first one found.
const ID_HEADERS: [&str; 2] = ["elements-request-id", "x-request-id"];
/// Longest path in an audit entry, in characters.
const PATH_CHARS_MAX: usize = 256;

/// The other end of the connection; put into each request by the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// What is known of the request that is being answered.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) id: String,
    pub(super) client: IpAddr,
    who: OnceLock<Who>,
    instance: OnceLock<InstanceId>,
}

tokio::task_local! {
    static VISIT: Arc<Visit>;
}

/// The id of the request that is being answered.
pub(super) fn current_id() -> String {
    VISIT.try_with(|visit| visit.id.clone()).unwrap_or_default()
}

/// Where the request comes from.
pub(super) fn current_client() -> IpAddr {
    VISIT
        .try_with(|visit| visit.client)
        .unwrap_or(Ipv4Addr::UNSPECIFIED.into())
}

/// Who it is. The first word counts.
pub(super) fn note_who(who: Who) {
    let _ = VISIT.try_with(|visit| {
        let _ = visit.who.set(who);
    });
}

/// The instance that the request is about.
pub(super) fn note_instance(id: InstanceId) {
    let _ = VISIT.try_with(|visit| {
        let _ = visit.instance.set(id);
    });
}

/// Gives a request its id, its span in the log and its entry in the audit log, which is on the disk before the answer goes
/// out.
pub(super) async fn attend(State(api): State<Api>, request: Request, next: Next) -> Response {
    let visit = Arc::new(Visit {
        id: id_of(&api, request.headers()),
        client: client_of(&api, &request),
        who: OnceLock::new(),
        instance: OnceLock::new(),
    });
    let id = visit.id.clone();
    let span = tracing::error_span!("request", id);
    let reads = reads_only(request.method());
    let answer = VISIT
        .scope(visit.clone(), answer(api, visit.clone(), request, next))
        .instrument(span);
    let mut response = if reads {
        answer.await
    } else {
        // In a task of its own: who hangs up meanwhile must not take the audit entry of what was done along.
        let answer = tokio::spawn(answer).await;
        answer.unwrap_or_else(|_| VISIT.sync_scope(visit, || ApiError::broken().into_response()))
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("elements-request-id", value);
    }
    response
}

async fn answer(api: Api, visit: Arc<Visit>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let response = answered.unwrap_or_else(|_| ApiError::broken().into_response());
    let status = response.status().as_u16();
    tracing::debug!(%method, path, status, client = %visit.client, "answered");
    if let Some(who) = visit.audited(&method) {
        let entry = AuditEntry {
            at: api.gateway.clock.now(),
            request: visit.id.clone(),
            who,
            client: visit.client.to_string(),
            method: method.to_string(),
            path: path.chars().take(PATH_CHARS_MAX).collect(),
            status,
            instance: visit.instance.get().copied(),
        };
        api.gateway.audit(entry).await;
    }
    response
}

impl Visit {
    /// Who an entry is about, if there is to be one: failed logins, and what changes something. Whoever shows no secret
    /// at all changes nothing and writes no entry, or anybody could fill the disk.
    fn audited(&self, method: &Method) -> Option<Who> {
        let who = *self.who.get()?;
        (who == Who::Nobody || !reads_only(method)).then_some(who)
    }
}

fn reads_only(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The client's own id where it is sane, else 24 hex digits.
fn id_of(api: &Api, headers: &HeaderMap) -> String {
    let mut given = ID_HEADERS.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    if let Some(id) = given.find(|id| client::is_request_id(id)) {
        return id.to_owned();
    }
    let mut bytes = [0_u8; 12];
    api.gateway.entropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn client_of(api: &Api, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    let peer = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
    // Several headers of one name are one list (RFC 9110, section 5.2).
    let forwarded = request.headers().get_all("x-forwarded-for").iter();
    let forwarded: Vec<&str> = forwarded.filter_map(|value| value.to_str().ok()).collect();
    let forwarded = (!forwarded.is_empty()).then(|| forwarded.join(","));
    client::address(peer, forwarded.as_deref(), &api.trusted_proxies)
}
