//! One poll: what it writes, when it moves the watermark, and what follows when it fails.

use std::time::Duration;

use super::harness::{Harness, INTERVAL, Turn, accounts, at, fault, page, record, resource, within};
use crate::domain::event::Change;
use crate::domain::poll::Outcome;
use crate::domain::run::Remedy;
use crate::engine::retry::POLL_BACKOFF_MAX;

const RETRY: Remedy = Remedy::Retry { after_seconds: None };

#[tokio::test]
async fn the_watermark_moves_when_the_poll_is_done_and_not_before() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let before = harness.state(&key).await.watermark;
    harness.clock.advance(INTERVAL * 60);
    harness.element.script(
        "accounts",
        vec![
            page([record("1", 1).updated(at(50))]),
            page([record("2", 1).updated(at(40))]),
        ],
    );
    harness.vendor.hold("accounts/1");
    let poll = harness.start_poll(&key);
    harness
        .eventually("the first page is committed", async || {
            harness.state(&key).await.continuation.is_some()
        })
        .await;
    assert_eq!(harness.events(key.instance).await.len(), 1);
    assert_eq!(harness.state(&key).await.watermark, before);
    harness.vendor.release();
    within(poll).await.unwrap();
    let state = harness.state(&key).await;
    assert_eq!(state.watermark, Some(at(50)));
    assert_eq!(state.continuation, None);
    assert_eq!(harness.events(key.instance).await.len(), 2);
}

#[tokio::test]
async fn a_poll_asks_from_the_watermark_minus_the_overlap() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let watermark = harness.state(&key).await.watermark.unwrap();
    harness.element.calls();
    harness.clock.advance(INTERVAL);
    harness.poll(&key).await;
    let window = harness.element.calls()[0].list.window.unwrap();
    assert_eq!(window.from, watermark.minus(Duration::from_mins(1)));
}

#[tokio::test]
async fn a_fault_on_the_second_page_keeps_the_watermark_and_the_next_poll_goes_on_there() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let before = harness.state(&key).await.watermark;
    harness.clock.advance(INTERVAL * 60);
    let first = || page([record("1", 1).updated(at(50))]);
    harness.element.script("accounts", vec![first(), fault(RETRY)]);
    harness.poll(&key).await;
    let failed = harness.state(&key).await;
    assert_eq!((failed.watermark, failed.failures), (before, 1));
    assert_eq!(
        harness.failure(&key).await,
        Some(("as-scripted".into(), "vendor".into()))
    );

    let second = page([record("2", 1).updated(at(40))]);
    harness.element.script("accounts", vec![first(), second]);
    harness.element.calls();
    harness.vendor.sent();
    harness.clock.advance(INTERVAL);
    harness.poll(&key).await;
    assert_eq!(harness.element.called(), ["accounts 1"]);
    assert_eq!(harness.vendor.sent(), ["anna/accounts/1"]);
    let done = harness.state(&key).await;
    assert_eq!(
        done.watermark,
        Some(at(50)),
        "what the first page brought is not forgotten"
    );
    assert_eq!((done.failures, harness.failure(&key).await), (0, None));
    assert_eq!(
        harness.events(key.instance).await,
        [(1, Change::Created, "1".into()), (2, Change::Created, "2".into())]
    );
}

#[tokio::test]
async fn a_poll_that_is_cut_off_goes_on_at_the_page_it_was_at() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .element
        .script("accounts", vec![page([record("1", 1)]), page([record("2", 1)])]);
    harness.vendor.hold("accounts/1");
    let poll = harness.start_poll(&key);
    harness
        .eventually("the first page is committed", async || {
            harness.state(&key).await.continuation.is_some()
        })
        .await;
    poll.abort();
    assert!(poll.await.unwrap_err().is_cancelled());
    harness.vendor.release();
    harness.element.calls();
    harness.poll(&key).await;
    assert_eq!(harness.element.called(), ["accounts 1"]);
    assert_eq!(
        harness.events(key.instance).await,
        [(1, Change::Created, "1".into()), (2, Change::Created, "2".into())]
    );
}

