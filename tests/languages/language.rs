//! The languages that elements are written in, and whether this machine has them.
//! Must not know how anything is built.

use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    JavaScript,
    Python,
    /// Built by `cargo xtask elements`.
    Rust,
}

impl Language {
    pub(crate) fn name(self) -> &'static str {
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
}
