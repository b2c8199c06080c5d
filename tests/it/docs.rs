//! What the documentation tells people to run is run.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_examples::autotask::Credentials;

use crate::support::{SOON, Stage, distinct};

const README: &str = include_str!("../../README.md");

/// An indented block of the README from the line that starts so to the line that is `end`.
fn block(start: &str, end: &str) -> String {
    let lines = README.lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
    let mut block: Vec<&str> = Vec::new();
    for line in lines.skip_while(|line| !line.starts_with(start)) {
        block.push(line);
        if line == end {
            return block.join("\n");
        }
    }
    panic!("the README has no block from {start:?} to {end:?}");
}

#[tokio::test]
async fn the_readmes_instance_is_created_by_its_command_and_gives_events() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(3);
    let Credentials {
        user_name,
        secret,
        integration_code,
    } = Credentials::default();
    let command = block("curl -X POST http://127.0.0.1:8080/instances", "BODY");
    // What a reader fills in.
    let filled = [
        ("http://127.0.0.1:8080", stage.gateway.base_url()),
        (
            "User $(cat data/user.secret), Organization $(cat data/organization.secret)",
            stage.gateway.owner(),
        ),
        ("api-user@example.com", user_name),
        (
            "\"crm.autotask.password\": \"…\"",
            format!("\"crm.autotask.password\": \"{secret}\""),
        ),
        (
            "\"crm.autotask.integration.code\": \"…\"",
            format!("\"crm.autotask.integration.code\": \"{integration_code}\""),
        ),
        ("https://ww2.autotask.net", stage.simulator.base_url()),
        (
            "https://example.com/callback",
            format!("{}/callback", stage.receiver.base_url()),
        ),
        (
            "\"event.poller.refresh_interval\": \"15\"",
            "\"event.poller.refresh_interval\": \"0.02\"".to_owned(),
        ),
    ];
    let command = filled.iter().fold(command, |command, (printed, value)| {
        assert!(command.contains(printed), "the README's command has {printed}");
        command.replace(printed, value)
    });
    // Not blocking: the simulated vendor answers from this very thread.
    let mut bash = tokio::process::Command::new("bash");
    let output = bash
        .args([
            "-c",
            &format!(
                "{command}
"
            ),
        ])
        .output()
        .await
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(answer["warnings"], json!([]), "{answer}");
    let id = answer["id"].as_u64().unwrap_or_else(|| panic!("{answer}"));
    stage.receiver.set_key(Some("a key of your own".into()));
    stage
        .polls_until(id, |polls| polls.iter().all(|poll| poll["baselined"] == true))
        .await;
    let company = stage.vendor().ids("Companies")[1];
    stage
        .vendor()
        .update("Companies", company, json!({"phone": "1"}))
        .unwrap();
    let events = stage.receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(distinct(&events), [("UPDATED".to_owned(), company.to_string())]);
}

#[test]
fn the_demo_shows_its_events_and_ends() {
    let gateway = Path::new(env!("CARGO_BIN_EXE_tidegate"));
    let demo = gateway.with_file_name("demo");
    assert!(
        demo.is_file(),
        "{} is built by `cargo test --workspace`",
        demo.display()
    );
    let output = Command::new(demo)
        .arg("--gateway")
        .arg(gateway)
        .arg("--exit")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(printed.contains("SIMULATED"), "{printed}");
    assert_eq!(printed.matches("signature ok").count(), 5, "{printed}");
}

#[test]
fn every_flag_teaches_and_stands_in_the_example_file() {
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let example = include_str!("../../examples/tidegate.toml");
    let flags = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--"))
        .filter_map(|flag| flag.split([' ', '[']).next());
    let mut count = 0;
    for flag in flags.filter(|flag| *flag != "config" && !flag.starts_with("help")) {
        count += 1;
        assert!(
            help.contains(&format!("TIDEGATE_{}", flag.to_uppercase().replace('-', "_"))),
            "{flag} has a variable"
        );
        assert!(
            example.contains(&format!("{} = ", flag.replace('-', "_"))),
            "{flag} stands in examples/tidegate.toml"
        );
    }
    assert!(count >= 8, "{help}");
}

#[tokio::test]
async fn without_secrets_in_the_environment_the_gateway_makes_them_and_keeps_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut first = None;
    for _ in 0..2 {
        let mut gateway = tokio::process::Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .env_remove("TIDEGATE_USER_SECRET")
            .env_remove("TIDEGATE_ORGANIZATION_SECRET")
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(gateway.stderr.take().unwrap()));
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains("gateway ready") {
                    return;
                }
            }
            panic!("the gateway ended before it was ready");
        };
        tokio::time::timeout(Duration::from_secs(60), ready).await.unwrap();
        let secrets = ["user.secret", "organization.secret"].map(|name| {
            let path = data.join(name);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
            std::fs::read_to_string(path).unwrap()
        });
        assert!(
            secrets.iter().all(|secret| secret.trim().len() >= 32),
            "long enough not to be guessed"
        );
        assert_eq!(
            first.get_or_insert_with(|| secrets.clone()),
            &secrets,
            "the same after a restart"
        );
        gateway.kill().await.unwrap();
    }
}
