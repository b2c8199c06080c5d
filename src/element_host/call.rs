//! One call into an element: a fresh guest with limits, the call, and everything dropped.
//! Must not keep a guest or a store: after a trap it is poisoned, and a kept one would remember other customers. ([`Kept`]
//! does, to show an author what that comes to.)

mod cpu;
mod kept;
mod log;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::domain::run::Run;
use crate::ports::{Call, CallError};
use tidegate_contract::replay::Outcome;

use super::bindings::tidegate::element::types;
use super::bindings::{Element, ElementPre};
use super::convert;
use super::engine::TICK;
use super::limits::{Limits, MemoryBudget};

use self::log::Log;

pub(super) use self::kept::Kept;

/// Frames of a trap's backtrace that are shown: enough to find the function, not a page in every log line.
const FRAMES_SHOWN: usize = 5;

/// Functions between a trap and the place of a panic in Rust; in whose names they begin.
const PANIC_MACHINERY: [&str; 6] = [
    "__rustc::",
    "rust_panic",
    "rust_begin_unwind",
    "std::panicking",
    "std::sys::",
    "core::panicking",
];

/// What the host keeps beside one guest.
pub(super) struct GuestState {
    memory: MemoryBudget,
    log: Log,
}

/// A step or a fault, as it comes out.
type Answer = Result<types::Step, types::Fault>;

/// The interface holds types alone, and bindgen! asks for its host all the same.
impl types::Host for GuestState {}

/// What a call took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) cpu: Duration,
    pub(super) memory_bytes: usize,
}

/// `begin` or `advance`, with what came out checked against the contract.
pub(super) fn step(
    guests: &ElementPre<GuestState>,
    name: Arc<str>,
    limits: &Limits,
    run: &Run,
    call: &Call,
) -> (Outcome, Cost) {
    let started = cpu::thread_time();
    let (answer, memory_bytes) = in_fresh_guest(guests, name, limits, |store, element| {
        operate(store, element, run, call)
    });
    let outcome = answer.and_then(|answer| checked(answer, limits));
    let cpu = cpu::thread_time().saturating_sub(started);
    (outcome, Cost { cpu, memory_bytes })
}

fn operate(store: &mut Store<GuestState>, element: &Element, run: &Run, call: &Call) -> wasmtime::Result<Answer> {
    let input = convert::RunInput::new(run);
    let operate = element.tidegate_element_operate();
    match call {
        Call::Begin => operate.call_begin(store, input.as_wit()),
        Call::Advance { state, responses } => {
            let responses = convert::ResponsesInput::new(responses);
            operate.call_advance(store, input.as_wit(), state, &responses.as_wit())
        }
    }
}

/// What came out of the guest, held against the contract.
fn checked(answer: Answer, limits: &Limits) -> Outcome {
    match answer {
        Ok(step) => convert::step(step, limits).map(Ok),
        Err(fault) => convert::fault(fault).map(Err),
    }
}

/// The manifest as the element writes it.
pub(super) fn manifest(guests: &ElementPre<GuestState>, name: Arc<str>, limits: &Limits) -> Result<Vec<u8>, CallError> {
    in_fresh_guest(guests, name, limits, |store, element| {
        element.tidegate_element_meta().call_manifest(store)
    })
    .0
}

fn in_fresh_guest<T>(
    guests: &ElementPre<GuestState>,
    name: Arc<str>,
    limits: &Limits,
    enter: impl FnOnce(&mut Store<GuestState>, &Element) -> wasmtime::Result<T>,
) -> (Result<T, CallError>, usize) {
    let mut store = store(guests, name, limits);
    let outcome = guests
        .instantiate(&mut store)
        .and_then(|element| enter(&mut store, &element));
    store.data_mut().log.finish();
    let outcome = outcome.map_err(|error| explain(&error, store.data(), limits));
    (outcome, store.data().memory.used())
}

/// A place for one guest, with limits.
fn store(guests: &ElementPre<GuestState>, name: Arc<str>, limits: &Limits) -> Store<GuestState> {
    let state = GuestState {
        memory: MemoryBudget::new(limits.memory_bytes),
        log: Log::new(name, limits.log_bytes),
    };
    let mut store = Store::new(guests.engine(), state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(limits.output_bytes);
    // Before the guest exists: start functions are guest code, and so is what makes room for arguments.
    set_deadline(&mut store, limits.deadline);
    store
}

/// Ticks are wall clock, and the thread may have been waiting for a core meanwhile: then the guest gets what is left.
fn set_deadline(store: &mut Store<GuestState>, deadline: Duration) {
    let started = cpu::thread_time();
    store.set_epoch_deadline(ticks(deadline));
    store.epoch_deadline_callback(move |_| {
        let used = cpu::thread_time().saturating_sub(started);
        Ok(match deadline.checked_sub(used) {
            Some(left) if !left.is_zero() => UpdateDeadline::Continue(ticks(left)),
            _ => UpdateDeadline::Interrupt,
        })
    });
}

/// At least one; rounded up, since the tick that is running may end at once.
fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(TICK.as_nanos()))
        .unwrap_or(u64::MAX)
        .max(1)
}

/// The limit that the guest ran into, else what it did wrong.
fn explain(error: &wasmtime::Error, state: &GuestState, limits: &Limits) -> CallError {
    if state.memory.was_exceeded() {
        return CallError::Memory(limits.memory_bytes as u64);
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return CallError::Deadline(u64::try_from(limits.deadline.as_millis()).unwrap_or(u64::MAX));
    }
    let cause = error.root_cause().to_string();
    // wasmtime keeps the type of this error to itself; a test sees to it that the words are still these.
    if cause.contains("fuel allocated for hostcalls") {
        return CallError::Output(limits.output_bytes as u64);
    }
    if error.is::<std::str::Utf8Error>() {
        return CallError::Contract(format!("a string is not UTF-8: {cause}"));
    }
    let mut text = cause;
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        text.push_str(&frames(backtrace));
    }
    if let Some(line) = state.log.last_error() {
        text.push_str("; its last logged error: ");
        text.push_str(line);
    }
    CallError::Trap(text)
}

/// Names where the component kept them, else offsets that `addr2line` takes. Without what every panic goes through.
fn frames(backtrace: &WasmBacktrace) -> String {
    let named = backtrace
        .frames()
        .iter()
        .map(|frame| match (frame.func_name(), frame.module_offset()) {
            (Some(name), _) => format!("{:#}", rustc_demangle::demangle(name)),
            (None, Some(offset)) => format!("{offset:#x}"),
            (None, None) => "?".to_owned(),
        });
    let is_machinery = |name: &String| PANIC_MACHINERY.iter().any(|part| name.starts_with(part));
    let frames: Vec<_> = named.skip_while(is_machinery).take(FRAMES_SHOWN).collect();
    if frames.is_empty() {
        String::new()
    } else {
        format!(", at {}", frames.join(" < "))
    }
}
