//! How fast requests of one vendor account may leave. A plain struct that is told the time; it never waits by itself.

use std::time::Duration;

use crate::domain::element::Limits;
use crate::domain::time::Timestamp;

/// Least number of requests that an account which was quiet may send at once.
const BURST_MIN: f64 = 10.0;
/// Share of the whole budget that an account which was quiet may send at once.
const BURST_SHARE: f64 = 0.1;

/// When a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its cost is taken; it leaves after this wait, which may be zero. Give the cost back if it does not leave.
    After(Duration),
    /// The account rests for this long; nothing is taken, ask again then.
    Resting(Duration),
}

/// A token bucket. What is reserved is taken at once, even below zero, so that whoever asks first leaves first.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    capacity: f64,
    per_ms: f64,
    /// Requests that could leave now; negative while some that were promised a turn still wait for it.
    level: f64,
    level_at: Timestamp,
    resting_until: Timestamp,
}

impl Budget {
    /// A full one.
    #[must_use]
    pub fn new(limits: &Limits, now: Timestamp) -> Self {
        let (capacity, per_ms) = rate(limits);
        Self {
            capacity,
            per_ms,
            level: capacity,
            level_at: now,
            resting_until: Timestamp::EPOCH,
        }
    }

    /// Goes on under other limits, as a new generation of the element may bring them. What was used stays used.
    pub fn adopt(&mut self, limits: &Limits, now: Timestamp) {
        self.refill(now);
        (self.capacity, self.per_ms) = rate(limits);
        self.level = self.level.min(self.capacity);
    }

    /// Nothing leaves before `until`. An earlier end never shortens a rest.
    pub fn rest(&mut self, until: Timestamp) {
        self.resting_until = self.resting_until.max(until);
    }

    /// Does no rest last any more?
    #[must_use]
    pub fn is_awake(&self, now: Timestamp) -> bool {
        self.resting_until <= now
    }

    /// When the rest ends, if one lasts.
    #[must_use]
    pub fn resting_until(&self, now: Timestamp) -> Option<Timestamp> {
        (!self.is_awake(now)).then_some(self.resting_until)
    }

    /// Asks for a turn; a `cost` of zero waits for a rest to end and for nothing else.
    pub fn reserve(&mut self, cost: u16, now: Timestamp) -> Turn {
        let rest = self.resting_until.since(now);
        if !rest.is_zero() {
            return Turn::Resting(rest);
        }
        if cost == 0 {
            return Turn::After(Duration::ZERO);
        }
        self.refill(now);
        self.level -= f64::from(cost);
        let missing = (-self.level).max(0.0);
        Turn::After(Duration::try_from_secs_f64(missing / self.per_ms / 1_000.0).unwrap_or(Duration::MAX))
    }

    /// For a request that got a turn and did not leave.
    pub fn give_back(&mut self, cost: u16, now: Timestamp) {
        self.refill(now);
        self.level = (self.level + f64::from(cost)).min(self.capacity);
    }

    /// Nothing would be lost by forgetting it.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let mut later = self.clone();
        later.refill(now);
        later.level >= later.capacity && later.is_awake(now)
    }

    fn refill(&mut self, now: Timestamp) {
        let passed_ms = now.since(self.level_at).as_secs_f64() * 1_000.0;
        self.level = (self.level + passed_ms * self.per_ms).min(self.capacity);
        // Set back too, so that a clock that was put back refills from there on.
        self.level_at = now;
    }
}

