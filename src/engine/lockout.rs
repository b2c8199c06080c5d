//! Who failed to log in, and how long that slows an address down. Counts and decides; waits for nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::domain::time::Timestamp;

/// So many failures are answered at once: everybody mistypes.
pub const FREE_FAILURES: u32 = 3;
/// The answer to the next failure is held back for so long, then twice as long each time.
pub const DELAY_FIRST: Duration = Duration::from_millis(250);
/// Longest that an answer is held back: it holds a connection meanwhile.
pub const DELAY_MAX: Duration = Duration::from_secs(4);
/// From this failure on, the address is not listened to for a while.
pub const FAILURES_MAX: u32 = 10;
/// How long it is not listened to at first; twice as long with each further failure.
pub const LOCK_FIRST: Duration = Duration::from_mins(1);
pub const LOCK_MAX: Duration = Duration::from_mins(15);
/// An address that did not fail for so long begins anew.
pub const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);
/// Most addresses that are remembered; beyond that, the one that failed longest ago is forgotten.
pub const CLIENTS_MAX: usize = 10_000;

/// What was knocked at. A success at one says nothing of the other: else whoever has an instance's token could guess the
/// account's secrets without end, by using the token in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    Account,
    Token,
}

#[derive(Debug, Default)]
pub struct Lockout {
    clients: HashMap<(IpAddr, Door), Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
    /// Not listened to before this time.
    until: Timestamp,
}

impl Lockout {
    /// May this address be listened to? The error says after how long it may ask again.
    ///
    /// # Errors
    /// Too many failures.
    pub fn judge(&self, client: IpAddr, door: Door, now: Timestamp) -> Result<(), Duration> {
        match self.clients.get(&(whole(client), door)) {
            Some(failures) if now < failures.until => Err(failures.until.since(now)),
            _ => Ok(()),
        }
    }

    /// Counts a failure; returns how long its answer is to be held back.
    pub fn failed(&mut self, client: IpAddr, door: Door, now: Timestamp) -> Duration {
        let key = (whole(client), door);
        if !self.clients.contains_key(&key) {
            self.make_room(now);
        }
        let fresh = Failures {
            count: 0,
            last: now,
            until: now,
        };
        let failures = self.clients.entry(key).or_insert(fresh);
        if is_forgotten(failures, now) {
            *failures = fresh;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        if failures.count >= FAILURES_MAX {
            failures.until = now.plus(doubled(LOCK_FIRST, failures.count - FAILURES_MAX, LOCK_MAX));
            return Duration::ZERO;
        }
        match failures.count.checked_sub(FREE_FAILURES + 1) {
            Some(times) => doubled(DELAY_FIRST, times, DELAY_MAX),
            None => Duration::ZERO,
        }
    }

    pub fn succeeded(&mut self, client: IpAddr, door: Door) {
        self.clients.remove(&(whole(client), door));
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.clients.len() < CLIENTS_MAX {
            return;
        }
        self.clients.retain(|_, failures| !is_forgotten(failures, now));
        if self.clients.len() >= CLIENTS_MAX {
            let oldest = self.clients.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.clients.remove(&oldest);
            }
        }
    }
}

fn is_forgotten(failures: &Failures, now: Timestamp) -> bool {
    now.since(failures.last) >= FORGOTTEN_AFTER && now >= failures.until
}

fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    first
        .saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX))
        .min(max)
}

/// One customer of a provider has a /64 of IPv6 at least, and could knock from another address each time.
fn whole(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_700_000_000_000 + ms)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(lockout: &mut Lockout, client: &str, times: u32) -> Duration {
        (0..times).fold(Duration::ZERO, |_, _| lockout.failed(ip(client), Door::Account, at(0)))
    }

    #[test]
    fn the_answer_to_each_failure_is_held_back_longer_until_none_is_listened_to() {
        let mut lockout = Lockout::default();
        let delays: Vec<u128> = (1..FAILURES_MAX)
            .map(|_| lockout.failed(ip("192.0.2.1"), Door::Account, at(0)).as_millis())
            .collect();
        assert_eq!(delays, [0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 4_000]);
        assert_eq!(lockout.judge(ip("192.0.2.1"), Door::Account, at(0)), Ok(()));
        fail(&mut lockout, "192.0.2.1", 1);
        let judged = lockout.judge(ip("192.0.2.1"), Door::Account, at(1_000));
        assert_eq!(judged, Err(Duration::from_secs(59)));
        assert_eq!(lockout.judge(ip("192.0.2.1"), Door::Account, at(60_000)), Ok(()));
    }

    #[test]
    fn whoever_fails_again_after_the_lock_waits_twice_as_long_and_never_longer_than_the_most() {
        let mut lockout = Lockout::default();
        fail(&mut lockout, "192.0.2.1", FAILURES_MAX);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..6 {
            let wait = lockout.judge(ip("192.0.2.1"), Door::Account, at(now)).unwrap_err();
            waits.push(wait.as_secs() / 60);
            now += i64::try_from(wait.as_millis()).unwrap();
            lockout.failed(ip("192.0.2.1"), Door::Account, at(now));
        }
        assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
    }

    #[test]
    fn a_success_and_an_hour_of_quiet_begin_anew() {
        let mut lockout = Lockout::default();
        fail(&mut lockout, "192.0.2.1", FAILURES_MAX - 1);
        lockout.succeeded(ip("192.0.2.1"), Door::Account);
        assert_eq!(fail(&mut lockout, "192.0.2.1", 1), Duration::ZERO);
        fail(&mut lockout, "192.0.2.2", FAILURES_MAX - 1);
        let hour = i64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap();
        assert_eq!(lockout.failed(ip("192.0.2.2"), Door::Account, at(hour)), Duration::ZERO);
    }

    #[test]
    fn neither_another_address_nor_another_door_is_slowed_down() {
        let mut lockout = Lockout::default();
        fail(&mut lockout, "192.0.2.1", FAILURES_MAX);
        fail(&mut lockout, "2001:db8::1", FAILURES_MAX);
        for (client, door, free) in [
            ("192.0.2.1", Door::Account, false),
            ("::ffff:192.0.2.1", Door::Account, false),
            ("192.0.2.1", Door::Token, true),
            ("192.0.2.2", Door::Account, true),
            ("2001:db8::ffff:1", Door::Account, false),
            ("2001:db8:0:1::1", Door::Account, true),
        ] {
            assert_eq!(
                lockout.judge(ip(client), door, at(0)).is_ok(),
                free,
                "{client} {door:?}"
            );
        }
        lockout.succeeded(ip("192.0.2.1"), Door::Token);
        assert!(lockout.judge(ip("192.0.2.1"), Door::Account, at(0)).is_err());
    }

    #[test]
    fn no_more_addresses_are_remembered_than_the_limit_and_the_oldest_goes_first() {
        let mut lockout = Lockout::default();
        for number in 0..=u32::try_from(CLIENTS_MAX).unwrap() {
            let client = IpAddr::from(number.to_be_bytes());
            lockout.failed(client, Door::Account, at(number.into()));
        }
        assert_eq!(lockout.clients.len(), CLIENTS_MAX);
        assert!(!lockout.clients.contains_key(&(ip("0.0.0.0"), Door::Account)));
        assert!(lockout.clients.contains_key(&(ip("0.0.0.1"), Door::Account)));
    }
}
