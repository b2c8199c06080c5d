//! How an endpoint wants to be posted to: schedule, policy, rate, concurrency, time-out. Limits are named here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::fields::{FieldError, Found, as_integer, as_text};
use crate::domain::instance::{DeliverySettings, RetryPolicy, RetrySettings};
use crate::engine::retry::named_schedule;

pub const RETRY_SCHEDULE: &str = "event.notification.retry.schedule";
pub const RETRY_POLICY: &str = "event.notification.retry.policy";
pub const RATE: &str = "event.notification.rate";
pub const CONCURRENCY: &str = "event.notification.concurrency";
pub const TIMEOUT: &str = "event.notification.timeout";

/// Most attempts of one schedule.
const ATTEMPTS_MAX: usize = 32;
/// Longest wait between two attempts, in seconds: a week.
const WAIT_SECONDS_MAX: f64 = 604_800.0;
/// POSTs a second.
const RATE_MAX: f64 = 10_000.0;
const RATE_MIN: f64 = 0.01;
/// POSTs under way at the same time.
const CONCURRENCY_MAX: i64 = 64;
/// Longest wait for an answer, in seconds.
const TIMEOUT_SECONDS_MAX: f64 = 120.0;
const TIMEOUT_SECONDS_MIN: f64 = 0.1;

/// Fills in what the configuration says of the endpoint; what it leaves out stays as it is.
pub(super) fn endpoint(
    configuration: &BTreeMap<String, Value>,
    settings: &mut DeliverySettings,
) -> Result<(), FieldError> {
    let given = |key: &str| configuration.get(key).filter(|value| !value.is_null() && *value != "");
    if let Some(value) = given(RETRY_SCHEDULE) {
        settings.retry = schedule(value)?;
    }
    if let Some(value) = given(RETRY_POLICY) {
        settings.retry.policy = Some(policy(value)?);
    }
    if let Some(value) = given(RATE) {
        settings.rate_per_second = Some(number(RATE, "POSTs a second", value, RATE_MIN, RATE_MAX)?);
    }
    if let Some(value) = given(CONCURRENCY) {
        let most = as_integer(CONCURRENCY, value, 1, CONCURRENCY_MAX)?;
        settings.concurrency = u32::try_from(most).unwrap_or(1);
    }
    if let Some(value) = given(TIMEOUT) {
        let seconds = number(TIMEOUT, "seconds", value, TIMEOUT_SECONDS_MIN, TIMEOUT_SECONDS_MAX)?;
        settings.timeout_ms = Some(milliseconds(seconds));
    }
    Ok(())
}

/// A name, or seconds to wait before each retry: `[5, 300, 1800]`, as an array or in text.
fn schedule(value: &Value) -> Result<RetrySettings, FieldError> {
    let expected = |found: String| {
        FieldError::new(
            RETRY_SCHEDULE,
            format!(
                "expected \"standard\", \"cloud-elements\", \"cloud-elements-2019\" or the seconds to wait before each \
                 retry, such as [5, 300, 1800], found {found}"
            ),
        )
    };
    let parsed;
    let value = match value {
        Value::String(text) if text.trim_start().starts_with('[') => {
            parsed = serde_json::from_str::<Value>(text).map_err(|_| expected(format!("{text:?}")))?;
            &parsed
        }
        other => other,
    };
    match value {
        Value::String(name) => {
            let name = name.trim().to_ascii_lowercase();
            let waits = named_schedule(&name).ok_or_else(|| expected(format!("{name:?}")))?;
            let is_default = name == "standard";
            Ok(RetrySettings {
                waits_ms: if is_default { Vec::new() } else { in_ms(&waits) },
                disables: !is_default,
                policy: None,
            })
        }
        Value::Array(waits) if waits.len() < ATTEMPTS_MAX => {
            let wait =
                |value: &Value| number(RETRY_SCHEDULE, "seconds", value, 0.0, WAIT_SECONDS_MAX).map(milliseconds);
            let waits = waits.iter().map(wait).collect::<Result<Vec<u64>, _>>()?;
            Ok(RetrySettings {
                // The first attempt waits for nothing.
                waits_ms: std::iter::once(0).chain(waits).collect(),
                disables: false,
                policy: None,
            })
        }
        Value::Array(waits) => Err(FieldError::new(
            RETRY_SCHEDULE,
            format!("has {} retries; at most {} are allowed", waits.len(), ATTEMPTS_MAX - 1),
        )),
        other => Err(expected(Found::kind(other).to_owned())),
    }
}

