//! Tests of `fields` from bodies to names. Looks into a sketch only where its size matters.

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use super::*;
use crate::domain::record::{Fingerprint, Record};
use crate::engine::compare::Dated;

fn difference(id: &str, before: Option<&str>, after: &str, change: Option<Change>) -> Difference {
    Difference {
        dated: Dated {
            record: Record {
                id: id.into(),
                body: Bytes::copy_from_slice(after.as_bytes()),
                created: None,
                updated: None,
                deleted: after.is_empty(),
            },
            created: None,
            updated: None,
        },
        fingerprint: Fingerprint {
            digest: xxh3_128(after.as_bytes()),
            projection: 1,
            version: 1,
            deleted: after.is_empty(),
        },
        before: before.map(|before| xxh3_128(before.as_bytes())),
        change,
        fields: None,
    }
}

/// What is kept of a resource, as a store would.
#[derive(Default)]
struct Kept {
    names: Vec<String>,
    sketches: HashMap<String, Vec<u8>>,
}

impl Kept {
    fn tell(&mut self, mut difference: Difference, all: bool) -> Option<Vec<String>> {
        let ids = wanted(std::slice::from_ref(&difference), all);
        let known = Sketches {
            names: self.names.clone(),
            each: ids.iter().map(|id| self.sketches.get(id).cloned()).collect(),
        };
        let update = tell(std::slice::from_mut(&mut difference), known, all);
        if let Some(names) = update.names {
            assert!(names.starts_with(&self.names) && names.len() > self.names.len());
            self.names = names;
        }
        for (id, sketch) in update.sketches {
            match sketch {
                Some(sketch) => drop(self.sketches.insert(id, sketch)),
                None => drop(self.sketches.remove(&id)),
            }
        }
        difference.fields
    }

    fn update(&mut self, before: &str, after: &str) -> Option<Vec<String>> {
        self.tell(difference("1", Some(before), after, Some(Change::Updated)), false)
    }
}

/// The fields by which the second body differs from the first.
fn told(before: &str, after: &str) -> Option<Vec<String>> {
    let mut kept = Kept::default();
    assert_eq!(kept.update("{}", before), None, "nothing is known yet");
    kept.update(before, after)
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(ToString::to_string).collect())
}

