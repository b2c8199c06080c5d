//! How fast requests of one vendor account, or of one lane of it, may leave. A plain struct that is told the time; it never waits by itself.

use std::time::Duration;

use crate::domain::element::{LaneLimits, Limits};
use crate::domain::time::Timestamp;

/// What an account which was quiet may send at once: this many, so that a step's requests need not wait for one another,
/// as far as the vendor's allowance leaves room for them.
const BURST_USUAL: f64 = 10.0;
/// Share of this gateway's part of the budget that may be sent at once in any case.
const BURST_SHARE: f64 = 0.1;
/// Whatever the limits say, one request may leave.
const BURST_MIN: f64 = 1.0;

/// A budget as a vendor states it, and the part of it that is this gateway's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    requests: u32,
    per_seconds: u32,
    share: f64,
}

impl Rate {
    #[must_use]
    pub fn of_account(limits: &Limits) -> Self {
        Self {
            requests: limits.requests,
            per_seconds: limits.per_seconds,
            share: limits.share,
        }
    }

    /// A lane's own; the account's other integrations use the lane too, so the share is the same.
    #[must_use]
    pub fn of_lane(lane: &LaneLimits, limits: &Limits) -> Self {
        Self {
            requests: lane.requests,
            per_seconds: lane.per_seconds,
            share: limits.share,
        }
    }

