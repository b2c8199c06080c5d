//! Callbacks that are streams: publishes to NATS JetStream and waits until the stream has it.
//! Decides nothing about retries; the protocol's encoding is `watermelon-proto`'s, and the sockets are ours.
//!
//! Why no whole client: what we dial must be the address that was judged while TLS checks the host's name, and a customer's
//! server must not be able to fill our memory. async-nats dials by itself, names to TLS what it dials, and reads without a
//! bound. Here each server with each user has one task that owns the socket (`link`), made by `dial`; this file finds it.

mod ack;
mod dial;
mod link;
mod message;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_rustls::TlsConnector;

use super::reason::Reason;
use super::resolve::Guard;
use super::{IDLE_MAX, Options};
use crate::engine::egress::NatsUrl;
use crate::ports::{Answer, Post};
use dial::Dialler;
use link::Outgoing;
use message::{Credentials, Message};

/// Most connections at once, all servers together: each costs a socket, a task and about 100 kB.
const CONNECTIONS_MAX: usize = 256;
/// What bounds the connections; smaller in tests.
#[derive(Clone, Copy)]
struct Bounds {
    connections_max: usize,
    /// So long a connection may be of no use.
    idle_max: Duration,
}

/// Messages that wait for a connection's task; more wait in their own tasks.
const QUEUE_MAX: usize = 64;

/// Everything that is needed to reach streams. One per `Outbound`.
pub(super) struct Nats {
    dialler: Dialler,
    bounds: Bounds,
    pool: Mutex<Pool>,
    /// One permit per open connection, also of those that the pool has let go of.
    sockets: Arc<Semaphore>,
}

#[derive(Default)]
struct Pool {
    slots: HashMap<Key, Slot>,
    /// Counts calls, to know which slot was used last.
    uses: u64,
}

/// A server and who we are to it. Holds no password, only what tells two of them apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    server: String,
    port: u16,
    tls: bool,
    credentials: Option<[u8; 32]>,
}

/// Held while one dials, so that all who wait get the same connection.
type Place = Arc<tokio::sync::Mutex<Option<Connection>>>;

struct Slot {
    place: Place,
    used: u64,
}

/// The way to a connection's task, which lives as long as somebody has one of these.
#[derive(Clone)]
struct Connection {
    messages: mpsc::Sender<Outgoing>,
    payload_bytes_max: usize,
}

impl Nats {
    pub(super) fn new(options: &Options, guard: &Guard) -> Self {
        let tls = dial::tls();
        if let Err(error) = &tls {
            tracing::warn!(
                error,
                "no certificates of authorities on this machine, so no NATS server is reached by TLS"
            );
        }
        let bounds = Bounds {
            connections_max: CONNECTIONS_MAX,
            idle_max: IDLE_MAX,
        };
        Self::with(options, guard, tls.ok(), bounds)
    }

    fn with(options: &Options, guard: &Guard, tls: Option<TlsConnector>, bounds: Bounds) -> Self {
        Self {
            dialler: Dialler::new(guard.clone(), tls, options.connect_timeout),
            bounds,
            pool: Mutex::default(),
            sockets: Arc::new(Semaphore::new(bounds.connections_max)),
        }
    }

    /// Publishes under this id, by which the stream knows a repetition. Status 200 when the stream acknowledged it, 413 when
    /// it is longer than server or stream takes; whatever else happened is a reason.
    pub(super) async fn publish(&self, post: &Post) -> Result<Answer, Reason> {
        let url = NatsUrl::parse(&post.url).map_err(Reason::Url)?;
        let message = Message::new(&url, post)?;
        let credentials = Credentials::find(&post.headers)?;
        let key = Key {
            server: url.origin().host_str().unwrap_or_default().to_owned(),
            port: url.port(),
            tls: url.tls(),
            credentials: credentials.as_ref().map(Credentials::digest),
        };
        let place = self.place(&key);
        let answer = tokio::time::timeout(post.timeout, self.exchange(&place, &url, credentials.as_ref(), message));
        answer.await.unwrap_or_else(|_| {
            // Perhaps the other side is gone without a word: the next one dials anew.
            self.forget(&key, &place);
            Err(Reason::Timeout(post.timeout))
        })
    }

    async fn exchange(
        &self,
        place: &Place,
        url: &NatsUrl,
        credentials: Option<&Credentials>,
        message: Message,
    ) -> Result<Answer, Reason> {
        // A connection may end, idle or lost, just as we take it: then nothing was sent and a new one is worth its price.
        for _ in 0..2 {
            let connection = self.connection(place, url, credentials).await?;
            if message.bytes > connection.payload_bytes_max {
                return Ok(ack::answer(413));
            }
            let (reply, replied) = oneshot::channel();
            let outgoing = Outgoing {
                base: message.base.clone(),
                reply,
            };
            if connection.messages.send(outgoing).await.is_err() {
                continue;
            }
            if let Ok(reply) = replied.await {
                return ack::judge(&reply?, url.subject());
            }
        }
        Err(Reason::Reset("the connection ended before anything was sent".into()))
    }

    /// The open connection, or a new one.
    async fn connection(
        &self,
        place: &Place,
        url: &NatsUrl,
        credentials: Option<&Credentials>,
    ) -> Result<Connection, Reason> {
        let mut held = place.lock().await;
        if let Some(connection) = held.as_ref().filter(|connection| !connection.messages.is_closed()) {
            return Ok(connection.clone());
        }
        *held = None;
        let permit = self.permit().await?;
        let link = self.dialler.dial(url, credentials).await?;
        let (messages, queue) = mpsc::channel(QUEUE_MAX);
        let idle_max = self.bounds.idle_max;
        let connection = Connection {
            messages,
            payload_bytes_max: link.payload_bytes_max(),
        };
        tokio::spawn(async move {
            link.run(queue, idle_max).await;
            drop(permit);
        });
        *held = Some(connection.clone());
        Ok(connection)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Reason> {
        let permit = self.sockets.clone().acquire_owned().await;
        permit.map_err(|_| Reason::Connect("the gateway is ending".into()))
    }

    /// Where the connection of this key is. One too many takes the place of the one that nobody used for longest, which
    /// ends when those who use it have their answers.
    fn place(&self, key: &Key) -> Place {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.uses += 1;
        let used = pool.uses;
        if let Some(slot) = pool.slots.get_mut(key) {
            slot.used = used;
            return slot.place.clone();
        }
        if pool.slots.len() >= self.bounds.connections_max {
            let oldest = pool.slots.iter().min_by_key(|(_, slot)| slot.used);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                pool.slots.remove(&key);
            }
        }
        let place = Place::default();
        let slot = Slot {
            place: place.clone(),
            used,
        };
        pool.slots.insert(key.clone(), slot);
        place
    }

    fn forget(&self, key: &Key, place: &Place) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.slots.get(key).is_some_and(|slot| Arc::ptr_eq(&slot.place, place)) {
            pool.slots.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
