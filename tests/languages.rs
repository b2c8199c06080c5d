//! The example elements in JavaScript and Python, built with their own tools and run by the real host, beside the one in
//! Rust: the same cases pass, whatever a vendor sends is a fault and no trap, and what `tidegate element new` gives works.
//! Must not know what the elements do: the cases say it. Where Node or Python is missing, a test says so and passes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot read the repository fails, wherever it notices, and tells people why it was skipped"
)]

// Beside this file they would each be a test program of their own.
#[path = "languages/cases.rs"]
mod cases;
#[path = "languages/hostile.rs"]
mod hostile;
#[path = "languages/projects.rs"]
mod projects;

use std::path::{Path, PathBuf};

use tidegate::element_host::{ElementHost, Examined, Limits, Options};

use crate::projects::{Language, Project};

#[test]
fn the_element_in_javascript_passes_its_cases_and_survives_any_answer() {
    examine(&Project::example(Language::JavaScript));
}

#[test]
fn the_element_in_python_passes_its_cases_and_survives_any_answer() {
    examine(&Project::example(Language::Python));
}

#[test]
fn the_element_in_rust_passes_its_cases_and_survives_any_answer() {
    examine(&Project::example(Language::Rust));
}

#[test]
fn a_new_project_in_javascript_builds_and_passes() {
    examine(&Project::from_template(Language::JavaScript));
}

#[test]
fn a_new_project_in_python_builds_and_passes() {
    examine(&Project::from_template(Language::Python));
}

#[test]
fn the_three_examples_have_the_same_cases() {
    let cases = |language| files(&Project::example(language).path().join("cases"));
    let rust = cases(Language::Rust);
    assert!(!rust.is_empty());
    assert_eq!(cases(Language::JavaScript), rust);
    assert_eq!(cases(Language::Python), rust);
}

#[test]
fn the_examples_have_the_kit_of_the_templates_and_the_contract_of_the_gateway() {
    let contract = read(&root().join("wit/element.wit"));
    for (language, kit) in [
        (Language::JavaScript, &["tidegate.js", "build.js", ".gitignore"]),
        (Language::Python, &["tidegate.py", "build.py", ".gitignore"]),
    ] {
        let (example, template) = (Project::example(language), language.template().unwrap());
        for file in kit {
            let (ours, theirs) = (read(&template.join(file)), read(&example.path().join(file)));
            assert!(
                ours == theirs,
                "{file} of the example differs from the template's: copy it"
            );
        }
        for project in [example.path(), &template] {
            let copy = project.join("wit/element.wit");
            assert!(
                read(&copy) == contract,
                "{} differs from wit/element.wit: copy it",
                copy.display()
            );
        }
    }
}

/// Builds, admits, replays and attacks one project; does nothing where its language is missing.
fn examine(project: &Project) {
    let _one_at_a_time = project.lock();
    let Some(component) = project.build() else { return };
    let host = ElementHost::new(Options {
        workers: 1,
        limits: Limits::default(),
        cache_dir: Some(work_dir().join("compiled")),
    });
    let subject: Examined = host.unwrap().examine(&std::fs::read(&component).unwrap()).unwrap();
    cases::replay_all(&subject, &project.path().join("cases"));
    hostile::attack(&subject, &project.path().join("cases"));
}

fn files(directory: &Path) -> Vec<(String, String)> {
    let entries = directory.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), read(&path)))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What these tests make and keep for the next time.
fn work_dir() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}
