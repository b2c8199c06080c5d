//! The SIMULATED Autotask REST API as a program, for people with curl and for tests in other languages.
//! Holds nothing but its arguments; the library does the work.
#![expect(clippy::print_stdout, reason = "a command-line tool speaks on its standard output")]

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tidegate_examples::autotask::{Credentials, Settings, Simulator, SimulatorOptions};

/// Serves a simulated Autotask REST API with made-up rows. It is not the vendor.
#[derive(Parser)]
#[command(name = "autotask-simulator")]
struct Arguments {
    /// Where to listen; anyone who reaches it can change its rows
    #[arg(long, default_value = "127.0.0.1:8099")]
    listen: SocketAddr,
    /// Made-up companies
    #[arg(long, default_value_t = 100)]
    companies: usize,
    /// Made-up contacts
    #[arg(long, default_value_t = 100)]
    contacts: usize,
    /// The same seed gives the same rows
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Added to each call, in milliseconds
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// A path that the zone's url carries; calls outside it are a wrong zone
    #[arg(long)]
    zone_path: Option<String>,
    /// The API user (made up by default)
    #[arg(long)]
    user: Option<String>,
    /// Its secret (made up by default)
    #[arg(long)]
    secret: Option<String>,
    /// Its integration code (made up by default)
    #[arg(long)]
    integration_code: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let made_up = Credentials::default();
    let credentials = Credentials {
        user_name: arguments.user.unwrap_or(made_up.user_name),
        secret: arguments.secret.unwrap_or(made_up.secret),
        integration_code: arguments.integration_code.unwrap_or(made_up.integration_code),
    };
    let simulator = Simulator::start(SimulatorOptions {
        listen: arguments.listen,
        seed: arguments.seed,
        zone_path: arguments.zone_path,
        settings: Settings {
            credentials: vec![credentials.clone()],
            latency: Duration::from_millis(arguments.latency_ms),
            ..Settings::default()
        },
        ..SimulatorOptions::default()
    })
    .await
    .with_context(|| format!("listening on {}", arguments.listen))?;
    simulator.control().seed_companies(arguments.companies);
    simulator.control().seed_contacts(arguments.contacts);
    let Credentials {
        user_name,
        secret,
        integration_code,
    } = &credentials;
    let url = simulator.base_url();
    println!("SIMULATED Autotask REST API on {url}, help at {url}/ (Ctrl-C ends it; nothing is kept)");
    println!("curl -X POST {url}/atservicesrest/v1.0/Companies/query -H 'content-type: application/json' \\");
    if secret == &Credentials::default().secret {
        println!("  -H 'UserName: {user_name}' -H 'Secret: {secret}' -H 'ApiIntegrationCode: {integration_code}' \\");
    } else {
        println!("  -H 'UserName: {user_name}' -H 'Secret: ...' -H 'ApiIntegrationCode: ...' \\");
    }
    println!("  -d '{{\"MaxRecords\":2,\"filter\":[{{\"op\":\"gte\",\"field\":\"id\",\"value\":0}}]}}'");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
