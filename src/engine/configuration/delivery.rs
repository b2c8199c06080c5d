//! How an instance's events are delivered: `event.notification.*` beyond the callback's URL.
//! Reads settings. What becomes of them is decided elsewhere.

use serde_json::Value;

use super::fields::{FieldError, as_integer, as_text, is_placeholder};
use crate::domain::event::Format;
use crate::domain::instance::{BODY_BYTES_MAX_DEFAULT, DeliverySettings};
use crate::engine::egress::is_nats;

pub(super) const FORMAT: &str = "event.notification.format";
pub(super) const BODY_BYTES_MAX: &str = "event.notification.body_bytes_max";
pub(super) const CHANGED_FIELDS: &str = "event.notification.changed_fields";

/// Bounds of `body_bytes_max`: room for an event without its record, and what a gateway can hold in memory.
const BODY_BYTES_MAX_LEAST: i64 = 16 << 10;
const BODY_BYTES_MAX_MOST: i64 = 8 << 20;
/// For a log, where the instance does not say: a NATS server takes 1 MiB unless it is told otherwise, headers counted.
const BODY_BYTES_MAX_LOG_DEFAULT: u32 = (1 << 20) - (16 << 10);

/// `value` gives what the user or else the element says of a key, null left out.
pub(super) fn delivery<'a>(
    value: impl Fn(&str) -> Option<&'a Value>,
    callback_url: Option<&str>,
) -> Result<DeliverySettings, FieldError> {
    let is_log = callback_url.is_some_and(is_nats);
    Ok(DeliverySettings {
        format: format(value(FORMAT), is_log)?,
        body_bytes_max: body_bytes_max(value(BODY_BYTES_MAX), is_log)?,
        all_fields: all_fields(value(CHANGED_FIELDS))?,
        ..DeliverySettings::default()
    })
}

fn format(value: Option<&Value>, is_log: bool) -> Result<Format, FieldError> {
    let default = if is_log { Format::Cloudevents } else { Format::Elements };
    let text = word(FORMAT, value)?;
    let format = match text.as_str() {
        "" => default,
        "elements" => Format::Elements,
        "cloudevents" => Format::Cloudevents,
        "cloudevents-batch" => Format::CloudeventsBatch,
        "standard" => Format::Standard,
        _ => {
            return Err(FieldError::new(
                FORMAT,
                format!(
                    "expected \"elements\", \"cloudevents\", \"cloudevents-batch\" or \"standard\", found {text:?}"
                ),
            ));
        }
    };
    if is_log && format.events_max() > 1 {
        return Err(FieldError::new(
            FORMAT,
            format!(
                "expected \"cloudevents\" or \"standard\", found {text:?}: a message in a stream carries one event, by \
                 whose id the stream tells repetitions"
            ),
        ));
    }
    Ok(format)
}

fn body_bytes_max(value: Option<&Value>, is_log: bool) -> Result<u32, FieldError> {
    let Some(value) = value.filter(|value| *value != "") else {
        let default = if is_log {
            BODY_BYTES_MAX_LOG_DEFAULT
        } else {
            BODY_BYTES_MAX_DEFAULT
        };
        return Ok(default);
    };
    let bytes = as_integer(BODY_BYTES_MAX, value, BODY_BYTES_MAX_LEAST, BODY_BYTES_MAX_MOST)?;
    Ok(u32::try_from(bytes).expect("checked to be within the bounds"))
}

/// Are changed fields told from the baseline on?
fn all_fields(value: Option<&Value>) -> Result<bool, FieldError> {
    match word(CHANGED_FIELDS, value)?.as_str() {
        "" | "seen" => Ok(false),
        "all" => Ok(true),
        text => Err(FieldError::new(
            CHANGED_FIELDS,
            format!("expected \"seen\" or \"all\", found {text:?}"),
        )),
    }
}

