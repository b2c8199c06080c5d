//! One field's value of a simulated row: typed, comparable, and written the way the vendor writes it.
//! Knows nothing of entities, filters or HTTP.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io::Write;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};
use serde_json::Value;

/// The vendor's data types, as its field information names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Long,
    Decimal,
    Text,
    Boolean,
    DateTime,
}

impl Kind {
    /// From the type names in `data/autotask-fields.json`; `None` for `array`, which is no scalar.
    pub(super) fn from_table(name: &str) -> Option<Self> {
        match name {
            "int32" => Some(Self::Integer),
            "int64" => Some(Self::Long),
            "double" => Some(Self::Decimal),
            "string" => Some(Self::Text),
            "boolean" => Some(Self::Boolean),
            "date-time" => Some(Self::DateTime),
            _ => None,
        }
    }

    /// As `entityInformation/fields` spells it.
    pub(super) fn data_type(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Long => "long",
            Self::Decimal => "decimal",
            Self::Text => "string",
            Self::Boolean => "boolean",
            Self::DateTime => "datetime",
        }
    }
}

/// A value. Text is boxed, not a `String`, because a large tenant holds millions of cells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Boolean(bool),
    Integer(i64),
    Decimal(f64),
    Text(Box<str>),
    /// Milliseconds since 1970 in UTC: the vendor keeps no finer fraction.
    DateTime(i64),
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// Reads JSON as a `kind`, as forgiving as the vendor: numbers and booleans may be strings.
    /// The error is `None`; the caller knows what was expected.
    pub(super) fn from_json(kind: Kind, value: &Value) -> Option<Self> {
        match (kind, value) {
            (_, Value::Null) => Some(Self::Null),
            (Kind::Integer | Kind::Long, Value::Number(number)) => number.as_i64().map(Self::Integer),
            (Kind::Integer | Kind::Long, Value::String(text)) => text.trim().parse().ok().map(Self::Integer),
            (Kind::Decimal, Value::Number(number)) => number.as_f64().map(Self::Decimal),
            (Kind::Decimal, Value::String(text)) => text.trim().parse().ok().map(Self::Decimal),
            (Kind::Text, Value::String(text)) => Some(Self::text(text)),
            (Kind::Text, Value::Number(number)) => Some(Self::text(&number.to_string())),
            (Kind::Boolean, Value::Bool(flag)) => Some(Self::Boolean(*flag)),
            (Kind::Boolean, Value::Number(number)) => number.as_i64().map(|number| Self::Boolean(number != 0)),
            (Kind::Boolean, Value::String(text)) => text.to_ascii_lowercase().parse().ok().map(Self::Boolean),
            (Kind::DateTime, Value::String(text)) => parse_date(text).map(Self::DateTime),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// SQL's rule: nothing compares with null, not even null. Text compares without regard to case (inferred: the
    /// vendor's database is SQL Server, whose usual collation does so).
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Integer(a), Self::Integer(b)) | (Self::DateTime(a), Self::DateTime(b)) => Some(a.cmp(b)),
            (Self::Decimal(a), Self::Decimal(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(fold(a).cmp(&fold(b))),
            _ => None,
        }
    }

    /// Appends the JSON that the vendor would answer. `zulu` is false for the naive dates of 2020.
    pub(super) fn write_json(&self, zulu: bool, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Boolean(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Self::Integer(number) => write!(out, "{number}").expect(MEMORY),
            // The vendor writes decimals with the four places of their column.
            Self::Decimal(number) => write!(out, "{number:.4}").expect(MEMORY),
            Self::Text(text) => write_json_text(text, out),
            Self::DateTime(millis) => {
                out.push(b'"');
                write_date(*millis, zulu, out);
                out.push(b'"');
            }
        }
    }
}

const MEMORY: &str = "writing to memory cannot fail";

pub(super) fn write_json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect(MEMORY);
}

/// Lower case, without a copy where nothing has to change.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) {
        Cow::Owned(text.to_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// `2022-12-07T09:15:45.2Z`: 0 to 3 fraction digits, trailing zeros trimmed.
pub(super) fn write_date(millis: i64, zulu: bool, out: &mut Vec<u8>) {
    let at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    let (year, month, day) = (at.year(), at.month(), at.day());
    write!(
        out,
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        at.hour(),
        at.minute(),
        at.second()
    )
    .expect(MEMORY);
    match at.timestamp_subsec_millis() {
        0 => {}
        fraction if fraction % 100 == 0 => write!(out, ".{}", fraction / 100).expect(MEMORY),
        fraction if fraction % 10 == 0 => write!(out, ".{:02}", fraction / 10).expect(MEMORY),
        fraction => write!(out, ".{fraction:03}").expect(MEMORY),
    }
    if zulu {
        out.push(b'Z');
    }
}

/// 0 to 7 fraction digits, with or without `Z`, or a date alone: what clients are known to send. An offset is refused:
/// nobody has seen the vendor take one, so a gateway that sends it should fail here and not in production.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let text = text.trim();
    let naive = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if let Ok(date) = NaiveDate::parse_from_str(naive, "%Y-%m-%d") {
        return Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis());
    }
    let fraction_digits = naive.rsplit_once('.').map_or(0, |(_, fraction)| fraction.len());
    if fraction_digits > 7 {
        return None;
    }
    NaiveDateTime::parse_from_str(naive, "%Y-%m-%dT%H:%M:%S%.f")
        .ok()
        .map(|at| at.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(millis: i64) -> String {
        let mut out = Vec::new();
        write_date(millis, true, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_carry_at_most_three_fraction_digits_and_no_trailing_zero() {
        let second = parse_date("2022-12-07T09:15:45Z").unwrap();
        for (millis, expected) in [
            (0, "45Z"),
            (200, "45.2Z"),
            (520, "45.52Z"),
            (147, "45.147Z"),
            (7, "45.007Z"),
        ] {
            assert_eq!(written(second + millis), format!("2022-12-07T09:15:{expected}"));
        }
    }

    #[test]
    fn dates_are_read_in_every_form_that_clients_send_and_no_other() {
        let expected = parse_date("2019-06-22T02:00:00Z").unwrap();
        for text in [
            "2019-06-22T02:00:00",
            "2019-06-22T02:00:00.000000Z",
            "2019-06-22T02:00:00.0000000",
        ] {
            assert_eq!(parse_date(text), Some(expected), "{text}");
        }
        assert_eq!(parse_date("2019-06-22"), Some(expected - 2 * 3_600_000));
        for text in [
            "2019-06-22T02:00:00+0000",
            "2019-06-22T02:00:00-05:00",
            "2019-06-22T02:00:00.00000000Z",
            "x",
            "",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
