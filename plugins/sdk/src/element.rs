//! The trait that an element implements, and how its answers cross to the gateway.
//! Must not hold anything between two calls: every call may meet a fresh guest.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::exports::tidegate::element::{meta, operate};
use crate::bindings::tidegate::element::types;
use crate::convert;
use crate::{Fault, Response, Run, Step};

/// An adapter for one vendor's API: a pure state machine.
///
/// The same inputs must give the same answer. There is no clock but [`Run::now_ms`], and nothing survives between two
/// calls but [`Self::State`].
pub trait Element {
    /// The continuation: what `advance` needs to know of what was asked before. Crosses as JSON, at most 64 KiB.
    type State: Serialize + DeserializeOwned;

    /// The manifest, a JSON document that docs/manifest.md describes: `include_str!("../manifest.json")`.
    fn manifest() -> &'static str;

    /// The first step of an operation.
    ///
    /// # Errors
    /// A fault ends the run; its remedy says what may help.
    fn begin(run: &Run) -> Result<Step<Self::State>, Fault>;

    /// The next step, given the responses to all requests of the last one. They come in any order: see [`Response::id`].
    ///
    /// # Errors
    /// A fault ends the run; its remedy says what may help. Nothing that a vendor sends may be met by a panic.
    fn advance(run: &Run, state: Self::State, responses: &[Response]) -> Result<Step<Self::State>, Fault>;
}

/// Speaks the component's interfaces for an [`Element`]. Used by [`export_element!`](crate::export_element) alone.
#[doc(hidden)]
pub struct Guest<E>(PhantomData<E>);

impl<E: Element> meta::Guest for Guest<E> {
    fn manifest() -> Vec<u8> {
        E::manifest().as_bytes().to_vec()
    }
}

impl<E: Element> operate::Guest for Guest<E> {
    fn begin(run: types::Run) -> Result<types::Step, types::Fault> {
        #[cfg(target_arch = "wasm32")]
        crate::panics::log_them();
        let answer = convert::run_in(run)
            .and_then(|run| E::begin(&run))
            .and_then(convert::step_out);
        answer.map_err(convert::fault_out)
    }

    fn advance(run: types::Run, state: Vec<u8>, responses: Vec<types::Response>) -> Result<types::Step, types::Fault> {
        #[cfg(target_arch = "wasm32")]
        crate::panics::log_them();
        let answer = convert::run_in(run).and_then(|run| {
            let state = convert::state_in(&state)?;
            let responses = convert::responses_in(responses);
            E::advance(&run, state, &responses).and_then(convert::step_out)
        });
        answer.map_err(convert::fault_out)
    }
}

/// Makes a type that implements [`Element`] what the component exports. Once in a crate; does nothing natively.
#[rustfmt::skip]
#[macro_export]
macro_rules! export_element {
    ($element:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "a component's exports are functions with fixed names and raw arguments")]
        const _: () = {
            type Exported = $crate::Guest<$element>;
            $crate::bindings::export_guest!(Exported with_types_in $crate::bindings);
        };
    };
}
