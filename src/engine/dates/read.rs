//! From text to a point in time, by a pattern. What differs from Java is listed in the module above; knows no ISO 8601.

use chrono::{Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, Weekday};

use super::cursor::Cursor;
use super::format::{MONTHS, SHORT_NAME_LETTERS, WEEKDAYS};
use super::pattern::{Field, Item, Pattern};
use super::zone::Zone;
use super::{DATE_BYTES_MAX, iso};
use crate::domain::time::Timestamp;

/// Digits of a number: enough for every field, too few to overflow.
const NUMBER_DIGITS_MAX: usize = 9;
/// Two-digit years from here on are of the last century, as POSIX has it.
const PIVOT_YEAR: i64 = 69;

/// Why a text is no date. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("date has more than {DATE_BYTES_MAX} bytes")]
    TooLong,
    #[error("expected {expected} at character {position}, found {found}")]
    Unexpected {
        position: usize,
        expected: String,
        found: String,
    },
    #[error("{what} {value} is out of range; expected {least} to {most}")]
    OutOfRange {
        what: &'static str,
        value: i64,
        least: i64,
        most: i64,
    },
    #[error("there is no day {year}-{month:02}-{day:02}")]
    NoSuchDay { year: i64, month: i64, day: i64 },
    #[error("date is too far away")]
    TooFar,
}

impl ReadError {
    pub(super) fn unexpected(cursor: &Cursor<'_>, expected: impl Into<String>) -> Self {
        Self::Unexpected {
            position: cursor.position(),
            expected: expected.into(),
            found: cursor.found(),
        }
    }
}

impl Pattern {
    /// Reads a date by the pattern; `zone` is that of text that carries none. Spaces around the text do not count, and
    /// nothing else may be left over.
    pub fn read(&self, text: &str, zone: &Zone) -> Result<Timestamp, ReadError> {
        let text = text.trim();
        if text.len() > DATE_BYTES_MAX {
            return Err(ReadError::TooLong);
        }
        if self.items == [Item::EpochMs] {
            return read_epoch_ms(text);
        }
        let mut cursor = Cursor::new(text);
        let mut parts = Parts::default();
        for (index, item) in self.items.iter().enumerate() {
            match item {
                Item::Literal(literal) => {
                    let is_last = index + 1 == self.items.len();
                    read_literal(&mut cursor, literal, is_last, &mut parts, zone)?;
                }
                Item::Field { field, count } => {
                    let digits_max = match self.items.get(index + 1) {
                        Some(Item::Field { field, count: next }) if field.is_number(*next) => *count,
                        _ => NUMBER_DIGITS_MAX,
                    };
                    parts.read(&mut cursor, *field, *count, digits_max, zone)?;
                }
                Item::EpochMs => {}
            }
        }
        parts.read_rest(&mut cursor, zone, self.has_zone())?;
        parts.time(zone)
    }
}

fn read_epoch_ms(text: &str) -> Result<Timestamp, ReadError> {
    text.parse()
        .map(Timestamp::from_ms)
        .map_err(|_| ReadError::unexpected(&Cursor::new(text), "milliseconds of Unix time, such as 1504120769258,"))
}

fn read_literal(
    cursor: &mut Cursor<'_>,
    literal: &str,
    is_last: bool,
    parts: &mut Parts,
    zone: &Zone,
) -> Result<(), ReadError> {
    let start = *cursor;
    if cursor.accept_text(literal) {
        return Ok(());
    }
    parts.read_fraction(cursor);
    if cursor.accept_text(literal) {
        return Ok(());
    }
    // A quoted Z says what the vendor writes in UTC; an offset in its place says more.
    if is_last && literal == "Z" && parts.second.is_some() {
        parts.zone = zone.scan(cursor);
        if parts.zone.is_some() {
            return Ok(());
        }
    }
    Err(ReadError::unexpected(&start, format!("{literal:?}")))
}

/// The fields that a text had.
#[derive(Debug, Default)]
struct Parts {
    before_christ: bool,
    year: Option<i64>,
    week_year: Option<i64>,
    month: Option<i64>,
    week_in_year: Option<i64>,
    week_in_month: Option<i64>,
    day_in_year: Option<i64>,
    day: Option<i64>,
    weekday_in_month: Option<i64>,
    weekday: Option<Weekday>,
    afternoon: bool,
    hour: Option<i64>,
    half_hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    fraction_ms: Option<i64>,
    zone: Option<Zone>,
}

