//! Dates in ISO 8601's extended form, as vendors write them: loosely. Knows no patterns.

use super::cursor::Cursor;
use super::read::{ReadError, TimeOfDay, day, in_range};
use super::zone::Zone;
use crate::domain::time::Timestamp;

/// What is expected where a text is no date at all.
const EXAMPLE: &str = "a date such as 2017-08-30T19:19:29Z";

/// Reads `yyyy-MM-dd`, alone or with a time: behind `T` or spaces, with or without seconds, with or without a fraction
/// behind `.` or `,`, with or without a zone: `Z`, an offset, or a name. Digits below the millisecond are cut off.
/// Without a time it is midnight in `zone`.
pub(super) fn read(text: &str, zone: &Zone) -> Result<Timestamp, ReadError> {
    let mut cursor = Cursor::new(text);
    let whole = cursor;
    let mut part = |separator: Option<char>, digits: usize, expected: &str| {
        let start = cursor;
        let found = separator.is_none_or(|separator| cursor.accept(separator));
        let number = cursor.take_digits(digits);
        let number = if found && number.len() == digits {
            number.parse().ok()
        } else {
            None
        };
        number.ok_or_else(|| ReadError::unexpected(&start, expected))
    };
    let year: i64 = part(None, 4, EXAMPLE).map_err(|_| ReadError::unexpected(&whole, EXAMPLE))?;
    let month: i64 = part(Some('-'), 2, "- and a month of two digits")?;
    let day_of_month: i64 = part(Some('-'), 2, "- and a day of two digits")?;
    in_range("month", month, 1, 12)?;
    in_range("day", day_of_month, 1, 31)?;
    let date = day(year, month, day_of_month)?;
    let mut time = TimeOfDay {
        hour: 0,
        minute: 0,
        second: 0,
        ms: 0,
    };
    if cursor.is_at_end() {
        return time.on(date, zone);
    }
    if !cursor.accept('T') && !cursor.accept('t') {
        if !cursor.accept(' ') {
            return Err(ReadError::unexpected(&cursor, "T and a time, or the end"));
        }
        cursor.skip_spaces();
    }
    time.hour = two_digits(&mut cursor, "hour", 24)?;
    if !cursor.accept(':') {
        return Err(ReadError::unexpected(&cursor, "\":\" and minutes"));
    }
    time.minute = two_digits(&mut cursor, "minute", 59)?;
    if cursor.accept(':') {
        time.second = two_digits(&mut cursor, "second", 60)?;
        time.ms = scan_fraction(&mut cursor).unwrap_or(0);
    }
    cursor.skip_spaces();
    let own = zone.scan(&mut cursor);
    if !cursor.is_at_end() {
        return Err(ReadError::unexpected(&cursor, "a time zone or the end"));
    }
    time.on(date, own.as_ref().unwrap_or(zone))
}

fn two_digits(cursor: &mut Cursor<'_>, what: &'static str, most: i64) -> Result<i64, ReadError> {
    let start = *cursor;
    let digits = cursor.take_digits(2);
    let value = if digits.len() == 2 { digits.parse().ok() } else { None };
    in_range(
        what,
        value.ok_or_else(|| ReadError::unexpected(&start, format!("two digits of the {what}")))?,
        0,
        most,
    )
}

/// A point or comma and digits, as milliseconds. None, and the cursor unmoved, if there are none.
pub(super) fn scan_fraction(cursor: &mut Cursor<'_>) -> Option<i64> {
    let mut behind = *cursor;
    if !behind.accept('.') && !behind.accept(',') {
        return None;
    }
    let digits = behind.take_while(|c| c.is_ascii_digit());
    if digits.is_empty() {
        return None;
    }
    *cursor = behind;
    Some(fraction_ms(digits))
}

/// The digits behind the point of a second, in milliseconds; what is finer is cut off.
pub(super) fn fraction_ms(digits: &str) -> i64 {
    digits
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(3)
        .fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'))
}
