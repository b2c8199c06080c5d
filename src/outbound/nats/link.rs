//! One connection to a server, and the task that owns it: messages out, acknowledgements to those who wait.
//! Never dials, and never believes a server about how much there is to read.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use watermelon_proto::error::ServerError;
use watermelon_proto::proto::{ClientOp, ServerOp, StreamDecoder, StreamEncoder};
use watermelon_proto::{MessageBase, ServerMessage, Subject};

use super::super::reason::Reason;
use super::ack::clip;

/// Most that is read without a whole message in it, in bytes. An acknowledgement has about a hundred.
const UNREAD_BYTES_MAX: usize = 256 * 1024;
/// Most messages of one connection that wait for their acknowledgement; more wait in the queue.
pub(super) const PENDING_MAX: usize = 1024;
/// Most messages that are written at once.
const BATCH_MAX: usize = 32;
/// So long the other side may take no bytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of our only subscription, to our own inbox.
pub(super) const INBOX_ID: u64 = 1;

/// TCP, with TLS or without.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// A message and who waits for its answer. Dropped unanswered when it was never sent.
pub(super) struct Outgoing {
    pub(super) base: MessageBase,
    pub(super) reply: oneshot::Sender<Result<ServerMessage, Reason>>,
}

pub(super) struct Link {
    socket: Box<dyn Socket>,
    decoder: StreamDecoder,
    encoder: StreamEncoder,
    /// Bytes since the last whole message.
    unread: usize,
    /// Nobody else can guess it, or they could acknowledge what the stream does not have.
    prefix: String,
    payload_bytes_max: usize,
    sent: u64,
    pending: HashMap<u64, oneshot::Sender<Result<ServerMessage, Reason>>>,
}

/// What the task wakes up for.
enum Event {
    Read(Result<ServerOp, Reason>),
    Taken(usize),
    Idle,
}

impl Link {
    pub(super) fn new(socket: Box<dyn Socket>, decoder: StreamDecoder, payload_bytes_max: usize) -> Self {
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("the system has randomness, without which the gateway does not start");
        Self {
            socket,
            decoder,
            encoder: StreamEncoder::new(),
            unread: 0,
            prefix: format!("_INBOX.{:032x}.", u128::from_be_bytes(random)),
            payload_bytes_max,
            sent: 0,
            pending: HashMap::new(),
        }
    }

    pub(super) fn payload_bytes_max(&self) -> usize {
        self.payload_bytes_max
    }

    /// The subject that all answers match.
    pub(super) fn inbox(&self) -> String {
        format!("{}*", self.prefix)
    }

    pub(super) fn enqueue(&mut self, op: &ClientOp) {
        self.encoder.enqueue_write_op(op);
    }

    pub(super) async fn flush(&mut self) -> Result<(), Reason> {
        if !self.encoder.has_remaining() {
            return Ok(());
        }
        let write = async {
            self.socket.write_all_buf(&mut self.encoder).await?;
            self.socket.flush().await
        };
        match tokio::time::timeout(WRITE_TIMEOUT, write).await {
            Ok(written) => written.map_err(|error| Reason::Reset(error.to_string())),
            Err(_) => Err(Reason::Timeout(WRITE_TIMEOUT)),
        }
    }

    /// The next thing that the server says. May be dropped at any time without loss.
    pub(super) async fn read(&mut self) -> Result<ServerOp, Reason> {
        loop {
            match self.decoder.decode() {
                Ok(Some(op)) => {
                    self.unread = 0;
                    return Ok(op);
                }
                Ok(None) if self.unread > UNREAD_BYTES_MAX => return Err(Reason::TooLong(UNREAD_BYTES_MAX)),
                Ok(None) => {}
                Err(error) => return Err(Reason::Reset(clip(&format!("this is not NATS: {error}")))),
            }
            match self.socket.read_buf(self.decoder.read_buf()).await {
                Ok(0) => return Err(Reason::Reset("the server closed the connection".into())),
                Ok(bytes) => self.unread += bytes,
                Err(error) => return Err(Reason::Reset(error.to_string())),
            }
        }
    }

