//! Whose turn it is: the budget of each vendor account, and the places of each of its lanes, some of which have a budget of
//! their own. Keeps nothing over a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::element::Limits;
use crate::domain::time::Timestamp;
use crate::engine::pace::{Budget, Rate, Turn};
use crate::ports::{Clock, Grants};

/// So many accounts are known before those that rest unused are forgotten; likewise for the lanes of an account, whose names
/// an element makes up.
const ACCOUNTS_BEFORE_TIDYING: usize = 10_000;
const LANES_BEFORE_TIDYING: usize = 256;

pub(super) struct Turns {
    accounts: Mutex<HashMap<String, Account>>,
    clock: Arc<dyn Clock>,
}

struct Account {
    budget: Budget,
    limits: Limits,
    lanes: HashMap<String, Lane>,
}

/// Places are handed out in the order of asking.
struct Lane {
    places: Arc<Semaphore>,
    size: usize,
    /// Of a lane that has one in the manifest.
    own: Option<Own>,
}

/// A lane's own budget.
struct Own {
    budget: Budget,
    rate: Rate,
    /// Held by the one whose turn is next, from before it looks at the budget until it leaves: so what waits for the
    /// lane takes nothing from the account, what waits for the account takes nothing from the lane, and both are spent
    /// in the moment of leaving.
    gate: Arc<Semaphore>,
}

/// A request's place in its lane; dropping it lets the next one in.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

/// A cost that was taken from a budget and not used yet; dropping it gives the cost back.
struct Reservation<'a> {
    turns: &'a Turns,
    account: &'a str,
    cost: u16,
}

impl Turns {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            accounts: Mutex::default(),
            clock,
        }
    }

    /// Waits for a place in the lane.
    pub(super) async fn place(&self, grants: &Grants, lane: &str) -> Place {
        let places = self.with_account(grants, |account, now| account.lane(lane, now).places.clone());
        let permit = places.acquire_owned().await.expect("a lane is never closed");
        Place { _permit: permit }
    }

    /// Waits until the account is awake and its budget and the lane's allow the cost, which is then spent.
    pub(super) async fn spend(&self, grants: &Grants, lane: &str, cost: u16) {
        let gate = self.with_account(grants, |account, now| account.gate(lane, now));
        let Some(gate) = gate else {
            return self.spend_of_account(grants, cost).await;
        };
        let _turn = gate.acquire_owned().await.expect("a lane is never closed");
        loop {
            let wait = self.with_account(grants, |account, now| account.wait_of_lane(lane, cost, now));
            if wait.is_zero() {
                break;
            }
            self.clock.sleep(wait).await;
        }
        self.spend_of_account(grants, cost).await;
        self.with_account(grants, |account, now| account.take_of_lane(lane, cost, now));
    }

    async fn spend_of_account(&self, grants: &Grants, cost: u16) {
        loop {
            match self.with_account(grants, |account, now| account.budget.reserve(cost, now)) {
                Turn::Resting(rest) => self.clock.sleep(rest).await,
                Turn::After(wait) if wait.is_zero() => return,
                Turn::After(wait) => {
                    let reservation = Reservation {
                        turns: self,
                        account: &grants.account,
                        cost,
                    };
                    self.clock.sleep(wait).await;
                    // The account may have been sent to rest meanwhile: then the cost goes back, and it asks anew.
                    if self.with_account(grants, |account, now| account.budget.is_awake(now)) {
                        return reservation.spend();
                    }
                }
            }
        }
    }

    /// Sends an account to rest; also one that has sent nothing yet.
    pub(super) fn rest(&self, account: &str, until: Timestamp) {
        let now = self.clock.now();
        self.lock()
            .entry(account.to_owned())
            .or_insert_with(|| Account::new(&Limits::default(), now))
            .budget
            .rest(until);
    }

    /// When an account that rests wakes.
    pub(super) fn resting_until(&self, account: &str) -> Option<Timestamp> {
        let now = self.clock.now();
        self.lock().get(account)?.budget.resting_until(now)
    }

    fn with_account<T>(&self, grants: &Grants, change: impl FnOnce(&mut Account, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut accounts = self.lock();
        if !accounts.contains_key(&grants.account) {
            if accounts.len() >= ACCOUNTS_BEFORE_TIDYING {
                accounts.retain(|_, account| !account.is_idle(now));
            }
            accounts.insert(grants.account.clone(), Account::new(&grants.limits, now));
        }
        let account = accounts
            .get_mut(&grants.account)
            .expect("it was put there if it was missing");
        if account.limits != grants.limits {
            account.budget.adopt(Rate::of_account(&grants.limits), now);
            account.limits = grants.limits.clone();
        }
        change(account, now)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        // Every change is a few assignments, so that a panic elsewhere leaves nothing half done.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn new(limits: &Limits, now: Timestamp) -> Self {
        Self {
            budget: Budget::new(Rate::of_account(limits), now),
            limits: limits.clone(),
            lanes: HashMap::new(),
        }
    }

    /// The lane as the limits have it now.
    fn lane(&mut self, name: &str, now: Timestamp) -> &mut Lane {
        if !self.lanes.contains_key(name) && self.lanes.len() >= LANES_BEFORE_TIDYING {
            self.lanes.retain(|_, lane| !lane.is_idle(now));
        }
        let size = usize::try_from(self.limits.concurrency(name).max(1)).unwrap_or(1);
        let size = size.min(Semaphore::MAX_PERMITS);
        let own = self.limits.lanes.get(name);
        let rate = own.map(|own| Rate::of_lane(own, &self.limits));
        let lane = self.lanes.entry(name.to_owned()).or_insert_with(|| Lane::new(size));
        // Another size is another set of places: those under way in the old one keep theirs and go.
        if lane.size != size {
            lane.places = Arc::new(Semaphore::new(size));
            lane.size = size;
        }
        lane.adopt(rate, now);
        lane
    }

    /// None of a lane without a budget.
    fn gate(&mut self, lane: &str, now: Timestamp) -> Option<Arc<Semaphore>> {
        self.lane(lane, now).own.as_ref().map(|own| own.gate.clone())
    }

    fn wait_of_lane(&mut self, lane: &str, cost: u16, now: Timestamp) -> Duration {
        let own = self.lane(lane, now).own.as_mut();
        own.map_or(Duration::ZERO, |own| own.budget.wait(cost, now))
    }

    fn take_of_lane(&mut self, lane: &str, cost: u16, now: Timestamp) {
        if let Some(own) = &mut self.lane(lane, now).own {
            own.budget.take(cost, now);
        }
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        self.budget.is_fresh(now) && self.lanes.values().all(|lane| lane.is_idle(now))
    }
}

