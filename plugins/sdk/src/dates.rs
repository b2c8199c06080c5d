//! Dates on the wire: ISO 8601 as vendors really write it, to and from milliseconds of Unix time.
//! Must not know time zones, patterns or the time of day: the gateway reads what this cannot.

const MS_A_DAY: i64 = 86_400_000;

/// Reads `yyyy-MM-dd`, alone or followed by `T` (or a space) and `HH:mm[:ss[.fraction]]`, 1 to 9 digits of fraction, and
/// a zone: `Z`, `+hh`, `+hhmm`, `+hh:mm` or none, which means UTC. Milliseconds of Unix time, finer digits cut off.
///
/// None for everything else, impossible dates included.
pub fn parse_iso(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (year, month, day) = match date {
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] => (
            pair(*y1, *y2)? * 100 + pair(*y3, *y4)?,
            pair(*m1, *m2)?,
            pair(*d1, *d2)?,
        ),
        _ => return None,
    };
    if !(1..=12).contains(&month) || day == 0 || day > days_of_month(year, month) {
        return None;
    }
    let midnight = days_from_epoch(year, month, day) * MS_A_DAY;
    match rest {
        [] => Some(midnight),
        [b'T' | b't' | b' ', time @ ..] => Some(midnight + time_of_day(time)?),
        _ => None,
    }
}

/// `HH:mm[:ss[.fraction]][zone]` in milliseconds, the zone's offset taken off.
fn time_of_day(text: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, rest @ ..] = text else {
        return None;
    };
    let (hour, minute) = (pair(*h1, *h2)?, pair(*m1, *m2)?);
    let (second, rest) = match rest {
        [b':', s1, s2, rest @ ..] => (pair(*s1, *s2)?, rest),
        _ => (0, rest),
    };
    // A leap second (60) counts as the first one of the next minute.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, zone) = fraction(rest)?;
    Some(((hour * 60 + minute) * 60 + second) * 1_000 + fraction - offset(zone)?)
}

/// The milliseconds of `.fraction`, if there is one, and what follows.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', digits @ ..] = text else {
        return Some((0, text));
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let places = digits[..length]
        .iter()
        .map(|digit| i64::from(digit - b'0'))
        .chain([0, 0]);
    let milliseconds = places.take(3).fold(0, |sum, digit| sum * 10 + digit);
    Some((milliseconds, &digits[length..]))
}

/// A zone's distance from UTC in milliseconds.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match zone {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, h1, h2] => (sign, pair(*h1, *h2)?, 0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, pair(*h1, *h2)?, pair(*m1, *m2)?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let distance = (hours * 60 + minutes) * 60_000;
    match sign {
        b'+' => Some(distance),
        b'-' => Some(-distance),
        _ => None,
    }
}

/// `yyyy-MM-ddTHH:mm:ss.SSSZ`, in UTC. Years beyond 0000 to 9999 are taken for the nearest of them, for there is no form
/// of them that vendors read.
pub fn format_iso(milliseconds: i64) -> String {
    const FIRST: i64 = -62_167_219_200_000;
    const LAST: i64 = 253_402_300_799_999;
    let milliseconds = milliseconds.clamp(FIRST, LAST);
    let (year, month, day) = date_of(milliseconds.div_euclid(MS_A_DAY));
    let rest = milliseconds.rem_euclid(MS_A_DAY);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, fraction) = (rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

/// The number that two ASCII digits write.
#[inline]
fn pair(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, for years from 0. Years are counted from March, so that a leap day is a year's last day and the
/// months before it have a fixed pattern of lengths: 153 days in five months.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    const EPOCH: i64 = 719_468; // From 0000-03-01 to 1970-01-01.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - EPOCH
}

/// The reverse of [`days_from_epoch`].
fn date_of(days: i64) -> (i64, i64, i64) {
    // A guess that is at most one year too late, since a year is never longer than 366 days nor shorter than 365.2425 on
    // average.
    let mut year = 1970 + (days * 400).div_euclid(146_097) + 1;
    while days_from_epoch(year, 1, 1) > days {
        year -= 1;
    }
    let mut month = 12;
    while days_from_epoch(year, month, 1) > days {
        month -= 1;
    }
    (year, month, days - days_from_epoch(year, month, 1) + 1)
}

#[cfg(test)]
mod tests;
