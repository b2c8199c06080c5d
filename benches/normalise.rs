//! One page of 500 companies, from vendor bytes to sorted hub records: natively with serde, natively with the element's
//! own code, and through the component as a poll does it.
//! Must not leave out what a poll pays: a fresh guest a call, deadlines on, checks of what comes out.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod report;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use autotaskcrm::entities::Naming;
use autotaskcrm::records::{Wanted, normalise_page};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tidegate::domain::element::Element;
use tidegate::domain::run::{DateFields, ListArgs, Next, Operation, Request, Response, Run, Step, Window};
use tidegate::domain::time::Timestamp;
use tidegate::element_host::{ElementHost, Limits, Options};
use tidegate::ports::{Call, Elements};
use tidegate_examples::autotask::{Credentials, Simulator, SimulatorOptions};
use tidegate_sdk::Records;
use tokio::runtime::Runtime;

use report::Target;

mod builtin {
    //! The very components that travel inside the gateway.
    include!(concat!(env!("OUT_DIR"), "/builtin.rs"));
}

const PAGE_RECORDS: usize = 500;
const PASSES: usize = 300;
const WARM_UP: usize = 50;
const CREATED: &str = "createDate";
const UPDATED: &str = "lastActivityDate";

const AGAINST_SERDE: Target = Target { floor: 1.2, goal: 0.8 };
const AGAINST_NATIVE: Target = Target { floor: 3.0, goal: 2.0 };

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads can be started");
    let component = Component::at_second_page(&runtime);
    let page = component.page();
    report::print_head("normalise: one page of 500 companies");
    let out = component.call(&runtime);
    check(&out, &native(&page));
    println!(
        "{} bytes in, {} bytes a record; {} bytes a record out\n",
        page.len(),
        page.len() / PAGE_RECORDS,
        out.records.iter().map(|record| record.body.len()).sum::<usize>() / PAGE_RECORDS
    );
    let mut buffer = Vec::with_capacity(page.len());
    let mut run = |side: usize| {
        let started = Instant::now();
        match side {
            0 => assert_eq!(with_serde(&page, &mut buffer), PAGE_RECORDS),
            1 => assert_eq!(native(&page).len(), PAGE_RECORDS),
            _ => assert_eq!(component.call(&runtime).records.len(), PAGE_RECORDS),
        }
        started.elapsed().as_secs_f64()
    };
    turns::in_turn::<_, 3>(WARM_UP, &mut run);
    let [serde, native, component] = turns::in_turn(PASSES, run);
    for (name, passes) in [
        ("native serde_json, map of raw values", &serde),
        ("native, the element's own code", &native),
        ("component, as a poll calls it", &component),
    ] {
        let seconds = report::median(passes.iter().copied());
        println!(
            "{name:<40} {:>6.0} µs/page {:>9.0} records/s",
            seconds * 1e6,
            PAGE_RECORDS as f64 / seconds
        );
    }
    println!();
    let over = |base: &[f64]| -> Vec<f64> { component.iter().zip(base).map(|(ours, base)| ours / base).collect() };
    report::print_ratio("component ÷ native serde_json", over(&serde), AGAINST_SERDE);
    report::print_ratio("component ÷ the same code natively", over(&native), AGAINST_NATIVE);
}

/// What one would write without an element: names and raw values, sorted, nulls dropped, written again. It leaves names
/// and user-defined fields as they are, looks for no dates, and checks nothing.
fn with_serde(page: &[u8], out: &mut Vec<u8>) -> usize {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        items: Vec<BTreeMap<&'a str, &'a RawValue>>,
    }
    let mut page: Page<'_> = serde_json::from_slice(page).expect("the simulator sends JSON");
    out.clear();
    for record in &mut page.items {
        record.retain(|_, value| value.get() != "null");
        serde_json::to_writer(&mut *out, record).expect("a Vec takes every byte");
    }
    page.items.len()
}

fn native(page: &[u8]) -> Records {
    let dates = tidegate_sdk::DateFields {
        created: vec![CREATED.into()],
        updated: vec![UPDATED.into()],
    };
    let wanted = Wanted {
        naming: Naming::Hub,
        drop_nulls: true,
        id_field: "id",
        dates: &dates,
        after: Some(0),
    };
    let mut records = Records::with_capacity(page.len(), PAGE_RECORDS);
    let read = normalise_page(page, &wanted, &mut records).expect("the simulator's pages can be relied on");
    assert_eq!(read.records, PAGE_RECORDS);
    records
}

