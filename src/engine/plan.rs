//! From differences to what one commit writes: fingerprints, events with ids and sequence numbers, notifications.
//! Everything that varies comes in; nothing is drawn or read from a clock.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::compare::Difference;
use super::envelope::{Draft, Envelope, Sender};
use crate::domain::event::{Change, Event, Format, Notification};
use crate::domain::id::ResourceKey;
use crate::domain::record::{Fingerprint, Record};
use crate::domain::time::Timestamp;

/// What the page's differences come to.
#[derive(Debug)]
pub struct Plan {
    pub fingerprints: Vec<(String, Fingerprint)>,
    pub notifications: Vec<Notification>,
    pub events: u64,
}

/// The facts of the poll that events carry.
#[derive(Clone, Copy, Debug)]
pub struct Poll<'a> {
    pub key: &'a ResourceKey,
    /// When the resource's row was made.
    pub born: Timestamp,
    pub sender: &'a Sender,
    /// Path to a record's id, for the stand-in of a record that is gone.
    pub id_field: &'a str,
    /// When the poll began, by the gateway's clock.
    pub started: Timestamp,
    pub now: Timestamp,
    pub format: Format,
    /// Longest body of a notification.
    pub body_bytes_max: usize,
}

/// Length of ids as Cloud Elements has them: 20 characters of base64url, 120 bits.
const ID_BYTES: usize = 15;

/// Most keys that the differences of one commit may cost the store, which takes 2,000 of all kinds: a batch of thousands
/// costs it gigabytes of memory.
const COMMIT_KEYS_MAX: usize = 1_600;
/// Most events of one commit: full notifications of ten, as long as their bodies are not long.
const COMMIT_EVENTS_MAX: usize = 500;
/// Bytes of bodies that take a key of their own, at least.
const KEY_BYTES: usize = 16 << 10;

/// The differences of a page in their order, in as many portions as must be commits of their own. `all_fields`: a sketch
/// is kept of what makes no event, too.
#[must_use]
pub fn portions(differences: Vec<Difference>, all_fields: bool) -> Vec<Vec<Difference>> {
    let mut portions = Vec::new();
    let mut portion = Vec::new();
    let (mut bytes, mut events) = (0, 0);
    for difference in differences {
        let (more, event) = (cost(&difference, all_fields), usize::from(difference.change.is_some()));
        let is_full = bytes + more > COMMIT_KEYS_MAX * KEY_BYTES || events + event > COMMIT_EVENTS_MAX;
        if is_full && !portion.is_empty() {
            portions.push(std::mem::take(&mut portion));
            (bytes, events) = (0, 0);
        }
        bytes += more;
        events += event;
        portion.push(difference);
    }
    if !portion.is_empty() {
        portions.push(portion);
    }
    portions
}

/// In bytes of bodies, for which a key counts as `KEY_BYTES`. An event's are its fingerprint, its sketch, and the number of
/// its notification, which it may have for itself.
fn cost(difference: &Difference, all_fields: bool) -> usize {
    match difference.change {
        Some(_) => 3 * KEY_BYTES + difference.dated.record.body.len(),
        None => KEY_BYTES * (1 + usize::from(all_fields)),
    }
}

#[must_use]
pub fn plan(differences: Vec<Difference>, next_sequence: u64, poll: &Poll<'_>) -> Plan {
    let mut fingerprints = Vec::with_capacity(differences.len());
    let mut changes: Vec<(Event, Record)> = Vec::new();
    for Difference {
        dated,
        fingerprint,
        before,
        change,
        fields,
    } in differences
    {
        fingerprints.push((dated.record.id.clone(), fingerprint));
        if let Some(change) = change {
            let event = Event {
                id: event_id(poll, &dated.record.id, change, &fingerprint),
                sequence: next_sequence + changes.len() as u64,
                change,
                record: dated.record.id.clone(),
                date: dated.updated.unwrap_or(poll.started),
                before,
                after: (change != Change::Deleted).then_some(fingerprint.digest),
                fields,
            };
            changes.push((event, dated.record));
        }
    }
    let events = changes.len() as u64;
    let notifications = notifications(changes, poll);
    Plan {
        fingerprints,
        notifications,
        events,
    }
}

