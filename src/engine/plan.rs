//! From differences to what one commit writes: fingerprints, events with ids and sequence numbers, notifications.
//! Everything that varies comes in; nothing is drawn or read from a clock.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::compare::Difference;
use super::envelope::{self, Sender};
use crate::domain::event::{Change, EVENTS_PER_NOTIFICATION_MAX, Event, Format, Notification};
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
}

/// Length of ids as Cloud Elements has them: 20 characters of base64url, 120 bits.
const ID_BYTES: usize = 15;

#[must_use]
pub fn plan(differences: Vec<Difference>, next_sequence: u64, poll: &Poll<'_>) -> Plan {
    let mut fingerprints = Vec::with_capacity(differences.len());
    let mut changes: Vec<(Event, Record)> = Vec::new();
    for Difference {
        dated,
        fingerprint,
        before,
        change,
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
                fields: None,
            };
            changes.push((event, dated.record));
        }
    }
    let events = changes.len() as u64;
    let mut notifications = Vec::with_capacity(changes.len().div_ceil(EVENTS_PER_NOTIFICATION_MAX));
    let mut changes = changes.into_iter().peekable();
    while changes.peek().is_some() {
        let (events, records): (Vec<_>, Vec<_>) = changes.by_ref().take(EVENTS_PER_NOTIFICATION_MAX).unzip();
        notifications.push(notification(events, &records, poll));
    }
    Plan {
        fingerprints,
        notifications,
        events,
    }
}

fn notification(events: Vec<Event>, records: &[Record], poll: &Poll<'_>) -> Notification {
    let id = short_hash(&[
        b"notification",
        events[0].id.as_bytes(),
        &[u8::try_from(events.len()).unwrap_or(u8::MAX)],
    ]);
    let body = envelope::render(&id, &events, records, poll);
    Notification {
        id,
        resource: poll.key.resource.clone(),
        created: poll.now,
        events,
        format: Format::Elements,
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
        }
    }

    fn plan_of(differences: Vec<Difference>) -> Plan {
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
