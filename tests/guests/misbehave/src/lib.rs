//! An element for the tests of `element_host`: the configuration's `mode` names what it does wrong.
//! Must not be robust, and must not be copied as an example of an element: plugins/ has those.

mod bindings {
    #![allow(clippy::all, unreachable_pub, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit", world: "element" });
}
mod modes;

use bindings::exports::tidegate::element::{meta, operate};
use bindings::tidegate::element::types::{Fault, Response, Run, Step};

struct Misbehaving;

impl meta::Guest for Misbehaving {
    fn manifest() -> Vec<u8> {
        include_bytes!("../manifest.json").to_vec()
    }
}

impl operate::Guest for Misbehaving {
    fn begin(run: Run) -> Result<Step, Fault> {
        modes::begin(&run)
    }

    fn advance(_run: Run, state: Vec<u8>, responses: Vec<Response>) -> Result<Step, Fault> {
        Ok(modes::echo(state, responses))
    }
}

/// The exported functions exist in a component only.
#[cfg(target_arch = "wasm32")]
mod exported {
    #![expect(unsafe_code, reason = "the generated glue reads and writes the linear memory")]
    use super::{Misbehaving, bindings};

    bindings::export!(Misbehaving with_types_in bindings);
}
