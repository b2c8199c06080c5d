//! What is known of records' fields: one value per record, and the names that they share.
//! Knows nothing of what a sketch says.

use ::sled::Tree;

use super::codec::{Malformed, Reader, put_bytes, put_varint};
use super::database::VALUE_BYTES_MAX;
use super::keys::{self, Kind, ResourceNumber, corrupt};
use super::transaction::Transaction;
use super::transient;
use crate::domain::id::InstanceId;
use crate::domain::record::{SketchUpdate, Sketches};
use crate::ports::StoreError;

const FORMAT: u8 = 1;

pub(super) fn put(
    transaction: &mut Transaction<'_>,
    instance: InstanceId,
    resource: ResourceNumber,
    update: &SketchUpdate,
) {
    if let Some(names) = &update.names {
        // Names are added and never taken away, so that no piece of before is left behind.
        for (place, piece) in (0..).zip(encode_names(names).chunks(VALUE_BYTES_MAX)) {
            transaction.put(keys::field_names(instance, resource, place), piece);
        }
    }
    for (record, sketch) in &update.sketches {
        let key = keys::sketch(instance, resource, record);
        match sketch {
            Some(sketch) => transaction.put(key, sketch.as_slice()),
            None => transaction.remove(key),
        }
    }
}

pub(super) fn read(
    tree: &Tree,
    instance: InstanceId,
    resource: ResourceNumber,
    ids: &[String],
) -> Result<Sketches, StoreError> {
    let each = ids.iter().map(|id| {
        let sketch = tree.get(keys::sketch(instance, resource, id)).map_err(transient)?;
        Ok(sketch.map(|sketch| sketch.to_vec()))
    });
    Ok(Sketches {
        each: each.collect::<Result<_, StoreError>>()?,
        names: read_names(tree, instance, resource)?,
    })
}

fn read_names(tree: &Tree, instance: InstanceId, resource: ResourceNumber) -> Result<Vec<String>, StoreError> {
    let key = keys::of_resource(Kind::FieldNames, instance, resource);
    let mut value = Vec::new();
    for piece in tree.scan_prefix(&key).values() {
        value.extend_from_slice(&piece.map_err(transient)?);
    }
    if value.is_empty() {
        return Ok(Vec::new());
    }
    decode_names(&value).map_err(|error| corrupt(&key, error))
}

fn encode_names(names: &[String]) -> Vec<u8> {
    let mut value = vec![FORMAT];
    put_varint(&mut value, names.len() as u64);
    names.iter().for_each(|name| put_bytes(&mut value, name.as_bytes()));
    value
}

fn decode_names(value: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut reader = Reader::of_format(value, FORMAT)?;
    let count = reader.count()?;
    let names = (0..count)
        .map(|_| Ok(reader.text()?.to_owned()))
        .collect::<Result<_, _>>()?;
    reader.end()?;
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_damage_is_noticed() {
        let names: Vec<String> = ["accountName", "", "größe.x"].map(Into::into).into();
        let value = encode_names(&names);
        assert_eq!(decode_names(&value).unwrap(), names);
        for length in 0..value.len() {
            assert!(decode_names(&value[..length]).is_err(), "{length}");
        }
    }
}
