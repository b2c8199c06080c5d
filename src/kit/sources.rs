//! The files that a new project starts from, as build.rs put them in.
//! Must not know what becomes of them.

include!(concat!(env!("OUT_DIR"), "/sources.rs"));
