//! The ordered keys of the one tree: what is scanned together lies together, and byte order is the order that scans want.
//! Builds and reads keys. Reads no database and knows no value.

use super::codec::{Malformed, Reader};
use crate::domain::audit::AuditPlace;
use crate::domain::id::InstanceId;
use crate::domain::time::Timestamp;
use crate::ports::StoreError;

/// First byte of a key. On disk for ever: numbers are never given to another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Counters, for the whole store.
    Counters = 0x01,
    /// instance -> the instance.
    Instance = 0x02,
    /// Hash of a token -> instance.
    Token = 0x03,
    /// instance -> bytes of the element.
    Memo = 0x04,
    /// instance, name -> the row of a resource.
    Row = 0x05,
    /// due, instance, resource -> name of the resource.
    DuePoll = 0x06,
    /// instance, resource, order of the first id -> packed fingerprints.
    Leaf = 0x07,
    /// instance, batch, place -> a piece of packed notifications.
    Batch = 0x08,
    /// instance, batch -> deliveries of a batch with one alive at least.
    Alive = 0x09,
    /// instance, batch -> deliveries of a batch with none alive.
    Settled = 0x0a,
    // 0x0b was: due, instance, batch -> nothing.
    /// created, instance, batch -> nothing. Settled batches alone, so that purging meets no other.
    Purgeable = 0x0c,
    /// instance, resource (0: all of the instance) -> nothing. Its keys are being removed.
    Orphan = 0x0d,
    /// key of an element -> its components.
    Element = 0x0e,
    /// instance, resource, record -> what is known of the record's fields.
    Sketch = 0x12,
    /// instance, resource, place -> a piece of the paths that a resource's records have.
    FieldNames = 0x13,
    /// instance -> when its courier is to wake.
    Wake = 0x14,
    /// wake, instance -> nothing.
    DueCourier = 0x15,
    /// instance -> its endpoint.
    Endpoint = 0x16,
    /// instance, batch, index, number -> an attempt.
    Attempt = 0x17,
    /// number of a notification, batch -> instance, index.
    Number = 0x18,
    /// created, instance, batch -> nothing. Settled batches with something that was never delivered.
    PurgeableLater = 0x19,
    /// time, number -> an entry of the audit log.
    Audit = 0x20,
}

impl Kind {
    /// The kind's name, for errors.
    fn name(byte: Option<&u8>) -> &'static str {
        match byte {
            Some(0x01) => "counters",
            Some(0x02) => "instance",
            Some(0x03) => "token",
            Some(0x04) => "memo",
            Some(0x05) => "resource row",
            Some(0x06) => "due poll",
            Some(0x07) => "fingerprint leaf",
            Some(0x08) => "notification batch",
            Some(0x09) => "alive deliveries",
            Some(0x0a) => "settled deliveries",
            Some(0x0c) => "purgeable batch",
            Some(0x0d) => "orphan",
            Some(0x0e) => "element",
            Some(0x12) => "sketch",
            Some(0x13) => "names of fields",
            Some(0x14) => "wake time",
            Some(0x15) => "due courier",
            Some(0x16) => "endpoint",
            Some(0x17) => "attempt",
            Some(0x18) => "number of a notification",
            Some(0x19) => "batch purgeable later",
            Some(0x20) => "audit entry",
            _ => "unknown key",
        }
    }
}

/// Number of a resource within its store, so that keys stay short. From 1; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResourceNumber(pub(super) u32);

/// The `resource` of an orphan that stands for all of its instance.
pub(super) const ALL_RESOURCES: ResourceNumber = ResourceNumber(0);

/// The error for a value that can't be read, naming the kind of its key.
pub(super) fn corrupt(key: &[u8], why: impl std::fmt::Display) -> StoreError {
    let rest: String = key.iter().skip(1).map(|byte| format!("{byte:02x}")).collect();
    StoreError::Corrupt(format!("{} {rest}: {why}", Kind::name(key.first())))
}

