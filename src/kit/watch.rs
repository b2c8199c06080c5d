//! An element whose calls are watched: what each logged, and how long it computed.
//! Must not change what goes in or comes out.

use std::cell::RefCell;
use std::time::Duration;

use tidegate_contract::Subject;

use super::log::Lines;
use crate::domain::run::{Fault, Run, Step};
use crate::element_host::Examined;
use crate::ports::{Call, CallError};

/// Log lines of a failing case that are shown; more say the same.
const LINES_SHOWN: usize = 20;

pub(super) struct Watched<'a> {
    inner: &'a Examined,
    lines: &'a Lines,
    calls: RefCell<Vec<Seen>>,
}

/// What one call left beside its answer.
pub(super) struct Seen {
    pub(super) lines: Vec<String>,
    pub(super) computed: Duration,
}

impl<'a> Watched<'a> {
    pub(super) fn new(inner: &'a Examined, lines: &'a Lines) -> Self {
        lines.take();
        Self {
            inner,
            lines,
            calls: RefCell::default(),
        }
    }

    /// What the last call logged.
    pub(super) fn lines_of_last(&self) -> Vec<String> {
        self.calls
            .borrow()
            .last()
            .map_or_else(Vec::new, |seen| seen.lines.clone())
    }

    /// All calls in their order.
    pub(super) fn seen(self) -> Vec<Seen> {
        self.calls.into_inner()
    }

    /// The last lines of all calls together.
    pub(super) fn last_lines(self) -> Vec<String> {
        let mut lines: Vec<String> = self.seen().into_iter().flat_map(|seen| seen.lines).collect();
        lines.split_off(lines.len().saturating_sub(LINES_SHOWN))
    }
}

impl Subject for Watched<'_> {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        self.inner.manifest()
    }

    fn call(&self, run: &Run, call: &Call) -> Result<Result<Step, Fault>, CallError> {
        let started = thread_time();
        let outcome = self.inner.call(run, call);
        self.calls.borrow_mut().push(Seen {
            computed: thread_time().saturating_sub(started),
            lines: self.lines.take(),
        });
        outcome
    }
}

/// How long this thread has computed: what the host's deadline counts too.
pub(super) fn thread_time() -> Duration {
    let now = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    now.map(Duration::from)
        .expect("POSIX asks for this clock, and every supported system has it")
}
