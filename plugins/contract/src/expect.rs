//! What came of a run beside what was expected: the snapshot of a case, or the same run by another version.
//! Must not run anything, nor decide that a difference is fine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::case::Found;
use crate::difference;
use crate::record::Record;

pub use crate::difference::Field;

/// How two runs differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordDifference>,
    /// Of faults, ids, problems, checkpoint, memo and order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Field>,
}

/// A record that one of the runs lacks, or gave with another content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordDifference {
    pub id: String,
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The new run has it.
    Added,
    /// The old run had it.
    Gone,
    Changed(Vec<Field>),
}

impl Differences {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.others.is_empty()
    }
}

impl fmt::Display for Differences {
    /// One line for each.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.records.iter().map(ToString::to_string);
        let others = self.others.iter().map(ToString::to_string);
        let lines: Vec<String> = others.chain(records).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for RecordDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = &self.id;
        match &self.change {
            Change::Added => write!(formatter, "record `{id}` is new"),
            Change::Gone => write!(formatter, "record `{id}` is gone"),
            Change::Changed(fields) => {
                let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
                write!(formatter, "record `{id}` changed: {}", fields.join("; "))
            }
        }
    }
}

/// How the new run differs from the old one, or from what is expected.
pub fn compare(old: &Found, new: &Found) -> Differences {
    let mut differences = Differences {
        records: compare_records(&old.records, &new.records),
        others: Vec::new(),
    };
    let others = &mut differences.others;
    others.extend(faults(old, new));
    others.extend(ids(&old.ids, &new.ids));
    others.extend(difference::of_json(
        "problems",
        &value(&old.problems),
        &value(&new.problems),
    ));
    for (path, old, new) in [
        ("checkpoint", &old.checkpoint, &new.checkpoint),
        ("memo", &old.memo, &new.memo),
    ] {
        others.extend(difference::of_bytes(path, old.as_deref(), new.as_deref()));
    }
    if differences.is_empty() && old != new {
        let order = Field::of("order", Some("as expected"), Some("another, with the same content"));
        differences.others.push(order);
    }
    differences
}

/// Do both runs give the same content, in whatever order and however often? What else they give is not looked at.
pub fn same_content(old: &Found, new: &Found) -> Differences {
    // Of one that came twice the last counts, as it does where records are stored.
    let last = |found: &Found| {
        let by_id: BTreeMap<String, Record> = found
            .records
            .iter()
            .map(|record| (record.id.clone(), record.clone()))
            .collect();
        by_id.into_values().collect::<Vec<_>>()
    };
    Differences {
        records: compare_records(&last(old), &last(new)),
        others: faults(old, new).into_iter().chain(ids(&old.ids, &new.ids)).collect(),
    }
}

fn faults(old: &Found, new: &Found) -> Vec<Field> {
    difference::of_json("fault", &value(&old.fault), &value(&new.fault))
}

fn ids(old: &[String], new: &[String]) -> Vec<Field> {
    let [old, new] = [old, new].map(|ids| ids.iter().collect::<BTreeSet<_>>());
    let gone = old.difference(&new).map(|id| Field::of("ids", Some(id), None));
    let added = new.difference(&old).map(|id| Field::of("ids", None, Some(id)));
    gone.chain(added).collect()
}

fn compare_records(old: &[Record], new: &[Record]) -> Vec<RecordDifference> {
    let [old_by_id, new_by_id] = [old, new].map(by_id_and_turn);
    let keys: BTreeSet<_> = old_by_id.keys().chain(new_by_id.keys()).collect();
    keys.into_iter()
        .filter_map(|key| {
            let change = match (old_by_id.get(key), new_by_id.get(key)) {
                (Some(old), Some(new)) if old == new => return None,
                (Some(old), Some(new)) => Change::Changed(record_fields(old, new)),
                (Some(_), None) => Change::Gone,
                (None, _) => Change::Added,
            };
            let id = key.0.to_owned();
            Some(RecordDifference { id, change })
        })
        .collect()
}

/// A record that comes twice in a run is the first and the second of its id.
fn by_id_and_turn(records: &[Record]) -> BTreeMap<(&str, usize), &Record> {
    let mut turns: BTreeMap<&str, usize> = BTreeMap::new();
    let keyed = records.iter().map(|record| {
        let turn = turns.entry(&record.id).or_default();
        *turn += 1;
        ((record.id.as_str(), *turn), record)
    });
    keyed.collect()
}

fn record_fields(old: &Record, new: &Record) -> Vec<Field> {
    let beside =
        |record: &Record| json!({"created": record.created, "updated": record.updated, "deleted": record.deleted});
    let mut fields = difference::of_json("", &beside(old), &beside(new));
    let body = |record: &Record| (!record.body.is_empty()).then(|| record.body.clone());
    fields.extend(difference::of_bytes("body", body(old).as_deref(), body(new).as_deref()));
    fields
}

fn value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("the types of a case have texts for keys")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Moment;
    use crate::run::{Fault, Problem, Remedy};
    use crate::time::Timestamp;

    fn record(id: &str, body: &'static str) -> Record {
        Record {
            id: id.into(),
            created: None,
            updated: None,
            deleted: false,
            body: body.into(),
        }
    }

    fn found(records: Vec<Record>) -> Found {
        Found {
            records,
            ..Found::default()
        }
    }

    #[test]
    fn records_are_compared_by_id_and_field() {
        let old = found(vec![record("1", r#"{"a":1}"#), record("2", "{}"), record("3", "{}")]);
        let mut changed = record("1", r#"{"a":2,"b":3}"#);
        changed.updated = Some(Moment::At(Timestamp::from_ms(5)));
        let new = found(vec![changed, record("3", "{}"), record("4", "{}")]);
        let text = compare(&old, &new).to_string();
        assert_eq!(
            text,
            "record `1` changed: updated: was null, is {\"atMs\":5}; body.a: was 1, is 2; body.b: 3 is new\n\
             record `2` is gone\n\
             record `4` is new"
        );
    }

    #[test]
    fn everything_else_is_compared_too() {
        let old = Found::default();
        let new = Found {
            fault: Some(Fault {
                remedy: Remedy::Broken,
                code: "x".into(),
                message: "y".into(),
                detail: None,
            }),
            ids: vec!["7".into()],
            problems: vec![Problem {
                subject: "a".into(),
                code: "b".into(),
                message: "c".into(),
            }],
            checkpoint: Some(b"{\"at\":1}".to_vec()),
            memo: Some(b"m".to_vec()),
            ..Found::default()
        };
        let paths: Vec<_> = compare(&old, &new).others.into_iter().map(|field| field.path).collect();
        assert_eq!(paths, ["fault", "ids", "problems[0]", "checkpoint", "memo"]);
        assert!(compare(&new, &new).is_empty());
    }

    #[test]
    fn another_order_is_a_difference_of_a_snapshot_and_none_of_content() {
        let [one, two] = [record("1", "{}"), record("2", "{}")];
        let old = found(vec![one.clone(), two.clone()]);
        let new = found(vec![two, one]);
        assert_eq!(compare(&old, &new).others[0].path, "order");
        assert!(same_content(&old, &new).is_empty());
    }

    #[test]
    fn a_record_that_comes_twice_is_a_difference_of_a_snapshot_and_none_of_content() {
        let old = found(vec![record("1", "{}")]);
        let new = found(vec![record("1", "{}"), record("1", "{}")]);
        assert_eq!(compare(&old, &new).to_string(), "record `1` is new");
        assert!(same_content(&old, &new).is_empty());
    }
}