/// In lower case; empty where nothing is said.
fn word(field: &str, value: Option<&Value>) -> Result<String, FieldError> {
    let Some(value) = value else {
        return Ok(String::new());
    };
    let text = as_text(field, value)?;
    if is_placeholder(text) {
        return Err(FieldError::placeholder(field, text));
    }
    Ok(text.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WEBHOOK: Option<&str> = Some("https://example.com/events");
    const LOG: Option<&str> = Some("NATS://127.0.0.1:4222/crm");

    fn read(settings: &Value, callback_url: Option<&str>) -> Result<DeliverySettings, String> {
        let value = |key: &str| settings.get(key).filter(|value| !value.is_null());
        delivery(value, callback_url).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        for settings in [
            json!({}),
            json!({FORMAT: "", BODY_BYTES_MAX: "", CHANGED_FIELDS: ""}),
            json!({FORMAT: null, BODY_BYTES_MAX: null, CHANGED_FIELDS: null}),
        ] {
            assert_eq!(read(&settings, WEBHOOK), Ok(DeliverySettings::default()));
            assert_eq!(read(&settings, None), Ok(DeliverySettings::default()));
            let log = read(&settings, LOG).unwrap();
            assert_eq!((log.format, log.body_bytes_max), (Format::Cloudevents, 1_032_192));
        }
    }

    #[test]
    fn formats_are_read_in_any_case() {
        let table = [
            ("elements", Format::Elements),
            ("CloudEvents", Format::Cloudevents),
            (" cloudevents-BATCH ", Format::CloudeventsBatch),
            ("Standard", Format::Standard),
        ];
        for (text, format) in table {
            assert_eq!(read(&json!({FORMAT: text}), WEBHOOK).unwrap().format, format);
        }
    }

    #[test]
    fn a_log_takes_the_forms_of_one_event() {
        for url in [LOG, Some("tls://nats.example.com/crm")] {
            for (text, format) in [("cloudevents", Format::Cloudevents), ("standard", Format::Standard)] {
                assert_eq!(read(&json!({FORMAT: text}), url).unwrap().format, format);
            }
            for text in ["elements", "cloudevents-batch"] {
                assert_eq!(
                    read(&json!({FORMAT: text}), url),
                    Err(format!(
                        "event.notification.format: expected \"cloudevents\" or \"standard\", found \"{text}\": a message \
                         in a stream carries one event, by whose id the stream tells repetitions"
                    ))
                );
            }
        }
    }

    #[test]
    fn the_longest_body_is_a_number_or_text_within_its_bounds() {
        let table = [
            (json!(16_384), 16_384),
            (json!("16384"), 16_384),
            (json!(" 65536 "), 65_536),
            (json!(8_388_608), 8_388_608),
        ];
        for (value, bytes) in table {
            assert_eq!(
                read(&json!({BODY_BYTES_MAX: value}), WEBHOOK).unwrap().body_bytes_max,
                bytes
            );
        }
    }

    #[test]
    fn changed_fields_are_told_of_what_was_seen_or_of_all() {
        for (text, all) in [("seen", false), ("all", true), ("ALL", true)] {
            assert_eq!(read(&json!({CHANGED_FIELDS: text}), WEBHOOK).unwrap().all_fields, all);
        }
    }

    #[test]
    fn an_error_names_the_field_with_what_was_found_and_expected() {
        let table = [
            (
                json!({FORMAT: "xml"}),
                "event.notification.format: expected \"elements\", \"cloudevents\", \"cloudevents-batch\" or \"standard\", \
                 found \"xml\"",
            ),
            (
                json!({FORMAT: 1}),
                "event.notification.format: expected text, found a number",
            ),
            (
                json!({FORMAT: "<FORMAT>"}),
                "event.notification.format: <FORMAT> is a placeholder that was not filled in",
            ),
            (
                json!({BODY_BYTES_MAX: 16_383}),
                "event.notification.body_bytes_max: expected a whole number from 16384 to 8388608, found 16383",
            ),
            (
                json!({BODY_BYTES_MAX: "8388609"}),
                "event.notification.body_bytes_max: expected a whole number from 16384 to 8388608, found 8388609",
            ),
            (
                json!({BODY_BYTES_MAX: "1 MiB"}),
                "event.notification.body_bytes_max: expected a whole number, found \"1 MiB\"",
            ),
            (
                json!({CHANGED_FIELDS: "some"}),
                "event.notification.changed_fields: expected \"seen\" or \"all\", found \"some\"",
            ),
            (
                json!({CHANGED_FIELDS: true}),
                "event.notification.changed_fields: expected text, found a boolean",
            ),
        ];
        for (settings, message) in table {
            assert_eq!(read(&settings, WEBHOOK), Err(message.to_owned()));
        }
    }
}
