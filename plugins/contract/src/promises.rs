//! What every step must keep so that a gateway takes it: few requests and ids that differ, small states.
//! Must not judge what a step means. For components the gateway checks the same as bytes come out of the guest.

use std::collections::HashSet;

use crate::run::{Next, Step};

/// Of a step.
pub const REQUESTS_MAX: usize = 16;
/// Of a state, and of a checkpoint.
pub const STATE_BYTES_MAX: usize = 64 * 1024;
/// Of a memo.
pub const MEMO_BYTES_MAX: usize = 4 * 1024;
/// Of a record's id.
pub const ID_BYTES_MAX: usize = 1024;

/// # Errors
/// What the step breaks, in words.
pub fn check(step: &Step) -> Result<(), String> {
    check_length("state", step.state.len(), STATE_BYTES_MAX)?;
    check_length(
        "checkpoint",
        step.checkpoint.as_ref().map_or(0, Vec::len),
        STATE_BYTES_MAX,
    )?;
    check_length("memo", step.memo.as_ref().map_or(0, Vec::len), MEMO_BYTES_MAX)?;
    if let Next::Send(requests) = &step.next {
        let count = requests.len();
        if count == 0 || count > REQUESTS_MAX {
            return Err(format!("a step sends {count} requests; expected 1 to {REQUESTS_MAX}"));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = requests.iter().find(|request| !seen.insert(request.id)) {
            return Err(format!("request id `{}` comes twice in a step", twice.id));
        }
    }
    check_ids("items", step.records.iter().map(|record| record.id.as_str()))?;
    check_ids("ids", step.ids.iter().map(String::as_str))?;
    for (index, record) in step.records.iter().enumerate() {
        match (record.body.first(), record.body.last()) {
            (Some(b'{'), Some(b'}')) => {}
            (None, None) if record.deleted => {}
            (None, None) => return Err(format!("item {index} has no body and is not deleted")),
            _ => return Err(format!("the body of item {index} is not one JSON object")),
        }
    }
    Ok(())
}

fn check_length(name: &str, length: usize, limit: usize) -> Result<(), String> {
    if length > limit {
        return Err(format!("{name} has {length} bytes; expected at most {limit}"));
    }
    Ok(())
}

fn check_ids<'s>(place: &str, ids: impl Iterator<Item = &'s str>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for (index, id) in ids.enumerate() {
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            let length = id.len();
            return Err(format!(
                "id {index} of {place} has {length} bytes; expected 1 to {ID_BYTES_MAX}"
            ));
        }
        if !seen.insert(id) {
            let id: String = id.chars().take(100).collect();
            return Err(format!("id of {place} `{id}` comes twice in a step"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{done, get, record, send, wait};

    #[test]
    fn a_step_that_keeps_them_is_taken() {
        let step = Step {
            records: vec![record("1", "{}"), record(&"x".repeat(ID_BYTES_MAX), "{}")],
            checkpoint: Some(vec![0; STATE_BYTES_MAX]),
            memo: Some(vec![0; MEMO_BYTES_MAX]),
            ..send([get("https://acme.example")], &[0; STATE_BYTES_MAX])
        };
        check(&step).unwrap();
    }

    #[test]
    fn every_limit_is_named() {
        let long = vec![0; STATE_BYTES_MAX + 1];
        let requests = |count: u32| {
            (0..count).map(|id| crate::run::Request {
                id,
                ..get("https://acme.example")
            })
        };
        let with_records = |records| Step { records, ..done() };
        let cases = [
            (wait(1, &long), "state has 65537 bytes; expected at most 65536"),
            (
                Step {
                    checkpoint: Some(long),
                    ..done()
                },
                "checkpoint has 65537 bytes; expected at most 65536",
            ),
            (
                Step {
                    memo: Some(vec![0; MEMO_BYTES_MAX + 1]),
                    ..done()
                },
                "memo has 4097 bytes; expected at most 4096",
            ),
            (send([], b""), "a step sends 0 requests; expected 1 to 16"),
            (
                send(requests(17).collect::<Vec<_>>(), b""),
                "a step sends 17 requests; expected 1 to 16",
            ),
            (
                send([get("https://a.example"), get("https://b.example")], b""),
                "request id `0` comes twice in a step",
            ),
            (
                with_records(vec![record("", "{}")]),
                "id 0 of items has 0 bytes; expected 1 to 1024",
            ),
            (
                with_records(vec![record(&"x".repeat(ID_BYTES_MAX + 1), "{}")]),
                "id 0 of items has 1025 bytes; expected 1 to 1024",
            ),
            (
                with_records(vec![record("1", "{}"), record("1", "{}")]),
                "id of items `1` comes twice in a step",
            ),
            (
                Step {
                    ids: vec!["1".into(), "1".into()],
                    ..done()
                },
                "id of ids `1` comes twice in a step",
            ),
            (
                with_records(vec![record("1", "")]),
                "item 0 has no body and is not deleted",
            ),
            (
                with_records(vec![record("1", "[]")]),
                "the body of item 0 is not one JSON object",
            ),
        ];
        for (step, said) in cases {
            assert_eq!(check(&step).unwrap_err(), said);
        }
    }
}
