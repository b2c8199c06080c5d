//! The main job on one machine: gateway, SIMULATED vendor and receiver, the seed's instance, and its events as they come.
//! Must not hide failures: what does not happen in time ends the demo with the reason.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demo speaks on its standard streams"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use reqwest::Method;
use serde_json::{Value, json};
use tidegate_examples::autotask::{Control, Credentials, Simulator, SimulatorOptions};
use tidegate_examples::gateway::{Gateway, GatewayOptions};
use tidegate_examples::receiver::{Received, ReceivedEvent, Receiver, ReceiverOptions, Signature};
use tidegate_examples::seed::{SeedValues, printed_as_json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

const SEEDED_COMPANIES: usize = 25;
const SIGNATURE_KEY: &str = "demo-signature-key";
/// Minutes; three seconds.
const REFRESH_INTERVAL: &str = "0.05";
/// A debug build compiles the element on its first start.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const BASELINE_TIMEOUT: Duration = Duration::from_secs(30);
const EVENTS_TIMEOUT: Duration = Duration::from_secs(30);
/// The gateway's promise for SIGTERM, and a little.
const STOP_TIMEOUT: Duration = Duration::from_secs(12);
const POLLS_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the gateway against a simulated Autotask and prints each event as it arrives.
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// The tidegate binary
    #[arg(long)]
    gateway: PathBuf,
    /// Stay up after the first events, until Ctrl-C (the default)
    #[arg(long, conflicts_with = "exit")]
    keep: bool,
    /// End after the first events
    #[arg(long)]
    exit: bool,
}

/// The three parties of the demo.
struct Stage {
    simulator: Simulator,
    receiver: Receiver,
    gateway: Gateway,
    /// Data of the gateway; removed at the end.
    directory: tempfile::TempDir,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    println!("The vendor of this demo is SIMULATED: made-up companies, no real Autotask account is contacted.\n");
    let mut stage = tokio::select! {
        raised = raise(arguments.gateway) => raised?,
        () = interrupted() => bail!("interrupted while starting"),
    };
    let performed = tokio::select! {
        performed = perform(&mut stage, arguments.exit) => performed,
        () = interrupted() => Ok(()),
    };
    let status = stage.gateway.stop(STOP_TIMEOUT).await;
    performed?;
    println!("the gateway stopped ({})", status?);
    Ok(())
}

/// Everything after the start; ends by itself only with `exit` or on a failure.
async fn perform(stage: &mut Stage, exit: bool) -> Result<()> {
    let began = Instant::now();
    let (id, token) = create_instance(stage).await?;
    wait_for_baseline(stage, &id).await?;
    let expected = change_companies(&stage.simulator.control())?;
    let poll = stage
        .gateway
        .expect(Method::POST, &format!("/instances/{id}/polls"), None)
        .await;
    if let Err(error) = poll {
        println!("   (polling at once was refused, the next poll comes by itself: {error:#})");
    }
    println!("\n3. events, as they arrive at the callback:");
    let seen = print_expected(&stage.receiver, &expected)
        .await
        .with_context(|| gateway_log(stage))?;
    println!(
        "   all {} events arrived, {:.1} s after the instance\n",
        expected.len(),
        began.elapsed().as_secs_f64()
    );
    if exit {
        return Ok(());
    }
    print_what_to_try(stage, &id, &token);
    stay(stage, seen).await
}

/// Ctrl-C or SIGTERM: either way the gateway has to be stopped first.
async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

async fn raise(binary: PathBuf) -> Result<Stage> {
    let directory = tempfile::tempdir().context("making a directory for the gateway's data")?;
    let simulator = Simulator::start(SimulatorOptions::default())
        .await
        .context("starting the simulated vendor")?;
    simulator.control().seed_companies(SEEDED_COMPANIES);
    let options = ReceiverOptions {
        key: Some(SIGNATURE_KEY.to_owned()),
        ..ReceiverOptions::default()
    };
    let receiver = Receiver::start(options).await.context("starting the receiver")?;
    let mut gateway = Gateway::start(GatewayOptions::new(binary, directory.path()))?;
    gateway.wait_until_ready(READY_TIMEOUT).await?;
    println!("1. running: gateway            {}", gateway.base_url());
    println!(
        "            simulated Autotask {}  with {SEEDED_COMPANIES} companies and the tenant's own",
        simulator.base_url()
    );
    println!("            receiver           {}", receiver.base_url());
    println!(
        "            gateway's log      {}",
        directory.path().join("gateway.log").display()
    );
    Ok(Stage {
        simulator,
        receiver,
        gateway,
        directory,
    })
}

