//! May a component go on? How its polls went, judged by itself and beside the component that it took over from.
//! Decides only: nothing is rolled back or stopped here.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::generation::Standing;
use crate::domain::id::InstanceId;
use crate::domain::time::Timestamp;

/// Polls that a new component must have ended before it is thought good.
pub const PROBATION_POLLS: u64 = 20;
/// However few polls there are, a component that did no harm for so long is thought good.
pub const PROBATION_MAX: Duration = Duration::from_hours(24);
/// A component in its probation is not judged by fewer failures.
pub const PROBATION_FAILURES_MIN: u64 = 3;
/// So many times the former component's share of failed polls is too much.
pub const PROBATION_RATIO: f64 = 3.0;
/// The share that a component without a record of its own is measured by: one poll in a hundred may fail.
pub const SHARE_FLOOR: f64 = 0.01;
/// Polls in a row, over all instances, that a component may break before it is quarantined.
pub const BREACHES_MAX: u32 = 5;
/// First time in quarantine; each further one in a row is twice as long.
pub const QUARANTINE_MIN: Duration = Duration::from_mins(1);
pub const QUARANTINE_MAX: Duration = Duration::from_hours(1);
/// Share of the records that the vendor did not touch, and yet differ, that no new component may claim.
pub const STORM_SHARE: f64 = 0.1;
/// Fewer such records are no storm.
pub const STORM_RECORDS_MIN: u64 = 10;
/// Instances told apart; that there are several is all that counts.
const INSTANCES_KEPT: usize = 8;

/// How a poll with a component ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Good,
    /// The element answered a fault that the vendor gave no cause for.
    Fault,
    /// It trapped, went over a limit or broke the contract.
    Breach,
}

/// What a component's polls came to in this process.
#[derive(Clone, Debug, Default)]
pub struct Track {
    polls: u64,
    failed: u64,
    breaches_in_a_row: u32,
    /// Whose polls broke in that row.
    broken: BTreeSet<InstanceId>,
    /// Whose polls failed.
    failing: BTreeSet<InstanceId>,
    last: Option<Ending>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// The probation is over.
    Proven,
    /// `instances` had failing polls.
    RollBack {
        reason: String,
        instances: usize,
    },
    /// `instances` had polls that broke.
    Quarantine {
        reason: String,
        instances: usize,
        pause: Duration,
        times: u32,
    },
}

impl Track {
    pub fn add(&mut self, instance: InstanceId, ending: Ending) {
        self.polls += 1;
        self.last = Some(ending);
        if ending != Ending::Good {
            keep(&mut self.failing, instance);
        }
        match ending {
            Ending::Good => {
                self.breaches_in_a_row = 0;
                self.broken.clear();
            }
            Ending::Fault => self.failed += 1,
            Ending::Breach => {
                self.failed += 1;
                self.breaches_in_a_row += 1;
                keep(&mut self.broken, instance);
            }
        }
    }

    fn share(&self) -> f64 {
        if self.polls == 0 {
            return 0.0;
        }
        self.failed as f64 / self.polls as f64
    }

    /// `former` is the track of the component that a rollback would go back to.
    #[must_use]
    pub fn verdict(&self, standing: &Standing, former: Option<&Track>, now: Timestamp) -> Verdict {
        if let (Standing::Probation { since }, Some(former)) = (standing, former) {
            if now.since(*since) >= PROBATION_MAX {
                return Verdict::Proven;
            }
            // However bad the former one was, one that fails always is worse.
            let share = former.share().max(SHARE_FLOOR);
            let allowed = (PROBATION_RATIO * share).min(f64::midpoint(1.0, share));
            if self.failed >= PROBATION_FAILURES_MIN && self.share() > allowed {
                return Verdict::RollBack {
                    reason: format!(
                        "{} of its {} polls failed, where the version before failed in {:.1} % of its own",
                        self.failed,
                        self.polls,
                        100.0 * former.share()
                    ),
                    instances: self.failing.len(),
                };
            }
            if self.polls >= PROBATION_POLLS {
                return Verdict::Proven;
            }
        }
        match standing {
            // Polls that were under way when it began say nothing new.
            Standing::Quarantined { until, .. } if now < *until => Verdict::GoOn,
            _ if self.last == Some(Ending::Breach) && self.breaches_in_a_row >= BREACHES_MAX => {
                self.quarantine(standing)
            }
            // Somebody tried, and it went well.
            Standing::Quarantined { .. } if self.last == Some(Ending::Good) => Verdict::Proven,
            Standing::Probation { .. } if former.is_none() => Verdict::Proven,
            _ => Verdict::GoOn,
        }
    }

    fn quarantine(&self, standing: &Standing) -> Verdict {
        let times = match standing {
            Standing::Quarantined { times, .. } => times.saturating_add(1),
            _ => 1,
        };
        let pause = QUARANTINE_MIN.saturating_mul(1 << (times - 1).min(16));
        Verdict::Quarantine {
            reason: format!("{} polls in a row broke in it", self.breaches_in_a_row),
            instances: self.broken.len(),
            pause: pause.min(QUARANTINE_MAX),
            times,
        }
    }
}

/// Are these enough of the instances that use an element to judge it by? One whose data or settings no component can
/// read must not decide for the others.
#[must_use]
pub fn is_enough(instances: usize, users: usize) -> bool {
    instances >= users.min(2)
}

/// Records that were read again although the vendor says that nothing happened to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reread {
    pub records: u64,
    /// Those whose content is another one all the same.
    pub differ: u64,
}

impl Reread {
    pub fn add(&mut self, more: Reread) {
        self.records += more.records;
        self.differ += more.differ;
    }

