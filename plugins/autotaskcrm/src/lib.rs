//! Autotask PSA as a Tidegate element: reads the REST API v1.0 and gives hub records.
//! Must not do I/O, and must not see a secret: it only says what it wants to be asked.
//!
//! In reading order: [`steps`] says what happens in a run, [`zones`] where the API is, [`query`] what is asked,
//! [`records`] what a page becomes, [`entities`] which resource is which entity, [`faults`] what refusals mean.

pub mod entities;
pub mod faults;
mod layout;
mod memo;
pub mod query;
pub mod records;
pub mod settings;
pub mod steps;
pub mod zones;

use tidegate_sdk::{Element, Fault, Response, Run, Step};

/// The element, for the component and for native tests.
#[derive(Clone, Copy, Debug)]
pub struct Autotask;

impl Element for Autotask {
    type State = steps::State;

    fn manifest() -> &'static str {
        include_str!("../manifest.json")
    }

    fn begin(run: &Run) -> Result<Step<Self::State>, Fault> {
        steps::begin(run)
    }

    fn advance(run: &Run, state: Self::State, responses: &[Response]) -> Result<Step<Self::State>, Fault> {
        steps::advance(run, state, responses)
    }
}

tidegate_sdk::export_element!(Autotask);

#[cfg(test)]
mod manifest_tests;
