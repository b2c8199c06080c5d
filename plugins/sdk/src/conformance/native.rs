//! An element's own code as a subject, by way of the same types and conversions as in a component.
//! Must not let a panic end the test: in a component it is a trap of one call.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidegate_contract::run::{Fault, Run, Step};
use tidegate_contract::{Call, CallError, Subject, promises};

use super::convert;
use crate::Element;
use crate::bindings::exports::tidegate::element::operate::Guest as _;
use crate::element::Guest;

/// Calls an element natively. There are no guests: what an element keeps in statics is seen in the component alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native<E>(PhantomData<E>);

impl<E> Native<E> {
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E: Element> Subject for Native<E> {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        Ok(E::manifest().as_bytes().to_vec())
    }

    fn call(&self, run: &Run, call: &Call) -> Result<Result<Step, Fault>, CallError> {
        let run = convert::run_out(run);
        let enter = || match call {
            Call::Begin => Guest::<E>::begin(run),
            Call::Advance { state, responses } => {
                Guest::<E>::advance(run, state.clone(), convert::responses_out(responses))
            }
        };
        // A panic leaves nothing behind that is looked at again: all that the call had is dropped.
        let answer = catch_unwind(AssertUnwindSafe(enter)).map_err(|panic| CallError::Trap(message(&*panic)))?;
        match answer {
            Ok(step) => {
                let step = convert::step_in(step).map_err(CallError::Contract)?;
                promises::check(&step).map_err(CallError::Contract)?;
                Ok(Ok(step))
            }
            Err(fault) => convert::fault_in(fault).map(Err).map_err(CallError::Contract),
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}
