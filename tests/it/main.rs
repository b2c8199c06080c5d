//! The real binary against the simulated vendor and the receiver, through the doors that users have.
//! One test binary, so that it is linked once.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod support;

mod api;
mod changes;
mod docs;
mod elements;
mod hub;
mod hubspot;
mod misbehave;
mod restart;
mod seeds;
mod vendor;
mod zendesk;
