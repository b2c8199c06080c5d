//! A true body with one value replaced: what happens where a vendor changes its API, or has a bug.
//! Must not grow with the body: of a list the first and the last element stand for all, and changes are chosen evenly where
//! there are too many.

use serde_json::Value;

use super::Claim;
use super::answers::Hostile;
use crate::difference::shown;
use crate::run::{Operation, Response};

/// Length of a text that does not fit any field.
const LONG_TEXT: usize = 20_000;

/// A number that no record has as its id.
const NUMBER: &str = "770071";

/// Where a value is.
#[derive(Clone, PartialEq)]
enum Key {
    Name(String),
    Index(usize),
}

/// What becomes of a value.
enum Change {
    Replaced(String),
    /// For an element of a list: twice.
    Doubled,
    Removed,
}

struct Mutation<'v> {
    path: Vec<Key>,
    value: &'v Value,
    change: Change,
    claim: Claim,
}

/// At most so many.
pub(super) fn of(truth: &Response, operation: &Operation, most: usize) -> Vec<Hostile> {
    let Ok(body) = serde_json::from_slice::<Value>(&truth.body) else {
        return Vec::new();
    };
    let mut mutations = Vec::new();
    walk(&body, &mut Vec::new(), operation, &mut mutations);
    let chosen = evenly(mutations.len(), most);
    let hostile = |index: usize| {
        let mutation = &mutations[index];
        let mut text = String::with_capacity(truth.body.len());
        write(&body, Some(&mutation.path), &mutation.change, &mut text);
        Hostile::body(truth, mutation.claim, mutation.words(), text)
    };
    chosen.into_iter().map(hostile).collect()
}

/// `most` of `all` places, spread over them.
fn evenly(all: usize, most: usize) -> Vec<usize> {
    let chosen = all.min(most);
    (0..chosen).map(|turn| turn * all / chosen).collect()
}

fn walk<'v>(value: &'v Value, path: &mut Vec<Key>, operation: &Operation, mutations: &mut Vec<Mutation<'v>>) {
    if !path.is_empty() {
        mutations.extend(of_value(value, path, operation));
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                path.push(Key::Name(name.clone()));
                walk(value, path, operation, mutations);
                path.pop();
            }
        }
        Value::Array(elements) => {
            let last = elements.len().saturating_sub(1);
            for (index, value) in elements
                .iter()
                .enumerate()
                .filter(|(index, _)| *index == 0 || *index == last)
            {
                path.push(Key::Index(index));
                walk(value, path, operation, mutations);
                path.pop();
            }
        }
        _ => {}
    }
}

fn of_value<'v>(value: &'v Value, path: &[Key], operation: &Operation) -> Vec<Mutation<'v>> {
    let is_element = matches!(path.last(), Some(Key::Index(_)));
    // Elements of lists are records, as far as anybody can tell who does not know the vendor.
    let is_in_record = path.iter().any(|key| matches!(key, Key::Index(_)));
    let has_filter = matches!(operation, Operation::List(list) if list.filter.is_some());
    let claim_of = |claim: Claim| match claim {
        Claim::NoLoss if is_in_record && has_filter => Claim::NoPageLost,
        Claim::NoRecordLost if is_in_record && has_filter => Claim::Nothing,
        claim => claim,
    };
    let was = value.to_string();
    let mut changes: Vec<(Change, Claim)> = ["null", NUMBER, "\"text\"", "[]", "{}"]
        .into_iter()
        .filter(|text| *text != was)
        .map(|text| {
            (
                Change::Replaced(text.into()),
                claim_of(claim(value, text, is_element, operation)),
            )
        })
        .collect();
    changes.push(match is_element {
        true => (Change::Doubled, Claim::Nothing),
        false => (Change::Removed, claim_of(missing(value, operation))),
    });
    let others: Vec<String> = match value {
        Value::Number(_) => vec![
            "1e400".into(),
            "-1".into(),
            "0".into(),
            "123456789012345678901234567890".into(),
        ],
        Value::String(text) => {
            let mut others = vec![
                "\"\"".into(),
                format!("\"{}\"", "x".repeat(LONG_TEXT)),
                "\"\\ud83d\"".into(),
            ];
            if text.starts_with("http") {
                others.push("\"https://evil.example/\"".into());
            }
            others
        }
        Value::Bool(truth) => vec![(!truth).to_string()],
        _ => Vec::new(),
    };
    changes.extend(others.into_iter().map(|text| (Change::Replaced(text), Claim::Nothing)));
    let mutation = |(change, claim)| Mutation {
        path: path.to_vec(),
        value,
        change,
        claim,
    };
    changes.into_iter().map(mutation).collect()
}

fn claim(value: &Value, replacement: &str, is_element: bool, operation: &Operation) -> Claim {
    match (value, replacement) {
        (Value::Null, _) => Claim::Nothing,
        (_, "null") => missing(value, operation),
        (Value::Number(_), NUMBER) | (Value::String(_), "\"text\"") | (Value::Array(_), "[]") => Claim::Nothing,
        // A record without anything in it is still one; another object may have nothing to say.
        (Value::Object(_), "{}") if is_element => Claim::NoRecordLost,
        (Value::Object(_), "{}") => Claim::Nothing,
        _ => Claim::NoLoss,
    }
}

