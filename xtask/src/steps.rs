//! One command after the other, each with a headline, the time it took, and advice when it fails.
//! Must not know what the commands are for.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// A command that a task runs.
pub(crate) struct Step<'a> {
    pub(crate) headline: &'a str,
    /// What to do when it fails.
    pub(crate) advice: &'a str,
    pub(crate) command: Command,
}

impl Step<'_> {
    pub(crate) fn run(mut self) -> Result<()> {
        announce(self.headline, || {
            let status = self
                .command
                .status()
                .with_context(|| format!("running {}", words(&self.command)))?;
            if !status.success() {
                bail!("`{}` failed. {}", words(&self.command), self.advice);
            }
            Ok(())
        })
    }
}

/// Does one thing under a headline, and says how long it took.
pub(crate) fn announce<T>(headline: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("\n==> {headline}");
    let started = Instant::now();
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "    {} after {seconds:.1} s",
        if result.is_ok() { "done" } else { "failed" }
    );
    result
}

/// The command as a person would type it.
fn words(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    // cargo tells us its whole path; whoever repeats the command types `cargo`.
    let program = if program.ends_with("/cargo") {
        "cargo".into()
    } else {
        program
    };
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}
