//! Vendors' dates: Java `SimpleDateFormat` patterns, ISO 8601 text, and zones, as Cloud Elements' configurations have them.
//! Knows no current time, no locale but English and no zone of the machine.
//!
//! Formatting gives what Java gives, letter by letter. Reading differs where Java misreads in silence:
//!
//! - `S` reads the fraction of a second: `.1` is 100 ms and `.123456` is 123 ms. Java counts both as milliseconds.
//!   (Formatting stays Java's: `SSSSSS` of 258 ms is `000258`.)
//! - A fraction or a zone that the text has and the pattern has not is read, not dropped; any other rest is an error.
//! - `z`, `Z` and `X` each take every form of a zone: `Z`, `+02`, `-0500`, `-5:00`, `GMT-6:00`, `PST`, `Europe/Paris`.
//!   A zone that nobody knows is an error; for Java it is GMT.
//! - Month 13, day 45 or 30 February are errors; Java counts on into the next month or year. 24:00:00 is the next
//!   midnight, and second 60 the next minute.
//! - A year of one or two digits lies between 1969 and 2068, however many `y` the pattern has. Java takes `8/8/16` by
//!   `MM/dd/yyyy` for the year 16, and the century of `yy` from its clock.
//! - `YYYY` beside a month or day is read as `yyyy`, which was meant; Java then forgets month and day.
//! - Dates before October 1582 are Gregorian as in ISO 8601; Java's are Julian.
//! - What looks like ISO 8601 is read as such, whatever the pattern says ([`read_lenient`]), so that `Z` is UTC even
//!   where the pattern has it in quotes.

pub(super) mod cursor;
mod format;
mod iso;
mod pattern;
mod read;
mod zone;

#[cfg(test)]
mod tests;

pub use pattern::{PATTERN_BYTES_MAX, Pattern, PatternError, Warning};
pub(in crate::engine) use pattern::{SHELL_QUOTE, placeholder};
pub use read::ReadError;
pub use zone::{Zone, ZoneError};

use crate::domain::time::Timestamp;

/// Longest text that is tried as a date, in bytes: no vendor's date comes near it, and a record may hold anything.
pub const DATE_BYTES_MAX: usize = 256;

/// Reads a date as vendors write them: ISO 8601 first (a date, or date and time with any fraction; `Z`, an offset or a
/// zone's name if it has one), then by `pattern`. `zone` is that of text which carries none.
///
/// A pattern that puts the day before the month behind a year is tried before ISO 8601, which it contradicts.
pub fn read_lenient(text: &str, pattern: Option<&Pattern>, zone: &Zone) -> Result<Timestamp, ReadError> {
    let text = text.trim();
    if text.len() > DATE_BYTES_MAX {
        return Err(ReadError::TooLong);
    }
    let Some(pattern) = pattern else {
        return iso::read(text, zone);
    };
    if pattern.contradicts_iso() {
        return pattern
            .read(text, zone)
            .or_else(|error| iso::read(text, zone).map_err(|_| error));
    }
    iso::read(text, zone).or_else(|_| pattern.read(text, zone))
}
