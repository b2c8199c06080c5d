//! When something that failed is tried again. The time and the dice are arguments, and nothing here waits.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};

use crate::domain::delivery::{DeadReason, Trouble};
use crate::domain::time::Timestamp;

/// Waits before the first, second, … attempt of a notification, as Standard Webhooks advises: 75 h 35 m 5 s in all.
pub const SCHEDULE: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// A wait that the other side asks for is no longer: a typing error there must not stop deliveries for a year.
pub const DELAY_MAX: Duration = Duration::from_hours(24);

/// Polls of a resource that keeps failing come no rarer, unless its own interval is longer.
pub const POLL_BACKOFF_MAX: Duration = Duration::from_hours(1);

/// Share by which a wait is shortened or lengthened, so that what failed together is not tried again together.
const JITTER: f64 = 0.2;

/// Cloud Elements' schedules by name: the x-th retry stands at 2^(2x) or 2^(3x) seconds after the first failure.
const CLOUD_ELEMENTS: [(&str, u32, u32); 2] = [("cloud-elements", 2, 9), ("cloud-elements-2019", 3, 5)];

/// The waits of a schedule that has a name: `standard`, `cloud-elements` (9 retries within 73 h) or `cloud-elements-2019`
/// (5 retries within 9.2 h). Without the first attempt's wait, which is none.
#[must_use]
pub fn named_schedule(name: &str) -> Option<Vec<Duration>> {
    if name == "standard" {
        return Some(SCHEDULE.to_vec());
    }
    let (_, exponent, retries) = CLOUD_ELEMENTS.into_iter().find(|(known, ..)| *known == name)?;
    let at = |retry: u32| Duration::from_secs(1 << (exponent * retry));
    let waits = (1..=retries).map(|retry| at(retry) - if retry == 1 { Duration::ZERO } else { at(retry - 1) });
    Some(std::iter::once(Duration::ZERO).chain(waits).collect())
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended<'a> {
    Answered {
        status: u16,
        /// What the answer's `Retry-After` asks for.
        asked: Option<RetryAfter>,
        /// The answer's header `webhook-delivery`.
        instruction: Option<&'a str>,
    },
    Unanswered(Trouble),
}

/// What becomes of the notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    /// Tried again on schedule, and not sooner than this.
    Retry {
        at_least: Duration,
    },
    Dead(DeadReason),
}

/// What it says of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Works,
    /// This notification alone was meant: nothing follows for others.
    Nothing,
    /// It answers, and took not this one.
    Refused,
    /// It does not answer.
    Unreachable,
    /// It asks for time.
    Rest(Duration),
    /// It wants no more.
    Disable,
}

/// An endpoint that says it is over its limit, and not for how long, rests so long; so does one that timed out.
pub const REST_DEFAULT: Duration = Duration::from_mins(1);

/// Meanings by Standard Webhooks and CloudEvents where they have one.
#[must_use]
pub fn verdict(ended: Ended<'_>) -> (Fate, Effect) {
    let retry = |at_least| Fate::Retry { at_least };
    let (status, asked, instruction) = match ended {
        Ended::Answered {
            status,
            asked,
            instruction,
        } => (status, asked.map(RetryAfter::wait), instruction),
        Ended::Unanswered(Trouble::Timeout) => return (retry(REST_DEFAULT), Effect::Unreachable),
        Ended::Unanswered(_) => return (retry(Duration::ZERO), Effect::Unreachable),
    };
    let is_delivered = (200..300).contains(&status);
    match (status, instruction) {
        (_, Some("disable")) if is_delivered => (Fate::Delivered, Effect::Disable),
        _ if is_delivered => (Fate::Delivered, Effect::Works),
        (410, _) | (_, Some("disable")) => (retry(Duration::ZERO), Effect::Disable),
        (_, Some("abort-message")) => (Fate::Dead(DeadReason::Aborted), Effect::Nothing),
        (413, _) => (Fate::Dead(DeadReason::TooLarge), Effect::Nothing),
        (415, _) => (Fate::Dead(DeadReason::FormatRefused), Effect::Refused),
        (429, _) => {
            let rest = asked.unwrap_or(REST_DEFAULT);
            (retry(rest), Effect::Rest(rest))
        }
        (503, _) if asked.is_some() => {
            let rest = asked.unwrap_or_default();
            (retry(rest), Effect::Rest(rest))
        }
        _ => (retry(asked.unwrap_or_default()), Effect::Refused),
    }
}

/// Is the endpoint overloaded, so that it gets less at a time?
#[must_use]
pub fn asks_to_slow_down(ended: Ended<'_>) -> bool {
    matches!(
        ended,
        Ended::Answered {
            status: 429 | 502 | 503 | 504,
            ..
        } | Ended::Unanswered(Trouble::Timeout)
    )
}

