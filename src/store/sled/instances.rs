//! Instances with the rows of their resources: created, replaced, removed, read.
//! Excludes fingerprints and notifications, which only lose their owner here.

use ::sled::{IVec, Tree};

use super::keys::{self, ALL_RESOURCES, Kind, ResourceNumber, corrupt};
use super::rows::{self, RowHead};
use super::transaction::Transaction;
use super::{couriers, transient};
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::instance::Instance;
use crate::domain::poll::ResourceState;
use crate::ports::StoreError;

pub(super) type Rows = Vec<(String, ResourceState)>;

pub(super) fn create(
    transaction: &mut Transaction<'_>,
    mut instance: Instance,
    resources: Rows,
) -> Result<Instance, StoreError> {
    instance.id = transaction.next_instance();
    for hash in hashes(&instance) {
        put_token(transaction, instance.id, hash)?;
    }
    transaction.put(keys::of(Kind::Instance, instance.id), rows::encode_instance(&instance)?);
    for (name, state) in resources {
        let resource = transaction.next_resource()?;
        put_row(transaction, instance.id, &name, resource, None, &state)?;
    }
    Ok(instance)
}

pub(super) fn update(
    transaction: &mut Transaction<'_>,
    instance: &Instance,
    resources: Rows,
    removed: &[String],
) -> Result<(), StoreError> {
    let key = keys::of(Kind::Instance, instance.id);
    let stored = transaction
        .get(&key)?
        .ok_or_else(|| StoreError::Conflict(format!("instance {}", instance.id)))?;
    let stored = rows::decode_instance(&key, &stored)?;
    if stored.revision + 1 != instance.revision {
        return Err(StoreError::Conflict(format!("instance {}", instance.id)));
    }
    for hash in hashes(&stored).filter(|hash| !hashes(instance).any(|kept| kept == *hash)) {
        transaction.remove(keys::token(hash));
    }
    for hash in hashes(instance).filter(|hash| !hashes(&stored).any(|had| had == *hash)) {
        put_token(transaction, instance.id, hash)?;
    }
    transaction.put(key, rows::encode_instance(instance)?);
    for name in removed {
        if let Some(head) = head(transaction, instance.id, name)? {
            remove_row(transaction, instance.id, name, head);
            transaction.put(keys::orphan(instance.id, head.resource), &[]);
        }
    }
    for (name, state) in resources {
        let before = if removed.contains(&name) {
            None
        } else {
            head(transaction, instance.id, &name)?
        };
        if before.is_some_and(|before| state.revision <= before.revision) {
            return Err(conflict(instance.id, &name));
        }
        let resource = match before {
            Some(before) => before.resource,
            None => transaction.next_resource()?,
        };
        put_row(transaction, instance.id, &name, resource, before, &state)?;
    }
    // Its courier may have rested because of what is changed now.
    couriers::call_if_alive(transaction, instance.id, instance.updated)
}

/// Takes the instance out of everybody's sight. What it leaves behind is removed piece by piece; see `removal`.
pub(super) fn delete(transaction: &mut Transaction<'_>, id: InstanceId) -> Result<bool, StoreError> {
    let key = keys::of(Kind::Instance, id);
    let Some(stored) = transaction.get(&key)? else {
        return Ok(false);
    };
    let stored = rows::decode_instance(&key, &stored)?;
    for hash in hashes(&stored) {
        transaction.remove(keys::token(hash));
    }
    transaction.remove(key);
    transaction.remove(keys::of(Kind::Memo, id));
    couriers::remove(transaction, id)?;
    for row in transaction.tree().scan_prefix(keys::of(Kind::Row, id)) {
        let (key, value) = row.map_err(transient)?;
        let head = rows::decode_row_head(&key, &value)?;
        remove_row(transaction, id, keys::parse_row(&key)?, head);
    }
    transaction.put(keys::orphan(id, ALL_RESOURCES), &[]);
    Ok(true)
}

/// By which an instance is found: of its token, and of those from before a rotation.
fn hashes(instance: &Instance) -> impl Iterator<Item = &str> {
    let old = instance.old_tokens.iter().map(|token| token.sha256.as_str());
    std::iter::once(instance.token_hash.as_str()).chain(old)
}

