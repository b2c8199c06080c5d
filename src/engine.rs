//! Decisions, pure: the same input gives the same output. Excludes I/O, async, clocks, dice and the environment.

pub mod client;
pub mod compare;
pub mod configuration;
pub mod credentials;
pub mod dates;
pub mod deliverable;
pub mod egress;
pub mod endpoint;
pub mod envelope;
pub mod fields;
pub mod lockout;
pub mod macros;
pub mod news;
pub mod pace;
pub mod plan;
pub mod poller_url;
pub mod reach;
pub mod retry;
pub mod schedule;
pub mod sign;
pub mod trust;
pub mod watermark;
pub mod where_clause;