/// Posts the body that the seed prints, the doubled quote included; returns id and token.
async fn create_instance(stage: &Stage) -> Result<(String, String)> {
    let Credentials {
        user_name,
        secret,
        integration_code,
    } = Credentials::default();
    let body = printed_as_json(&SeedValues {
        user_name,
        password: secret,
        integration_code: Some(integration_code),
        server_url: stage.simulator.base_url(),
        callback_url: format!("{}/callback", stage.receiver.base_url()),
        signature_key: Some(SIGNATURE_KEY.to_owned()),
        refresh_interval: REFRESH_INTERVAL.to_owned(),
        instance_name: "Demo".to_owned(),
        tag: "demo".to_owned(),
    });
    let created = stage.gateway.expect(Method::POST, "/instances", Some(body)).await;
    let created = created.with_context(|| gateway_log(stage))?;
    let id = match &created["id"] {
        Value::Null => bail!("the answer to POST /instances has no id: {created}"),
        Value::String(id) => id.clone(),
        id => id.to_string(),
    };
    let token = created["token"]
        .as_str()
        .context("the answer to POST /instances has no token")?
        .to_owned();
    println!("\n2. instance {id} created from the printed body of POST /instances");
    for warning in created["warnings"].as_array().into_iter().flatten() {
        let text = |member: &str| warning[member].as_str().unwrap_or_default();
        println!("   warning: {}: {}", text("field"), text("message"));
    }
    Ok((id, token))
}

/// The first poll only remembers; changes made before its end would be part of what it remembers.
async fn wait_for_baseline(stage: &Stage, id: &str) -> Result<()> {
    let deadline = Instant::now() + BASELINE_TIMEOUT;
    let mut ticks = tokio::time::interval(POLLS_INTERVAL);
    let mut polls = Value::Null;
    while Instant::now() < deadline {
        ticks.tick().await;
        polls = stage
            .gateway
            .expect(Method::GET, &format!("/instances/{id}/polls"), None)
            .await?;
        let accounts = polls
            .as_array()
            .into_iter()
            .flatten()
            .find(|poll| poll["resource"] == "accounts");
        if let Some(accounts) = accounts.filter(|accounts| accounts["baselined"] == true) {
            let last = &accounts["last"];
            println!(
                "   first poll done: {} records in {} requests, {} ms; from now on changes are events",
                last["records"], last["requests"], last["tookMs"]
            );
            return Ok(());
        }
    }
    bail!(
        "the first poll did not succeed within {BASELINE_TIMEOUT:?}: {polls}\n{}",
        gateway_log(stage)
    )
}

/// Creates two companies and changes three; returns the events that must follow, as type and id.
fn change_companies(vendor: &Control) -> Result<Vec<(&'static str, String)>> {
    let mut expected = Vec::new();
    for name in ["Brightwater Marine Ltd", "Zoë & O'Hara Partners"] {
        let id = vendor.create(
            "Companies",
            json!({"companyName": name, "phone": "+44 20 7946 0000", "companyType": 1}),
        )?;
        expected.push(("CREATED", id.to_string()));
    }
    let old: Vec<i64> = vendor
        .ids("Companies")
        .into_iter()
        .filter(|id| *id != 0)
        .take(3)
        .collect();
    ensure!(old.len() == 3, "the simulated vendor has too few companies");
    for id in old {
        vendor.update(
            "Companies",
            id,
            json!({"phone": format!("+44 20 7946 9{:03}", id % 1_000)}),
        )?;
        expected.push(("UPDATED", id.to_string()));
    }
    println!("   at the vendor: two companies created, three changed");
    Ok(expected)
}

