//! From one key to the next: how long the old ones sign too, so that a receiver can change its own in between.
//! Seals nothing and reads no clock.

use std::time::Duration;

use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;

/// Most old keys that sign beside the current one. Each costs the receiver a signature to look at.
pub const PREVIOUS_KEYS_MAX: usize = 10;

/// A key that was current once and signs until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    pub key: Secret,
    pub until: Timestamp,
}

/// The keys that sign beside `new` from now on, newest first. `retired` are those that did so before.
///
/// A key that was replaced signs for `grace` more. No key signs for longer than that, so that a shorter grace cuts short what
/// is under way. Without a new key, nothing signs.
#[must_use]
pub fn rotate(
    retired: Vec<Retired>,
    old: Option<Secret>,
    new: Option<&Secret>,
    now: Timestamp,
    grace: Duration,
) -> Vec<Retired> {
    let Some(new) = new else { return Vec::new() };
    let end = now.plus(grace);
    let replaced = old.map(|key| Retired { key, until: end });
    let mut next: Vec<Retired> = Vec::new();
    for Retired { key, until } in replaced.into_iter().chain(retired) {
        let until = until.min(end);
        // One that came back is current again, or stands further up already.
        let is_there = key == *new || next.iter().any(|other| other.key == key);
        if until > now && !is_there && next.len() < PREVIOUS_KEYS_MAX {
            next.push(Retired { key, until });
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn hour(hours: u64) -> Timestamp {
        Timestamp::EPOCH.plus(HOUR * u32::try_from(hours).unwrap())
    }

    /// The names of keys, each with the hour until which it signs.
    fn keys(retired: &[Retired]) -> Vec<(&str, u64)> {
        let until = |key: &Retired| key.until.since(Timestamp::EPOCH).as_secs() / 3600;
        retired.iter().map(|key| (key.key.expose(), until(key))).collect()
    }

    fn retired(keys: &[(&str, u64)]) -> Vec<Retired> {
        let retired = |&(key, until): &(&str, u64)| Retired {
            key: Secret::new(key),
            until: hour(until),
        };
        keys.iter().map(retired).collect()
    }

    fn rotated(before: &[(&str, u64)], old: &str, new: &str, now: u64, grace: u32) -> Vec<Retired> {
        let key = |text: &str| (!text.is_empty()).then(|| Secret::new(text));
        rotate(retired(before), key(old), key(new).as_ref(), hour(now), HOUR * grace)
    }

    #[test]
    fn the_old_key_signs_for_the_grace_time_and_the_newest_comes_first() {
        assert_eq!(keys(&rotated(&[], "a", "b", 1, 24)), [("a", 25)]);
        assert_eq!(keys(&rotated(&[("a", 25)], "b", "c", 2, 24)), [("b", 26), ("a", 25)]);
    }

    #[test]
    fn what_has_expired_is_dropped() {
        assert_eq!(keys(&rotated(&[("b", 26), ("a", 25)], "c", "c", 25, 24)), [("b", 26)]);
    }

    #[test]
    fn the_first_key_and_the_same_key_again_retire_nothing() {
        assert_eq!(keys(&rotated(&[], "", "a", 1, 24)), []);
        assert_eq!(keys(&rotated(&[], "a", "a", 1, 24)), []);
    }

    #[test]
    fn a_key_that_comes_back_signs_once() {
        assert_eq!(keys(&rotated(&[("a", 25)], "b", "a", 2, 24)), [("b", 26)]);
        assert_eq!(
            keys(&rotated(&[("b", 26), ("a", 25)], "a", "c", 3, 24)),
            [("a", 27), ("b", 26)]
        );
    }

    #[test]
    fn without_a_key_nothing_signs_and_the_old_ones_do_not_come_back() {
        assert_eq!(keys(&rotated(&[("a", 25)], "b", "", 2, 24)), []);
    }

    #[test]
    fn a_shorter_grace_ends_old_keys_sooner_and_a_longer_one_does_not_extend_them() {
        assert_eq!(keys(&rotated(&[("a", 25)], "b", "b", 2, 1)), [("a", 3)]);
        assert_eq!(keys(&rotated(&[("a", 25)], "b", "b", 2, 168)), [("a", 25)]);
        assert_eq!(keys(&rotated(&[("a", 25)], "b", "c", 2, 0)), []);
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let names: Vec<String> = (0..=PREVIOUS_KEYS_MAX).map(|n| format!("k{n}")).collect();
        let before: Vec<_> = names.iter().rev().map(|name| (name.as_str(), 30)).collect();
        let after = rotated(&before[1..], before[0].0, "new", 1, 24);
        assert_eq!(after.len(), PREVIOUS_KEYS_MAX);
        assert_eq!(after[0].key.expose(), "k10");
        assert_eq!(after[PREVIOUS_KEYS_MAX - 1].key.expose(), "k1");
    }
}
