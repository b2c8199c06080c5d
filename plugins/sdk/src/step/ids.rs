//! Ids that the gateway would not take: a vendor's data, and no trap, so a fault that says which.
//! Must not cost a page anything: ids that rise, as most vendors give them, are only walked over.

use std::collections::BinaryHeap;

use super::Records;
use crate::Fault;

/// Part of the contract: the longest id of a record.
const BYTES_MAX: usize = 1024;

/// Characters of an id that a message shows.
const SHOWN_CHARS: usize = 100;

/// # Errors
/// A broken fault for an id that is empty, too long or that of two records.
pub(crate) fn check(records: &Records, swept: &[String]) -> Result<(), Fault> {
    check_all(records.ids())?;
    check_all(swept.iter().map(String::as_bytes))
}

fn check_all<'s>(ids: impl Iterator<Item = &'s [u8]> + Clone) -> Result<(), Fault> {
    let mut before: &[u8] = b"";
    let mut rises = true;
    for id in ids.clone() {
        if id.is_empty() || id.len() > BYTES_MAX {
            return Err(unusable(id.len()));
        }
        // Shorter ones first, as numbers are.
        rises &= (before.len(), before) < (id.len(), id);
        before = id;
    }
    if rises { Ok(()) } else { check_differ(ids.collect()) }
}

/// A heap gives ids in order with less code than sorting takes.
#[cold]
fn check_differ(mut ids: BinaryHeap<&[u8]>) -> Result<(), Fault> {
    let mut before = None;
    while let Some(id) = ids.pop() {
        if before.replace(id) == Some(id) {
            return Err(repeated(id));
        }
    }
    Ok(())
}

#[cold]
fn unusable(found: usize) -> Fault {
    Fault::broken(
        "id-unusable",
        format!("a record has an id of {found} bytes; expected 1 to {BYTES_MAX}"),
    )
}

#[cold]
fn repeated(id: &[u8]) -> Fault {
    let shown: String = String::from_utf8_lossy(id).chars().take(SHOWN_CHARS).collect();
    Fault::broken(
        "id-repeated",
        format!("two records of one page have the id `{shown}`; expected ids that differ"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(ids: &[&str]) -> Option<String> {
        check_all(ids.iter().map(|id| id.as_bytes()))
            .err()
            .map(|fault| fault.code)
    }

    #[test]
    fn ids_of_a_page_are_short_and_differ() {
        let long = "x".repeat(BYTES_MAX);
        for ids in [&[][..], &["1", "2", "10"], &["b", "a"], &[&long]] {
            assert_eq!(code(ids), None, "{ids:?}");
        }
        let too_long = "x".repeat(BYTES_MAX + 1);
        for (ids, expected) in [
            (&[""][..], "id-unusable"),
            (&["1", &too_long], "id-unusable"),
            (&["1", "1"], "id-repeated"),
            (&["2", "1", "2"], "id-repeated"),
        ] {
            assert_eq!(code(ids).as_deref(), Some(expected), "{ids:?}");
        }
    }
}
