//! `tidegate element replay`: one file step by step, as a person follows it.
//! Must not judge more than whether the run kept to the file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use tidegate_contract::case::files::CaseFile;
use tidegate_contract::case::{Case, Failure};
use tidegate_contract::replay::Called;
use tidegate_contract::{Call, Replayed, expect, replay};

use super::args::Replay;
use super::show::{self, Depth};
use super::subject::Subject;
use super::watch::{Seen, Watched};
use super::{Kit, Verdict};

/// Directories above the file in which a project is looked for.
const PARENTS_MAX: usize = 8;

/// Codes of failures that no call shows by itself: the gateway judged what the step asked for.
const STOPPED_BY_THE_GATEWAY: [&str; 3] = ["request-refused", "stalled", "too-long"];

impl Kit {
    pub(super) fn replay(&mut self, arguments: &Replay) -> anyhow::Result<Verdict> {
        let file = CaseFile::load(&arguments.file).map_err(anyhow::Error::msg)?;
        let case = file.case;
        let name = match &arguments.component {
            Some(name) => name.clone(),
            None => self.element_of(&arguments.file, &case)?,
        };
        let subject = self.subject_named(&name, &arguments.compile)?;
        self.show_head(&subject, &case)?;
        let watched = Watched::new(&subject.examined, &self.log);
        let replayed = replay(&watched, &case);
        let seen = watched.seen();
        let depth = if arguments.full { Depth::Whole } else { Depth::Clipped };
        for (number, (called, seen)) in replayed.calls.iter().zip(&seen).enumerate() {
            self.show_step(number + 1, called, seen, depth)?;
        }
        self.show_end(&case, &replayed)
    }

    /// The project that the file lies in, else the built-in element that made it.
    fn element_of(&self, file: &Path, case: &Case) -> anyhow::Result<String> {
        if let Some(project) = project_above(file) {
            return Ok(project.display().to_string());
        }
        let made_by = case.made_by.as_ref().map(|made_by| made_by.element.as_str());
        let known = made_by.filter(|made_by| self.surroundings.builtin.iter().any(|(key, _)| key == made_by));
        known.map(str::to_owned).ok_or_else(|| {
            let of = made_by.map_or_else(String::new, |key| format!(" of `{key}`"));
            anyhow!(
                "{} lies in no element's project: say which component{of} to run it on, with --component",
                file.display()
            )
        })
    }

    fn show_head(&mut self, subject: &Subject, case: &Case) -> anyhow::Result<()> {
        let manifest = &subject.examined.element().manifest;
        writeln!(self.out, "{} {} ({})", manifest.key, manifest.version, subject.shown)?;
        writeln!(self.out, "case: {}", case.name)?;
        if let Some(source) = &case.source {
            writeln!(self.out, "from: {source}")?;
        }
        writeln!(self.out, "run:  {}", show::operation(&case.run.operation))?;
        if let Some(made_by) = &case.made_by
            && made_by.digest != subject.digest.to_string()
        {
            writeln!(
                self.out,
                "note: the file was made with another component, version {} (sha256 {})",
                made_by.version, made_by.digest
            )?;
        }
        Ok(())
    }

    fn show_step(&mut self, number: usize, called: &Called, seen: &Seen, depth: Depth) -> anyhow::Result<()> {
        let call = match &called.call {
            Call::Begin => "begin".to_owned(),
            Call::Advance { responses, .. } => format!("advance with {}", show::answers(responses)),
        };
        let computed = super::screen::duration(seen.computed);
        writeln!(self.out, "\nstep {number}: {call} (computed {computed})")?;
        for line in &seen.lines {
            writeln!(self.out, "  log      {line}")?;
        }
        write!(self.out, "{}", show::outcome(&called.outcome, depth))?;
        Ok(())
    }

    fn show_end(&mut self, case: &Case, replayed: &Replayed) -> anyhow::Result<Verdict> {
        writeln!(self.out)?;
        for mismatch in &replayed.mismatches {
            writeln!(self.out, "mismatch {mismatch}")?;
        }
        let differences = match (&case.expect, replayed.snapshot()) {
            (Some(expected), Some(found)) => expect::compare(expected, found),
            _ => expect::Differences::default(),
        };
        if !differences.is_empty() {
            writeln!(self.out, "what came is not what the case expects:\n{differences}")?;
        }
        let failed = replayed.failure.is_some();
        let words = match (&case.failure, failed) {
            (Some(kept), true) => format!("it fails as it did when the file was kept ({})", in_words(kept)),
            (Some(kept), false) if STOPPED_BY_THE_GATEWAY.contains(&kept.code.as_str()) => format!(
                "the step comes out as above; it was the gateway that ended the run there ({})",
                in_words(kept)
            ),
            (Some(kept), false) => format!(
                "it does not fail any more as it did when the file was kept ({})",
                in_words(kept)
            ),
            (None, true) => "the run failed".into(),
            (None, false) => "the run kept to the file".into(),
        };
        let is_good = replayed.mismatches.is_empty() && differences.is_empty() && !failed;
        if is_good || failed {
            writeln!(self.out, "{words}")?;
        }
        Ok(Verdict::good_if(is_good))
    }
}

fn in_words(failure: &Failure) -> String {
    format!("{}: {}", failure.code, failure.message)
}

/// The nearest directory above with an element's manifest.
fn project_above(file: &Path) -> Option<PathBuf> {
    let file = std::path::absolute(file).ok()?;
    let mut above = file.ancestors().skip(1).take(PARENTS_MAX);
    let is_manifest =
        |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|manifest| manifest.get("hub").is_some());
    let project = above.find(|directory| {
        let manifest = std::fs::read_to_string(directory.join("manifest.json"));
        manifest.context("no manifest").is_ok_and(|text| is_manifest(&text))
    })?;
    Some(project.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_case_belongs_to_the_project_that_it_lies_in() {
        let root = tempfile::tempdir().unwrap();
        let cases = root.path().join("cases/deep");
        fs::create_dir_all(&cases).unwrap();
        let file = cases.join("a.json");
        assert_eq!(project_above(&file), None);
        fs::write(root.path().join("manifest.json"), r#"{"name":"an app's"}"#).unwrap();
        assert_eq!(project_above(&file), None);
        fs::write(root.path().join("manifest.json"), r#"{"hub":"crm"}"#).unwrap();
        assert_eq!(project_above(&file).as_deref(), Some(root.path()));
    }
}
