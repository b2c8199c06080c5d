//! Every mode of the misbehaving element against the host, and what must come of it.
//! Must not have a wildcard in `expected`: a mode that nobody has thought about must not compile.

use std::collections::BTreeSet;

use super::*;

/// How a run ends, or that it does not.
#[derive(Debug, PartialEq)]
enum Expected {
    Done,
    /// The code of the element's own fault.
    Fault(&'static str),
    /// The host sees nothing wrong; whoever drives the run has to stop it. The gateway's own tests say how it does.
    GoesOn,
    Stopped(CallError),
    /// The words are in the trap.
    Traps(&'static str),
    /// The rule begins with these words.
    Breaks(&'static str),
}

/// Of the host that is used where a guest is expected to compute for ever.
const HASTY: Duration = Duration::from_millis(20);
/// Calls after which a run is believed to go on.
const CALLS: usize = 4;

#[deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    reason = "each mode is judged by name"
)]
fn expected(mode: Mode) -> Expected {
    use Expected::{Breaks, Done, GoesOn, Stopped, Traps};
    match mode {
        Mode::Echo | Mode::Records | Mode::Count | Mode::Leftovers | Mode::Sweep => Done,
        Mode::Fault => Expected::Fault("too-fast"),

        Mode::Panic | Mode::PanicInAdvance => Traps("unreachable"),
        Mode::Recurse => Traps("call stack exhausted"),

        Mode::Spin | Mode::SpinAfterLog | Mode::SpinInAdvance => {
            Stopped(CallError::Deadline(u64::try_from(HASTY.as_millis()).unwrap()))
        }
        Mode::HogMemory => Stopped(CallError::Memory(limits::MEMORY_BYTES as u64)),
        Mode::FloodOutput | Mode::FloodItems => Stopped(CallError::Output(limits::OUTPUT_BYTES as u64)),
        // Unheard: see the tests that listen.
        Mode::FloodLog | Mode::LogALineBreak => Done,

        Mode::BytesLeftOver => Breaks("the last 1 bytes of `bytes` belong to no item"),
        Mode::BytesMissing => Breaks("item 0 claims 3 bytes where `bytes` has 2 left"),
        Mode::GarbageLengths => Breaks("item 0 claims 4294967295 bytes where `bytes` has 3 left"),
        Mode::EmptyId => Breaks("id 0 of items has 0 bytes; expected 1 to 1024"),
        Mode::LongId => Breaks("id 0 of items has 1025 bytes; expected 1 to 1024"),
        Mode::IdNotUtf8 => Breaks("the id of item 0 is not UTF-8"),
        Mode::IdTwice => Breaks("id of items `1` comes twice in a step"),
        Mode::EmptyBody => Breaks("item 0 has no body and is not deleted"),
        Mode::BodyNotAnObject => Breaks("the body of item 0 is not one JSON object"),
        Mode::GarbageBody => {
            Breaks("the body of item 0 is not one JSON object: key must be a string at line 1 column 2")
        }

        Mode::NoRequest => Breaks("a step sends 0 requests; expected 1 to 16"),
        Mode::TooManyRequests => Breaks("a step sends 17 requests; expected 1 to 16"),
        Mode::RequestIdTwice => Breaks("request id `1` comes twice in a step"),
        Mode::UnknownNext => Breaks("next is `dance`, which this gateway does not know"),
        Mode::SweepEmptyId => Breaks("id 0 of ids has 0 bytes; expected 1 to 1024"),
        Mode::SweepIdTwice => Breaks("id of ids `a` comes twice in a step"),
        Mode::SweepLongId => Breaks("id 0 of ids has 1025 bytes; expected 1 to 1024"),
        Mode::StateOverCap => Breaks("state has 65537 bytes; expected at most 65536"),
        Mode::CheckpointOverCap => Breaks("checkpoint has 65537 bytes; expected at most 65536"),
        Mode::MemoOverCap => Breaks("memo has 4097 bytes; expected at most 4096"),
        Mode::GarbledFault => Breaks("a fault's detail is not JSON"),

        // The host does not judge requests; the runner and `outbound` do.
        Mode::ForeignHost | Mode::PlainHttp | Mode::ForeignSecret => Done,
        Mode::SecretInUrl | Mode::SecretInBody | Mode::HostHeader => Done,
        Mode::EndlessPages | Mode::SamePageAgain | Mode::EndlessWait => GoesOn,
    }
}

/// Drives a run with empty objects for answers.
async fn found(fixture: &Fixture, mode: Mode) -> Result<Expected, CallError> {
    let mut call = Call::Begin;
    for _ in 0..CALLS {
        let step = match fixture
            .host
            .call(fixture.element.digest, run(mode), Arc::new(call))
            .await?
        {
            Ok(step) => step,
            Err(fault) if fault.code == "too-fast" => return Ok(Expected::Fault("too-fast")),
            Err(fault) => panic!("{mode:?}: {fault:?}"),
        };
        let responses = match step.next {
            Next::Done => return Ok(Expected::Done),
            Next::WaitMs(_) => vec![],
            Next::Send(requests) => requests.iter().map(|request| answer(request.id, "{}".into())).collect(),
        };
        let state = step.state;
        call = Call::Advance { state, responses };
    }
    Ok(Expected::GoesOn)
}

fn as_expected(found: &Result<Expected, CallError>, expected: &Expected) -> bool {
    match (found, expected) {
        (Ok(found), expected) => found == expected,
        (Err(CallError::Trap(text)), Expected::Traps(words)) => text.contains(words),
        (Err(CallError::Contract(rule)), Expected::Breaks(words)) => rule.starts_with(words),
        (Err(error), Expected::Stopped(expected)) => error == expected,
        (Err(_), _) => false,
    }
}

#[tokio::test]
async fn every_mode_ends_as_it_should_and_the_next_call_works() {
    let patient = fixture();
    let limits = Limits {
        deadline: HASTY,
        ..limits()
    };
    let hasty = with(Options { limits, ..options() });
    for mode in Mode::ALL.iter().copied() {
        let expected = expected(mode);
        let is_hasty = matches!(expected, Expected::Stopped(CallError::Deadline(_)));
        let fixture = if is_hasty { &hasty } else { &patient };
        let found = found(fixture, mode).await;
        assert!(
            as_expected(&found, &expected),
            "{}: expected {expected:?}, found {found:?}",
            mode.name()
        );
        fixture.still_works().await;
    }
}

#[test]
fn names_of_modes_differ() {
    let names: BTreeSet<_> = Mode::ALL.iter().map(|mode| mode.name()).collect();
    assert_eq!(names.len(), Mode::ALL.len());
}
