//! The grammar: where a value ends, and whether its text is canonical already.
//! It must not allocate or recover: the first byte that RFC 8259 does not allow stops it.
use super::blocks::{BLOCK, block_at, leading_digits, string_stops};
use super::error::{Stop, Wanted};
use super::text;
use super::value::Kind;

/// Levels of arrays and objects, the document's own included. Bounds the scanner's recursion, which a guest's stack must hold.
pub const DEPTH_MAX: usize = 128;

/// A value that has been read: from where it was asked for up to `end`.
#[derive(Clone, Copy)]
pub(super) struct Scanned {
    pub(super) end: usize,
    pub(super) kind: Kind,
    pub(super) canonical: bool,
}

/// A string that has been read, up to `end`, which is after its closing quote.
#[derive(Clone, Copy)]
pub(super) struct ScannedString {
    pub(super) end: usize,
    pub(super) escaped: bool,
    pub(super) canonical: bool,
}

#[inline(always)]
pub(super) fn skip_space(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(0..=b' ') => skip_spaces(bytes, at),
        _ => at,
    }
}

#[inline(never)]
fn skip_spaces(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Reads the value at `at`, which is inside `depth` levels.
#[inline(always)]
pub(super) fn value(bytes: &[u8], at: usize, depth: usize) -> Result<Scanned, Stop> {
    let plain = |end, kind| {
        Ok(Scanned {
            end,
            kind,
            canonical: true,
        })
    };
    match bytes.get(at) {
        Some(b'"') => {
            let string = string(bytes, at + 1)?;
            Ok(Scanned {
                end: string.end,
                kind: Kind::String,
                canonical: string.canonical,
            })
        }
        Some(b'-' | b'0'..=b'9') => plain(number(bytes, at)?, Kind::Number),
        Some(b'n') => plain(literal(bytes, at, b"null")?, Kind::Null),
        Some(b't') => plain(literal(bytes, at, b"true")?, Kind::Bool),
        Some(b'f') => plain(literal(bytes, at + 1, b"alse")?, Kind::Bool),
        Some(b'{') => object(bytes, at, depth),
        Some(b'[') => array(bytes, at, depth),
        _ => Stop::new(at, Wanted::Value),
    }
}

#[inline(always)]
fn literal(bytes: &[u8], at: usize, word: &[u8; 4]) -> Result<usize, Stop> {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        Some(found) if found == word => Ok(at + 4),
        _ => wrong_literal(bytes, at, word),
    }
}

#[cold]
fn wrong_literal(bytes: &[u8], at: usize, word: &[u8; 4]) -> Result<usize, Stop> {
    let same = bytes[at..]
        .iter()
        .zip(word)
        .take_while(|(found, wanted)| found == wanted)
        .count();
    Stop::new(at + same, Wanted::Literal)
}

/// Reads a string whose first byte after the opening quote is at `at`.
#[inline(always)]
pub(super) fn string(bytes: &[u8], mut at: usize) -> Result<ScannedString, Stop> {
    while let Some(block) = block_at(bytes, at) {
        let stops = string_stops(block);
        if stops != 0 {
            at += stops.trailing_zeros() as usize;
            if bytes.get(at) == Some(&b'"') {
                return Ok(ScannedString {
                    end: at + 1,
                    escaped: false,
                    canonical: true,
                });
            }
            break;
        }
        at += BLOCK;
    }
    string_slowly(bytes, at)
}

/// The rest of a string that has an escape, something forbidden, or the document's last bytes in it.
#[inline(never)]
fn string_slowly(bytes: &[u8], mut at: usize) -> Result<ScannedString, Stop> {
    let (mut escaped, mut canonical) = (false, true);
    loop {
        if let Some(block) = block_at(bytes, at) {
            let stops = string_stops(block);
            if stops == 0 {
                at += BLOCK;
                continue;
            }
            at += stops.trailing_zeros() as usize;
        }
        match bytes.get(at) {
            Some(b'"') => {
                return Ok(ScannedString {
                    end: at + 1,
                    escaped,
                    canonical,
                });
            }
            Some(b'\\') => {
                escaped = true;
                let Some((meaning, length)) = text::escape(&bytes[at..]) else {
                    return wrong_escape(bytes, at);
                };
                canonical &= text::is_minimal_escape(meaning, &bytes[at..at + length]);
                at += length;
            }
            Some(0x20..) => at += 1,
            _ => return Stop::new(at, Wanted::StringByte),
        }
    }
}

#[cold]
fn wrong_escape<T>(bytes: &[u8], at: usize) -> Result<T, Stop> {
    match bytes.get(at + 1) {
        Some(b'u') => {
            let digits = |from: usize| {
                bytes[from..]
                    .iter()
                    .take(4)
                    .take_while(|digit| digit.is_ascii_hexdigit())
                    .count()
            };
            match digits(at + 2) {
                4 => Stop::new(at, Wanted::PairedSurrogate),
                found => Stop::new(at + 2 + found, Wanted::HexDigit),
            }
        }
        _ => Stop::new(at + 1, Wanted::EscapeLetter),
    }
}

