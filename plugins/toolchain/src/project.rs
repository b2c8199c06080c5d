//! One element's own project, wherever it lies: which language it is written in, and one component of it with its cases.
//! Must not judge the component (the gateway's admission does), and must not write into the project but where it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use tidegate_contract::Case;
use tidegate_contract::case::files::CaseFile;
use tidegate_contract::section;

use crate::compile::{self, Crate, Detail, Names};
use crate::files::create_parent;
use crate::toolchain::Toolchain;

/// Where a project's cases are, one JSON file each.
pub const CASES: &str = "cases";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rust,
    JavaScript,
    Python,
}

impl Language {
    /// The file by which a project's language is known.
    const MARKS: [(&'static str, Self); 4] = [
        ("Cargo.toml", Self::Rust),
        ("package.json", Self::JavaScript),
        ("pyproject.toml", Self::Python),
        ("requirements.txt", Self::Python),
    ];

    /// By what lies in the directory.
    ///
    /// # Errors
    /// Nothing there says it.
    pub fn of(directory: &Path) -> Result<Self> {
        let mark = Self::MARKS.iter().find(|(file, _)| directory.join(file).is_file());
        let Some((_, language)) = mark else {
            let files = Self::MARKS.map(|(file, _)| file).join(", ");
            bail!(
                "{} is no element's project: it has none of {files}. `tidegate element new NAME` makes one",
                directory.display()
            );
        };
        Ok(*language)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
        }
    }
}

/// What to build, and how to report.
pub struct Project<'a> {
    pub directory: &'a Path,
    /// As the manifest says.
    pub key: &'a str,
    /// cargo's target directory; None takes `CARGO_TARGET_DIR`, or `target` in the project.
    pub target_dir: Option<&'a Path>,
    pub detail: Detail,
    pub names: Names,
    /// Told what is done, a line at a time.
    pub log: &'a mut dyn FnMut(&str),
}

/// Builds the component and gives its bytes, cases included.
///
/// # Errors
/// In words that say what to do: a missing tool, source that does not compile (the compiler's messages are on standard
/// error by then), a case that cannot be read.
pub fn build(project: &mut Project<'_>) -> Result<Vec<u8>> {
    let compiled = match Language::of(project.directory)? {
        Language::Rust => build_rust(project)?,
        Language::JavaScript => build_javascript(project)?,
        Language::Python => build_python(project)?,
    };
    finish(&compiled, project.directory)
}

fn build_rust(project: &mut Project<'_>) -> Result<PathBuf> {
    compile::check_name(project.directory, project.key)?;
    let target = project.directory.join(match project.target_dir {
        Some(directory) => directory.to_owned(),
        None => std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from),
    });
    let guests = std::path::absolute(target)
        .context("finding the target directory")?
        .join("guests");
    let lock = guests.join(".toolchain.lock");
    create_parent(&lock)?;
    let toolchain = Toolchain::ensure(project.directory, &lock, project.log)?;
    compile::compile(
        &toolchain,
        &Crate {
            root: project.directory,
            package: project.key,
            guests: &guests,
            locked: false,
            detail: project.detail,
            names: project.names,
        },
    )
}

/// By the project's own script, which makes nothing anew that is newer than its sources.
fn build_javascript(project: &mut Project<'_>) -> Result<PathBuf> {
    if !project.directory.join("node_modules").is_dir() {
        let is_locked = project.directory.join("package-lock.json").is_file();
        let fetch = if is_locked { "ci" } else { "install" };
        (project.log)(&format!("npm {fetch} (once, some 100 MB)"));
        let mut command = Command::new("npm");
        command.args([fetch, "--no-audit", "--no-fund"]);
        run(
            command,
            project,
            "install Node 20 or newer with its npm (https://nodejs.org)",
        )?;
    }
    let mut command = Command::new("npm");
    command.args(["run", "build"]);
    if project.detail == Detail::Problems {
        command.arg("--silent");
    }
    run(
        command,
        project,
        "install Node 20 or newer with its npm (https://nodejs.org)",
    )?;
    made(project)
}

/// By the project's own script, which fetches what it needs and makes nothing anew that is newer than its sources.
fn build_python(project: &mut Project<'_>) -> Result<PathBuf> {
    let script = project.directory.join("build.py");
    ensure!(
        script.is_file(),
        "{} is missing: it makes the component",
        script.display()
    );
    let mut command = Command::new("python3");
    command.arg("build.py");
    run(command, project, "install Python 3.10 or newer")?;
    made(project)
}

/// Runs a tool in the project's directory. What it prints goes to standard error: our own output is an answer.
fn run(mut command: Command, project: &Project<'_>, where_from: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let words = format!("{program} {}", arguments.join(" "));
    command.current_dir(project.directory).stdout(std::io::stderr());
    let status = command
        .status()
        .with_context(|| format!("running {program}: {where_from}"))?;
    ensure!(
        status.success(),
        "element `{}` was not built: `{words}` failed ({status}), the messages above say why",
        project.key
    );
    Ok(())
}

fn made(project: &Project<'_>) -> Result<PathBuf> {
    let component = project.directory.join("build").join(format!("{}.wasm", project.key));
    ensure!(
        component.is_file(),
        "the project's build made no {}: expected it there, named as the manifest's key",
        component.display()
    );
    Ok(component)
}

/// The compiled component with the project's cases in it.
pub(crate) fn finish(compiled: &Path, directory: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(compiled).with_context(|| format!("reading {}", compiled.display()))?;
    let cases: Vec<Case> = cases(&directory.join(CASES))?
        .into_iter()
        .map(|file| file.case)
        .collect();
    section::write_cases(&bytes, &cases).with_context(|| format!("putting the cases into {}", compiled.display()))
}

/// The cases of a directory with their files, in order of name; none where there is no such directory.
///
/// # Errors
/// Names the file that is no case.
pub fn cases(directory: &Path) -> Result<Vec<CaseFile>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    CaseFile::load_dir(directory).map_err(anyhow::Error::msg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_s_language_is_known_by_what_lies_in_it() {
        let root = tempfile::tempdir().unwrap();
        let refusal = Language::of(root.path()).unwrap_err().to_string();
        assert!(refusal.contains("none of Cargo.toml, package.json"), "{refusal}");
        for (file, language) in Language::MARKS.into_iter().rev() {
            fs::write(root.path().join(file), "").unwrap();
            assert_eq!(Language::of(root.path()).unwrap(), language);
        }
    }
}
