//! Removes what a deleted instance or resource leaves behind, piece by piece, so that no change grows with what was kept.
//! Nobody sees these keys any more: their instance or row is gone already.

use ::sled::Tree;

use super::keys::{self, ALL_RESOURCES, Kind, ResourceNumber};
use super::transaction::Transaction;
use super::{outbox, transient};
use crate::domain::id::InstanceId;
use crate::ports::StoreError;

pub(super) fn is_needed(tree: &Tree) -> Result<bool, StoreError> {
    let first = tree.scan_prefix(keys::all(Kind::Orphan)).next();
    Ok(first.transpose().map_err(transient)?.is_some())
}

/// Adds one piece of what is to be removed. The marker goes with the last, so that a removal that is interrupted goes on.
pub(super) fn remove_piece(transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
    let first = transaction.tree().scan_prefix(keys::all(Kind::Orphan)).next();
    let Some((marker, _)) = first.transpose().map_err(transient)? else {
        return Ok(());
    };
    let (instance, resource) = keys::parse_orphan(&marker)?;
    if resource == ALL_RESOURCES {
        remove_instance(transaction, instance)?;
    } else {
        remove_resource(transaction, instance, resource)?;
    }
    if !transaction.is_long() {
        transaction.remove(marker);
    }
    Ok(())
}

fn remove_resource(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    resource: ResourceNumber,
) -> Result<(), StoreError> {
    remove_keys(transaction, keys::leaves(instance, resource))?;
    remove_keys(transaction, keys::of_resource(Kind::Sketch, instance, resource))?;
    remove_keys(transaction, keys::of_resource(Kind::FieldNames, instance, resource))
}

fn remove_instance(transaction: &mut Transaction<'_>, instance: InstanceId) -> Result<(), StoreError> {
    for kind in [Kind::Leaf, Kind::Sketch, Kind::FieldNames] {
        remove_keys(transaction, keys::of(kind, instance))?;
    }
    remove_keys(transaction, keys::of(Kind::Batch, instance))?;
    remove_keys(transaction, keys::of(Kind::Attempt, instance))?;
    for kind in [Kind::Alive, Kind::Settled] {
        for entry in transaction.tree().scan_prefix(keys::of(kind, instance)) {
            if transaction.is_long() {
                return Ok(());
            }
            let (key, value) = entry.map_err(transient)?;
            let (_, batch) = keys::parse_batch(&key)?;
            let deliveries = outbox::decode_deliveries(&key, &value)?;
            outbox::remove_deliveries(transaction, instance, batch, &deliveries);
        }
    }
    Ok(())
}

fn remove_keys(transaction: &mut Transaction<'_>, prefix: Vec<u8>) -> Result<(), StoreError> {
    for key in transaction.tree().scan_prefix(prefix).keys() {
        if transaction.is_long() {
            return Ok(());
        }
        transaction.remove(key.map_err(transient)?);
    }
    Ok(())
}
