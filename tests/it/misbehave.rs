//! An element that does all that an element must not, in a real gateway: each poll fails with a reason that people can
//! read, and nobody else feels it.
//! Must not have a wildcard in `expected`: a mode that nobody has thought about must not compile.

#[path = "../guests/misbehave/src/mode.rs"]
mod mode;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use self::mode::Mode;
use crate::support::{SOON, Stage, assert_no_gap};

/// Longest wait for all modes: ten thousand steps take a while on a machine that is busy with other tests.
const ALL_DONE: Duration = Duration::from_secs(300);

/// As `engine::trust` has it.
const BREACHES_BEFORE_QUARANTINE: usize = tidegate::engine::trust::BREACHES_MAX as usize;

/// What the poll's report says.
#[derive(Debug)]
enum Expected {
    Succeeds,
    Fails {
        code: &'static str,
        blame: &'static str,
        words: &'static str,
    },
}

#[deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    reason = "each mode is judged by name"
)]
fn expected(mode: Mode) -> Expected {
    use Expected::Succeeds;
    let fails = |code, words| Expected::Fails {
        code,
        blame: "element",
        words,
    };
    match mode {
        Mode::Echo | Mode::Records | Mode::Count | Mode::Leftovers | Mode::Sweep => Succeeds,
        Mode::Fault => Expected::Fails {
            code: "too-fast",
            blame: "vendor",
            words: "the vendor asks for a pause",
        },

        Mode::Panic | Mode::PanicInAdvance => fails("trap", "the element trapped: wasm trap: wasm `unreachable`"),
        Mode::Recurse => fails("trap", "the element trapped: wasm trap: call stack exhausted"),

        Mode::Spin | Mode::SpinAfterLog | Mode::SpinInAdvance => {
            fails("deadline", "the element computed longer than 250 ms in one step")
        }
        Mode::HogMemory => fails("memory", "the element asked for more than 67108864 bytes of memory"),
        Mode::FloodOutput | Mode::FloodItems => {
            fails("output", "the element returned more than 33554432 bytes in one step")
        }
        // Its lines are cut, and that is all.
        Mode::FloodLog | Mode::LogALineBreak => Succeeds,

        Mode::BytesLeftOver => fails("contract", "the last 1 bytes of `bytes` belong to no item"),
        Mode::BytesMissing => fails("contract", "item 0 claims 3 bytes where `bytes` has 2 left"),
        Mode::GarbageLengths => fails("contract", "item 0 claims 4294967295 bytes where `bytes` has 3 left"),
        Mode::EmptyId => fails("contract", "id 0 of items has 0 bytes"),
        Mode::LongId => fails("contract", "id 0 of items has 1025 bytes"),
        Mode::IdNotUtf8 => fails("contract", "the id of item 0 is not UTF-8"),
        Mode::IdTwice => fails("contract", "id of items `1` comes twice in a step"),
        Mode::EmptyBody => fails("contract", "item 0 has no body and is not deleted"),
        Mode::BodyNotAnObject => fails("contract", "the body of item 0 is not one JSON object"),
        Mode::GarbageBody => fails(
            "contract",
            "the body of item 0 is not one JSON object: key must be a string",
        ),

        Mode::NoRequest => fails("contract", "a step sends 0 requests"),
        Mode::TooManyRequests => fails("contract", "a step sends 17 requests"),
        Mode::RequestIdTwice => fails("contract", "request id `1` comes twice in a step"),
        Mode::UnknownNext => fails("contract", "next is `dance`, which this gateway does not know"),
        Mode::SweepEmptyId => fails("contract", "id 0 of ids has 0 bytes"),
        Mode::SweepIdTwice => fails("contract", "id of ids `a` comes twice in a step"),
        Mode::SweepLongId => fails("contract", "id 0 of ids has 1025 bytes"),
        Mode::StateOverCap => fails("contract", "state has 65537 bytes; expected at most 65536"),
        Mode::CheckpointOverCap => fails("contract", "checkpoint has 65537 bytes; expected at most 65536"),
        Mode::MemoOverCap => fails("contract", "memo has 4097 bytes; expected at most 4096"),
        Mode::GarbledFault => fails("contract", "a fault's detail is not JSON"),

        Mode::ForeignHost => fails(
            "request-refused",
            "https://elsewhere.example is neither a host of the element's",
        ),
        Mode::PlainHttp => fails(
            "request-refused",
            "http://vendor.example is neither a host of the element's",
        ),
        Mode::ForeignSecret => fails("request-refused", "the secret \"crm.autotask.password\" is not set"),
        Mode::SecretInUrl => fails("request-refused", "in a header's value only, not in the URL"),
        Mode::SecretInBody => fails("request-refused", "in a header's value only, not in the body"),
        Mode::HostHeader => fails("request-refused", "the header host is the gateway's to set"),

        Mode::EndlessPages => fails("too-long", "the run took more than 10000 steps"),
        Mode::EndlessWait => fails("stalled", "asked to wait more than 100 times in a row"),
        Mode::SamePageAgain => fails("stalled", "the same requests from the same state twice"),
    }
}