#[inline(always)]
fn number(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let first = at + usize::from(bytes.get(at) == Some(&b'-'));
    let end = digits(bytes, first)?;
    if end - first > 1 && bytes.get(first) == Some(&b'0') {
        return Stop::new(first + 1, Wanted::NoLeadingZero);
    }
    match bytes.get(end) {
        Some(b'.' | b'e' | b'E') => fraction_and_exponent(bytes, end),
        _ => Ok(end),
    }
}

fn fraction_and_exponent(bytes: &[u8], mut at: usize) -> Result<usize, Stop> {
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        at = digits(bytes, at)?;
    }
    Ok(at)
}

/// At least one digit from `at` on.
#[inline(always)]
fn digits(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let end = match block_at(bytes, at).map(leading_digits) {
        Some(count) if count < BLOCK => at + count,
        _ => digits_slowly(bytes, at),
    };
    if end == at {
        Stop::new(at, Wanted::Digit)
    } else {
        Ok(end)
    }
}

#[cold]
fn digits_slowly(bytes: &[u8], at: usize) -> usize {
    at + bytes[at.min(bytes.len())..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

/// Reads the array whose bracket is at `at`.
fn array(bytes: &[u8], at: usize, depth: usize) -> Result<Scanned, Stop> {
    let depth = deeper(at, depth)?;
    let mut canonical = true;
    let mut spaced = |from: usize| {
        let to = skip_space(bytes, from);
        canonical &= to == from;
        to
    };
    let mut at = spaced(at + 1);
    let mut elements_canonical = true;
    if bytes.get(at) != Some(&b']') {
        loop {
            let element = value(bytes, at, depth)?;
            elements_canonical &= element.canonical;
            at = spaced(element.end);
            match bytes.get(at) {
                Some(b',') => at = spaced(at + 1),
                Some(b']') => break,
                _ => return Stop::new(at, Wanted::ArrayNext),
            }
        }
    }
    Ok(Scanned {
        end: at + 1,
        kind: Kind::Array,
        canonical: canonical && elements_canonical,
    })
}

/// Reads the object whose brace is at `at`.
fn object(bytes: &[u8], at: usize, depth: usize) -> Result<Scanned, Stop> {
    let depth = deeper(at, depth)?;
    let mut spaceless = true;
    let mut spaced = |from: usize| {
        let to = skip_space(bytes, from);
        spaceless &= to == from;
        to
    };
    let mut at = spaced(at + 1);
    let mut canonical = true;
    if bytes.get(at) != Some(&b'}') {
        let mut previous: Option<&[u8]> = None;
        loop {
            let name = name(
                bytes,
                at,
                if previous.is_none() {
                    Wanted::NameOrEnd
                } else {
                    Wanted::Name
                },
            )?;
            let written = &bytes[at + 1..name.end - 1];
            // Escaped names are left to the writer: their order is that of what they mean.
            canonical &= !name.escaped && previous.is_none_or(|previous| in_order(previous, written));
            previous = Some(written);
            at = spaced(name.end);
            if bytes.get(at) != Some(&b':') {
                return Stop::new(at, Wanted::Colon);
            }
            let member = value(bytes, spaced(at + 1), depth)?;
            canonical &= member.canonical;
            at = spaced(member.end);
            match bytes.get(at) {
                Some(b',') => at = spaced(at + 1),
                Some(b'}') => break,
                _ => return Stop::new(at, Wanted::ObjectNext),
            }
        }
    }
    Ok(Scanned {
        end: at + 1,
        kind: Kind::Object,
        canonical: canonical && spaceless,
    })
}

/// Reads the name whose quote should be at `at`.
#[inline(always)]
pub(super) fn name(bytes: &[u8], at: usize, wanted: Wanted) -> Result<ScannedString, Stop> {
    if bytes.get(at) == Some(&b'"') {
        string(bytes, at + 1)
    } else {
        Stop::new(at, wanted)
    }
}

/// Strictly ascending; most pairs differ in their first byte, which saves a call.
#[inline(always)]
fn in_order(left: &[u8], right: &[u8]) -> bool {
    match (left.first(), right.first()) {
        (Some(left), Some(right)) if left != right => left < right,
        _ => left < right,
    }
}

#[inline(always)]
pub(super) fn deeper(at: usize, depth: usize) -> Result<usize, Stop> {
    if depth < DEPTH_MAX {
        Ok(depth + 1)
    } else {
        Stop::new(at, Wanted::Shallower)
    }
}
