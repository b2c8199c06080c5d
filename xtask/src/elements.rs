//! Builds every element under a folder to one component file each.
//! Must not install or choose a compiler itself (`toolchain` does), and must not touch a file that did not change.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::component;
use crate::toolchain::{TARGET, Toolchain};

/// The profile of the root `Cargo.toml` that elements are compiled with.
const PROFILE: &str = "guest";

/// wasmtime has SIMD everywhere that the gateway runs; searching and parsing JSON gain from it.
const RUST_FLAGS: [&str; 2] = ["-C", "target-feature=+simd128"];

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

/// How much of the compiler's output is shown, on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Also what is being compiled.
    Everything,
    /// Warnings and errors alone.
    Problems,
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
            let compiled = compile(&toolchain, &build, &guests, &key)?;
            let bytes = fs::read(&compiled).with_context(|| format!("reading {}", compiled.display()))?;
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

/// cargo names what it builds after the crate, people after the directory, the gateway after the manifest: one name.
fn key(directory: &Path) -> Result<String> {
    let key = directory
        .file_name()
        .and_then(|name| name.to_str())
        .context("an element's directory has an ASCII name")?;
    let manifest = directory.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let named = text
        .lines()
        .any(|line| line.replace(' ', "") == format!("name=\"{key}\""));
    ensure!(
        named,
        "the crate in {} must be named `{key}`, like its directory",
        directory.display()
    );
    Ok(key.to_owned())
}

fn compile(toolchain: &Toolchain, build: &Build<'_>, guests: &Path, key: &str) -> Result<PathBuf> {
    // `rustc --crate-type`: a crate that is also an ordinary library would not be optimised across crates.
    let mut command = toolchain.cargo("rustc")?;
    command.args([
        "--locked",
        "--lib",
        "--crate-type",
        "cdylib",
        "--profile",
        PROFILE,
        "--package",
        key,
    ]);
    command.arg("--target-dir").arg(guests).current_dir(build.root);
    command.env("CARGO_ENCODED_RUSTFLAGS", RUST_FLAGS.join("\x1f"));
    if build.detail == Detail::Problems {
        command.arg("--quiet");
    }
    let status = command
        .status()
        .with_context(|| format!("running {}", command.get_program().display()))?;
    if !status.success() {
        bail!(
            "element `{key}` ({}/{key}) did not compile: the messages above say why",
            build.folder
        );
    }
    Ok(guests
        .join(TARGET)
        .join(PROFILE)
        .join(format!("{}.wasm", key.replace('-', "_"))))
}

/// Puts the bytes in place in one step, so that nobody reads half a component. False if they were there already: then the
/// file keeps its time, and nothing that depends on it is built again.
fn place(bytes: &[u8], path: &Path) -> Result<bool> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    create_parent(path)?;
    let draft = path.with_extension(format!("wasm.{}", std::process::id()));
    fs::write(&draft, bytes).with_context(|| format!("writing {}", draft.display()))?;
    fs::rename(&draft, path).with_context(|| format!("moving {} to {}", draft.display(), path.display()))?;
    Ok(true)
}

/// Creates the directory that `path` is to be written in.
fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().context("a file's path has a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))
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

    #[test]
    fn an_unchanged_component_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("elements/zoho.wasm");
        assert!(place(b"one", &path).unwrap());
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(!place(b"one", &path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        assert!(place(b"two", &path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::read_dir(root.path().join("elements")).unwrap().count(),
            1,
            "no draft stays behind"
        );
    }
}
