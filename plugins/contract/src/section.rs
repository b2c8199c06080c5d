//! Custom sections of a component: where an element carries its cases. Written by the authoring kit as it builds, read by
//! the gateway as it admits. Must not look into anything else of a component.
//!
//! A binary is a header and then sections, each an id, a length and a payload; a custom one has id 0, and its payload begins
//! with a name (the component model's binary format, and core WebAssembly's, 5.5.3). Whoever does not know the name skips it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::case::Case;

/// The section with the cases: one JSON array of them.
pub const CASES: &str = "tidegate:cases";

/// The cases of a component together, in bytes as they lie in it. Recorded pages are small; a load test belongs elsewhere.
pub const CASES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Cases of a component: admission replays them all.
pub const CASES_MAX: usize = 200;

/// `\0asm`, then four bytes of version and layer.
const HEADER_BYTES: usize = 8;
const MAGIC: &[u8] = b"\0asm";
const CUSTOM: u8 = 0;

/// What is not as it should be, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// The component with these cases in place of any that it carried before; without the section where there are none.
///
/// # Errors
/// Too many or too large, or the component is none.
pub fn write_cases(component: &[u8], cases: &[Case]) -> Result<Vec<u8>, Error> {
    if cases.len() > CASES_MAX {
        return Err(Error(format!(
            "{} cases; a component carries at most {CASES_MAX}",
            cases.len()
        )));
    }
    let bare = without(component, CASES)?;
    if cases.is_empty() {
        return Ok(bare.into_owned());
    }
    let payload = serde_json::to_vec(cases).map_err(|error| Error(format!("the cases have no JSON form: {error}")))?;
    if payload.len() > CASES_BYTES_MAX {
        return Err(Error(format!(
            "the cases have {} bytes; a component carries at most {CASES_BYTES_MAX}",
            payload.len()
        )));
    }
    Ok(append(&bare, CASES, &payload))
}

/// The cases that a component carries; none where it has no such section.
///
/// # Errors
/// The section is too large, there is more than one, or it is no array of cases.
pub fn read_cases(component: &[u8]) -> Result<Vec<Case>, Error> {
    let Some(payload) = read(component, CASES)? else {
        return Ok(Vec::new());
    };
    if payload.len() > CASES_BYTES_MAX {
        return Err(Error(format!(
            "the section {CASES} has {} bytes; at most {CASES_BYTES_MAX} are allowed",
            payload.len()
        )));
    }
    let cases: Vec<Box<RawValue>> = serde_json::from_slice(payload)
        .map_err(|error| Error(format!("the section {CASES} is no JSON array of cases: {error}")))?;
    if cases.len() > CASES_MAX {
        return Err(Error(format!(
            "the section {CASES} has {} cases; at most {CASES_MAX} are allowed",
            cases.len()
        )));
    }
    let read = |(index, case): (usize, Box<RawValue>)| {
        let words = |error| Error(format!("case {} of the section {CASES}: {error}", index + 1));
        Case::parse(case.get().as_bytes()).map_err(words)
    };
    cases.into_iter().enumerate().map(read).collect()
}

/// The content of the custom section of this name, at the outside of the component.
///
/// # Errors
/// The bytes are no sections, or two sections have this name.
pub fn read<'a>(component: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, Error> {
    let mut found = None;
    for section in sections(component)? {
        let section = section?;
        if section.id == CUSTOM
            && let Some(content) = content_named(section.payload, name)
            && found.replace(content).is_some()
        {
            return Err(Error(format!("two sections have the name {name}")));
        }
    }
    Ok(found)
}

/// The component without the custom sections of this name.
///
/// # Errors
/// The bytes are no sections.
pub fn without<'a>(component: &'a [u8], name: &str) -> Result<Cow<'a, [u8]>, Error> {
    if read(component, name)?.is_none() {
        return Ok(Cow::Borrowed(component));
    }
    let mut bare = component[..HEADER_BYTES].to_vec();
    for section in sections(component)? {
        let section = section?;
        if section.id != CUSTOM || content_named(section.payload, name).is_none() {
            bare.extend_from_slice(section.whole);
        }
    }
    Ok(Cow::Owned(bare))
}

/// The component with one more custom section at its end.
#[must_use]
pub fn append(component: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let mut payload = leb(name.len());
    payload.extend_from_slice(name.as_bytes());
    let length = leb(payload.len() + content.len());
    [component, &[CUSTOM], &length, &payload, content].concat()
}

struct Section<'a> {
    id: u8,
    payload: &'a [u8],
    /// With id and length.
    whole: &'a [u8],
}

