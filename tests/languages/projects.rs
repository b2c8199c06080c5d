//! Projects of elements, and how each language builds them.
//! Must not build what is there already: a component that is newer than its sources is left alone.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::language::Language;

pub(crate) struct Project {
    pub(crate) language: Language,
    pub(crate) path: PathBuf,
    pub(crate) key: String,
}

impl Project {
    pub(crate) fn example(language: Language) -> Self {
        let key = format!("notes-{}", language.name());
        Self {
            language,
            path: root().join("examples/elements").join(&key),
            key,
        }
    }

    /// Tests are threads or processes, as the runner likes.
    pub(crate) fn lock(&self) -> File {
        let file = File::create(work_dir().join(format!("{}.lock", self.key))).unwrap();
        file.lock().unwrap();
        file
    }

    /// The component; none, and a line that says why, where the language's tools are missing and this is no CI.
    pub(crate) fn build(&self) -> Option<PathBuf> {
        if self.language.is_missing(&self.key) {
            return None;
        }
        let component = match self.language {
            Language::Rust => {
                // Where `cargo xtask elements` puts it.
                let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
                target.join("elements-examples").join(format!("{}.wasm", self.key))
            }
            Language::JavaScript => {
                if !self.path.join("node_modules").is_dir() {
                    self.run(&["npm", "ci", "--no-audit", "--no-fund"]);
                }
                self.run(&["npm", "run", "build"]);
                self.path.join("build").join(format!("{}.wasm", self.key))
            }
            Language::Python => {
                self.run(&["python3", "build.py"]);
                self.path.join("build").join(format!("{}.wasm", self.key))
            }
        };
        assert!(
            component.is_file(),
            "{} is missing: `cargo xtask elements` builds it",
            component.display()
        );
        Some(component)
    }

    fn run(&self, command: &[&str]) {
        let output = Command::new(command[0])
            .args(&command[1..])
            .current_dir(&self.path)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            output.status.success(),
            "`{}` in {} failed:\n{said}",
            command.join(" "),
            self.path.display()
        );
        eprintln!("{said}");
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What these tests make and keep for the next time.
pub(crate) fn work_dir() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}
