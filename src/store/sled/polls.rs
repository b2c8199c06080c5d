//! What a poll needs: which resources are due, what their records looked like, and the commit of a page.
//! Decides nothing: the page is written as it was planned, or refused whole.

use ::sled::Tree;

use super::instances::{conflict, put_row, row_head};
use super::keys::{self, Kind, corrupt};
use super::leaf_cache::LeafCache;
use super::transaction::Transaction;
use super::{fingerprints, outbox, sketches, transient};
use crate::domain::id::ResourceKey;
use crate::domain::record::{Fingerprint, Sketches};
use crate::domain::time::Timestamp;
use crate::ports::{PageCommit, Skip, StoreError};

pub(super) fn commit(transaction: &mut Transaction<'_>, page: &PageCommit) -> Result<(), StoreError> {
    let ResourceKey { instance, resource } = &page.resource;
    let before = row_head(transaction.tree(), *instance, resource)?
        .filter(|before| before.revision.checked_add(1) == Some(page.state.revision))
        .ok_or_else(|| conflict(*instance, resource))?;
    put_row(
        transaction,
        *instance,
        resource,
        before.resource,
        Some(before),
        &page.state,
    )?;
    match page.memo.as_deref() {
        None => {}
        Some([]) => transaction.remove(keys::of(Kind::Memo, *instance)),
        Some(memo) => transaction.put(keys::of(Kind::Memo, *instance), memo),
    }
    if !page.fingerprints.is_empty() {
        let leaves = transaction.leaves(*instance, before.resource);
        let plan = fingerprints::plan(transaction.tree(), &leaves, &page.fingerprints)?;
        transaction.put_leaves(leaves, plan);
    }
    if let Some(update) = &page.sketches {
        sketches::put(transaction, *instance, before.resource, update);
    }
    outbox::add(transaction, *instance, &page.notifications, page.deliver)
}

/// In the order of `ids`. A resource that is gone remembers nothing.
pub(super) fn fingerprints(
    tree: &Tree,
    cache: &LeafCache,
    key: &ResourceKey,
    ids: &[String],
) -> Result<Vec<Option<Fingerprint>>, StoreError> {
    match row_head(tree, key.instance, &key.resource)? {
        Some(head) => fingerprints::read(tree, &cache.of(keys::leaves(key.instance, head.resource)), ids),
        None => Ok(vec![None; ids.len()]),
    }
}

/// In the order of `ids`. Of a resource that is gone nothing is known.
pub(super) fn sketches(tree: &Tree, key: &ResourceKey, ids: &[String]) -> Result<Sketches, StoreError> {
    match row_head(tree, key.instance, &key.resource)? {
        Some(head) => sketches::read(tree, key.instance, head.resource, ids),
        None => Ok(Sketches {
            names: Vec::new(),
            each: vec![None; ids.len()],
        }),
    }
}

/// Due at or before `now`, the longest waiting first.
pub(super) fn due(tree: &Tree, now: Timestamp, skip: &Skip, limit: usize) -> Result<Vec<ResourceKey>, StoreError> {
    let mut due = Vec::new();
    for entry in tree.range(keys::all(Kind::DuePoll)..keys::time_end(Kind::DuePoll, now)) {
        if due.len() == limit {
            break;
        }
        let (key, name) = entry.map_err(transient)?;
        let (_, instance) = keys::parse_due_poll(&key)?;
        let name = std::str::from_utf8(&name).map_err(|error| corrupt(&key, error))?;
        let key = ResourceKey {
            instance,
            resource: name.to_owned(),
        };
        if !skip.resources.contains(&key) && !skip.instances.contains(&key.instance) {
            due.push(key);
        }
    }
    Ok(due)
}

/// The earliest due time later than `after`.
pub(super) fn next(tree: &Tree, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let mut later = tree.range(keys::time_end(Kind::DuePoll, after)..keys::end(Kind::DuePoll));
    let first = later.next().transpose().map_err(transient)?;
    first.map(|(key, _)| Ok(keys::parse_due_poll(&key)?.0)).transpose()
}