/// A list that is missing may be an empty one, and a single record that is missing may not exist.
fn missing(value: &Value, operation: &Operation) -> Claim {
    match (value, operation) {
        (Value::Null | Value::Array(_), _) | (_, Operation::Get(_)) => Claim::Nothing,
        _ => Claim::NoRecordLost,
    }
}

impl Mutation<'_> {
    fn words(&self) -> String {
        let path = path_words(&self.path);
        let was = shown(&self.value.to_string());
        match &self.change {
            Change::Replaced(text) => format!("with `{path}` {} in place of {was}", shown(text)),
            Change::Doubled => format!("with `{path}` twice"),
            Change::Removed => format!("without `{path}`"),
        }
    }
}

fn path_words(path: &[Key]) -> String {
    let mut words = String::new();
    for key in path {
        match key {
            Key::Name(name) if words.is_empty() => words.push_str(name),
            Key::Name(name) => words.push_str(&format!(".{name}")),
            Key::Index(index) => words.push_str(&format!("[{index}]")),
        }
    }
    words
}

/// The document as text, with the change at its place. `path` is what is left of the way there; none beside it.
fn write(value: &Value, path: Option<&[Key]>, change: &Change, out: &mut String) {
    match (value, path) {
        (_, Some([])) => match change {
            Change::Replaced(text) => out.push_str(text),
            Change::Doubled => out.push_str(&format!("{value},{value}")),
            Change::Removed => {}
        },
        (Value::Object(members), Some([Key::Name(next), rest @ ..])) => {
            let removes = rest.is_empty() && matches!(change, Change::Removed);
            let members = members.iter().filter(|(name, _)| !(removes && *name == next));
            list(out, '{', '}', members, |(name, value), out| {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(value, (name == next).then_some(rest), change, out);
            });
        }
        (Value::Array(elements), Some([Key::Index(next), rest @ ..])) => {
            list(out, '[', ']', elements.iter().enumerate(), |(index, value), out| {
                write(value, (index == *next).then_some(rest), change, out);
            });
        }
        (value, _) => out.push_str(&value.to_string()),
    }
}

fn list<T>(out: &mut String, open: char, close: char, items: impl Iterator<Item = T>, each: impl Fn(T, &mut String)) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        each(item, out);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{case, exchange, get};

    fn bodies(body: &str, most: usize) -> Vec<(String, String)> {
        let truth = exchange(get("https://acme.example"), 200, body).response;
        let list = case(Vec::new()).run.operation;
        let hostiles = of(&truth, &list, most).into_iter();
        let texts = hostiles.map(|hostile| {
            let body = hostile.response(0).body;
            (hostile.change, String::from_utf8(body.to_vec()).unwrap())
        });
        texts.collect()
    }

    #[test]
    fn every_value_is_replaced_in_its_place() {
        let all = bodies(
            r#"{"items":[{"id":1},{"id":2},{"id":3}],"next":"http://a"}"#,
            usize::MAX,
        );
        for (change, body) in [
            (
                "with `items` null in place of [{\"id\":1},{\"id\":2},{\"id\":3}]",
                r#"{"items":null,"next":"http://a"}"#,
            ),
            (
                "with `items[0]` twice",
                r#"{"items":[{"id":1},{"id":1},{"id":2},{"id":3}],"next":"http://a"}"#,
            ),
            (
                "without `items[2].id`",
                r#"{"items":[{"id":1},{"id":2},{}],"next":"http://a"}"#,
            ),
            (
                "with `items[0].id` 1e400 in place of 1",
                r#"{"items":[{"id":1e400},{"id":2},{"id":3}],"next":"http://a"}"#,
            ),
            (
                "with `next` \"https://evil.example/\" in place of \"http://a\"",
                r#"{"items":[{"id":1},{"id":2},{"id":3}],"next":"https://evil.example/"}"#,
            ),
            ("without `next`", r#"{"items":[{"id":1},{"id":2},{"id":3}]}"#),
        ] {
            assert!(all.contains(&(change.into(), body.into())), "{change}: {all:#?}");
        }
        assert!(
            all.iter().all(|(change, _)| !change.contains("items[1]")),
            "the middle of a list is left alone"
        );
    }

    #[test]
    fn changes_are_spread_where_there_are_too_many() {
        let body = r#"{"a":1,"b":2,"c":3,"d":4}"#;
        let all = bodies(body, usize::MAX).len();
        let some = bodies(body, 4);
        assert_eq!(some.len(), 4);
        assert!(all > 20, "{all}");
        let names: Vec<_> = some
            .iter()
            .map(|(change, _)| change.split('`').nth(1).unwrap())
            .collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert_eq!(evenly(0, 5), [0; 0]);
    }
}
