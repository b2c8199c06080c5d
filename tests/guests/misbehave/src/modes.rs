//! What each mode does.
//! Must not share code with the host: it is the other side of the contract.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bindings::tidegate::element::log::{self, Level};
use crate::bindings::tidegate::element::types::{Fault, Item, Moment, Next, Problem, Remedy, Response, Run, Step};
use crate::mode::Mode;
use crate::requests::{next_page, sending, to_url, to_vendor, with_body, with_header};

const MIB: usize = 1024 * 1024;

pub(crate) fn begin(mode: Mode, run: &Run) -> Result<Step, Fault> {
    Ok(match mode {
        Mode::Echo | Mode::PanicInAdvance | Mode::SpinInAdvance => Step {
            state: b"asked once".to_vec(),
            ..sending(to_vendor(run, 1))
        },
        Mode::Records => records(),
        Mode::Count => count(),
        Mode::Leftovers => with_state(if leftovers() { b"found" } else { b"none" }),
        Mode::Sweep => ids(&["a", "b"]),
        Mode::Fault => return Err(fault(br#"{"asked":"for"}"#)),

        Mode::Panic => panic!("misbehaving on purpose"),
        Mode::Recurse => bytes_step(recurse(run.now_ms as u64).to_le_bytes().to_vec(), vec![]),

        Mode::Spin => spin(),
        Mode::SpinAfterLog => {
            log::log(Level::Info, "about to spin");
            spin()
        }
        Mode::HogMemory => hog_memory(),
        Mode::FloodOutput => bytes_step(vec![b'x'; 40 * MIB], vec![]),
        Mode::FloodItems => bytes_step(vec![], vec![item(0, 0); 600_000]),
        Mode::FloodLog => {
            let line = "x".repeat(1000);
            (0..2000).for_each(|_| log::log(Level::Warn, &line));
            step(Next::Done)
        }
        Mode::LogALineBreak => {
            log::log(Level::Error, "one\ntwo");
            step(Next::Done)
        }

        Mode::BytesLeftOver => bytes_step(b"1{}x".to_vec(), vec![item(1, 2)]),
        Mode::BytesMissing => bytes_step(b"1{}".to_vec(), vec![item(1, 3)]),
        Mode::GarbageLengths => bytes_step(b"1{}".to_vec(), vec![item(u32::MAX as usize, u32::MAX as usize); 3]),
        Mode::EmptyId => bytes_step(b"{}".to_vec(), vec![item(0, 2)]),
        Mode::LongId => bytes_step([&[b'a'; 1025][..], b"{}"].concat(), vec![item(1025, 2)]),
        Mode::IdNotUtf8 => bytes_step(b"\xff{}".to_vec(), vec![item(1, 2)]),
        Mode::IdTwice => bytes_step(b"1{}1{}".to_vec(), vec![item(1, 2), item(1, 2)]),
        Mode::EmptyBody => bytes_step(b"1".to_vec(), vec![item(1, 0)]),
        Mode::BodyNotAnObject => bytes_step(b"1[]".to_vec(), vec![item(1, 2)]),
        Mode::GarbageBody => bytes_step(b"1{garbage}".to_vec(), vec![item(1, 9)]),

        Mode::NoRequest => step(Next::Send(vec![])),
        Mode::TooManyRequests => step(Next::Send((0..17).map(|id| to_vendor(run, id)).collect())),
        Mode::RequestIdTwice => step(Next::Send(vec![to_vendor(run, 1), to_vendor(run, 1)])),
        Mode::UnknownNext => step(Next::Other("dance".into())),
        Mode::SweepEmptyId => ids(&[""]),
        Mode::SweepIdTwice => ids(&["a", "a"]),
        Mode::SweepLongId => ids(&[&"a".repeat(1025)]),
        Mode::StateOverCap => Step {
            next: Next::WaitMs(1),
            ..with_state(&[0; 64 * 1024 + 1])
        },
        Mode::CheckpointOverCap => Step {
            checkpoint: Some(vec![0; 64 * 1024 + 1]),
            ..step(Next::Done)
        },
        Mode::MemoOverCap => Step {
            memo: Some(vec![0; 4 * 1024 + 1]),
            ..step(Next::Done)
        },
        Mode::GarbledFault => return Err(fault(b"{")),

        Mode::ForeignHost => sending(to_url(run, "https://elsewhere.example/things")),
        Mode::PlainHttp => sending(to_url(run, "http://vendor.example/things")),
        Mode::ForeignSecret => sending(with_header(run, "x-token", "{{secret:crm.autotask.password}}")),
        Mode::SecretInUrl => sending(to_url(run, "https://vendor.example/things?token={{secret:token}}")),
        Mode::SecretInBody => sending(with_body(run, b"token={{secret:token}}")),
        Mode::HostHeader => sending(with_header(run, "host", "elsewhere.example")),

        Mode::EndlessPages => next_page(run, &[]),
        Mode::SamePageAgain => sending(to_vendor(run, 1)),
        Mode::EndlessWait => step(Next::WaitMs(1)),
    })
}

pub(crate) fn advance(mode: Mode, run: &Run, state: Vec<u8>, responses: Vec<Response>) -> Step {
    match mode {
        Mode::PanicInAdvance => panic!("misbehaving on purpose"),
        Mode::SpinInAdvance => spin(),
        Mode::EndlessPages => next_page(run, &state),
        Mode::SamePageAgain => sending(to_vendor(run, 1)),
        Mode::EndlessWait => step(Next::WaitMs(1)),
        _ => echo(state, responses),
    }
}

/// Every body that comes in goes out as a record, with the state it came with.
fn echo(state: Vec<u8>, responses: Vec<Response>) -> Step {
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

fn count() -> Step {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    with_state(calls.to_string().as_bytes())
}

/// One record of each kind, and everything else that a step can hold.
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

fn fault(detail: &[u8]) -> Fault {
    Fault {
        remedy: Remedy::RateLimited(Some(30)),
        code: "too-fast".into(),
        message: "the vendor asks for a pause".into(),
        detail: Some(detail.to_vec()),
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

fn ids(ids: &[&str]) -> Step {
    Step {
        ids: ids.iter().map(ToString::to_string).collect(),
        ..step(Next::Done)
    }
}

fn with_state(state: &[u8]) -> Step {
    Step {
        state: state.to_vec(),
        ..step(Next::Done)
    }
}

fn bytes_step(bytes: Vec<u8>, items: Vec<Item>) -> Step {
    Step {
        bytes,
        items,
        ..step(Next::Done)
    }
}

/// Nothing but what comes next.
pub(crate) fn step(next: Next) -> Step {
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
