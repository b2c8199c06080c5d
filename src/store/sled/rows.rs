//! The values that hold one noun each: instances, the rows of resources, and the counters.
//! Encodes and decodes. Reads and writes no database.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Malformed, Reader, put_i64, put_varint};
use super::database::VALUE_BYTES_MAX;
use super::keys::{ResourceNumber, corrupt};
use crate::domain::audit::AuditEntry;
use crate::domain::delivery::AttemptRow;
use crate::domain::endpoint::Endpoint;
use crate::domain::generation::Generations;
use crate::domain::instance::Instance;
use crate::domain::poll::ResourceState;
use crate::domain::time::Timestamp;
use crate::ports::StoreError;

const FORMAT: u8 = 1;

pub(super) fn encode_instance(instance: &Instance) -> Result<Vec<u8>, StoreError> {
    encode(instance)
}

pub(super) fn decode_instance(key: &[u8], value: &[u8]) -> Result<Instance, StoreError> {
    decode(key, value)
}

pub(super) fn encode_generations(generations: &Generations) -> Result<Vec<u8>, StoreError> {
    encode(generations)
}

pub(super) fn decode_generations(key: &[u8], value: &[u8]) -> Result<Generations, StoreError> {
    decode(key, value)
}

pub(super) fn encode_endpoint(endpoint: &Endpoint) -> Result<Vec<u8>, StoreError> {
    encode(endpoint)
}

pub(super) fn decode_endpoint(key: &[u8], value: &[u8]) -> Result<Endpoint, StoreError> {
    decode(key, value)
}

/// What is longer than a value may be loses the answer's body, which was hardly text then, and in need the answer's headers.
pub(super) fn encode_attempt(attempt: &AttemptRow) -> Result<Vec<u8>, StoreError> {
    let value = encode(attempt)?;
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(value);
    }
    let mut short = AttemptRow {
        response_body: String::new(),
        body_is_cut: true,
        ..attempt.clone()
    };
    let value = encode(&short)?;
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(value);
    }
    short.response_headers.clear();
    encode(&short)
}

pub(super) fn decode_attempt(key: &[u8], value: &[u8]) -> Result<AttemptRow, StoreError> {
    decode(key, value)
}

pub(super) fn encode_audit(entry: &AuditEntry) -> Result<Vec<u8>, StoreError> {
    encode(entry)
}

pub(super) fn decode_audit(key: &[u8], value: &[u8]) -> Result<AuditEntry, StoreError> {
    decode(key, value)
}

/// What a row says in front of its state: enough for a commit to check and to move its due key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowHead {
    pub(super) resource: ResourceNumber,
    pub(super) revision: u64,
    pub(super) due: Option<Timestamp>,
}

pub(super) fn encode_row(resource: ResourceNumber, state: &ResourceState) -> Result<Vec<u8>, StoreError> {
    let mut value = vec![FORMAT];
    put_varint(&mut value, u64::from(resource.0));
    put_varint(&mut value, state.revision);
    value.push(u8::from(state.due.is_some()));
    if let Some(due) = state.due {
        put_i64(&mut value, due.as_ms());
    }
    put_json(&mut value, state)?;
    Ok(value)
}

pub(super) fn decode_row_head(key: &[u8], value: &[u8]) -> Result<RowHead, StoreError> {
    read_row_head(value)
        .map(|(head, _)| head)
        .map_err(|error| corrupt(key, error))
}

pub(super) fn decode_row(key: &[u8], value: &[u8]) -> Result<ResourceState, StoreError> {
    let (_, reader) = read_row_head(value).map_err(|error| corrupt(key, error))?;
    read_json(key, reader)
}

fn read_row_head(value: &[u8]) -> Result<(RowHead, Reader<'_>), Malformed> {
    let mut reader = Reader::of_format(value, FORMAT)?;
    let head = RowHead {
        resource: ResourceNumber(reader.varint_u32()?),
        revision: reader.varint()?,
        due: match reader.byte()? {
            0 => None,
            1 => Some(Timestamp::from_ms(reader.i64()?)),
            _ => return Err(Malformed("an unknown mark of a due time")),
        },
    };
    Ok((head, reader))
}

/// Numbers that are given once: the next of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) instance: u64,
    pub(super) resource: u32,
    pub(super) batch: u64,
}

impl Counters {
    pub(super) const FIRST: Self = Self {
        instance: 1,
        resource: 1,
        batch: 1,
    };

    /// The greater of each: no number is given twice.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            instance: self.instance.max(other.instance),
            resource: self.resource.max(other.resource),
            batch: self.batch.max(other.batch),
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut value = vec![FORMAT];
        put_varint(&mut value, self.instance);
        put_varint(&mut value, u64::from(self.resource));
        put_varint(&mut value, self.batch);
        value
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::of_format(value, FORMAT)?;
        let counters = Self {
            instance: reader.varint()?,
            resource: reader.varint_u32()?,
            batch: reader.varint()?,
        };
        reader.end()?;
        Ok(counters)
    }
}

fn encode(noun: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut value = vec![FORMAT];
    put_json(&mut value, noun)?;
    Ok(value)
}

fn decode<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, StoreError> {
    let reader = Reader::of_format(value, FORMAT).map_err(|error| corrupt(key, error))?;
    read_json(key, reader)
}

fn put_json(out: &mut Vec<u8>, noun: &impl Serialize) -> Result<(), StoreError> {
    serde_json::to_writer(out, noun).map_err(|error| StoreError::Corrupt(format!("cannot be written as JSON: {error}")))
}

fn read_json<T: DeserializeOwned>(key: &[u8], reader: Reader<'_>) -> Result<T, StoreError> {
    serde_json::from_slice(reader.rest()).map_err(|error| corrupt(key, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::InstanceId;
    use crate::store::sled::keys;

    #[test]
    fn a_row_comes_back_with_its_head() {
        for due in [None, Some(Timestamp::from_ms(-1))] {
            let mut state = ResourceState::new(due);
            state.revision = 300;
            state.checkpoint = Some(vec![0, 255]);
            let value = encode_row(ResourceNumber(70_000), &state).unwrap();
            assert_eq!(decode_row(b"k", &value).unwrap(), state);
            let head = decode_row_head(b"k", &value).unwrap();
            assert_eq!(
                (head.resource, head.revision, head.due),
                (ResourceNumber(70_000), 300, due)
            );
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_names_its_kind_and_place() {
        let value = encode_row(ResourceNumber(1), &ResourceState::new(None)).unwrap();
        let key = keys::row(InstanceId(7), "accounts");
        for damaged in [&value[..value.len() - 1], &value[..2], &[]] {
            let error = decode_row(&key, damaged).unwrap_err();
            assert!(error.to_string().contains("resource row 0000000000000007"), "{error}");
        }
    }

    #[test]
    fn counters_never_fall() {
        let counters = Counters {
            instance: 5,
            resource: 9,
            batch: 1_000,
        };
        assert_eq!(Counters::decode(&counters.encode()).unwrap(), counters);
        let other = Counters {
            instance: 9,
            ..Counters::FIRST
        };
        assert_eq!(
            counters.max(other),
            Counters {
                instance: 9,
                ..counters
            }
        );
    }
}
