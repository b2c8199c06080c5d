//! What was released goes on working: the contract is compared with its last released copy, the components of every
//! released SDK are run, and the tables of docs/compatibility.md are tried row by row.
//! Must not build an element: what is in tests/museum stays as it was.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the repository fails, wherever it notices"
)]

// Beside this file they would each be a test program of their own.
#[path = "museum/changes.rs"]
mod changes;
#[path = "museum/components.rs"]
mod components;
#[path = "museum/contract.rs"]
mod contract;
#[path = "museum/document.rs"]
mod document;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tidegate::element_host::{ElementHost, Limits, LoadError, Options};
use tidegate_contract::manifest::Manifest;
use tidegate_contract::{Case, section, snapshot};

use crate::changes::{DocumentChange, OF_THE_CONTRACT, contract_after, edited};
use crate::contract::{Change, compare, judge, version, versioned};
use crate::document::{runs, same_rows, table};

/// The contract of this build.
const CONTRACT: &str = include_str!("../wit/element.wit");
/// Of one release: clones of the repository carry them for ever.
const RELEASE_BYTES_MAX: u64 = 1_000_000;

fn museum() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/museum")
}

fn host() -> Arc<ElementHost> {
    ElementHost::new(Options {
        workers: 1,
        limits: Limits::default(),
        cache_dir: None,
    })
    .unwrap()
}

// --- what was released ---

#[test]
fn the_contract_says_by_its_version_what_changed_since_the_last_release() {
    let (number, release) = components::releases().pop().unwrap();
    let released = std::fs::read_to_string(release.join("element.wit")).unwrap();
    assert_eq!(
        version(&released),
        number,
        "{} holds another version",
        release.display()
    );
    if let Err(words) = judge(&released, CONTRACT) {
        panic!("wit/element.wit: {words}");
    }
}

#[test]
fn every_released_component_loads_and_gives_what_it_gave() {
    let host = host();
    for (_, release) in components::releases() {
        let components = components::components(&release);
        assert!(!components.is_empty(), "{} has no component", release.display());
        for path in components {
            let name = path.display();
            let bytes = std::fs::read(&path).unwrap();
            let element = host.examine(&bytes).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let key = &element.element().manifest.key;
            assert_eq!(path.file_stem().unwrap().to_str(), Some(key.as_str()));
            let cases = section::read_cases(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!cases.is_empty(), "{name} carries no cases");
            for case in &cases {
                let tested = snapshot::test(&element, case);
                assert!(tested.is_ok(), "{name}: {tested}");
            }
        }
    }
}

#[test]
fn the_smallest_manifest_of_every_release_is_still_one() {
    for (_, release) in components::releases() {
        let path = release.join("manifest.json");
        let read = Manifest::parse(&std::fs::read(&path).unwrap());
        assert!(read.is_ok(), "{}: {read:?}", path.display());
    }
}

#[test]
fn a_release_takes_little_room() {
    for (_, release) in components::releases() {
        let files = release
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap());
        let bytes: u64 = files.map(|file| file.len()).sum();
        assert!(
            bytes <= RELEASE_BYTES_MAX,
            "{} has {bytes} bytes; expected at most {RELEASE_BYTES_MAX}",
            release.display()
        );
    }
}

// --- the judge ---

#[test]
fn a_breaking_change_is_refused_within_its_major_in_words() {
    let after = contract_after(CONTRACT, "A field more in a record");
    for number in ["1.0.0", "1.1.0"] {
        let words = judge(CONTRACT, &versioned(&after, number)).unwrap_err();
        let expected = format!(
            "an element compiled for 1.0.0 does not run with this text, which calls itself {number}: type mismatch"
        );
        assert!(words.starts_with(&expected), "{words}");
        assert!(
            words.contains("`header`, expected 2 fields, found 3") && words.ends_with("else it is version 2.0.0"),
            "{words}"
        );
    }
    judge(CONTRACT, &versioned(&after, "2.0.0")).unwrap();
}

#[test]
fn a_change_of_the_types_raises_the_minor() {
    let after = contract_after(CONTRACT, "A function more in `log`");
    for number in ["1.0.0", "1.0.1"] {
        assert_eq!(
            judge(CONTRACT, &versioned(&after, number)).unwrap_err(),
            format!(
                "the types differ from those of 1.0.0, and the version is {number}; expected 1.1.0 \
                 (docs/compatibility.md)"
            )
        );
    }
    judge(CONTRACT, &versioned(&after, "1.1.0")).unwrap();
}

