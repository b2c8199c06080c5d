//! Why no answer came, in words that begin with the kind of failure. Never shows a URL's path or query, nor a header.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use super::resolve::Blocked;
use crate::ports::{Trouble, Unanswered};

/// Why there is no answer, or not a whole one. Shown as `kind: what happened`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("url: {0}")]
    Url(String),
    #[error("header: {0}")]
    Header(String),
    #[error("blocked_address: {0}")]
    Blocked(#[from] Blocked),
    #[error("withheld_secret: {0}")]
    Withheld(String),
    #[error("not_encrypted: {0} is reached by http; this gateway sends by https alone (require_https)")]
    NotEncrypted(String),
    #[error("dns: {0}")]
    Dns(String),
    #[error("connect: {0}")]
    Connect(String),
    #[error("tls: {0}")]
    Tls(String),
    #[error("timeout: no connection within {}", Shown(*.0))]
    ConnectTimeout(Duration),
    #[error("timeout: no answer within {}", Shown(*.0))]
    Timeout(Duration),
    #[error("reset: no answer came: {0}")]
    Reset(String),
    #[error("cut_short: the answer ended early: {0}")]
    CutShort(String),
    #[error("no_token: {0}")]
    NoToken(String),
    #[error("too_long: the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("no_stream: {0}")]
    NoStream(String),
    #[error("refused: {0}")]
    Refused(String),
}

impl From<Reason> for Unanswered {
    fn from(reason: Reason) -> Self {
        let trouble = match reason {
            Reason::Timeout(_) | Reason::ConnectTimeout(_) => Trouble::Timeout,
            Reason::Url(_) | Reason::Header(_) | Reason::Blocked(_) | Reason::NotEncrypted(_) | Reason::Withheld(_) => {
                Trouble::NotSent
            }
            _ => Trouble::Unreachable,
        };
        Self {
            trouble,
            reason: reason.to_string(),
        }
    }
}

impl Reason {
    /// Reads what reqwest says about a request that got no answer.
    pub(super) fn of_sending(error: &reqwest::Error, connect_timeout: Duration) -> Self {
        if let Some(blocked) = find::<Blocked>(error) {
            return Self::Blocked(blocked.clone());
        }
        let host = error.url().and_then(|url| url.host_str()).unwrap_or("the host");
        let text = || format!("{host}: {}", causes(error));
        if error.is_dns() {
            Self::Dns(text())
        } else if find::<rustls::Error>(error).is_some() {
            Self::Tls(text())
        } else if error.is_timeout() {
            Self::ConnectTimeout(connect_timeout)
        } else if error.is_connect() {
            Self::Connect(text())
        } else if error.is_builder() {
            Self::Url(text())
        } else {
            Self::Reset(text())
        }
    }

    /// May an idempotent request simply be sent once more? So when the connection is to blame, and it failed fast.
    pub(super) fn is_worth_a_second_try(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Reset(_))
    }
}

/// What lies behind an error, in words. Leaves out reqwest's own line, which may show the URL, and says at least something.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in chain(error).map(ToString::to_string) {
        // Many wrappers show their source as well as having it.
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
    }
    // The client's line says only in which phase it happened, which the kind of the reason says better.
    let rest = texts.get(1..).filter(|rest| !rest.is_empty()).unwrap_or(&texts);
    if rest.is_empty() {
        "no further reason is known".into()
    } else {
        rest.join(": ")
    }
}

fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    chain(error).find_map(|cause| cause.downcast_ref::<T>())
}

/// The sources of an error, also those that an `io::Error` wraps: it passes over them as it names its source.
fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&cause| {
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped
            .map(|wrapped| wrapped as &(dyn StdError + 'static))
            .or_else(|| cause.source())
    })
}

/// `60 s`, or `250 ms` where seconds would not be whole.
struct Shown(Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{} s", self.0.as_secs())
        } else {
            write!(f, "{} ms", self.0.as_millis())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_begins_with_its_kind_and_is_meant_for_people() {
        let shown = |reason: Reason| reason.to_string();
        assert_eq!(
            shown(Reason::Timeout(Duration::from_mins(1))),
            "timeout: no answer within 60 s"
        );
        assert_eq!(
            shown(Reason::ConnectTimeout(Duration::from_millis(250))),
            "timeout: no connection within 250 ms"
        );
        assert_eq!(
            shown(Reason::TooLong(8_388_608)),
            "too_long: the answer is longer than 8388608 bytes"
        );
    }
}
