//! May an endpoint be posted to: what an attempt says of it, when it pauses, when it is given up. Pure; the time and the
//! dice are arguments.
//!
//! A pause lasts seconds and protects both sides from attempts that fail together; disabling takes days and needs somebody
//! to enable it again. The backlog is kept through both.

use std::time::Duration;

use super::retry::{DELAY_MAX, Effect};
use crate::domain::endpoint::{Endpoint, Health, Recent};
use crate::domain::time::Timestamp;

/// So many failed attempts in a row pause an endpoint.
pub const FAILURES_MAX: u32 = 10;
/// Of so many attempts within `RECENT` …
pub const RECENT_ATTEMPTS_MIN: u32 = 10;
/// … a failed share of so many percent pauses it too.
pub const RECENT_FAILED_PERCENT: u32 = 70;
pub const RECENT: Duration = Duration::from_mins(5);
/// The first pause; each further one is twice as long, up to `PAUSE_MAX`.
pub const PAUSE_FIRST: Duration = Duration::from_secs(5);
pub const PAUSE_MAX: Duration = Duration::from_mins(1);
/// An endpoint where nothing was delivered for so long while attempts failed is disabled.
pub const DISABLE_AFTER: Duration = Duration::from_hours(120);
/// Attempts that must have failed before it is: one at the begin of five silent days is no proof.
pub const DISABLE_ATTEMPTS_MIN: u32 = 5;

/// What may be posted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// One notification, to find out whether it answers again.
    Probe,
    Until(Timestamp),
    Closed,
}

#[must_use]
pub fn gate(endpoint: &Endpoint, now: Timestamp) -> Gate {
    match &endpoint.health {
        Health::Delivering => Gate::Open,
        // A pause that is longer than any may be was begun by a clock that was wrong.
        Health::Paused { until, .. } if *until <= now || until.since(now) > DELAY_MAX => Gate::Probe,
        Health::Paused { until, .. } => Gate::Until(*until),
        Health::Disabled { .. } => Gate::Closed,
    }
}

/// What became of the endpoint by an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing that anybody must be told.
    Same,
    Paused,
    Recovered,
    Disabled,
}

/// Takes in one attempt. `reason` says in words why it failed; `jitter` is a fraction in 0..=1.
pub fn observe(endpoint: &mut Endpoint, effect: Effect, reason: &str, now: Timestamp, jitter: f64) -> Turn {
    match effect {
        Effect::Nothing => Turn::Same,
        Effect::Works => works(endpoint, now),
        Effect::Disable => disable(endpoint, reason, now),
        Effect::Refused | Effect::Unreachable | Effect::Rest(_) => fails(endpoint, effect, reason, now, jitter),
    }
}

/// Until somebody enables it.
pub fn disable(endpoint: &mut Endpoint, reason: &str, now: Timestamp) -> Turn {
    if matches!(endpoint.health, Health::Disabled { .. }) {
        return Turn::Same;
    }
    endpoint.health = Health::Disabled {
        since: now,
        reason: reason.to_owned(),
    };
    Turn::Disabled
}

/// As if nothing had ever been posted to it. For whoever changes it by hand.
#[must_use]
pub fn fresh(endpoint: &Endpoint, now: Timestamp) -> Endpoint {
    Endpoint {
        revision: endpoint.revision + 1,
        recovered: Some(now),
        ..Endpoint::default()
    }
}

fn works(endpoint: &mut Endpoint, now: Timestamp) -> Turn {
    endpoint.failures = 0;
    endpoint.failing_since = None;
    if endpoint.recent.failed > 0 {
        count(&mut endpoint.recent, false, now);
    }
    match endpoint.health {
        // What was on the way when it asked for time.
        Health::Paused { until, asked: true, .. } if now < until => Turn::Same,
        Health::Paused { .. } => {
            endpoint.health = Health::Delivering;
            endpoint.recovered = Some(now);
            endpoint.recent = Recent::default();
            Turn::Recovered
        }
        Health::Delivering | Health::Disabled { .. } => Turn::Same,
    }
}

