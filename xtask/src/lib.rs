//! Builds elements, for `cargo xtask elements` and for the gateway's build script alike.
//! Must stay small and must not know the gateway: the gateway's build script waits for it.

pub mod elements;

mod component;
mod environment;
mod toolchain;
