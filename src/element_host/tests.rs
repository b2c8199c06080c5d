//! A host with the misbehaving element of tests/guests: every limit stops it, and nobody else notices.
//! Must not assert on wall time: what counts is the error, and that the next call works.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::domain::record::{Moment, Record};
use crate::domain::run::{
    DateFields, GetArgs, ListArgs, Next, Operation, Problem, Remedy, Response, SweepArgs, Window,
};
use crate::domain::time::Timestamp;

/// Where `cargo xtask elements` puts the components of tests/guests, unless TIDEGATE_TEST_GUESTS names a directory when
/// this is compiled.
fn guests() -> PathBuf {
    option_env!("TIDEGATE_TEST_GUESTS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/elements-test"),
        PathBuf::from,
    )
}

fn misbehave() -> Vec<u8> {
    let path = guests().join("misbehave.wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask elements` builds it", path.display());
    })
}

/// The same element with another digest: a custom section holds the mark.
fn marked(mark: u8) -> Vec<u8> {
    let mut bytes = misbehave();
    bytes.extend_from_slice(&[0, 3, 1, b'm', mark]);
    bytes
}

/// The product's limits, with time enough for a machine that is busy with other tests.
fn limits() -> Limits {
    Limits {
        deadline: Duration::from_secs(5),
        ..Limits::default()
    }
}

fn options() -> Options {
    Options {
        workers: 1,
        limits: limits(),
        cache_dir: None,
    }
}

struct Fixture {
    host: Arc<ElementHost>,
    element: Arc<Element>,
}

fn fixture() -> Fixture {
    with(options())
}

fn with(options: Options) -> Fixture {
    let host = ElementHost::new(options).unwrap();
    let element = host.load(&misbehave()).unwrap();
    Fixture { host, element }
}

fn run(mode: &str) -> Arc<Run> {
    Arc::new(Run {
        operation: Operation::Check,
        configuration: json!({ "mode": mode, "other": [1, 2] }),
        memo: Some(vec![1]),
        now: Timestamp::from_ms(1_700_000_000_000),
    })
}

type Outcome = Result<Result<Step, Fault>, CallError>;

impl Fixture {
    async fn begin(&self, mode: &str) -> Outcome {
        self.host.call(self.element.digest, run(mode), Call::Begin).await
    }

    async fn step(&self, mode: &str) -> Step {
        self.begin(mode)
            .await
            .expect("the call ends well")
            .expect("the element gives no fault")
    }

    async fn error(&self, mode: &str) -> CallError {
        let error = self.begin(mode).await.expect_err("the call must not end well");
        self.still_works().await;
        error
    }

    async fn trap(&self, mode: &str) -> String {
        match self.error(mode).await {
            CallError::Trap(text) => text,
            other => panic!("{mode}: expected a trap, got {other:?}"),
        }
    }

    async fn broken_rule(&self, mode: &str) -> String {
        match self.error(mode).await {
            CallError::Contract(rule) => rule,
            other => panic!("{mode}: expected a broken rule, got {other:?}"),
        }
    }

    async fn still_works(&self) {
        assert_eq!(self.step("records").await.records.len(), 2);
    }

    async fn echo(&self, body: Bytes) -> Step {
        let headers = vec![("date".to_owned(), "today".to_owned())];
        let responses = vec![Response {
            id: 1,
            status: 200,
            headers,
            body,
        }];
        let call = Call::Advance {
            state: b"kept".to_vec(),
            responses,
        };
        self.host
            .call(self.element.digest, run("echo"), call)
            .await
            .unwrap()
            .unwrap()
    }
}

