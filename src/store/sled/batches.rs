//! The outbox's values: notifications packed in batches, and beside each batch what became of its notifications.
//! Encodes and decodes. Reads and writes no database.

use bytes::Bytes;

use super::codec::{Malformed, Reader, put_bytes, put_i64, put_varint};
use crate::domain::delivery::{Attempt, DeadReason, Delivery, DeliveryStatus};
use crate::domain::event::{Change, Event, Format, Notification};
use crate::domain::time::Timestamp;

const FORMAT: u8 = 2;

/// Notifications of a commit share a batch up to this much: fewer batches are less to settle, larger ones more to write for
/// each notification that is settled alone.
const BATCH_BYTES_MAX: usize = 60_000;

/// The notifications of one batch, and their value.
pub(super) struct Packed<'a> {
    pub(super) notifications: &'a [Notification],
    pub(super) value: Vec<u8>,
}

/// Cuts a commit's notifications into batches of about `BATCH_BYTES_MAX`; a larger notification is a batch by itself.
pub(super) fn pack(notifications: &[Notification]) -> Vec<Packed<'_>> {
    let mut batches = Vec::new();
    let mut start = 0;
    let mut items = Vec::new();
    for (place, notification) in notifications.iter().enumerate() {
        let before = items.len();
        put_notification(&mut items, notification);
        if items.len() > BATCH_BYTES_MAX && before > 0 {
            batches.push(packed(&notifications[start..place], &items[..before]));
            items.drain(..before);
            start = place;
        }
    }
    if start < notifications.len() {
        batches.push(packed(&notifications[start..], &items));
    }
    batches
}

fn packed<'a>(notifications: &'a [Notification], items: &[u8]) -> Packed<'a> {
    let mut value = Vec::with_capacity(items.len() + 4);
    value.push(FORMAT);
    put_varint(&mut value, notifications.len() as u64);
    value.extend_from_slice(items);
    Packed { notifications, value }
}

const HAS_BEFORE: u8 = 1;
const HAS_AFTER: u8 = 2;
const HAS_FIELDS: u8 = 4;

fn put_notification(out: &mut Vec<u8>, notification: &Notification) {
    out.reserve(notification.body.len() + 128 + 128 * notification.events.len());
    put_bytes(out, notification.id.as_bytes());
    put_bytes(out, notification.resource.as_bytes());
    put_i64(out, notification.created.as_ms());
    put_varint(out, notification.events.len() as u64);
    for event in &notification.events {
        put_bytes(out, event.id.as_bytes());
        put_varint(out, event.sequence);
        out.push(match event.change {
            Change::Created => 0,
            Change::Updated => 1,
            Change::Deleted => 2,
        });
        put_bytes(out, event.record.as_bytes());
        put_i64(out, event.date.as_ms());
        out.push(flag(HAS_BEFORE, &event.before) | flag(HAS_AFTER, &event.after) | flag(HAS_FIELDS, &event.fields));
        for digest in [event.before, event.after].into_iter().flatten() {
            out.extend_from_slice(&digest.to_be_bytes());
        }
        if let Some(fields) = &event.fields {
            put_varint(out, fields.len() as u64);
            fields.iter().for_each(|field| put_bytes(out, field.as_bytes()));
        }
    }
    out.push(match notification.format {
        Format::Elements => 0,
        Format::Cloudevents => 1,
        Format::CloudeventsBatch => 2,
        Format::Standard => 3,
    });
    put_bytes(out, &notification.body);
}

/// The inverse of `pack` for one value.
pub(super) fn unpack(value: &[u8]) -> Result<Vec<Notification>, Malformed> {
    let mut reader = Reader::of_format(value, FORMAT)?;
    let count = reader.count()?;
    let notifications = (0..count).map(|_| read_notification(&mut reader)).collect();
    reader.end()?;
    notifications
}

