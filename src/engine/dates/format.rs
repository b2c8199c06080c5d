//! From a point in time to text, as Java's `SimpleDateFormat` writes it in English. Reads nothing.

use std::fmt::Write as _;

use chrono::{Datelike as _, NaiveDate, Timelike as _};

use super::pattern::{Field, Item, Pattern};
use super::zone::{Local, Zone};
use crate::domain::time::Timestamp;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// In chrono's order: Monday first.
pub(super) const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// Letters of a name's short form.
pub(super) const SHORT_NAME_LETTERS: usize = 3;

impl Pattern {
    /// The time in `zone`, as Java formats it. Times beyond year 250,000 are put to its edge.
    #[must_use]
    pub fn format(&self, time: Timestamp, zone: &Zone) -> String {
        let local = zone.local(time);
        let mut text = String::new();
        for item in &self.items {
            match item {
                Item::Literal(literal) => text.push_str(literal),
                Item::EpochMs => push(&mut text, format_args!("{}", time.as_ms())),
                Item::Field {
                    field: Field::ZoneName,
                    count,
                } => {
                    text.push_str(&if *count < 4 {
                        zone.short_name(time)
                    } else {
                        zone.long_name(time)
                    });
                }
                Item::Field { field, count } => push_field(&mut text, *field, *count, &local),
            }
        }
        text
    }
}

fn push_field(text: &mut String, field: Field, count: usize, local: &Local) {
    let (clock, date) = (local.clock, local.clock.date());
    let number: i64 = match field {
        Field::Era => return text.push_str(if date.year() > 0 { "AD" } else { "BC" }),
        Field::Year => return push_year(text, year_of_era(date), count),
        Field::WeekYear => return push_year(text, i64::from(week(date).0), count),
        Field::Month if count >= 3 => return push_name(text, MONTHS[date.month0() as usize], count),
        Field::WeekdayName => {
            return push_name(text, WEEKDAYS[date.weekday().num_days_from_monday() as usize], count);
        }
        Field::HalfDay => return text.push_str(if clock.hour() < 12 { "AM" } else { "PM" }),
        Field::ZoneOffset => return push_offset(text, local.offset_seconds, 2, ""),
        Field::ZoneIso if local.offset_seconds == 0 => return text.push('Z'),
        Field::ZoneIso => return push_offset(text, local.offset_seconds, count, if count == 3 { ":" } else { "" }),
        Field::ZoneName => return,
        Field::Month => date.month().into(),
        Field::WeekInYear => week(date).1.into(),
        Field::WeekInMonth => week_in_month(date).into(),
        Field::DayInYear => date.ordinal().into(),
        Field::Day => date.day().into(),
        Field::WeekdayInMonth => (date.day0() / 7 + 1).into(),
        Field::WeekdayNumber => date.weekday().number_from_monday().into(),
        Field::Hour => clock.hour().into(),
        Field::HourFrom1 => if clock.hour() == 0 { 24 } else { clock.hour() }.into(),
        Field::HalfHour => (clock.hour() % 12).into(),
        Field::HalfHourFrom1 => clock.hour12().1.into(),
        Field::Minute => clock.minute().into(),
        Field::Second => clock.second().into(),
        Field::Fraction => i64::from(clock.nanosecond() / 1_000_000),
    };
    push(text, format_args!("{number:0count$}"));
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string cannot fail");
}

fn push_name(text: &mut String, name: &str, count: usize) {
    text.push_str(if count < 4 { &name[..SHORT_NAME_LETTERS] } else { name });
}

fn push_year(text: &mut String, year: i64, count: usize) {
    match count {
        2 => push(text, format_args!("{:02}", year % 100)),
        _ => push(text, format_args!("{year:0count$}")),
    }
}

/// `+hh`, and the minutes too if `parts` is more than 1.
fn push_offset(text: &mut String, seconds: i32, parts: usize, separator: &str) {
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    push(text, format_args!("{sign}{:02}", minutes / 60));
    if parts > 1 {
        push(text, format_args!("{separator}{:02}", minutes % 60));
    }
}

fn year_of_era(date: NaiveDate) -> i64 {
    let year = i64::from(date.year());
    if year > 0 { year } else { 1 - year }
}

/// The year that a date's week belongs to, and the week's number, as in the United States: weeks begin on Sunday, and
/// week 1 is the one with 1 January.
fn week(date: NaiveDate) -> (i32, u32) {
    let days_left_in_week = 6 - date.weekday().num_days_from_sunday();
    let days_left_in_month = 31 - date.day();
    if date.month() == 12 && days_left_in_week > days_left_in_month {
        return (date.year() + 1, 1);
    }
    (
        date.year(),
        (date.ordinal0() + weekday_before(date, date.ordinal0())) / 7 + 1,
    )
}

fn week_in_month(date: NaiveDate) -> u32 {
    (date.day0() + weekday_before(date, date.day0())) / 7 + 1
}

/// The weekday so many days before a date; Sunday is 0.
fn weekday_before(date: NaiveDate, days: u32) -> u32 {
    (date.weekday().num_days_from_sunday() + 7 - days % 7) % 7
}
