//! The example elements in JavaScript and Python, built with their own tools and run by the real host, beside the one in
//! Rust: the same cases pass, the contract is kept, and so it is by what `tidegate element new` gives.
//! Must not know what the elements do: the cases say it. Where Node or Python is missing, a test says so and passes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot read the repository fails, wherever it notices, and tells people why it was skipped"
)]

// Beside this file they would each be a test program of their own.
#[path = "languages/language.rs"]
mod language;
#[path = "languages/projects.rs"]
mod projects;
#[path = "languages/templates.rs"]
mod templates;
#[path = "languages/vectors.rs"]
mod vectors;

use std::path::Path;
use std::time::Instant;

use tidegate::element_host::{ElementHost, Limits, Options};
use tidegate_contract::case::files::CaseFile;
use tidegate_contract::check::{Rule, Verdict, check};
use tidegate_contract::{Subject, expect, replay};

use crate::language::Language;
use crate::projects::{Project, root, work_dir};
use crate::templates::{from_template, template};

#[test]
fn the_element_in_javascript_passes_its_cases_and_keeps_the_contract() {
    examine(&Project::example(Language::JavaScript));
}

#[test]
fn the_element_in_python_passes_its_cases_and_keeps_the_contract() {
    examine(&Project::example(Language::Python));
}

#[test]
fn the_element_in_rust_passes_its_cases_and_keeps_the_contract() {
    examine(&Project::example(Language::Rust));
}

#[test]
fn a_new_project_in_javascript_builds_and_passes() {
    examine(&from_template(Language::JavaScript));
}

#[test]
fn a_new_project_in_python_builds_and_passes() {
    examine(&from_template(Language::Python));
}

#[test]
fn the_three_examples_have_the_same_cases() {
    let cases = |language| files(&Project::example(language).path.join("cases"));
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
        let (example, template) = (Project::example(language), template(language).unwrap());
        for file in kit {
            let (ours, theirs) = (read(&template.join(file)), read(&example.path.join(file)));
            assert!(
                ours == theirs,
                "{file} of the example differs from the template's: copy it"
            );
        }
        for project in [&example.path, &template] {
            let copy = project.join("wit/element.wit");
            assert!(
                read(&copy) == contract,
                "{} differs from wit/element.wit: copy it",
                copy.display()
            );
        }
    }
}

/// Builds, admits, replays and checks one project; does nothing where its language is missing.
fn examine(project: &Project) {
    let _one_at_a_time = project.lock();
    let Some(component) = project.build() else { return };
    let host = ElementHost::new(Options {
        workers: 1,
        limits: Limits::default(),
        cache_dir: Some(work_dir().join("compiled")),
    });
    let started = Instant::now();
    let examined = host.unwrap().examine(&std::fs::read(&component).unwrap()).unwrap();
    let compiled = started.elapsed();
    let cases = CaseFile::load_dir(&project.path.join("cases")).unwrap();
    for file in &cases {
        passes(&examined, file);
    }
    let cases: Vec<_> = cases.into_iter().map(|file| file.case).collect();
    let report = check(&examined, &examined.element().manifest, &cases);
    let [compiled, all] = [compiled, started.elapsed()].map(|time| time.as_secs_f32());
    eprintln!(
        "{}: admitted after {compiled:.1} s, examined after {all:.1} s\n{report}",
        component.display()
    );
    assert!(!report.is_broken(), "{report}");
    let pages = &report.rule(Rule::PageSize).unwrap().verdict;
    assert!(
        matches!(pages, Verdict::Held),
        "the cases have a pair of page sizes: {report}"
    );
}

fn passes(subject: &dyn Subject, file: &CaseFile) {
    let replayed = replay(subject, &file.case);
    let name = &file.case.name;
    assert!(
        replayed.mismatches.is_empty() && replayed.failure.is_none(),
        "{name}: {:?} {:?}",
        replayed.mismatches,
        replayed.failure
    );
    let differences = expect::compare(file.case.expect.as_ref().unwrap(), &replayed.found);
    assert!(differences.is_empty(), "{name}:\n{differences}");
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