fn read_notification(reader: &mut Reader<'_>) -> Result<Notification, Malformed> {
    let id = reader.text()?.to_owned();
    let resource = reader.text()?.to_owned();
    let created = Timestamp::from_ms(reader.i64()?);
    let count = reader.count()?;
    let events = (0..count).map(|_| read_event(reader)).collect::<Result<_, _>>()?;
    let format = match reader.byte()? {
        0 => Format::Elements,
        1 => Format::Cloudevents,
        2 => Format::CloudeventsBatch,
        3 => Format::Standard,
        _ => return Err(Malformed("an unknown format of a notification")),
    };
    let body = Bytes::copy_from_slice(reader.bytes()?);
    Ok(Notification {
        id,
        resource,
        created,
        events,
        format,
        body,
    })
}

fn read_event(reader: &mut Reader<'_>) -> Result<Event, Malformed> {
    let mut event = Event {
        id: reader.text()?.to_owned(),
        sequence: reader.varint()?,
        change: match reader.byte()? {
            0 => Change::Created,
            1 => Change::Updated,
            2 => Change::Deleted,
            _ => return Err(Malformed("an unknown change")),
        },
        record: reader.text()?.to_owned(),
        date: Timestamp::from_ms(reader.i64()?),
        before: None,
        after: None,
        fields: None,
    };
    let flags = reader.byte()?;
    if flags & HAS_BEFORE != 0 {
        event.before = Some(u128::from_be_bytes(reader.array()?));
    }
    if flags & HAS_AFTER != 0 {
        event.after = Some(u128::from_be_bytes(reader.array()?));
    }
    if flags & HAS_FIELDS != 0 {
        let count = reader.count()?;
        let fields = (0..count).map(|_| Ok(reader.text()?.to_owned()));
        event.fields = Some(fields.collect::<Result<_, Malformed>>()?);
    }
    Ok(event)
}

/// What became of the notifications of one batch, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deliveries {
    /// When the batch was made.
    pub(super) created: Timestamp,
    pub(super) each: Vec<Delivery>,
    /// Numbers of the notifications, by which they are found.
    pub(super) numbers: Vec<u64>,
}

impl Deliveries {
    /// Of notifications that nobody tried to deliver yet.
    pub(super) fn new(notifications: &[Notification], deliver: bool) -> Self {
        let status = if deliver {
            DeliveryStatus::Waiting
        } else {
            DeliveryStatus::Stored
        };
        let each = notifications
            .iter()
            .map(|notification| Delivery::new(status, deliver.then_some(notification.created)))
            .collect();
        let created = notifications.iter().map(|notification| notification.created).max();
        Self {
            created: created.unwrap_or(Timestamp::EPOCH),
            each,
            numbers: notifications.iter().map(Notification::number).collect(),
        }
    }

    /// Is one of them still to be delivered?
    pub(super) fn alive(&self) -> bool {
        self.each.iter().any(|delivery| delivery.status.is_alive())
    }

