//! What crosses between the gateway and an element, as Rust types, and what is checked of it in every language alike.
//! Must not know how an element is run (the gateway does, in a sandbox; a test may, natively), nor any vendor.
//!
//! [`run`], [`record`] and [`call`] mirror `wit/element.wit`; [`manifest`] is what an element says of itself. A [`case`] is a
//! run with the exchanges that it had: what an author records and replays, what a component carries, and what the gateway
//! keeps of a step that failed. [`replay()`] runs one, [`expect`] compares what came of it, [`check`] holds an element to the
//! contract.

pub mod binary;
pub mod body;
pub mod call;
pub mod case;
pub mod check;
mod difference;
pub mod expect;
pub mod manifest;
pub mod placeholders;
pub mod promises;
pub mod record;
pub mod replay;
pub mod run;
pub mod section;
pub mod snapshot;
#[cfg(test)]
mod testing;
pub mod time;

pub use call::{Call, CallError, Subject};
pub use case::Case;
pub use replay::{Replayed, replay};
