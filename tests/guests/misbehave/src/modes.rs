//! What each mode does. Modes that are not forbidden (`echo`, `count`, `fault`, `sweep`) say so.
//! Must not share code with the host: it is the other side of the contract.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bindings::tidegate::element::log::{self, Level};
use crate::bindings::tidegate::element::types::{
    Fault, Header, Item, Moment, Next, Problem, Remedy, Request, Response, Run, Step,
};

const MIB: usize = 1024 * 1024;

pub(crate) fn begin(run: &Run) -> Result<Step, Fault> {
    match mode(run).as_str() {
        "panic" => panic!("misbehaving on purpose"),
        "spin" => spin(),
        "spin_after_log" => {
            log::log(Level::Info, "about to spin");
            spin()
        }
        "hog_memory" => hog_memory(),
        "recurse" => Ok(bytes_step(recurse(run.now_ms as u64).to_le_bytes().to_vec(), vec![])),
        "flood_output" => Ok(bytes_step(vec![b'x'; 40 * MIB], vec![])),
        "flood_items" => Ok(bytes_step(vec![], vec![item(0, 0); 600_000])),
        "flood_log" => {
            let line = "x".repeat(1000);
            (0..2000).for_each(|_| log::log(Level::Warn, &line));
            Ok(step(Next::Done))
        }
        "log_a_line_break" => {
            log::log(Level::Error, "one\ntwo");
            Ok(step(Next::Done))
        }
        "fault" => Err(fault(Some(br#"{"asked":"for"}"#.to_vec()))),
        "garbled_fault" => Err(fault(Some(b"{".to_vec()))),
        "leftovers" => {
            let state: &[u8] = if leftovers() { b"found" } else { b"none" };
            Ok(Step {
                state: state.to_vec(),
                ..step(Next::Done)
            })
        }
        mode => Ok(odd_step(mode)),
    }
}

/// Not forbidden: every body that comes in goes out as a record, with the state it came with.
pub(crate) fn echo(state: Vec<u8>, responses: Vec<Response>) -> Step {
    let mut bytes = Vec::new();
    let mut items = Vec::new();
    for response in responses {
        let id = response.id.to_string();
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(&response.body);
        items.push(item(id.len(), response.body.len()));
    }
    Step {
        state,
        ..bytes_step(bytes, items)
    }
}

fn odd_step(mode: &str) -> Step {
    match mode {
        "echo" => Step {
            state: b"asked once".to_vec(),
            ..step(Next::Send(vec![request(1)]))
        },
        "count" => {
            static CALLS: AtomicU32 = AtomicU32::new(0);
            let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
            Step {
                state: calls.to_string().into_bytes(),
                ..step(Next::Done)
            }
        }
        "records" => records(),
        "sweep" => Step {
            ids: vec!["a".into(), "b".into()],
            ..step(Next::Done)
        },
        "bytes_left_over" => bytes_step(b"1{}x".to_vec(), vec![item(1, 2)]),
        "bytes_missing" => bytes_step(b"1{}".to_vec(), vec![item(1, 3)]),
        "garbage_lengths" => bytes_step(b"1{}".to_vec(), vec![item(u32::MAX as usize, u32::MAX as usize); 3]),
        "empty_id" => bytes_step(b"{}".to_vec(), vec![item(0, 2)]),
        "long_id" => bytes_step([&[b'a'; 1025][..], b"{}"].concat(), vec![item(1025, 2)]),
        "id_not_utf8" => bytes_step(b"\xff{}".to_vec(), vec![item(1, 2)]),
        "id_twice" => bytes_step(b"1{}1{}".to_vec(), vec![item(1, 2), item(1, 2)]),
        "empty_body" => bytes_step(b"1".to_vec(), vec![item(1, 0)]),
        "body_not_an_object" => bytes_step(b"1[]".to_vec(), vec![item(1, 2)]),
        "no_request" => step(Next::Send(vec![])),
        "too_many_requests" => step(Next::Send((0..17).map(request).collect())),
        "request_id_twice" => step(Next::Send(vec![request(1), request(1)])),
        "unknown_next" => step(Next::Other("dance".into())),
        "sweep_empty_id" => Step {
            ids: vec![String::new()],
            ..step(Next::Done)
        },
        "sweep_id_twice" => Step {
            ids: vec!["a".into(), "a".into()],
            ..step(Next::Done)
        },
        "sweep_long_id" => Step {
            ids: vec!["a".repeat(1025)],
            ..step(Next::Done)
        },
        "state_over_cap" => Step {
            state: vec![0; 64 * 1024 + 1],
            ..step(Next::WaitMs(1))
        },
        "checkpoint_over_cap" => Step {
            checkpoint: Some(vec![0; 64 * 1024 + 1]),
            ..step(Next::Done)
        },
        "memo_over_cap" => Step {
            memo: Some(vec![0; 4 * 1024 + 1]),
            ..step(Next::Done)
        },
        unknown => panic!("no such mode: {unknown}"),
    }
}

/// Not forbidden: one record of each kind, and everything else that a step can hold.
fn records() -> Step {
    let first = Item {
        created: Moment::AtMs(1_000),
        updated: Moment::Text("yesterday".into()),
        ..item(1, 7)
    };
    let second = Item {
        deleted: true,
        ..item(2, 0)
    };
    Step {
        problems: vec![Problem {
            subject: "a".into(),
            code: "b".into(),
            message: "c".into(),
        }],
        checkpoint: Some(b"page 2".to_vec()),
        memo: Some(vec![]),
        ..bytes_step(br#"1{"a":1}22"#.to_vec(), vec![first, second])
    }
}

/// Is there anything in memory that nobody wrote? Leaves something there for the next guest to find.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "no safe code sees memory that the allocator did not clear")]
fn leftovers() -> bool {
    const PAGE: usize = 65_536;
    const PAGES: usize = 160; // More than the host keeps of a guest's memory.
    let first = core::arch::wasm32::memory_grow::<0>(PAGES);
    // SAFETY: the pages were just added to the memory, and nobody else knows of them.
    let fresh = unsafe { core::slice::from_raw_parts_mut((first * PAGE) as *mut u8, PAGES * PAGE) };
    let found = fresh.iter().any(|byte| *byte != 0);
    fresh.fill(0xAA);
    black_box(fresh);
    found
}

#[cfg(not(target_arch = "wasm32"))]
fn leftovers() -> bool {
    unreachable!("an element runs as WebAssembly")
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

fn hog_memory() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; MIB]));
    }
}

