//! The element held to the contract, with the cases of the public documentation.
//! Must not hold anything else: `tidegate_sdk::conformance!` says how it is done.

tidegate_sdk::conformance!(zendesk::Zendesk);