    /// Until nobody wants the connection any more, nobody used it for a while, or it is lost.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Outgoing>, idle_max: Duration) {
        let mut taken = Vec::with_capacity(BATCH_MAX);
        let mut idle_at = Instant::now() + idle_max;
        loop {
            let room = PENDING_MAX.saturating_sub(self.pending.len()).min(BATCH_MAX);
            // While no more is taken, the queue's end is not seen either, and the answers must still be read.
            let takes = room > 0 && !(queue.is_closed() && queue.is_empty());
            let event = tokio::select! {
                op = self.read() => Event::Read(op),
                count = queue.recv_many(&mut taken, room), if takes => Event::Taken(count),
                () = tokio::time::sleep_until(idle_at) => Event::Idle,
            };
            let done = match event {
                Event::Read(op) => op.and_then(|op| self.hear(op)),
                // The last who could want an answer went away.
                Event::Taken(0) => break,
                Event::Taken(_) => {
                    idle_at = Instant::now() + idle_max;
                    taken.drain(..).for_each(|outgoing| self.send(outgoing));
                    Ok(())
                }
                Event::Idle => {
                    idle_at = Instant::now() + idle_max;
                    self.pending.retain(|_, reply| !reply.is_closed());
                    if self.pending.is_empty() {
                        // Who comes now finds it closed; who came a moment ago still gets an answer.
                        queue.close();
                    }
                    Ok(())
                }
            };
            let done = match done {
                Ok(()) => self.flush().await,
                lost => lost,
            };
            if let Err(reason) = done {
                self.give_up(&reason);
                break;
            }
            if queue.is_closed() && queue.is_empty() && self.pending.is_empty() {
                break;
            }
        }
        // A courtesy; the server notices anyway.
        let _closed = tokio::time::timeout(WRITE_TIMEOUT, self.socket.shutdown()).await;
    }

    fn send(&mut self, outgoing: Outgoing) {
        self.sent += 1;
        let reply_subject = format!("{}{}", self.prefix, self.sent);
        self.pending.insert(self.sent, outgoing.reply);
        let message = MessageBase {
            reply_subject: Some(Subject::from_dangerous_value(reply_subject.into())),
            ..outgoing.base
        };
        self.enqueue(&ClientOp::Publish { message });
    }

    fn hear(&mut self, op: ServerOp) -> Result<(), Reason> {
        match op {
            ServerOp::Ping => self.enqueue(&ClientOp::Pong),
            ServerOp::Message { message } => {
                let number = message.base.subject.strip_prefix(self.prefix.as_str());
                let number = number.and_then(|number| number.parse().ok());
                if let Some(reply) = number.and_then(|number: u64| self.pending.remove(&number)) {
                    // Nobody waits for it any more: late, and the same id comes again.
                    let _late = reply.send(Ok(message));
                }
            }
            ServerOp::Error { error } => return self.hear_error(&error),
            ServerOp::Info { .. } | ServerOp::Success | ServerOp::Pong => {}
        }
        Ok(())
    }

    fn hear_error(&mut self, error: &ServerError) -> Result<(), Reason> {
        let reason = Reason::Refused(format!("the server says: {}", clip(&error.to_string())));
        if error.is_fatal() != Some(false) {
            return Err(reason);
        }
        // It does not say which message it means. Where several wait, each waits for its own time-out rather than one being
        // blamed for another.
        self.pending.retain(|_, reply| !reply.is_closed());
        if self.pending.len() == 1 {
            for (_, reply) in self.pending.drain() {
                let _gone = reply.send(Err(reason.clone()));
            }
        }
        Ok(())
    }

    fn give_up(&mut self, reason: &Reason) {
        for (_, reply) in self.pending.drain() {
            let _gone = reply.send(Err(reason.clone()));
        }
    }
}
