//! `tidegate element run --live`: the real vendor, everything shown, nothing stored.
//! Must not show a secret: requests are shown as the element wrote them, with placeholders.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tidegate_contract::replay::Outcome;

use super::args::{Ask, Run};
use super::ask::{Asked, asked};
use super::live::{End, Live, Ran, Witness};
use super::show::{self, Depth};
use super::subject::Subject;
use super::watch::{Seen, Watched};
use super::{Kit, Verdict, screen};
use crate::clock::SystemClock;
use crate::domain::event::Change;
use crate::domain::instance::FirstSight;
use crate::domain::record::{Moment, Record};
use crate::domain::run::{Request, Response};
use crate::domain::time::Timestamp;
use crate::engine::compare::{Dated, Rules, compare, fold};
use crate::engine::dates::{Zone, read_lenient};
use crate::outbound::{Options, Outbound};
use crate::ports::Clock as _;

/// A run with what it was asked and what it cost.
pub(super) struct Trial {
    pub(super) subject: Subject,
    pub(super) asked: Asked,
    pub(super) ran: Ran,
    pub(super) seen: Vec<Seen>,
}

impl Kit {
    pub(super) fn run_live(&mut self, arguments: &Run) -> anyhow::Result<Verdict> {
        ensure!(
            arguments.live,
            "this sends requests to the real vendor, with the credentials in {}: say --live if that is meant. Without a \
             vendor, `tidegate element test` replays recorded cases",
            arguments.ask.config.display()
        );
        let depth = if arguments.full { Depth::Whole } else { Depth::Clipped };
        let trial = self.trial(&arguments.ask, depth)?;
        let verdict = self.show_end_of(&trial)?;
        write!(self.out, "{}{}", events(&trial), costs(&trial))?;
        Ok(verdict)
    }

    /// Runs against the vendor and shows it as it goes.
    pub(super) fn trial(&mut self, ask: &Ask, depth: Depth) -> anyhow::Result<Trial> {
        let subject = self.subject(&ask.element)?;
        let manifest = subject.examined.element().manifest.clone();
        let clock = Arc::new(SystemClock);
        let asked = asked(ask, &manifest, clock.now())?;
        writeln!(self.out, "{} {} ({})", manifest.key, manifest.version, subject.shown)?;
        writeln!(self.out, "run:  {}", show::operation(&asked.run.operation))?;
        let options = Options {
            allow_private_networks: ask.allow_private_networks,
            ..Options::default()
        };
        let outbound = Outbound::new(options, clock.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("starting the runtime that requests wait in")?;
        let watched = Watched::new(&subject.examined, &self.log);
        let mut witness = Narrator {
            out: &mut *self.out,
            watched: &watched,
            depth,
        };
        let live = Live {
            vendor: &*outbound,
            clock: &*clock,
            asked: &asked,
            pages_max: ask.max_pages as usize,
        };
        let ran = runtime.block_on(live.run(&watched, &mut witness));
        let seen = watched.seen();
        Ok(Trial {
            subject,
            asked,
            ran,
            seen,
        })
    }

    pub(super) fn show_end_of(&mut self, trial: &Trial) -> anyhow::Result<Verdict> {
        let words = match &trial.ran.end {
            End::Done => "the run is done".into(),
            End::Cut => "the run would go on; it was asked to stop here (--max-pages)".into(),
            // Shown with its step.
            End::Fault => "the run ended in the fault above".into(),
            End::Failed(failure) => format!("the run failed: {failure}"),
            End::Refused(refusal) => format!("the run asked for what it may not send: {refusal}"),
            End::Stalled => "the run sent the same requests from the same state twice: it is going in circles".into(),
        };
        writeln!(self.out, "\n{words}")?;
        Ok(Verdict::good_if(matches!(trial.ran.end, End::Done | End::Cut)))
    }
}

/// Tells everything as it happens.
struct Narrator<'a> {
    out: &'a mut dyn Write,
    watched: &'a Watched<'a>,
    depth: Depth,
}

