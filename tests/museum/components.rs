//! Components as a gateway is given them: from the museum, and made for another version of the contract.
//! Must not judge them: the host does.

use std::path::{Path, PathBuf};

use crate::changes::contract_after;
use crate::contract::{WORLD, component, versioned};
use crate::{CONTRACT, museum};

/// The rows of the document, each with a component like that.
pub(crate) fn by_version() -> Vec<(&'static str, Vec<u8>)> {
    let released = || std::fs::read(released("1.0.0", "notes-rust")).unwrap();
    let after = |version, change| versioned(&contract_after(CONTRACT, change), version);
    vec![
        ("of the same version", component(CONTRACT, WORLD)),
        ("of an older minor of the same major", released()),
        (
            "of a newer minor, using nothing that is new",
            renamed(&released(), "1.9.0"),
        ),
        (
            "of a newer minor, using what is new",
            component(&after("1.9.0", "A function more in `log`"), WORLD),
        ),
        (
            "with an interface more among its exports",
            component(
                &after(
                    "1.9.0",
                    "An interface that another world exports, and that the gateway looks for",
                ),
                "element-with-webhook",
            ),
        ),
        ("of another major", renamed(&released(), "2.0.0")),
    ]
}

/// The component as if it had been compiled for this version, whose length must be that of 1.0.0.
fn renamed(bytes: &[u8], version: &str) -> Vec<u8> {
    const PACKAGE: &[u8] = b"tidegate:element/";
    const OLD: &[u8] = b"@1.0.0";
    let new = format!("@{version}");
    assert_eq!(new.len(), OLD.len());
    let mut renamed = bytes.to_vec();
    let starts = bytes.windows(PACKAGE.len()).enumerate();
    for (start, _) in starts.filter(|(_, window)| *window == PACKAGE) {
        let name = start + PACKAGE.len();
        let length = bytes[name..]
            .iter()
            .take_while(|byte| byte.is_ascii_lowercase())
            .count();
        let version = name + length..name + length + OLD.len();
        if bytes.get(version.clone()) == Some(OLD) {
            renamed[version].copy_from_slice(new.as_bytes());
        }
    }
    assert_ne!(renamed, bytes);
    renamed
}

fn released(version: &str, key: &str) -> PathBuf {
    museum().join(version).join(key).with_extension("wasm")
}

/// The releases, oldest first: version and directory.
pub(crate) fn releases() -> Vec<([u64; 3], PathBuf)> {
    let entries = museum().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut releases: Vec<_> = entries.filter_map(|path| Some((release(&path)?, path))).collect();
    releases.sort();
    assert!(!releases.is_empty());
    releases
}

fn release(path: &Path) -> Option<[u64; 3]> {
    let name = path.file_name()?.to_str()?;
    let numbers = name.split('.').map(|number| number.parse().ok());
    numbers.collect::<Option<Vec<u64>>>()?.try_into().ok()
}

/// Of one release.
pub(crate) fn components(release: &Path) -> Vec<PathBuf> {
    let entries = release.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut components: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|end| end == "wasm"))
        .collect();
    components.sort();
    components
}
