//! Batches of notifications in the tree: added by a commit, read, settled, purged.
//! Decides nothing about deliveries: each is written as it was settled.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ::sled::Tree;

use super::batches::{Deliveries, pack, unpack};
use super::codec::Malformed;
use super::database::VALUE_BYTES_MAX;
use super::keys::{self, Kind, corrupt};
use super::transaction::Transaction;
use super::{instances, transient};
use crate::domain::delivery::{OutboxId, Outgoing};
use crate::domain::event::Notification;
use crate::domain::id::InstanceId;
use crate::domain::time::Timestamp;
use crate::ports::{Settlement, StoreError};

pub(super) fn add(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    notifications: &[Notification],
    deliver: bool,
) {
    for packed in pack(notifications) {
        let batch = transaction.next_batch();
        for (place, piece) in (0..).zip(packed.value.chunks(VALUE_BYTES_MAX)) {
            transaction.put(keys::piece(instance, batch, place), piece);
        }
        let deliveries = Deliveries::new(packed.notifications, deliver);
        put_deliveries(transaction, instance, batch, None, &deliveries);
    }
}

/// Writes what became of a batch, with the keys by which it is found. `before` is what it replaces.
fn put_deliveries(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    batch: u64,
    before: Option<&Deliveries>,
    deliveries: &Deliveries,
) {
    let state = state_key(instance, batch, deliveries);
    let mut times = time_keys(instance, batch, deliveries);
    if let Some(before) = before {
        let state_before = state_key(instance, batch, before);
        if state_before != state {
            transaction.remove(state_before);
        }
        for key in time_keys(instance, batch, before) {
            if !times.remove(&key) {
                transaction.remove(key);
            }
        }
    }
    transaction.put(state, deliveries.encode());
    times.into_iter().for_each(|key| transaction.put(key, &[]));
}

/// The key of the deliveries themselves.
fn state_key(instance: InstanceId, batch: u64, deliveries: &Deliveries) -> Vec<u8> {
    let kind = if deliveries.alive() { Kind::Alive } else { Kind::Settled };
    keys::batch(kind, instance, batch)
}

/// The keys that find the batch in time: one for each time that something in it is due, or one for purging.
fn time_keys(instance: InstanceId, batch: u64, deliveries: &Deliveries) -> BTreeSet<Vec<u8>> {
    if deliveries.alive() {
        let due = deliveries.due();
        due.map(|due| keys::timed_batch(Kind::DueDelivery, due, instance, batch))
            .collect()
    } else {
        let created = deliveries.created;
        BTreeSet::from([keys::timed_batch(Kind::Purgeable, created, instance, batch)])
    }
}

/// Removes the keys beside `Batch` itself that one batch has.
pub(super) fn remove_deliveries(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    batch: u64,
    deliveries: &Deliveries,
) {
    transaction.remove(state_key(instance, batch, deliveries));
    let times = time_keys(instance, batch, deliveries);
    times.into_iter().for_each(|key| transaction.remove(key));
}

fn read_deliveries(
    tree: &Tree,
    kind: Kind,
    instance: InstanceId,
    batch: u64,
) -> Result<Option<Deliveries>, StoreError> {
    let key = keys::batch(kind, instance, batch);
    let value = tree.get(&key).map_err(transient)?;
    value.map(|value| decode_deliveries(&key, &value)).transpose()
}

fn deliveries_of(tree: &Tree, instance: InstanceId, batch: u64) -> Result<Option<Deliveries>, StoreError> {
    match read_deliveries(tree, Kind::Alive, instance, batch)? {
        Some(deliveries) => Ok(Some(deliveries)),
        None => read_deliveries(tree, Kind::Settled, instance, batch),
    }
}

pub(super) fn decode_deliveries(key: &[u8], value: &[u8]) -> Result<Deliveries, StoreError> {
    Deliveries::decode(value).map_err(|error| corrupt(key, error))
}

/// Settlements of what is gone meanwhile are ignored.
pub(super) fn settle(transaction: &mut Transaction<'_>, settlements: Vec<Settlement>) -> Result<(), StoreError> {
    let mut batches: BTreeMap<(InstanceId, u64), Vec<Settlement>> = BTreeMap::new();
    for settlement in settlements {
        let batch = (settlement.instance, settlement.id.batch);
        batches.entry(batch).or_default().push(settlement);
    }
    for ((instance, batch), settlements) in batches {
        // One batch settled without another is no harm: each notification stands for itself.
        if transaction.is_long() {
            transaction.apply()?;
        }
        if !instances::exists(transaction.tree(), instance)? {
            continue;
        }
        let Some(before) = deliveries_of(transaction.tree(), instance, batch)? else {
            continue;
        };
        let mut deliveries = before.clone();
        for settlement in settlements {
            let place = settlement.id.index as usize;
            let delivery = deliveries.each.get_mut(place).ok_or_else(|| {
                let count = before.each.len();
                StoreError::Corrupt(format!("batch {batch} has no notification {place}, but {count}"))
            })?;
            *delivery = settlement.delivery;
        }
        put_deliveries(transaction, instance, batch, Some(&before), &deliveries);
    }
    Ok(())
}

