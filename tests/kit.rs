//! The authoring kit through its own door: the real binary, a new project outside of every workspace, the simulated vendor.
//! Must not look into the kit's insides, and must not need the network beyond what a build of the gateway needs.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

// Beside this file they would each be a test program of their own.
#[path = "kit/commands.rs"]
mod commands;
#[path = "kit/live.rs"]
mod live;
#[path = "kit/project.rs"]
mod project;

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a command left.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// Its output, if it ended with this code.
    #[track_caller]
    fn with(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    fn json(self, code: i32) -> serde_json::Value {
        serde_json::from_str(&self.with(code)).unwrap()
    }
}

/// `tidegate element …`, run in `directory`.
fn element(directory: &Path, arguments: &[&str]) -> Ran {
    element_with(directory, arguments, &[])
}

fn element_with(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .arg("element")
        .args(arguments)
        .current_dir(directory)
        .env("XDG_CACHE_HOME", tmp().join("cache"))
        // Whatever a new Rust project needs was fetched for this repository.
        .env("CARGO_NET_OFFLINE", "true")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn tmp() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("kit")
}

/// An empty directory of this test's own, at the same path in every run: cargo knows packages by their paths.
fn scene(name: &str) -> PathBuf {
    let directory = tmp().join(name);
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// cargo's target directory of this repository, where the crates are compiled that a new project needs.
fn target() -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.to_str().unwrap().to_owned()
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}
