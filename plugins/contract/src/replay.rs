//! placeholder until the merge
use crate::case::Found;
use crate::run::{Next, Request, Response};
use crate::{Call, CallError, Case, Subject};
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    pub found: Found,
    pub mismatches: Vec<String>,
    pub failure: Option<CallError>,
}
pub fn replay(subject: &dyn Subject, case: &Case) -> Replayed {
    let mut out = Replayed::default();
    let mut call = Call::Begin;
    let mut groups = case.exchanges.iter();
    loop {
        let step = match subject.call(&case.run, &call) {
            Err(error) => {
                out.failure = Some(error);
                return out;
            }
            Ok(Err(fault)) => {
                out.found.fault = Some(fault);
                return out;
            }
            Ok(Ok(step)) => step,
        };
        out.found.records.extend(step.records);
        let requests: Vec<Request> = match step.next {
            Next::Send(requests) => requests,
            Next::WaitMs(_) => Vec::new(),
            Next::Done => return out,
        };
        let Some(group) = groups.next() else {
            return out;
        };
        if group.iter().map(|exchange| &exchange.request).ne(requests.iter()) {
            out.mismatches.push("asks otherwise".into());
            return out;
        }
        let responses: Vec<Response> = group.iter().map(|exchange| exchange.response.clone()).collect();
        call = Call::Advance {
            state: step.state,
            responses,
        };
    }
}
