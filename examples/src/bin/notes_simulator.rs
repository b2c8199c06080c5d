//! The SIMULATED Acme Notes as a program, for the guide and for people with curl.
//! Holds nothing but its arguments; the library does the work.
#![expect(clippy::print_stdout, reason = "a command-line tool speaks on its standard output")]

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Parser;
use tidegate_examples::notes::{Simulator, SimulatorOptions, TOKEN};

/// Serves a simulated Acme Notes with made-up notes. The vendor does not exist.
#[derive(Parser)]
#[command(name = "notes-simulator")]
struct Arguments {
    /// Where to listen; anyone who reaches it can change its notes
    #[arg(long, default_value = "127.0.0.1:8097")]
    listen: SocketAddr,
    /// Made-up notes
    #[arg(long, default_value_t = 25)]
    notes: u32,
    /// The API token
    #[arg(long, default_value = TOKEN)]
    token: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { listen, notes, token } = Arguments::parse();
    let simulator = Simulator::start(SimulatorOptions {
        listen,
        token,
        ..SimulatorOptions::default()
    })
    .await
    .with_context(|| format!("listening on {listen}"))?;
    simulator.control().seed(notes);
    let url = simulator.base_url();
    println!("SIMULATED Acme Notes on {url}, help at {url}/ (Ctrl-C ends it; nothing is kept)");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
