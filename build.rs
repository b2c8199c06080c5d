//! Compiles the elements of `plugins/` and makes them part of the library: one file is enough to run the gateway. With them
//! go the sources that a new element's project starts from: one file is enough to write one.
//! Must not know how elements are compiled (`tidegate-toolchain` does), nor print anything when all goes well.
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
use tidegate_toolchain::Detail;
use tidegate_toolchain::elements::{self, Build};

fn main() -> ExitCode {
    match embed_elements().and_then(|()| embed_sources()) {
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
    code.push_str("#[allow(unreachable_pub, reason = \"public in the library, and not where a test includes it\")]\n");
    code.push_str("pub static BUILTIN: &[(&str, &[u8])] = &[\n");
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

/// What a project of its own needs of this repository to be built.
const VENDORED: [&str; 7] = [
    "Cargo.lock",
    "Cargo.toml",
    "plugins/contract/Cargo.toml",
    "plugins/contract/src",
    "plugins/sdk/Cargo.toml",
    "plugins/sdk/src",
    "wit",
];
const TEMPLATES: &str = "src/kit/templates";

/// Writes `$OUT_DIR/sources.rs`, which has `VENDORED` and `TEMPLATES`: path and content of each file, sorted by path.
fn embed_sources() -> Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut code = String::new();
    write_table(&mut code, "VENDORED", &root, &VENDORED)?;
    write_table(&mut code, "TEMPLATES", &root.join(TEMPLATES), &["."])?;
    for watched in VENDORED.iter().chain([&TEMPLATES]) {
        println!("cargo:rerun-if-changed={watched}");
    }
    fs::write(PathBuf::from(variable("OUT_DIR")?).join("sources.rs"), code).context("writing sources.rs")
}

fn write_table(code: &mut String, name: &str, root: &Path, parts: &[&str]) -> Result<()> {
    let mut files = Vec::new();
    for part in parts {
        collect(&root.join(part), &mut files)?;
    }
    let mut named: Vec<(String, PathBuf)> = Vec::new();
    for file in files {
        let path = file.strip_prefix(root).context("a part lies in its root")?;
        let parts: Vec<_> = path
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        named.push((parts.join("/").trim_start_matches("./").to_owned(), file));
    }
    named.sort();
    writeln!(code, "pub(super) static {name}: &[(&str, &[u8])] = &[")?;
    for (path, file) in named {
        writeln!(code, "    ({path:?}, include_bytes!({file:?})),")?;
    }
    code.push_str("];\n");
    Ok(())
}

/// What is made by somebody who tries a template where it lies.
const MADE: [&str; 5] = ["node_modules", "build", ".venv", "__pycache__", "target"];

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if MADE.iter().any(|made| path.ends_with(made)) {
        return Ok(());
    }
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
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
        println!("cargo:rerun-if-changed=plugins/{key}");
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