#[tokio::test]
async fn another_component_starts_the_poll_anew() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let first = || page([record("1", 1)]);
    harness.element.script("accounts", vec![first(), fault(RETRY)]);
    harness.poll(&key).await;
    assert!(harness.state(&key).await.continuation.is_some());

    harness.element.load(2, 1);
    harness
        .element
        .script("accounts", vec![first(), page([record("2", 1)])]);
    harness.element.calls();
    harness.poll(&key).await;
    assert_eq!(harness.element.called(), ["accounts begin", "accounts 0", "accounts 1"]);
    let records: Vec<_> = harness
        .events(key.instance)
        .await
        .into_iter()
        .map(|event| event.2)
        .collect();
    assert_eq!(records, ["1", "2"], "the page that is read again is silent");
}

#[tokio::test]
async fn a_poll_that_failed_three_times_in_a_row_starts_anew() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .element
        .script("accounts", vec![page([record("1", 1)]), fault(RETRY)]);
    for _ in 0..3 {
        harness.poll(&key).await;
    }
    harness.element.calls();
    harness.poll(&key).await;
    assert_eq!(harness.element.called(), ["accounts begin", "accounts 0", "accounts 1"]);
}

#[tokio::test]
async fn a_long_run_that_stumbles_at_many_pages_gets_to_its_end() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let pages = |stumbles_at: usize| {
        let pages = (0..6).map(|place| {
            if place == stumbles_at {
                fault(RETRY)
            } else {
                page([record(&place.to_string(), 1)])
            }
        });
        pages.collect::<Vec<_>>()
    };
    for stumble in 1..6 {
        harness.element.script("accounts", pages(stumble));
        harness.poll(&key).await;
        assert_eq!(harness.state(&key).await.failures, 1);
    }
    harness.element.script("accounts", pages(6));
    harness.element.calls();
    harness.poll(&key).await;
    assert_eq!(harness.element.called(), ["accounts 5"]);
    assert_eq!(harness.events(key.instance).await.len(), 6);
}

#[tokio::test]
async fn a_run_that_begins_anew_goes_on_from_the_checkpoint_of_its_last_page() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let first = page([record("1", 1)]).with_checkpoint("after page one");
    harness.element.script("accounts", vec![first, fault(RETRY)]);
    for _ in 0..3 {
        harness.poll(&key).await;
    }
    harness.element.calls();
    harness.poll(&key).await;
    let list = harness.element.calls().remove(0).list;
    assert_eq!(list.checkpoint.as_deref(), Some(&b"after page one"[..]));
}

#[tokio::test]
async fn a_checkpoint_does_not_pass_what_is_left_to_the_next_poll() {
    let harness = Harness::new();
    let key = accounts(
        harness
            .create(serde_json::json!({"event.poller.configuration": {
                "accounts": {"url": "/hubs/demo/accounts", "filterByCurrentDate": true}}}))
            .await,
    );
    let later = harness.clock.time().plus(Duration::from_hours(1));
    let pages = vec![
        page([record("1", 1)]).with_checkpoint("one"),
        page([record("2", 1).updated(later)]).with_checkpoint("two"),
        page([record("3", 1)]).with_checkpoint("three"),
    ];
    harness.element.script("accounts", pages);
    harness.poll(&key).await;
    assert_eq!(harness.state(&key).await.checkpoint.as_deref(), Some(&b"one"[..]));
    harness.element.script("accounts", vec![page([]).with_checkpoint("")]);
    harness.poll(&key).await;
    assert_eq!(harness.state(&key).await.checkpoint, None, "an empty one clears it");
}

#[tokio::test]
async fn a_poll_that_keeps_failing_is_tried_ever_more_rarely_but_every_hour() {
    for (dice, jitter) in [(0, 0.8), (u32::MAX, 1.2)] {
        let harness = Harness::new();
        harness.dice.show(dice);
        let key = accounts(harness.create(serde_json::json!({})).await);
        harness.element.script("accounts", vec![fault(RETRY)]);
        let mut wait = INTERVAL;
        for failures in 1..=9 {
            harness.poll(&key).await;
            assert_eq!(harness.state(&key).await.failures, failures);
            let delay = harness.delay(&key).await;
            assert!(
                delay.abs_diff(wait.mul_f64(jitter)) <= Duration::from_millis(1),
                "{delay:?} after {failures} failures"
            );
            wait = (wait * 2).min(POLL_BACKOFF_MAX);
            harness.clock.advance(delay);
        }
        assert_eq!(wait, POLL_BACKOFF_MAX);

        harness.element.script("accounts", vec![page([])]);
        let due = harness.state(&key).await.due.unwrap();
        harness.poll(&key).await;
        let state = harness.state(&key).await;
        assert_eq!((state.failures, state.due), (0, Some(due.plus(INTERVAL))));
    }
}