/// In order, as many events to a notification as its form may carry and its body may hold.
fn notifications(changes: Vec<(Event, Record)>, poll: &Poll<'_>) -> Vec<Notification> {
    if changes.is_empty() {
        return Vec::new();
    }
    let envelope = Envelope::new(poll);
    let mut notifications = Vec::with_capacity(changes.len().div_ceil(poll.format.events_max()));
    let mut draft = envelope.draft();
    for (event, record) in changes {
        if let Some(event) = draft.add(event, &record) {
            notifications.push(notification(draft, poll));
            draft = envelope.draft();
            let back = draft.add(event, &record);
            debug_assert!(back.is_none(), "an empty draft takes any event");
        }
    }
    if !draft.events().is_empty() {
        notifications.push(notification(draft, poll));
    }
    notifications
}

fn notification(draft: Draft<'_>, poll: &Poll<'_>) -> Notification {
    let events = draft.events();
    let id = short_hash(&[
        b"notification",
        events[0].id.as_bytes(),
        &[u8::try_from(events.len()).unwrap_or(u8::MAX)],
    ]);
    let (events, body) = draft.finish(&id);
    Notification {
        id,
        resource: poll.key.resource.clone(),
        created: poll.now,
        events,
        format: poll.format,
        body,
    }
}

/// Derives from the change alone, so that a page that is done again gives the same ids. The record's version is in it,
/// so that A -> B -> A -> B gives four.
fn event_id(poll: &Poll<'_>, record: &str, change: Change, fingerprint: &Fingerprint) -> String {
    short_hash(&[
        b"event",
        &poll.key.instance.0.to_be_bytes(),
        poll.key.resource.as_bytes(),
        &poll.born.as_ms().to_be_bytes(),
        record.as_bytes(),
        change.as_str().as_bytes(),
        &fingerprint.version.to_be_bytes(),
        &fingerprint.digest.to_be_bytes(),
    ])
}