/// A simulated vendor that answers everything with one empty object, at once.
async fn vendor() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(|| async { "{}" });
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Where `cargo xtask elements` puts it, as in the tests of `element_host`.
fn misbehave() -> PathBuf {
    let guests = option_env!("TIDEGATE_TEST_GUESTS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/elements-test"),
        PathBuf::from,
    );
    guests.join("misbehave.wasm")
}

/// The gateway again, with the misbehaving element in its directory.
async fn stage() -> Stage {
    let mut stage = Stage::new().await;
    let built = misbehave();
    let placed = stage.directory.path().join("elements/misbehave.wasm");
    std::fs::copy(&built, placed).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask elements` builds it", built.display());
    });
    let options = stage.end_gateway(false).await;
    stage.start_gateway(options).await;
    stage
}

/// An instance that polls once, soon, and then not again while the test runs.
async fn create(stage: &Stage, vendor: &str, mode: Mode) -> u64 {
    let body = json!({
        "element": {"key": "misbehave"},
        "name": mode.name(),
        "configuration": {
            "mode": mode.name(),
            "server": vendor,
            "token": "its-own-secret",
            "event.notification.enabled": true,
            "event.poller.refresh_interval": "60",
        },
    });
    // Unchecked: a check would run into the mode too, and refuse.
    let (status, answer) = stage.call(Method::POST, "/instances?validate=false", Some(body)).await;
    assert!(status.is_success(), "{mode:?}: {answer}");
    answer["id"].as_u64().unwrap()
}

/// The report of the instance's only poll, once there is one.
async fn report(stage: &Stage, id: u64) -> Option<Value> {
    let path = format!("/instances/{id}/polls");
    let polls = stage.gateway.expect(Method::GET, &path, None).await.unwrap();
    let last = polls[0]["last"].clone();
    last.is_object().then_some(last)
}

fn judge(mode: Mode, report: &Value) {
    let name = mode.name();
    match expected(mode) {
        Expected::Succeeds => assert_eq!(report["outcome"], "succeeded", "{name}: {report}"),
        Expected::Fails { code, blame, words } => {
            assert_eq!(report["outcome"], "failed", "{name}: {report}");
            assert_eq!(report["code"], code, "{name}: {report}");
            assert_eq!(report["blame"], blame, "{name}: {report}");
            let error = report["error"].as_str().unwrap();
            assert!(error.contains(words), "{name}: expected {words:?} in {error:?}");
        }
    }
}

/// One instance of each of these modes polls into it; meanwhile the neighbour has changes, and the API is called.
async fn run_into(stage: &Stage, vendor: &str, modes: &[Mode], rounds: &mut usize) {
    let company = stage.vendor().ids("Companies")[1];
    let mut pending = HashMap::new();
    for mode in modes {
        pending.insert(create(stage, vendor, *mode).await, *mode);
    }
    let deadline = Instant::now() + ALL_DONE;
    while !pending.is_empty() {
        assert!(Instant::now() < deadline, "no report of {pending:?}");
        *rounds += 1;
        let change = json!({"phone": rounds.to_string()});
        stage.vendor().update("Companies", company, change).unwrap();
        let events = stage.receiver.wait_for(*rounds, SOON).await.unwrap();
        assert_eq!(events.len(), *rounds);
        for id in pending.keys().copied().collect::<Vec<_>>() {
            if let Some(report) = report(stage, id).await {
                let mode = pending.remove(&id).unwrap();
                judge(mode, &report);
                assert_kept(stage, id, mode).await;
            }
        }
    }
}

/// What went into a step that the element is to blame for is kept.
async fn assert_kept(stage: &Stage, id: u64, mode: Mode) {
    let kept = failures(stage, id).await;
    match expected(mode) {
        Expected::Fails {
            code, blame: "element", ..
        } => {
            assert_eq!(kept.len(), 1, "{mode:?}: {kept:?}");
            assert_eq!(kept[0]["code"], code, "{mode:?}: {kept:?}");
        }
        _ => assert!(kept.is_empty(), "{mode:?}: {kept:?}"),
    }
}

async fn failures(stage: &Stage, id: u64) -> Vec<Value> {
    let path = format!("/instances/{id}/failures");
    let kept = stage.gateway.expect(Method::GET, &path, None).await.unwrap();
    kept.as_array().unwrap().clone()
}

/// A poll that ends well, so that the element is not thought to break for everybody.
async fn poll_well(stage: &Stage, good: u64) {
    let path = format!("/instances/{good}/polls");
    let before = report(stage, good).await;
    stage.gateway.expect(Method::POST, &path, None).await.unwrap();
    let later =
        |polls: &[Value]| polls[0]["last"]["outcome"] == "succeeded" && Some(&polls[0]["last"]) != before.as_ref();
    stage.polls_until(good, later).await;
}

#[tokio::test]
async fn whatever_an_element_does_its_poll_says_so_and_nobody_else_feels_it() {
    let stage = stage().await;
    stage.vendor().seed_companies(5);
    let neighbour = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let vendor = vendor().await;
    let good = create(&stage, &vendor, Mode::Records).await;
    let mut rounds = 0;
    // One more that breaks in a row, and the element would be quarantined.
    for modes in Mode::ALL.chunks(BREACHES_BEFORE_QUARANTINE - 1) {
        run_into(&stage, &vendor, modes, &mut rounds).await;
        poll_well(&stage, good).await;
    }
    let polls = stage.polls_until(neighbour.id, |_| true).await;
    assert_eq!(polls[0]["failures"], 0, "{polls:#?}");
    assert_eq!(polls[0]["last"]["outcome"], "succeeded", "{polls:#?}");
    assert_no_gap(&stage.receiver.events());
    let log = stage.log();
    assert!(!log.contains("its-own-secret"), "a secret is in the log");
    assert!(!log.contains("panicked at"), "something panicked:\n{log}");
}

#[tokio::test]
async fn an_element_that_breaks_for_everybody_is_quarantined_and_its_failing_step_is_shown_again() {
    let stage = stage().await;
    let vendor = vendor().await;
    let mut ids = Vec::new();
    for _ in 0..BREACHES_BEFORE_QUARANTINE {
        ids.push(create(&stage, &vendor, Mode::PanicInAdvance).await);
    }
    for id in &ids {
        stage.polls_until(*id, |polls| polls[0]["last"]["code"] == "trap").await;
    }
    let versions = stage
        .gateway
        .expect(Method::GET, "/elements/misbehave/versions", None)
        .await
        .unwrap();
    assert_eq!(versions[0]["state"], "quarantined", "{versions}");
    assert!(
        versions[0]["reason"]
            .as_str()
            .unwrap()
            .contains("5 polls in a row broke"),
        "{versions}"
    );
    assert_eq!(versions[0]["traps"], 5, "{versions}");
    let late = create(&stage, &vendor, Mode::Records).await;
    let polls = stage.polls_until(late, |polls| polls[0]["last"].is_object()).await;
    assert_eq!(polls[0]["last"]["code"], "element-quarantined", "{polls:#?}");

    let kept = failures(&stage, ids[0]).await;
    let path = format!("/instances/{}/failures/{}", ids[0], kept[0]["id"].as_str().unwrap());
    let case = stage.gateway.expect(Method::GET, &path, None).await.unwrap();
    let file = stage.directory.path().join("failed.json");
    std::fs::write(&file, case.to_string()).unwrap();
    let replay = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["element", "replay"])
        .arg(&file)
        .arg("--component")
        .arg(misbehave())
        .env("XDG_CACHE_HOME", stage.directory.path())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&replay.stdout);
    assert!(shown.contains("it fails as it did when the file was kept"), "{shown}");
    assert_eq!(replay.status.code(), Some(1), "it fails again: {shown}");
}
