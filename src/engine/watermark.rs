//! How far a resource has been read, and from where the next poll asks. All in the vendor's clock.

use std::time::Duration;

use crate::domain::instance::FirstSight;
use crate::domain::poll::Progress;
use crate::domain::time::Timestamp;

/// From where a poll asks, inclusive: the watermark minus the overlap; the first time what first sight says.
#[must_use]
pub fn ask_from(watermark: Option<Timestamp>, overlap_seconds: u32, first_sight: FirstSight) -> Timestamp {
    match (watermark, first_sight) {
        (Some(watermark), _) => watermark.minus(Duration::from_secs(overlap_seconds.into())),
        (None, FirstSight::Since(time)) => time,
        (None, FirstSight::Baseline | FirstSight::Snapshot) => Timestamp::EPOCH,
    }
}

/// The watermark after a poll that committed whole: the greatest updated date seen, never past the poll's start by the
/// vendor's clock, never back. A poll whose records carry no date moves it to its own start, as a first poll does that
/// found nothing.
#[must_use]
pub fn advance(watermark: Option<Timestamp>, progress: &Progress) -> Timestamp {
    let start = progress.vendor_started.unwrap_or(progress.started);
    let reached = match (progress.newest, watermark) {
        (Some(newest), _) => newest.min(start),
        (None, Some(watermark)) if progress.records == 0 => watermark,
        (None, _) => start,
    };
    watermark.map_or(reached, |watermark| watermark.max(reached))
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(i64) -> Timestamp = Timestamp::from_ms;

    fn progress(newest: Option<i64>, records: u64) -> Progress {
        let mut progress = Progress::new(T(9_000));
        progress.vendor_started = Some(T(5_000));
        progress.newest = newest.map(T);
        progress.records = records;
        progress
    }

    #[test]
    fn the_watermark_is_the_newest_date_seen() {
        assert_eq!(advance(Some(T(1_000)), &progress(Some(3_000), 2)), T(3_000));
    }

    #[test]
    fn the_watermark_never_passes_the_polls_start_by_the_vendors_clock() {
        assert_eq!(advance(Some(T(1_000)), &progress(Some(7_000), 2)), T(5_000));
    }

    #[test]
    fn the_watermark_never_moves_back() {
        assert_eq!(advance(Some(T(4_000)), &progress(Some(3_000), 2)), T(4_000));
        assert_eq!(advance(Some(T(4_000)), &progress(None, 0)), T(4_000));
    }

    #[test]
    fn without_dates_the_watermark_is_the_polls_start() {
        assert_eq!(advance(Some(T(1_000)), &progress(None, 2)), T(5_000));
        assert_eq!(advance(None, &progress(None, 0)), T(5_000));
    }

    #[test]
    fn a_poll_asks_from_the_watermark_minus_the_overlap() {
        assert_eq!(ask_from(Some(T(61_000)), 60, FirstSight::Baseline), T(1_000));
        assert_eq!(ask_from(None, 60, FirstSight::Baseline), Timestamp::EPOCH);
        assert_eq!(ask_from(None, 60, FirstSight::Since(T(7))), T(7));
    }
}
