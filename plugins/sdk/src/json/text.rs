//! Text: checking that bytes are UTF-8, and strings with and without escapes.
//! It must not scan structure: what it decodes was validated before.
use super::blocks::{BLOCK, block_at, string_stops};
use super::error::{Error, Problem};
use std::borrow::Cow;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The document as text without a byte order mark, and how many bytes the mark took.
pub(super) fn checked(document: &[u8]) -> Result<(&str, usize), Error> {
    let text = utf8(document)?;
    let stripped = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    Ok((stripped, text.len() - stripped.len()))
}

fn utf8(document: &[u8]) -> Result<&str, Error> {
    core::str::from_utf8(document).map_err(|error| Error {
        offset: error.valid_up_to(),
        problem: Problem::NotUtf8,
    })
}

/// What a string means whose text between the quotes is `written`. Borrowed unless it holds an escape.
pub(super) fn unescaped(written: &str) -> Cow<'_, str> {
    let Some(mut stop) = next_stop(written.as_bytes(), 0) else {
        return Cow::Borrowed(written);
    };
    let mut text = String::with_capacity(written.len());
    let mut copied = 0;
    // In a validated string only an escape stops the run.
    while let Some((meaning, length)) = escape(&written.as_bytes()[stop..]) {
        text.push_str(&written[copied..stop]);
        text.push(meaning);
        copied = stop + length;
        match next_stop(written.as_bytes(), copied) {
            Some(next) => stop = next,
            None => break,
        }
    }
    text.push_str(&written[copied..]);
    Cow::Owned(text)
}

/// The character that an escape at the start of `bytes` stands for, and its length; None where none (or none that is valid) is.
pub(super) fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let [b'\\', letter, rest @ ..] = bytes else { return None };
    let simple = match letter {
        b'"' | b'\\' | b'/' => char::from(*letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = u32::from(hex4(rest)?);
            if let Some(meaning) = char::from_u32(first) {
                return Some((meaning, 6));
            }
            let [_, _, _, _, b'\\', b'u', low @ ..] = rest else {
                return None;
            };
            let low = u32::from(hex4(low)?);
            let is_pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&low);
            let meaning = is_pair.then(|| 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00))?;
            return char::from_u32(meaning).map(|meaning| (meaning, 12));
        }
        _ => return None,
    };
    Some((simple, 2))
}

/// The value of four hexadecimal digits in either case.
fn hex4(bytes: &[u8]) -> Option<u16> {
    let [a, b, c, d] = bytes.first_chunk::<4>()?.map(|digit| HEX_VALUES[usize::from(digit)]);
    (a | b | c | d <= 0xf).then_some(a << 12 | b << 8 | c << 4 | d)
}

/// The value of each byte as a hexadecimal digit, more than 0xf for a byte that is none.
static HEX_VALUES: [u16; 256] = {
    let mut values = [0x10; 256];
    let mut digit = 0;
    while digit < 16 {
        values[HEX[digit] as usize] = digit as u16;
        values[HEX[digit].to_ascii_uppercase() as usize] = digit as u16;
        digit += 1;
    }
    values
};

/// Appends `text` as a JSON string, with quotes and only the escapes that JSON demands.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut copied = 0;
    while let Some(stop) = next_stop(bytes, copied) {
        out.extend_from_slice(&bytes[copied..stop]);
        write_escape(bytes[stop], out);
        copied = stop + 1;
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

/// The first byte from `at` on that cannot stand bare in a string.
fn next_stop(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(block) = block_at(bytes, at) {
        match string_stops(block) {
            0 => at += BLOCK,
            stops => return Some(at + stops.trailing_zeros() as usize),
        }
    }
    bytes[at..]
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
        .map(|offset| at + offset)
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    match short_escape(byte) {
        Some(letter) => out.extend_from_slice(&[b'\\', letter]),
        None => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn short_escape(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' => Some(byte),
        0x8 => Some(b'b'),
        0xc => Some(b'f'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        _ => None,
    }
}

/// Whether an escape, `written` so and with that meaning, is the one that [`write_string`] writes.
pub(super) fn is_minimal_escape(meaning: char, written: &[u8]) -> bool {
    match written {
        [_, letter] => *letter != b'/',
        [_, _, _, _, _, low] => {
            let byte = meaning as u32;
            byte < 0x20 && short_escape(byte as u8).is_none() && HEX.get(byte as usize & 15) == Some(low)
        }
        _ => false,
    }
}
