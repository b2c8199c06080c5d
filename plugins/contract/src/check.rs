//! The contract, held against an element: the rules that every element keeps, in whatever language it is written.
//! Must not know how an element is run, nor any vendor: what it asks and answers comes out of cases.
//!
//! Every rule works on the calls that the cases lead to: repeats them, changes what was answered, or looks at what came out.
//! A rule that the cases say nothing about is *not proven*, which is not the same as held.

mod canonical;
mod guests;
mod hostile;
mod pages;
mod progress;
mod records;
mod requests;
mod scene;
mod watched;

use std::fmt;

use serde::Serialize;

use crate::call::Subject;
use crate::case::Case;
use crate::manifest::Manifest;

use self::scene::Trace;
use self::watched::Watched;

/// Breaches of one rule that a report holds; more say nothing new.
pub const BREACHES_MAX: usize = 20;

/// What is checked, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Every case runs as it is written.
    Cases,
    SameBytes,
    FreshGuest,
    PageSize,
    NoTrap,
    NoLoss,
    Progress,
    Requests,
    Records,
}

impl Rule {
    /// The rule as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Cases => "the element asks what its cases say",
            Self::SameBytes => "the same inputs give the same bytes",
            Self::FreshGuest => "a fresh guest between steps changes nothing",
            Self::PageSize => "the page size changes no result",
            Self::NoTrap => "whatever a vendor answers gives a step or a fault, never a trap",
            Self::NoLoss => "an answer that makes no sense never ends a run, and no record is lost in silence",
            Self::Progress => "the same answer for ever ends in a fault",
            Self::Requests => "requests stay within the manifest, and leave secrets to the gateway",
            Self::Records => "records have ids that differ and canonical bodies, and the dates that the manifest names",
        }
    }
}

/// What became of all rules.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub rules: Vec<Ruled>,
}

/// What became of one rule.
#[derive(Clone, Debug, Serialize)]
pub struct Ruled {
    pub rule: Rule,
    /// How much was tried: `24 calls`.
    pub tried: String,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Held,
    Broken(Vec<Breach>),
    /// Why the cases can't show it.
    NotProven(String),
}

/// One way in which a rule is broken.
#[derive(Clone, Debug, Serialize)]
pub struct Breach {
    /// Which case and step, and what was changed: enough to do it again.
    pub place: String,
    /// What was found, and what was expected.
    pub words: String,
    /// A case that shows it, where one call does.
    #[serde(skip)]
    pub reproduce: Option<Box<Case>>,
}

impl Report {
    pub fn is_broken(&self) -> bool {
        self.rules
            .iter()
            .any(|ruled| matches!(ruled.verdict, Verdict::Broken(_)))
    }

    pub fn rule(&self, rule: Rule) -> Option<&Ruled> {
        self.rules.iter().find(|ruled| ruled.rule == rule)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.iter().try_for_each(|ruled| writeln!(formatter, "{ruled}"))
    }
}

impl fmt::Display for Ruled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, why) = match &self.verdict {
            Verdict::Held => ("held", String::new()),
            Verdict::Broken(_) => ("BROKEN", String::new()),
            Verdict::NotProven(why) => ("not proven", format!(": {why}")),
        };
        write!(
            formatter,
            "{verdict:<10}  {} ({}){why}",
            self.rule.sentence(),
            self.tried
        )?;
        if let Verdict::Broken(breaches) = &self.verdict {
            for breach in breaches {
                write!(formatter, "\n            {}: {}", breach.place, breach.words)?;
            }
        }
        Ok(())
    }
}

impl Ruled {
    /// Broken where there are breaches, else held.
    fn of(rule: Rule, tried: String, mut breaches: Vec<Breach>) -> Self {
        let more = breaches.len().saturating_sub(BREACHES_MAX);
        breaches.truncate(BREACHES_MAX);
        if let (Some(last), 1..) = (breaches.last_mut(), more) {
            last.words.push_str(&format!(" (and {more} more)"));
        }
        let verdict = if breaches.is_empty() {
            Verdict::Held
        } else {
            Verdict::Broken(breaches)
        };
        Self { rule, tried, verdict }
    }

    fn not_proven(rule: Rule, tried: String, why: impl Into<String>) -> Self {
        Self {
            rule,
            tried,
            verdict: Verdict::NotProven(why.into()),
        }
    }
}

/// Holds an element to the contract, as far as its cases lead.
pub fn check(subject: &dyn Subject, manifest: &Manifest, cases: &[Case]) -> Report {
    let watched = Watched::new(subject, manifest);
    let traces: Vec<Trace<'_>> = cases.iter().map(|case| Trace::of(&watched, case)).collect();
    let mut rules = vec![
        scene::rule(&traces),
        guests::same_bytes(&watched, &traces),
        guests::fresh_guest(subject, &traces),
        pages::rule(&traces),
    ];
    rules.extend(hostile::rules(&watched, &traces));
    rules.push(progress::rule(&watched, &traces));
    // Last, since they look at everything that the others led to.
    rules.push(requests::rule(&watched));
    rules.push(records::rule(&watched, manifest, &traces));
    Report { rules }
}

/// `1 call`, `2 calls`.
fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests;
