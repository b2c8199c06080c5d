//! Values and members: pieces of a validated document, by reference.
//! They must not be made from text that was not scanned: every method trusts the grammar.
use super::error::{Error, Stop, Wanted};
use super::object::write_object;
use super::scan::{self, Scanned};
use super::text;
use std::borrow::Cow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// A JSON value as the document writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    raw: &'a str,
    kind: Kind,
    /// The text is canonical already and may be copied.
    canonical: bool,
}

/// One member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name as written between the quotes, so with its escapes if it has any (names of real APIs have none).
    /// A caller who renames puts text here that needs no escape, or [`Value::as_key`] of another value.
    pub key: &'a str,
    pub value: Value<'a>,
}

impl Member<'_> {
    /// What the name means, escapes resolved.
    pub fn name(&self) -> Cow<'_, str> {
        text::unescaped(self.key)
    }
}

impl<'a> Value<'a> {
    pub const NULL: Value<'static> = Value {
        raw: "null",
        kind: Kind::Null,
        canonical: true,
    };

    /// A document of any one value.
    pub fn parse(document: &'a [u8]) -> Result<Self, Error> {
        let (text, skipped) = text::checked(document)?;
        let whole = || {
            let bytes = text.as_bytes();
            let start = scan::skip_space(bytes, 0);
            let scanned = scan::value(bytes, start, 0)?;
            match scan::skip_space(bytes, scanned.end) {
                end if end == bytes.len() => Ok(Self::of(text, start, scanned)),
                end => Stop::new(end, Wanted::DocumentEnd),
            }
        };
        whole().map_err(|stop| stop.into_error(text, skipped))
    }

    #[inline(always)]
    pub(super) fn of(text: &'a str, start: usize, scanned: Scanned) -> Self {
        Self {
            raw: &text[start..scanned.end],
            kind: scanned.kind,
            canonical: scanned.canonical,
        }
    }

    /// The text as written, without white space around it.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// True where the text is canonical, so that [`Self::write_canonical`] is a copy.
    pub fn is_canonical(&self) -> bool {
        self.canonical
    }

    pub fn as_bool(&self) -> Option<bool> {
        (self.kind == Kind::Bool).then_some(self.raw == "true")
    }

    /// A number without fraction and exponent, in range.
    pub fn as_i64(&self) -> Option<i64> {
        if self.kind == Kind::Number {
            self.raw.parse().ok()
        } else {
            None
        }
    }

    /// Any number, rounded to the nearest; infinite where it is out of range.
    pub fn as_f64(&self) -> Option<f64> {
        if self.kind == Kind::Number {
            self.raw.parse().ok()
        } else {
            None
        }
    }

    /// What a string means; borrowed unless it holds an escape.
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        self.as_key().map(text::unescaped)
    }

    /// A string as written between its quotes, fit to be a [`Member::key`].
    pub fn as_key(&self) -> Option<&'a str> {
        if self.kind == Kind::String {
            self.raw.get(1..self.raw.len() - 1)
        } else {
            None
        }
    }

    /// An object's members in document order, duplicates included; none for any other kind.
    pub fn members(&self) -> Members<'a> {
        Members {
            inside: Inside::new(self, Kind::Object),
        }
    }

    /// An array's elements; none for any other kind.
    pub fn elements(&self) -> Elements<'a> {
        Elements {
            inside: Inside::new(self, Kind::Array),
        }
    }

    /// The value of the member of that name (of several, the last).
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.members()
            .filter(|member| member.name() == name)
            .last()
            .map(|member| member.value)
    }

    /// Appends the value as canonical JSON.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        match self.kind {
            _ if self.canonical => out.extend_from_slice(self.raw.as_bytes()),
            Kind::String => text::write_string(&self.as_str().unwrap_or_default(), out),
            Kind::Array => self.write_elements(out),
            Kind::Object => write_object(&mut self.members().collect::<Vec<_>>(), out),
            Kind::Null | Kind::Bool | Kind::Number => out.extend_from_slice(self.raw.as_bytes()),
        }
    }

    fn write_elements(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, element) in self.elements().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            element.write_canonical(out);
        }
        out.push(b']');
    }
}

/// The members of an object. See [`Value::members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    inside: Inside<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let start = self.inside.next_start()?;
        let text = self.inside.text;
        let name = scan::name(text.as_bytes(), start, Wanted::Name).ok()?;
        let colon = scan::skip_space(text.as_bytes(), name.end);
        let value = self.inside.value_at(scan::skip_space(text.as_bytes(), colon + 1))?;
        Some(Member {
            key: text.get(start + 1..name.end - 1)?,
            value,
        })
    }
}

/// The elements of an array. See [`Value::elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    inside: Inside<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let start = self.inside.next_start()?;
        self.inside.value_at(start)
    }
}

/// A walk through what stands between brackets. The text was validated, so whatever is amiss can only be the end.
#[derive(Debug, Clone)]
struct Inside<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Inside<'a> {
    fn new(value: &Value<'a>, kind: Kind) -> Self {
        Self {
            text: if value.kind == kind { value.raw } else { "" },
            at: 0,
        }
    }

    /// Steps over the bracket or comma before the next item.
    fn next_start(&mut self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let at = scan::skip_space(bytes, self.at);
        match bytes.get(at)? {
            b'{' | b'[' | b',' => {
                let start = scan::skip_space(bytes, at + 1);
                (!matches!(bytes.get(start)?, b'}' | b']')).then_some(start)
            }
            _ => None,
        }
    }

    fn value_at(&mut self, start: usize) -> Option<Value<'a>> {
        // Depth was checked when the document was read.
        let scanned = scan::value(self.text.as_bytes(), start, 0).ok()?;
        self.at = scanned.end;
        Some(Value::of(self.text, start, scanned))
    }
}
