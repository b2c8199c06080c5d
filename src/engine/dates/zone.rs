//! Time zones: regions with daylight saving, fixed offsets, and the names that Java and vendors have for them.
//! Has no default of the machine's: an empty name is UTC.

use chrono::{Days, LocalResult, NaiveDateTime, Offset as _, TimeZone as _};
use chrono_tz::{OffsetName as _, TZ_VARIANTS, Tz};

use super::cursor::{Cursor, excerpt};
use crate::domain::time::Timestamp;

/// Where a wall clock stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Follows a region's rules, daylight saving included.
    Region(Tz),
    Named(&'static Abbreviation),
    Offset {
        seconds: i32,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    #[error(
        "time zone {0:?} is not known; expected a name such as America/Denver, UTC or PST, or an offset such as -6:00"
    )]
    Unknown(String),
    #[error("time zone {0:?} is out of range; expected hours from 0 to 23 and minutes from 00 to 59")]
    OutOfRange(String),
    #[error("time zone {0:?} is a placeholder that was not filled in; expected a name such as America/Denver")]
    Placeholder(String),
}

/// A point in time on a wall clock.
pub(super) struct Local {
    pub(super) clock: NaiveDateTime,
    pub(super) offset_seconds: i32,
}

/// An abbreviation that means one offset. The first of a name wins when a date's text has it and the zone does not
/// use it; the others name their regions' times in `zzzz`.
#[derive(Debug, PartialEq, Eq)]
struct Abbreviation {
    short: &'static str,
    long: &'static str,
    seconds: i32,
}

const fn abbreviation(short: &'static str, long: &'static str, hhmm: i32) -> Abbreviation {
    Abbreviation {
        short,
        long,
        seconds: (hhmm / 100 * 60 + hhmm % 100) * 60,
    }
}

static UTC: Abbreviation = abbreviation("UTC", "Coordinated Universal Time", 0);
static GMT: Abbreviation = abbreviation("GMT", "Greenwich Mean Time", 0);
static ABBREVIATIONS: [Abbreviation; 53] = [
    abbreviation("UTC", "Coordinated Universal Time", 0),
    abbreviation("UT", "Coordinated Universal Time", 0),
    abbreviation("GMT", "Greenwich Mean Time", 0),
    abbreviation("EST", "Eastern Standard Time", -500),
    abbreviation("EDT", "Eastern Daylight Time", -400),
    abbreviation("CST", "Central Standard Time", -600),
    abbreviation("CDT", "Central Daylight Time", -500),
    abbreviation("MST", "Mountain Standard Time", -700),
    abbreviation("MDT", "Mountain Daylight Time", -600),
    abbreviation("PST", "Pacific Standard Time", -800),
    abbreviation("PDT", "Pacific Daylight Time", -700),
    abbreviation("AKST", "Alaska Standard Time", -900),
    abbreviation("AKDT", "Alaska Daylight Time", -800),
    abbreviation("HST", "Hawaii-Aleutian Standard Time", -1000),
    abbreviation("AST", "Atlantic Standard Time", -400),
    abbreviation("ADT", "Atlantic Daylight Time", -300),
    abbreviation("NST", "Newfoundland Standard Time", -330),
    abbreviation("NDT", "Newfoundland Daylight Time", -230),
    abbreviation("WET", "Western European Standard Time", 0),
    abbreviation("WEST", "Western European Summer Time", 100),
    abbreviation("BST", "British Summer Time", 100),
    abbreviation("CET", "Central European Standard Time", 100),
    abbreviation("CEST", "Central European Summer Time", 200),
    abbreviation("MET", "Middle Europe Time", 100),
    abbreviation("MEST", "Middle Europe Summer Time", 200),
    abbreviation("EET", "Eastern European Standard Time", 200),
    abbreviation("EEST", "Eastern European Summer Time", 300),
    abbreviation("MSK", "Moscow Standard Time", 300),
    abbreviation("SAST", "South Africa Standard Time", 200),
    abbreviation("CAT", "Central Africa Time", 200),
    abbreviation("WAT", "West Africa Standard Time", 100),
    abbreviation("EAT", "East Africa Time", 300),
    abbreviation("GST", "Gulf Standard Time", 400),
    abbreviation("PKT", "Pakistan Standard Time", 500),
    abbreviation("IST", "India Standard Time", 530),
    abbreviation("IST", "Irish Standard Time", 100),
    abbreviation("IST", "Israel Standard Time", 200),
    abbreviation("IDT", "Israel Daylight Time", 300),
    abbreviation("CST", "China Standard Time", 800),
    abbreviation("HKT", "Hong Kong Standard Time", 800),
    abbreviation("SGT", "Singapore Standard Time", 800),
    abbreviation("PST", "Philippine Standard Time", 800),
    abbreviation("JST", "Japan Standard Time", 900),
    abbreviation("KST", "Korean Standard Time", 900),
    abbreviation("AWST", "Australian Western Standard Time", 800),
    abbreviation("ACST", "Australian Central Standard Time", 930),
    abbreviation("ACDT", "Australian Central Daylight Time", 1030),
    abbreviation("AEST", "Australian Eastern Standard Time", 1000),
    abbreviation("AEDT", "Australian Eastern Daylight Time", 1100),
    abbreviation("NZST", "New Zealand Standard Time", 1200),
    abbreviation("NZDT", "New Zealand Daylight Time", 1300),
    abbreviation("BRT", "Brasilia Standard Time", -300),
    abbreviation("ART", "Argentina Standard Time", -300),
];

