//! Records beside the manifest: are the dates that it names ever there, and are the resources known?
//! Must not ask for every date in every record: vendors leave out what is empty.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scene::Trace;
use super::watched::Watched;
use super::{Breach, Rule, Ruled, count};
use crate::difference::shown;
use crate::manifest::{Manifest, Resource};
use crate::run::Operation;

pub(super) fn rule(watched: &Watched<'_>, manifest: &Manifest, traces: &[Trace<'_>]) -> Ruled {
    let seen = watched.records();
    let mut breaches = seen.breaches();
    breaches.extend(traces.iter().filter_map(|trace| unknown_resource(manifest, trace)));
    let bodies = by_resource(traces);
    for (name, bodies) in &bodies {
        if let Some(resource) = manifest.resource(name).filter(|resource| !resource.generic) {
            breaches.extend(missing_dates(resource, bodies));
        }
    }
    let tried = count(seen.count, "record");
    let found: usize = bodies.values().map(Vec::len).sum();
    if found == 0 && breaches.is_empty() {
        return Ruled::not_proven(Rule::Records, tried, "no case leads to a record");
    }
    Ruled::of(Rule::Records, tried, breaches)
}

fn resource_of(operation: &Operation) -> Option<&str> {
    match operation {
        Operation::Check => None,
        Operation::List(list) => Some(&list.resource),
        Operation::Get(get) => Some(&get.resource),
        Operation::Sweep(sweep) => Some(&sweep.resource),
    }
}

fn unknown_resource(manifest: &Manifest, trace: &Trace<'_>) -> Option<Breach> {
    let name = resource_of(&trace.case.run.operation)?;
    // A case may show what becomes of a resource that does not exist.
    let is_fault = trace.replayed.found.fault.is_some();
    if is_fault || manifest.resource(name).is_some() {
        return None;
    }
    let known: Vec<_> = manifest
        .resources
        .iter()
        .map(|resource| resource.name.as_str())
        .collect();
    Some(Breach {
        place: format!("case `{}`", shown(&trace.case.name)),
        words: format!(
            "resource: found `{}`; expected one of the manifest's: {}",
            shown(name),
            known.join(", ")
        ),
        reproduce: None,
    })
}

/// The bodies that the cases gave, by the name of their resource.
fn by_resource<'t>(traces: &'t [Trace<'_>]) -> BTreeMap<&'t str, Vec<Value>> {
    let mut bodies: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for trace in traces {
        let Some(name) = resource_of(&trace.case.run.operation) else {
            continue;
        };
        let found = trace.replayed.found.records.iter();
        let found = found.filter_map(|record| serde_json::from_slice::<Value>(&record.body).ok());
        bodies.entry(name).or_default().extend(found);
    }
    bodies.retain(|_, bodies| !bodies.is_empty());
    bodies
}

fn missing_dates(resource: &Resource, bodies: &[Value]) -> Vec<Breach> {
    let dates = [
        ("createdDateField", &resource.created_date_field),
        ("updatedDateField", &resource.updated_date_field),
    ];
    let dates = dates
        .into_iter()
        .filter_map(|(field, path)| Some((field, path.as_deref()?)));
    let missing = dates.filter(|(_, path)| !bodies.iter().any(|body| is_at(body, path)));
    let breaches = missing.map(|(field, path)| Breach {
        place: format!("resource `{}`", shown(&resource.name)),
        words: format!(
            "{field}: found `{}` in none of {}; expected it in one at least",
            shown(path),
            count(bodies.len(), "record")
        ),
        reproduce: None,
    });
    breaches.collect()
}

/// Is there a value at a path: dotted, or in brackets (`['User Id']`)?
fn is_at(body: &Value, path: &str) -> bool {
    let mut value = Some(body);
    for name in segments(path) {
        value = value.and_then(|value| value.get(name));
    }
    value.is_some_and(|value| !value.is_null())
}

fn segments(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let bracketed = rest.strip_prefix("['").and_then(|inner| inner.split_once("']"));
        let (segment, after) = match bracketed {
            Some(found) => found,
            None => rest.split_at(rest.find(['.', '[']).filter(|end| *end > 0).unwrap_or(rest.len())),
        };
        segments.push(segment);
        rest = after;
    }
    segments
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_through_dots_and_brackets() {
        let body = json!({"a": {"b": 1}, "User Id": {"c.d": 2}, "n": null});
        for path in ["a", "a.b", "['User Id']", "['User Id']['c.d']", "['User Id'].['c.d']"] {
            assert!(is_at(&body, path), "{path}");
        }
        for path in ["b", "a.b.c", "n", "['a.b']", "[", "a."] {
            assert!(!is_at(&body, path), "{path}");
        }
    }
}
