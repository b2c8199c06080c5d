//! `tidegate element diff`: the same recorded pages through two versions.
//! Must not say which of them is right.

use anyhow::ensure;
use serde::Serialize;
use tidegate_contract::expect::{self, Change, Differences};
use tidegate_contract::{Case, Replayed, replay};
use tidegate_toolchain::project;

use super::args::Diff;
use super::subject::{Named, Subject, from_files};
use super::{Kit, Verdict, screen};
use crate::domain::element::Manifest;

/// Lines of differences per case; `--json` has all.
const LINES_SHOWN: usize = 20;

#[derive(Serialize)]
struct Report {
    name: String,
    added: usize,
    gone: usize,
    changed: usize,
    differences: Differences,
    /// Where the new version leaves the case and the old one does not, or fails.
    asks: Vec<String>,
}

impl Report {
    fn is_empty(&self) -> bool {
        self.differences.is_empty() && self.asks.is_empty()
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    old: Version<'a>,
    new: Version<'a>,
    cases: &'a [Report],
}

#[derive(Serialize)]
struct Version<'a> {
    element: &'a str,
    version: &'a str,
    projection: u32,
    digest: String,
}

impl Kit {
    pub(super) fn diff(&mut self, arguments: &Diff) -> anyhow::Result<Verdict> {
        let mut old = self.subject_named(&arguments.old, &arguments.compile)?;
        let mut new = self.subject_named(&arguments.new, &arguments.compile)?;
        let cases = match &arguments.cases {
            Some(directory) => from_files(project::cases(directory)?),
            None if new.cases.is_empty() => std::mem::take(&mut old.cases),
            None => std::mem::take(&mut new.cases),
        };
        ensure!(
            !cases.is_empty(),
            "neither {} nor {} has cases: name a directory with some, --cases DIR",
            new.shown,
            old.shown
        );
        let what = format!("replaying {} on both", screen::count(cases.len(), "case"));
        let reports: Vec<Report> =
            screen::during(&what, || cases.iter().map(|named| both(&old, &new, named)).collect());
        let verdict = Verdict::good_if(reports.iter().all(Report::is_empty));
        if arguments.json {
            self.json(&Summary {
                old: version(&old),
                new: version(&new),
                cases: &reports,
            })?;
        } else {
            self.show_diff(&old, &new, &reports)?;
        }
        Ok(verdict)
    }

    fn show_diff(&mut self, old: &Subject, new: &Subject, reports: &[Report]) -> anyhow::Result<()> {
        for (what, subject) in [("old", old), ("new", new)] {
            let Manifest {
                key,
                version,
                projection,
                ..
            } = &subject.examined.element().manifest;
            writeln!(
                self.out,
                "{what}  {key} {version}, projection {projection} ({})",
                subject.shown
            )?;
        }
        let mut table = screen::Table::new(&["case", "new", "gone", "changed", "else"]);
        for report in reports {
            let others = report.differences.others.len() + report.asks.len();
            let counts = [report.added, report.gone, report.changed, others];
            let cells = counts.map(|count| count.to_string());
            table.row([vec![report.name.clone()], cells.to_vec()].concat());
        }
        write!(self.out, "\n{}", table.lines("  "))?;
        for report in reports.iter().filter(|report| !report.is_empty()) {
            writeln!(self.out, "\n{}", report.name)?;
            let differences = report.differences.to_string();
            let lines: Vec<&str> = report
                .asks
                .iter()
                .map(String::as_str)
                .chain(differences.lines())
                .collect();
            for line in lines.iter().take(LINES_SHOWN) {
                writeln!(self.out, "  {line}")?;
            }
            if lines.len() > LINES_SHOWN {
                writeln!(self.out, "  and {} more (--json has all)", lines.len() - LINES_SHOWN)?;
            }
        }
        writeln!(self.out, "\n{}", conclusion(old, new, reports))?;
        Ok(())
    }
}

/// What it means for whoever runs the old version.
fn conclusion(old: &Subject, new: &Subject, reports: &[Report]) -> String {
    let changed: usize = reports.iter().map(|report| report.changed).sum();
    let projections = [old, new].map(|subject| subject.examined.element().manifest.projection);
    match (changed, projections) {
        _ if reports.iter().all(Report::is_empty) => "no difference".into(),
        (0, _) if reports.iter().any(|report| !report.asks.is_empty()) => {
            "where the new version asks otherwise, what would come of it can't be known from these cases: record them anew".into()
        }
        (0, _) => "no record that both give has another content".into(),
        (changed, [before, now]) if before == now => format!(
            "{} with another content, and `projection` is {now} in both: each would be reported as updated. Raise it in the \
             manifest if the vendor's data is the same",
            screen::count(changed, "record")
        ),
        (changed, [before, now]) => format!(
            "{} with another content; `projection` goes from {before} to {now}, so that they are compared anew in silence",
            screen::count(changed, "record")
        ),
    }
}

fn both(old: &Subject, new: &Subject, named: &Named) -> Report {
    let of = |subject: &Subject, case: &Case| replay(&subject.examined, case);
    let (before, now) = (of(old, &named.case), of(new, &named.case));
    let asks = asks(&before, &now);
    // What a vendor answers to another request is not known, and so is what would come of it.
    let differences = if asks.is_empty() {
        expect::compare(&before.found, &now.found)
    } else {
        Differences::default()
    };
    let count = |wanted: fn(&Change) -> bool| {
        differences
            .records
            .iter()
            .filter(|record| wanted(&record.change))
            .count()
    };
    Report {
        name: named.name.clone(),
        added: count(|change| matches!(change, Change::Added)),
        gone: count(|change| matches!(change, Change::Gone)),
        changed: count(|change| matches!(change, Change::Changed(_))),
        asks,
        differences,
    }
}

/// Where one of them parts from the case and the other does not.
fn asks(before: &Replayed, now: &Replayed) -> Vec<String> {
    let words = |replayed: &Replayed| {
        let mismatches = replayed.mismatches.iter().map(ToString::to_string);
        let failure = replayed.failure.iter().map(ToString::to_string);
        mismatches.chain(failure).collect::<Vec<_>>()
    };
    let (before, now) = (words(before), words(now));
    if before == now {
        return Vec::new();
    }
    let label = |who: &str, lines: Vec<String>| {
        lines
            .into_iter()
            .map(move |line| format!("{who}: {line}"))
            .collect::<Vec<_>>()
    };
    [label("old", before), label("new", now)].concat()
}

fn version(subject: &Subject) -> Version<'_> {
    let manifest = &subject.examined.element().manifest;
    Version {
        element: &manifest.key,
        version: &manifest.version,
        projection: manifest.projection,
        digest: subject.digest.to_string(),
    }
}
