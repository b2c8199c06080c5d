//! The rows of elements: one per key, with all components that are kept.
//! Excludes the components themselves, which are files.

use ::sled::Tree;

use super::keys::{self, Kind};
use super::rows;
use super::transaction::Transaction;
use super::transient;
use crate::domain::generation::Generations;
use crate::ports::StoreError;

pub(super) fn all(tree: &Tree) -> Result<Vec<(String, Generations)>, StoreError> {
    let rows = tree.scan_prefix(keys::all(Kind::Element));
    rows.map(|row| {
        let (key, value) = row.map_err(transient)?;
        Ok((
            keys::parse_element(&key)?.to_owned(),
            rows::decode_generations(&key, &value)?,
        ))
    })
    .collect()
}

pub(super) fn put(transaction: &mut Transaction<'_>, name: &str, generations: &Generations) -> Result<(), StoreError> {
    let key = keys::element(name);
    let stored = transaction.get(&key)?;
    let stored = stored.map(|value| rows::decode_generations(&key, &value)).transpose()?;
    let revision = stored.map_or(0, |stored| stored.revision);
    if revision + 1 != generations.revision {
        return Err(StoreError::Conflict(format!("element {name}")));
    }
    if generations.all.is_empty() {
        transaction.remove(key);
    } else {
        transaction.put(key, rows::encode_generations(generations)?);
    }
    Ok(())
}