pub(super) fn short_hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..ID_BYTES])
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::id::InstanceId;
    use crate::engine::compare::Dated;

    fn difference(id: u32, change: Option<Change>, version: u32) -> Difference {
        let record = Record {
            id: id.to_string(),
            body: Bytes::from(format!("{{\"id\":{id}}}")),
            created: None,
            updated: None,
            deleted: false,
        };
        Difference {
            dated: Dated {
                record,
                created: None,
                updated: Some(Timestamp::from_ms(i64::from(id))),
            },
            fingerprint: Fingerprint {
                digest: u128::from(id),
                projection: 1,
                version,
                deleted: false,
            },
            before: None,
            change,
            fields: None,
        }
    }

    fn plan_of(differences: Vec<Difference>) -> Plan {
        plan_with(differences, Format::Elements, 1 << 20)
    }

    fn plan_with(differences: Vec<Difference>, format: Format, body_bytes_max: usize) -> Plan {
        let key = ResourceKey {
            instance: InstanceId(7),
            resource: "accounts".into(),
        };
        let sender = Sender::example();
        let now = Timestamp::from_ms(1_516_012_207_000);
        plan(
            differences,
            41,
            &Poll {
                key: &key,
                born: Timestamp::EPOCH,
                sender: &sender,
                id_field: "id",
                started: now,
                now,
                format,
                body_bytes_max,
            },
        )
    }

    #[test]
    fn events_are_numbered_without_gaps_and_split_by_ten() {
        let mut differences: Vec<_> = (0..23).map(|id| difference(id, Some(Change::Created), 1)).collect();
        differences.insert(5, difference(99, None, 1));
        let plan = plan_of(differences);
        assert_eq!(plan.fingerprints.len(), 24);
        assert_eq!(
            plan.notifications.iter().map(|n| n.events.len()).collect::<Vec<_>>(),
            [10, 10, 3]
        );
        let sequences: Vec<_> = plan
            .notifications
            .iter()
            .flat_map(|n| n.events.iter().map(|e| e.sequence))
            .collect();
        assert_eq!(sequences, (41..64).collect::<Vec<_>>());
        assert_eq!(plan.events, 23);
    }

    #[test]
    fn some_forms_carry_one_event_each() {
        for (format, lengths) in [
            (Format::Elements, vec![10, 2]),
            (Format::Cloudevents, vec![1; 12]),
            (Format::CloudeventsBatch, vec![10, 2]),
            (Format::Standard, vec![1; 12]),
        ] {
            let differences = (0..12).map(|id| difference(id, Some(Change::Created), 1)).collect();
            let plan = plan_with(differences, format, 1 << 20);
            let found: Vec<_> = plan.notifications.iter().map(|n| n.events.len()).collect();
            assert_eq!(found, lengths, "{format:?}");
            assert!(plan.notifications.iter().all(|n| n.format == format));
        }
    }

    #[test]
    fn a_body_is_never_longer_than_allowed_and_no_event_is_lost() {
        const BYTES_MAX: usize = 16 << 10;
        let mut differences: Vec<_> = (0..40).map(|id| difference(id, Some(Change::Created), 1)).collect();
        for (place, difference) in differences.iter_mut().enumerate() {
            // 0 to 39,000 bytes: some fit together, some alone, some not at all.
            let body = format!("{{\"a\":\"{}\"}}", "x".repeat(place * 1_000));
            difference.dated.record.body = Bytes::from(body);
        }
        let plan = plan_with(differences, Format::Elements, BYTES_MAX);
        assert!(plan.notifications.iter().all(|n| n.body.len() <= BYTES_MAX));
        let lengths: Vec<_> = plan.notifications.iter().map(|n| n.events.len()).collect();
        assert!(lengths[0] > 1 && lengths.ends_with(&[1]), "{lengths:?}");
        let events = plan.notifications.iter().flat_map(|n| &n.events);
        let sequences: Vec<_> = events.map(|event| event.sequence).collect();
        assert_eq!(sequences, (41..81).collect::<Vec<_>>());
        let omitted = |n: &&Notification| std::str::from_utf8(&n.body).unwrap().contains("recordOmitted");
        assert_eq!(plan.notifications.iter().filter(omitted).count(), 24);
    }

    #[test]
    fn a_page_is_as_many_commits_as_its_keys_ask_for() {
        let page = |count: u32, change: Option<Change>, body_bytes: usize| {
            let mut page: Vec<_> = (0..count).map(|id| difference(id, change, 1)).collect();
            for difference in &mut page {
                difference.dated.record.body = vec![b'x'; body_bytes].into();
            }
            page
        };
        let lengths = |page: Vec<Difference>, all| portions(page, all).iter().map(Vec::len).collect::<Vec<_>>();
        let event = Some(Change::Updated);
        let table = [
            (page(0, event, 10), false, vec![]),
            (page(1_000, None, 10), false, vec![1_000]),
            (page(1_000, None, 10), true, vec![800, 200]),
            (page(500, event, 10), false, vec![500]),
            (page(1_000, event, 10), false, vec![500, 500]),
            (page(1_000, event, 2 * KEY_BYTES), false, vec![320, 320, 320, 40]),
            // Bodies that are each just short of a key count in sum.
            (page(800, event, KEY_BYTES - 1), false, vec![400, 400]),
            (page(2, event, 2_000 * KEY_BYTES), false, vec![1, 1]),
        ];
        for (page, all, expected) in table {
            assert_eq!(lengths(page, all), expected);
        }
        let mixed: Vec<_> = (0..1_000)
            .map(|id| difference(id, event.filter(|_| id % 2 == 0), 1))
            .collect();
        let ids = |page: &[Difference]| page.iter().map(|one| one.dated.record.id.clone()).collect::<Vec<_>>();
        let in_order = ids(&mixed);
        assert_eq!(ids(&portions(mixed, false).concat()), in_order);
    }

    #[test]
    fn doing_a_page_again_gives_the_same_ids() {
        let ids = |plan: Plan| {
            plan.notifications
                .iter()
                .map(|n| (n.id.clone(), n.events[0].id.clone()))
                .collect::<Vec<_>>()
        };
        let once = ids(plan_of(vec![difference(1, Some(Change::Updated), 2)]));
        assert_eq!(once, ids(plan_of(vec![difference(1, Some(Change::Updated), 2)])));
        assert_eq!(once[0].0.len(), 20);
    }

    #[test]
    fn the_same_content_at_another_version_is_another_event() {
        let second = plan_of(vec![difference(1, Some(Change::Updated), 2)]);
        let fourth = plan_of(vec![difference(1, Some(Change::Updated), 4)]);
        assert_ne!(
            second.notifications[0].events[0].id,
            fourth.notifications[0].events[0].id
        );
    }

    #[test]
    fn a_page_without_changes_plans_nothing() {
        let plan = plan_of(Vec::new());
        assert!(plan.fingerprints.is_empty() && plan.notifications.is_empty());
    }
}
