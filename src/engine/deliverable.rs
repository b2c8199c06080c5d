//! Which notifications of an instance may be posted now, so that the events of one record never overtake each other.

use std::collections::HashSet;

use crate::domain::delivery::Outgoing;
use crate::domain::time::Timestamp;

/// When an attempt is due. What failed because the endpoint did not answer is due as soon as it answers again.
fn due_at(outgoing: &Outgoing, recovered: Option<Timestamp>) -> Option<Timestamp> {
    let delivery = &outgoing.delivery;
    let unanswered = delivery.last.as_ref().filter(|last| last.status.is_none());
    match (unanswered, recovered) {
        (Some(last), Some(recovered)) if recovered > last.at => delivery.due.map(|due| due.min(recovered)),
        _ => delivery.due,
    }
}

/// Those that share no record with an earlier one that is alive, in order of commit: place, and when it is due.
fn free(alive: &[Outgoing], recovered: Option<Timestamp>) -> impl Iterator<Item = (usize, Timestamp)> {
    let mut held: HashSet<(&str, &str)> = HashSet::new();
    let living = alive.iter().enumerate();
    let living = living.filter(|(_, outgoing)| outgoing.delivery.status.is_alive());
    living.filter_map(move |(place, outgoing)| {
        let notification = &outgoing.notification;
        let records = || {
            let events = notification.events.iter();
            events.map(|event| (notification.resource.as_str(), event.record.as_str()))
        };
        let is_free = records().all(|record| !held.contains(&record));
        held.extend(records());
        due_at(outgoing, recovered).filter(|_| is_free).map(|due| (place, due))
    })
}

/// Places in `alive` (in order of commit) whose attempt is due and that share no record with an earlier one still alive.
/// `recovered` is when the endpoint was last found to answer again.
#[must_use]
pub fn deliverable(alive: &[Outgoing], recovered: Option<Timestamp>, now: Timestamp, limit: usize) -> Vec<usize> {
    let due = free(alive, recovered).filter(|(_, due)| *due <= now);
    due.map(|(place, _)| place).take(limit).collect()
}

/// When the next of `alive` may be posted.
#[must_use]
pub fn next_due(alive: &[Outgoing], recovered: Option<Timestamp>) -> Option<Timestamp> {
    free(alive, recovered).map(|(_, due)| due).min()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::delivery::{Attempt, Delivery, DeliveryStatus, OutboxId};
    use crate::domain::event::{Change, Event, Format, Notification};

    fn outgoing(batch: u64, records: &[&str], status: DeliveryStatus, due: i64) -> Outgoing {
        let event = |record: &&str| Event {
            id: String::new(),
            sequence: 0,
            change: Change::Updated,
            record: (*record).to_owned(),
            date: Timestamp::EPOCH,
            before: None,
            after: None,
            fields: None,
        };
        Outgoing {
            id: OutboxId { batch, index: 0 },
            notification: Notification {
                id: String::new(),
                resource: "accounts".into(),
                created: Timestamp::EPOCH,
                events: records.iter().map(event).collect(),
                format: Format::Elements,
                body: Bytes::new(),
            },
            delivery: Delivery::new(status, Some(Timestamp::from_ms(due))),
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
        assert_eq!(deliverable(&alive, None, now, 10), [3]);
    }

    #[test]
    fn what_is_delivered_holds_nothing_up() {
        let alive = [
            outgoing(1, &["a"], DeliveryStatus::Delivered, 0),
            outgoing(2, &["a"], DeliveryStatus::Waiting, 0),
            outgoing(3, &["b"], DeliveryStatus::Waiting, 0),
        ];
        assert_eq!(deliverable(&alive, None, Timestamp::EPOCH, 10), [1, 2]);
        assert_eq!(deliverable(&alive, None, Timestamp::EPOCH, 1), [1]);
    }

    #[test]
    fn the_next_one_due_is_among_those_that_wait_for_nobody() {
        let alive = [
            outgoing(1, &["a"], DeliveryStatus::Retry, 500),
            outgoing(2, &["a", "b"], DeliveryStatus::Waiting, 0),
            outgoing(3, &["b"], DeliveryStatus::Waiting, 0),
            outgoing(4, &["c"], DeliveryStatus::Retry, 700),
            outgoing(5, &["d"], DeliveryStatus::Delivered, 9),
        ];
        assert_eq!(next_due(&alive, None), Some(Timestamp::from_ms(500)));
        assert_eq!(next_due(&alive[4..], None), None);
    }

    #[test]
    fn what_found_nobody_is_due_as_soon_as_somebody_answers_again() {
        let mut alive = [
            outgoing(1, &["a"], DeliveryStatus::Retry, 9_000),
            outgoing(2, &["b"], DeliveryStatus::Retry, 9_000),
            outgoing(3, &["c"], DeliveryStatus::Retry, 9_000),
        ];
        let failed = |at, status| Attempt {
            at: Timestamp::from_ms(at),
            took_ms: 1,
            status,
            error: Some("no".into()),
        };
        alive[0].delivery.last = Some(failed(100, None));
        alive[1].delivery.last = Some(failed(100, Some(500)));
        alive[2].delivery.last = Some(failed(300, None));
        let recovered = Some(Timestamp::from_ms(200));
        assert_eq!(deliverable(&alive, recovered, Timestamp::from_ms(400), 10), [0]);
        assert_eq!(next_due(&alive, recovered), recovered);
    }
}
