//! A case's run beside its expectation, and the expectation renewed.
//! Must not renew one from a run that left its case: that would make a mistake the expectation.

use std::fmt;

use crate::call::{CallError, Subject};
use crate::case::Case;
use crate::expect::{Differences, compare};
use crate::replay::{Mismatch, Replayed, replay};

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Tested {
    pub name: String,
    pub steps: u32,
    pub mismatches: Vec<Mismatch>,
    pub failure: Option<CallError>,
    /// From the expectation; none where the case has no expectation.
    pub differences: Option<Differences>,
}

impl Tested {
    /// The run stayed within its case and gave what was expected.
    pub fn is_ok(&self) -> bool {
        self.mismatches.is_empty()
            && self.failure.is_none()
            && self.differences.as_ref().is_some_and(Differences::is_empty)
    }
}

impl fmt::Display for Tested {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_ok() { "ok" } else { "FAILED" };
        write!(formatter, "{verdict:<10}  case `{}` ({} steps)", self.name, self.steps)?;
        let mut line = |text: &str| write!(formatter, "\n            {text}");
        for mismatch in &self.mismatches {
            line(&mismatch.to_string())?;
        }
        if let Some(failure) = &self.failure {
            line(&failure.to_string())?;
        }
        match &self.differences {
            None => line("it has no `expect` yet")?,
            Some(differences) => {
                let text = differences.to_string();
                text.lines().try_for_each(line)?;
            }
        }
        Ok(())
    }
}

/// Runs a case and compares.
pub fn test(subject: &dyn Subject, case: &Case) -> Tested {
    tested(case, replay(subject, case))
}

/// Runs a case and makes what came of it its expectation. Says whether that changed; it changes nothing where the run left
/// its case or failed, which the outcome tells.
pub fn update(subject: &dyn Subject, case: &mut Case) -> (Tested, bool) {
    let replayed = replay(subject, case);
    let found = replayed.snapshot().cloned();
    let changed = found.is_some() && found != case.expect;
    if changed {
        case.expect = found;
    }
    (tested(case, replayed), changed)
}

fn tested(case: &Case, replayed: Replayed) -> Tested {
    Tested {
        name: case.name.clone(),
        steps: replayed.steps(),
        differences: case.expect.as_ref().map(|expected| compare(expected, &replayed.found)),
        mismatches: replayed.mismatches,
        failure: replayed.failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Call;
    use crate::run::Step;
    use crate::testing::{Element, case, done, exchange, get, record, send};

    fn element() -> Element<impl Fn(&Call) -> crate::replay::Outcome> {
        Element(|call: &Call| {
            Ok(Ok(match call {
                Call::Begin => send([get("https://acme.example")], b""),
                Call::Advance { .. } => Step {
                    records: vec![record("1", r#"{"a":1}"#)],
                    ..done()
                },
            }))
        })
    }

    fn fitting() -> Case {
        case(vec![vec![exchange(get("https://acme.example"), 200, "")]])
    }

    #[test]
    fn an_expectation_is_made_and_then_kept() {
        let mut case = fitting();
        let before = test(&element(), &case);
        assert!(
            !before.is_ok() && before.to_string().ends_with("it has no `expect` yet"),
            "{before}"
        );
        let (tested, changed) = update(&element(), &mut case);
        assert!(tested.is_ok() && changed, "{tested}");
        let (tested, changed) = update(&element(), &mut case);
        assert!(tested.is_ok() && !changed, "{tested}");
        case.expect.as_mut().unwrap().records[0].body = r#"{"a":2}"#.into();
        let tested = test(&element(), &case);
        assert_eq!(
            tested.to_string(),
            "FAILED      case `a case` (2 steps)\n            record `1` changed: body.a: was 2, is 1"
        );
    }

    #[test]
    fn a_run_that_left_its_case_makes_no_expectation() {
        let mut case = fitting();
        case.exchanges[0][0].request.cost = 9;
        let (tested, changed) = update(&element(), &mut case);
        assert!(!tested.is_ok() && !changed);
        assert_eq!(case.expect, None);
    }
}
