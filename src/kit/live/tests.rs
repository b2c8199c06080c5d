use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::*;
use crate::domain::element::Manifest;
use crate::domain::instance::{FirstSight, Poller};
use crate::domain::run::{Fault, Operation, Run};
use crate::domain::time::Timestamp;
use crate::engine::reach::Told;
use crate::ports::Grants;

/// Gives its answers in turn, the last one again and again.
struct Scripted {
    steps: RefCell<Vec<Outcome>>,
    calls: RefCell<Vec<Call>>,
}

impl Subject for Scripted {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        Ok(Vec::new())
    }

    fn call(&self, _: &Run, call: &Call) -> Outcome {
        self.calls.borrow_mut().push(call.clone());
        let mut steps = self.steps.borrow_mut();
        if steps.len() > 1 {
            steps.remove(0)
        } else {
            steps[0].clone()
        }
    }
}

/// Answers everything with 200, and refuses one address.
struct Anybody;

impl Vendor for Anybody {
    fn send(&self, request: Request, _: Arc<Grants>) -> BoxFuture<'static, Result<Response, Refusal>> {
        let answer = match request.url.as_str() {
            "https://elsewhere.example" => Err(Refusal("not a host of the manifest".into())),
            _ => Ok(Response {
                id: request.id,
                status: 200,
                headers: Vec::new(),
                body: Bytes::from_static(b"{}"),
            }),
        };
        Box::pin(std::future::ready(answer))
    }

    fn pause(&self, _: &str, _: Timestamp) {}

    fn paused_until(&self, _: &str) -> Option<Timestamp> {
        None
    }
}

/// A clock on which waiting takes no time and is written down.
#[derive(Default)]
struct Waits(Mutex<Vec<Duration>>);

impl Clock for Waits {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }
}

#[derive(Default)]
struct Counts {
    sent: usize,
    answered: usize,
    called: u32,
}

impl Witness for Counts {
    fn sends(&mut self, _: &Request) {
        self.sent += 1;
    }

    fn answered(&mut self, _: &Response, _: Duration) {
        self.answered += 1;
    }

    fn called(&mut self, number: u32, _: &Outcome) {
        self.called = number;
    }
}

fn step(next: Next, state: &str) -> Outcome {
    Ok(Ok(Step {
        next,
        records: Vec::new(),
        ids: vec![state.to_owned()],
        problems: Vec::new(),
        checkpoint: None,
        memo: None,
        state: state.as_bytes().to_vec(),
    }))
}

fn send(urls: &[&str]) -> Next {
    let request = |(id, url): (usize, &&str)| Request {
        id: u32::try_from(id).unwrap(),
        method: "GET".into(),
        url: (*url).to_owned(),
        headers: Vec::new(),
        body: None,
        idempotent: true,
        cost: 1,
        lane: String::new(),
    };
    Next::Send(urls.iter().enumerate().map(request).collect())
}

fn asked() -> Asked {
    let document =
        json!({"key": "x", "name": "X", "hub": "h", "version": "1.0.0", "projection": 1, "resources": [{"name": "r"}]});
    let (manifest, _) = Manifest::parse(document.to_string().as_bytes()).unwrap();
    let told = Told::of(&manifest, |_| None, HashMap::new(), &Default::default());
    Asked {
        run: Run {
            operation: Operation::Check,
            configuration: told.configuration(),
            memo: None,
            now: Timestamp::EPOCH,
        },
        grants: Arc::new(told.grants),
        secrets: HashMap::new(),
        poller: Poller {
            resource: "r".into(),
            url: "/hubs/h/r".into(),
            id_field: "id".into(),
            dates: crate::domain::instance::Dates::default(),
            filter_by_current_date: false,
            created_check_tolerance_seconds: 10,
            page_size: 100,
            overlap_seconds: 60,
        },
        first_sight: FirstSight::Snapshot,
        from: Timestamp::EPOCH,
    }
}

