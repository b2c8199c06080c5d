//! An element held to the contract by its own `cargo test`: its manifest, its cases and the contract's rules, by the very
//! code that the gateway uses for components.
//! Must not be in a component: it is native, and behind the feature `conformance`.
//!
//! In the element's `Cargo.toml`:
//!
//! ```toml
//! [dev-dependencies]
//! tidegate-sdk = { version = "…", features = ["conformance"] }
//! ```
//!
//! and in one of its tests: `tidegate_sdk::conformance!(MyElement);`

mod convert;
mod native;

use std::path::Path;

use tidegate_contract::Case;
use tidegate_contract::Subject as _;
use tidegate_contract::case::files::CaseFile;
use tidegate_contract::check::check;
use tidegate_contract::manifest::Manifest;
use tidegate_contract::snapshot::{Tested, test, update};

use crate::Element;

pub use native::Native;

/// Set to 1, the environment variable makes what the cases give their expectation.
const UPDATE: &str = "UPDATE_CASES";

/// A test that the element keeps the contract, with the cases in `cases/*.json` of the crate that it stands in.
///
/// With `UPDATE_CASES=1` in the environment, what the cases give becomes what they expect; look at the difference before it
/// is committed.
#[macro_export]
macro_rules! conformance {
    ($element:ty) => {
        #[test]
        fn the_element_keeps_the_contract() {
            $crate::conformance::assert::<$element>(env!("CARGO_MANIFEST_DIR"));
        }
    };
}

/// What [`conformance!`](crate::conformance!) calls.
///
/// # Panics
/// With the whole report, where a case fails or a rule is broken.
pub fn assert<E: Element>(directory: &str) {
    let updates = updates();
    if let Err(report) = report::<E>(&Path::new(directory).join("cases"), updates) {
        panic!("\n{report}\n");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has no other way to be told, and reads the variable once"
)]
fn updates() -> bool {
    std::env::var(UPDATE).is_ok_and(|value| value == "1")
}

/// The report; as an error where the element does not keep the contract.
///
/// # Errors
/// The report, or why there is none: a manifest or a case that cannot be read.
pub fn report<E: Element>(cases: &Path, updates: bool) -> Result<String, String> {
    let element = Native::<E>::new();
    let document = element.manifest().map_err(|error| format!("manifest: {error}"))?;
    let (manifest, _) = Manifest::parse(&document).map_err(|error| format!("manifest: {error}"))?;
    let mut files = CaseFile::load_dir(cases)?;
    if files.is_empty() {
        return Err(format!(
            "{}: found no case; expected one file such as `contacts.json` for each",
            cases.display()
        ));
    }
    let mut tested = Vec::new();
    for file in &mut files {
        tested.push(tested_file(&element, file, updates)?);
    }
    let cases: Vec<Case> = files.into_iter().map(|file| file.case).collect();
    let rules = check(&element, &manifest, &cases);
    let lines: Vec<_> = tested.iter().map(ToString::to_string).collect();
    let mut report = format!("{}\n{rules}", lines.join("\n"));
    let failed = tested.iter().any(|tested| !tested.is_ok());
    if failed {
        report.push_str(&format!("\n{UPDATE}=1 makes what the cases give what they expect.\n"));
    }
    if failed || rules.is_broken() {
        Err(report)
    } else {
        Ok(report)
    }
}

fn tested_file<E: Element>(element: &Native<E>, file: &mut CaseFile, updates: bool) -> Result<Tested, String> {
    if !updates {
        return Ok(test(element, &file.case));
    }
    let (tested, changed) = update(element, &mut file.case);
    if changed {
        file.save()?;
    }
    Ok(tested)
}

#[cfg(test)]
mod tests;
