//! Whose turn it is: the budget of each vendor account, and the places of each of its lanes, some of which have a budget of
//! their own. Keeps nothing over a restart.

mod lane;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::lane::Lane;
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
        // What the vendor does not count has no turn to wait for.
        let Some(gate) = gate.filter(|_| cost > 0) else {
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
        lane.resize(size);
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
mod tests;