fn key(kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(kind as u8);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// Signed numbers whose bytes sort as the numbers do.
fn time(timestamp: Timestamp) -> [u8; 8] {
    (timestamp.as_ms().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn time_of(bytes: [u8; 8]) -> Timestamp {
    Timestamp::from_ms((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

pub(super) fn counters() -> Vec<u8> {
    key(Kind::Counters, &[])
}

/// Start of all keys of one kind.
pub(super) fn all(kind: Kind) -> Vec<u8> {
    key(kind, &[])
}

/// Start of all keys of one kind that belong to an instance; for `Instance` and `Memo` the key itself.
pub(super) fn of(kind: Kind, instance: InstanceId) -> Vec<u8> {
    key(kind, &[&instance.0.to_be_bytes()])
}

pub(super) fn token(hash: &str) -> Vec<u8> {
    key(Kind::Token, &[hash.as_bytes()])
}

pub(super) fn row(instance: InstanceId, name: &str) -> Vec<u8> {
    key(Kind::Row, &[&instance.0.to_be_bytes(), name.as_bytes()])
}

pub(super) fn due_poll(due: Timestamp, instance: InstanceId, resource: ResourceNumber) -> Vec<u8> {
    key(
        Kind::DuePoll,
        &[&time(due), &instance.0.to_be_bytes(), &resource.0.to_be_bytes()],
    )
}

/// Start of all leaves of a resource, and the key of its first leaf, which has no lower bound.
pub(super) fn leaves(instance: InstanceId, resource: ResourceNumber) -> Vec<u8> {
    key(Kind::Leaf, &[&instance.0.to_be_bytes(), &resource.0.to_be_bytes()])
}

/// `kind` is one of `Batch`, where it is the start of the keys of all pieces, `Alive` and `Settled`.
pub(super) fn batch(kind: Kind, instance: InstanceId, batch: u64) -> Vec<u8> {
    key(kind, &[&instance.0.to_be_bytes(), &batch.to_be_bytes()])
}

/// The place counts the pieces of a batch from 0.
pub(super) fn piece(instance: InstanceId, batch: u64, place: u32) -> Vec<u8> {
    key(
        Kind::Batch,
        &[&instance.0.to_be_bytes(), &batch.to_be_bytes(), &place.to_be_bytes()],
    )
}

/// Start of the attempts of a notification; with `number` the key of one.
pub(super) fn attempts(instance: InstanceId, batch: u64, index: u32) -> Vec<u8> {
    key(
        Kind::Attempt,
        &[&instance.0.to_be_bytes(), &batch.to_be_bytes(), &index.to_be_bytes()],
    )
}

pub(super) fn attempt(instance: InstanceId, batch: u64, index: u32, number: u32) -> Vec<u8> {
    let mut key = attempts(instance, batch, index);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Start of the keys of all notifications with this number: nearly always one.
pub(super) fn numbers(number: u64) -> Vec<u8> {
    key(Kind::Number, &[&number.to_be_bytes()])
}

pub(super) fn number(number: u64, batch: u64) -> Vec<u8> {
    key(Kind::Number, &[&number.to_be_bytes(), &batch.to_be_bytes()])
}

/// The batch in a key that `number` makes.
pub(super) fn parse_number(key: &[u8]) -> Result<u64, StoreError> {
    let mut reader = parts(key);
    let mut read = || {
        reader.array::<8>()?;
        Ok(u64::from_be_bytes(reader.array()?))
    };
    read().map_err(|error: Malformed| corrupt(key, error))
}

pub(super) fn due_courier(wake: Timestamp, instance: InstanceId) -> Vec<u8> {
    key(Kind::DueCourier, &[&time(wake), &instance.0.to_be_bytes()])
}

/// Of the keys that `due_courier` makes.
pub(super) fn parse_due_courier(key: &[u8]) -> Result<(Timestamp, InstanceId), StoreError> {
    let mut reader = parts(key);
    let mut read = || Ok((time_of(reader.array()?), instance_of(&mut reader)?));
    read().map_err(|error: Malformed| corrupt(key, error))
}

/// `kind` is one of `Purgeable` and `PurgeableLater`.
pub(super) fn timed_batch(kind: Kind, at: Timestamp, instance: InstanceId, batch: u64) -> Vec<u8> {
    key(kind, &[&time(at), &instance.0.to_be_bytes(), &batch.to_be_bytes()])
}

/// First key of a kind that begins with a time, at `at`; with `time_end` the range of all at or before a time.
pub(super) fn time_start(kind: Kind, at: Timestamp) -> Vec<u8> {
    key(kind, &[&time(at)])
}

/// First key behind all of the kind that are at or before `at`.
pub(super) fn time_end(kind: Kind, at: Timestamp) -> Vec<u8> {
    match at.as_ms().checked_add(1) {
        Some(next) => time_start(kind, Timestamp::from_ms(next)),
        None => end(kind),
    }
}

/// First key behind all of a kind.
pub(super) fn end(kind: Kind) -> Vec<u8> {
    vec![kind as u8 + 1]
}

pub(super) fn element(name: &str) -> Vec<u8> {
    key(Kind::Element, &[name.as_bytes()])
}

pub(super) fn parse_element(key: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(key.get(1..).unwrap_or_default()).map_err(|error| corrupt(key, error))
}

/// Start of all keys of one kind that belong to a resource. `kind` is one of `Sketch` and `FieldNames`.
pub(super) fn of_resource(kind: Kind, instance: InstanceId, resource: ResourceNumber) -> Vec<u8> {
    key(kind, &[&instance.0.to_be_bytes(), &resource.0.to_be_bytes()])
}

pub(super) fn sketch(instance: InstanceId, resource: ResourceNumber, record: &str) -> Vec<u8> {
    let mut key = of_resource(Kind::Sketch, instance, resource);
    key.extend_from_slice(record.as_bytes());
    key
}

/// The place counts the pieces from 0.
pub(super) fn field_names(instance: InstanceId, resource: ResourceNumber, place: u32) -> Vec<u8> {
    let mut key = of_resource(Kind::FieldNames, instance, resource);
    key.extend_from_slice(&place.to_be_bytes());
    key
}

pub(super) fn audit(place: AuditPlace) -> Vec<u8> {
    key(Kind::Audit, &[&time(place.at), &place.number.to_be_bytes()])
}

pub(super) fn parse_audit(key: &[u8]) -> Result<AuditPlace, StoreError> {
    let mut reader = parts(key);
    let mut read = || {
        Ok(AuditPlace {
            at: time_of(reader.array()?),
            number: u32::from_be_bytes(reader.array()?),
        })
    };
    read().map_err(|error: Malformed| corrupt(key, error))
}

pub(super) fn orphan(instance: InstanceId, resource: ResourceNumber) -> Vec<u8> {
    key(Kind::Orphan, &[&instance.0.to_be_bytes(), &resource.0.to_be_bytes()])
}

/// A key with its tag checked, ready to be taken apart.
fn parts(key: &[u8]) -> Reader<'_> {
    Reader::new(key.get(1..).unwrap_or_default())
}

fn instance_of(reader: &mut Reader<'_>) -> Result<InstanceId, Malformed> {
    Ok(InstanceId(u64::from_be_bytes(reader.array()?)))
}

/// Of the keys that `batch` and `piece` make.
pub(super) fn parse_batch(key: &[u8]) -> Result<(InstanceId, u64), StoreError> {
    let mut reader = parts(key);
    let mut read = || Ok((instance_of(&mut reader)?, u64::from_be_bytes(reader.array()?)));
    read().map_err(|error: Malformed| corrupt(key, error))
}

/// Of the keys that `due_poll` makes.
pub(super) fn parse_due_poll(key: &[u8]) -> Result<(Timestamp, InstanceId), StoreError> {
    let mut reader = parts(key);
    let mut read = || Ok((time_of(reader.array()?), instance_of(&mut reader)?));
    read().map_err(|error: Malformed| corrupt(key, error))
}

/// Of the keys that `timed_batch` makes.
pub(super) fn parse_timed_batch(key: &[u8]) -> Result<(Timestamp, InstanceId, u64), StoreError> {
    let mut reader = parts(key);
    let mut read = || {
        Ok((
            time_of(reader.array()?),
            instance_of(&mut reader)?,
            u64::from_be_bytes(reader.array()?),
        ))
    };
    read().map_err(|error: Malformed| corrupt(key, error))
}

pub(super) fn parse_orphan(key: &[u8]) -> Result<(InstanceId, ResourceNumber), StoreError> {
    let mut reader = parts(key);
    let mut read = || {
        Ok((
            instance_of(&mut reader)?,
            ResourceNumber(u32::from_be_bytes(reader.array()?)),
        ))
    };
    read().map_err(|error: Malformed| corrupt(key, error))
}

/// The resource's name at the end of a row's key.
pub(super) fn parse_row(key: &[u8]) -> Result<&str, StoreError> {
    let mut reader = parts(key);
    let mut read = || {
        instance_of(&mut reader)?;
        std::str::from_utf8(reader.rest()).map_err(|_| Malformed("a name that is not UTF-8"))
    };
    read().map_err(|error: Malformed| corrupt(key, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: InstanceId = InstanceId(7);

    #[test]
    fn byte_order_is_time_order_before_and_after_the_epoch() {
        let times = [i64::MIN, -86_400_000, -1, 0, 1, 255, 256, 1_700_000_000_000, i64::MAX];
        let keys: Vec<_> = times
            .iter()
            .map(|ms| timed_batch(Kind::Purgeable, Timestamp::from_ms(*ms), A, 3))
            .collect();
        assert!(keys.is_sorted());
        for (key, ms) in keys.iter().zip(times) {
            assert_eq!(parse_timed_batch(key).unwrap(), (Timestamp::from_ms(ms), A, 3));
        }
    }

    #[test]
    fn the_end_of_a_time_lies_behind_all_that_is_due_then_and_before_what_is_due_later() {
        for ms in [i64::MIN, -1, 0, 99, i64::MAX - 1] {
            let end = time_end(Kind::DuePoll, Timestamp::from_ms(ms));
            let last = due_poll(Timestamp::from_ms(ms), InstanceId(u64::MAX), ResourceNumber(u32::MAX));
            let later = due_poll(Timestamp::from_ms(ms + 1), InstanceId(0), ResourceNumber(0));
            assert!(last < end && end <= later, "{ms}");
        }
        let end = time_end(Kind::DuePoll, Timestamp::from_ms(i64::MAX));
        assert!(
            due_poll(
                Timestamp::from_ms(i64::MAX),
                InstanceId(u64::MAX),
                ResourceNumber(u32::MAX)
            ) < end
        );
        assert!(end <= leaves(InstanceId(0), ResourceNumber(0)));
    }

    #[test]
    fn batches_of_an_instance_sort_by_number_and_apart_from_those_of_others() {
        let keys = [
            batch(Kind::Alive, InstanceId(1), u64::MAX),
            batch(Kind::Alive, A, 0),
            batch(Kind::Alive, A, 255),
            batch(Kind::Alive, A, 256),
            batch(Kind::Alive, InstanceId(256), 0),
        ];
        assert!(keys.is_sorted());
        assert_eq!(parse_batch(&keys[3]).unwrap(), (A, 256));
        let pieces = [piece(A, 8, 0), piece(A, 8, 1), piece(A, 8, 256), piece(A, 9, 0)];
        assert!(pieces.is_sorted());
        assert!(pieces[2].starts_with(&batch(Kind::Batch, A, 8)));
        assert_eq!(parse_batch(&pieces[2]).unwrap(), (A, 8));
    }

    #[test]
    fn rows_sort_by_name_and_give_it_back() {
        assert!(row(A, "accounts") < row(A, "contacts"));
        assert_eq!(parse_row(&row(A, "accounts")).unwrap(), "accounts");
    }

    #[test]
    fn a_key_cut_short_names_its_kind() {
        let error = parse_batch(&batch(Kind::Alive, A, 1)[..12]).unwrap_err();
        assert!(error.to_string().contains("alive deliveries"), "{error}");
    }
}
