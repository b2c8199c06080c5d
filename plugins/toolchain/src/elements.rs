//! Builds every element under a folder to one component file each.
//! Must not install or choose a compiler itself (`toolchain` does), and must not touch a file that did not change.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::compile::{self, Crate, Detail, Names};
use crate::component;
use crate::files::{create_parent, place};
use crate::project;
use crate::toolchain::Toolchain;

/// Where the first-party elements are.
pub const PLUGINS: &str = "plugins";
/// Where the elements are that only the gateway's tests load.
pub const TEST_GUESTS: &str = "tests/guests";
/// Where the examples are, one vendor's element in each language; only those in Rust are built here.
pub const EXAMPLES: &str = "examples/elements";

/// Where to build, and how to report.
pub struct Build<'a> {
    /// The repository.
    pub root: &'a Path,
    /// The folder in it whose elements are built.
    pub folder: &'a str,
    /// Gets `<key>.wasm` for each element.
    pub out_dir: &'a Path,
    /// cargo's target directory for the repository. Elements are compiled in its `guests` directory, which has a lock of
    /// its own: so they can be built from within a build.
    pub target_dir: &'a Path,
    pub detail: Detail,
    /// Told what is done, a line at a time.
    pub log: &'a mut dyn FnMut(&str),
}

/// A built element.
#[derive(Debug)]
pub struct Element {
    /// The name of its directory, of its crate and in its manifest.
    pub key: String,
    pub component: PathBuf,
    pub bytes: usize,
    /// Whether the file was written; false if it held the same bytes already.
    pub changed: bool,
}

/// Builds all elements, in the order of their keys.
///
/// # Errors
/// In words that say what to do: a missing tool, an element that does not compile (the compiler's messages are on
/// standard error by then), a component that imports what no element may.
pub fn build(build: Build<'_>) -> Result<Vec<Element>> {
    let keys = keys(build.root, build.folder)?;
    let guests = build.target_dir.join("guests");
    let lock = guests.join(".toolchain.lock");
    create_parent(&lock)?;
    let toolchain = Toolchain::ensure(build.root, &lock, build.log)?;
    keys.into_iter()
        .map(|key| {
            let compiled = compile::compile(
                &toolchain,
                &Crate {
                    root: build.root,
                    package: &key,
                    guests: &guests,
                    locked: true,
                    detail: build.detail,
                    names: Names::Stripped,
                },
            )?;
            let directory = build.root.join(build.folder).join(&key);
            let bytes = project::finish(&compiled, &directory).with_context(|| format!("element `{key}`"))?;
            component::check(&bytes).with_context(|| format!("element `{key}` is not usable"))?;
            let component = build.out_dir.join(format!("{key}.wasm"));
            let changed = place(&bytes, &component)?;
            Ok(Element {
                key,
                component,
                bytes: bytes.len(),
                changed,
            })
        })
        .collect()
}

/// The elements of a folder: each directory in it that is a crate and has a `manifest.json`, sorted.
///
/// # Errors
/// If the folder cannot be read, or a crate is not named like its directory.
pub fn keys(root: &Path, folder: &str) -> Result<Vec<String>> {
    let folder = root.join(folder);
    let mut keys = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let directory = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        if ["manifest.json", "Cargo.toml"]
            .iter()
            .all(|file| directory.join(file).is_file())
        {
            keys.push(key(&directory)?);
        }
    }
    keys.sort();
    Ok(keys)
}

/// One name for the directory, the crate and the manifest.
fn key(directory: &Path) -> Result<String> {
    let key = directory
        .file_name()
        .and_then(|name| name.to_str())
        .context("an element's directory has an ASCII name")?;
    compile::check_name(directory, key)?;
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_crate(root: &Path, directory: &str, name: &str, is_element: bool) {
        let directory = root.join("plugins").join(directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("Cargo.toml"), format!("[package]\nname = \"{name}\"\n")).unwrap();
        if is_element {
            fs::write(directory.join("manifest.json"), "{}").unwrap();
        }
    }

    #[test]
    fn an_element_is_a_crate_with_a_manifest() {
        let root = tempfile::tempdir().unwrap();
        add_crate(root.path(), "zoho", "zoho", true);
        add_crate(root.path(), "autotaskcrm", "autotaskcrm", true);
        add_crate(root.path(), "sdk", "tidegate-sdk", false);
        assert_eq!(keys(root.path(), PLUGINS).unwrap(), ["autotaskcrm", "zoho"]);
    }

    #[test]
    fn an_element_has_one_name() {
        let root = tempfile::tempdir().unwrap();
        add_crate(root.path(), "zoho", "zoho-crm", true);
        let refusal = keys(root.path(), PLUGINS).unwrap_err().to_string();
        assert!(refusal.contains("must be named `zoho`"), "{refusal}");
    }
}