/// What came, what the witness was told, the calls and the waits.
fn run(steps: Vec<Outcome>, pages_max: usize) -> (Ran, Counts, Vec<Call>, Vec<Duration>) {
    let (clock, asked, mut witness) = (Waits::default(), asked(), Counts::default());
    let subject = Scripted {
        steps: RefCell::new(steps),
        calls: RefCell::default(),
    };
    let live = Live {
        vendor: &Anybody,
        clock: &clock,
        asked: &asked,
        pages_max,
    };
    let ran = futures_util::FutureExt::now_or_never(live.run(&subject, &mut witness)).expect("nothing here waits");
    let waits = clock.0.into_inner().unwrap();
    (ran, witness, subject.calls.into_inner(), waits)
}

#[test]
fn a_run_is_driven_to_its_end_with_all_answers_of_a_step() {
    let (ran, witness, calls, _) = run(vec![step(send(&["a", "b"]), "1"), step(Next::Done, "2")], 9);
    assert!(matches!(ran.end, End::Done));
    assert_eq!(
        (ran.steps, witness.called, witness.sent, witness.answered),
        (2, 2, 2, 2)
    );
    assert_eq!(ran.found.ids, ["1", "2"]);
    assert_eq!(ran.exchanges.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    let Call::Advance { state, responses } = &calls[1] else {
        panic!("{calls:?}");
    };
    assert_eq!(state, b"1");
    assert_eq!(responses.iter().map(|response| response.id).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_run_stops_after_as_many_pages_as_were_asked_for() {
    let steps = (0..9)
        .map(|page| step(send(&[&format!("p{page}")]), &page.to_string()))
        .collect();
    let (ran, witness, ..) = run(steps, 3);
    assert!(matches!(ran.end, End::Cut));
    assert_eq!((ran.exchanges.len(), witness.sent, ran.steps), (3, 3, 4));
}

#[test]
fn a_wait_is_kept_within_bounds_and_is_an_exchange_without_requests() {
    let steps = vec![
        step(Next::WaitMs(WAIT_MS_MAX + 1), "1"),
        step(Next::WaitMs(5), "2"),
        step(Next::Done, "3"),
    ];
    let (ran, _, calls, waits) = run(steps, 1);
    assert!(matches!(ran.end, End::Done));
    assert_eq!(waits, [60_000, 5].map(Duration::from_millis));
    assert_eq!(ran.exchanges, [vec![], vec![]]);
    assert!(matches!(&calls[1], Call::Advance { responses, .. } if responses.is_empty()));
}

#[test]
fn a_run_that_only_waits_ends() {
    let (ran, ..) = run(vec![step(Next::WaitMs(1), "1")], 1);
    assert!(matches!(ran.end, End::Cut));
    assert_eq!(ran.steps, STEPS_MAX);
}

#[test]
fn the_same_requests_from_the_same_state_are_a_circle_and_another_state_is_none() {
    let (ran, ..) = run(vec![step(send(&["a"]), "1")], 99);
    assert!(matches!(ran.end, End::Stalled), "{} steps", ran.steps);
    let steps = vec![step(send(&["a"]), "1"), step(send(&["a"]), "2"), step(Next::Done, "3")];
    assert!(matches!(run(steps, 99).0.end, End::Done));
}

#[test]
fn whatever_ends_a_run_is_told_apart() {
    let fault = Fault {
        remedy: crate::domain::run::Remedy::Broken,
        code: "x".into(),
        message: "y".into(),
        detail: None,
    };
    let (ran, ..) = run(vec![Ok(Err(fault.clone()))], 1);
    assert!(matches!(ran.end, End::Fault) && ran.found.fault == Some(fault));
    let (ran, ..) = run(vec![Err(CallError::Deadline(250))], 1);
    assert!(matches!(ran.end, End::Failed(CallError::Deadline(250))));
    let (ran, witness, ..) = run(vec![step(send(&["a", "https://elsewhere.example"]), "1")], 1);
    assert!(matches!(ran.end, End::Refused(_)));
    assert_eq!((ran.exchanges.len(), witness.answered), (0, 0));
}