impl Parts {
    fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        field: Field,
        count: usize,
        digits_max: usize,
        zone: &Zone,
    ) -> Result<(), ReadError> {
        if field.is_zone() {
            self.read_fraction(cursor);
        }
        cursor.skip_spaces();
        let mut number = |what, least, most| number(cursor, what, digits_max, least, most);
        match field {
            Field::Era => self.before_christ = name(cursor, "AD or BC", &["AD", "BC"], 2)? == 1,
            Field::Year => self.year = Some(year(cursor, digits_max)?),
            Field::WeekYear => self.week_year = Some(year(cursor, digits_max)?),
            Field::Month if count >= 3 => {
                let index = name(cursor, "a month's name", &MONTHS, SHORT_NAME_LETTERS)?;
                self.month = i64::try_from(index + 1).ok();
            }
            Field::Month => self.month = Some(number("month", 1, 12)?),
            Field::WeekInYear => self.week_in_year = Some(number("week", 1, 53)?),
            Field::WeekInMonth => self.week_in_month = Some(number("week of the month", 0, 6)?),
            Field::DayInYear => self.day_in_year = Some(number("day of the year", 1, 366)?),
            Field::Day => self.day = Some(number("day", 1, 31)?),
            Field::WeekdayInMonth => self.weekday_in_month = Some(number("weekday of the month", 1, 5)?),
            Field::WeekdayName => {
                let index = name(cursor, "a weekday's name", &WEEKDAYS, SHORT_NAME_LETTERS)?;
                self.weekday = u8::try_from(index).ok().and_then(|index| Weekday::try_from(index).ok());
            }
            Field::WeekdayNumber => {
                let number = number("weekday", 1, 7)?;
                self.weekday = u8::try_from(number - 1)
                    .ok()
                    .and_then(|index| Weekday::try_from(index).ok());
            }
            Field::HalfDay => self.afternoon = name(cursor, "AM or PM", &["AM", "PM"], 2)? == 1,
            Field::Hour => self.hour = Some(number("hour", 0, 24)?),
            Field::HourFrom1 => self.hour = Some(number("hour", 1, 24)? % 24),
            Field::HalfHour => self.half_hour = Some(number("hour", 0, 11)?),
            Field::HalfHourFrom1 => self.half_hour = Some(number("hour", 1, 12)? % 12),
            Field::Minute => self.minute = Some(number("minute", 0, 59)?),
            Field::Second => self.second = Some(number("second", 0, 60)?),
            Field::Fraction => {
                let digits = cursor.take_digits(digits_max);
                if digits.is_empty() {
                    return Err(ReadError::unexpected(cursor, "the digits of a fraction of a second"));
                }
                cursor.take_while(|c| digits_max == NUMBER_DIGITS_MAX && c.is_ascii_digit());
                self.fraction_ms = Some(iso::fraction_ms(digits));
            }
            Field::ZoneName | Field::ZoneOffset | Field::ZoneIso => {
                let read = zone.scan(cursor);
                let expected = "a time zone such as Z, -05:00, -0500 or PST";
                self.zone = Some(read.ok_or_else(|| ReadError::unexpected(cursor, expected))?);
            }
        }
        Ok(())
    }

    /// A fraction behind the seconds that the pattern does not speak of.
    fn read_fraction(&mut self, cursor: &mut Cursor<'_>) {
        if self.second.is_some() && self.fraction_ms.is_none() {
            self.fraction_ms = iso::scan_fraction(cursor);
        }
    }

    /// What a text may have more than its pattern: a fraction and a zone.
    fn read_rest(&mut self, cursor: &mut Cursor<'_>, zone: &Zone, has_zone: bool) -> Result<(), ReadError> {
        self.read_fraction(cursor);
        cursor.skip_spaces();
        let timed = self.hour.is_some() || self.half_hour.is_some();
        if timed && !has_zone && self.zone.is_none() {
            self.zone = zone.scan(cursor);
            cursor.skip_spaces();
        }
        if cursor.is_at_end() {
            Ok(())
        } else {
            Err(ReadError::unexpected(cursor, "the end"))
        }
    }

    fn time(&self, zone: &Zone) -> Result<Timestamp, ReadError> {
        let hour = self.hour.unwrap_or_else(|| {
            self.half_hour.unwrap_or(0)
                + if self.afternoon && self.half_hour.is_some() {
                    12
                } else {
                    0
                }
        });
        let time = TimeOfDay {
            hour,
            minute: self.minute.unwrap_or(0),
            second: self.second.unwrap_or(0),
            ms: self.fraction_ms.unwrap_or(0),
        };
        time.on(self.date()?, self.zone.as_ref().unwrap_or(zone))
    }

    /// Where fields contradict each other: day of the month, then day of the year, then week of the year, then week or
    /// weekday of the month. A weekday beside a date is not checked, as in Java.
    fn date(&self) -> Result<NaiveDate, ReadError> {
        let mut year = self.year.or(self.week_year).unwrap_or(1970);
        if self.before_christ {
            year = 1 - year;
        }
        if self.day.is_some() {
            return day(year, self.month.unwrap_or(1), self.day.unwrap_or(1));
        }
        if let Some(ordinal) = self.day_in_year {
            let first = day(year, 1, 1)?;
            let found = first.with_ordinal(u32::try_from(ordinal).unwrap_or(u32::MAX));
            return found.ok_or(ReadError::OutOfRange {
                what: "day of the year",
                value: ordinal,
                least: 1,
                most: 365,
            });
        }
        let first = day(year, self.month.unwrap_or(1), 1)?;
        let sunday = i64::from(first.weekday().num_days_from_sunday());
        let weekday = self.weekday.map(|weekday| i64::from(weekday.num_days_from_sunday()));
        let days = if let Some(week) = self.week_in_year.filter(|_| self.month.is_none()) {
            (week - 1) * 7 - sunday + weekday.unwrap_or(0)
        } else if let Some(week) = self.week_in_month {
            (week - 1) * 7 - sunday + weekday.unwrap_or(0)
        } else if let Some(nth) = self.weekday_in_month {
            (nth - 1) * 7 + weekday.map_or(0, |weekday| (weekday - sunday).rem_euclid(7))
        } else {
            0
        };
        first.checked_add_signed(TimeDelta::days(days)).ok_or(ReadError::TooFar)
    }
}

