//! Arguments -> configuration -> log -> App -> run until a signal -> exit code. Or one command of the authoring kit.

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::app::{App, BUILTIN};
use tidegate::cli::{self, Cli, Command};
use tidegate::config::Config;
use tidegate::kit::{self, Surroundings};
use tidegate::telemetry;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(flags) => serve(&flags),
        Command::Element(command) => {
            return kit::run(
                *command,
                Surroundings {
                    builtin: BUILTIN,
                    cache_dir: cli::kit_cache_dir(),
                },
            );
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: &tidegate::config::ServeFlags) -> anyhow::Result<()> {
    let config = Config::load(flags)?;
    telemetry::start(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = App::start(config).await?;
        app.until_signal().await
    })
}

#[expect(clippy::print_stderr, reason = "the log may not have started yet")]
fn complain(error: &anyhow::Error) {
    eprintln!("tidegate: {error:#}");
}