#[tokio::test]
async fn a_vendor_that_names_a_time_is_left_alone_until_then() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let after_seconds = Some(1_000);
    harness
        .element
        .script("accounts", vec![fault(Remedy::Retry { after_seconds })]);
    harness.poll(&key).await;
    assert_eq!(harness.delay(&key).await, Duration::from_secs(1_000));
}

#[tokio::test]
async fn refused_credentials_are_not_tried_again_for_a_quarter_of_an_hour() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.element.script("accounts", vec![fault(Remedy::RefreshAuth)]);
    for _ in 0..8 {
        harness.poll(&key).await;
        assert!(harness.delay(&key).await >= Duration::from_mins(15));
    }
}

#[tokio::test]
async fn an_account_over_its_limit_rests_and_no_other_does() {
    let harness = Harness::new();
    let two = serde_json::json!({"event.poller.configuration": {
        "accounts": {"url": "/hubs/demo/accounts"}, "contacts": {"url": "/hubs/demo/contacts"},
    }});
    let anna = harness.create(two).await;
    let bert = accounts(harness.create(serde_json::json!({"user": "bert"})).await);
    harness.element.script("contacts", vec![page([])]);
    harness.element.script("accounts", vec![page([])]);
    let after_seconds = Some(600);
    let limited = Remedy::RateLimited { after_seconds };
    harness.element.script("anna/accounts", vec![fault(limited)]);
    harness.poll(&accounts(anna)).await;
    let until = at(10);
    assert_eq!(harness.vendor.pause_of("anna"), Some(until));
    assert_eq!(harness.vendor.pause_of("bert"), None);
    let state = harness.state(&accounts(anna)).await;
    assert_eq!(state.failures, 1);
    assert!(state.due >= Some(until), "{:?}", state.due);

    // The account's other resource is put off without a request, and that is no failure of it.
    harness.vendor.sent();
    let contacts = resource(anna, "contacts");
    harness.poll(&contacts).await;
    let state = harness.state(&contacts).await;
    assert_eq!((state.failures, state.due, state.last), (0, Some(until), None));
    assert!(harness.vendor.sent().is_empty());

    harness.poll(&bert).await;
    assert_eq!(harness.failure(&bert).await, None);
    assert_eq!(harness.vendor.sent(), ["bert/accounts/0"]);

    harness.clock.advance_to(until);
    harness.poll(&contacts).await;
    assert_eq!(harness.vendor.sent(), ["anna/contacts/0"]);
}

#[tokio::test]
async fn a_limit_without_a_time_rests_the_account_for_a_minute() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let after_seconds = None;
    harness
        .element
        .script("accounts", vec![fault(Remedy::RateLimited { after_seconds })]);
    harness.poll(&key).await;
    assert_eq!(harness.vendor.pause_of("anna"), Some(at(1)));
    assert!(harness.state(&key).await.due >= Some(at(1)));
}

#[tokio::test]
async fn dates_that_nobody_can_read_are_one_problem_and_no_failure() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let odd = |id: &str| record(id, 1).updated_text("the day before yesterday");
    harness
        .element
        .script("accounts", vec![page([odd("1"), odd("2")]), page([odd("3")])]);
    harness.poll(&key).await;
    let report = harness.state(&key).await.last.unwrap();
    assert_eq!((report.records, report.outcome), (3, Outcome::Succeeded));
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(|problem| (problem.code.as_str(), problem.subject.as_str()))
        .collect();
    assert_eq!(problems, [("date-unreadable", "updated")]);
    assert_eq!(harness.events(key.instance).await.len(), 3);
}

#[tokio::test]
async fn an_element_that_goes_in_circles_fails_the_poll() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let before = harness.state(&key).await.watermark;
    harness.element.script("accounts", vec![Turn::Again]);
    harness.clock.advance(INTERVAL);
    harness.vendor.sent();
    harness.poll(&key).await;
    assert_eq!(harness.failure(&key).await, Some(("stalled".into(), "element".into())));
    assert_eq!(harness.vendor.sent().len(), 1);
    let state = harness.state(&key).await;
    assert_eq!((state.watermark, state.continuation), (before, None));
}

