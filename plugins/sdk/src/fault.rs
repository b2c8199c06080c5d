//! How a run fails: a value that says what was found, what was expected and what may help.
//! Must not be used for what a run can go on without: that is a [`Problem`](crate::Problem).

use std::fmt;

use serde_json::Value;

/// What may help against a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Try the run again, not before so many seconds if given.
    Retry {
        after_seconds: Option<u32>,
    },
    /// The account is over its budget: send nothing for so many seconds.
    RateLimited {
        after_seconds: Option<u32>,
    },
    /// The credentials were refused.
    RefreshAuth,
    /// Start the run anew from the watermark, without checkpoint.
    Restart,
    /// The user must change the configuration.
    BadConfiguration,
    /// The vendor or the element broke a promise.
    Broken,
    Other(String),
}

/// The end of a run that did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub remedy: Remedy,
    /// Stable, in kebab-case, for programs; the configuration key where the remedy is to change one.
    pub code: String,
    /// For people: what was found, what was expected, what to do. Never a secret.
    pub message: String,
    /// Boxed, because it is rare and every `Result` of a run has room for it.
    pub detail: Option<Box<Value>>,
}

impl Fault {
    fn new(remedy: Remedy, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            remedy,
            code: code.into(),
            message: message.into(),
            detail: None,
        }
    }

    /// The same run may succeed later, unchanged.
    pub fn retry(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Remedy::Retry { after_seconds: None }, code, message)
    }

    /// The vendor wants to hear nothing of this account for a while.
    pub fn rate_limited(after_seconds: u32, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(
            Remedy::RateLimited {
                after_seconds: Some(after_seconds),
            },
            code,
            message,
        )
    }

    /// The credentials were refused.
    pub fn refresh_auth(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Remedy::RefreshAuth, code, message)
    }

    /// The checkpoint is of no use: start from the watermark.
    pub fn restart(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Remedy::Restart, code, message)
    }

    /// The user must change something: `code` is the configuration key where there is one.
    pub fn bad_configuration(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Remedy::BadConfiguration, code, message)
    }

    /// The vendor or this element broke a promise.
    pub fn broken(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Remedy::Broken, code, message)
    }

    /// Not before so many seconds; only meaningful for `retry` and `rate_limited`.
    #[must_use]
    pub fn after(mut self, seconds: u32) -> Self {
        match &mut self.remedy {
            Remedy::Retry { after_seconds } | Remedy::RateLimited { after_seconds } => *after_seconds = Some(seconds),
            _ => {}
        }
        self
    }

    /// Adds facts for programs.
    #[must_use]
    pub fn with_detail(mut self, detail: Value) -> Self {
        self.detail = Some(Box::new(detail));
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}
