//! What an element logs while the kit runs it, and the host's own warnings. Keeps the lines for the command to show.
//! Must not decide which of them are worth showing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::screen;

/// Lines kept until somebody takes them; one call of an element may write a hundred.
const LINES_MAX: usize = 2_000;

/// The lines since they were taken last.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// `warn: the page has no total`
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < LINES_MAX {
            lines.push(line);
        }
    }
}

/// From now on what is logged goes there.
pub(super) fn start() -> Lines {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(Listener(lines.clone()));
    // An error says that somebody listens already, which is a test in this very process.
    let _ = tracing::subscriber::set_global_default(subscriber);
    lines
}

struct Listener(Lines);

impl<S: Subscriber> Layer<S> for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("tidegate")
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        if let Some(line) = fields.line {
            self.0.add(format!("{}: {line}", level.as_str().to_lowercase()));
        } else if level <= Level::WARN {
            screen::note(&format!("warning: {}{}", fields.message, fields.rest));
        }
    }
}

#[derive(Default)]
struct Fields {
    /// Only what an element says has it.
    line: Option<String>,
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "line" {
            self.line = Some(value.to_owned());
        } else {
            self.record_debug(field, &format_args!("{value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.rest.push_str(&format!(", {} {value:?}", field.name()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(log: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::registry().with(Listener(lines.clone()));
        tracing::subscriber::with_default(subscriber, log);
        lines.take()
    }

    #[test]
    fn what_an_element_says_is_kept_and_nothing_else() {
        let lines = logged(|| {
            tracing::warn!(element = "x", line = "odd page", "element says");
            tracing::info!("compiled");
            tracing::debug!(target: "hyper", line = "not ours", "element says");
        });
        assert_eq!(lines, ["warn: odd page"]);
    }

    #[test]
    fn lines_that_nobody_takes_are_bounded() {
        let lines = logged(|| (0..LINES_MAX + 5).for_each(|_| tracing::info!(line = "x", "element says")));
        assert_eq!(lines.len(), LINES_MAX);
    }
}
