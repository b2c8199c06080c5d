//! One crate to one component.
//! Must not install or choose a compiler itself (`toolchain` does).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::toolchain::{TARGET, Toolchain};

/// What elements are compiled with, whatever a project's own Cargo.toml says: speed before size (1.2 to 1.6 times), one
/// unit, and a panic is a trap.
const PROFILE: &str = "guest";
const PROFILE_SETTINGS: [(&str, &str); 6] = [
    ("inherits", "\"release\""),
    ("opt-level", "3"),
    ("lto", "true"),
    ("codegen-units", "1"),
    ("panic", "\"abort\""),
    ("strip", "true"),
];

/// wasmtime has SIMD everywhere that the gateway runs; searching and parsing JSON gain from it.
const RUST_FLAGS: [&str; 2] = ["-C", "target-feature=+simd128"];

/// How much of the compiler's output is shown, on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Also what is being compiled.
    Everything,
    /// Warnings and errors alone.
    Problems,
}

/// Whether the component keeps the names of its functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// A trap's backtrace can be read.
    Kept,
    /// The smallest file.
    Stripped,
}

pub(crate) struct Crate<'a> {
    /// Where cargo runs: the workspace, or the crate itself.
    pub(crate) root: &'a Path,
    pub(crate) package: &'a str,
    /// Of elements alone: it has a lock of its own, so that they can be built from within a build.
    pub(crate) guests: &'a Path,
    /// Must Cargo.lock be right as it is?
    pub(crate) locked: bool,
    pub(crate) detail: Detail,
    pub(crate) names: Names,
}

/// Compiles and says where the component lies.
pub(crate) fn compile(toolchain: &Toolchain, what: &Crate<'_>) -> Result<PathBuf> {
    // `rustc --crate-type`: a crate that is also an ordinary library would not be optimised across crates.
    let mut command = toolchain.cargo("rustc")?;
    command.args(["--lib", "--crate-type", "cdylib", "--profile", PROFILE]);
    for (name, value) in PROFILE_SETTINGS {
        command.args(["--config", &format!("profile.{PROFILE}.{name}={value}")]);
    }
    command
        .args(["--package", what.package])
        .arg("--target-dir")
        .arg(what.guests);
    command.current_dir(what.root);
    command.env("CARGO_ENCODED_RUSTFLAGS", RUST_FLAGS.join("\x1f"));
    if what.locked {
        command.arg("--locked");
    }
    if what.detail == Detail::Problems {
        command.arg("--quiet");
    }
    if what.names == Names::Kept {
        // For the element alone: a profile that differs would compile the standard library once more.
        command.args(["--", "-C", "strip=debuginfo"]);
    }
    let status = command
        .status()
        .with_context(|| format!("running {}", command.get_program().display()))?;
    if !status.success() {
        bail!("element `{}` did not compile: the messages above say why", what.package);
    }
    let file = format!("{}.wasm", what.package.replace('-', "_"));
    Ok(what.guests.join(TARGET).join(PROFILE).join(file))
}

/// cargo names what it builds after the crate, people after the manifest: one name.
pub(crate) fn check_name(directory: &Path, key: &str) -> Result<()> {
    let manifest = directory.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let named = text
        .lines()
        .any(|line| line.replace(' ', "") == format!("name=\"{key}\""));
    ensure!(
        named,
        "the crate in {} must be named `{key}`, like the element",
        directory.display()
    );
    Ok(())
}