#[tokio::test]
async fn a_checkpoint_comes_with_the_next_poll_until_the_element_wants_it_dropped() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .element
        .script("accounts", vec![page([]).with_checkpoint("cursor")]);
    harness.poll(&key).await;
    assert_eq!(harness.state(&key).await.checkpoint.as_deref(), Some(&b"cursor"[..]));

    harness.element.script("accounts", vec![fault(Remedy::Restart)]);
    harness.element.calls();
    harness.poll(&key).await;
    assert_eq!(
        harness.element.calls()[0].list.checkpoint.as_deref(),
        Some(&b"cursor"[..])
    );
    let state = harness.state(&key).await;
    assert_eq!((state.checkpoint, state.continuation), (None, None));

    harness.poll(&key).await;
    assert_eq!(harness.element.calls()[0].list.checkpoint, None);
}

#[tokio::test]
async fn a_step_larger_than_a_commit_goes_in_parts_and_its_events_have_no_gaps() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness
        .element
        .script("accounts", vec![page((0..2_500).map(|id| record(&id.to_string(), 1)))]);
    let before = harness.store.stats().writes;
    harness.poll(&key).await;
    assert_eq!(harness.store.stats().writes - before, 5, "500 events each");
    let events = harness.events(key.instance).await;
    let expected = (0..2_500).map(|id| (id + 1, Change::Created, id.to_string()));
    assert!(events.into_iter().eq(expected));
    let state = harness.state(&key).await;
    let report = state.last.unwrap();
    assert_eq!(
        (state.next_sequence, report.records, report.events),
        (2_501, 2_500, 2_500)
    );
}

#[tokio::test]
async fn a_page_without_changes_is_not_written() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let pages = || (0..5).map(|id: u32| page([record(&id.to_string(), 1)])).collect();
    harness.element.script("accounts", pages());
    let before = harness.store.stats().writes;
    harness.poll(&key).await;
    assert_eq!(harness.store.stats().writes - before, 5, "each page is news");
    let before = harness.store.stats().writes;
    harness.poll(&key).await;
    assert_eq!(harness.store.stats().writes - before, 1, "the end of the poll");
}

#[tokio::test]
async fn a_poll_that_found_nothing_new_asks_for_no_sync() {
    const POLLS: u64 = 40;
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    harness.poll_one(&key, "1", 1).await;
    let before = harness.store.stats();
    for _ in 0..POLLS {
        harness.clock.advance(INTERVAL);
        harness.poll(&key).await;
    }
    let after = harness.store.stats();
    assert_eq!(after.writes - before.writes, POLLS);
    // The store syncs twice a second by itself, however many polls there are.
    assert!(after.syncs - before.syncs < POLLS / 2, "{before:?} {after:?}");
    harness.poll_one(&key, "1", 2).await;
    assert_eq!(
        harness.store.stats().syncs,
        after.syncs + 1,
        "an event is synced with what waited"
    );
}

#[tokio::test]
async fn a_page_that_the_element_has_the_gateway_wait_after_is_committed_and_the_run_goes_on_behind_it() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let script = |last: Turn| vec![page([record("1", 1)]), Turn::Wait(500), last];
    harness.element.script("accounts", script(fault(RETRY)));
    let poll = harness.start_poll(&key);
    harness
        .eventually("it waits", async || harness.clock.sleeps() == 1)
        .await;
    harness.clock.advance(Duration::from_millis(500));
    within(poll).await.unwrap();
    assert_eq!(harness.state(&key).await.failures, 1);

    harness.element.script("accounts", script(page([record("2", 1)])));
    harness.element.calls();
    let poll = harness.start_poll(&key);
    harness
        .eventually("it is done or waits", async || {
            poll.is_finished() || harness.clock.sleeps() == 2
        })
        .await;
    harness.clock.advance(Duration::from_millis(500));
    within(poll).await.unwrap();
    assert_eq!(harness.failure(&key).await, None);
    assert_eq!(harness.events(key.instance).await.len(), 2);
    assert_eq!(harness.element.called(), ["accounts 1", "accounts 2"]);
}
