//! When a resource is polled next.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::id::ResourceKey;
use crate::domain::time::Timestamp;

/// The first due time of a resource: at once, spread over at most a second so that an instance's resources do not all
/// start in the same millisecond.
#[must_use]
pub fn first_due(key: &ResourceKey, now: Timestamp) -> Timestamp {
    const SPREAD_MS: u64 = 1_000;
    now.plus(Duration::from_millis(xxh3_64(key.to_string().as_bytes()) % SPREAD_MS))
}

/// The next due time on the resource's own beat: missed beats fold into one, and a long poll skips, never queues.
#[must_use]
pub fn next_due(previous: Option<Timestamp>, interval: Duration, now: Timestamp) -> Timestamp {
    let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let previous = previous.map_or(now.as_ms(), Timestamp::as_ms);
    let ahead = previous.saturating_sub(now.as_ms());
    if ahead > 0 {
        // Polled before its time: the beat stays. Further ahead than one beat it is not a beat of this interval.
        return Timestamp::from_ms(if ahead <= interval_ms {
            previous
        } else {
            now.as_ms().saturating_add(interval_ms)
        });
    }
    let missed = now.as_ms().saturating_sub(previous).max(0) / interval_ms;
    Timestamp::from_ms(previous.saturating_add(interval_ms.saturating_mul(missed + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn next(previous: i64, now: i64) -> i64 {
        next_due(Some(Timestamp::from_ms(previous)), MINUTE, Timestamp::from_ms(now)).as_ms()
    }

    #[test]
    fn a_resource_keeps_its_beat() {
        assert_eq!(next(0, 1_000), 60_000);
        assert_eq!(next(0, 59_999), 60_000);
    }

    #[test]
    fn missed_beats_fold_into_one() {
        assert_eq!(next(0, 60_000), 120_000);
        assert_eq!(next(0, 600_500), 660_000);
    }

    #[test]
    fn a_clock_set_back_brings_no_burst() {
        assert_eq!(next(100_000, 10_000), 70_000);
    }

    #[test]
    fn a_poll_before_its_time_does_not_move_the_beat() {
        assert_eq!(next(100_000, 90_000), 100_000);
        assert_eq!(next(100_000, 40_000), 100_000);
    }
}
