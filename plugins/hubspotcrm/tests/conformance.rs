//! The element held to the contract, with the cases in `cases/`.
//! Must not hold anything else: `tidegate_sdk::conformance!` says how it is done.

tidegate_sdk::conformance!(hubspotcrm::HubSpot);
