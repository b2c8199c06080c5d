//! CloudEvents 1.0 in structured JSON.
//! An attribute holds no control character; what the vendor wrote to the letter stands in `data`.

use std::borrow::Cow;

use chrono::Datelike as _;

use super::{Item, Poll, put_data, quoted, type_of};
use crate::domain::time::Timestamp;

pub(super) fn put(out: &mut String, item: Item<'_>, poll: &Poll<'_>) {
    let event = item.event;
    let record = quoted(&attribute(&event.record));
    out.push_str(&format!(
        "{{\"specversion\":\"1.0\",\"id\":{},\"source\":{},\"type\":{}",
        quoted(&event.id),
        quoted(&source(poll)),
        quoted(&format!("tidegate.{}", type_of(event, poll)))
    ));
    out.push_str(&format!(",\"subject\":{record}"));
    if let Some(time) = rfc3339(event.date) {
        out.push_str(&format!(",\"time\":\"{time}\""));
    }
    // The number as text whose order is the order: a CloudEvents integer has 32 bits.
    out.push_str(&format!(
        ",\"datacontenttype\":\"application/json\",\"sequence\":\"{:020}\",\"partitionkey\":{record}",
        event.sequence
    ));
    if let Some(time) = rfc3339(poll.now) {
        out.push_str(&format!(",\"recordedtime\":\"{time}\""));
    }
    out.push_str(&format!(
        ",\"element\":{},\"instanceid\":\"{}\",\"data\":{{",
        quoted(&attribute(&poll.sender.element)),
        poll.key.instance
    ));
    put_data(out, item, poll);
    out.push_str("}}");
}

/// A URI reference; the scope of ids and sequence numbers.
fn source(poll: &Poll<'_>) -> String {
    let mut source = format!("/instances/{}/", poll.key.instance);
    for byte in poll.key.resource.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            source.push(char::from(byte));
        } else {
            source.push_str(&format!("%{byte:02X}"));
        }
    }
    source
}

/// RFC 3339 has years of four digits.
fn rfc3339(time: Timestamp) -> Option<String> {
    (0..=9999).contains(&time.to_chrono().year()).then(|| time.to_string())
}

/// Characters that CloudEvents bans from attributes go percent-encoded.
fn attribute(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_banned) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if is_banned(char) {
            let mut bytes = [0; 4];
            char.encode_utf8(&mut bytes)
                .bytes()
                .for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

/// Control characters, and code points that are no characters.
fn is_banned(char: char) -> bool {
    char.is_control() || matches!(char, '\u{fdd0}'..='\u{fdef}') || u32::from(char) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_attribute_must_not_hold_is_percent_encoded() {
        let table = [
            ("174", "174"),
            ("2|0 Zoë 🚀%", "2|0 Zoë 🚀%"),
            ("a\nb\u{7f}", "a%0Ab%7F"),
            ("\u{85}", "%C2%85"),
            ("\u{fdd0}\u{fffe}\u{1ffff}", "%EF%B7%90%EF%BF%BE%F0%9F%BF%BF"),
        ];
        for (text, expected) in table {
            assert_eq!(attribute(text), expected);
        }
    }

    #[test]
    fn a_time_that_rfc_3339_cannot_hold_is_left_out() {
        assert_eq!(rfc3339(Timestamp::EPOCH).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(rfc3339(Timestamp::from_ms(253_402_300_800_000)), None);
        assert_eq!(rfc3339(Timestamp::from_ms(i64::MIN)), None);
    }
}
