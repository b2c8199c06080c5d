//! A callback receiver as a program: one line for each event that a gateway posts.
//! Holds nothing but its arguments and the printing; the library does the work.
#![expect(clippy::print_stdout, reason = "a command-line tool speaks on its standard output")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tidegate_examples::receiver::{Received, Receiver, ReceiverOptions, Reply};

/// Receives notifications, verifies their signatures and prints their events.
#[derive(Parser)]
#[command(name = "receiver")]
struct Arguments {
    /// Where to listen; every path is received
    #[arg(long, default_value = "127.0.0.1:8098")]
    listen: SocketAddr,
    /// The key of event.notification.signature.key; without it signatures are not checked
    #[arg(long, env = "RECEIVER_KEY", hide_env_values = true)]
    key: Option<String>,
    /// What to answer
    #[arg(long, default_value_t = 200)]
    status: u16,
    /// Append each POST to this file, one line of JSON each
    #[arg(long)]
    journal: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments {
        listen,
        key,
        status,
        journal,
    } = Arguments::parse();
    let options = ReceiverOptions {
        listen,
        key,
        journal,
        ..ReceiverOptions::default()
    };
    let receiver = Receiver::start(options)
        .await
        .with_context(|| format!("listening on {listen}"))?;
    receiver.reply(Reply::status(status));
    println!("receiving on {} (Ctrl-C ends it)", receiver.base_url());
    let mut stop = Box::pin(tokio::signal::ctrl_c());
    let mut printed = 0;
    loop {
        tokio::select! {
            ended = &mut stop => return Ok(ended?),
            received = receiver.wait_until(Duration::from_secs(3600), |received| received.len() > printed) => {
                for post in received.iter().flatten().skip(printed) {
                    print_post(post);
                    printed += 1;
                }
            }
        }
    }
}

fn print_post(post: &Received) {
    let signature = format!("{:?}", post.signature).to_lowercase();
    let at = post.at.format("%H:%M:%S%.3f");
    if post.events.is_empty() {
        println!(
            "{at} POST {} with {} bytes and no events, signature {signature}",
            post.path,
            post.body.len()
        );
    }
    for event in &post.events {
        println!(
            "{at} {} {} {} notification {} signature {signature}",
            event.event_type, event.object_type, event.object_id, event.notification_id
        );
    }
}
