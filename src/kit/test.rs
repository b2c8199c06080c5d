//! `tidegate element test`: the recorded cases, each request matched whole, and what came beside what is expected.
//! Must not forgive, and must not write a file without `--update`.

use anyhow::{bail, ensure};
use serde::Serialize;
use tidegate_contract::case::Found;
use tidegate_contract::case::files::CaseFile;
use tidegate_contract::expect::{self, Differences};
use tidegate_contract::{Replayed, replay};

use super::args::Test;
use super::subject::{Named, Subject};
use super::watch::Watched;
use super::{Kit, Verdict, screen};
use crate::domain::run::Next;

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Passed,
    Failed,
    /// What came was written as what is expected.
    Updated,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    name: String,
    outcome: Outcome,
    steps: u32,
    records: usize,
    /// Where the run and the case part ways, or that nothing is expected yet.
    problems: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Differences>,
    /// The element's, where the case failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log: Vec<String>,
}

#[derive(Serialize)]
struct Summary<'a> {
    element: &'a str,
    version: &'a str,
    passed: usize,
    failed: usize,
    updated: usize,
    cases: &'a [Report],
}

impl Kit {
    pub(super) fn test(&mut self, arguments: &Test) -> anyhow::Result<Verdict> {
        let mut subject = self.subject(&arguments.element)?;
        let mut cases = std::mem::take(&mut subject.cases);
        ensure!(
            !cases.is_empty(),
            "{} has no cases: write cases/NAME.json by hand, or record one with `tidegate element record`",
            subject.shown
        );
        if let Some(text) = &arguments.only {
            cases.retain(|named| named.is_called(text));
            ensure!(!cases.is_empty(), "no case's file or name has {text:?} in it");
        }
        if arguments.update && cases.iter().any(|named| named.file.is_none()) {
            bail!(
                "--update writes into a project's cases; those of {} are inside of the component",
                subject.shown
            );
        }
        let what = format!("replaying {}", screen::count(cases.len(), "case"));
        let reports: anyhow::Result<Vec<Report>> = screen::during(&what, || {
            cases
                .into_iter()
                .map(|named| self.test_case(&subject, named, arguments.update))
                .collect()
        });
        self.show_tests(&subject, &reports?, arguments)
    }

    fn test_case(&self, subject: &Subject, named: Named, update: bool) -> anyhow::Result<Report> {
        let watched = Watched::new(&subject.examined, &self.log);
        let replayed = replay(&watched, &named.case);
        let mut report = judge(&named, &replayed);
        let log = watched.last_lines();
        if report.outcome == Outcome::Failed
            && update
            && let (Some(snapshot), Some(path)) = (replayed.snapshot(), named.file)
        {
            let mut case = named.case;
            case.expect = Some(snapshot.clone());
            // A step that a gateway kept because it failed may be the run's last.
            case.cut = case.cut && goes_on(&replayed);
            case.failure = None;
            CaseFile { path, case }.save().map_err(anyhow::Error::msg)?;
            report.outcome = Outcome::Updated;
            report.problems.clear();
        }
        if report.outcome == Outcome::Failed {
            report.log = log;
        }
        Ok(report)
    }

    fn show_tests(&mut self, subject: &Subject, reports: &[Report], arguments: &Test) -> anyhow::Result<Verdict> {
        let of = |outcome| reports.iter().filter(|report| report.outcome == outcome).count();
        let (passed, failed, updated) = (of(Outcome::Passed), of(Outcome::Failed), of(Outcome::Updated));
        let verdict = Verdict::good_if(failed == 0);
        if arguments.json {
            let manifest = &subject.examined.element().manifest;
            self.json(&Summary {
                element: &manifest.key,
                version: &manifest.version,
                passed,
                failed,
                updated,
                cases: reports,
            })?;
            return Ok(verdict);
        }
        let width = reports.iter().map(|report| report.name.chars().count()).max();
        for report in reports {
            write!(self.out, "{}", in_words(report, width.unwrap_or(0)))?;
        }
        let mut parts = vec![format!("{passed} passed"), format!("{failed} failed")];
        if updated > 0 {
            parts.push(format!("{updated} updated"));
        }
        writeln!(
            self.out,
            "{}: {}: {}",
            subject.shown,
            screen::count(reports.len(), "case"),
            parts.join(", ")
        )?;
        if let Some(report) = reports.iter().find(|report| report.outcome == Outcome::Failed) {
            let hint = match &subject.project {
                Some(directory) => format!(
                    "`tidegate element replay {}` shows each step; `test --update` takes what came as what is expected",
                    directory.join("cases").join(format!("{}.json", report.name)).display()
                ),
                None => {
                    "the case is inside of the component: with its project, `tidegate element replay` shows each step"
                        .into()
                }
            };
            writeln!(self.out, "next: {hint}")?;
        }
        Ok(verdict)
    }
}

