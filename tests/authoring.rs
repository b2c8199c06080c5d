//! docs/authoring.md as its reader follows it: every command is run, with the real programs, and what the page shows must come.
//! Must not know what the guide is about: its blocks say what is done and expected, by the rules below.
//!
//! Every fenced block of the page is one of these. The first word colours it, the others are for this test:
//!
//! | block | what happens |
//! |---|---|
//! | `sh` | bash runs it in the reader's directory; variables stay set for the blocks after it; it must succeed |
//! | `sh fails` | it must fail |
//! | `sh until` | it is run again until what is expected comes, or [`PATIENCE`] is over |
//! | `sh terminal=NAME` | one program, left running |
//! | `sh beforehand` | not run here: `cargo test` has done it |
//! | `text` | what the `sh` block before it must have written to its standard output, all of it |
//! | `text terminal=NAME` | what that program must write, sooner or later |
//! | `diff` | a change that the reader makes to files |
//! | anything with `excerpt=FILE` | lines that stand in that file |
//!
//! In what is expected `…` stands for whatever is there, and a line with nothing else for any number of lines. With the word
//! `roughly` numbers, their units and digests are not compared. Runs of blanks are all one. A block with one of the words
//! `rust`, `js` and `python` is for readers of these languages alone. The addresses 127.0.0.1:8080, 8097 and 8098 become
//! free ones.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test ends where something is not as it should be, and tells people why it was skipped"
)]

// Beside this file they would each be a test program of their own.
#[path = "authoring/compare.rs"]
mod compare;
#[path = "languages/language.rs"]
mod language;
#[path = "authoring/numbers.rs"]
mod numbers;
#[path = "authoring/page.rs"]
mod page;
#[path = "authoring/reader.rs"]
mod reader;

use std::time::{Duration, Instant};

use crate::language::Language;
use crate::page::{Block, Kind};
use crate::reader::Reader;

const GUIDE: &str = include_str!("../docs/authoring.md");

/// Longest that a reader waits for what the page promises "after some seconds".
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn the_guide_leads_from_nothing_to_a_loaded_element_in_rust() {
    follow(Language::Rust);
}

#[test]
fn the_guide_leads_from_nothing_to_a_loaded_element_in_javascript() {
    follow(Language::JavaScript);
}

#[test]
fn the_guide_leads_from_nothing_to_a_loaded_element_in_python() {
    follow(Language::Python);
}

#[test]
fn the_guide_has_ten_steps() {
    let steps: Vec<&str> = GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("## ")?.split_once(". "))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(steps, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
}

fn follow(language: Language) {
    if language.is_missing("the guide") {
        return;
    }
    let mut reader = Reader::new(language);
    for block in page::blocks(GUIDE) {
        if !block.is_for(language) {
            continue;
        }
        let started = Instant::now();
        if let Err(problem) = perform(&mut reader, &block, language) {
            panic!("docs/authoring.md:{}: {problem}", block.line);
        }
        let took = started.elapsed();
        if took > Duration::from_secs(2) {
            eprintln!("docs/authoring.md:{}: {:.1} s", block.line, took.as_secs_f32());
        }
    }
    reader.leave();
}

fn perform(reader: &mut Reader, block: &Block, language: Language) -> Result<(), String> {
    let expected = block.expected(language);
    match &block.kind {
        Kind::Beforehand => Ok(()),
        Kind::Run => {
            let output = reader.run(&block.text, true)?;
            expected.map_or(Ok(()), |expected| reader.compare(expected, &output))
        }
        Kind::Fail => {
            let output = reader.run(&block.text, false)?;
            expected.map_or(Ok(()), |expected| reader.compare(expected, &output))
        }
        Kind::Until => {
            let expected = expected.ok_or("`until` without anything that is expected")?;
            patiently(|| {
                let output = reader.run(&block.text, true)?;
                reader.compare(expected, &output)
            })
        }
        Kind::Terminal(name) => {
            reader.open(name, &block.text)?;
            expected.map_or(Ok(()), |expected| patiently(|| reader.compare_terminal(name, expected)))
        }
        Kind::Shown(name) => patiently(|| reader.compare_terminal(name, block.output())),
        Kind::Change => reader.change(&block.text),
        Kind::Excerpt(file) => reader.find(file, &block.text),
    }
}

fn patiently(mut attempt: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    /// Between two looks.
    const PAUSE: Duration = Duration::from_millis(100);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(problem) if Instant::now() > deadline => return Err(problem),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
