//! Components that come and go while polls run: nothing is lost, doubled or invented, and what does harm goes back by itself.

use std::time::Duration;

use bytes::Bytes;

use super::harness::{Harness, component, page, record, within};
use crate::domain::event::Change;
use crate::domain::generation::{Source, Standing};
use crate::domain::id::{Digest, ResourceKey};
use crate::engine::trust::{BREACHES_MAX, PROBATION_POLLS, QUARANTINE_MIN};
use crate::ports::Elements as _;
use crate::service::elements::{Error, GENERATIONS_MAX, Load};

const DEMO: &str = "demo";

/// A gateway whose element `demo` was loaded as component 1, with an instance that has its baseline.
async fn loaded() -> (Harness, ResourceKey) {
    let harness = Harness::new();
    load(&harness, 1, 1).await.unwrap();
    let accounts = harness.create_baselined().await;
    (harness, accounts)
}

async fn load(harness: &Harness, digest: u8, projection: u32) -> Result<(), Error> {
    load_as(harness, digest, projection, Load::default()).await
}

async fn load_as(harness: &Harness, digest: u8, projection: u32, load: Load) -> Result<(), Error> {
    let component = component(digest, projection);
    let loading = harness.gateway.load_element(None, component, Source::Upload, load);
    within(loading).await.map(|_| ())
}

fn active(harness: &Harness) -> u8 {
    harness.element.find(DEMO).unwrap().digest.0[0]
}

async fn state_of(harness: &Harness, digest: u8) -> (&'static str, String) {
    let versions = harness.gateway.versions(DEMO).await.unwrap();
    let version = versions
        .into_iter()
        .find(|version| version.generation.digest == Digest([digest; 32]))
        .unwrap();
    (version.state, version.reason.unwrap_or_default())
}

#[tokio::test]
async fn a_run_keeps_its_component_and_the_next_one_takes_the_new() {
    let (harness, accounts) = loaded().await;
    harness
        .element
        .script("1:accounts", vec![page([record("a", 1)]), page([record("b", 1)])]);
    harness.element.script("2:accounts", vec![page([record("c", 1)])]);
    harness.vendor.hold("accounts/1");
    let poll = harness.start_poll(&accounts);
    harness.vendor.asked("accounts/1").await;
    load(&harness, 2, 1).await.unwrap();
    assert_eq!(state_of(&harness, 1).await.0, "draining");
    harness.vendor.release();
    within(poll).await.unwrap();
    assert_eq!(state_of(&harness, 1).await.0, "retired");
    harness.poll(&accounts).await;
    let created: Vec<String> = harness
        .events(accounts.instance)
        .await
        .into_iter()
        .map(|event| event.2)
        .collect();
    assert_eq!(created, ["a", "b", "c"]);
}

#[tokio::test]
async fn what_is_loaded_is_active_after_a_restart_and_so_is_what_it_goes_back_to() {
    let (harness, _) = loaded().await;
    load(&harness, 2, 1).await.unwrap();
    let again = harness.restarted();
    assert_eq!(active(&again), 1, "the scripted element knows nothing of before");
    again.gateway.restore_elements(vec![component(1, 1)]).await.unwrap();
    assert_eq!(active(&again), 2);
    again.gateway.roll_back(DEMO, "on purpose").await.unwrap();
    assert_eq!(active(&again), 1);
    assert_eq!(state_of(&again, 2).await.0, "rolled-back");
    again.gateway.roll_back(DEMO, "after all").await.unwrap();
    assert_eq!(active(&again), 2);
}

