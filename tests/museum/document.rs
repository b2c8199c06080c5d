//! The tables of docs/compatibility.md, as rows of cells.
//! Must not know what a row means.

use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!("../../docs/compatibility.md");

/// The rows of the table whose first column has this heading, without the heading.
pub(crate) fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let start = format!("| {heading} |");
    let lines = DOCUMENT.lines().skip_while(|line| !line.starts_with(&start)).skip(2);
    let rows: Vec<_> = lines.take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!rows.is_empty(), "docs/compatibility.md has no table {start}");
    rows
}

fn cells(line: &'static str) -> Vec<&'static str> {
    line.trim_matches('|').split(" | ").map(str::trim).collect()
}

/// The document and the tests have the very same rows.
pub(crate) fn same_rows<'a>(heading: &str, rows: &[Vec<&'static str>], tried: impl Iterator<Item = &'a str>) {
    let written: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(
        written.len(),
        rows.len(),
        "a row of the table {heading:?} is there twice"
    );
    assert_eq!(
        written,
        tried.collect(),
        "the table {heading:?} and what tests/museum tries"
    );
}

/// `runs` or `refused`, with more words after it.
pub(crate) fn runs(cell: &str) -> bool {
    let runs = cell.starts_with("runs");
    assert!(
        runs || cell.starts_with("refused"),
        "a cell begins with runs or refused, not {cell:?}"
    );
    runs
}