    /// Was each of them delivered?
    pub(super) fn all_delivered(&self) -> bool {
        let delivered = |delivery: &Delivery| delivery.status == DeliveryStatus::Delivered;
        self.each.iter().all(delivered)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        put_i64(&mut out, self.created.as_ms());
        put_varint(&mut out, self.each.len() as u64);
        self.each.iter().for_each(|delivery| put_delivery(&mut out, delivery));
        for number in &self.numbers {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::of_format(value, FORMAT)?;
        let created = Timestamp::from_ms(reader.i64()?);
        let count = reader.count()?;
        let each = (0..count)
            .map(|_| read_delivery(&mut reader))
            .collect::<Result<_, _>>()?;
        let numbers = (0..count).map(|_| Ok(u64::from_be_bytes(reader.array()?)));
        let numbers = numbers.collect::<Result<_, Malformed>>()?;
        reader.end()?;
        Ok(Self { created, each, numbers })
    }
}

const HAS_DUE: u8 = 1;
const HAS_LAST: u8 = 2;
const HAS_DEAD: u8 = 4;
const HAS_ATTEMPTS_BEFORE: u8 = 8;
const HAS_STATUS: u8 = 1;
const HAS_ERROR: u8 = 2;

fn put_delivery(out: &mut Vec<u8>, delivery: &Delivery) {
    out.push(match delivery.status {
        DeliveryStatus::Stored => 0,
        DeliveryStatus::Waiting => 1,
        DeliveryStatus::Retry => 2,
        DeliveryStatus::Delivered => 3,
        DeliveryStatus::Dead => 4,
    });
    put_varint(out, u64::from(delivery.attempts));
    let before = Some(delivery.attempts_before).filter(|before| *before > 0);
    out.push(
        flag(HAS_DUE, &delivery.due)
            | flag(HAS_LAST, &delivery.last)
            | flag(HAS_DEAD, &delivery.dead)
            | flag(HAS_ATTEMPTS_BEFORE, &before),
    );
    if let Some(due) = delivery.due {
        put_i64(out, due.as_ms());
    }
    if let Some(last) = &delivery.last {
        put_i64(out, last.at.as_ms());
        put_varint(out, u64::from(last.took_ms));
        out.push(flag(HAS_STATUS, &last.status) | flag(HAS_ERROR, &last.error));
        if let Some(status) = last.status {
            put_varint(out, u64::from(status));
        }
        if let Some(error) = &last.error {
            put_bytes(out, error.as_bytes());
        }
    }
    if let Some(dead) = delivery.dead {
        out.push(match dead {
            DeadReason::Exhausted => 0,
            DeadReason::TooLarge => 1,
            DeadReason::FormatRefused => 2,
            DeadReason::Aborted => 3,
            DeadReason::Queued => 4,
            DeadReason::Expired => 5,
        });
    }
    if let Some(before) = before {
        put_varint(out, u64::from(before));
    }
}

fn flag<T>(bit: u8, value: &Option<T>) -> u8 {
    if value.is_some() { bit } else { 0 }
}

fn read_delivery(reader: &mut Reader<'_>) -> Result<Delivery, Malformed> {
    let status = match reader.byte()? {
        0 => DeliveryStatus::Stored,
        1 => DeliveryStatus::Waiting,
        2 => DeliveryStatus::Retry,
        3 => DeliveryStatus::Delivered,
        4 => DeliveryStatus::Dead,
        _ => return Err(Malformed("an unknown delivery status")),
    };
    let attempts = reader.varint_u32()?;
    let flags = reader.byte()?;
    let due = if flags & HAS_DUE != 0 {
        Some(Timestamp::from_ms(reader.i64()?))
    } else {
        None
    };
    let last = if flags & HAS_LAST != 0 {
        Some(read_attempt(reader)?)
    } else {
        None
    };
    let dead = if flags & HAS_DEAD != 0 {
        Some(read_dead(reader)?)
    } else {
        None
    };
    let attempts_before = if flags & HAS_ATTEMPTS_BEFORE != 0 {
        reader.varint_u32()?
    } else {
        0
    };
    Ok(Delivery {
        status,
        attempts,
        due,
        last,
        dead,
        attempts_before,
    })
}

fn read_dead(reader: &mut Reader<'_>) -> Result<DeadReason, Malformed> {
    Ok(match reader.byte()? {
        0 => DeadReason::Exhausted,
        1 => DeadReason::TooLarge,
        2 => DeadReason::FormatRefused,
        3 => DeadReason::Aborted,
        4 => DeadReason::Queued,
        5 => DeadReason::Expired,
        _ => return Err(Malformed("an unknown reason of a dead letter")),
    })
}

fn read_attempt(reader: &mut Reader<'_>) -> Result<Attempt, Malformed> {
    let at = Timestamp::from_ms(reader.i64()?);
    let took_ms = reader.varint_u32()?;
    let flags = reader.byte()?;
    let status = if flags & HAS_STATUS != 0 {
        let status = u16::try_from(reader.varint()?);
        Some(status.map_err(|_| Malformed("an HTTP status beyond 16 bits"))?)
    } else {
        None
    };
    let error = if flags & HAS_ERROR != 0 {
        Some(reader.text()?.to_owned())
    } else {
        None
    };
    Ok(Attempt {
        at,
        took_ms,
        status,
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(number: u64, body_bytes: usize) -> Notification {
        let event = |sequence| Event {
            id: format!("evt_{sequence}"),
            sequence,
            change: [Change::Created, Change::Updated, Change::Deleted][sequence as usize % 3],
            record: format!("{number}"),
            date: Timestamp::from_ms(-5),
            before: (sequence > 0).then_some(u128::from(sequence)),
            after: (sequence < 2).then_some(u128::MAX),
            fields: (sequence == 1).then(|| vec!["name".into(), "phone".into()]),
        };
        Notification {
            id: format!("msg_{number}"),
            resource: "accounts".into(),
            created: Timestamp::from_ms(1_700_000_000_000 + number.cast_signed()),
            events: (0..number % 4).map(event).collect(),
            format: [
                Format::Elements,
                Format::Cloudevents,
                Format::CloudeventsBatch,
                Format::Standard,
            ][number as usize % 4],
            body: vec![b'x'; body_bytes].into(),
        }
    }

    #[test]
    fn notifications_come_back_in_order_from_batches_of_bounded_size() {
        let notifications: Vec<_> = (0..40).map(|n| notification(n, 11_000)).collect();
        let batches = pack(&notifications);
        assert!(batches.len() >= 8);
        let unpacked: Vec<_> = batches.iter().flat_map(|batch| unpack(&batch.value).unwrap()).collect();
        assert_eq!(unpacked, notifications);
        for batch in batches {
            assert!(batch.value.len() <= BATCH_BYTES_MAX + 4);
            assert_eq!(unpack(&batch.value).unwrap(), batch.notifications);
        }
    }

    #[test]
    fn a_notification_larger_than_a_batch_is_one_by_itself() {
        let notifications = [
            notification(1, 10),
            notification(2, 3 * BATCH_BYTES_MAX),
            notification(3, 10),
            notification(4, 0),
        ];
        let counts: Vec<_> = pack(&notifications)
            .iter()
            .map(|batch| batch.notifications.len())
            .collect();
        assert_eq!(counts, [1, 1, 2]);
        assert!(pack(&[]).is_empty());
    }

    #[test]
    fn deliveries_come_back_as_they_were() {
        let attempt = |status, error: Option<&str>| Attempt {
            at: Timestamp::from_ms(77),
            took_ms: 12,
            status,
            error: error.map(str::to_owned),
        };
        let delivery = |status, due: Option<i64>, last| Delivery {
            status,
            attempts: 300,
            due: due.map(Timestamp::from_ms),
            last,
            dead: (status == DeliveryStatus::Dead).then_some(DeadReason::Expired),
            attempts_before: u32::from(due == Some(8)),
        };
        let deliveries = Deliveries {
            created: Timestamp::from_ms(5),
            each: vec![
                delivery(DeliveryStatus::Stored, None, None),
                delivery(DeliveryStatus::Waiting, Some(9), None),
                delivery(DeliveryStatus::Retry, Some(8), Some(attempt(Some(503), Some("busy")))),
                delivery(DeliveryStatus::Delivered, Some(1), Some(attempt(Some(200), None))),
                delivery(DeliveryStatus::Dead, None, Some(attempt(None, Some("no route")))),
            ],
            numbers: vec![1, u64::MAX, 0, 4, 5],
        };
        assert_eq!(Deliveries::decode(&deliveries.encode()).unwrap(), deliveries);
        assert!(deliveries.alive() && !deliveries.all_delivered());
    }

    #[test]
    fn a_value_cut_short_is_an_error_at_every_length() {
        let notifications = [notification(3, 20)];
        let value = pack(&notifications).remove(0).value;
        let deliveries = Deliveries::new(&notifications, true).encode();
        assert!((0..value.len()).all(|length| unpack(&value[..length]).is_err()));
        assert!((0..deliveries.len()).all(|length| Deliveries::decode(&deliveries[..length]).is_err()));
    }
}
