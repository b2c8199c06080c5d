//! What a stream's answer means, as the status or the reason that a web server would have been.
//! Must not know how it came.

use serde::Deserialize;
use watermelon_proto::{ServerMessage, StatusCode};

use super::super::reason::Reason;
use crate::ports::Answer;

/// JetStream's number for a message that is longer than the stream takes.
const MESSAGE_TOO_LONG: u32 = 10_054;
/// So much of an acknowledgement is kept to be looked up: the stream's name and the message's number in it.
const ACK_KEPT_BYTES: usize = 1024;
/// How much of a server's own words is shown, in characters.
const WORDS_MAX: usize = 200;

/// A publish acknowledgement. A repetition is one too: the stream has it.
#[derive(Deserialize)]
struct Ack {
    #[serde(default)]
    stream: String,
    #[serde(default)]
    seq: u64,
    error: Option<AckError>,
}

#[derive(Deserialize)]
struct AckError {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

pub(super) fn judge(message: &ServerMessage, subject: &str) -> Result<Answer, Reason> {
    if message.status_code == Some(StatusCode::NO_RESPONDERS) {
        return Err(Reason::NoStream(format!(
            "no stream takes the subject {subject}; create one: nats stream add NAME --subjects '{subject}'"
        )));
    }
    let ack: Ack = serde_json::from_slice(&message.base.payload)
        .map_err(|_| Reason::NoStream(format!("what answers on the subject {subject} is not a stream")))?;
    match ack.error {
        Some(error) if error.err_code == MESSAGE_TOO_LONG => Ok(answer(413)),
        Some(error) => Err(Reason::Refused(format!(
            "the stream did not take it: {} (code {}, {})",
            clip(&error.description),
            error.code,
            error.err_code
        ))),
        None if ack.stream.is_empty() || ack.seq == 0 => Err(Reason::NoStream(format!(
            "what answers on the subject {subject} is not a stream"
        ))),
        None => Ok(Answer {
            body: message
                .base
                .payload
                .slice(..message.base.payload.len().min(ACK_KEPT_BYTES)),
            ..answer(200)
        }),
    }
}

/// As if a web server had answered.
pub(super) fn answer(status: u16) -> Answer {
    Answer {
        status,
        ..Answer::default()
    }
}

/// The beginning of what a server said, on one line.
pub(super) fn clip(words: &str) -> String {
    let printable = words.chars().filter(|char| !char.is_control());
    printable.take(WORDS_MAX).collect()
}
