//! A panic's message on its way into the log, before the trap that would say `unreachable` alone.
//! Must not try to go on after a panic: the guest is dropped with it.

/// Called at the begin of every call, since every call may meet a fresh guest.
pub(crate) fn log_them() {
    std::panic::set_hook(Box::new(|panic| crate::log::error(&panic.to_string())));
}