/// Deep enough for any stack; the sum keeps the compiler from making a loop of it.
fn recurse(n: u64) -> u64 {
    if n == 0 { 0 } else { black_box(n) + recurse(n - 1) }
}

/// The text of `"mode":"…"`; the host writes the configuration without white space.
fn mode(run: &Run) -> String {
    let text = String::from_utf8_lossy(&run.configuration).into_owned();
    let (_, rest) = text.split_once(r#""mode":""#).expect("the configuration has a mode");
    rest.split('"')
        .next()
        .expect("split gives at least one part")
        .to_owned()
}

fn fault(detail: Option<Vec<u8>>) -> Fault {
    Fault {
        remedy: Remedy::RateLimited(Some(30)),
        code: "too-fast".into(),
        message: "the vendor asks for a pause".into(),
        detail,
    }
}

fn request(id: u32) -> Request {
    Request {
        id,
        method: "GET".into(),
        url: "https://vendor.example/things".into(),
        headers: vec![Header {
            name: "accept".into(),
            value: "application/json".into(),
        }],
        body: None,
        idempotent: true,
        cost: 1,
        lane: "things".into(),
    }
}

fn item(id_length: usize, body_length: usize) -> Item {
    Item {
        id_length: id_length as u32,
        body_length: body_length as u32,
        created: Moment::None,
        updated: Moment::None,
        deleted: false,
    }
}

fn bytes_step(bytes: Vec<u8>, items: Vec<Item>) -> Step {
    Step {
        bytes,
        items,
        ..step(Next::Done)
    }
}

fn step(next: Next) -> Step {
    Step {
        next,
        bytes: vec![],
        items: vec![],
        ids: vec![],
        problems: vec![],
        checkpoint: None,
        memo: None,
        state: vec![],
    }
}
