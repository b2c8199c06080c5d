//! What an element logs, on its way into the gateway's own log.
//! Must not let an element write more than its share, or lines that look like somebody else's.

use std::sync::Arc;

use super::super::bindings::tidegate::element::log::{Host, Level};
use super::super::limits::LOG_LINES;
use super::GuestState;

/// What is kept of the last error line, to explain a trap.
const LAST_ERROR_CHARS: usize = 500;

/// The lines of one call.
pub(super) struct Log {
    element: Arc<str>,
    bytes_left: usize,
    lines_left: usize,
    dropped: usize,
    last_error: Option<String>,
}

impl Log {
    pub(super) fn new(element: Arc<str>, bytes: usize) -> Self {
        Self {
            element,
            bytes_left: bytes,
            lines_left: LOG_LINES,
            dropped: 0,
            last_error: None,
        }
    }

    /// A panic's message comes this way, where the element's SDK writes one.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Says how much was left out.
    pub(super) fn finish(&self) {
        if self.dropped > 0 {
            tracing::warn!(element = %self.element, lines = self.dropped, "element logged more than its share");
        }
    }

    /// The part of the line that the element may still write; none when it may not.
    fn admit(&mut self, message: &str) -> Option<String> {
        if self.lines_left == 0 || self.bytes_left == 0 {
            self.dropped += 1;
            return None;
        }
        let cut = &message[..message.floor_char_boundary(self.bytes_left)];
        self.lines_left -= 1;
        self.bytes_left -= cut.len();
        Some(one_line(cut))
    }
}

impl Host for GuestState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let log = &mut self.log;
        if level == Level::Error {
            log.last_error = Some(one_line(&message).chars().take(LAST_ERROR_CHARS).collect());
        }
        let Some(line) = log.admit(&message) else {
            return Ok(());
        };
        let element = &*log.element;
        match level {
            Level::Debug => tracing::debug!(element, line, "element says"),
            Level::Info => tracing::info!(element, line, "element says"),
            Level::Warn => tracing::warn!(element, line, "element says"),
            Level::Error => tracing::error!(element, line, blame = "element", "element says"),
        }
        Ok(())
    }
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_a_character_when_the_bytes_run_out() {
        let mut log = Log::new("x".into(), 6);
        assert_eq!(log.admit("ab\nc").as_deref(), Some("ab c"));
        assert_eq!(log.admit("éé").as_deref(), Some("é"));
        assert_eq!(log.admit("more"), None);
        assert_eq!(log.dropped, 1);
    }

    #[test]
    fn lines_are_counted_however_short() {
        let mut log = Log::new("x".into(), usize::MAX);
        let admitted = (0..1000).filter(|_| log.admit("").is_some()).count();
        assert_eq!((admitted, log.dropped), (LOG_LINES, 1000 - LOG_LINES));
    }
}