    /// Does the component read what it knew in another way, without saying so by a new projection?
    #[must_use]
    pub fn is_storm(self) -> bool {
        self.differ >= STORM_RECORDS_MIN && self.differ as f64 > STORM_SHARE * self.records as f64
    }
}

fn keep(instances: &mut BTreeSet<InstanceId>, instance: InstanceId) {
    if instances.len() < INSTANCES_KEPT {
        instances.insert(instance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBATION: Standing = Standing::Probation {
        since: Timestamp::EPOCH,
    };

    fn track(endings: &[(u64, Ending)]) -> Track {
        let mut track = Track::default();
        for (instance, ending) in endings {
            track.add(InstanceId(*instance), *ending);
        }
        track
    }

    fn times(count: usize, instance: u64, ending: Ending) -> Vec<(u64, Ending)> {
        vec![(instance, ending); count]
    }

    fn quarantine(track: &Track, standing: &Standing) -> Option<(Duration, u32)> {
        match track.verdict(standing, None, Timestamp::EPOCH) {
            Verdict::Quarantine { pause, times, .. } => Some((pause, times)),
            _ => None,
        }
    }

    #[test]
    fn a_new_component_is_proven_by_polls_or_by_time() {
        let former = Track::default();
        let verdict = |polls, now| {
            let track = track(&times(polls, 1, Ending::Good));
            track.verdict(&PROBATION, Some(&former), Timestamp::EPOCH.plus(now))
        };
        assert_eq!(verdict(19, Duration::from_hours(23)), Verdict::GoOn);
        assert_eq!(verdict(20, Duration::ZERO), Verdict::Proven);
        assert_eq!(verdict(1, PROBATION_MAX), Verdict::Proven);
    }

    #[test]
    fn a_new_component_that_fails_more_than_the_old_one_goes_back() {
        let former = track(&[times(9, 1, Ending::Good), times(1, 1, Ending::Fault)].concat());
        let verdict = |failed: usize, good: usize| {
            let endings = [times(failed, 1, Ending::Fault), times(good, 1, Ending::Good)].concat();
            track(&endings).verdict(&PROBATION, Some(&former), Timestamp::EPOCH)
        };
        assert_eq!(verdict(2, 0), Verdict::GoOn, "too few to judge");
        assert!(
            matches!(verdict(3, 6), Verdict::RollBack { instances: 1, .. }),
            "a third is more than three times a tenth"
        );
        assert_eq!(verdict(3, 7), Verdict::GoOn, "three tenths are not");
        let late =
            track(&times(3, 1, Ending::Fault)).verdict(&PROBATION, Some(&former), Timestamp::EPOCH.plus(PROBATION_MAX));
        assert_eq!(late, Verdict::Proven, "nobody took it back in a day");
    }

    #[test]
    fn without_a_component_to_go_back_to_nothing_is_on_probation() {
        let track = track(&times(1, 1, Ending::Good));
        assert_eq!(track.verdict(&PROBATION, None, Timestamp::EPOCH), Verdict::Proven);
    }

    #[test]
    fn a_component_that_breaks_for_everybody_is_quarantined_for_longer_each_time() {
        assert_eq!(quarantine(&track(&times(4, 1, Ending::Breach)), &Standing::Good), None);
        let broken = track(&times(5, 1, Ending::Breach));
        assert_eq!(quarantine(&broken, &Standing::Good), Some((QUARANTINE_MIN, 1)));
        let again = |times| Standing::Quarantined {
            reason: String::new(),
            since: Timestamp::EPOCH,
            until: Timestamp::EPOCH,
            times,
        };
        assert_eq!(quarantine(&broken, &again(1)), Some((QUARANTINE_MIN * 2, 2)));
        assert_eq!(quarantine(&broken, &again(40)), Some((QUARANTINE_MAX, 41)));
        let mended = track(&[times(5, 1, Ending::Breach), times(1, 1, Ending::Good)].concat());
        assert_eq!(mended.verdict(&again(3), None, Timestamp::EPOCH), Verdict::Proven);
    }

    #[test]
    fn a_component_that_fails_always_is_worse_than_a_bad_one() {
        let former = track(&[times(1, 1, Ending::Good), times(1, 1, Ending::Fault)].concat());
        let always = track(&times(3, 1, Ending::Fault));
        let verdict = always.verdict(&PROBATION, Some(&former), Timestamp::EPOCH);
        assert!(matches!(verdict, Verdict::RollBack { .. }), "{verdict:?}");
    }

    #[test]
    fn what_ends_during_a_quarantine_or_with_a_mere_fault_does_not_make_it_longer() {
        let until = Timestamp::from_ms(1_000);
        let standing = Standing::Quarantined {
            reason: String::new(),
            since: Timestamp::EPOCH,
            until,
            times: 1,
        };
        let broken = track(&times(9, 1, Ending::Breach));
        assert_eq!(broken.verdict(&standing, None, Timestamp::from_ms(999)), Verdict::GoOn);
        assert!(matches!(
            broken.verdict(&standing, None, until),
            Verdict::Quarantine { times: 2, .. }
        ));
        let fault = track(&[times(9, 1, Ending::Breach), times(1, 1, Ending::Fault)].concat());
        assert_eq!(fault.verdict(&standing, None, until), Verdict::GoOn);
    }

    #[test]
    fn one_instance_among_several_does_not_decide() {
        assert!(is_enough(1, 1) && is_enough(2, 2) && is_enough(2, 9) && is_enough(0, 0));
        assert!(!is_enough(1, 2) && !is_enough(1, 9));
    }

    #[test]
    fn a_storm_is_many_records_and_a_large_share_of_them() {
        let storm = |differ, records| Reread { records, differ }.is_storm();
        assert!(!storm(9, 9), "too few");
        assert!(storm(10, 99));
        assert!(!storm(10, 100), "a tenth is allowed");
    }
}
