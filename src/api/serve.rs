//! Connections of the REST API: accepted up to a number, each with a limit on how long it may take to say what it wants.
//! Knows nothing of routes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::visit::Peer;

/// Most connections at a time; further ones wait in the system's queue.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Longest that a request's headers may take, from the connection's start or the answer before: it bounds idle connections
/// too.
pub const HEADERS_MAX: Duration = Duration::from_secs(30);
/// Longest that a request's body may take, once its headers are there.
pub const BODY_MAX: Duration = Duration::from_mins(2);
/// After an error of accepting, which mostly means that no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections: usize,
    pub headers: Duration,
    pub body: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            headers: HEADERS_MAX,
            body: BODY_MAX,
        }
    }
}

/// Serves until `stopped`, then lets the requests under way finish.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stopped: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
    let mut stopped = pin!(stopped);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let served = connection(stream, peer, router.clone(), limits, stop.clone());
                connections.spawn(async move {
                    let _place = place;
                    served.await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stop.cancel();
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, limits: Limits, stop: CancellationToken) {
    // Answers are small; a delay for the sake of fewer packets is all that it would be.
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.headers)
        .keep_alive_timeout(limits.headers);
    let begun = Arc::new(Notify::new());
    let service = service_fn(|request: hyper::Request<Incoming>| {
        begun.notify_one();
        answer(router.clone(), request, peer, limits.body)
    });
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // hyper's own limit begins when it knows the protocol, which a client need never tell.
    let silent = async {
        if tokio::time::timeout(limits.headers, begun.notified()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    let mut silent = pin!(silent);
    let mut stopping = pin!(stop.cancelled());
    let mut is_stopping = false;
    loop {
        tokio::select! {
            // Errors of a connection are the client's: it hung up, or sent what is no HTTP.
            _ = served.as_mut() => return,
            () = silent.as_mut() => return,
            () = stopping.as_mut(), if !is_stopping => {
                is_stopping = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answer(
    router: Router,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    body_max: Duration,
) -> Result<Response, Infallible> {
    use tower_service::Service as _;
    let mut request = request.map(|body| hurried(Body::new(body), body_max));
    request.extensions_mut().insert(Peer(peer));
    let mut router = router;
    router.call(request).await
}

/// The body, which fails when it is not whole in time.
fn hurried(body: Body, limit: Duration) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let deadline = tokio::time::Instant::now() + limit;
    let pieces = stream::unfold(Some(body.into_data_stream()), move |pieces| async move {
        let mut pieces = pieces?;
        match tokio::time::timeout_at(deadline, pieces.next()).await {
            Ok(piece) => Some((piece?, Some(pieces))),
            Err(_) => Some((Err(axum::Error::new("the body took too long")), None)),
        }
    });
    let pieces: stream::BoxStream<'static, Result<Bytes, axum::Error>> = pieces.boxed();
    Body::from_stream(pieces)
}

#[cfg(test)]
mod tests;
