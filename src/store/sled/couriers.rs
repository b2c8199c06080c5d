//! When couriers wake, and the endpoints that they post to.
//! Decides nothing: an endpoint is written as it was judged, and a courier sleeps as long as it said.

use std::collections::HashSet;

use ::sled::Tree;

use super::codec::{Malformed, Reader, put_i64};
use super::keys::{self, Kind, corrupt};
use super::transaction::Transaction;
use super::{instances, rows, transient};
use crate::domain::endpoint::Endpoint;
use crate::domain::id::InstanceId;
use crate::domain::time::Timestamp;
use crate::ports::StoreError;

/// What an instance's courier sleeps by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wake {
    at: Option<Timestamp>,
    /// How often it was called: who rests must have seen the last call.
    calls: u64,
}

impl Wake {
    fn encode(self) -> Vec<u8> {
        let mut value = self.calls.to_be_bytes().to_vec();
        if let Some(at) = self.at {
            put_i64(&mut value, at.as_ms());
        }
        value
    }

    fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        let calls = u64::from_be_bytes(reader.array()?);
        let at = match reader.is_empty() {
            true => None,
            false => Some(Timestamp::from_ms(reader.i64()?)),
        };
        reader.end()?;
        Ok(Self { at, calls })
    }
}

fn wake_of(tree: &Tree, instance: InstanceId) -> Result<Wake, StoreError> {
    let key = keys::of(Kind::Wake, instance);
    let value = tree.get(&key).map_err(transient)?;
    value.map_or(Ok(Wake::default()), |value| {
        Wake::decode(&value).map_err(|error| corrupt(&key, error))
    })
}

fn put_wake(transaction: &mut Transaction<'_>, instance: InstanceId, before: Wake, wake: Wake) {
    if before.at != wake.at {
        if let Some(at) = before.at {
            transaction.remove(keys::due_courier(at, instance));
        }
        if let Some(at) = wake.at {
            transaction.put(keys::due_courier(at, instance), &[]);
        }
    }
    transaction.put(keys::of(Kind::Wake, instance), wake.encode());
}

/// The courier wakes at `at` or before, and does not rest before it has looked.
pub(super) fn call(transaction: &mut Transaction<'_>, instance: InstanceId, at: Timestamp) -> Result<(), StoreError> {
    let before = wake_of(transaction.tree(), instance)?;
    let wake = Wake {
        at: Some(before.at.map_or(at, |before| before.min(at))),
        calls: before.calls + 1,
    };
    put_wake(transaction, instance, before, wake);
    Ok(())
}

/// The courier looks again at once, if there is something to look at.
pub(super) fn call_if_alive(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let first = transaction.tree().scan_prefix(keys::of(Kind::Alive, instance)).next();
    match first.transpose().map_err(transient)? {
        Some(_) => call(transaction, instance, now),
        None => Ok(()),
    }
}

pub(super) fn calls(tree: &Tree, instance: InstanceId) -> Result<u64, StoreError> {
    Ok(wake_of(tree, instance)?.calls)
}

/// False when it was called since.
pub(super) fn rest(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    calls: u64,
    at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let before = wake_of(transaction.tree(), instance)?;
    let may_rest = before.calls == calls;
    if may_rest && before.at != at {
        put_wake(transaction, instance, before, Wake { at, calls });
    }
    Ok(may_rest)
}

/// Takes the courier's keys of an instance that is gone.
pub(super) fn remove(transaction: &mut Transaction<'_>, instance: InstanceId) -> Result<(), StoreError> {
    if let Some(at) = wake_of(transaction.tree(), instance)?.at {
        transaction.remove(keys::due_courier(at, instance));
    }
    transaction.remove(keys::of(Kind::Wake, instance));
    transaction.remove(keys::of(Kind::Endpoint, instance));
    Ok(())
}

pub(super) fn endpoint(tree: &Tree, instance: InstanceId) -> Result<Endpoint, StoreError> {
    let key = keys::of(Kind::Endpoint, instance);
    let value = tree.get(&key).map_err(transient)?;
    value.map_or(Ok(Endpoint::default()), |value| rows::decode_endpoint(&key, &value))
}

/// Written by somebody other than the courier.
pub(super) fn put(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    endpoint: &Endpoint,
) -> Result<(), StoreError> {
    let stored = self::endpoint(transaction.tree(), instance)?;
    if !instances::exists(transaction.tree(), instance)? || stored.revision + 1 != endpoint.revision {
        return Err(StoreError::Conflict(format!("the endpoint of instance {instance}")));
    }
    transaction.put(keys::of(Kind::Endpoint, instance), rows::encode_endpoint(endpoint)?);
    call_if_alive(transaction, instance, Timestamp::EPOCH)
}

/// The courier's own write; false when somebody else wrote meanwhile, and then it is dropped.
pub(super) fn put_own(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    endpoint: &Endpoint,
) -> Result<bool, StoreError> {
    let stored = self::endpoint(transaction.tree(), instance)?;
    let is_current = stored.revision == endpoint.revision;
    if is_current {
        transaction.put(keys::of(Kind::Endpoint, instance), rows::encode_endpoint(endpoint)?);
    }
    Ok(is_current)
}

/// Instances whose couriers wake at or before `now`, the longest waiting first.
pub(super) fn due(
    tree: &Tree,
    now: Timestamp,
    busy: &HashSet<InstanceId>,
    limit: usize,
) -> Result<Vec<InstanceId>, StoreError> {
    let range = keys::all(Kind::DueCourier)..keys::time_end(Kind::DueCourier, now);
    let mut due = Vec::new();
    for entry in tree.range(range) {
        if due.len() == limit {
            break;
        }
        let (key, _) = entry.map_err(transient)?;
        let (_, instance) = keys::parse_due_courier(&key)?;
        if !busy.contains(&instance) {
            due.push(instance);
        }
    }
    Ok(due)
}

/// The next time that a courier wakes, later than `after`.
pub(super) fn next(tree: &Tree, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let mut later = tree.range(keys::time_end(Kind::DueCourier, after)..keys::end(Kind::DueCourier));
    let first = later.next().transpose().map_err(transient)?;
    first.map(|(key, _)| Ok(keys::parse_due_courier(&key)?.0)).transpose()
}
