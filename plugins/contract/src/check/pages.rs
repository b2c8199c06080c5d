//! Pairs of cases that read the same data with pages of two sizes.
//! Must not run anything: the cases did.

use super::scene::Trace;
use super::{Breach, Rule, Ruled, count};
use crate::case::Case;
use crate::difference::shown;
use crate::expect::same_content;
use crate::run::Operation;

pub(super) fn rule(traces: &[Trace<'_>]) -> Ruled {
    let pairs = traces
        .iter()
        .filter_map(|trace| Some((trace, trace.case.same_records_as.as_deref()?)));
    let pairs: Vec<_> = pairs.collect();
    let tried = count(pairs.len(), "pair");
    if pairs.is_empty() {
        let why = "no case has `sameRecordsAs`, the name of one that reads the same data with another page size";
        return Ruled::not_proven(Rule::PageSize, tried, why);
    }
    let breaches = pairs.into_iter().filter_map(|(trace, name)| {
        let words = wrong(trace, name, traces)?;
        Some(Breach {
            place: format!(
                "case `{}`, which is the same as `{}`",
                shown(&trace.case.name),
                shown(name)
            ),
            words,
            reproduce: None,
        })
    });
    Ruled::of(Rule::PageSize, tried, breaches.collect())
}

fn wrong(trace: &Trace<'_>, name: &str, traces: &[Trace<'_>]) -> Option<String> {
    let Some(other) = traces.iter().find(|other| other.case.name == name) else {
        return Some("sameRecordsAs: found no case of this name".into());
    };
    let sizes = (page_size(trace.case), page_size(other.case));
    match sizes {
        (Some(one), Some(two)) if one != two => {}
        (Some(size), Some(_)) => return Some(format!("pageSize: found {size} in both; expected sizes that differ")),
        _ => return Some("operation: found one without pages; expected a list or a sweep in both".into()),
    }
    let differences = same_content(&other.replayed.found, &trace.replayed.found);
    (!differences.is_empty()).then(|| differences.to_string().replace('\n', "; "))
}

fn page_size(case: &Case) -> Option<u32> {
    match &case.run.operation {
        Operation::List(list) => Some(list.page_size),
        Operation::Sweep(sweep) => Some(sweep.page_size),
        Operation::Check | Operation::Get(_) => None,
    }
}