fn fails(endpoint: &mut Endpoint, effect: Effect, reason: &str, now: Timestamp, jitter: f64) -> Turn {
    endpoint.failures = endpoint.failures.saturating_add(1);
    let since = *endpoint.failing_since.get_or_insert(now);
    count(&mut endpoint.recent, true, now);
    if now.since(since) >= DISABLE_AFTER && endpoint.failures >= DISABLE_ATTEMPTS_MIN {
        let hours = DISABLE_AFTER.as_secs() / 3_600;
        let reason = format!("nothing was delivered for {hours} hours: {reason}");
        return disable(endpoint, &reason, now);
    }
    // What it asked for is not cut short by asking for less.
    let (pauses, at_least) = match endpoint.health {
        Health::Disabled { .. } => return Turn::Same,
        // Who was on the way when the pause began tells nothing new.
        Health::Paused { until, .. } if now < until && !matches!(effect, Effect::Rest(_)) => return Turn::Same,
        Health::Paused { pauses, until, .. } => (pauses + 1, until),
        Health::Delivering => (0, now),
    };
    let pause = match effect {
        Effect::Rest(asked) => asked,
        _ if effect == Effect::Unreachable || pauses > 0 || is_failing(endpoint) => {
            let pause = PAUSE_FIRST.saturating_mul(1 << pauses.min(16)).min(PAUSE_MAX);
            pause.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))
        }
        _ => return Turn::Same,
    };
    let was_delivering = endpoint.health == Health::Delivering;
    endpoint.health = Health::Paused {
        until: now.plus(pause).max(at_least),
        pauses,
        reason: reason.to_owned(),
        asked: matches!(effect, Effect::Rest(_)),
    };
    if was_delivering { Turn::Paused } else { Turn::Same }
}

fn is_failing(endpoint: &Endpoint) -> bool {
    let Recent { attempts, failed, .. } = endpoint.recent;
    endpoint.failures >= FAILURES_MAX
        || (attempts >= RECENT_ATTEMPTS_MIN
            && u64::from(failed) * 100 >= u64::from(attempts) * u64::from(RECENT_FAILED_PERCENT))
}