/// Wait before the next attempt of a notification after `attempts_made` POSTs; None when the schedule is exhausted.
/// `jitter` is a fraction in 0..=1. Never sooner than `at_least`.
#[must_use]
pub fn next_delay(schedule: &[Duration], attempts_made: u32, jitter: f64, at_least: Duration) -> Option<Duration> {
    let delay = *schedule.get(usize::try_from(attempts_made).ok()?)?;
    Some(jittered(delay, jitter).max(at_least))
}

/// Wait before the next poll of a resource that failed `failures` times in a row: its interval, doubled by each further
/// failure up to an hour. `jitter` is a fraction in 0..=1. A wait that the vendor asked for is the caller's to add: the
/// longer of both counts.
#[must_use]
pub fn poll_backoff(failures: u32, interval: Duration, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let delay = interval
        .saturating_mul(1 << doublings)
        .min(POLL_BACKOFF_MAX.max(interval));
    jittered(delay, jitter)
}

/// What a `Retry-After` asks for: more than nothing and at most `DELAY_MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(Duration);

impl RetryAfter {
    /// Reads seconds, or an HTTP date relative to the answer's own `Date`, so that no two clocks have to agree. Past, zero,
    /// negative, a date without a `Date` to compare it with, and garbage are as if it were absent.
    #[must_use]
    pub fn parse(text: &str, date: Option<&str>) -> Option<Self> {
        let text = text.trim();
        let wait = match seconds(text) {
            Some(wait) => wait,
            None => http_date(text)?.since(http_date(date?)?),
        };
        (!wait.is_zero()).then_some(Self(wait.min(DELAY_MAX)))
    }

    #[must_use]
    pub fn wait(self) -> Duration {
        self.0
    }
}

/// The three forms of a date in HTTP; None for anything else.
#[must_use]
pub fn http_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(Timestamp::from_ms(date.timestamp_millis()));
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|date| Timestamp::from_ms(date.and_utc().timestamp_millis()))
}

/// Whole seconds; more digits than a u64 holds are a long time, not garbage.
fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

