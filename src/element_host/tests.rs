//! A host with the misbehaving element of tests/guests: every limit stops it, and nobody else notices.
//! Must not assert on wall time: what counts is the error, and that the next call works.

#[path = "../../tests/guests/misbehave/src/mode.rs"]
mod mode;
mod modes;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tidegate_contract::case::Found;

use super::*;
use crate::domain::record::{Moment, Record};
use crate::domain::run::{
    DateFields, GetArgs, ListArgs, Next, Operation, Problem, Remedy, Response, SweepArgs, Window,
};
use crate::domain::time::Timestamp;

use self::mode::Mode;

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

fn run(mode: Mode) -> Arc<Run> {
    Arc::new(Run {
        operation: Operation::Check,
        configuration: json!({ "mode": mode.name(), "other": [1, 2] }),
        memo: Some(vec![1]),
        now: Timestamp::from_ms(1_700_000_000_000),
    })
}

type Outcome = Result<Result<Step, Fault>, CallError>;

impl Fixture {
    async fn begin(&self, mode: Mode) -> Outcome {
        self.host
            .call(self.element.digest, run(mode), Arc::new(Call::Begin))
            .await
    }

    async fn step(&self, mode: Mode) -> Step {
        self.begin(mode)
            .await
            .expect("the call ends well")
            .expect("the element gives no fault")
    }

    async fn still_works(&self) {
        assert_eq!(self.step(Mode::Records).await.records.len(), 2);
    }

    async fn echo(&self, body: Bytes) -> Step {
        let headers = vec![("date".to_owned(), "today".to_owned())];
        let responses = vec![Response {
            headers,
            ..answer(1, body)
        }];
        let call = Call::Advance {
            state: b"kept".to_vec(),
            responses,
        };
        self.host
            .call(self.element.digest, run(Mode::Echo), Arc::new(call))
            .await
            .unwrap()
            .unwrap()
    }
}

fn answer(id: u32, body: Bytes) -> Response {
    Response {
        id,
        status: 200,
        headers: vec![],
        body,
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
    let step = fixture().step(Mode::Records).await;
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
    assert_eq!(fixture().step(Mode::Sweep).await.ids, ["a", "b"]);
}

#[tokio::test]
async fn requests_arrive() {
    let step = fixture().step(Mode::Echo).await;
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
    let fault = fixture().begin(Mode::Fault).await.unwrap().unwrap_err();
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
            ..(*run(Mode::Records)).clone()
        });
        let step = fixture
            .host
            .call(fixture.element.digest, run, Arc::new(Call::Begin))
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
        assert_eq!(fixture.step(Mode::Count).await.state, b"1");
    }
}

#[test]
fn calls_of_a_kept_guest_meet_what_it_kept() {
    let host = ElementHost::new(options()).unwrap();
    let examined = host.examine(&misbehave()).unwrap();
    let state =
        |subject: &dyn Subject, mode: Mode| subject.call(&run(mode), &Call::Begin).map(|step| step.unwrap().state);
    assert_eq!(
        state(&examined, Mode::Count).unwrap(),
        state(&examined, Mode::Count).unwrap()
    );
    let kept = examined.kept().unwrap().unwrap();
    assert_eq!(state(&*kept, Mode::Count).unwrap(), b"1");
    assert_eq!(state(&*kept, Mode::Count).unwrap(), b"2");
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
    assert!(kept.call(&run(Mode::FloodLog), &Call::Begin).is_ok());
    let flood = kept.call(&run(Mode::FloodOutput), &Call::Begin);
    assert!(matches!(flood, Err(CallError::Output(_))), "{flood:?}");
    let kept = examined.kept().unwrap().unwrap();
    assert_eq!(kept.call(&run(Mode::Spin), &Call::Begin), Err(CallError::Deadline(200)));
    assert!(kept.call(&run(Mode::Records), &Call::Begin).is_err());
    assert!(examined.call(&run(Mode::Records), &Call::Begin).is_ok());
}

#[tokio::test]
async fn memory_that_an_earlier_guest_wrote_is_empty_for_the_next() {
    let fixture = fixture();
    for _ in 0..10 {
        assert_eq!(fixture.step(Mode::Leftovers).await.state, b"none");
    }
}

// --- limits ---

