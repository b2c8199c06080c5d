//! Cases, replayed: each request matched whole, what comes of the run compared with what the case expects.
//! Must not forgive a request that the case has and the run does not make.

use std::path::Path;

use tidegate_contract::case::{Case, Found};
use tidegate_contract::run::{Next, Request, Response, Step};
use tidegate_contract::{Call, Subject};

pub(crate) fn read_all(directory: &Path) -> Vec<(String, Case)> {
    let read = |(name, text): (String, String)| {
        let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, case)
    };
    crate::files(directory).into_iter().map(read).collect()
}

pub(crate) fn replay_all(subject: &dyn Subject, directory: &Path) {
    let cases = read_all(directory);
    assert!(!cases.is_empty());
    for (name, case) in cases {
        assert_eq!(replay(subject, &name, &case), case.expect.unwrap(), "{name}");
    }
}

fn replay(subject: &dyn Subject, name: &str, case: &Case) -> Found {
    let mut found = Found::default();
    let mut call = Call::Begin;
    let mut exchanges = case.exchanges.iter();
    loop {
        let step = match subject
            .call(&case.run, &call)
            .unwrap_or_else(|error| panic!("{name}: {error}"))
        {
            Ok(step) => step,
            Err(fault) => {
                found.fault = Some(fault);
                break;
            }
        };
        gather(&mut found, &step);
        let Next::Send(requests) = step.next else { break };
        let expected = exchanges
            .next()
            .unwrap_or_else(|| panic!("{name}: asks for {requests:?} too"));
        let wanted: Vec<&Request> = expected.iter().map(|exchange| &exchange.request).collect();
        assert_eq!(requests.iter().collect::<Vec<_>>(), wanted, "{name}");
        call = Call::Advance {
            state: step.state,
            responses: expected
                .iter()
                .map(|exchange| Response {
                    id: exchange.request.id,
                    ..exchange.response.clone()
                })
                .collect(),
        };
    }
    assert_eq!(exchanges.next(), None, "{name}: not asked for; the run gave {found:?}");
    found
}

fn gather(found: &mut Found, step: &Step) {
    found.records.extend(step.records.iter().cloned());
    found.ids.extend(step.ids.iter().cloned());
    found.problems.extend(step.problems.iter().cloned());
    found.checkpoint = step.checkpoint.clone().or(found.checkpoint.take());
    found.memo = step.memo.clone().or(found.memo.take());
}
