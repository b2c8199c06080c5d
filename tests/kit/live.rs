//! Runs against a vendor: the simulated Autotask of examples/, and the built-in element.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate_examples::autotask::{Credentials, Simulator, SimulatorOptions};

use crate::{assert_has, element, scene};

/// A vendor with twelve companies, and a configuration for it in `config.json`.
async fn stage(name: &str) -> (Simulator, PathBuf) {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    simulator.control().seed_companies(12);
    let scene = scene(name);
    write_config(&scene, &simulator, &Credentials::default().secret);
    (simulator, scene)
}

fn write_config(scene: &Path, simulator: &Simulator, secret: &str) {
    let Credentials {
        user_name,
        integration_code,
        ..
    } = Credentials::default();
    let configuration = json!({
        "crm.autotask.username": user_name,
        "crm.autotask.password": secret,
        "crm.autotask.integration.code": integration_code,
        "crm.autotask.server.url": simulator.base_url(),
    });
    fs::write(scene.join("config.json"), configuration.to_string()).unwrap();
}

const ASK: [&str; 5] = [
    "autotaskcrm",
    "--config",
    "config.json",
    "--allow-private-networks",
    "--resource=accounts",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_live_run_shows_requests_records_events_and_costs_and_no_secret() {
    let (simulator, scene) = stage("live").await;
    let out = element(
        &scene,
        &[
            &[
                "run",
                "--live",
                "--since",
                "2000-01-01",
                "--page-size",
                "5",
                "--max-pages",
                "9",
            ],
            &ASK[..],
        ]
        .concat(),
    );
    let out = out.with(0);
    assert_has(
        &out,
        &[
            "run:  list accounts changed since 2000-01-01T00:00:00.000Z",
            "  send     POST http://127.0.0.1:",
            "Secret: {{secret:crm.autotask.password}}",
            "  answer 200, ",
            "  record   ",
            "the run is done",
            "a first poll with first_sight=since 2000-01-01T00:00:00.000Z would make 13 created and 0 updated",
            "13 records",
            "per 1,000 records: ",
        ],
    );
    let Credentials {
        secret,
        integration_code,
        ..
    } = Credentials::default();
    assert!(!out.contains(&secret) && !out.contains(&integration_code), "{out}");

    // As it would be without the flag, and with credentials that are not good.
    let ran = element(&scene, &[&["run", "--live"], &ASK[..3]].concat());
    assert_has(&ran.with(1), &["no answer: blocked_address"]);
    write_config(&scene, &simulator, "not the password");
    let ran = element(&scene, &[&["run", "--live", "--operation", "check"], &ASK[..]].concat());
    assert_has(&ran.with(1), &["  fault    ", "remedy: change the credentials"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_case_has_no_secret_and_replays_as_it_ran() {
    let (simulator, scene) = stage("record").await;
    let record = [&["record", "--page-size", "4", "--cases", "cases"], &ASK[..]].concat();
    let out = element(
        &scene,
        &[&record[..], &["--name", "accounts", "--max-pages", "3"]].concat(),
    )
    .with(0);
    assert_has(&out, &["wrote cases/accounts.json: ", "without 2 secrets"]);
    let text = fs::read_to_string(scene.join("cases/accounts.json")).unwrap();
    let Credentials {
        secret,
        integration_code,
        ..
    } = Credentials::default();
    assert!(!text.contains(&secret) && !text.contains(&integration_code));
    let case: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(case["cut"], true, "three pages of four are not all");
    assert_eq!(case["madeBy"]["element"], "autotaskcrm");
    let headers: Vec<&Value> = case["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|step| step.as_array().unwrap())
        .filter_map(|exchange| exchange["response"]["headers"].as_array())
        .flatten()
        .collect();
    assert!(headers.iter().all(|header| header[0] != "date"), "{headers:?}");

    // It replays without the vendor, by the element that the file names.
    drop(simulator);
    let out = element(&scene, &["replay", "cases/accounts.json"]).with(0);
    assert_has(
        &out,
        &["autotaskcrm 0.1.0 (autotaskcrm (built in))", "the run kept to the file"],
    );
    let report = element(
        &scene,
        &["diff", "autotaskcrm", "autotaskcrm", "--cases", "cases", "--json"],
    )
    .json(0);
    assert_eq!(report["cases"][0]["changed"], 0);

    let ran = element(&scene, &[&record[..], &["--name", "accounts"]].concat());
    assert_eq!(ran.code, 2);
    assert_has(
        &ran.err,
        &["is there already: choose another --name, or say --overwrite"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_holds_a_secret_is_masked_in_the_case() {
    let (simulator, scene) = stage("masked").await;
    let secret = Credentials::default().secret;
    let company = simulator.control().ids("Companies")[1];
    let echo = json!({"companyName": format!("{secret} & co")});
    simulator.control().update("Companies", company, echo).unwrap();
    let record = [
        &["record", "--name", "masked", "--cases", "cases", "--max-pages", "9"],
        &ASK[..],
    ]
    .concat();
    element(&scene, &record).with(0);
    let text = fs::read_to_string(scene.join("cases/masked.json")).unwrap();
    assert!(!text.contains(&secret));
    assert_has(&text, &["******** & co"]);
    element(&scene, &["replay", "cases/masked.json"]).with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_taken_out_keeps_the_case_from_being_written() {
    use base64::Engine as _;
    let (simulator, scene) = stage("kept").await;
    let secret = Credentials::default().secret;
    // Inside of something longer, in base64: no piece of it can be replaced.
    let hidden = base64::engine::general_purpose::STANDARD.encode(format!("user:{secret}"));
    let company = simulator.control().ids("Companies")[1];
    simulator
        .control()
        .update("Companies", company, json!({"companyName": hidden}))
        .unwrap();
    let record = [
        &["record", "--name", "kept", "--cases", "cases", "--max-pages", "9"],
        &ASK[..],
    ]
    .concat();
    let ran = element(&scene, &record);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert_has(
        &ran.err,
        &["nothing was written: the value of crm.autotask.password is still somewhere in the case"],
    );
    assert!(!scene.join("cases/kept.json").exists());
}
