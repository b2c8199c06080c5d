//! Paths into a record: `a.b`, `['a b']` or both mixed, followed through objects.
//! Must not follow anything but names.

use tidegate_sdk::json::{Member, Value};

/// The names of a path, one inside the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn parse(path: &str) -> Self {
        let mut names = Vec::new();
        let mut rest = path;
        while !rest.is_empty() {
            let (name, after) = bracketed(rest).unwrap_or_else(|| {
                let end = rest.find(['.', '[']).filter(|end| *end > 0).unwrap_or(rest.len());
                rest.split_at(end)
            });
            names.push(name.to_owned());
            rest = after.strip_prefix('.').unwrap_or(after);
        }
        Self(names)
    }

    /// Where it leads; None for nothing and for null.
    pub(crate) fn value<'a>(&self, members: &[Member<'a>]) -> Option<Value<'a>> {
        let (first, inside) = self.0.split_first()?;
        let member = members.iter().rev().find(|member| member.name() == first.as_str())?;
        let value = inside.iter().try_fold(member.value, |value, name| value.get(name))?;
        (!value.is_null()).then_some(value)
    }
}

/// `['a b']` at the start, and what follows.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?;
    let quote = inner.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    inner[1..].split_once(&format!("{quote}]"))
}

#[cfg(test)]
mod tests {
    use tidegate_sdk::json::parse_object;

    use super::*;

    #[test]
    fn a_path_is_followed_in_either_spelling() {
        let members = parse_object(br#"{"a":{"b":1,"c d":{"e":2}},"x.y":3,"n":null,"\u0061":{"b":4}}"#).unwrap();
        let raw = |path: &str| Path::parse(path).value(&members).map(|value| value.raw());
        assert_eq!(raw("a.b"), Some("4"), "of equal names the last one wins");
        assert_eq!(raw("['x.y']"), Some("3"));
        assert_eq!(raw("[\"x.y\"]"), Some("3"));
        for nothing in ["", "n", "a.b.c", "b", "[", "['x.y'", "a[0]", "."] {
            assert_eq!(raw(nothing), None, "{nothing}");
        }
        let members = parse_object(br#"{"a":{"c d":{"e":2}}}"#).unwrap();
        assert_eq!(
            Path::parse("a['c d'].e").value(&members).map(|value| value.raw()),
            Some("2")
        );
    }
}
