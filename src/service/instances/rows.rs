//! The rows of an instance's resources: what a new one starts with, and what a change leaves of them.
//! Decides only; the caller writes them with the instance.

use std::time::Duration;

use serde_json::Value;

use crate::domain::id::ResourceKey;
use crate::domain::instance::{Instance, Poller};
use crate::domain::poll::ResourceState;
use crate::domain::time::Timestamp;
use crate::engine::poller_url::PollerUrl;
use crate::engine::schedule;

/// What polls depend on.
pub(super) fn polling_of(instance: &Instance) -> impl PartialEq + '_ {
    let Instance {
        enabled,
        configuration,
        secrets,
        events,
        ..
    } = instance;
    (enabled, configuration, secrets, events)
}

/// Do two pollers see the same records under the same ids? Otherwise the fingerprints of one say nothing to the other.
pub(super) fn reads_the_same(was: &Poller, is: &Poller) -> bool {
    let resource = |poller: &Poller| {
        PollerUrl::parse(&poller.url)
            .ok()
            .map(|(url, _)| url.resource().to_owned())
    };
    was.id_field == is.id_field && resource(was) == resource(is)
}

/// The row of a poller that still reads the same records: watermark and fingerprints stay, so that no change of settings
/// makes old records look new. It is due at once only where something that a poll depends on was mended.
pub(super) fn next_row(
    state: &ResourceState,
    instance: &Instance,
    before: &Instance,
    changed: bool,
    now: Timestamp,
) -> ResourceState {
    let interval = Duration::from_millis(instance.events.refresh_interval_ms);
    let mended =
        element_secrets(instance) != element_secrets(before) || element_settings(instance) != element_settings(before);
    let due = match state.due {
        _ if !is_polled(instance) => None,
        Some(due) if !mended => Some(due.min(now.plus(interval))),
        _ => Some(now),
    };
    let mut next = ResourceState {
        revision: state.revision + 1,
        due,
        ..state.clone()
    };
    if changed {
        // The run under way asks for something else.
        next.continuation = None;
        next.checkpoint = None;
    }
    next
}

/// The secrets without what is the gateway's own.
fn element_secrets(instance: &Instance) -> Vec<(&String, &String)> {
    let secrets = instance.secrets.iter();
    secrets.filter(|(key, _)| !key.starts_with("event.")).collect()
}

/// The configuration without what is the gateway's own.
fn element_settings(instance: &Instance) -> Vec<(&String, &Value)> {
    instance
        .configuration
        .iter()
        .filter(|(key, _)| !key.starts_with("event."))
        .collect()
}

pub(super) fn is_polled(instance: &Instance) -> bool {
    instance.enabled && instance.events.enabled
}

pub(super) fn new_row(instance: &Instance, resource: &str, now: Timestamp) -> ResourceState {
    let key = ResourceKey {
        instance: instance.id,
        resource: resource.to_owned(),
    };
    let due = is_polled(instance).then(|| schedule::first_due(&key, now));
    ResourceState {
        born: now,
        ..ResourceState::new(due)
    }
}

/// The rows that a new instance starts with.
pub(super) fn rows(instance: &Instance, now: Timestamp) -> Vec<(String, ResourceState)> {
    let row = |poller: &Poller| (poller.resource.clone(), new_row(instance, &poller.resource, now));
    instance.events.pollers.iter().map(row).collect()
}