fn page(bytes: usize) -> Bytes {
    let mut body = Vec::with_capacity(bytes);
    body.extend_from_slice(br#"{"a":""#);
    body.extend((0..bytes - 8).map(|n| b'a' + (n % 26) as u8));
    body.extend_from_slice(br#""}"#);
    body.into()
}

// --- what an element gives reaches the gateway ---

#[test]
fn the_manifest_comes_from_the_component() {
    let Fixture { host, element } = fixture();
    assert_eq!(element.manifest.key, "misbehave");
    assert_eq!(element.document["hub"], "test");
    assert_eq!(host.find("misbehave").unwrap().digest, element.digest);
    assert!(host.find("other").is_none());
    assert_eq!(host.list().len(), 1);
}

#[tokio::test]
async fn records_and_all_else_of_a_step_arrive() {
    let step = fixture().step("records").await;
    let first = Record {
        id: "1".into(),
        body: r#"{"a":1}"#.into(),
        created: Some(Moment::At(Timestamp::from_ms(1_000))),
        updated: Some(Moment::Text("yesterday".into())),
        deleted: false,
    };
    let second = Record {
        id: "22".into(),
        body: Bytes::new(),
        created: None,
        updated: None,
        deleted: true,
    };
    assert_eq!(step.records, [first, second]);
    assert_eq!(
        step.problems,
        [Problem {
            subject: "a".into(),
            code: "b".into(),
            message: "c".into()
        }]
    );
    assert_eq!(step.checkpoint.as_deref(), Some(&b"page 2"[..]));
    assert_eq!(step.memo.as_deref(), Some(&[][..]));
    assert_eq!(step.next, Next::Done);
    assert_eq!(fixture().step("sweep").await.ids, ["a", "b"]);
}

#[tokio::test]
async fn requests_arrive() {
    let step = fixture().step("echo").await;
    let Next::Send(requests) = step.next else {
        panic!("expected requests")
    };
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].url, "https://vendor.example/things");
    assert_eq!(
        requests[0].headers,
        [("accept".to_owned(), "application/json".to_owned())]
    );
    assert_eq!(
        (requests[0].idempotent, requests[0].cost, requests[0].lane.as_str()),
        (true, 1, "things")
    );
    assert_eq!(step.state, b"asked once");
}

#[tokio::test]
async fn a_fault_arrives_as_a_value() {
    let fault = fixture().begin("fault").await.unwrap().unwrap_err();
    assert_eq!(
        fault.remedy,
        Remedy::RateLimited {
            after_seconds: Some(30)
        }
    );
    assert_eq!(fault.detail, Some(json!({ "asked": "for" })));
}

#[tokio::test]
async fn a_page_of_690_kb_passes_unchanged() {
    let body = page(690_000);
    let step = fixture().echo(body.clone()).await;
    assert_eq!(step.records.len(), 1);
    assert!(step.records[0].body == body);
    assert_eq!(step.state, b"kept");
}

#[tokio::test]
async fn every_operation_crosses() {
    let fixture = fixture();
    let dates = DateFields {
        created: vec!["a.b".into()],
        updated: vec!["c".into(), "d".into()],
    };
    let list = ListArgs {
        resource: "things".into(),
        window: Some(Window {
            from: Timestamp::from_ms(1),
            until: None,
        }),
        filter: Some(json!({ "op": "and", "terms": [] })),
        parameters: vec![("a".into(), "b".into())],
        id_field: "id".into(),
        dates: dates.clone(),
        page_size: 500,
        checkpoint: Some(vec![1, 2]),
    };
    let get = GetArgs {
        resource: "things".into(),
        id: "1".into(),
        id_field: "id".into(),
        dates,
    };
    let sweep = SweepArgs {
        resource: "things".into(),
        id_field: "id".into(),
        page_size: 500,
    };
    for operation in [Operation::List(list), Operation::Get(get), Operation::Sweep(sweep)] {
        let run = Arc::new(Run {
            operation,
            ..(*run("records")).clone()
        });
        let step = fixture
            .host
            .call(fixture.element.digest, run, Call::Begin)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(step.records.len(), 2);
    }
}

#[tokio::test]
async fn each_call_meets_a_fresh_guest() {
    let fixture = fixture();
    for _ in 0..3 {
        assert_eq!(fixture.step("count").await.state, b"1");
    }
}

#[test]
fn calls_of_a_kept_guest_meet_what_it_kept() {
    let host = ElementHost::new(options()).unwrap();
    let examined = host.examine(&misbehave()).unwrap();
    let state =
        |subject: &dyn Subject, mode: &str| subject.call(&run(mode), &Call::Begin).map(|step| step.unwrap().state);
    assert_eq!(state(&examined, "count").unwrap(), state(&examined, "count").unwrap());
    let kept = examined.kept().unwrap().unwrap();
    assert_eq!(state(&*kept, "count").unwrap(), b"1");
    assert_eq!(state(&*kept, "count").unwrap(), b"2");
    assert_eq!(kept.manifest().unwrap(), examined.manifest().unwrap());
}

