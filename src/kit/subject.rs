//! The element that a command is about: a project (built first where that is due), a file, or one of the program's own.
//! Must not run it: the commands do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tidegate_contract::case::files::CaseFile;
use tidegate_contract::{Case, section};
use tidegate_toolchain::project;

use super::args::{Compile, Element};
use super::{Kit, screen};
use crate::domain::id::Digest;
use crate::element_host::{Examined, LoadError};

/// Directories of a project whose files are not its source.
const NOT_SOURCES: [&str; 8] = [
    "build",
    "cases",
    "target",
    "node_modules",
    "__pycache__",
    "venv",
    "dist",
    "vendor",
];

/// A case and where it comes from.
pub(super) struct Named {
    /// Its file's name without ending, or its own name where it has no file.
    pub(super) name: String,
    /// Absent for a case that a component carries.
    pub(super) file: Option<PathBuf>,
    pub(super) case: Case,
}

impl Named {
    /// Has its file or its name this text in it?
    pub(super) fn is_called(&self, text: &str) -> bool {
        self.name.contains(text) || self.case.name.contains(text)
    }
}

/// An element ready to be called.
pub(super) struct Subject {
    pub(super) examined: Examined,
    /// As the gateway would know it: of the whole file, cases included.
    pub(super) digest: Digest,
    pub(super) cases: Vec<Named>,
    /// How it was found, for people.
    pub(super) shown: String,
    /// The project's directory, where it is one.
    pub(super) project: Option<PathBuf>,
}

/// Bytes and where they come from.
struct Found {
    component: Vec<u8>,
    shown: String,
    project: Option<PathBuf>,
}

impl Kit {
    pub(super) fn subject(&self, element: &Element) -> anyhow::Result<Subject> {
        self.subject_named(&element.element, &element.compile)
    }

    pub(super) fn subject_named(&self, name: &str, compile: &Compile) -> anyhow::Result<Subject> {
        let Found {
            component,
            shown,
            project,
        } = self.find(name, compile)?;
        let cases = match &project {
            Some(directory) => from_files(project::cases(&directory.join(project::CASES))?),
            None => carried(&component).with_context(|| shown.clone())?,
        };
        Ok(Subject {
            examined: self.examine(&component, &shown)?,
            digest: Digest(Sha256::digest(&component).into()),
            cases,
            shown,
            project,
        })
    }

    /// Admission and compilation, as the gateway does them. Without the cases, so that a changed case needs no compiling.
    pub(super) fn examine(&self, component: &[u8], shown: &str) -> anyhow::Result<Examined> {
        let host = self.host()?;
        let bare = section::without(component, section::CASES).with_context(|| shown.to_owned())?;
        let what = format!(
            "compiling {shown} ({}) for this machine; the next command finds it compiled",
            screen::bytes(bare.len() as u64)
        );
        screen::during(&what, || host.examine(&bare)).map_err(|error| refusal(shown, &error))
    }

    fn find(&self, name: &str, compile: &Compile) -> anyhow::Result<Found> {
        let path = Path::new(name);
        if path.is_dir() {
            let component = self.current(path, compile)?;
            return Ok(Found {
                component,
                shown: name.to_owned(),
                project: Some(path.to_owned()),
            });
        }
        if path.is_file() {
            return Ok(Found {
                component: fs::read(path).with_context(|| format!("reading {name}"))?,
                shown: name.to_owned(),
                project: None,
            });
        }
        if let Some((key, component)) = self.surroundings.builtin.iter().find(|(key, _)| *key == name) {
            return Ok(Found {
                component: component.to_vec(),
                shown: format!("{key} (built in)"),
                project: None,
            });
        }
        let keys: Vec<&str> = self.surroundings.builtin.iter().map(|(key, _)| *key).collect();
        bail!(
            "{name} is neither a project's directory, nor a file, nor a built-in element ({})",
            keys.join(", ")
        );
    }

    /// The project's component, built anew if a source is younger than it.
    fn current(&self, directory: &Path, compile: &Compile) -> anyhow::Result<Vec<u8>> {
        project::Language::of(directory)?;
        let path = component_path(directory, &key_of(directory)?);
        let built = fs::metadata(&path).and_then(|metadata| metadata.modified());
        if built.is_ok_and(|built| newest_source(directory).is_none_or(|changed| changed <= built)) {
            return fs::read(&path).with_context(|| format!("reading {}", path.display()));
        }
        self.compile(directory, compile).map(|built| built.component)
    }
}

/// The project's key, out of its manifest.
pub(super) fn key_of(directory: &Path) -> anyhow::Result<String> {
    let path = directory.join("manifest.json");
    let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let manifest: Value = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
    let key = manifest.get("key").and_then(Value::as_str);
    let key = key.with_context(|| format!("{} has no `key`: expected the element's key", path.display()))?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    ensure!(
        !key.is_empty() && key.chars().all(good),
        "{}: `key` is {key:?}; expected letters, digits, `-` and `_`",
        path.display()
    );
    Ok(key.to_owned())
}

pub(super) fn component_path(directory: &Path, key: &str) -> PathBuf {
    directory.join("build").join(format!("{key}.wasm"))
}

pub(super) fn from_files(cases: Vec<CaseFile>) -> Vec<Named> {
    let named = |CaseFile { path, case }| Named {
        name: path
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        file: Some(path),
        case,
    };
    cases.into_iter().map(named).collect()
}

fn carried(component: &[u8]) -> anyhow::Result<Vec<Named>> {
    let named = |case: Case| Named {
        name: case.name.clone(),
        file: None,
        case,
    };
    Ok(section::read_cases(component)?.into_iter().map(named).collect())
}

/// The gateway would not take it, and says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

fn refusal(shown: &str, error: &LoadError) -> anyhow::Error {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        words.push_str(": ");
        words.push_str(&error.to_string());
        source = error.source();
    }
    anyhow::Error::new(Refused(format!("{shown} is refused: {words}")))
}

/// When the youngest file was written that a component is made of. None: there is none that tells.
fn newest_source(directory: &Path) -> Option<SystemTime> {
    let mut newest = None;
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name.ends_with(".md") {
            continue;
        }
        let written = if path.is_dir() {
            if NOT_SOURCES.contains(&&*name) {
                continue;
            }
            newest_source(&path)
        } else {
            entry.metadata().and_then(|metadata| metadata.modified()).ok()
        };
        newest = newest.max(written);
    }
    newest
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn write(path: &Path, second: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::File::create(path).unwrap();
        file.set_modified(at(second)).unwrap();
    }

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn what_is_built_recorded_or_written_for_people_is_no_source() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(newest_source(root.path()), None);
        write(&root.path().join("manifest.json"), 5);
        write(&root.path().join("src/deep/lib.rs"), 7);
        for later in [
            "build/x.wasm",
            "cases/a.json",
            "target/x",
            ".git/HEAD",
            "README.md",
            "vendor/a.rs",
        ] {
            write(&root.path().join(later), 9);
        }
        assert_eq!(newest_source(root.path()), Some(at(7)));
    }

    #[test]
    fn a_key_that_is_no_file_name_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for (manifest, words) in [
            (r#"{"key":"../x"}"#, "letters, digits"),
            (r#"{"key":""}"#, "letters, digits"),
            (r#"{"name":"x"}"#, "has no `key`"),
            ("{", "manifest.json"),
        ] {
            fs::write(root.path().join("manifest.json"), manifest).unwrap();
            let refusal = format!("{:#}", key_of(root.path()).unwrap_err());
            assert!(refusal.contains(words), "{manifest}: {refusal}");
        }
    }
}
