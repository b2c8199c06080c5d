//! The tests of this package in one binary, which links once.
//! Only names the modules.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helper functions too"
)]

mod errors;
mod faults;
mod filters;
mod paging;
mod receiver;
mod rows;
mod vendor;
