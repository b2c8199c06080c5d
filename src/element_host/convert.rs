//! WIT types to domain types and back.
//! Must not repair what a guest got wrong: a broken rule of the contract is an error that names the rule.

mod input;
mod output;

pub(super) use input::{ResponsesInput, RunInput};
pub(super) use output::{fault, step};
