//! Receivers in other languages, each with its published Standard Webhooks library, installed once and kept.
//! Must not judge what they answer.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::language::Language;
use crate::projects::{root, work_dir};

/// What a receiver in this language says of each case: accepted or not. None where the language is missing.
pub(crate) fn verdicts(language: Language, cases: &Value) -> Option<Vec<bool>> {
    if language.is_missing("signatures") {
        return None;
    }
    let directory = installed(language);
    let (program, script) = match language {
        Language::JavaScript => (PathBuf::from("node"), "verify.mjs"),
        Language::Python => (directory.join(".venv/bin/python"), "verify.py"),
        Language::Rust => panic!("Rust's receiver is in the test itself"),
    };
    let mut receiver = Command::new(program)
        .arg(script)
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = receiver.stdin.take().unwrap();
    stdin.write_all(cases.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = receiver.wait_with_output().unwrap();
    assert!(output.status.success(), "{script} failed: what it said is above");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A directory with the script and its library.
fn installed(language: Language) -> PathBuf {
    let files: &[&str] = match language {
        Language::JavaScript => &["package.json", "package-lock.json", "verify.mjs"],
        _ => &["requirements.txt", "verify.py"],
    };
    let directory = work_dir().join(format!("signatures-{}", language.name()));
    fs::create_dir_all(&directory).unwrap();
    let lock = fs::File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    for file in files {
        fs::copy(root().join("tests/it/signatures").join(file), directory.join(file)).unwrap();
    }
    // Written last, so that half an installation is made again.
    let stamp = directory.join("installed");
    let wanted = fs::read_to_string(directory.join(files[files.len() - 2])).unwrap();
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        install(language, &directory);
        fs::write(stamp, wanted).unwrap();
    }
    directory
}

fn install(language: Language, directory: &Path) {
    if language == Language::JavaScript {
        return run(directory, &["npm", "ci", "--no-audit", "--no-fund"]);
    }
    run(directory, &["python3", "-m", "venv", ".venv"]);
    let pip = [".venv/bin/python", "-m", "pip", "install", "--quiet"];
    run(
        directory,
        &[&pip[..], &["--disable-pip-version-check", "-r", "requirements.txt"]].concat(),
    );
}

fn run(directory: &Path, command: &[&str]) {
    // A program with a slash is looked for from here, not from `directory`.
    let program = match command[0].contains('/') {
        true => directory.join(command[0]),
        false => PathBuf::from(command[0]),
    };
    let output = Command::new(program)
        .args(&command[1..])
        .current_dir(directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{}` failed:\n{said}", command.join(" "));
}
