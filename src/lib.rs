//! Tidegate: any vendor's API as a stream of created, updated and deleted events.
//!
//! The modules from the bottom up; each uses only those above it in this list (tests/layers.rs checks it):
//! `domain` nouns · `engine` decisions, pure · `ports` what is needed from outside · `service` use cases ·
//! `store`, `outbound`, `element_host`, `vault`, `clock` adapters · `api` REST · `config`, `telemetry` · `kit` authoring · `cli` · `app` wiring.
//! ARCHITECTURE.md has the map and the life of one poll.

pub mod domain;
pub mod engine;
pub mod ports;

pub mod service;

pub mod clock;
pub mod element_host;
pub mod outbound;
pub mod store;
pub mod vault;

pub mod api;
pub mod cli;
pub mod config;
pub mod telemetry;

pub mod kit;

pub mod app;