/// Java's three-letter ids. EST, MST and HST are offsets there, as in [`ABBREVIATIONS`].
static JAVA_IDS: [(&str, Tz); 25] = [
    ("ACT", Tz::Australia__Darwin),
    ("AET", Tz::Australia__Sydney),
    ("AGT", Tz::America__Argentina__Buenos_Aires),
    ("ART", Tz::Africa__Cairo),
    ("AST", Tz::America__Anchorage),
    ("BET", Tz::America__Sao_Paulo),
    ("BST", Tz::Asia__Dhaka),
    ("CAT", Tz::Africa__Harare),
    ("CNT", Tz::America__St_Johns),
    ("CST", Tz::America__Chicago),
    ("CTT", Tz::Asia__Shanghai),
    ("EAT", Tz::Africa__Addis_Ababa),
    ("ECT", Tz::Europe__Paris),
    ("IET", Tz::America__Indiana__Indianapolis),
    ("IST", Tz::Asia__Kolkata),
    ("JST", Tz::Asia__Tokyo),
    ("MIT", Tz::Pacific__Apia),
    ("NET", Tz::Asia__Yerevan),
    ("NST", Tz::Pacific__Auckland),
    ("PLT", Tz::Asia__Karachi),
    ("PNT", Tz::America__Phoenix),
    ("PRT", Tz::America__Puerto_Rico),
    ("PST", Tz::America__Los_Angeles),
    ("SST", Tz::Pacific__Guadalcanal),
    ("VST", Tz::Asia__Ho_Chi_Minh),
];

/// Farthest points that are put on a wall clock, in milliseconds: some thousand years inside of chrono's range, so
/// that no offset leads out of it.
const CLOCK_MS_MAX: i64 = 8_000_000_000_000_000;

impl Zone {
    #[must_use]
    pub fn utc() -> Self {
        Self(Kind::Named(&UTC))
    }

    #[must_use]
    pub fn gmt() -> Self {
        Self(Kind::Named(&GMT))
    }

