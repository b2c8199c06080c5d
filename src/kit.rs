//! `tidegate element …`: the authoring kit. What the gateway does with an element, done at its author's desk: the same
//! admission, sandbox, limits and egress rules, so that nothing drifts. Must not store anything of a run, and must not know
//! the services.
//!
//! Each command has a file of its own; [`subject`] finds the element that it is about, [`screen`] speaks.

pub mod args;
mod ask;
mod bench;
mod build;
mod cache;
mod check;
mod diff;
mod doc;
mod live;
mod log;
mod new;
mod record;
mod replay;
mod run;
mod screen;
mod scrub;
mod show;
mod sources;
mod subject;
mod test;
mod watch;

use std::cell::OnceCell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;

use self::args::Command;
use crate::element_host::{ElementHost, Limits, Options};

/// What the process hands in.
pub struct Surroundings {
    /// The elements that travel inside the program: key and component.
    pub builtin: &'static [(&'static str, &'static [u8])],
    /// Where compiled components are kept from one command to the next.
    pub cache_dir: Option<PathBuf>,
}

/// What a command found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

impl Verdict {
    fn good_if(good: bool) -> Self {
        if good { Self::Good } else { Self::Bad }
    }
}

/// Exit codes, as the help says them.
const BAD: u8 = 1;
const TROUBLE: u8 = 2;

/// One command, from its arguments to its exit code.
pub fn run(command: Command, surroundings: Surroundings) -> ExitCode {
    let log = log::start();
    let mut kit = Kit {
        surroundings,
        out: Box::new(io::BufWriter::new(io::stdout())),
        host: OnceCell::new(),
        log,
    };
    let result = kit.dispatch(command).and_then(|verdict| {
        kit.out.flush()?;
        Ok(verdict)
    });
    match result {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(BAD),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // What was found before the trouble is worth seeing.
            let _ = kit.out.flush();
            screen::note(&format!("error: {error:#}"));
            ExitCode::from(TROUBLE)
        }
    }
}

/// `tidegate element doc x | head` is no trouble.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What the commands share.
struct Kit {
    surroundings: Surroundings,
    out: Box<dyn Write>,
    host: OnceCell<Arc<ElementHost>>,
    log: log::Lines,
}

impl Kit {
    fn dispatch(&mut self, command: Command) -> anyhow::Result<Verdict> {
        match command {
            Command::New(arguments) => self.new_project(&arguments),
            Command::Build(arguments) => self.build(&arguments),
            Command::Doc(arguments) => self.doc(&arguments),
            Command::Check(arguments) => self.check(&arguments),
            Command::Test(arguments) => self.test(&arguments),
            Command::Replay(arguments) => self.replay(&arguments),
            Command::Diff(arguments) => self.diff(&arguments),
            Command::Bench(arguments) => self.bench(&arguments),
            Command::Run(arguments) => self.run_live(&arguments),
            Command::Record(arguments) => self.record(&arguments),
        }
    }

    /// One document, for programs.
    fn json(&mut self, document: &impl serde::Serialize) -> anyhow::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, document)?;
        Ok(writeln!(self.out)?)
    }

    /// Started when the first component is looked at.
    fn host(&self) -> anyhow::Result<&Arc<ElementHost>> {
        if let Some(host) = self.host.get() {
            return Ok(host);
        }
        let host = ElementHost::new(Options {
            workers: 1,
            limits: Limits::default(),
            cache_dir: cache::usable(self.surroundings.cache_dir.as_deref()),
        });
        let host = host.context("starting the element host")?;
        Ok(self.host.get_or_init(|| host))
    }
}