/// The component makes of the page what the same code makes natively.
fn check(step: &Step, native: &Records) {
    assert_eq!(step.records.len(), PAGE_RECORDS);
    for (component, native) in step.records.iter().zip(native.iter()) {
        assert_eq!(component.id, native.id);
        assert_eq!(component.body, native.body.as_bytes());
    }
}

/// A run that stands before its second page, the first that is like all others.
struct Component {
    host: Arc<ElementHost>,
    element: Arc<Element>,
    run: Arc<Run>,
    call: Arc<Call>,
}

impl Component {
    fn at_second_page(runtime: &Runtime) -> Self {
        let host = ElementHost::new(Options {
            workers: 1,
            limits: Limits::default(),
            cache_dir: None,
        })
        .expect("the engine starts");
        let (_, bytes) = builtin::BUILTIN
            .iter()
            .find(|(key, _)| *key == "autotaskcrm")
            .expect("it is built in");
        let element = host.load(bytes).expect("it loads, as at each start of the gateway");
        let simulator = runtime
            .block_on(Simulator::start(SimulatorOptions::default()))
            .expect("a free port");
        simulator.control().seed_companies(3 * PAGE_RECORDS);
        let run = Arc::new(list(&simulator.base_url()));
        let client = tidegate_examples::http::client();
        let mut component = Self {
            host,
            element,
            run,
            call: Arc::new(Call::Begin),
        };
        let mut pages = 0;
        loop {
            let step = component.call(runtime);
            pages += usize::from(!step.records.is_empty());
            if pages == 2 {
                return component;
            }
            let Next::Send(requests) = step.next else {
                panic!("the run should send requests, not {:?}", step.next);
            };
            let answer = |request| runtime.block_on(answer(&client, request));
            component.call = Arc::new(Call::Advance {
                state: step.state,
                responses: requests.iter().map(answer).collect(),
            });
        }
    }

    fn call(&self, runtime: &Runtime) -> Step {
        let answer = self.host.call(self.element.digest, self.run.clone(), self.call.clone());
        let step = runtime.block_on(answer).expect("the call keeps its limits");
        step.expect("the simulator is a good vendor")
    }

    fn page(&self) -> Bytes {
        let Call::Advance { responses, .. } = &*self.call else {
            panic!("the run should stand before a page");
        };
        assert_eq!(responses.len(), 1, "a page in the middle comes alone");
        responses[0].body.clone()
    }
}

fn list(server: &str) -> Run {
    let list = ListArgs {
        resource: "accounts".into(),
        window: Some(Window {
            from: Timestamp::EPOCH,
            until: None,
        }),
        filter: None,
        parameters: Vec::new(),
        id_field: "id".into(),
        dates: DateFields {
            created: vec![CREATED.into()],
            updated: vec![UPDATED.into()],
        },
        page_size: 0,
        checkpoint: None,
    };
    Run {
        operation: Operation::List(list),
        configuration: json!({
            "crm.autotask.username": Credentials::default().user_name,
            "crm.autotask.server.url": server,
            "$secrets": ["crm.autotask.password", "crm.autotask.integration.code"],
        }),
        memo: None,
        now: Timestamp::from_ms(1_767_225_600_000),
    }
}

/// Sends what the element asks for, its placeholders filled in.
async fn answer(client: &reqwest::Client, request: &Request) -> Response {
    let Credentials {
        secret,
        integration_code,
        ..
    } = Credentials::default();
    let method = request.method.parse().expect("the element knows HTTP's methods");
    let mut sent = client
        .request(method, &request.url)
        .body(request.body.clone().unwrap_or_default());
    for (name, value) in &request.headers {
        let value = value
            .replace("{{secret:crm.autotask.password}}", &secret)
            .replace("{{secret:crm.autotask.integration.code}}", &integration_code);
        sent = sent.header(name, value);
    }
    let answer = sent.send().await.expect("the simulator answers");
    let header = |name: &str| {
        let value = answer.headers().get(name)?.to_str().ok()?;
        Some((name.to_owned(), value.to_owned()))
    };
    let headers = ["content-type", "date"].into_iter().filter_map(header).collect();
    Response {
        id: request.id,
        status: answer.status().as_u16(),
        headers,
        body: answer.bytes().await.expect("the simulator finishes its answers"),
    }
}
