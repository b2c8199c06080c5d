//! HubSpot CRM as a Tidegate element: reads the CRM API v3 and gives hub records.
//! Must not do I/O, and must not see a secret: it only says what it wants to be asked.
//!
//! In reading order: [`steps`] says what happens in a run, [`query`] what a search asks for, [`records`] what a page
//! becomes, [`objects`] what is known of each object, [`settings`] what the configuration means, [`faults`] what refusals
//! mean.
//!
//! Facts about the vendor are from its public documentation, mainly
//! <https://developers.hubspot.com/docs/api-reference/search/guide> (search),
//! <https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines> (limits) and
//! <https://developers.hubspot.com/docs/api-reference/error-handling> (errors).
//!
//! The manifest's limits are from the page on limits: 100 requests in ten seconds, which is what the smallest subscription
//! has, and five searches a second. A fifth of both is left to the account's other integrations.

pub mod faults;
pub mod objects;
pub mod query;
pub mod records;
pub mod settings;
pub mod steps;

use tidegate_sdk::{Element, Fault, Response, Run, Step};

/// The element, for the component and for native tests.
#[derive(Clone, Copy, Debug)]
pub struct HubSpot;

impl Element for HubSpot {
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

tidegate_sdk::export_element!(HubSpot);

#[cfg(test)]
mod manifest_tests;
