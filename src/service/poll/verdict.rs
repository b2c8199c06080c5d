//! What follows from a poll's failure: whose fault it is, how long to wait, where to go on.
//! Decides only; the poll writes it down.

use std::time::Duration;

use super::Error;
use crate::domain::run::Remedy;
use crate::domain::time::Timestamp;
use crate::service::reach;
use crate::service::runner::Failure;

/// Least wait after the vendor refused the credentials: trying again by itself helps nobody and may lock the account.
const CREDENTIALS_PAUSE: Duration = Duration::from_mins(15);
/// How long an account rests when the vendor says it is over its limit and not for how long.
const RATE_LIMIT_PAUSE: Duration = Duration::from_mins(1);

/// What follows from a failure.
pub(super) struct Verdict {
    pub(super) code: String,
    pub(super) blame: &'static str,
    /// Least time to the next try.
    pub(super) wait: Duration,
    /// The very time to the next try, of a failure that is not the poll's own and does not count.
    pub(super) delay: Option<Duration>,
    /// No request of the whole account leaves for so long.
    pub(super) account_pause: Option<Duration>,
    /// The next try starts from the watermark rather than where this one stopped.
    pub(super) anew: bool,
    pub(super) drop_checkpoint: bool,
}

impl Verdict {
    pub(super) fn of(error: &Error, now: Timestamp) -> Self {
        let verdict = |code: &str, blame| Self {
            code: code.into(),
            blame,
            wait: Duration::ZERO,
            delay: None,
            account_pause: None,
            anew: true,
            drop_checkpoint: false,
        };
        let fault = match error {
            Error::Configuration { .. } => return verdict("bad-configuration", "configuration"),
            Error::Reach(reach::Error::NotLoaded(_)) => return verdict("element-not-loaded", "gateway"),
            Error::Reach(reach::Error::Sealed(..)) => return verdict("secret-sealed", "gateway"),
            Error::Store(_) => return verdict("store", "gateway"),
            Error::Stopping => return verdict("stopping", "gateway"),
            Error::Paused(_) => return verdict("paused", "vendor"),
            Error::Quarantined { until, .. } => {
                return Self {
                    delay: Some(until.since(now)),
                    anew: false,
                    ..verdict("element-quarantined", "element")
                };
            }
            // The version before takes over, and reads the same anew.
            Error::Storm(_) => {
                return Self {
                    delay: Some(Duration::ZERO),
                    ..verdict("update-storm", "element")
                };
            }
            Error::Run(Failure::Breach(breach)) => {
                let blame = if breach.reason.is_gateways() {
                    "gateway"
                } else {
                    "element"
                };
                return verdict(breach.reason.code(), blame);
            }
            Error::Run(Failure::Refused(_)) => return verdict("request-refused", "element"),
            Error::Run(Failure::Fault(fault)) => fault,
        };
        let seconds = |seconds: Option<u32>| Duration::from_secs(seconds.unwrap_or(0).into());
        let base = verdict(&fault.code, "vendor");
        match &fault.remedy {
            Remedy::Retry { after_seconds } => Self {
                wait: seconds(*after_seconds),
                anew: false,
                ..base
            },
            Remedy::RateLimited { after_seconds } => {
                let pause = if after_seconds.is_some() {
                    seconds(*after_seconds)
                } else {
                    RATE_LIMIT_PAUSE
                };
                Self {
                    wait: pause,
                    account_pause: Some(pause),
                    anew: false,
                    ..base
                }
            }
            Remedy::RefreshAuth => Self {
                wait: CREDENTIALS_PAUSE,
                ..base
            },
            Remedy::Restart => Self {
                drop_checkpoint: true,
                ..base
            },
            Remedy::BadConfiguration => Self {
                blame: "configuration",
                ..base
            },
            Remedy::Broken | Remedy::Other(_) => base,
        }
    }
}