fn jittered(delay: Duration, jitter: f64) -> Duration {
    delay.mul_f64(1.0 - JITTER + 2.0 * JITTER * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    fn asked(value: &str, date: Option<&str>) -> Option<u64> {
        RetryAfter::parse(value, date).map(|asked| asked.wait().as_secs())
    }

    fn delay_after(attempts_made: u32, jitter: f64, asked: Option<RetryAfter>) -> Option<Duration> {
        next_delay(
            &SCHEDULE,
            attempts_made,
            jitter,
            asked.map(RetryAfter::wait).unwrap_or_default(),
        )
    }

    #[test]
    fn a_notification_is_attempted_ten_times_over_three_days() {
        let delays: Vec<Duration> = (0..).map_while(|made| delay_after(made, MIDDLE, None)).collect();
        assert_eq!(delays, SCHEDULE);
        assert_eq!(
            delays.iter().sum::<Duration>(),
            Duration::from_secs((75 * 60 + 35) * 60 + 5)
        );
        assert_eq!(delay_after(u32::MAX, MIDDLE, None), None);
    }

    #[test]
    fn jitter_moves_a_wait_by_a_fifth_either_way() {
        let delay = |jitter| delay_after(3, jitter, None).unwrap();
        assert_eq!(delay(0.0), Duration::from_mins(24));
        assert_eq!(delay(1.0), Duration::from_mins(36));
        assert_eq!(delay_after(0, 1.0, None), Some(Duration::ZERO));
    }

    #[test]
    fn no_attempt_comes_sooner_than_the_callback_asked_or_later_than_a_day() {
        let asked = RetryAfter::parse("600", None);
        assert_eq!(delay_after(1, 0.0, asked), Some(Duration::from_mins(10)));
        assert_eq!(delay_after(3, 0.0, asked), Some(Duration::from_mins(24)));
        assert_eq!(delay_after(1, 1.0, RetryAfter::parse("3240000", None)), Some(DELAY_MAX));
        assert_eq!(delay_after(9, 1.0, None), Some(DELAY_MAX.mul_f64(1.2)));
        assert_eq!(delay_after(10, 0.0, asked), None);
    }

    #[test]
    fn retry_after_is_seconds() {
        assert_eq!(asked("120", None), Some(120));
        assert_eq!(asked(" 7 ", None), Some(7));
        assert_eq!(asked("99999999999999999999999", None), Some(24 * 3_600));
    }

    #[test]
    fn retry_after_is_a_date_by_the_clock_of_whoever_answers() {
        let their_now = Some("Wed, 30 Aug 2017 21:00:00 GMT");
        for date in [
            "Wed, 30 Aug 2017 21:02:00 GMT",
            "Wednesday, 30-Aug-17 21:02:00 GMT",
            "Wed Aug 30 21:02:00 2017",
        ] {
            assert_eq!(asked(date, their_now), Some(120), "{date}");
        }
        for date in [None, Some("yesterday")] {
            assert_eq!(asked("Wed, 30 Aug 2017 19:19:39 GMT", date), None, "{date:?}");
        }
    }

    #[test]
    fn a_retry_after_that_makes_no_sense_is_absent() {
        for value in [
            "",
            "0",
            "-5",
            "soon",
            "1.5",
            "12 s",
            "Wed, 30 Aug 2017 19:19:28 GMT",
            "Wed, 99 Aug 2017 1:1 GMT",
        ] {
            assert_eq!(asked(value, Some("Wed, 30 Aug 2017 19:19:29 GMT")), None, "{value}");
        }
    }

    fn answered(status: u16) -> Ended<'static> {
        Ended::Answered {
            status,
            asked: None,
            instruction: None,
        }
    }

    #[test]
    fn only_2xx_counts_as_delivered() {
        for status in [200, 201, 204, 299] {
            assert_eq!(verdict(answered(status)), (Fate::Delivered, Effect::Works), "{status}");
        }
        let again = Fate::Retry {
            at_least: Duration::ZERO,
        };
        for status in [0, 100, 199, 300, 302, 400, 401, 404, 408, 425, 500, 502, 503, 504] {
            assert_eq!(verdict(answered(status)), (again, Effect::Refused), "{status}");
        }
    }

    #[test]
    fn some_answers_end_a_notification_or_an_endpoint() {
        let table = [
            (410, None, None, Effect::Disable),
            (413, None, Some(DeadReason::TooLarge), Effect::Nothing),
            (415, None, Some(DeadReason::FormatRefused), Effect::Refused),
            (500, Some("disable"), None, Effect::Disable),
            (500, Some("abort-message"), Some(DeadReason::Aborted), Effect::Nothing),
            (500, Some("hurry"), None, Effect::Refused),
        ];
        for (status, instruction, dead, effect) in table {
            let ended = Ended::Answered {
                status,
                asked: None,
                instruction,
            };
            let again = Fate::Retry {
                at_least: Duration::ZERO,
            };
            assert_eq!(
                verdict(ended),
                (dead.map_or(again, Fate::Dead), effect),
                "{status} {instruction:?}"
            );
        }
        let last = Ended::Answered {
            status: 200,
            asked: None,
            instruction: Some("disable"),
        };
        assert_eq!(verdict(last), (Fate::Delivered, Effect::Disable));
    }

    #[test]
    fn whoever_asks_for_time_rests_as_a_whole() {
        let ended = |status, asked| Ended::Answered {
            status,
            asked: RetryAfter::parse(asked, None),
            instruction: None,
        };
        let rest = |seconds| {
            let at_least = Duration::from_secs(seconds);
            (Fate::Retry { at_least }, Effect::Rest(at_least))
        };
        assert_eq!(verdict(ended(429, "7")), rest(7));
        assert_eq!(verdict(ended(429, "")), rest(60));
        assert_eq!(verdict(ended(503, "7")), rest(7));
        let at_least = Duration::from_secs(7);
        assert_eq!(verdict(ended(404, "7")), (Fate::Retry { at_least }, Effect::Refused));
    }

    #[test]
    fn who_does_not_answer_is_unreachable() {
        let at_least = |seconds| Fate::Retry {
            at_least: Duration::from_secs(seconds),
        };
        for (trouble, seconds) in [(Trouble::Timeout, 60), (Trouble::Unreachable, 0), (Trouble::NotSent, 0)] {
            assert_eq!(
                verdict(Ended::Unanswered(trouble)),
                (at_least(seconds), Effect::Unreachable)
            );
        }
    }

    #[test]
    fn cloud_elements_schedules_count_from_the_first_failure() {
        let totals = |name: &str| {
            let waits = named_schedule(name).unwrap();
            let total = waits.iter().sum::<Duration>().as_secs();
            (waits.len() - 1, waits[1].as_secs(), waits[2].as_secs(), total)
        };
        assert_eq!(totals("cloud-elements"), (9, 4, 12, 262_144));
        assert_eq!(totals("cloud-elements-2019"), (5, 8, 56, 32_768));
        assert_eq!(named_schedule("standard"), Some(SCHEDULE.to_vec()));
        assert_eq!(named_schedule("weekly"), None);
    }

    #[test]
    fn a_failing_poll_waits_twice_as_long_each_time_up_to_an_hour() {
        let minutes = |failures| poll_backoff(failures, Duration::from_mins(15), MIDDLE).as_secs() / 60;
        assert_eq!([0, 1, 2, 3, 4, 5, u32::MAX].map(minutes), [15, 15, 30, 60, 60, 60, 60]);
    }

    #[test]
    fn a_resource_polled_more_rarely_than_hourly_keeps_its_interval() {
        let day = Duration::from_hours(24);
        assert_eq!(poll_backoff(5, day, MIDDLE), day);
        assert_eq!(poll_backoff(1, day, 0.0), day.mul_f64(0.8));
    }
}
