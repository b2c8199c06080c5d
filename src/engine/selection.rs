//! Which notifications somebody means: by status, reason, resource, record, change and time.
//! Looks at one notification at a time, and finds none.

use crate::domain::delivery::{DeadReason, DeliveryStatus, Outgoing};
use crate::domain::event::Change;
use crate::domain::time::Timestamp;

/// What is not set lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub statuses: Option<Vec<DeliveryStatus>>,
    /// Why it is a dead letter.
    pub reason: Option<DeadReason>,
    pub resource: Option<String>,
    pub record: Option<String>,
    pub change: Option<Change>,
    /// Made then or later.
    pub from: Option<Timestamp>,
    /// Made before then.
    pub to: Option<Timestamp>,
}

impl Selection {
    /// Nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A notification is meant if one of its events is.
    #[must_use]
    pub fn matches(&self, row: &Outgoing) -> bool {
        let (notification, delivery) = (&row.notification, &row.delivery);
        let (record, change) = (self.record.as_deref(), self.change);
        let has_event = || {
            (notification.events.iter()).any(|event| {
                record.is_none_or(|record| event.record == record) && change.is_none_or(|change| event.change == change)
            })
        };
        self.statuses
            .as_ref()
            .is_none_or(|statuses| statuses.contains(&delivery.status))
            && self.reason.is_none_or(|reason| delivery.dead == Some(reason))
            && self
                .resource
                .as_ref()
                .is_none_or(|resource| *resource == notification.resource)
            && self.from.is_none_or(|from| notification.created >= from)
            && self.to.is_none_or(|to| notification.created < to)
            && ((record.is_none() && change.is_none()) || has_event())
    }
}

/// Ours, and those of Cloud Elements that something can have here.
pub const STATUS_NAMES: &str = "stored, waiting, retry, delivered, dead, NEW, DISPATCHED, NOTIFIED";

/// What a status is called, by us or by Cloud Elements; several with commas between.
#[must_use]
pub fn statuses_named(text: &str) -> Option<Vec<DeliveryStatus>> {
    use DeliveryStatus::{Dead, Delivered, Retry, Stored, Waiting};
    let mut statuses = Vec::new();
    for name in text.split(',') {
        let named: &[DeliveryStatus] = match name.trim() {
            "stored" => &[Stored],
            "waiting" => &[Waiting],
            "retry" => &[Retry],
            "delivered" => &[Delivered],
            "dead" => &[Dead],
            "NEW" => &[Stored, Waiting],
            "DISPATCHED" => &[Retry, Dead],
            "NOTIFIED" => &[Delivered],
            _ => return None,
        };
        statuses.extend_from_slice(named);
    }
    Some(statuses)
}

pub const REASON_NAMES: &str = "exhausted, too_large, format_refused, aborted, queued, expired";

#[must_use]
pub fn reason_named(text: &str) -> Option<DeadReason> {
    Some(match text {
        "exhausted" => DeadReason::Exhausted,
        "too_large" => DeadReason::TooLarge,
        "format_refused" => DeadReason::FormatRefused,
        "aborted" => DeadReason::Aborted,
        "queued" => DeadReason::Queued,
        "expired" => DeadReason::Expired,
        _ => return None,
    })
}

/// In any case.
#[must_use]
pub fn change_named(text: &str) -> Option<Change> {
    [Change::Created, Change::Updated, Change::Deleted]
        .into_iter()
        .find(|change| change.as_str().eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::delivery::{Delivery, OutboxId};
    use crate::domain::event::{Event, Format, Notification};

    fn dead_letter() -> Outgoing {
        let event = |record: &str, change| Event {
            id: String::new(),
            sequence: 1,
            change,
            record: record.into(),
            date: Timestamp::EPOCH,
            before: None,
            after: None,
            fields: None,
        };
        Outgoing {
            id: OutboxId { batch: 1, index: 0 },
            notification: Notification {
                id: String::new(),
                resource: "accounts".into(),
                created: Timestamp::from_ms(100),
                events: vec![event("7", Change::Created), event("8", Change::Updated)],
                format: Format::Elements,
                body: Bytes::new(),
            },
            delivery: Delivery {
                dead: Some(DeadReason::TooLarge),
                ..Delivery::new(DeliveryStatus::Dead, None)
            },
        }
    }

    #[test]
    fn each_filter_lets_pass_what_it_says() {
        let all = Selection::default();
        assert!(all.is_empty() && all.matches(&dead_letter()));
        let at = |ms| Some(Timestamp::from_ms(ms));
        let with = |change: fn(&mut Selection)| {
            let mut selection = Selection::default();
            change(&mut selection);
            selection
        };
        let time = |from, to| Selection {
            from,
            to,
            ..Selection::default()
        };
        let table = [
            (with(|s| s.statuses = statuses_named("dead")), true),
            (with(|s| s.statuses = statuses_named("stored,DISPATCHED")), true),
            (with(|s| s.statuses = statuses_named("NEW")), false),
            (with(|s| s.reason = reason_named("too_large")), true),
            (with(|s| s.reason = reason_named("queued")), false),
            (with(|s| s.resource = Some("accounts".into())), true),
            (with(|s| s.resource = Some("contacts".into())), false),
            (with(|s| s.record = Some("8".into())), true),
            (with(|s| s.record = Some("9".into())), false),
            (with(|s| s.change = change_named("created")), true),
            (with(|s| s.change = change_named("DELETED")), false),
            // Of one and the same event.
            (
                with(|s| (s.record, s.change) = (Some("8".into()), change_named("UPDATED"))),
                true,
            ),
            (
                with(|s| (s.record, s.change) = (Some("8".into()), change_named("CREATED"))),
                false,
            ),
            (time(at(100), None), true),
            (time(at(101), None), false),
            (time(None, at(101)), true),
            (time(None, at(100)), false),
        ];
        for (selection, expected) in table {
            assert!(!selection.is_empty());
            assert_eq!(selection.matches(&dead_letter()), expected, "{selection:?}");
        }
    }

    #[test]
    fn every_name_that_is_offered_is_known_and_no_other() {
        let names = STATUS_NAMES.split(", ");
        assert_eq!(names.filter(|name| statuses_named(name).is_some()).count(), 8);
        let names = REASON_NAMES.split(", ");
        assert_eq!(names.filter(|name| reason_named(name).is_some()).count(), 6);
        for name in ["", "Dead", "RECEIVED", "dead,", "queued"] {
            assert_eq!(statuses_named(name), None, "{name}");
        }
        assert_eq!((reason_named("dead"), change_named("removed")), (None, None));
    }
}