/// Drops settled batches that were made before `time`, `limit` at most.
pub(super) fn purge(transaction: &mut Transaction<'_>, time: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let range = keys::all(Kind::Purgeable)..keys::time_start(Kind::Purgeable, time);
    let mut count = 0;
    for entry in transaction.tree().range(range).take(limit) {
        let (key, _) = entry.map_err(transient)?;
        let (_, instance, batch) = keys::parse_timed_batch(&key)?;
        transaction.remove(key);
        transaction.remove(keys::batch(Kind::Settled, instance, batch));
        for piece in transaction
            .tree()
            .scan_prefix(keys::batch(Kind::Batch, instance, batch))
            .keys()
        {
            transaction.remove(piece.map_err(transient)?);
        }
        count += 1;
        if transaction.is_long() {
            transaction.apply()?;
        }
    }
    Ok(count)
}

/// Alive ones, the oldest first, whole batches until `limit` is reached.
pub(super) fn alive(tree: &Tree, instance: InstanceId, limit: usize) -> Result<Vec<Outgoing>, StoreError> {
    let mut outgoing = Vec::new();
    if !instances::exists(tree, instance)? {
        return Ok(outgoing);
    }
    for entry in tree.scan_prefix(keys::of(Kind::Alive, instance)) {
        if outgoing.len() >= limit {
            break;
        }
        let (key, value) = entry.map_err(transient)?;
        let (_, batch) = keys::parse_batch(&key)?;
        let deliveries = decode_deliveries(&key, &value)?;
        let batch = join(tree, instance, batch, deliveries)?;
        outgoing.extend(batch.into_iter().filter(|outgoing| outgoing.delivery.status.is_alive()));
    }
    Ok(outgoing)
}

/// The newest first, older than `before`.
pub(super) fn newest(
    tree: &Tree,
    instance: InstanceId,
    before: Option<OutboxId>,
    limit: usize,
) -> Result<Vec<Outgoing>, StoreError> {
    let mut outgoing: Vec<Outgoing> = Vec::new();
    if !instances::exists(tree, instance)? {
        return Ok(outgoing);
    }
    // Behind every piece of the batch that `before` is in.
    let last = before.map_or(u64::MAX, |before| before.batch);
    let mut end = keys::piece(instance, last, u32::MAX);
    loop {
        let range = keys::of(Kind::Batch, instance)..end;
        let Some((key, _)) = tree.range(range).next_back().transpose().map_err(transient)? else {
            return Ok(outgoing);
        };
        let (_, batch) = keys::parse_batch(&key)?;
        end = keys::batch(Kind::Batch, instance, batch);
        // Absent: purged between the two reads.
        let Some(deliveries) = deliveries_of(tree, instance, batch)? else {
            continue;
        };
        for one in join(tree, instance, batch, deliveries)?.into_iter().rev() {
            if outgoing.len() == limit {
                return Ok(outgoing);
            }
            if before.is_none_or(|before| one.id < before) {
                outgoing.push(one);
            }
        }
    }
}

/// A batch's notifications with what became of them; none when it was removed since the deliveries were read.
fn join(tree: &Tree, instance: InstanceId, batch: u64, deliveries: Deliveries) -> Result<Vec<Outgoing>, StoreError> {
    let key = keys::batch(Kind::Batch, instance, batch);
    let mut value = Vec::new();
    for piece in tree.scan_prefix(&key).values() {
        value.extend_from_slice(&piece.map_err(transient)?);
    }
    let notifications = unpack(&value).and_then(|notifications| {
        if notifications.len() == deliveries.each.len() {
            Ok(notifications)
        } else {
            Err(Malformed("another count of notifications than of deliveries"))
        }
    });
    let notifications = match notifications {
        Ok(notifications) => notifications,
        Err(_) if deliveries_of(tree, instance, batch)?.is_none() => Vec::new(),
        Err(error) => return Err(corrupt(&key, error)),
    };
    let pairs = notifications.into_iter().zip(deliveries.each);
    Ok((0..)
        .zip(pairs)
        .map(|(index, (notification, delivery))| Outgoing {
            id: OutboxId { batch, index },
            notification,
            delivery,
        })
        .collect())
}

/// Instances with something due at or before `now`, the longest waiting first.
pub(super) fn due(
    tree: &Tree,
    now: Timestamp,
    busy: &HashSet<InstanceId>,
    limit: usize,
) -> Result<Vec<InstanceId>, StoreError> {
    let mut instances: Vec<InstanceId> = Vec::new();
    let mut gone: Vec<InstanceId> = Vec::new();
    for entry in tree.range(keys::all(Kind::DueDelivery)..keys::time_end(Kind::DueDelivery, now)) {
        if instances.len() == limit {
            break;
        }
        let (key, _) = entry.map_err(transient)?;
        let (_, instance, _) = keys::parse_timed_batch(&key)?;
        if busy.contains(&instance) || instances.contains(&instance) || gone.contains(&instance) {
            continue;
        }
        // A deleted instance's keys are removed piece by piece.
        if instances::exists(tree, instance)? {
            instances.push(instance);
        } else {
            gone.push(instance);
        }
    }
    Ok(instances)
}

/// The earliest due time later than `after`.
pub(super) fn next_due(tree: &Tree, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let mut gone = None;
    for entry in tree.range(keys::time_end(Kind::DueDelivery, after)..keys::end(Kind::DueDelivery)) {
        let (key, _) = entry.map_err(transient)?;
        let (due, instance, _) = keys::parse_timed_batch(&key)?;
        if gone == Some(instance) {
            continue;
        }
        if instances::exists(tree, instance)? {
            return Ok(Some(due));
        }
        gone = Some(instance);
    }
    Ok(None)
}
