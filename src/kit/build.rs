//! `tidegate element build`: a project to a component that carries its cases.
//! Must not know how a language is compiled: the toolchain does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use tidegate_contract::section;
use tidegate_toolchain::project::{self, Language, Project};
use tidegate_toolchain::{Detail, Names, component};

use super::args::{Build, Compile};
use super::subject::{component_path, key_of};
use super::{Kit, Verdict, screen};
use crate::domain::id::Digest;

/// What a build made.
pub(super) struct Built {
    pub(super) path: PathBuf,
    pub(super) component: Vec<u8>,
}

impl Kit {
    pub(super) fn build(&mut self, arguments: &Build) -> anyhow::Result<Verdict> {
        let started = Instant::now();
        let built = self.compile(&arguments.directory, &arguments.compile)?;
        let shown = built.path.display().to_string();
        let examined = self.examine(&built.component, &shown)?;
        let manifest = &examined.element().manifest;
        let cases = section::read_cases(&built.component)?.len();
        let imports = component::imports(&built.component)?;
        let imports = if imports.is_empty() {
            "nothing".into()
        } else {
            imports.join(", ")
        };
        let digest = Digest(Sha256::digest(&built.component).into());
        let shown_directory = arguments.directory.display();
        let size = screen::bytes(built.component.len() as u64);
        let lines = [
            (
                "element",
                format!("{} {} ({})", manifest.key, manifest.version, manifest.name),
            ),
            ("size", format!("{size} with {}", screen::count(cases, "case"))),
            ("sha256", digest.to_string()),
            ("imports", imports),
            ("built in", screen::duration(started.elapsed())),
        ];
        writeln!(self.out, "{shown}")?;
        for (what, value) in lines {
            writeln!(self.out, "  {what:<9} {value}")?;
        }
        writeln!(self.out, "next: tidegate element test {shown_directory}")?;
        Ok(Verdict::Good)
    }

    /// Builds the project and puts the component in its place.
    pub(super) fn compile(&self, directory: &Path, compile: &Compile) -> anyhow::Result<Built> {
        let language = Language::of(directory)?;
        let key = key_of(directory)?;
        let path = component_path(directory, &key);
        let what = format!(
            "compiling {} ({}); the first time takes longest",
            directory.display(),
            language.name()
        );
        // cargo runs in the project's directory, and its user does not.
        let target_dir = compile.target_dir.as_deref().map(std::path::absolute).transpose()?;
        let component = screen::during(&what, || {
            project::build(&mut Project {
                directory,
                key: &key,
                target_dir: target_dir.as_deref(),
                detail: Detail::Problems,
                names: if compile.strip_names {
                    Names::Stripped
                } else {
                    Names::Kept
                },
                log: &mut |line| screen::note(line),
            })
        })?;
        write_whole(&path, &component)?;
        Ok(Built { path, component })
    }
}

/// A gateway may be watching the directory: the file appears at once or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let directory = path.parent().context("a file's path has a parent")?;
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    fs::write(&draft, bytes)
        .and_then(|()| fs::rename(&draft, path))
        .with_context(|| format!("writing {}", path.display()))
}