#[test]
fn comments_change_freely_and_a_version_never_goes_back() {
    let after = contract_after(CONTRACT, "Text of comments");
    assert_ne!(after, CONTRACT);
    for number in ["1.0.0", "1.0.1"] {
        judge(CONTRACT, &versioned(&after, number)).unwrap();
    }
    assert_eq!(
        judge(CONTRACT, &versioned(CONTRACT, "0.9.0")).unwrap_err(),
        "the version went back from 1.0.0 to 0.9.0"
    );
}

// --- docs/compatibility.md ---

#[test]
fn the_contracts_table_says_what_the_compiler_says() {
    let heading = "change to `wit/element.wit`";
    let rows = table(heading);
    same_rows(heading, &rows, OF_THE_CONTRACT.iter().map(|(name, _)| *name));
    for row in rows {
        let found = compare(CONTRACT, &contract_after(CONTRACT, row[0]));
        let name = row[0];
        assert_eq!(
            found.old_element.is_ok(),
            runs(row[1]),
            "{name}: {:?}",
            found.old_element
        );
        assert_eq!(
            found.new_element.is_ok(),
            runs(row[2]),
            "{name}: {:?}",
            found.new_element
        );
        assert_eq!(found.change.word(), row[3], "{name}");
    }
}

#[test]
fn the_manifests_table_says_what_a_gateway_does() {
    let minimal = std::fs::read(museum().join("1.0.0/manifest.json")).unwrap();
    let minimal: Value = serde_json::from_slice(&minimal).unwrap();
    try_documents(
        "change to what a manifest may hold",
        &changes::of_the_manifest(),
        &minimal,
        |bytes| Manifest::parse(bytes).is_ok(),
    );
}

#[test]
fn the_cases_table_says_what_a_gateway_does() {
    let minimal = json!({"format": 1, "name": "a case", "run": {"operation": "check", "nowMs": 0}});
    try_documents(
        "change to what a case may hold",
        &changes::of_a_case(),
        &minimal,
        |bytes| Case::parse(bytes).is_ok(),
    );
}

fn try_documents(heading: &str, changes: &[DocumentChange], base: &Value, is_taken: impl Fn(&[u8]) -> bool) {
    let rows = table(heading);
    same_rows(heading, &rows, changes.iter().map(|(name, ..)| *name));
    for row in rows {
        let (name, before, after) = changes.iter().find(|(name, ..)| *name == row[0]).unwrap();
        assert_eq!(is_taken(&edited(base, before)), runs(row[1]), "{name}: {before}");
        assert_eq!(is_taken(&edited(base, after)), runs(row[2]), "{name}: {after}");
        assert!(
            runs(row[1]) || row[3] == Change::Major.word(),
            "{name}: what a gateway of after refuses is a major change"
        );
    }
}

#[test]
fn a_gateway_does_with_each_version_what_the_document_says() {
    let heading = "element";
    let rows = table(heading);
    let tried = components::by_version();
    same_rows(heading, &rows, tried.iter().map(|(name, _)| *name));
    let host = host();
    for row in rows {
        let (name, bytes) = tried.iter().find(|(name, _)| *name == row[0]).unwrap();
        let outcome = host.examine(bytes).map(|_| ());
        match (&outcome, row[1]) {
            // A made-up component traps when it is called for its manifest: by then it was taken.
            (Ok(()) | Err(LoadError::Call(_)), "runs it") => {}
            (Err(LoadError::Mismatch(error)), "refuses it when it is loaded, and names what is missing") => {
                let words = chain(&**error);
                assert!(
                    words.contains("tidegate:element/log@1.9.0") && words.contains("enabled"),
                    "{words}"
                );
            }
            (Err(LoadError::Refused(words)), "refuses it when it is loaded, and names the version") => {
                assert!(
                    words.contains("@2.0.0") && words.contains("of version 1 only"),
                    "{words}"
                );
            }
            (_, cell) => panic!("{name}: the document says {cell:?}, and found was {outcome:?}"),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(chain).unwrap_or_default();
    format!("{error}: {source}")
}