#[test]
fn a_kept_guest_has_limits_and_is_of_no_use_after_a_trap() {
    let host = ElementHost::new(Options {
        limits: Limits {
            deadline: Duration::from_millis(200),
            ..limits()
        },
        ..options()
    })
    .unwrap();
    let examined = host.examine(&misbehave()).unwrap();
    let kept = examined.kept().unwrap().unwrap();
    assert!(kept.call(&run("flood_log"), &Call::Begin).is_ok());
    let flood = kept.call(&run("flood_output"), &Call::Begin);
    assert!(matches!(flood, Err(CallError::Output(_))), "{flood:?}");
    let kept = examined.kept().unwrap().unwrap();
    assert_eq!(kept.call(&run("spin"), &Call::Begin), Err(CallError::Deadline(200)));
    assert!(kept.call(&run("records"), &Call::Begin).is_err());
    assert!(examined.call(&run("records"), &Call::Begin).is_ok());
}

#[tokio::test]
async fn memory_that_an_earlier_guest_wrote_is_empty_for_the_next() {
    let fixture = fixture();
    for _ in 0..10 {
        assert_eq!(fixture.step("leftovers").await.state, b"none");
    }
}

// --- limits ---

#[tokio::test]
async fn a_guest_that_computes_for_ever_is_stopped() {
    let limits = Limits {
        deadline: Duration::from_millis(20),
        ..limits()
    };
    let hasty = with(Options { limits, ..options() });
    let error = hasty.begin("spin").await.unwrap_err();
    assert_eq!(error, CallError::Deadline(20));
    assert_eq!(hasty.step("records").await.records.len(), 2);
    assert_eq!(
        hasty.begin("spin_after_log").await.unwrap_err(),
        CallError::Deadline(20)
    );
}

#[tokio::test]
async fn a_guest_that_hoards_memory_is_stopped() {
    assert_eq!(
        fixture().error("hog_memory").await,
        CallError::Memory(limits::MEMORY_BYTES as u64)
    );
}

#[tokio::test]
async fn a_page_that_does_not_fit_into_the_guest_is_a_matter_of_memory() {
    let fixture = fixture();
    let responses = vec![Response {
        id: 1,
        status: 200,
        headers: vec![],
        body: page(limits::MEMORY_BYTES),
    }];
    let call = Call::Advance {
        state: vec![],
        responses,
    };
    let error = fixture
        .host
        .call(fixture.element.digest, run("echo"), call)
        .await
        .unwrap_err();
    assert_eq!(error, CallError::Memory(limits::MEMORY_BYTES as u64));
}

#[tokio::test]
async fn a_guest_that_floods_its_output_is_stopped() {
    let fixture = fixture();
    let too_much = CallError::Output(limits::OUTPUT_BYTES as u64);
    assert_eq!(fixture.error("flood_output").await, too_much);
    assert_eq!(fixture.error("flood_items").await, too_much);
}

#[tokio::test]
async fn a_guest_that_recurses_for_ever_traps() {
    let trap = fixture().trap("recurse").await;
    assert!(trap.contains("call stack exhausted"), "{trap}");
}

#[tokio::test]
async fn a_panic_is_a_trap_that_says_where() {
    let trap = fixture().trap("panic").await;
    assert!(trap.contains("unreachable"), "{trap}");
    assert!(trap.contains(", at "), "{trap}");
}

#[tokio::test]
async fn a_guest_that_floods_the_log_goes_on_unheard() {
    let lines = Lines::default();
    let guard = lines.clone().listen();
    let fixture = with_this_threads_log(options());
    let step = fixture.call_here("flood_log");
    drop(guard);
    assert_eq!(step.next, Next::Done);
    let written = lines.text();
    assert_eq!(
        written.matches("element says").count(),
        limits::LOG_BYTES.div_ceil(1000)
    );
    assert!(
        written.matches('x').count() <= limits::LOG_BYTES + 100,
        "{}",
        written.matches('x').count()
    );
    assert!(written.contains("element logged more than its share"), "{written}");
}