impl Narrator<'_> {
    fn tell(&mut self, text: &str) {
        // A closed pipe ends the command when the rest is written.
        let _ = write!(self.out, "{text}").and_then(|()| self.out.flush());
    }
}

impl Witness for Narrator<'_> {
    fn sends(&mut self, _: &Request) {}

    fn answered(&mut self, response: &Response, after: Duration) {
        self.tell(&format!(
            "  {} after {}\n",
            show::answer(response),
            screen::duration(after)
        ));
    }

    fn called(&mut self, number: u32, outcome: &Outcome) {
        self.tell(&format!("\nstep {number}\n"));
        for line in self.watched.lines_of_last() {
            self.tell(&format!("  log      {line}\n"));
        }
        self.tell(&show::outcome(outcome, self.depth));
    }
}

/// What a first poll would make of the records.
fn events(trial: &Trial) -> String {
    let records = &trial.ran.found.records;
    if records.is_empty() {
        return String::new();
    }
    let asked = &trial.asked;
    let (made, how) = match asked.first_sight {
        FirstSight::Since(time) => (asked.first_sight, format!("since {time}")),
        _ => (FirstSight::Snapshot, "snapshot".into()),
    };
    let rules = Rules {
        first_sight: made,
        baselined: false,
        projection: trial.subject.examined.element().manifest.projection,
        watermark: None,
        window_from: asked.from,
        created_check_tolerance_ms: i64::from(asked.poller.created_check_tolerance_seconds) * 1_000,
        not_after: None,
    };
    let dated = fold(records.iter().cloned().map(dated).collect());
    let distinct = dated.len();
    let unknown = vec![None; distinct];
    let changes = compare(dated, &unknown, &rules);
    let of = |wanted| {
        changes
            .iter()
            .filter(|difference| difference.change == Some(wanted))
            .count()
    };
    let mut text = format!(
        "events   a first poll with first_sight={how} would make {} created and {} updated",
        of(Change::Created),
        of(Change::Updated)
    );
    if distinct < records.len() {
        text.push_str(&format!(
            " ({} came more than once)",
            screen::count(records.len() - distinct, "record")
        ));
    }
    if !matches!(asked.first_sight, FirstSight::Since(_)) {
        text.push_str("; with first_sight=baseline, none");
    }
    text + "\n"
}

/// Dates in text are read as ISO 8601 in UTC; a poller may configure more.
fn dated(record: Record) -> Dated {
    let read = |moment: &Option<Moment>| -> Option<Timestamp> {
        match moment.as_ref()? {
            Moment::At(time) => Some(*time),
            Moment::Text(text) => read_lenient(text, None, &Zone::utc()).ok(),
        }
    };
    Dated {
        created: read(&record.created),
        updated: read(&record.updated),
        record,
    }
}

/// What it took, and what a thousand records take at that rate.
fn costs(trial: &Trial) -> String {
    let Ran {
        found, steps, waited, ..
    } = &trial.ran;
    let records = found.records.len() + found.ids.len();
    let requests = trial.ran.requests().count();
    let budget: u64 = trial
        .ran
        .requests()
        .map(|exchange| u64::from(exchange.request.cost))
        .sum();
    let received: usize = trial.ran.requests().map(|exchange| exchange.response.body.len()).sum();
    let computed: Duration = trial.seen.iter().map(|seen| seen.computed).sum();
    let mut text = format!(
        "cost     {}, {}, {}, {} received; computed {}, waited {}\n",
        screen::count(records, "record"),
        screen::count(*steps as usize, "step"),
        screen::count(requests, "request"),
        screen::bytes(received as u64),
        screen::duration(computed),
        screen::duration(*waited)
    );
    if records > 0 {
        let per_thousand = |total: f64| total * 1_000.0 / records as f64;
        text.push_str(&format!(
            "         per 1,000 records: {:.2} ms of computing, {:.1} requests, {:.1} of the account's budget\n",
            per_thousand(computed.as_secs_f64() * 1e3),
            per_thousand(requests as f64),
            per_thousand(budget as f64)
        ));
    }
    text
}
