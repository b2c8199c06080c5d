//! Two values side by side: what is new, what is gone and what changed, field by field.
//! Must not decide whether a difference matters.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// Characters of a value that a message shows.
const SHOWN_CHARS: usize = 200;

/// A field that differs. Values are as a message shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// `records[0].body.name`, or a name of its own such as ``header `accept` ``.
    pub path: String,
    /// None where it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// None where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

impl Field {
    pub(crate) fn of(path: impl Into<String>, old: Option<&str>, new: Option<&str>) -> Self {
        Self {
            path: path.into(),
            old: old.map(shown),
            new: new.map(shown),
        }
    }

    /// `path: found X; expected Y`, where the old value is what was expected.
    pub fn as_expectation(&self) -> String {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        format!(
            "{}: found {}; expected {}",
            self.path,
            or_none(&self.new),
            or_none(&self.old)
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(formatter, "{path}: was {old}, is {new}"),
            (Some(old), None) => write!(formatter, "{path}: {old} is gone"),
            (None, Some(new)) => write!(formatter, "{path}: {new} is new"),
            (None, None) => write!(formatter, "{path}: differs"),
        }
    }
}

/// A text for a message: in one line, and not longer than anybody reads.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.replace(char::is_control, " ")
}

/// How two documents differ, below `path`.
pub(crate) fn of_json(path: &str, old: &Value, new: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    walk(path, Some(old), Some(new), &mut fields);
    fields
}

/// How two pieces of bytes differ: as JSON if both are, else as text.
pub(crate) fn of_bytes(path: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Vec<Field> {
    if old == new {
        return Vec::new();
    }
    let json = |bytes: Option<&[u8]>| bytes.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    if let (Some(old_json), Some(new_json)) = (json(old), json(new)) {
        let fields = of_json(path, &old_json, &new_json);
        if !fields.is_empty() {
            return fields;
        }
    }
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| format!("`{}`", String::from_utf8_lossy(bytes)));
    vec![Field::of(path, text(old).as_deref(), text(new).as_deref())]
}

fn walk(path: &str, old: Option<&Value>, new: Option<&Value>, fields: &mut Vec<Field>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                walk(&below(path, name), old.get(name), new.get(name), fields);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for index in 0..old.len().max(new.len()) {
                walk(&format!("{path}[{index}]"), old.get(index), new.get(index), fields);
            }
        }
        (old, new) => {
            let text = |value: Option<&Value>| value.map(Value::to_string);
            fields.push(Field::of(path, text(old).as_deref(), text(new).as_deref()));
        }
    }
}

fn below(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(old: &Value, new: &Value) -> Vec<String> {
        of_json("", old, new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_kind_of_difference_is_named_with_its_path() {
        let old = json!({"a": 1, "b": {"c": [1, 2], "gone": true}, "same": {}});
        let new = json!({"a": "1", "b": {"c": [1], "new": null}, "same": {}});
        assert_eq!(
            words(&old, &new),
            [
                "a: was 1, is \"1\"",
                "b.c[1]: 2 is gone",
                "b.gone: true is gone",
                "b.new: null is new"
            ]
        );
    }

    #[test]
    fn bytes_are_compared_as_json_where_both_are() {
        let fields = |old: &[u8], new: &[u8]| {
            let fields = of_bytes("body", Some(old), Some(new));
            fields.iter().map(Field::as_expectation).collect::<Vec<_>>()
        };
        assert_eq!(fields(b"{\"a\":1}", b"{\"a\":2}"), ["body.a: found 2; expected 1"]);
        assert_eq!(fields(b"{}", b"{ }"), ["body: found `{ }`; expected `{}`"]);
        assert_eq!(fields(b"x", b"\ny"), ["body: found ` y`; expected `x`"]);
        assert!(fields(b"\xff", b"\xff").is_empty());
    }

    #[test]
    fn what_is_long_is_cut() {
        let long = "é".repeat(SHOWN_CHARS + 1);
        assert_eq!(shown(&long).chars().count(), SHOWN_CHARS + 1);
        assert!(shown(&long).ends_with('…'));
        assert!(!shown(&long[..2 * SHOWN_CHARS]).ends_with('…'));
    }
}
