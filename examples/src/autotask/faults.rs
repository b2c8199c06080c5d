//! What a simulated vendor can be told to do wrong, when, and to which requests.
//! Only describes and counts; the API module carries it out.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One kind of misbehaviour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultKind {
    /// Answers this status with this body and nothing of the data.
    Status { code: u16, body: String },
    /// 200 without a body.
    EmptyBody,
    /// The right answer as well-formed HTTP, but its JSON ends in the middle.
    TruncatedBody,
    /// The right answer, but the connection closes in the middle of the promised length.
    CutConnection,
    /// 200 with an HTML page.
    NotJson,
    /// 200 with valid JSON of about this many bytes.
    Huge { bytes: u64 },
    /// The right answer, this many milliseconds late.
    Slow { millis: u64 },
    /// No answer; the connection stays open until the client gives up.
    Hang,
    /// No answer; the connection is reset.
    Reset,
    /// 429, with a `Retry-After` in either form (seconds or an HTTP date), or without.
    RateLimited { retry_after: Option<String> },
    /// Answers as if the filter matched everything.
    IgnoreFilter,
    /// Reports this number as `pageDetails.count` or `queryCount`.
    WrongCount { count: i64 },
    /// A page without rows and without a next page.
    EmptyPage,
    /// A full page that claims to be the last.
    NoNextPage,
    /// A page whose next page is itself.
    RepeatPage,
    /// Rows vanish as if the user had lost the right to see them: this share of all ids, always the same ones.
    HideRows { percent: u8 },
    /// Rows come without this field.
    DropField { name: String },
    /// Rows come with this value in this field, whatever its type.
    SetField { name: String, value: Value },
}

/// A fault with its target: which requests, and how many of them.
///
/// Built from [`Fault::next`]: `Fault::next(FaultKind::EmptyBody).on("companies/query").nth(3)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// Only requests whose path and query contain this, in any case. `None`: every request.
    #[serde(default)]
    pub on: Option<String>,
    /// So many matching requests pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// So many are harmed then; `None`: until the faults are cleared.
    #[serde(default = "once")]
    pub times: Option<u32>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's own type")]
fn once() -> Option<u32> {
    Some(1)
}

impl Fault {
    /// Harms the next request.
    pub fn next(kind: FaultKind) -> Self {
        Self {
            kind,
            on: None,
            skip: 0,
            times: once(),
        }
    }

    /// Harms every request until cleared.
    pub fn always(kind: FaultKind) -> Self {
        Self {
            times: None,
            ..Self::next(kind)
        }
    }

    /// Restricts it to requests whose path and query contain `part`.
    #[must_use]
    pub fn on(mut self, part: &str) -> Self {
        self.on = Some(part.to_owned());
        self
    }

    /// Starts with the `n`-th matching request; 1 is the next one.
    #[must_use]
    pub fn nth(mut self, n: u32) -> Self {
        self.skip = n.saturating_sub(1);
        self
    }

    /// Harms `times` requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// Every fault that harms this request, oldest first; each match uses the fault up by one.
    pub(super) fn take(&self, path_and_query: &str) -> Vec<FaultKind> {
        let path = path_and_query.to_ascii_lowercase();
        let mut faults = self.lock();
        let mut taken = Vec::new();
        for fault in faults.iter_mut() {
            if fault
                .on
                .as_ref()
                .is_some_and(|part| !path.contains(&part.to_ascii_lowercase()))
            {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times = fault.times.map(|times| times.saturating_sub(1));
            taken.push(fault.kind.clone());
        }
        faults.retain(|fault| fault.times != Some(0));
        taken
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_harms_the_nth_matching_request_and_then_wears_off() {
        let faults = Faults::default();
        faults.add(Fault::next(FaultKind::EmptyBody).on("Companies/query").nth(2).times(2));
        let hits: Vec<bool> = [
            "/companies/query",
            "/contacts/query",
            "/COMPANIES/QUERY",
            "/companies/query",
            "/companies/query",
        ]
        .iter()
        .map(|path| !faults.take(path).is_empty())
        .collect();
        assert_eq!(hits, [false, false, true, true, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_fault_reads_as_json_that_a_person_can_type() {
        let fault: Fault = serde_json::from_str(r#"{"kind":{"status":{"code":503,"body":"down"}},"times":3}"#).unwrap();
        assert_eq!(
            fault,
            Fault::next(FaultKind::Status {
                code: 503,
                body: "down".into()
            })
            .times(3)
        );
        let fault: Fault = serde_json::from_str(r#"{"kind":"reset","on":"query","times":null}"#).unwrap();
        assert_eq!(fault, Fault::always(FaultKind::Reset).on("query"));
        let fault: Fault = serde_json::from_str(r#"{"kind":{"rateLimited":{"retryAfter":"120"}}}"#).unwrap();
        assert_eq!(
            fault,
            Fault::next(FaultKind::RateLimited {
                retry_after: Some("120".into())
            })
        );
    }
}