/// Does the run want to go on where the replay ended?
fn goes_on(replayed: &Replayed) -> bool {
    let last = replayed.calls.last();
    last.is_some_and(|called| matches!(&called.outcome, Ok(Ok(step)) if step.next != Next::Done))
}

fn judge(named: &Named, replayed: &Replayed) -> Report {
    let mut problems: Vec<String> = replayed.mismatches.iter().map(ToString::to_string).collect();
    if let Some(failure) = &replayed.failure {
        problems.push(format!("step {}: {failure}", replayed.steps()));
    }
    // What came of a run that left its case says no more than where it left it.
    let differences = match (&named.case.expect, replayed.snapshot()) {
        (Some(expected), Some(found)) => compare(expected, found),
        (None, Some(_)) => {
            problems.push("the case expects nothing yet: `test --update` writes what came".into());
            None
        }
        _ => None,
    };
    let is_good = problems.is_empty() && differences.is_none();
    Report {
        name: named.name.clone(),
        outcome: if is_good { Outcome::Passed } else { Outcome::Failed },
        steps: replayed.steps(),
        records: replayed.found.records.len() + replayed.found.ids.len(),
        problems,
        differences,
        log: Vec::new(),
    }
}

fn compare(expected: &Found, found: &Found) -> Option<Differences> {
    let differences = expect::compare(expected, found);
    (!differences.is_empty()).then_some(differences)
}

fn in_words(report: &Report, width: usize) -> String {
    let mark = match report.outcome {
        Outcome::Passed => "ok     ",
        Outcome::Failed => "FAILED ",
        Outcome::Updated => "updated",
    };
    let steps = screen::count(report.steps as usize, "step");
    let records = screen::count(report.records, "record");
    let mut text = format!("  {mark} {:<width$}  {steps}, {records}\n", report.name);
    let mut lines: Vec<String> = report.problems.clone();
    if let Some(differences) = &report.differences {
        lines.extend(differences.to_string().lines().map(str::to_owned));
    }
    lines.extend(report.log.iter().map(|line| format!("log: {line}")));
    for line in lines {
        text.push_str(&format!("            {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_contract::{CallError, Case};

    use super::*;

    fn named(expect: serde_json::Value) -> Named {
        let case = json!({"format": 1, "name": "x", "run": {"operation": "check", "nowMs": 0}, "expect": expect});
        Named {
            name: "x".into(),
            file: None,
            case: Case::parse(case.to_string().as_bytes()).unwrap(),
        }
    }

    #[test]
    fn a_case_passes_only_if_it_expects_what_came() {
        let done = Replayed::default();
        let ids = json!({"ids": ["7"]});
        let failed = Replayed {
            failure: Some(CallError::Trap("unreachable".into())),
            ..Replayed::default()
        };
        for (named, replayed, expected) in [
            (named(json!({})), &done, ""),
            (named(json!(null)), &done, "the case expects nothing yet"),
            (named(ids), &done, "ids"),
            (named(json!({})), &failed, "step 0: the element trapped: unreachable"),
        ] {
            let report = judge(&named, replayed);
            let text = in_words(&report, 10);
            assert!(text.contains(expected), "{text}");
            assert_eq!(report.outcome == Outcome::Passed, expected.is_empty(), "{text}");
        }
    }
}
