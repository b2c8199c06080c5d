//! One accept loop for the simulated vendor and the receiver: axum answers, and a connection can be dropped on purpose.
//! Not a general web server: plain HTTP/1.1 and no graceful end, because both of its users are there to be killed.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

/// Out of file descriptors is the usual reason for a failing accept: give the open ones a moment to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Put into a response's extensions, it makes the server send nothing and reset the connection instead.
#[derive(Clone, Copy)]
struct ResetConnection;

/// A response that is never sent: the client sees its connection reset.
pub(crate) fn reset_connection() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(ResetConnection);
    response
}

/// The handler asked for the connection to be dropped; hyper closes it when the service fails.
#[derive(Debug, thiserror::Error)]
#[error("the connection was reset on purpose")]
struct Dropped;

/// A running server. Dropping it closes the listener and every open connection at once.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on `listen` (port 0: any free port) and answers with `router`.
    pub(crate) async fn start(listen: SocketAddr, router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            address,
            accepting: tokio::spawn(accept(listener, router)),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, router: Router) {
    // Owned by this task, so that aborting it closes the connections too.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, router.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    // Only costs latency when it fails.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&reset);
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answering = router.clone().oneshot(request.map(Body::new));
        let asked = Arc::clone(&asked);
        async move {
            let Ok::<_, Infallible>(response) = answering.await;
            if response.extensions().get::<ResetConnection>().is_some() {
                asked.store(true, Ordering::Relaxed);
                return Err(Dropped);
            }
            Ok(response)
        }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A failing connection is the client's business: it went away, or was sent away.
    let _ = (&mut connection).await;
    if reset.load(Ordering::Relaxed) {
        // Without lingering, closing sends RST, which is what a crashed peer or a load balancer sends.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}