    /// Reads a configured zone, in any case; spaces around it do not count, and empty is UTC.
    ///
    /// `UTC`, `GMT`, `Z`; Java's three-letter ids (`PST` and `CST` follow daylight saving; `EST`, `MST` and `HST` are
    /// fixed); names of the IANA database; further abbreviations such as `EDT` for their fixed offset; and the offsets
    /// `-6:00`, `+06:00`, `-0600`, `-6`, also behind `GMT` or `UTC`.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        let name = text.trim();
        if name.is_empty() || name.eq_ignore_ascii_case("z") {
            return Ok(Self::utc());
        }
        if name.starts_with(['<', '{']) {
            return Err(ZoneError::Placeholder(excerpt(name)));
        }
        let offset = ["GMT", "UTC", ""].iter().find_map(|prefix| {
            let rest = strip_prefix_any_case(name, prefix)?;
            rest.starts_with(['+', '-']).then_some(rest)
        });
        if let Some(offset) = offset {
            return Self::parse_offset(offset, name);
        }
        Self::named(name).ok_or_else(|| ZoneError::Unknown(excerpt(name)))
    }

    fn parse_offset(offset: &str, whole: &str) -> Result<Self, ZoneError> {
        let mut cursor = Cursor::new(offset);
        let seconds = scan_offset(&mut cursor).filter(|_| cursor.is_at_end());
        let looks_like_one =
            offset.len() > 1 && offset[1..].chars().all(|c| c.is_ascii_digit() || c == ':') && offset.len() <= 6;
        match seconds {
            Some(seconds) => Ok(Self(Kind::Offset { seconds })),
            None if looks_like_one => Err(ZoneError::OutOfRange(excerpt(whole))),
            None => Err(ZoneError::Unknown(excerpt(whole))),
        }
    }

    fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("gmt") {
            return Some(Self::gmt());
        }
        if let Some((_, region)) = JAVA_IDS.iter().find(|(id, _)| id.eq_ignore_ascii_case(name)) {
            return Some(Self(Kind::Region(*region)));
        }
        // Before the regions: the database too has an EST and a UTC, with other names for `z`.
        if let Some(fixed) = fixed(name).filter(|_| !matches!(name, "CET" | "EET" | "MET" | "WET")) {
            return Some(Self(Kind::Named(fixed)));
        }
        let region = name.parse::<Tz>().ok().or_else(|| {
            TZ_VARIANTS
                .iter()
                .copied()
                .find(|tz| tz.name().eq_ignore_ascii_case(name))
        });
        region.map(|region| Self(Kind::Region(region)))
    }

    /// The zone at the front of a date's text, as `z`, `Z` and `X` write it; `self` says what its own abbreviations
    /// mean. None, and the cursor unmoved, if there is none.
    pub(super) fn scan(&self, cursor: &mut Cursor<'_>) -> Option<Self> {
        let start = *cursor;
        let found = self.scan_form(cursor);
        if found.is_none() {
            *cursor = start;
        }
        found
    }

    fn scan_form(&self, cursor: &mut Cursor<'_>) -> Option<Self> {
        match cursor.peek()? {
            '+' | '-' => return scan_offset(cursor).map(|seconds| Self(Kind::Offset { seconds })),
            // The commonest, before the tables.
            'Z' if !cursor.rest()[1..].starts_with(|c: char| c.is_ascii_alphabetic()) => {
                cursor.next();
                return Some(Self::utc());
            }
            letter if !letter.is_ascii_alphabetic() => return None,
            _ => {}
        }
        if let Some(named) = ABBREVIATIONS.iter().find(|known| cursor.accept_any_case(known.long)) {
            return Some(Self(Kind::Named(named)));
        }
        let mut name = cursor.take_while(|c| c.is_ascii_alphabetic() || c == '/' || c == '_');
        if name.contains('/') {
            let rest = cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-'));
            name = cursor.join(name, rest);
        }
        if matches!(cursor.peek(), Some('+' | '-')) && ["GMT", "UTC"].iter().any(|base| name.eq_ignore_ascii_case(base))
        {
            return scan_offset(cursor).map(|seconds| Self(Kind::Offset { seconds }));
        }
        if name.eq_ignore_ascii_case("z") {
            return Some(Self::utc());
        }
        if let Some(seconds) = self.own_abbreviation(name) {
            return Some(Self(Kind::Offset { seconds }));
        }
        fixed(name)
            .map(|fixed| Self(Kind::Named(fixed)))
            .or_else(|| Self::named(name))
    }

    /// The offset of a region's own abbreviation: `CST` in Shanghai is not Chicago's.
    fn own_abbreviation(&self, name: &str) -> Option<i32> {
        let Kind::Region(region) = &self.0 else { return None };
        // One day in each half of a year that has daylight saving where there is any today.
        [1_705_276_800_000, 1_720_915_200_000].into_iter().find_map(|ms| {
            let offset = region.offset_from_utc_datetime(&Timestamp::from_ms(ms).to_chrono().naive_utc());
            let own = offset.abbreviation().is_some_and(|own| own.eq_ignore_ascii_case(name));
            own.then(|| offset.fix().local_minus_utc())
        })
    }

    pub(super) fn local(&self, time: Timestamp) -> Local {
        let time = Timestamp::from_ms(time.as_ms().clamp(-CLOCK_MS_MAX, CLOCK_MS_MAX));
        let utc = time.to_chrono().naive_utc();
        let offset_seconds = match &self.0 {
            Kind::Region(region) => region.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
            Kind::Named(fixed) => fixed.seconds,
            Kind::Offset { seconds } => *seconds,
        };
        Local {
            clock: utc + chrono::TimeDelta::seconds(offset_seconds.into()),
            offset_seconds,
        }
    }

    /// The instant at which the wall clock shows `clock`. Of an hour that comes twice the later is taken, and an hour
    /// that is skipped counts on from before it, both as Java does. None outside of chrono's range.
    pub(super) fn instant(&self, clock: NaiveDateTime) -> Option<Timestamp> {
        let seconds = match &self.0 {
            Kind::Named(fixed) => fixed.seconds,
            Kind::Offset { seconds } => *seconds,
            Kind::Region(region) => match region.offset_from_local_datetime(&clock) {
                LocalResult::Single(offset) | LocalResult::Ambiguous(_, offset) => offset.fix().local_minus_utc(),
                LocalResult::None => {
                    let before = clock.checked_sub_days(Days::new(1))?;
                    region.offset_from_utc_datetime(&before).fix().local_minus_utc()
                }
            },
        };
        let utc = clock.checked_sub_signed(chrono::TimeDelta::seconds(seconds.into()))?;
        Some(Timestamp::from_ms(utc.and_utc().timestamp_millis()))
    }

    /// `PDT`; `GMT-06:00` where the zone has no abbreviation.
    pub(super) fn short_name(&self, time: Timestamp) -> String {
        match &self.0 {
            Kind::Named(fixed) => fixed.short.to_owned(),
            Kind::Offset { seconds } => gmt_offset(*seconds),
            Kind::Region(region) => {
                let offset = region.offset_from_utc_datetime(&time.to_chrono().naive_utc());
                let own = offset
                    .abbreviation()
                    .filter(|own| own.starts_with(|c: char| c.is_ascii_alphabetic()));
                own.map_or_else(|| gmt_offset(offset.fix().local_minus_utc()), str::to_owned)
            }
        }
    }

    /// `Pacific Daylight Time`; `GMT-06:00` where we know no English name.
    pub(super) fn long_name(&self, time: Timestamp) -> String {
        let seconds = match &self.0 {
            Kind::Named(fixed) => return fixed.long.to_owned(),
            Kind::Offset { seconds } => return gmt_offset(*seconds),
            Kind::Region(_) => self.local(time).offset_seconds,
        };
        let short = self.short_name(time);
        let named = ABBREVIATIONS
            .iter()
            .find(|known| known.short == short && known.seconds == seconds);
        named.map_or_else(|| gmt_offset(seconds), |known| known.long.to_owned())
    }
}

