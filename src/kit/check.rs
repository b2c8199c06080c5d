//! `tidegate element check`: is it an element, and does it keep the contract? In words.
//! Must not know the rules: the contract crate does, and admission.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use tidegate_contract::Case;
use tidegate_contract::case::files::CaseFile;
use tidegate_contract::check::{Report, Verdict as Ruling, check};

use super::args::Check;
use super::subject::{Refused, Subject};
use super::{Kit, Verdict, screen};
use crate::domain::element::Manifest;

#[derive(Serialize)]
struct Summary<'a> {
    element: &'a str,
    version: &'a str,
    digest: String,
    good: bool,
    cases: usize,
    #[serde(flatten)]
    report: &'a Report,
}

impl Kit {
    pub(super) fn check(&mut self, arguments: &Check) -> anyhow::Result<Verdict> {
        let subject = match self.subject(&arguments.element) {
            Ok(subject) => subject,
            // What is no element breaks the first rule of all.
            Err(error) => return self.refused(error, arguments.json),
        };
        let manifest = subject.examined.element().manifest.clone();
        let cases: Vec<Case> = subject.cases.iter().map(|named| named.case.clone()).collect();
        let what = format!("holding {} to the contract", subject.shown);
        let report = screen::during(&what, || check(&subject.examined, &manifest, &cases));
        self.log.take();
        let good = !report.is_broken();
        if arguments.json {
            self.json(&Summary {
                element: &manifest.key,
                version: &manifest.version,
                digest: subject.digest.to_string(),
                good,
                cases: cases.len(),
                report: &report,
            })?;
        } else {
            self.show_check(&subject, &manifest, &report)?;
        }
        if let Some(directory) = &arguments.keep {
            self.keep(directory, &report)?;
        }
        Ok(Verdict::good_if(good))
    }

    fn refused(&mut self, error: anyhow::Error, json: bool) -> anyhow::Result<Verdict> {
        let Some(Refused(words)) = error.downcast_ref() else {
            return Err(error);
        };
        if json {
            self.json(&serde_json::json!({"good": false, "refused": words}))?;
        } else {
            writeln!(self.out, "BROKEN      it is an element that the gateway takes: {words}")?;
        }
        Ok(Verdict::Bad)
    }

    fn show_check(&mut self, subject: &Subject, manifest: &Manifest, report: &Report) -> anyhow::Result<()> {
        let Manifest {
            key,
            version,
            properties,
            resources,
            ..
        } = manifest;
        writeln!(self.out, "{key} {version} ({})", subject.shown)?;
        writeln!(
            self.out,
            "held        it is an element that the gateway takes, and imports nothing but its own world"
        )?;
        let properties = match properties.len() {
            1 => "1 property".to_owned(),
            count => format!("{count} properties"),
        };
        let resources = screen::count(resources.len(), "resource");
        writeln!(
            self.out,
            "held        its manifest is complete ({properties}, {resources})"
        )?;
        write!(self.out, "{report}")?;
        let of = |wanted: fn(&Ruling) -> bool| report.rules.iter().filter(|ruled| wanted(&ruled.verdict)).count();
        let broken = of(|ruling| matches!(ruling, Ruling::Broken(_)));
        let unproven = of(|ruling| matches!(ruling, Ruling::NotProven(_)));
        let held = report.rules.len() - broken - unproven + 2;
        writeln!(
            self.out,
            "{}: {held} held, {broken} broken, {unproven} not proven",
            screen::count(report.rules.len() + 2, "rule")
        )?;
        if broken > 0 {
            writeln!(
                self.out,
                "next: `check --keep DIR` writes what broke a rule as cases that `replay` shows"
            )?;
        } else if unproven > 0 {
            writeln!(
                self.out,
                "next: more cases prove more; `tidegate element record` makes them of the real vendor"
            )?;
        }
        Ok(())
    }

    /// Each breach that one call shows, as a case.
    fn keep(&self, directory: &Path, report: &Report) -> anyhow::Result<()> {
        for (path, case) in breaches(directory, report) {
            std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
            let file = CaseFile { path, case };
            file.save().map_err(anyhow::Error::msg)?;
            screen::note(&format!("wrote {}", file.path.display()));
        }
        Ok(())
    }
}

fn breaches(directory: &Path, report: &Report) -> Vec<(PathBuf, Case)> {
    let mut cases = Vec::new();
    for ruled in &report.rules {
        let Ruling::Broken(breaches) = &ruled.verdict else {
            continue;
        };
        let rule = serde_json::to_value(ruled.rule).unwrap_or_default();
        let rule = rule.as_str().unwrap_or("rule").to_owned();
        let shown = breaches.iter().filter_map(|breach| breach.reproduce.as_deref());
        for (number, case) in shown.enumerate() {
            let name = format!("{rule}-{}", number + 1);
            let mut case = case.clone();
            case.name.clone_from(&name);
            cases.push((directory.join(format!("{name}.json")), case));
        }
    }
    cases
}
