//! What becomes of a notification that somebody asks for again. Its id, place and bytes stay as they are.

use crate::domain::delivery::{Delivery, DeliveryStatus};
use crate::domain::time::Timestamp;

/// `was` is the status by which it was chosen: what changed since is left alone, so that two who ask at the same time send
/// it once, and one that was delivered meanwhile stays so. What is on its way is due at once, on the schedule it has; for
/// anything else the schedule begins anew, and its attempts go on counting.
#[must_use]
pub fn again(delivery: &Delivery, was: DeliveryStatus, now: Timestamp) -> Option<Delivery> {
    if delivery.status.is_alive() && was.is_alive() {
        return Some(Delivery {
            due: Some(delivery.due.map_or(now, |due| due.min(now))),
            ..delivery.clone()
        });
    }
    (delivery.status == was).then(|| Delivery {
        status: DeliveryStatus::Waiting,
        due: Some(now),
        dead: None,
        attempts_before: delivery.attempts,
        ..delivery.clone()
    })
}

#[cfg(test)]
mod tests {
    use DeliveryStatus::{Dead, Delivered, Retry, Stored, Waiting};

    use super::*;
    use crate::domain::delivery::{Attempt, DeadReason};

    const NOW: Timestamp = Timestamp::from_ms(1_000);

    fn delivery(status: DeliveryStatus, due: Option<i64>) -> Delivery {
        Delivery {
            attempts: 10,
            attempts_before: 2,
            dead: (status == Dead).then_some(DeadReason::Exhausted),
            last: Some(Attempt {
                at: Timestamp::EPOCH,
                took_ms: 1,
                status: Some(500),
                error: None,
            }),
            ..Delivery::new(status, due.map(Timestamp::from_ms))
        }
    }

    #[test]
    fn what_is_at_rest_begins_its_schedule_anew_and_keeps_its_attempts() {
        for status in [Dead, Delivered, Stored] {
            let before = delivery(status, None);
            let after = again(&before, status, NOW).unwrap();
            let expected = Delivery {
                status: Waiting,
                due: Some(NOW),
                dead: None,
                attempts_before: 10,
                ..before
            };
            assert_eq!(after, expected, "{status:?}");
        }
    }

    #[test]
    fn what_is_on_its_way_is_due_at_once_on_the_schedule_it_has() {
        for (status, due, expected) in [(Retry, 9_000, 1_000), (Waiting, 9_000, 1_000), (Retry, 7, 7)] {
            let before = delivery(status, Some(due));
            let after = again(&before, Retry, NOW).unwrap();
            assert_eq!((after.status, after.attempts_before), (status, 2));
            assert_eq!(after.due, Some(Timestamp::from_ms(expected)));
        }
    }

    #[test]
    fn what_changed_since_it_was_chosen_is_left_alone() {
        for (status, was) in [
            (Delivered, Dead),
            (Delivered, Retry),
            (Waiting, Dead),
            (Dead, Retry),
            (Stored, Dead),
        ] {
            assert_eq!(again(&delivery(status, None), was, NOW), None, "{status:?} was {was:?}");
        }
    }
}
