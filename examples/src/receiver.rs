//! A callback receiver: records what a gateway posts, verifies signatures on its own, answers what it is told to.
//! Knows the notification's shape and nothing of how a gateway makes one.

mod event;
mod record;
mod reply;
mod signature;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tokio::time::Instant;

pub use self::event::ReceivedEvent;
pub use self::record::{Received, read_journal};
pub use self::reply::Reply;
pub use self::signature::{SIGNATURE_HEADER, Signature, sign, verify};
use crate::clock::{Clock, system_clock};
use crate::server::Server;

/// A notification holds ten events and their records; what is far above that is a fault of the sender.
const BODY_BYTES_MAX: usize = 64 << 20;

/// What a receiver is started with.
pub struct ReceiverOptions {
    /// Port 0 takes any free port.
    pub listen: SocketAddr,
    /// The key of `event.notification.signature.key`; `None`: signatures are not checked.
    pub key: Option<String>,
    /// Each POST is appended here as one line of JSON before it is answered.
    pub journal: Option<PathBuf>,
    /// Time of arrival.
    pub clock: Clock,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            key: None,
            journal: None,
            clock: system_clock(),
        }
    }
}

/// Why events were waited for in vain.
#[derive(Debug, thiserror::Error)]
#[error("waited {waited:?} for {wanted} events, received {have}")]
pub struct Missing {
    pub wanted: usize,
    pub have: usize,
    pub waited: Duration,
}

/// A running receiver. Dropping it closes its port and connections.
#[derive(Debug)]
pub struct Receiver {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    key: Mutex<Option<String>>,
    clock: Clock,
    log: Mutex<Log>,
    arrivals: watch::Sender<u64>,
}

#[derive(Default)]
struct Log {
    received: Vec<Received>,
    journal: Option<File>,
    script: VecDeque<Reply>,
    otherwise: Reply,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("received", &self.log().received.len())
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// Listens, and answers 200 until told otherwise.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the journal cannot be opened.
    pub async fn start(options: ReceiverOptions) -> io::Result<Self> {
        let journal = match options.journal {
            Some(path) => Some(File::options().create(true).append(true).open(path)?),
            None => None,
        };
        let shared = Arc::new(Shared {
            key: Mutex::new(options.key),
            clock: options.clock,
            log: Mutex::new(Log {
                journal,
                ..Log::default()
            }),
            arrivals: watch::Sender::new(0),
        });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        Ok(Self {
            server: Server::start(options.listen, router).await?,
            shared,
        })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end. Every path is received.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Answers every POST that no script covers with `reply` from now on.
    pub fn reply(&self, reply: Reply) {
        self.shared.log().otherwise = reply;
    }

    /// Answers the next POSTs with these replies, one each.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.log().script.extend(replies);
    }

    /// Checks signatures with another key from now on; `None`: not at all.
    pub fn set_key(&self, key: Option<String>) {
        *self.shared.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// Every POST so far, in order of arrival, whatever it was answered.
    pub fn received(&self) -> Vec<Received> {
        self.shared.log().received.clone()
    }

    /// The events of every POST so far, refused ones and repetitions included.
    pub fn events(&self) -> Vec<ReceivedEvent> {
        events_of(&self.received())
    }

    /// Waits until `count` events came in POSTs that were answered 2xx, repetitions counted, and returns them.
    ///
    /// # Errors
    /// When `timeout` passes first.
    pub async fn wait_for(&self, count: usize, timeout: Duration) -> Result<Vec<ReceivedEvent>, Missing> {
        match self
            .wait_until(timeout, |received| count_accepted(received) >= count)
            .await
        {
            Some(received) => Ok(accepted(&received)),
            None => Err(Missing {
                wanted: count,
                have: count_accepted(&self.shared.log().received),
                waited: timeout,
            }),
        }
    }

    /// Waits until `enough` says so of everything received; `None` when `timeout` passes first.
    pub async fn wait_until(&self, timeout: Duration, enough: impl Fn(&[Received]) -> bool) -> Option<Vec<Received>> {
        let mut arrivals = self.shared.arrivals.subscribe();
        let waiting = async {
            loop {
                arrivals.mark_unchanged();
                if let Some(received) = self.received_if(&enough) {
                    return Some(received);
                }
                arrivals.changed().await.ok()?;
            }
        };
        tokio::time::timeout(timeout, waiting).await.ok().flatten()
    }

    /// Copies only when there is reason to: thousands of POSTs may be looked at on every arrival.
    fn received_if(&self, enough: impl Fn(&[Received]) -> bool) -> Option<Vec<Received>> {
        let log = self.shared.log();
        enough(&log.received).then(|| log.received.clone())
    }
}

fn events_of(received: &[Received]) -> Vec<ReceivedEvent> {
    received.iter().flat_map(|received| received.events.clone()).collect()
}

fn count_accepted(received: &[Received]) -> usize {
    received
        .iter()
        .filter(|received| received.accepted())
        .map(|received| received.events.len())
        .sum()
}

fn accepted(received: &[Received]) -> Vec<ReceivedEvent> {
    let accepted = received.iter().filter(|received| received.accepted());
    accepted.flat_map(|received| received.events.clone()).collect()
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> Option<String> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if request.method() != Method::POST {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            "This receiver takes notifications: POST them.\n",
        )
            .into_response();
    }
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut received = Received::new((shared.clock)(), arrived, &parts, body, shared.key().as_deref());
    let reply = {
        let mut log = shared.log();
        let reply = log.script.pop_front().unwrap_or_else(|| log.otherwise.clone());
        received.answer_with(reply.status_sent());
        received.number = log.received.len() as u64 + 1;
        if let Some(journal) = &mut log.journal
            && writeln!(journal, "{}", received.journal_line()).is_err()
        {
            // Unrecorded means unreceived: the sender has to try again.
            return StatusCode::INSUFFICIENT_STORAGE.into_response();
        }
        log.received.push(received);
        reply
    };
    shared.arrivals.send_modify(|arrivals| *arrivals += 1);
    reply.send().await
}