impl Lane {
    fn new(size: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(size)),
            size,
            own: None,
        }
    }

    /// Goes on at this rate. What was used stays used.
    fn adopt(&mut self, rate: Option<Rate>, now: Timestamp) {
        match (&mut self.own, rate) {
            (Some(own), Some(rate)) if own.rate == rate => {}
            (Some(own), Some(rate)) => {
                own.budget.adopt(rate, now);
                own.rate = rate;
            }
            (own, rate) => {
                *own = rate.map(|rate| Own {
                    budget: Budget::new(rate, now),
                    rate,
                    gate: Arc::new(Semaphore::new(1)),
                });
            }
        }
    }

    /// Nobody is in it or waits for it, since both hold a semaphore; and its budget is full.
    fn is_idle(&self, now: Timestamp) -> bool {
        let own = self.own.as_ref();
        Arc::strong_count(&self.places) == 1
            && own.is_none_or(|own| Arc::strong_count(&own.gate) == 1 && own.budget.is_fresh(now))
    }
}

impl Reservation<'_> {
    /// The request leaves now; nothing is given back.
    fn spend(self) {
        std::mem::forget(self);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let now = self.turns.clock.now();
        if let Some(account) = self.turns.lock().get_mut(self.account) {
            account.budget.give_back(self.cost, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures_util::FutureExt;

    use super::*;
    use crate::domain::element::LaneLimits;
    use crate::outbound::tests::HandClock;

    /// One a second, ten at once.
    fn grants(account: &str, concurrency_per_lane: u32) -> Grants {
        Grants {
            hosts: Vec::new(),
            origins: Vec::new(),
            secrets: HashMap::new(),
            oauth2: None,
            account: account.into(),
            limits: Limits {
                requests: 120,
                per_seconds: 60,
                share: 0.5,
                concurrency_per_lane,
                lanes: BTreeMap::new(),
            },
            response_headers: Vec::new(),
        }
    }

    /// The same, with one in ten seconds, two at once, in the lane `slow`.
    fn with_slow_lane() -> Grants {
        let mut grants = grants("a", 3);
        let slow = LaneLimits {
            requests: 4,
            per_seconds: 20,
            concurrency: Some(2),
        };
        grants.limits.lanes.insert("slow".into(), slow);
        grants
    }

    fn turns() -> (Arc<HandClock>, Turns) {
        let clock = Arc::new(HandClock::default());
        (clock.clone(), Turns::new(clock))
    }

    #[test]
    fn an_account_over_its_budget_waits_and_others_do_not() {
        let (clock, turns) = turns();
        let (busy, quiet) = (grants("busy", 1), grants("quiet", 1));
        assert!(turns.spend(&busy, "x", 10).now_or_never().is_some());
        let mut next = Box::pin(turns.spend(&busy, "x", 1));
        assert!((&mut next).now_or_never().is_none());
        assert!(turns.spend(&quiet, "x", 1).now_or_never().is_some());
        clock.advance(Duration::from_secs(1));
        assert!(next.now_or_never().is_some());
    }

    #[test]
    fn one_that_stops_waiting_gives_its_turn_back() {
        let (clock, turns) = turns();
        let grants = grants("a", 1);
        turns.spend(&grants, "x", 10).now_or_never().unwrap();
        let mut given_up = Box::pin(turns.spend(&grants, "x", 60));
        assert!((&mut given_up).now_or_never().is_none());
        drop(given_up);
        let mut next = Box::pin(turns.spend(&grants, "x", 1));
        assert!((&mut next).now_or_never().is_none());
        clock.advance(Duration::from_secs(1));
        assert!(next.now_or_never().is_some());
    }

    #[test]
    fn an_account_sent_to_rest_lets_nobody_go_not_even_who_had_a_turn() {
        let (clock, turns) = turns();
        let grants = grants("a", 1);
        turns.rest("a", Timestamp::EPOCH.plus(Duration::from_secs(5)));
        let mut first = Box::pin(turns.spend(&grants, "x", 0));
        assert!((&mut first).now_or_never().is_none());
        clock.advance(Duration::from_secs(5));
        assert!(first.now_or_never().is_some());
        turns.spend(&grants, "x", 10).now_or_never().unwrap();
        let mut promised = Box::pin(turns.spend(&grants, "x", 1));
        assert!((&mut promised).now_or_never().is_none());
        turns.rest("a", Timestamp::EPOCH.plus(Duration::from_secs(60)));
        clock.advance(Duration::from_secs(2));
        assert!((&mut promised).now_or_never().is_none());
        clock.advance(Duration::from_secs(60));
        assert!(promised.now_or_never().is_some());
    }

    #[test]
    fn a_lane_has_its_places_and_serves_in_the_order_of_asking() {
        let (_, turns) = turns();
        let grants = grants("a", 2);
        let place = |lane: &'static str| Box::pin(turns.place(&grants, lane));
        let first = place("x").now_or_never().unwrap();
        let _second = place("x").now_or_never().unwrap();
        let (mut third, mut fourth) = (place("x"), place("x"));
        assert!((&mut third).now_or_never().is_none() && (&mut fourth).now_or_never().is_none());
        assert!(place("y").now_or_never().is_some(), "another lane is free");
        drop(first);
        assert!((&mut fourth).now_or_never().is_none());
        drop(third);
        assert!(
            fourth.now_or_never().is_some(),
            "a place that nobody takes any more goes to the next"
        );
    }

    #[test]
    fn lanes_and_accounts_made_up_by_an_element_are_forgotten() {
        let (_, turns) = turns();
        let held = turns.place(&grants("a", 1), "held").now_or_never().unwrap();
        for number in 0..2 * LANES_BEFORE_TIDYING {
            turns
                .place(&grants("a", 1), &format!("lane {number}"))
                .now_or_never()
                .unwrap();
        }
        let lanes = turns.lock()["a"].lanes.len();
        assert!(lanes <= LANES_BEFORE_TIDYING, "{lanes}");
        assert!(
            turns.place(&grants("a", 1), "held").now_or_never().is_none(),
            "a lane in use is remembered"
        );
        drop(held);
        for number in 0..ACCOUNTS_BEFORE_TIDYING + 1 {
            turns
                .place(&grants(&format!("account {number}"), 1), "")
                .now_or_never()
                .unwrap();
        }
        assert!(turns.lock().len() <= ACCOUNTS_BEFORE_TIDYING);
    }

    #[test]
    fn another_size_of_a_lane_counts_from_the_next_request() {
        let (_, turns) = turns();
        let _old = turns.place(&grants("a", 1), "x").now_or_never().unwrap();
        let _new = turns.place(&grants("a", 2), "x").now_or_never().unwrap();
        assert!(turns.place(&grants("a", 2), "x").now_or_never().is_some());
    }

    #[test]
    fn what_waits_for_its_lane_holds_nobody_else_up_and_takes_nothing_from_the_account() {
        let (clock, turns) = turns();
        let grants = with_slow_lane();
        // Two at once, as the vendor's line leaves room for them, and then one in ten seconds.
        turns.spend(&grants, "slow", 2).now_or_never().unwrap();
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(turns.spend(&grants, "slow", 1))).collect();
        for next in &mut waiting {
            assert!(next.now_or_never().is_none());
        }
        // Of ten, two are spent.
        turns.spend(&grants, "other", 8).now_or_never().unwrap();
        for next in waiting {
            let mut next = next;
            clock.advance(Duration::from_secs(9));
            assert!((&mut next).now_or_never().is_none());
            clock.advance(Duration::from_secs(1));
            assert!(next.now_or_never().is_some());
        }
    }

    #[test]
    fn a_lane_s_request_counts_in_the_account_s_budget_too_and_is_spent_when_it_leaves() {
        let (clock, turns) = turns();
        let grants = with_slow_lane();
        turns.spend(&grants, "other", 10).now_or_never().unwrap();
        let mut first = Box::pin(turns.spend(&grants, "slow", 2));
        assert!((&mut first).now_or_never().is_none(), "the account is used up");
        clock.advance(Duration::from_secs(2));
        assert!(first.now_or_never().is_some());
        let mut second = Box::pin(turns.spend(&grants, "slow", 1));
        assert!((&mut second).now_or_never().is_none());
        clock.advance(Duration::from_secs(9));
        assert!(
            (&mut second).now_or_never().is_none(),
            "the lane's ten seconds began when the first left"
        );
        clock.advance(Duration::from_secs(1));
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn one_that_stops_waiting_for_its_lane_lets_the_next_one_wait_no_longer() {
        let (clock, turns) = turns();
        let grants = with_slow_lane();
        turns.spend(&grants, "slow", 2).now_or_never().unwrap();
        let mut given_up = Box::pin(turns.spend(&grants, "slow", 2));
        let mut next = Box::pin(turns.spend(&grants, "slow", 1));
        assert!((&mut given_up).now_or_never().is_none() && (&mut next).now_or_never().is_none());
        drop(given_up);
        clock.advance(Duration::from_secs(10));
        assert!(next.now_or_never().is_some());
    }

    #[test]
    fn what_a_lane_used_stays_used_under_other_limits_and_its_places_are_its_own() {
        let (clock, turns) = turns();
        let mut grants = with_slow_lane();
        let places = [(); 2].map(|()| turns.place(&grants, "slow").now_or_never().unwrap());
        assert!(turns.place(&grants, "slow").now_or_never().is_none());
        assert_eq!(
            [(); 3].map(|()| turns.place(&grants, "other").now_or_never().is_some()),
            [true; 3]
        );
        drop(places);
        turns.spend(&grants, "slow", 2).now_or_never().unwrap();
        grants.limits.lanes.get_mut("slow").unwrap().per_seconds = 10;
        let mut next = Box::pin(turns.spend(&grants, "slow", 1));
        assert!((&mut next).now_or_never().is_none());
        clock.advance(Duration::from_secs(5));
        assert!(next.now_or_never().is_some());
        assert!(
            !turns.lock()["a"].is_idle(turns.clock.now()),
            "a lane that was used is remembered"
        );
        clock.advance(Duration::from_secs(60));
        assert!(turns.lock()["a"].is_idle(turns.clock.now()));
    }
}