#[tokio::test]
async fn what_is_built_in_gives_way_to_what_is_loaded_and_comes_back_when_that_goes() {
    let harness = Harness::new();
    let gateway = &harness.gateway;
    gateway.restore_elements(vec![component(1, 1)]).await.unwrap();
    assert_eq!(state_of(&harness, 1).await.0, "built-in");
    assert!(matches!(
        gateway.remove_element(DEMO, false).await,
        Err(Error::BuiltIn(_))
    ));
    load(&harness, 2, 1).await.unwrap();
    gateway.remove_element(DEMO, false).await.unwrap();
    assert_eq!(active(&harness), 1);
    assert_eq!(gateway.versions(DEMO).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_program_brings_its_own_component_unless_another_was_loaded() {
    let harness = Harness::new();
    harness.gateway.restore_elements(vec![component(1, 1)]).await.unwrap();
    let harness = harness.restarted();
    harness.gateway.restore_elements(vec![component(3, 1)]).await.unwrap();
    assert_eq!(active(&harness), 3);
    load(&harness, 2, 1).await.unwrap();
    let harness = harness.restarted();
    harness.gateway.restore_elements(vec![component(4, 1)]).await.unwrap();
    assert_eq!(active(&harness), 2);
}

#[tokio::test]
async fn an_element_in_use_is_not_removed_by_accident() {
    let (harness, accounts) = loaded().await;
    let refused = harness.gateway.remove_element(DEMO, false).await.unwrap_err();
    assert!(matches!(refused, Error::InUse { count: 1, first, .. } if first == accounts.instance.0));
    assert!(matches!(
        harness.gateway.remove_element("nobody", true).await,
        Err(Error::Unknown(_))
    ));
}

#[tokio::test]
async fn what_is_not_admitted_changes_nothing() {
    let (harness, _) = loaded().await;
    let other = Bytes::from_static(b"garbage");
    let loading = harness
        .gateway
        .load_element(None, other, Source::Upload, Load::default());
    assert!(matches!(loading.await, Err(Error::Inadmissible(_))));
    let loading = harness
        .gateway
        .load_element(Some("zoho"), component(2, 1), Source::Upload, Load::default());
    assert!(matches!(loading.await, Err(Error::OtherKey { .. })));
    assert_eq!(active(&harness), 1);
    assert_eq!(harness.gateway.versions(DEMO).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_bounded_number_of_components_is_kept() {
    let (harness, _) = loaded().await;
    for digest in 2..=20 {
        load(&harness, digest, 1).await.unwrap();
    }
    let versions = harness.gateway.versions(DEMO).await.unwrap();
    assert_eq!(versions.len(), GENERATIONS_MAX);
    assert_eq!(versions[0].generation.digest, Digest([20; 32]));
    let files = harness.gateway.files.list("components".into()).await.unwrap();
    assert_eq!(files.len(), GENERATIONS_MAX);
}

// --- proof ---

/// Twenty records that both components read, recorded by a poll of component 1.
async fn recorded() -> (Harness, ResourceKey) {
    let (harness, accounts) = loaded().await;
    let records = (0..20).map(|id| record(&id.to_string(), 1));
    harness.element.script("1:accounts", vec![page(records)]);
    harness.poll(&accounts).await;
    (harness, accounts)
}

#[tokio::test]
async fn a_dry_run_shows_the_difference_and_changes_nothing() {
    let (harness, accounts) = recorded().await;
    let records = (1..21).map(|id| record(&id.to_string(), if id == 5 { 2 } else { 1 }));
    harness.element.script("2:accounts", vec![page(records)]);
    let load = Load {
        dry_run: true,
        force: false,
    };
    let loading = harness
        .gateway
        .load_element(None, component(2, 1), Source::Upload, load);
    let loaded = within(loading).await.unwrap();
    let [compared] = &loaded.shadow.compared[..] else {
        panic!("one recording")
    };
    assert_eq!(
        (compared.instance, compared.resource.as_str()),
        (accounts.instance, "accounts")
    );
    assert_eq!(
        (compared.records, compared.added, compared.gone, compared.changed),
        (20, 1, 1, 1)
    );
    assert_eq!(compared.examples, ["20", "5", "0"]);
    assert_eq!(active(&harness), 1);
    assert_eq!(harness.gateway.versions(DEMO).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_reads_the_recorded_pages_in_another_way_is_taken_when_it_says_so_or_by_force() {
    let (harness, _) = recorded().await;
    let records = (0..20).map(|id| record(&id.to_string(), 2));
    harness.element.script("2:accounts", vec![page(records)]);
    let refused = load(&harness, 2, 1).await.unwrap_err();
    assert!(
        refused.to_string().contains("would update 20 of 20 recorded records"),
        "{refused}"
    );
    assert_eq!(active(&harness), 1);
    load(&harness, 2, 2).await.unwrap();
    assert_eq!(active(&harness), 2);
    harness.gateway.roll_back(DEMO, "test").await.unwrap();
    let force = Load {
        dry_run: false,
        force: true,
    };
    load_as(&harness, 2, 1, force).await.unwrap();
    assert_eq!(active(&harness), 2);
}

#[tokio::test]
async fn what_fails_on_the_recorded_pages_is_not_taken() {
    let (harness, _) = recorded().await;
    harness.element.trap(2);
    let refused = load(&harness, 2, 1).await.unwrap_err();
    assert!(refused.to_string().contains("fails on what instance"), "{refused}");
    assert_eq!(active(&harness), 1);
}

#[tokio::test]
async fn a_new_projection_is_silent_but_for_what_the_vendor_changed() {
    let (harness, accounts) = loaded().await;
    let before = harness.clock.time();
    let old = || ["a", "b"].map(|id| record(id, 1).updated(before));
    harness.element.script("1:accounts", vec![page(old())]);
    harness.poll(&accounts).await;
    harness.clock.advance(Duration::from_mins(1));
    load(&harness, 2, 2).await.unwrap();
    let now = harness.clock.time();
    let new = [record("a", 2).updated(before), record("b", 2).updated(now)];
    harness.element.script("2:accounts", vec![page(new)]);
    harness.poll(&accounts).await;
    let events = harness.events(accounts.instance).await;
    let changes: Vec<(Change, &str)> = events.iter().map(|event| (event.1, event.2.as_str())).collect();
    assert_eq!(
        changes,
        [(Change::Created, "a"), (Change::Created, "b"), (Change::Updated, "b")]
    );
}

#[tokio::test]
async fn a_storm_of_updates_in_the_probation_goes_back_before_an_event_is_made() {
    let (harness, accounts) = loaded().await;
    let time = harness.clock.time();
    let records = |content: u32| (0..20).map(move |id| record(&id.to_string(), content).updated(time));
    harness.element.script("1:accounts", vec![page(records(1))]);
    harness.poll(&accounts).await;
    // What was recorded is gone, so that nothing speaks against it beforehand.
    harness.gateway.files.remove("recordings".into()).await.unwrap();
    load(&harness, 2, 1).await.unwrap();
    assert_eq!(state_of(&harness, 2).await.0, "probation");
    harness.element.script("2:accounts", vec![page(records(2))]);
    harness.poll(&accounts).await;
    assert_eq!(harness.failure(&accounts).await.unwrap().0, "update-storm");
    assert_eq!(
        harness.delay(&accounts).await,
        Duration::ZERO,
        "the old component reads at once"
    );
    assert_eq!(active(&harness), 1);
    let (state, reason) = state_of(&harness, 2).await;
    assert_eq!(state, "rolled-back");
    assert!(reason.contains("would update 20 of 20 records"), "{reason}");
    harness.poll(&accounts).await;
    assert_eq!(harness.failure(&accounts).await, None);
    assert_eq!(
        harness.events(accounts.instance).await.len(),
        20,
        "created once, updated never"
    );
}

#[tokio::test]
async fn a_component_that_traps_in_its_probation_goes_back() {
    let (harness, accounts) = loaded().await;
    load(&harness, 2, 1).await.unwrap();
    harness.element.trap(2);
    for _ in 0..3 {
        assert_eq!(active(&harness), 2);
        harness.poll(&accounts).await;
    }
    assert_eq!(active(&harness), 1);
    let (state, reason) = state_of(&harness, 2).await;
    assert!(
        state == "rolled-back" && reason.contains("3 of its 3 polls failed"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_component_without_fault_is_proven() {
    let (harness, accounts) = loaded().await;
    load(&harness, 2, 1).await.unwrap();
    for _ in 0..PROBATION_POLLS {
        assert_eq!(state_of(&harness, 2).await.0, "probation");
        harness.poll(&accounts).await;
    }
    assert_eq!(state_of(&harness, 2).await.0, "active");
}

#[tokio::test]
async fn a_component_that_breaks_again_and_again_is_quarantined_and_tried_later() {
    let (harness, accounts) = loaded().await;
    harness.element.trap(1);
    for _ in 0..BREACHES_MAX {
        assert_eq!(state_of(&harness, 1).await.0, "active");
        harness.poll(&accounts).await;
    }
    let (state, reason) = state_of(&harness, 1).await;
    assert!(
        state == "quarantined" && reason.starts_with("5 polls in a row broke in it"),
        "{reason}"
    );
    harness.element.calls();
    harness.poll(&accounts).await;
    assert!(harness.element.calls().is_empty(), "it is not called");
    let failure = harness.failure(&accounts).await.unwrap();
    assert_eq!(failure, ("element-quarantined".into(), "element".into()));
    assert_eq!(harness.delay(&accounts).await, QUARANTINE_MIN);
    harness.clock.advance(QUARANTINE_MIN);
    harness.poll(&accounts).await;
    let row = harness.gateway.catalogue.row(DEMO).unwrap();
    let standing = &row.active().unwrap().standing;
    assert!(
        matches!(standing, Standing::Quarantined { times: 2, .. }),
        "{standing:?}"
    );
}

#[tokio::test]
async fn the_inputs_of_a_step_that_broke_are_kept_a_few_and_go_with_the_instance() {
    let (harness, accounts) = loaded().await;
    harness.element.trap(1);
    for _ in 0..4 {
        harness.clock.advance(Duration::from_millis(1));
        harness.poll(&accounts).await;
    }
    let gateway = &harness.gateway;
    let failures = gateway.failures(accounts.instance).await.unwrap();
    assert_eq!(failures.len(), 4);
    let case = &failures[0].case;
    assert_eq!(case.failure.as_ref().unwrap().code, "trap");
    assert_eq!(case.made_by.as_ref().unwrap().digest, Digest([1; 32]).to_string());
    assert!(
        !serde_json::to_string(case).unwrap().contains("hunter2"),
        "no secret is in it"
    );
    assert!(gateway.failure(accounts.instance, "../x").await.unwrap().is_none());
    let id = failures[0].id.clone();
    assert!(gateway.failure(accounts.instance, &id).await.unwrap().is_some());
    gateway.remove_instance(accounts.instance).await.unwrap();
    assert!(gateway.failures(accounts.instance).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_component_with_nothing_good_before_it_is_quarantined_and_not_taken_back() {
    let (harness, accounts) = loaded().await;
    harness.element.trap(1);
    for _ in 0..BREACHES_MAX {
        harness.poll(&accounts).await;
    }
    assert_eq!(state_of(&harness, 1).await.0, "quarantined");
    load(&harness, 2, 1).await.unwrap();
    harness.element.trap(2);
    for _ in 0..BREACHES_MAX {
        assert_eq!(active(&harness), 2);
        harness.poll(&accounts).await;
    }
    assert_eq!((active(&harness), state_of(&harness, 2).await.0), (2, "quarantined"));
}

#[tokio::test]
async fn polls_that_fail_at_once_take_the_component_back_once() {
    let (harness, accounts) = loaded().await;
    let mut keys = vec![accounts];
    for _ in 0..7 {
        keys.push(harness.create_baselined().await);
    }
    load(&harness, 2, 1).await.unwrap();
    harness.element.trap(2);
    let polls: Vec<_> = keys.iter().map(|key| harness.start_poll(key)).collect();
    for poll in polls {
        within(poll).await.unwrap();
    }
    assert_eq!(active(&harness), 1);
    assert_eq!(state_of(&harness, 2).await.0, "rolled-back");
}

#[tokio::test]
async fn one_instance_that_breaks_decides_for_no_other() {
    let (harness, accounts) = loaded().await;
    harness.create_baselined().await;
    harness.element.trap(1);
    for _ in 0..2 * BREACHES_MAX {
        harness.poll(&accounts).await;
    }
    assert_eq!(state_of(&harness, 1).await.0, "active");
}

#[tokio::test]
async fn the_same_component_once_more_stands_as_it_stood() {
    let (harness, _) = loaded().await;
    load(&harness, 2, 1).await.unwrap();
    load(&harness, 2, 1).await.unwrap();
    assert_eq!(state_of(&harness, 2).await.0, "probation");
}

#[tokio::test]
async fn what_is_built_in_stays_so_when_its_bytes_are_loaded() {
    let harness = Harness::new();
    harness.gateway.restore_elements(vec![component(1, 1)]).await.unwrap();
    load(&harness, 2, 1).await.unwrap();
    load(&harness, 1, 1).await.unwrap();
    harness.gateway.remove_element(DEMO, false).await.unwrap();
    assert_eq!(active(&harness), 1);
    assert_eq!(state_of(&harness, 1).await.0, "built-in");
}

#[tokio::test]
async fn a_quarantine_ends_with_a_new_component_also_for_polls_that_were_put_off() {
    let (harness, accounts) = loaded().await;
    harness.element.trap(1);
    for _ in 0..=BREACHES_MAX {
        harness.poll(&accounts).await;
    }
    assert!(harness.delay(&accounts).await >= QUARANTINE_MIN);
    load(&harness, 2, 1).await.unwrap();
    assert_eq!(harness.delay(&accounts).await, Duration::ZERO);
    harness.poll(&accounts).await;
    assert_eq!(harness.failure(&accounts).await, None);
}

#[tokio::test]
async fn what_is_kept_without_a_row_goes_at_the_next_start() {
    let (harness, _) = loaded().await;
    let files = harness.gateway.files.clone();
    files
        .put("components/77".into(), Bytes::from_static(b"x"))
        .await
        .unwrap();
    let harness = harness.restarted();
    harness.gateway.restore_elements(Vec::new()).await.unwrap();
    let names: Vec<String> = files
        .list("components".into())
        .await
        .unwrap()
        .into_iter()
        .map(|file| file.0)
        .collect();
    assert_eq!(names, [Digest([1; 32]).to_string()]);
    assert_eq!(active(&harness), 1);
}

#[tokio::test]
async fn components_that_change_under_load_lose_and_double_nothing() {
    let harness = Harness::new();
    load(&harness, 1, 1).await.unwrap();
    let instances = 5;
    let mut keys = Vec::new();
    for _ in 0..instances {
        keys.push(harness.create_baselined().await);
    }
    let mut sent = 0_u32;
    for digest in 2..=51 {
        let pages = (0..3).map(|page_number| {
            let id = format!("{digest}-{page_number}");
            page([record(&id, 1), record("same", u32::from(digest) / 10)])
        });
        harness.element.script("accounts", pages.collect());
        sent += 3;
        let polls: Vec<_> = keys.iter().map(|key| harness.start_poll(key)).collect();
        let loading = Load {
            force: true,
            ..Load::default()
        };
        load_as(&harness, digest, 1, loading).await.unwrap();
        for poll in polls {
            within(poll).await.unwrap();
        }
    }
    for key in &keys {
        assert_eq!(harness.failure(key).await, None);
        let events = harness.events(key.instance).await;
        let sequences: Vec<u64> = events.iter().map(|event| event.0).collect();
        assert_eq!(sequences, (1..=events.len() as u64).collect::<Vec<_>>());
        let created = events.iter().filter(|event| event.1 == Change::Created);
        assert_eq!(created.count() as u32, sent + 1, "each record once");
        let updated = events.iter().filter(|event| event.1 == Change::Updated);
        assert_eq!(updated.count(), 5, "`same` has six contents");
    }
}
