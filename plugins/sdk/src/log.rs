//! Lines for the operator's log, the only thing that an element may call.
//! Must not be used for what ends a run (a fault) or what a user should act on (a problem): few people read a log.

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

pub fn debug(message: &str) {
    log(Level::Debug, message);
}

pub fn info(message: &str) {
    log(Level::Info, message);
}

pub fn warn(message: &str) {
    log(Level::Warn, message);
}

pub fn error(message: &str) {
    log(Level::Error, message);
}

#[cfg(target_arch = "wasm32")]
fn log(level: Level, message: &str) {
    use crate::bindings::tidegate::element::log as host;
    let level = match level {
        Level::Debug => host::Level::Debug,
        Level::Info => host::Level::Info,
        Level::Warn => host::Level::Warn,
        Level::Error => host::Level::Error,
    };
    host::log(level, message);
}

/// Natively there is no gateway to tell: tests and benchmarks look at steps and faults.
#[cfg(not(target_arch = "wasm32"))]
fn log(_level: Level, _message: &str) {}
