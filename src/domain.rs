//! The nouns: plain data that every other layer speaks of.
//! Excludes I/O, async, clocks and decisions. serde is allowed: the JSON of these types is their form on disk.

mod binary;
pub mod delivery;
pub mod element;
pub mod event;
pub mod id;
pub mod instance;
pub mod poll;
pub mod record;
pub mod run;
pub mod secret;
pub mod time;
