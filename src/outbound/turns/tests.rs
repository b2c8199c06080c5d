//! Turns on a clock that is moved by hand.
//! Must not send anything, nor sleep.

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
        operator: Default::default(),
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
fn what_the_vendor_does_not_count_waits_for_no_lane() {
    let (_, turns) = turns();
    let grants = with_slow_lane();
    turns.spend(&grants, "slow", 2).now_or_never().unwrap();
    let mut waiting = Box::pin(turns.spend(&grants, "slow", 1));
    assert!((&mut waiting).now_or_never().is_none());
    assert!(turns.spend(&grants, "slow", 0).now_or_never().is_some());
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