fn put_token(transaction: &mut Transaction<'_>, instance: InstanceId, hash: &str) -> Result<(), StoreError> {
    let key = keys::token(hash);
    if transaction.get(&key)?.is_some() {
        return Err(StoreError::Conflict("the owner of the token".into()));
    }
    transaction.put(key, &instance.0.to_be_bytes());
    Ok(())
}

/// Writes a row and moves its due key. `before` is the row that it replaces.
pub(super) fn put_row(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    name: &str,
    resource: ResourceNumber,
    before: Option<RowHead>,
    state: &ResourceState,
) -> Result<(), StoreError> {
    let due_before = before.and_then(|before| before.due);
    if due_before != state.due {
        if let Some(due) = due_before {
            transaction.remove(keys::due_poll(due, instance, resource));
        }
        if let Some(due) = state.due {
            transaction.put(keys::due_poll(due, instance, resource), name);
        }
    }
    transaction.put(keys::row(instance, name), rows::encode_row(resource, state)?);
    Ok(())
}

fn remove_row(transaction: &mut Transaction<'_>, instance: InstanceId, name: &str, head: RowHead) {
    transaction.remove(keys::row(instance, name));
    if let Some(due) = head.due {
        transaction.remove(keys::due_poll(due, instance, head.resource));
    }
}

pub(super) fn conflict(instance: InstanceId, name: &str) -> StoreError {
    let key = ResourceKey {
        instance,
        resource: name.to_owned(),
    };
    StoreError::Conflict(key.to_string())
}

fn head(transaction: &Transaction<'_>, instance: InstanceId, name: &str) -> Result<Option<RowHead>, StoreError> {
    row_head(transaction.tree(), instance, name)
}

pub(super) fn row_head(tree: &Tree, instance: InstanceId, name: &str) -> Result<Option<RowHead>, StoreError> {
    let key = keys::row(instance, name);
    let value = tree.get(&key).map_err(transient)?;
    value.map(|value| rows::decode_row_head(&key, &value)).transpose()
}

pub(super) fn exists(tree: &Tree, id: InstanceId) -> Result<bool, StoreError> {
    Ok(id == InstanceId::OPERATOR || tree.contains_key(keys::of(Kind::Instance, id)).map_err(transient)?)
}

pub(super) fn instance(tree: &Tree, id: InstanceId) -> Result<Option<Instance>, StoreError> {
    let key = keys::of(Kind::Instance, id);
    let value = tree.get(&key).map_err(transient)?;
    value.map(|value| rows::decode_instance(&key, &value)).transpose()
}

pub(super) fn by_token(tree: &Tree, hash: &str) -> Result<Option<Instance>, StoreError> {
    let key = keys::token(hash);
    let Some(value) = tree.get(&key).map_err(transient)? else {
        return Ok(None);
    };
    let id = <[u8; 8]>::try_from(value.as_ref()).map_err(|_| corrupt(&key, "not the number of an instance"))?;
    instance(tree, InstanceId(u64::from_be_bytes(id)))
}

pub(super) fn all(tree: &Tree) -> Result<Vec<Instance>, StoreError> {
    let values = tree.scan_prefix(keys::all(Kind::Instance));
    values
        .map(|entry| {
            let (key, value) = entry.map_err(transient)?;
            rows::decode_instance(&key, &value)
        })
        .collect()
}

pub(super) fn memo(tree: &Tree, id: InstanceId) -> Result<Option<Vec<u8>>, StoreError> {
    let value = tree.get(keys::of(Kind::Memo, id)).map_err(transient)?;
    Ok(value.map(|value: IVec| value.to_vec()))
}

pub(super) fn resource(tree: &Tree, key: &ResourceKey) -> Result<Option<ResourceState>, StoreError> {
    let key = keys::row(key.instance, &key.resource);
    let value = tree.get(&key).map_err(transient)?;
    value.map(|value| rows::decode_row(&key, &value)).transpose()
}

/// In order of name.
pub(super) fn resources(tree: &Tree, id: InstanceId) -> Result<Rows, StoreError> {
    let values = tree.scan_prefix(keys::of(Kind::Row, id));
    values
        .map(|entry| {
            let (key, value) = entry.map_err(transient)?;
            Ok((keys::parse_row(&key)?.to_owned(), rows::decode_row(&key, &value)?))
        })
        .collect()
}