/// The outermost sections, one after the other; what is inside of them is skipped by their length.
fn sections(bytes: &[u8]) -> Result<impl Iterator<Item = Result<Section<'_>, Error>>, Error> {
    let mut rest = bytes
        .split_at_checked(HEADER_BYTES)
        .filter(|(header, _)| header.starts_with(MAGIC))
        .map(|(_, rest)| rest)
        .ok_or_else(|| Error("this is not WebAssembly".into()))?;
    Ok(std::iter::from_fn(move || {
        let whole = rest;
        let (&id, after) = whole.split_first()?;
        let split = read_leb(after).and_then(|(length, after)| after.split_at_checked(length));
        let Some((payload, after)) = split else {
            rest = &[];
            return Some(Err(Error("this is WebAssembly that is cut short".into())));
        };
        rest = after;
        let whole = &whole[..whole.len() - after.len()];
        Some(Ok(Section { id, payload, whole }))
    }))
}

/// What follows the name in a custom section, if it is this name.
fn content_named<'a>(payload: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (length, rest) = read_leb(payload)?;
    let (found, content) = rest.split_at_checked(length)?;
    (found == name.as_bytes()).then_some(content)
}

/// An unsigned number of at most 32 bits in LEB128, and what follows it.
fn read_leb(bytes: &[u8]) -> Option<(usize, &[u8])> {
    const LENGTH_MAX: usize = 5;
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(LENGTH_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits fit a byte");
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    fn case(name: &str) -> Case {
        let text = format!(r#"{{"format":1,"name":"{name}","run":{{"operation":"check","nowMs":0}}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn cases_come_back_as_they_were_and_replace_those_before() {
        let first = write_cases(&COMPONENT, &[case("one"), case("two")]).unwrap();
        assert_eq!(read_cases(&first).unwrap(), [case("one"), case("two")]);
        let second = write_cases(&first, &[case("three")]).unwrap();
        assert_eq!(read_cases(&second).unwrap(), [case("three")]);
        assert_eq!(write_cases(&second, &[]).unwrap(), COMPONENT);
        assert_eq!(read_cases(&COMPONENT).unwrap(), []);
    }

    #[test]
    fn other_sections_stay_where_they_are() {
        let other = append(&COMPONENT, "producers", &[7; 300]);
        let packed = write_cases(&other, &[case("one")]).unwrap();
        assert!(packed.starts_with(&other));
        let more = append(&packed, "name", b"x");
        let bare = without(&more, CASES).unwrap();
        assert_eq!(*bare, append(&other, "name", b"x"));
    }

    #[test]
    fn lengths_of_any_size_are_read_as_they_were_written() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            assert_eq!(read_leb(&leb(length)), Some((length, &[][..])), "{length}");
        }
        assert_eq!(read_leb(&[0x80, 0x80, 0x80, 0x80, 0x10]), None, "more than 32 bits");
        assert_eq!(read_leb(&[0x80]), None, "cut short");
    }

    #[test]
    fn what_is_cut_short_is_an_error_at_any_byte() {
        let whole = write_cases(&COMPONENT, &[case("one")]).unwrap();
        for length in (0..whole.len()).filter(|length| *length != HEADER_BYTES) {
            assert!(read_cases(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn two_sections_of_one_name_are_refused() {
        let twice = append(&append(&COMPONENT, CASES, b"[]"), CASES, b"[]");
        assert_eq!(
            read_cases(&twice).unwrap_err().to_string(),
            "two sections have the name tidegate:cases"
        );
    }

    #[test]
    fn what_is_no_case_is_refused() {
        let wrong = append(&COMPONENT, CASES, br#"[{"format":1}]"#);
        assert!(
            read_cases(&wrong)
                .unwrap_err()
                .to_string()
                .contains("case 1 of the section tidegate:cases: missing field `name`")
        );
    }

    #[test]
    fn more_than_a_component_carries_is_refused() {
        let many = vec![case("one"); CASES_MAX + 1];
        assert_eq!(
            write_cases(&COMPONENT, &many).unwrap_err().to_string(),
            "201 cases; a component carries at most 200"
        );
        let long = [case(&"x".repeat(CASES_BYTES_MAX))];
        assert!(
            write_cases(&COMPONENT, &long)
                .unwrap_err()
                .to_string()
                .contains("at most 8388608")
        );
        let long = append(&COMPONENT, CASES, &vec![b' '; CASES_BYTES_MAX + 1]);
        assert!(read_cases(&long).unwrap_err().to_string().contains("at most 8388608"));
        let many = append(&COMPONENT, CASES, &serde_json::to_vec(&many).unwrap());
        assert!(read_cases(&many).unwrap_err().to_string().contains("has 201 cases"));
    }
}