/// A window begins with its first failure: while all is well nothing is counted, and nothing has to be written.
fn count(recent: &mut Recent, failed: bool, now: Timestamp) {
    if now.since(recent.from) > RECENT {
        *recent = Recent {
            from: now,
            attempts: 0,
            failed: 0,
        };
        if !failed {
            return;
        }
    }
    recent.attempts = recent.attempts.saturating_add(1);
    recent.failed = recent.failed.saturating_add(u32::from(failed));
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_ms(1_700_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn attempt(endpoint: &mut Endpoint, effect: Effect, seconds: u64) -> Turn {
        observe(endpoint, effect, "the reason", at(seconds), MIDDLE)
    }

    fn pause_of(endpoint: &Endpoint, seconds: u64) -> Option<u64> {
        match gate(endpoint, at(seconds)) {
            Gate::Until(until) => Some(until.since(at(seconds)).as_secs()),
            _ => None,
        }
    }

    #[test]
    fn who_does_not_answer_pauses_at_once_and_longer_each_time_up_to_a_minute() {
        let mut endpoint = Endpoint::default();
        assert_eq!(attempt(&mut endpoint, Effect::Unreachable, 0), Turn::Paused);
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let pause = pause_of(&endpoint, now).unwrap();
            pauses.push(pause);
            now += pause;
            assert_eq!(gate(&endpoint, at(now)), Gate::Probe);
            assert_eq!(attempt(&mut endpoint, Effect::Unreachable, now), Turn::Same);
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        assert_eq!(attempt(&mut endpoint, Effect::Works, now + 60), Turn::Recovered);
        assert_eq!(gate(&endpoint, at(now + 60)), Gate::Open);
        assert_eq!(endpoint.recovered, Some(at(now + 60)));
        assert_eq!((endpoint.failures, endpoint.failing_since), (0, None));
    }

    #[test]
    fn what_was_on_the_way_when_a_pause_began_does_not_lengthen_it() {
        let mut endpoint = Endpoint::default();
        attempt(&mut endpoint, Effect::Unreachable, 0);
        for _ in 0..15 {
            attempt(&mut endpoint, Effect::Unreachable, 1);
        }
        assert_eq!(pause_of(&endpoint, 1), Some(4));
    }

    #[test]
    fn a_refused_notification_waits_alone_until_ten_fail_in_a_row() {
        let mut endpoint = Endpoint::default();
        for failed in 1..FAILURES_MAX {
            assert_eq!(
                attempt(&mut endpoint, Effect::Refused, u64::from(failed) * 400),
                Turn::Same
            );
            assert_eq!(gate(&endpoint, at(0)), Gate::Open);
        }
        assert_eq!(attempt(&mut endpoint, Effect::Refused, 4_000), Turn::Paused);
        assert_eq!(pause_of(&endpoint, 4_000), Some(5));
    }

    #[test]
    fn seven_of_ten_failed_within_five_minutes_pause_it_too() {
        let run = |effects: &str| {
            let mut endpoint = Endpoint::default();
            let turns = effects.bytes().zip(0..).map(|(effect, second)| {
                let effect = if effect == b'x' { Effect::Refused } else { Effect::Works };
                attempt(&mut endpoint, effect, second)
            });
            turns.filter(|turn| *turn == Turn::Paused).count()
        };
        assert_eq!(run("xx.xx.xx.x"), 1);
        assert_eq!(run("xx.xx.xx.."), 0);
        assert_eq!(run("......................................xx.xx."), 0);
    }

    #[test]
    fn whoever_asks_for_time_gets_it_and_is_then_probed() {
        let mut endpoint = Endpoint::default();
        assert_eq!(
            attempt(&mut endpoint, Effect::Rest(Duration::from_secs(90)), 0),
            Turn::Paused
        );
        assert_eq!(pause_of(&endpoint, 0), Some(90));
        assert_eq!(gate(&endpoint, at(90)), Gate::Probe);
    }

    #[test]
    fn a_pause_that_a_wrong_clock_began_is_over() {
        let mut endpoint = Endpoint::default();
        attempt(&mut endpoint, Effect::Unreachable, 90_000_000);
        assert_eq!(gate(&endpoint, at(0)), Gate::Probe);
    }

    #[test]
    fn five_days_without_a_delivery_disable_it_and_four_do_not() {
        let run = |hours: u64| {
            let mut endpoint = Endpoint::default();
            (0..=hours)
                .map(|hour| attempt(&mut endpoint, Effect::Refused, hour * 3_600))
                .last()
        };
        assert_eq!(run(119), Some(Turn::Same));
        assert_eq!(run(120), Some(Turn::Disabled));
        let mut endpoint = Endpoint::default();
        for hour in 0..300 {
            let effect = if hour % 100 == 99 {
                Effect::Works
            } else {
                Effect::Refused
            };
            assert_ne!(attempt(&mut endpoint, effect, hour * 3_600), Turn::Disabled, "{hour}");
        }
    }

    #[test]
    fn two_failures_with_five_idle_days_between_prove_nothing() {
        let mut endpoint = Endpoint::default();
        attempt(&mut endpoint, Effect::Refused, 0);
        assert_eq!(attempt(&mut endpoint, Effect::Refused, 6 * 86_400), Turn::Same);
    }

    #[test]
    fn a_disabled_endpoint_stays_so_until_it_is_made_fresh() {
        let mut endpoint = Endpoint::default();
        assert_eq!(attempt(&mut endpoint, Effect::Disable, 0), Turn::Disabled);
        for effect in [Effect::Works, Effect::Refused, Effect::Unreachable, Effect::Disable] {
            assert_eq!(attempt(&mut endpoint, effect, 1), Turn::Same);
            assert_eq!(gate(&endpoint, at(1_000_000)), Gate::Closed);
        }
        let again = fresh(&endpoint, at(2));
        assert_eq!((gate(&again, at(2)), again.revision), (Gate::Open, 1));
    }

    #[test]
    fn while_all_is_well_nothing_has_to_be_written() {
        let mut endpoint = Endpoint::default();
        for second in 0..1_000 {
            attempt(&mut endpoint, Effect::Works, second);
        }
        assert_eq!(endpoint, Endpoint::default());
    }

    #[test]
    fn whoever_asked_for_time_gets_it_though_what_was_on_the_way_is_taken_or_asks_for_less() {
        let rest = |seconds| Effect::Rest(Duration::from_secs(seconds));
        let mut endpoint = Endpoint::default();
        attempt(&mut endpoint, rest(600), 0);
        attempt(&mut endpoint, rest(7), 1);
        assert_eq!(pause_of(&endpoint, 1), Some(599));
        assert_eq!(attempt(&mut endpoint, Effect::Works, 2), Turn::Same);
        attempt(&mut endpoint, Effect::Unreachable, 3);
        assert_eq!(pause_of(&endpoint, 3), Some(597));
        assert_eq!(attempt(&mut endpoint, Effect::Works, 600), Turn::Recovered);
        // One that did not ask is back as soon as it answers anybody.
        attempt(&mut endpoint, Effect::Unreachable, 601);
        assert_eq!(attempt(&mut endpoint, Effect::Works, 602), Turn::Recovered);
    }
}