/// Each part checked to be in its range, so that only a day's end is left to look at.
pub(super) struct TimeOfDay {
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) ms: i64,
}

impl TimeOfDay {
    /// 24:00:00 is the next midnight; a leap second is the next minute.
    pub(super) fn on(&self, date: NaiveDate, zone: &Zone) -> Result<Timestamp, ReadError> {
        let ms = ((self.hour * 60 + self.minute) * 60 + self.second) * 1_000 + self.ms;
        if self.hour == 24 && ms > 24 * 3_600_000 {
            return Err(ReadError::OutOfRange {
                what: "hour",
                value: 24,
                least: 0,
                most: 23,
            });
        }
        let clock = date
            .and_time(NaiveTime::MIN)
            .checked_add_signed(TimeDelta::milliseconds(ms));
        // chrono's outermost days would overflow when they are moved to UTC.
        let near = date.checked_add_days(Days::new(2)).is_some() && date.checked_sub_days(Days::new(2)).is_some();
        clock
            .filter(|_| near)
            .and_then(|clock| zone.instant(clock))
            .ok_or(ReadError::TooFar)
    }
}

pub(super) fn day(year: i64, month: i64, day: i64) -> Result<NaiveDate, ReadError> {
    let found = i32::try_from(year)
        .ok()
        .zip(u32::try_from(month).ok())
        .zip(u32::try_from(day).ok());
    let found = found.and_then(|((year, month), day)| NaiveDate::from_ymd_opt(year, month, day));
    let error = if day <= 28 {
        ReadError::TooFar
    } else {
        ReadError::NoSuchDay { year, month, day }
    };
    found.ok_or(error)
}

pub(super) fn in_range(what: &'static str, value: i64, least: i64, most: i64) -> Result<i64, ReadError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ReadError::OutOfRange {
            what,
            value,
            least,
            most,
        })
    }
}

fn number(
    cursor: &mut Cursor<'_>,
    what: &'static str,
    digits_max: usize,
    least: i64,
    most: i64,
) -> Result<i64, ReadError> {
    let start = *cursor;
    let value = cursor.take_digits(digits_max).parse();
    in_range(
        what,
        value.map_err(|_| ReadError::unexpected(&start, format!("the digits of the {what}")))?,
        least,
        most,
    )
}

fn year(cursor: &mut Cursor<'_>, digits_max: usize) -> Result<i64, ReadError> {
    let start = *cursor;
    let digits = cursor.take_digits(digits_max);
    let year: i64 = digits
        .parse()
        .map_err(|_| ReadError::unexpected(&start, "the digits of the year"))?;
    Ok(match digits.len() {
        1 | 2 if year < PIVOT_YEAR => year + 2000,
        1 | 2 => year + 1900,
        _ => year,
    })
}

/// The index of the name at the cursor, in full or in its short form, in any case.
fn name(cursor: &mut Cursor<'_>, what: &str, names: &[&str], short: usize) -> Result<usize, ReadError> {
    let found = names.iter().position(|name| cursor.accept_any_case(name));
    let found = found.or_else(|| names.iter().position(|name| cursor.accept_any_case(&name[..short])));
    found.ok_or_else(|| ReadError::unexpected(cursor, what))
}
