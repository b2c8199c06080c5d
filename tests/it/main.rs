//! The real binary against the simulated vendor and the receiver, through the doors that users have.
//! One test binary, so that it is linked once.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test ends where something is not as it should be, and tells people why it was skipped"
)]

// What tests/languages.rs has.
#[path = "../languages/language.rs"]
mod language;
#[path = "../languages/projects.rs"]
mod projects;
mod support;

mod access;
mod api;
mod changes;
mod day;
mod docs;
mod elements;
mod formats;
mod hub;
mod hubspot;
mod lookup;
mod misbehave;
mod nats;
mod notes;
mod operator;
mod restart;
mod seeds;
mod signatures;
mod vendor;
mod zendesk;
