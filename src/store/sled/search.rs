//! Looking through an instance's notifications, either way, a bounded number at a time.
//! Changes nothing, and leaves bodies out: a filter that hardly anything passes must not cost memory.

use ::sled::Tree;

use super::batches::Deliveries;
use super::keys::{self, Kind};
use super::outbox::{decode_deliveries, join};
use super::{instances, transient};
use crate::domain::delivery::OutboxId;
use crate::domain::id::InstanceId;
use crate::ports::{Backlog, Search, Searched, StoreError};

pub(super) fn search(tree: &Tree, instance: InstanceId, search: &Search, limit: usize) -> Result<Searched, StoreError> {
    let mut searched = Searched::default();
    if !instances::exists(tree, instance)? {
        return Ok(searched);
    }
    let is_beyond = |id: OutboxId| match search.beyond {
        Some(beyond) if search.newest_first => id < beyond,
        Some(beyond) => id > beyond,
        None => true,
    };
    let is_wanted = |status| search.statuses.as_ref().is_none_or(|wanted| wanted.contains(&status));
    let mut walk = Walk::new(instance, search);
    let mut looked = 0;
    let mut last = search.beyond;
    while let Some((batch, deliveries)) = walk.next(tree)? {
        let places = (0..).zip(&deliveries.each).map(|(index, _)| OutboxId { batch, index });
        let mut places: Vec<OutboxId> = places.filter(|place| is_beyond(*place)).collect();
        if search.newest_first {
            places.reverse();
        }
        // Nothing is left of the batch that the last search ended in.
        let Some(end) = places.last() else { continue };
        if looked >= limit {
            searched.next = last;
            return Ok(searched);
        }
        looked += places.len();
        last = Some(*end);
        // Of most batches the deliveries alone have to be read.
        if !deliveries.each.iter().any(|delivery| is_wanted(delivery.status)) {
            continue;
        }
        let mut rows = join(tree, instance, batch, deliveries)?;
        if search.newest_first {
            rows.reverse();
        }
        rows.retain(|row| is_wanted(row.delivery.status) && is_beyond(row.id));
        rows.iter_mut().for_each(|row| row.notification.body.clear());
        searched.found.append(&mut rows);
    }
    Ok(searched)
}

pub(super) fn backlog(tree: &Tree, instance: InstanceId, limit: usize) -> Result<Backlog, StoreError> {
    let mut backlog = Backlog::default();
    if !instances::exists(tree, instance)? {
        return Ok(backlog);
    }
    for entry in tree.scan_prefix(keys::of(Kind::Alive, instance)) {
        if backlog.alive >= limit {
            backlog.is_cut = true;
            break;
        }
        let (key, value) = entry.map_err(transient)?;
        let deliveries = decode_deliveries(&key, &value)?;
        backlog.alive += deliveries.each.iter().filter(|one| one.status.is_alive()).count();
        backlog.oldest.get_or_insert(deliveries.created);
    }
    Ok(backlog)
}

/// Goes from batch to batch in order of commit, or against it.
struct Walk {
    instance: InstanceId,
    newest_first: bool,
    /// The batches still to be visited.
    from: u64,
    to: u64,
}

impl Walk {
    fn new(instance: InstanceId, search: &Search) -> Self {
        let (mut from, mut to) = (0, u64::MAX);
        match search.beyond {
            Some(beyond) if search.newest_first => to = beyond.batch.saturating_add(1),
            Some(beyond) => from = beyond.batch,
            None => {}
        }
        Self {
            instance,
            newest_first: search.newest_first,
            from,
            to,
        }
    }

    /// A batch is under one of two kinds and may change between them, but not twice while this looks at both.
    fn next(&mut self, tree: &Tree) -> Result<Option<(u64, Deliveries)>, StoreError> {
        let mut nearest: Option<(u64, Deliveries)> = None;
        for kind in [Kind::Settled, Kind::Alive, Kind::Settled] {
            let Some(found) = self.next_of(tree, kind)? else {
                continue;
            };
            let is_nearer = |nearest: &(u64, Deliveries)| match self.newest_first {
                true => found.0 > nearest.0,
                false => found.0 < nearest.0,
            };
            if nearest.as_ref().is_none_or(is_nearer) {
                nearest = Some(found);
            }
        }
        match &nearest {
            Some((batch, _)) if self.newest_first => self.to = *batch,
            Some((batch, _)) => self.from = batch.saturating_add(1),
            None => {}
        }
        Ok(nearest)
    }

    fn next_of(&self, tree: &Tree, kind: Kind) -> Result<Option<(u64, Deliveries)>, StoreError> {
        if self.from >= self.to {
            return Ok(None);
        }
        let range = keys::batch(kind, self.instance, self.from)..keys::batch(kind, self.instance, self.to);
        let mut range = tree.range(range);
        let found = match self.newest_first {
            true => range.next_back(),
            false => range.next(),
        };
        let Some((key, value)) = found.transpose().map_err(transient)? else {
            return Ok(None);
        };
        let (_, batch) = keys::parse_batch(&key)?;
        Ok(Some((batch, decode_deliveries(&key, &value)?)))
    }
}
