//! Builds elements: for `cargo xtask elements`, for the gateway's build script and for `tidegate element build` alike.
//! Must stay small and must not know the gateway: the gateway's build script waits for it.

pub mod component;
pub mod elements;
pub mod project;

mod compile;
mod environment;
mod files;
mod toolchain;

pub use compile::{Detail, Names};
