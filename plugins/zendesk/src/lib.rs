//! Zendesk Support as a Tidegate element: reads the REST API v2 and gives hub records.
//! Must not do I/O, and must not see a secret: it only says what it wants to be asked.
//!
//! In reading order: [`steps`] says what happens in a run, [`resources`] what can be read and where, [`export`] how polls
//! and sweeps go through the incremental exports, [`listing`] how a user's reads go through lists and searches, [`records`]
//! what a page becomes, [`matching`] and [`search`] what a where clause means, [`faults`] what refusals mean.
//!
//! What is decided here, from <https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/>
//! and <https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/>:
//!
//! - **Date of change** is `updated_at`, which moves with what people and rules do to a ticket. The export is ordered by
//!   `generated_timestamp`, which the system moves too, so it gives tickets whose `updated_at` lies before the time that
//!   was asked for. `generated_timestamp` is left out of records: on its own it is no change that anybody can see. A
//!   poller may still name it as its date.
//! - **A checkpoint** is the cursor behind the records of the same step (for organizations, whose export has none, the time
//!   up to which they were read). With one, the window of a poll is not used: the cursor knows better.
//! - **Deleted** is a ticket with `status` `deleted`, a user with `active` `false`, an organization with `deleted_at`.
//! - **Limits**, from <https://developer.zendesk.com/api-reference/introduction/rate-limits/>: an account has 200 requests a
//!   minute in the smallest of the plans sold today, and 10 incremental exports among them; a search export has 100
//!   (<https://support.zendesk.com/hc/en-us/articles/4408825120538>). A fifth is left to the account's other integrations.
//! - **A where clause of a poll** is applied to what the export gives, since an export takes none; a lower bound on the date
//!   of change is left out of it, since it is the export's position that says what is new.

mod checkpoint;
pub mod export;
pub mod faults;
pub mod listing;
mod lookup;
pub mod matching;
mod paths;
pub mod records;
pub mod resources;
pub mod search;
pub mod settings;
pub mod steps;

use tidegate_sdk::{Element, Fault, Response, Run, Step};

/// The element, for the component and for native tests.
#[derive(Clone, Copy, Debug)]
pub struct Zendesk;

impl Element for Zendesk {
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

tidegate_sdk::export_element!(Zendesk);

#[cfg(test)]
mod manifest_tests;