/// Prints events until all of `expected` were there; returns how many POSTs were printed.
async fn print_expected(receiver: &Receiver, expected: &[(&str, String)]) -> Result<usize> {
    let deadline = Instant::now() + EVENTS_TIMEOUT;
    let mut printed = 0;
    let mut missing: Vec<_> = expected.to_vec();
    while !missing.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(received) = receiver.wait_until(left, |received| received.len() > printed).await else {
            bail!("after {EVENTS_TIMEOUT:?} these events are missing: {missing:?}");
        };
        for post in &received[printed..] {
            print_post(post);
            ensure!(
                post.signature == Signature::Valid,
                "a notification came with a signature that is {:?}",
                post.signature
            );
            for event in &post.events {
                missing.retain(|(kind, id)| (*kind, id) != (event.event_type.as_str(), &event.object_id));
            }
        }
        printed = received.len();
    }
    Ok(printed)
}

fn print_post(post: &Received) {
    let signature = match post.signature {
        Signature::Valid => "signature ok",
        Signature::Invalid => "SIGNATURE WRONG",
        Signature::Missing => "SIGNATURE MISSING",
        Signature::Unchecked => "signature not checked",
    };
    if post.events.is_empty() {
        println!("   a POST without events to {} ({signature})", post.path);
    }
    for event in &post.events {
        let kind = &event.event_type;
        println!(
            "   {kind:<8} {} {:<6} {:<32} {signature}",
            event.object_type,
            event.object_id,
            account_name(event)
        );
    }
}

fn account_name(event: &ReceivedEvent) -> &str {
    let name = ["accountName", "companyName"]
        .iter()
        .find_map(|field| event.record[*field].as_str());
    name.unwrap_or("(no name)")
}

fn print_what_to_try(stage: &Stage, id: &str, token: &str) {
    let gateway = stage.gateway.base_url();
    let vendor = stage.simulator.base_url();
    let owner = format!("-H 'Authorization: {}'", stage.gateway.owner());
    let bearer = format!("-H 'Authorization: {}'", stage.gateway.bearer(token));
    let json = "-H 'content-type: application/json'";
    let company = stage
        .simulator
        .control()
        .ids("Companies")
        .into_iter()
        .find(|id| *id != 0)
        .unwrap_or_default();
    println!(
        "\
4. the gateway stays up until Ctrl-C, and events are printed as they come. Try, in another terminal:

   # change a company at the simulated vendor, or make one (an event within {seconds:.0} s)
   curl -X PATCH {vendor}/simulator/Companies/{company} {json} -d '{{\"phone\":\"+1 555 0100\"}}'
   curl -X POST {vendor}/simulator/Companies {json} -d '{{\"companyName\":\"Made by curl\"}}'
   # make the vendor fail three times, and see what the polls say
   curl -X POST {vendor}/simulator/faults {json} -d '{{\"kind\":{{\"status\":{{\"code\":503,\"body\":\"\"}}}},\"on\":\"query\",\"times\":3}}'
   curl {owner} {gateway}/instances/{id}/polls
   # all that the simulator can do
   curl {vendor}/

   # instances, and the events with their deliveries
   curl {owner} {gateway}/instances
   curl {owner} {gateway}/instances/{id}/events
   # read the vendor's accounts through the hub
   curl -G {bearer} {gateway}/hubs/crm/accounts --data-urlencode \"where=accountName like 'Made%'\" -d pageSize=5
   curl {bearer} {gateway}/hubs/crm/accounts/{company}

   # a real account: the same POST /instances with your own crm.autotask.username, crm.autotask.password,
   # crm.autotask.integration.code, and crm.autotask.server.url set to where you log in (https://ww2.autotask.net).
   # README says more. The data of this demo is removed at the end.
",
        seconds = 60.0 * REFRESH_INTERVAL.parse::<f64>().unwrap_or_default(),
    );
}

/// Prints what arrives; ends only when the gateway ends by itself.
async fn stay(stage: &mut Stage, mut printed: usize) -> Result<()> {
    loop {
        tokio::select! {
            ended = stage.gateway.ended() => {
                bail!("the gateway ended by itself ({}); its log ends:\n{}", ended?, stage.gateway.log_tail());
            }
            received = stage.receiver.wait_until(Duration::from_secs(3600), |received| received.len() > printed) => {
                for post in received.iter().flatten().skip(printed) {
                    print_post(post);
                    printed += 1;
                }
            }
        }
    }
}

fn gateway_log(stage: &Stage) -> String {
    let path = stage.directory.path().join("gateway.log");
    format!(
        "the gateway's log ({}) ends:\n{}",
        path.display(),
        stage.gateway.log_tail()
    )
}
