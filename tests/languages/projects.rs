//! Projects of elements, and how each language builds them.
//! Must not build what is there already: a component that is newer than its sources is left alone.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{root, work_dir};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    JavaScript,
    Python,
    /// Built by `cargo xtask elements`.
    Rust,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::JavaScript => "js",
            Self::Python => "python",
            Self::Rust => "rust",
        }
    }

    /// The first of these programs that there is not, or that is too old.
    fn missing(self) -> Option<&'static str> {
        let programs: &[(&str, &[&str])] = match self {
            Self::JavaScript => &[
                (
                    "Node 20",
                    &[
                        "node",
                        "-e",
                        "process.exit(process.versions.node.split('.')[0] >= 20 ? 0 : 1)",
                    ],
                ),
                ("npm", &["npm", "--version"]),
            ],
            Self::Python => &[(
                "Python 3.10 with venv",
                &[
                    "python3",
                    "-c",
                    "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))",
                ],
            )],
            Self::Rust => &[],
        };
        let absent = |command: &[&str]| {
            !Command::new(command[0])
                .args(&command[1..])
                .output()
                .is_ok_and(|o| o.status.success())
        };
        programs
            .iter()
            .find(|(_, command)| absent(command))
            .map(|(name, _)| *name)
    }

    /// Says why, where `what` cannot be tested; panics where this is CI, which has everything.
    pub(crate) fn is_missing(self, what: &str) -> bool {
        let Some(missing) = self.missing() else { return false };
        let words = format!("{what}: there is no {missing}");
        assert!(std::env::var_os("CI").is_none(), "{words}, and CI must have it");
        eprintln!("SKIPPED {words}");
        true
    }

    pub(crate) fn template(self) -> Option<PathBuf> {
        (self != Self::Rust).then(|| root().join("src/kit/templates").join(self.name()))
    }
}

pub(crate) struct Project {
    language: Language,
    path: PathBuf,
    key: String,
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

    /// A copy of the template with a name of its own, as `tidegate element new` makes it.
    pub(crate) fn from_template(language: Language) -> Self {
        let key = format!("new-in-{}", language.name());
        let path = work_dir().join(&key);
        let project = Self { language, path, key };
        let _one_at_a_time = project.lock();
        copy(&language.template().unwrap(), &project.path, &project.key);
        project
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
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

/// Leaves what is the same alone, with its time: so nothing is built again.
fn copy(from: &Path, to: &Path, key: &str) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let source = entry.unwrap().path();
        let target = to.join(source.file_name().unwrap());
        // Made by whoever tried the template where it is.
        if ["node_modules", "build", ".venv", "__pycache__"]
            .iter()
            .any(|made| target.ends_with(made))
        {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target, key);
            continue;
        }
        let text = crate::read(&source).replace("my-element", key);
        if std::fs::read_to_string(&target).ok().as_ref() != Some(&text) {
            std::fs::write(&target, text).unwrap();
        }
    }
}
