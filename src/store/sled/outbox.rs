//! Batches of notifications in the tree: added by a commit, read, settled, purged.
//! Decides nothing about deliveries: each is written as it was settled.

use std::collections::BTreeMap;

use ::sled::Tree;
use bytes::Bytes;

use super::batches::{Deliveries, pack, unpack};
use super::codec::{Malformed, Reader};
use super::database::VALUE_BYTES_MAX;
use super::keys::{self, Kind, corrupt};
use super::transaction::Transaction;
use super::{couriers, instances, rows, transient};
use crate::domain::delivery::{AttemptRow, DeliveryStatus, OutboxId, Outgoing};
use crate::domain::event::Notification;
use crate::domain::id::InstanceId;
use crate::domain::time::Timestamp;
use crate::engine::redeliver::again;
use crate::ports::{Horizon, Settled, Settlement, StoreError};

pub(super) fn add(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    notifications: &[Notification],
    deliver: bool,
) -> Result<(), StoreError> {
    for packed in pack(notifications) {
        let batch = transaction.next_batch();
        for (place, piece) in (0..).zip(packed.value.chunks(VALUE_BYTES_MAX)) {
            transaction.put(keys::piece(instance, batch, place), piece);
        }
        let deliveries = Deliveries::new(packed.notifications, deliver);
        for (index, number) in (0_u32..).zip(&deliveries.numbers) {
            let place = [&instance.0.to_be_bytes()[..], &index.to_be_bytes()].concat();
            transaction.put(keys::number(*number, batch), place);
        }
        put_deliveries(transaction, instance, batch, None, &deliveries);
    }
    match notifications.iter().map(|notification| notification.created).min() {
        Some(first) if deliver => couriers::call(transaction, instance, first),
        _ => Ok(()),
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
    let purge = purge_key(instance, batch, deliveries);
    let purge_before = before.and_then(|before| purge_key(instance, batch, before));
    if let Some(before) = before {
        let state_before = state_key(instance, batch, before);
        if state_before != state {
            transaction.remove(state_before);
        }
    }
    if purge != purge_before {
        if let Some(before) = purge_before {
            transaction.remove(before);
        }
        if let Some(purge) = purge {
            transaction.put(purge, &[]);
        }
    }
    transaction.put(state, deliveries.encode());
}

/// The key of the deliveries themselves.
fn state_key(instance: InstanceId, batch: u64, deliveries: &Deliveries) -> Vec<u8> {
    let kind = if deliveries.alive() { Kind::Alive } else { Kind::Settled };
    keys::batch(kind, instance, batch)
}

/// The key by which a batch is found when it is old; none while something in it is alive.
fn purge_key(instance: InstanceId, batch: u64, deliveries: &Deliveries) -> Option<Vec<u8>> {
    let kind = if deliveries.all_delivered() {
        Kind::Purgeable
    } else {
        Kind::PurgeableLater
    };
    let key = || keys::timed_batch(kind, deliveries.created, instance, batch);
    (!deliveries.alive()).then(key)
}

/// Removes the keys beside `Batch` itself that one batch has.
pub(super) fn remove_deliveries(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    batch: u64,
    deliveries: &Deliveries,
) {
    transaction.remove(state_key(instance, batch, deliveries));
    if let Some(key) = purge_key(instance, batch, deliveries) {
        transaction.remove(key);
    }
    for number in &deliveries.numbers {
        transaction.remove(keys::number(*number, batch));
    }
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
    // Alive ones once more: a redelivery may bring them back between the two.
    for kind in [Kind::Alive, Kind::Settled, Kind::Alive] {
        if let Some(deliveries) = read_deliveries(tree, kind, instance, batch)? {
            return Ok(Some(deliveries));
        }
    }
    Ok(None)
}

pub(super) fn decode_deliveries(key: &[u8], value: &[u8]) -> Result<Deliveries, StoreError> {
    Deliveries::decode(value).map_err(|error| corrupt(key, error))
}

/// Settlements of what is gone meanwhile are ignored.
pub(super) fn settle(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    settled: Settled,
) -> Result<(), StoreError> {
    if !instances::exists(transaction.tree(), instance)? {
        return Ok(());
    }
    if let Some(endpoint) = settled.endpoint
        && couriers::put_own(transaction, instance, &endpoint)?
    {
        add(transaction, InstanceId::OPERATOR, &settled.told, true)?;
    }
    let mut batches: BTreeMap<u64, Vec<Settlement>> = BTreeMap::new();
    for settlement in settled.settlements {
        batches.entry(settlement.id.batch).or_default().push(settlement);
    }
    for (batch, settlements) in batches {
        // One batch settled without another is no harm: each notification stands for itself.
        if transaction.is_long() {
            transaction.apply()?;
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
            if let Some(attempt) = &settlement.attempt {
                let key = keys::attempt(instance, batch, settlement.id.index, attempt.number);
                transaction.put(key, rows::encode_attempt(attempt)?);
            }
        }
        put_deliveries(transaction, instance, batch, Some(&before), &deliveries);
    }
    Ok(())
}

/// Has these delivered again. What is gone, or not as it was when it was asked for, is left alone.
pub(super) fn redeliver(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    places: Vec<(OutboxId, DeliveryStatus)>,
    now: Timestamp,
) -> Result<usize, StoreError> {
    if !instances::exists(transaction.tree(), instance)? {
        return Ok(0);
    }
    couriers::call(transaction, instance, now)?;
    let mut batches: BTreeMap<u64, Vec<(u32, DeliveryStatus)>> = BTreeMap::new();
    for (place, was) in places {
        batches.entry(place.batch).or_default().push((place.index, was));
    }
    let mut count = 0;
    for (batch, places) in batches {
        if transaction.is_long() {
            transaction.apply()?;
        }
        let Some(before) = deliveries_of(transaction.tree(), instance, batch)? else {
            continue;
        };
        let mut deliveries = before.clone();
        for (index, was) in places {
            if let Some(delivery) = deliveries.each.get_mut(index as usize)
                && let Some(next) = again(delivery, was, now)
            {
                *delivery = next;
                count += 1;
            }
        }
        put_deliveries(transaction, instance, batch, Some(&before), &deliveries);
    }
    Ok(count)
}

/// Drops settled batches that were made before the horizon, `limit` at most.
pub(super) fn purge(transaction: &mut Transaction<'_>, before: Horizon, limit: usize) -> Result<usize, StoreError> {
    let delivered = purge_kind(transaction, Kind::Purgeable, before.delivered, limit)?;
    let undelivered = purge_kind(transaction, Kind::PurgeableLater, before.undelivered, limit - delivered)?;
    Ok(delivered + undelivered)
}

fn purge_kind(
    transaction: &mut Transaction<'_>,
    kind: Kind,
    time: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let range = keys::all(kind)..keys::time_start(kind, time);
    let mut count = 0;
    for entry in transaction.tree().range(range).take(limit) {
        let (key, _) = entry.map_err(transient)?;
        let (_, instance, batch) = keys::parse_timed_batch(&key)?;
        transaction.remove(key);
        if let Some(deliveries) = read_deliveries(transaction.tree(), Kind::Settled, instance, batch)? {
            remove_deliveries(transaction, instance, batch, &deliveries);
        }
        for kind in [Kind::Batch, Kind::Attempt] {
            for piece in transaction
                .tree()
                .scan_prefix(keys::batch(kind, instance, batch))
                .keys()
            {
                transaction.remove(piece.map_err(transient)?);
            }
        }
        count += 1;
        if transaction.is_long() {
            transaction.apply()?;
        }
    }
    Ok(count)
}

/// The notifications with a number: nearly always one or none.
pub(super) fn find(tree: &Tree, number: u64) -> Result<Vec<(InstanceId, Outgoing)>, StoreError> {
    let mut found = Vec::new();
    for entry in tree.scan_prefix(keys::numbers(number)) {
        let (key, value) = entry.map_err(transient)?;
        let batch = keys::parse_number(&key)?;
        let (instance, index) = parse_place(&value).map_err(|error| corrupt(&key, error))?;
        if !instances::exists(tree, instance)? {
            continue;
        }
        let Some(deliveries) = deliveries_of(tree, instance, batch)? else {
            continue;
        };
        let mut joined = join(tree, instance, batch, deliveries)?.into_iter();
        found.extend(joined.nth(index as usize).map(|outgoing| (instance, outgoing)));
    }
    Ok(found)
}

fn parse_place(value: &[u8]) -> Result<(InstanceId, u32), Malformed> {
    let mut reader = Reader::new(value);
    let instance = InstanceId(u64::from_be_bytes(reader.array()?));
    Ok((instance, u32::from_be_bytes(reader.array()?)))
}

/// Of one notification, the oldest first.
pub(super) fn attempts(tree: &Tree, instance: InstanceId, id: OutboxId) -> Result<Vec<AttemptRow>, StoreError> {
    if !instances::exists(tree, instance)? {
        return Ok(Vec::new());
    }
    let rows = tree.scan_prefix(keys::attempts(instance, id.batch, id.index));
    rows.map(|entry| {
        let (key, value) = entry.map_err(transient)?;
        rows::decode_attempt(&key, &value)
    })
    .collect()
}

/// Bodies of `alive` together: a backlog of large ones must not be in memory at once, for each of many instances.
const BODIES_BYTES_MAX: usize = 16 << 20;

/// Alive ones, the oldest first, whole batches until `limit` is reached. Bodies beyond `BODIES_BYTES_MAX` are left out.
pub(super) fn alive(tree: &Tree, instance: InstanceId, limit: usize) -> Result<Vec<Outgoing>, StoreError> {
    let mut outgoing = Vec::new();
    let mut room = BODIES_BYTES_MAX;
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
        for mut alive in batch.into_iter().filter(|one| one.delivery.status.is_alive()) {
            match room.checked_sub(alive.notification.body.len()) {
                Some(rest) => room = rest,
                None => alive.notification.body = Bytes::new(),
            }
            outgoing.push(alive);
        }
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
pub(super) fn join(
    tree: &Tree,
    instance: InstanceId,
    batch: u64,
    deliveries: Deliveries,
) -> Result<Vec<Outgoing>, StoreError> {
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
