//! How long the calling thread has computed.
//! Must not be used for anything but differences: where it starts says nothing.

use std::time::Duration;

/// Time on a core, waiting left out.
#[cfg(unix)]
pub(super) fn thread_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    clock
        .now()
        .map(Duration::from)
        .expect("POSIX asks for this clock, and every supported system has it")
}

/// Where the system has no such clock, waiting for a core counts as computing.
#[cfg(not(unix))]
pub(super) fn thread_time() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