fn in_ms(waits: &[Duration]) -> Vec<u64> {
    let ms = |wait: &Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    waits.iter().map(ms).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers have bounded it to a week"
)]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1_000.0).round() as u64
}

fn policy(value: &Value) -> Result<RetryPolicy, FieldError> {
    match as_text(RETRY_POLICY, value)?.trim() {
        "retry" => Ok(RetryPolicy::Retry),
        "queue" => Ok(RetryPolicy::Queue),
        other => Err(FieldError::new(
            RETRY_POLICY,
            format!("expected \"retry\" or \"queue\", found {other:?}"),
        )),
    }
}

fn number(field: &str, unit: &str, value: &Value, min: f64, max: f64) -> Result<f64, FieldError> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    let within = number.filter(|number| (min..=max).contains(number));
    within.ok_or_else(|| {
        FieldError::new(
            field,
            format!("expected a number of {unit} from {min} to {max}, found {value}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(key: &str, value: Value) -> Result<DeliverySettings, FieldError> {
        let mut settings = DeliverySettings::default();
        endpoint(&BTreeMap::from([(key.to_owned(), value)]), &mut settings)?;
        Ok(settings)
    }

    #[test]
    fn a_schedule_is_a_name_or_a_list_of_seconds() {
        let waits = |value| read(RETRY_SCHEDULE, value).unwrap().retry;
        assert_eq!(waits(json!("standard")), RetrySettings::default());
        assert_eq!(waits(json!("")), RetrySettings::default());
        let named = waits(json!("Cloud-Elements"));
        assert_eq!(
            (named.waits_ms.len(), named.waits_ms[1], named.disables),
            (10, 4_000, true)
        );
        assert_eq!(waits(json!("cloud-elements-2019")).waits_ms.len(), 6);
        for list in [json!([5, 0.5]), json!("[5, \"0.5\"]")] {
            let retry = waits(list);
            assert_eq!((retry.waits_ms, retry.disables), (vec![0, 5_000, 500], false));
        }
        assert_eq!(waits(json!([])).waits_ms, [0], "one attempt and no retry");
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_the_bounds() {
        for (key, value, said) in [
            (RETRY_SCHEDULE, json!("weekly"), "cloud-elements"),
            (RETRY_SCHEDULE, json!("[5"), "[5, 300, 1800]"),
            (RETRY_SCHEDULE, json!({"a": 1}), "an object"),
            (RETRY_SCHEDULE, json!([-1]), "from 0 to 604800"),
            (RETRY_SCHEDULE, json!([604_801]), "from 0 to 604800"),
            (RETRY_SCHEDULE, json!(vec![1; 32]), "at most 31"),
            (RETRY_POLICY, json!("drop"), "\"queue\""),
            (RATE, json!(0), "from 0.01 to 10000"),
            (RATE, json!("fast"), "POSTs a second"),
            (CONCURRENCY, json!(0), "from 1 to 64"),
            (CONCURRENCY, json!(65), "from 1 to 64"),
            (TIMEOUT, json!(121), "from 0.1 to 120"),
            (TIMEOUT, json!(0), "seconds"),
        ] {
            let error = read(key, value.clone()).unwrap_err();
            assert_eq!(error.field, key);
            assert!(error.message.contains(said), "{value}: {error}");
        }
    }

    #[test]
    fn what_is_within_bounds_is_taken_in_every_spelling() {
        assert_eq!(
            read(RETRY_SCHEDULE, json!(vec![1; 31])).unwrap().retry.waits_ms.len(),
            32
        );
        assert_eq!(
            read(RETRY_POLICY, json!("queue")).unwrap().retry.policy,
            Some(RetryPolicy::Queue)
        );
        assert_eq!(read(RATE, json!("2.5")).unwrap().rate_per_second, Some(2.5));
        assert_eq!(read(CONCURRENCY, json!("64")).unwrap().concurrency, 64);
        assert_eq!(read(TIMEOUT, json!(1.5)).unwrap().timeout_ms, Some(1_500));
        assert_eq!(read(TIMEOUT, Value::Null).unwrap(), DeliverySettings::default());
    }
}
