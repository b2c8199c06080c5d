//! The nouns: plain data that every other layer speaks of.
//! Excludes I/O, async, clocks and decisions. serde is allowed: the JSON of these types is their form on disk.

pub mod audit;
pub mod credential;
pub mod delivery;
pub mod element;
pub mod endpoint;
pub mod event;
pub mod generation;
pub mod grants;
pub mod id;
pub mod instance;
pub mod poll;
pub mod record;
pub mod secret;

// What crosses to elements is spoken of outside of the gateway too: by the authoring kit, in cases and in tests of elements.
pub use tidegate_contract::{run, time};
