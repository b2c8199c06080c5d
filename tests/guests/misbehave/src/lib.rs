//! An element for the tests of `element_host` and of the gateway: the configuration's `mode` names what it does wrong.
//! Must not be robust, and must not be copied as an example of an element: plugins/ has those.

mod bindings {
    #![allow(clippy::all, unreachable_pub, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit", world: "element" });
}
mod mode;
mod modes;
mod requests;

use bindings::exports::tidegate::element::{meta, operate};
use bindings::tidegate::element::types::{Fault, Response, Run, Step};
use mode::Mode;

struct Misbehaving;

impl meta::Guest for Misbehaving {
    fn manifest() -> Vec<u8> {
        include_bytes!("../manifest.json").to_vec()
    }
}

impl operate::Guest for Misbehaving {
    fn begin(run: Run) -> Result<Step, Fault> {
        modes::begin(mode(&run), &run)
    }

    fn advance(run: Run, state: Vec<u8>, responses: Vec<Response>) -> Result<Step, Fault> {
        Ok(modes::advance(mode(&run), &run, state, responses))
    }
}

fn mode(run: &Run) -> Mode {
    let name = setting(run, "mode").expect("the configuration has a mode");
    let known = Mode::ALL.iter().copied().find(|mode| mode.name() == name);
    known.unwrap_or_else(|| panic!("no such mode: {name}"))
}

/// The text of `"key":"…"`; the host writes the configuration without white space.
fn setting(run: &Run, key: &str) -> Option<String> {
    let text = String::from_utf8_lossy(&run.configuration);
    let (_, rest) = text.split_once(&format!(r#""{key}":""#))?;
    Some(rest.split('"').next()?.to_owned())
}

/// The exported functions exist in a component only.
#[cfg(target_arch = "wasm32")]
mod exported {
    #![expect(unsafe_code, reason = "the generated glue reads and writes the linear memory")]
    use super::{Misbehaving, bindings};

    bindings::export!(Misbehaving with_types_in bindings);
}