#[test]
fn a_logged_line_names_the_element_and_stays_one_line() {
    let lines = Lines::default();
    let guard = lines.clone().listen();
    with_this_threads_log(options()).call_here("log_a_line_break");
    drop(guard);
    let written = lines.text();
    let line = written.lines().find(|line| line.contains("element says")).unwrap();
    assert!(line.contains("misbehave") && line.contains("one two"), "{written}");
}

// --- rules of the contract ---

#[tokio::test]
async fn lengths_fit_the_bytes_exactly() {
    let fixture = fixture();
    assert_eq!(
        fixture.broken_rule("bytes_left_over").await,
        "the last 1 bytes of `bytes` belong to no item"
    );
    assert_eq!(
        fixture.broken_rule("bytes_missing").await,
        "item 0 claims 3 bytes where `bytes` has 2 left"
    );
    assert_eq!(
        fixture.broken_rule("garbage_lengths").await,
        "item 0 claims 4294967295 bytes where `bytes` has 3 left"
    );
}

#[tokio::test]
async fn ids_are_short_text_that_comes_once() {
    let fixture = fixture();
    assert_eq!(
        fixture.broken_rule("empty_id").await,
        "id 0 of items has 0 bytes; expected 1 to 1024"
    );
    assert_eq!(
        fixture.broken_rule("long_id").await,
        "id 0 of items has 1025 bytes; expected 1 to 1024"
    );
    assert_eq!(
        fixture.broken_rule("id_not_utf8").await,
        "the id of item 0 is not UTF-8"
    );
    assert_eq!(
        fixture.broken_rule("id_twice").await,
        "id of items `1` comes twice in a step"
    );
    assert_eq!(
        fixture.broken_rule("sweep_empty_id").await,
        "id 0 of ids has 0 bytes; expected 1 to 1024"
    );
    assert_eq!(
        fixture.broken_rule("sweep_long_id").await,
        "id 0 of ids has 1025 bytes; expected 1 to 1024"
    );
    assert_eq!(
        fixture.broken_rule("sweep_id_twice").await,
        "id of ids `a` comes twice in a step"
    );
}

#[tokio::test]
async fn a_record_that_is_not_deleted_has_an_object_for_a_body() {
    let fixture = fixture();
    assert_eq!(
        fixture.broken_rule("empty_body").await,
        "item 0 has no body and is not deleted"
    );
    assert_eq!(
        fixture.broken_rule("body_not_an_object").await,
        "the body of item 0 is not one JSON object"
    );
}

#[tokio::test]
async fn requests_are_few_and_have_ids_that_differ() {
    let fixture = fixture();
    assert_eq!(
        fixture.broken_rule("no_request").await,
        "a step sends 0 requests; expected 1 to 16"
    );
    assert_eq!(
        fixture.broken_rule("too_many_requests").await,
        "a step sends 17 requests; expected 1 to 16"
    );
    assert_eq!(
        fixture.broken_rule("request_id_twice").await,
        "request id `1` comes twice in a step"
    );
}

#[tokio::test]
async fn what_is_kept_for_an_element_is_small() {
    let fixture = fixture();
    assert_eq!(
        fixture.broken_rule("state_over_cap").await,
        "state has 65537 bytes; expected at most 65536"
    );
    assert_eq!(
        fixture.broken_rule("checkpoint_over_cap").await,
        "checkpoint has 65537 bytes; expected at most 65536"
    );
    assert_eq!(
        fixture.broken_rule("memo_over_cap").await,
        "memo has 4097 bytes; expected at most 4096"
    );
}

#[tokio::test]
async fn what_this_gateway_does_not_know_is_refused_by_name() {
    let fixture = fixture();
    assert_eq!(
        fixture.broken_rule("unknown_next").await,
        "next is `dance`, which this gateway does not know"
    );
    let rule = fixture.broken_rule("garbled_fault").await;
    assert!(rule.starts_with("a fault's detail is not JSON"), "{rule}");
}

// --- generations ---

#[tokio::test]
async fn a_run_goes_on_with_the_generation_it_began_with() {
    let fixture = fixture();
    let next = fixture.host.load(&marked(1)).unwrap();
    assert_ne!(next.digest, fixture.element.digest);
    assert_eq!(fixture.host.find("misbehave").unwrap().digest, next.digest);
    assert_eq!(fixture.host.list().len(), 1);
    fixture.still_works().await;
}

