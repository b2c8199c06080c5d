//! Which notifications of an instance may be posted now, so that the events of one record never overtake each other.

use std::collections::{HashMap, HashSet};

use crate::domain::delivery::Outgoing;
use crate::domain::time::Timestamp;

/// Places in `alive` (in order of commit) whose attempt is due and that share no record with an earlier one still alive.
#[must_use]
pub fn deliverable(alive: &[Outgoing], now: Timestamp, limit: usize) -> Vec<usize> {
    let mut held: HashSet<(&str, &str)> = HashSet::new();
    let mut ready = Vec::new();
    for (place, outgoing) in alive
        .iter()
        .enumerate()
        .filter(|(_, outgoing)| outgoing.delivery.status.is_alive())
    {
        let notification = &outgoing.notification;
        let records = || {
            notification
                .events
                .iter()
                .map(|event| (notification.resource.as_str(), event.record.as_str()))
        };
        let free = records().all(|record| !held.contains(&record));
        held.extend(records());
        if free && outgoing.delivery.due.is_some_and(|due| due <= now) {
            ready.push(place);
            if ready.len() == limit {
                break;
            }
        }
    }
    ready
}

/// Notifications that are due and wait for an earlier one of their records, each with the time at which that one is tried
/// again. Nothing of `alive` may be under way.
#[must_use]
pub fn held_until(alive: &[Outgoing], now: Timestamp) -> Vec<(usize, Timestamp)> {
    let mut free_at: HashMap<(&str, &str), Timestamp> = HashMap::new();
    let mut held = Vec::new();
    for (place, outgoing) in alive
        .iter()
        .enumerate()
        .filter(|(_, outgoing)| outgoing.delivery.status.is_alive())
    {
        let notification = &outgoing.notification;
        let resource = notification.resource.as_str();
        let records = || {
            notification
                .events
                .iter()
                .map(|event| (resource, event.record.as_str()))
        };
        let due = outgoing.delivery.due.unwrap_or(now);
        let until = records().filter_map(|record| free_at.get(&record).copied()).max();
        let due = match until {
            Some(until) if due <= now && until > now => {
                held.push((place, until));
                until
            }
            _ => due,
        };
        for record in records() {
            let free = free_at.entry(record).or_insert(due);
            *free = due.max(*free);
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::delivery::{Delivery, DeliveryStatus, OutboxId};
    use crate::domain::event::{Change, Event, Notification};

    fn outgoing(batch: u64, records: &[&str], status: DeliveryStatus, due: i64) -> Outgoing {
        let event = |record: &&str| Event {
            id: String::new(),
            sequence: 0,
            change: Change::Updated,
            record: (*record).to_owned(),
            date: Timestamp::EPOCH,
        };
        Outgoing {
            id: OutboxId { batch, index: 0 },
            notification: Notification {
                id: String::new(),
                resource: "accounts".into(),
                created: Timestamp::EPOCH,
                events: records.iter().map(event).collect(),
                body: Bytes::new(),
            },
            delivery: Delivery {
                status,
                attempts: 0,
                due: Some(Timestamp::from_ms(due)),
                last: None,
            },
        }
    }

    #[test]
    fn a_later_change_of_a_record_waits_for_the_earlier_one() {
        let now = Timestamp::from_ms(100);
        let alive = [
            outgoing(1, &["a"], DeliveryStatus::Retry, 500),
            outgoing(2, &["a", "b"], DeliveryStatus::Waiting, 0),
            outgoing(3, &["b"], DeliveryStatus::Waiting, 0),
            outgoing(4, &["c"], DeliveryStatus::Waiting, 0),
        ];
        assert_eq!(deliverable(&alive, now, 10), [3]);
    }

    #[test]
    fn what_is_delivered_holds_nothing_up() {
        let alive = [
            outgoing(1, &["a"], DeliveryStatus::Delivered, 0),
            outgoing(2, &["a"], DeliveryStatus::Waiting, 0),
            outgoing(3, &["b"], DeliveryStatus::Waiting, 0),
        ];
        assert_eq!(deliverable(&alive, Timestamp::EPOCH, 10), [1, 2]);
        assert_eq!(deliverable(&alive, Timestamp::EPOCH, 1), [1]);
    }

    #[test]
    fn who_waits_for_another_rests_until_that_one_is_tried_again() {
        let alive = [
            outgoing(1, &["a"], DeliveryStatus::Retry, 500),
            outgoing(2, &["a", "b"], DeliveryStatus::Waiting, 0),
            outgoing(3, &["b"], DeliveryStatus::Waiting, 0),
            outgoing(4, &["c"], DeliveryStatus::Waiting, 0),
            outgoing(5, &["d"], DeliveryStatus::Delivered, 900),
            outgoing(6, &["d"], DeliveryStatus::Waiting, 0),
        ];
        let until = Timestamp::from_ms(500);
        assert_eq!(held_until(&alive, Timestamp::from_ms(100)), [(1, until), (2, until)]);
        assert_eq!(held_until(&alive, Timestamp::from_ms(500)), []);
    }
}