#[test]
fn added_changed_and_removed_fields_are_named_in_order() {
    let table: &[(&str, &str, &[&str])] = &[
        (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":3}"#, &["b"]),
        (r#"{"a":1,"c":2}"#, r#"{"b":2,"c":3}"#, &["a", "b", "c"]),
        (r#"{"a":1,"b":2}"#, r#"{"a":1}"#, &["b"]),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, &["a"]),
        (r#"{"a":{"x":1,"y":2},"b":1}"#, r#"{"a":{"x":1,"y":3},"b":1}"#, &["a.y"]),
        (r#"{"a":{"x":1}}"#, r#"{"a":1}"#, &["a", "a.x"]),
        (r#"{"a":{}}"#, r#"{}"#, &["a"]),
        (r#"{"a":{}}"#, r#"{"a":{"x":1}}"#, &["a", "a.x"]),
        // An array is one field, also where it holds objects.
        (r#"{"a":[{"x":1},{"x":2}]}"#, r#"{"a":[{"x":1},{"x":3}]}"#, &["a"]),
        // Depth 4 is a field of its own, what lies deeper is not.
        (
            r#"{"a":{"b":{"c":{"d":1,"e":1}}}}"#,
            r#"{"a":{"b":{"c":{"d":2,"e":1}}}}"#,
            &["a.b.c.d"],
        ),
        (
            r#"{"a":{"b":{"c":{"d":{"e":1,"f":1}}}}}"#,
            r#"{"a":{"b":{"c":{"d":{"e":2,"f":1}}}}}"#,
            &["a.b.c.d"],
        ),
        // Two ways to write a path, and one of the values changes.
        (r#"{"a.b":1,"a":{"b":2}}"#, r#"{"a.b":1,"a":{"b":3}}"#, &["a.b"]),
        (r#"{"ü \"x\"":1}"#, r#"{"ü \"x\"":2}"#, &["ü \"x\""]),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(before, after), names(expected), "{before} -> {after}");
    }
}

#[test]
fn created_and_deleted_records_have_no_changed_fields() {
    let mut kept = Kept::default();
    let (a, b) = (r#"{"a":1}"#, r#"{"a":2}"#);
    assert_eq!(kept.tell(difference("1", None, a, Some(Change::Created)), false), None);
    assert_eq!(kept.update(a, b), names(&["a"]), "known from its first event on");
    assert_eq!(
        kept.tell(difference("1", Some(b), "", Some(Change::Deleted)), false),
        None
    );
    assert!(kept.sketches.is_empty(), "what is gone is not kept");
    assert_eq!(kept.tell(difference("1", None, b, Some(Change::Updated)), false), None);
    assert_eq!(kept.update(b, a), names(&["a"]));
}

#[test]
fn a_baseline_is_sketched_only_if_all_fields_are_asked_for() {
    let (a, b) = (r#"{"a":1}"#, r#"{"a":2}"#);
    for (all, expected) in [(false, None), (true, names(&["a"]))] {
        let mut kept = Kept::default();
        kept.tell(difference("1", None, a, None), all);
        assert_eq!(kept.sketches.len(), usize::from(all));
        assert_eq!(
            kept.tell(difference("1", Some(a), b, Some(Change::Updated)), all),
            expected
        );
    }
}

#[test]
fn a_sketch_of_another_version_of_the_record_says_nothing() {
    let mut kept = Kept::default();
    kept.update("{}", r#"{"a":1}"#);
    // Between the two a new projection was taken in silence.
    assert_eq!(kept.update(r#"{"a":1,"b":1}"#, r#"{"a":2,"b":1}"#), None);
    assert_eq!(kept.update(r#"{"a":2,"b":1}"#, r#"{"a":2,"b":2}"#), names(&["b"]));
}

#[test]
fn a_damaged_sketch_says_nothing() {
    let mut kept = Kept::default();
    let (a, b) = (r#"{"a":1}"#, r#"{"a":2}"#);
    kept.update("{}", a);
    let whole = kept.sketches["1"].clone();
    for length in 0..whole.len() {
        // Cut behind its head it is that of an empty record: what it lacks counts as added.
        if length != HEAD_BYTES {
            kept.sketches.insert("1".into(), whole[..length].to_vec());
            assert_eq!(kept.update(a, b), None, "{length}");
        }
    }
    kept.sketches.insert("1".into(), whole);
    kept.names.clear();
    assert_eq!(kept.update(a, r#"{}"#), None, "names are lost");
}

fn wide(fields: usize, value: u32) -> String {
    let members: Vec<_> = (0..fields).map(|n| format!("\"f{n}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn a_record_with_too_many_fields_has_no_sketch() {
    let most = told(&wide(FIELDS_MAX, 1), &wide(FIELDS_MAX, 2));
    assert_eq!(most.map(|fields| fields.len()), Some(FIELDS_MAX));
    let mut kept = Kept::default();
    kept.update("{}", r#"{"a":1}"#);
    assert_eq!(kept.update(r#"{"a":1}"#, &wide(FIELDS_MAX + 1, 1)), None);
    assert!(kept.sketches.is_empty(), "the old one goes");
    assert_eq!(kept.names, ["a"]);
}

#[test]
fn a_path_that_is_too_long_leaves_its_record_without_a_sketch() {
    let body = |chars: usize, value: u32| format!("{{\"{}\":{value}}}", "x".repeat(chars));
    assert!(told(&body(PATH_BYTES_MAX, 1), &body(PATH_BYTES_MAX, 2)).is_some());
    assert_eq!(told(&body(PATH_BYTES_MAX + 1, 1), &body(PATH_BYTES_MAX + 1, 2)), None);
}

#[test]
fn the_paths_of_a_resource_are_bounded_and_known_ones_go_on_to_be_told() {
    let mut kept = Kept::default();
    let known = r#"{"a":1}"#;
    kept.update("{}", known);
    // Records that use their keys as data.
    for n in 0..NAMES_MAX {
        let body = format!("{{\"key{n}\":1}}");
        kept.tell(difference("2", None, &body, Some(Change::Created)), false);
    }
    assert_eq!(kept.names.len(), NAMES_MAX);
    assert!(!kept.sketches.contains_key("2"), "there was no room for the last one");
    assert_eq!(kept.update(known, r#"{"a":2}"#), names(&["a"]));

    let mut kept = Kept::default();
    let long = |n: usize| format!("{{\"{n:0width$}\":1}}", width = PATH_BYTES_MAX);
    let room = NAMES_BYTES_MAX / PATH_BYTES_MAX;
    for n in 0..=room {
        kept.tell(difference("2", None, &long(n), Some(Change::Created)), false);
    }
    assert_eq!(kept.names.len(), room);
}

#[test]
fn a_sketch_is_small() {
    let mut kept = Kept::default();
    kept.update("{}", &wide(60, 1));
    assert_eq!(kept.sketches["1"].len(), 9 + 60 * 6);
}

#[test]
fn what_is_no_object_is_never_sketched() {
    for body in ["[1]", "1", "null", "{", "\"a\""] {
        assert_eq!(told(body, r#"{"a":1}"#), None);
    }
}

#[test]
fn only_records_with_an_event_are_asked_for() {
    let differences = [
        difference("1", None, "{}", None),
        difference("2", None, "{}", Some(Change::Created)),
    ];
    assert_eq!(wanted(&differences, false), ["2"]);
    assert_eq!(wanted(&differences, true), ["1", "2"]);
}