/// Capacity in requests, and requests gained per millisecond. Never zero: an account is slow, but never stuck for good.
fn rate(limits: &Limits) -> (f64, f64) {
    let budget = (f64::from(limits.requests) * limits.share.clamp(0.0, 1.0)).max(1.0);
    let period_ms = f64::from(limits.per_seconds.max(1)) * 1_000.0;
    (BURST_MIN.max(budget * BURST_SHARE), budget / period_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60 requests a minute are this gateway's: one a second, ten at once.
    fn limits() -> Limits {
        Limits {
            requests: 120,
            per_seconds: 60,
            share: 0.5,
            concurrency_per_lane: 3,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1_000)
    }

    fn wait(seconds: u64) -> Turn {
        Turn::After(Duration::from_secs(seconds))
    }

    fn used_up(now: Timestamp) -> Budget {
        let mut budget = Budget::new(&limits(), now);
        for _ in 0..10 {
            assert_eq!(budget.reserve(1, now), wait(0));
        }
        budget
    }

    #[test]
    fn a_quiet_account_may_burst_and_then_keeps_its_rate_in_the_order_of_asking() {
        let mut budget = used_up(at(0));
        assert_eq!(
            [1, 1, 1].map(|cost| budget.reserve(cost, at(0))),
            [wait(1), wait(2), wait(3)]
        );
        assert_eq!(budget.reserve(1, at(3)), wait(1));
        assert_eq!(budget.reserve(1, at(60)), wait(0));
    }

    #[test]
    fn a_large_budget_allows_a_tenth_of_it_at_once() {
        let autotask = Limits {
            requests: 10_000,
            per_seconds: 3_600,
            share: 0.4,
            concurrency_per_lane: 3,
        };
        let mut budget = Budget::new(&autotask, at(0));
        let at_once = (0..1_000).take_while(|_| budget.reserve(1, at(0)) == wait(0)).count();
        assert_eq!(at_once, 400);
    }

    #[test]
    fn never_more_than_burst_and_rate_leave_in_any_time() {
        let mut budget = Budget::new(&limits(), at(0));
        let leaving = (0..200)
            .filter(|_| matches!(budget.reserve(1, at(0)), Turn::After(wait) if wait <= Duration::from_mins(1)));
        assert_eq!(leaving.count(), 70);
    }

    #[test]
    fn a_request_dearer_than_the_burst_leaves_in_the_end_and_the_next_ones_pay_for_it() {
        let mut budget = Budget::new(&limits(), at(0));
        assert_eq!(budget.reserve(25, at(0)), wait(15));
        assert_eq!(budget.reserve(1, at(0)), wait(16));
    }

    #[test]
    fn what_the_vendor_does_not_count_waits_for_no_budget() {
        let mut budget = used_up(at(0));
        budget.reserve(100, at(0));
        assert_eq!(budget.reserve(0, at(0)), wait(0));
    }

    #[test]
    fn a_turn_given_back_is_there_for_the_next() {
        let mut budget = used_up(at(0));
        assert_eq!(budget.reserve(1, at(0)), wait(1));
        budget.give_back(1, at(0));
        assert_eq!(budget.reserve(1, at(0)), wait(1));
    }

    #[test]
    fn giving_back_never_fills_beyond_the_brim() {
        let mut budget = Budget::new(&limits(), at(0));
        budget.give_back(50, at(0));
        assert_eq!(budget, Budget::new(&limits(), at(0)));
    }

    #[test]
    fn nothing_leaves_while_the_account_rests() {
        let mut budget = Budget::new(&limits(), at(0));
        budget.rest(at(30));
        budget.rest(at(20));
        assert_eq!(budget.reserve(1, at(10)), Turn::Resting(Duration::from_secs(20)));
        assert_eq!(budget.reserve(0, at(29)), Turn::Resting(Duration::from_secs(1)));
        assert_eq!(budget.reserve(1, at(30)), wait(0));
    }

    #[test]
    fn a_clock_that_is_put_back_neither_stops_an_account_nor_gives_it_a_burst() {
        let mut budget = used_up(at(3_600));
        assert_eq!(budget.reserve(1, at(0)), wait(1));
        assert_eq!(budget.reserve(1, at(5)), wait(0));
    }

    #[test]
    fn new_limits_keep_what_was_used() {
        let mut budget = used_up(at(0));
        budget.adopt(
            &Limits {
                requests: 240,
                ..limits()
            },
            at(0),
        );
        assert_eq!(budget.reserve(1, at(0)), Turn::After(Duration::from_millis(500)));
    }

    #[test]
    fn limits_of_nothing_are_slow_but_never_for_ever() {
        let nothing = Limits {
            requests: 0,
            per_seconds: 0,
            share: 0.0,
            concurrency_per_lane: 0,
        };
        let mut budget = Budget::new(&nothing, at(0));
        assert_eq!(budget.reserve(10, at(0)), wait(0));
        assert_eq!(budget.reserve(1, at(0)), wait(1));
    }

    #[test]
    fn an_account_is_fresh_when_it_is_full_and_awake() {
        let mut budget = used_up(at(0));
        assert!(!budget.is_fresh(at(9)));
        assert!(budget.is_fresh(at(10)));
        budget.rest(at(30));
        assert!(!budget.is_fresh(at(29)));
        assert!(budget.is_fresh(at(30)));
    }
}
