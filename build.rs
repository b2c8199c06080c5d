//! Compiles the elements of `plugins/` and makes them part of the library: one file is enough to run the gateway.
//! Must not know how elements are compiled (`xtask` does), nor print anything when all goes well.
#![expect(
    clippy::print_stderr,
    reason = "what a build script has to say to people goes to standard error"
)]

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result};
use xtask::elements::{self, Build, Detail};

fn main() -> ExitCode {
    match embed_elements() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes `$OUT_DIR/builtin.rs`, which `include!`s as `BUILTIN`: key and component of each element, sorted by key.
fn embed_elements() -> Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let built = elements::build(Build {
        root: &root,
        folder: elements::PLUGINS,
        out_dir: &out_dir,
        target_dir: &target_dir(&root, &out_dir),
        detail: Detail::Problems,
        log: &mut |line| eprintln!("{line}"),
    })?;
    let mut code = String::from("/// The elements that travel inside the program: key and component.\n");
    code.push_str("pub(super) static BUILTIN: &[(&str, &[u8])] = &[\n");
    for element in built {
        writeln!(
            code,
            "    ({:?}, include_bytes!({:?})),",
            element.key, element.component
        )?;
    }
    code.push_str("];\n");
    fs::write(out_dir.join("builtin.rs"), code).context("writing builtin.rs")?;
    // Last, so that a failure shows the compiler's messages alone: cargo runs a script that failed again anyway.
    watch(&root)
}

/// Only what goes into an element: each run of this script compiles the gateway anew.
fn watch(root: &Path) -> Result<()> {
    for shared in [
        "Cargo.lock",
        "Cargo.toml",
        "wit",
        "plugins/sdk/src",
        "plugins/sdk/Cargo.toml",
    ] {
        println!("cargo:rerun-if-changed={shared}");
    }
    for key in elements::keys(root, elements::PLUGINS)? {
        for part in ["src", "Cargo.toml", "manifest.json"] {
            println!("cargo:rerun-if-changed=plugins/{key}/{part}");
        }
    }
    println!("cargo:rerun-if-env-changed=RUSTUP_AUTO_INSTALL");
    Ok(())
}

/// cargo does not tell: `OUT_DIR` is `<target>/<profile>/build/<package>/out`, or two levels deeper with `--target`.
fn target_dir(root: &Path, out_dir: &Path) -> PathBuf {
    let marked = out_dir
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| root.join("target"), Path::to_owned)
}

fn variable(name: &str) -> Result<OsString> {
    env::var_os(name).with_context(|| format!("cargo sets {name} for build scripts"))
}