impl std::fmt::Display for Zone {
    /// A name that [`Zone::parse`] reads.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Region(region) => f.write_str(region.name()),
            Kind::Named(fixed) => f.write_str(fixed.short),
            Kind::Offset { seconds } => f.write_str(&gmt_offset(*seconds)),
        }
    }
}

fn fixed(name: &str) -> Option<&'static Abbreviation> {
    ABBREVIATIONS
        .iter()
        .find(|known| known.short.eq_ignore_ascii_case(name))
}

/// `-6`, `-06`, `-0600`, `-6:00` or `-06:00`, in seconds.
fn scan_offset(cursor: &mut Cursor<'_>) -> Option<i32> {
    let sign = match cursor.next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits = cursor.take_while(|c| c.is_ascii_digit());
    let (hours, minutes) = match digits.len() {
        1 | 2 => {
            let mut behind = *cursor;
            let minutes = behind.accept(':').then(|| behind.take_while(|c| c.is_ascii_digit()));
            match minutes {
                Some(minutes) if minutes.len() == 2 => {
                    *cursor = behind;
                    (digits, minutes)
                }
                Some(_) => return None,
                None => (digits, "0"),
            }
        }
        4 => digits.split_at(2),
        _ => return None,
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60)
}

/// `GMT-06:00`, and `GMT` for none.
fn gmt_offset(seconds: i32) -> String {
    if seconds == 0 {
        return "GMT".into();
    }
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    format!("GMT{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let front = text.get(..prefix.len())?;
    front.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}