#[tokio::test]
async fn a_page_that_does_not_fit_into_the_guest_is_a_matter_of_memory() {
    let fixture = fixture();
    let responses = vec![answer(1, page(limits::MEMORY_BYTES))];
    let call = Call::Advance {
        state: vec![],
        responses,
    };
    let error = fixture
        .host
        .call(fixture.element.digest, run(Mode::Echo), Arc::new(call))
        .await
        .unwrap_err();
    assert_eq!(error, CallError::Memory(limits::MEMORY_BYTES as u64));
}

#[tokio::test]
async fn a_panic_is_a_trap_that_says_where() {
    let Err(CallError::Trap(trap)) = fixture().begin(Mode::Panic).await else {
        panic!("expected a trap")
    };
    assert!(trap.contains(", at "), "{trap}");
}

#[tokio::test]
async fn a_guest_that_floods_the_log_goes_on_unheard() {
    let lines = Lines::default();
    let guard = lines.clone().listen();
    let fixture = with_this_threads_log(options());
    let step = fixture.call_here(Mode::FloodLog);
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
    with_this_threads_log(options()).call_here(Mode::LogALineBreak);
    drop(guard);
    let written = lines.text();
    let line = written.lines().find(|line| line.contains("element says")).unwrap();
    assert!(line.contains("misbehave") && line.contains("one two"), "{written}");
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
async fn a_component_is_kept_while_a_run_holds_it() {
    let Fixture { host, element } = fixture();
    let next = host.load(&marked(1)).unwrap();
    host.retain(&HashSet::new());
    assert!(
        host.registry.by_digest(element.digest).is_some(),
        "the test's element is a run's"
    );
    assert!(host.registry.by_digest(next.digest).is_some(), "it is active");
    let digest = element.digest;
    drop(element);
    host.retain(&HashSet::from([digest]));
    assert!(host.registry.by_digest(digest).is_some(), "it is wanted");
    host.retain(&HashSet::new());
    assert!(host.registry.by_digest(digest).is_none());
    let call = Elements::call(&*host, digest, run(Mode::Records), Arc::new(Call::Begin));
    assert_eq!(call.await.unwrap_err(), CallError::NotLoaded(digest.to_string()));
}

#[tokio::test]
async fn an_admitted_component_is_not_used_before_it_is_made_active() {
    let Fixture { host, element } = fixture();
    let next = host.admit(marked(1).into()).await.unwrap();
    assert_eq!(host.find("misbehave").unwrap().digest, element.digest);
    assert!(host.activate(next.digest));
    assert_eq!(host.find("misbehave").unwrap().digest, next.digest);
    host.deactivate("misbehave");
    assert!(host.find("misbehave").is_none());
    assert!(!host.activate(Digest([9; 32])));
}

#[tokio::test]
async fn calls_are_counted() {
    let fixture = fixture();
    for mode in [Mode::Records, Mode::Fault, Mode::Panic] {
        let _ = fixture.begin(mode).await;
    }
    let usage = fixture.host.usage(fixture.element.digest);
    assert_eq!((usage.calls, usage.records, usage.faults, usage.traps), (3, 2, 1, 1));
    assert!(usage.cpu_us > 0 && usage.peak_memory_bytes >= 64 * 1024, "{usage:?}");
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
fn the_cases_that_a_component_carries_must_come_out_as_expected() {
    let host = ElementHost::new(options()).unwrap();
    let mut case = Case::new("a sweep", (*run(Mode::Sweep)).clone());
    case.expect = Some(Found {
        ids: vec!["a".into(), "b".into()],
        ..Found::default()
    });
    let good = section::write_cases(&misbehave(), std::slice::from_ref(&case)).unwrap();
    host.load(&good).unwrap();
    case.expect = Some(Found::default());
    let bad = section::write_cases(&misbehave(), std::slice::from_ref(&case)).unwrap();
    let words = in_words(&host.load(&bad).unwrap_err());
    assert!(words.contains("case `a sweep`"), "{words}");
    let garbled = section::append(&misbehave(), section::CASES, b"[{}]");
    assert!(matches!(host.load(&garbled), Err(LoadError::Refused(_))));
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
    fn call_here(&self, mode: Mode) -> Step {
        let Fixture { host, element } = &self.0;
        let generation = host.registry.by_digest(element.digest).unwrap();
        let name = element.manifest.key.as_str().into();
        let (answer, _) = call::step(&generation.guests, name, &host.limits, &run(mode), &Call::Begin);
        answer.unwrap().unwrap()
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
