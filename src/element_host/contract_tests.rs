//! Every element that travels inside the program, held to the contract as a component in its sandbox, by its own cases.
//! Must not hold a rule: tidegate-contract does, for every language alike.

use std::path::Path;

use tidegate_contract::case::files::CaseFile;
use tidegate_contract::check::{Rule, Verdict, check};
use tidegate_contract::snapshot;

use super::{ElementHost, Limits, Options};

mod builtin {
    include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

    pub(super) fn all() -> &'static [(&'static str, &'static [u8])] {
        BUILTIN
    }
}

#[test]
fn every_built_in_element_keeps_the_contract() {
    let host = ElementHost::new(Options {
        workers: 1,
        limits: Limits::default(),
        cache_dir: None,
    })
    .unwrap();
    for (key, bytes) in builtin::all() {
        let element = host.examine(bytes).unwrap();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("plugins")
            .join(key)
            .join("cases");
        let files = CaseFile::load_dir(&directory).unwrap();
        assert!(!files.is_empty(), "{key} has no cases");
        let cases: Vec<_> = files.into_iter().map(|file| file.case).collect();
        for case in &cases {
            let tested = snapshot::test(&element, case);
            assert!(tested.is_ok(), "{key}: {tested}");
        }
        let report = check(&element, &element.element().manifest, &cases);
        assert!(!report.is_broken(), "{key}:\n{report}");
        let fresh = report.rule(Rule::FreshGuest).unwrap();
        assert!(matches!(fresh.verdict, Verdict::Held), "{key}: {fresh}");
        println!("{key}:\n{report}");
    }
}