    /// Capacity in requests, and requests gained per millisecond. Together they never let more leave in a period than the
    /// vendor allows in one: where the share leaves no room for the burst, the rate gives way. Neither is ever zero, so an
    /// account is slow, but never stuck for good.
    fn bucket(self) -> (f64, f64) {
        let allowed = f64::from(self.requests.max(1));
        let ours = (allowed * self.share.clamp(0.0, 1.0)).max(BURST_MIN);
        let tenth = ours * BURST_SHARE;
        let room = (allowed - ours).max(tenth);
        let capacity = BURST_USUAL.max(tenth).min(room).max(BURST_MIN);
        let in_a_period = ours.min(allowed - capacity).max(BURST_MIN);
        let period_ms = f64::from(self.per_seconds.max(1)) * 1_000.0;
        (capacity, in_a_period / period_ms)
    }
}

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
    pub fn new(rate: Rate, now: Timestamp) -> Self {
        let (capacity, per_ms) = rate.bucket();
        Self {
            capacity,
            per_ms,
            level: capacity,
            level_at: now,
            resting_until: Timestamp::EPOCH,
        }
    }

    /// Goes on at another rate, as a new generation of the element may bring it. What was used stays used.
    pub fn adopt(&mut self, rate: Rate, now: Timestamp) {
        self.refill(now);
        (self.capacity, self.per_ms) = rate.bucket();
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
        let wait = self.wait(cost, now);
        self.level -= f64::from(cost);
        Turn::After(wait)
    }

    /// How long a turn of this cost would wait, rests aside. Nothing is taken.
    pub fn wait(&mut self, cost: u16, now: Timestamp) -> Duration {
        if cost == 0 {
            return Duration::ZERO;
        }
        self.refill(now);
        let missing = (f64::from(cost) - self.level).max(0.0);
        Duration::try_from_secs_f64(missing / self.per_ms / 1_000.0).unwrap_or(Duration::MAX)
    }

    /// Takes the cost of what leaves now.
    pub fn take(&mut self, cost: u16, now: Timestamp) {
        self.refill(now);
        self.level -= f64::from(cost);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 60 requests a minute are this gateway's: one a second, ten at once.
    const RATE: Rate = Rate {
        requests: 120,
        per_seconds: 60,
        share: 0.5,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1_000)
    }

    fn wait(seconds: u64) -> Turn {
        Turn::After(Duration::from_secs(seconds))
    }

    fn used_up(now: Timestamp) -> Budget {
        let mut budget = Budget::new(RATE, now);
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
        let autotask = Rate {
            requests: 10_000,
            per_seconds: 3_600,
            share: 0.4,
        };
        assert_eq!(at_once(autotask), 400);
    }

    fn at_once(rate: Rate) -> usize {
        let mut budget = Budget::new(rate, at(0));
        (0..1_000).take_while(|_| budget.reserve(1, at(0)) == wait(0)).count()
    }

    #[test]
    fn a_small_budget_allows_at_once_what_the_vendor_does() {
        for (requests, share, expected) in [
            (5, 0.8, 1),
            (5, 1.0, 1),
            (10, 0.8, 2),
            (10, 0.4, 6),
            (1, 1.0, 1),
            (100, 0.8, 10),
        ] {
            let rate = Rate {
                requests,
                per_seconds: 1,
                share,
            };
            assert_eq!(at_once(rate), expected, "{requests} with {share}");
        }
    }

    /// When each of `count` requests leaves, all asked for at once by an account that was quiet; in milliseconds, rounded
    /// up as a clock that ticks in milliseconds would.
    fn leaving(rate: Rate, count: u32) -> Vec<u128> {
        let mut budget = Budget::new(rate, at(0));
        let one = |_| match budget.reserve(1, at(0)) {
            Turn::After(wait) => wait.as_micros().div_ceil(1_000),
            Turn::Resting(_) => panic!("nobody sent it to rest"),
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn no_period_sees_more_than_the_vendor_allows() {
        for requests in [1, 2, 3, 5, 10, 11, 60, 100, 200] {
            for share in [0.01, 0.1, 0.5, 0.8, 0.9, 0.99, 1.0] {
                for per_seconds in [1, 10, 60] {
                    let rate = Rate {
                        requests,
                        per_seconds,
                        share,
                    };
                    let leaving = leaving(rate, 3 * requests + 1);
                    let allowed = usize::try_from(requests).unwrap();
                    let period = u128::from(per_seconds) * 1_000;
                    // One more than is allowed takes a whole period.
                    for (first, last) in leaving.iter().zip(&leaving[allowed..]) {
                        assert!(last - first >= period, "{rate:?}: {first} to {last}");
                    }
                }
            }
        }
    }

    #[test]
    fn over_time_a_budget_gives_its_share_but_for_the_room_that_a_burst_needs() {
        for (share, sent) in [(0.8, 8), (0.5, 5), (1.0, 9)] {
            let rate = Rate {
                requests: 10,
                per_seconds: 60,
                share,
            };
            let leaving = leaving(rate, 200);
            // In the second minute, when the burst is over.
            let count = leaving.iter().filter(|at| (60_000..120_000).contains(*at)).count();
            assert_eq!(count, sent, "{share}");
        }
    }

    #[test]
    fn to_ask_how_long_a_turn_waits_takes_nothing() {
        let mut budget = used_up(at(0));
        assert_eq!(
            [1, 1, 2, 0].map(|cost| budget.wait(cost, at(0))),
            [1, 1, 2, 0].map(Duration::from_secs)
        );
        budget.take(1, at(1));
        assert_eq!(budget.wait(1, at(1)), Duration::from_secs(1));
    }

    #[test]
    fn never_more_than_burst_and_rate_leave_in_any_time() {
        let mut budget = Budget::new(RATE, at(0));
        let leaving = (0..200)
            .filter(|_| matches!(budget.reserve(1, at(0)), Turn::After(wait) if wait <= Duration::from_mins(1)));
        assert_eq!(leaving.count(), 70);
    }

    #[test]
    fn a_request_dearer_than_the_burst_leaves_in_the_end_and_the_next_ones_pay_for_it() {
        let mut budget = Budget::new(RATE, at(0));
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
        let mut budget = Budget::new(RATE, at(0));
        budget.give_back(50, at(0));
        assert_eq!(budget, Budget::new(RATE, at(0)));
    }

    #[test]
    fn nothing_leaves_while_the_account_rests() {
        let mut budget = Budget::new(RATE, at(0));
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
        budget.adopt(Rate { requests: 240, ..RATE }, at(0));
        assert_eq!(budget.reserve(1, at(0)), Turn::After(Duration::from_millis(500)));
    }

    #[test]
    fn limits_of_nothing_are_slow_but_never_for_ever() {
        let nothing = Rate {
            requests: 0,
            per_seconds: 0,
            share: 0.0,
        };
        let mut budget = Budget::new(nothing, at(0));
        assert_eq!(budget.reserve(1, at(0)), wait(0));
        assert_eq!(budget.reserve(10, at(0)), wait(10));
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
