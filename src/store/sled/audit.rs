//! The audit log: appended, read from the newest, dropped when it is old enough.
//! Excludes any change of an entry: what was written stays as it is.

use ::sled::Tree;

use super::keys::{self, Kind};
use super::transaction::Transaction;
use super::{rows, transient};
use crate::domain::audit::{AuditEntry, AuditPage, AuditPlace, AuditQuery};
use crate::domain::time::Timestamp;
use crate::ports::StoreError;

/// Most entries that one read looks at, so that a filter that hardly anything passes ends soon; the page then says where to
/// go on.
const SCAN_MAX: usize = 10_000;

/// Entries of one millisecond are numbered, whatever they say: none can take another one's place.
pub(super) fn append(transaction: &mut Transaction<'_>, entry: &AuditEntry) -> Result<(), StoreError> {
    let moment = keys::time_start(Kind::Audit, entry.at)..keys::time_end(Kind::Audit, entry.at);
    let last = transaction.tree().range(moment).next_back();
    let number = match last.transpose().map_err(transient)? {
        Some((key, _)) => keys::parse_audit(&key)?.number.checked_add(1),
        None => Some(0),
    };
    let number = number.ok_or_else(|| StoreError::Corrupt("no number is left for an audit entry".into()))?;
    let place = AuditPlace { at: entry.at, number };
    transaction.put(keys::audit(place), rows::encode_audit(entry)?);
    Ok(())
}

/// The newest first.
pub(super) fn newest(tree: &Tree, query: &AuditQuery, limit: usize) -> Result<AuditPage, StoreError> {
    let start = match query.from {
        Some(from) => keys::time_start(Kind::Audit, from),
        None => keys::all(Kind::Audit),
    };
    let ends = [
        query.to.map(|to| keys::time_start(Kind::Audit, to)),
        query.before.map(keys::audit),
    ];
    let end = ends
        .into_iter()
        .flatten()
        .min()
        .unwrap_or_else(|| keys::end(Kind::Audit));
    let mut page = AuditPage::default();
    if start >= end {
        return Ok(page);
    }
    let mut last = None;
    for (scanned, entry) in tree.range(start..end).rev().enumerate() {
        // There is one more, so that the next page is not empty for want of any.
        if page.entries.len() == limit || scanned == SCAN_MAX {
            page.next = last;
            break;
        }
        let (key, value) = entry.map_err(transient)?;
        last = Some(keys::parse_audit(&key)?);
        let entry = rows::decode_audit(&key, &value)?;
        if query.instance.is_none() || query.instance == entry.instance {
            page.entries.push(entry);
        }
    }
    Ok(page)
}

/// Drops entries from before `time`, `limit` at most.
pub(super) fn purge(transaction: &mut Transaction<'_>, time: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let range = keys::all(Kind::Audit)..keys::time_start(Kind::Audit, time);
    let mut count = 0;
    for key in transaction.tree().range(range).keys().take(limit) {
        transaction.remove(key.map_err(transient)?);
        count += 1;
        if transaction.is_long() {
            transaction.apply()?;
        }
    }
    Ok(count)
}