#[tokio::test]
async fn loading_a_former_generation_rolls_back() {
    let fixture = fixture();
    fixture.host.load(&marked(1)).unwrap();
    let back = fixture.host.load(&misbehave()).unwrap();
    assert!(Arc::ptr_eq(&back, &fixture.element), "nothing was compiled again");
    assert_eq!(fixture.host.find("misbehave").unwrap().digest, fixture.element.digest);
}

#[tokio::test]
async fn generations_that_are_long_gone_are_not_kept() {
    let fixture = fixture();
    for mark in 1..=3 {
        fixture.host.load(&marked(mark)).unwrap();
    }
    let error = fixture.begin("records").await.unwrap_err();
    assert_eq!(error, CallError::NotLoaded(fixture.element.digest.to_string()));
}

#[tokio::test]
async fn a_removed_element_is_not_found_and_not_called() {
    let fixture = fixture();
    assert!(fixture.host.remove("misbehave"));
    assert!(!fixture.host.remove("misbehave"));
    assert!(fixture.host.find("misbehave").is_none());
    assert!(matches!(fixture.begin("records").await, Err(CallError::NotLoaded(_))));
}

#[test]
fn what_is_refused_leaves_the_loaded_generation_alone() {
    let Fixture { host, element } = fixture();
    let LoadError::Refused(why) = host.load(b"not a component").unwrap_err() else {
        panic!("expected a refusal")
    };
    assert!(why.contains("not WebAssembly"), "{why}");
    assert_eq!(host.find("misbehave").unwrap().digest, element.digest);
}

#[test]
fn an_export_of_another_type_is_refused() {
    let host = ElementHost::new(options()).unwrap();
    let impostor = wat::parse_str(
        r#"(component (instance $i) (export "tidegate:element/meta@1.0.0" (instance $i))
            (export "tidegate:element/operate@1.0.0" (instance $i)))"#,
    );
    let error = host.load(&impostor.unwrap()).unwrap_err();
    let words = in_words(&error);
    assert!(
        words.contains("does not fit the contract") && words.contains("manifest"),
        "{words}"
    );
}

#[test]
fn a_directory_is_loaded_as_far_as_it_can_be() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    write("a.wasm", &misbehave());
    write("b.wasm", b"#!/bin/sh");
    write("c.wasm", &marked(1));
    write("d.txt", b"not looked at");
    let host = ElementHost::new(options()).unwrap();
    let loaded = host.load_dir(directory.path()).unwrap();
    assert_eq!(loaded.elements.len(), 1);
    let refused: Vec<_> = loaded
        .refused
        .iter()
        .map(|(path, why)| (path.file_name().unwrap(), why.as_str()))
        .collect();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0].0, "b.wasm");
    assert!(
        refused[0].1.starts_with("not an element: this is not WebAssembly"),
        "{}",
        refused[0].1
    );
    assert_eq!(refused[1].0, "c.wasm");
    assert!(refused[1].1.contains("`misbehave` too"), "{}", refused[1].1);
    assert!(matches!(
        host.load_dir(&directory.path().join("none")),
        Err(LoadError::Read { .. })
    ));
}

#[tokio::test]
async fn a_host_with_a_cache_runs_what_an_earlier_one_compiled() {
    let directory = tempfile::tempdir().unwrap();
    let cached = || {
        with(Options {
            cache_dir: Some(directory.path().join("cache")),
            ..options()
        })
    };
    cached().still_works().await;
    let host = cached();
    assert!(
        host.host
            .cache
            .as_ref()
            .unwrap()
            .load(&host.host.engine, host.element.digest)
            .is_some()
    );
    host.still_works().await;
}

// --- listening to the log ---

/// Calls on the test's own thread, where the test listens to the log.
struct Here(Fixture);

fn with_this_threads_log(options: Options) -> Here {
    Here(with(options))
}

impl Here {
    fn call_here(&self, mode: &str) -> Step {
        let Fixture { host, element } = &self.0;
        let generation = host.registry.by_digest(element.digest).unwrap();
        let name = element.manifest.key.as_str().into();
        call::step(&generation.guests, name, &host.limits, &run(mode), &Call::Begin)
            .unwrap()
            .unwrap()
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl Lines {
    fn listen(self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
