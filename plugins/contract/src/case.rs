//! A run with the exchanges that it had, in one JSON file: what an author records and replays, what a component carries
//! into admission, what shows how a new version reads the pages of the old one, and what is kept of a step that failed.
//!
//! The file is made to be read and written by people: bodies are JSON or text (see [`crate::body`]), what is empty is left
//! out, and an unknown key is an error.

use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::run::{Fault, Problem, Request, Response, Run};

/// The format that this crate reads and writes.
pub const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    pub format: u32,
    /// For people: `contacts: two pages`.
    pub name: String,
    /// Where the exchange comes from: the vendor's page that documents it, or when and how it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The component that it was recorded with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<MadeBy>,
    pub run: Run,
    /// Set where the file begins in the middle of a run: `advance` is called with this state and the answers of the first
    /// exchanges. Otherwise the run begins with `begin`.
    #[serde(default, with = "crate::body::option", skip_serializing_if = "Option::is_none")]
    pub state: Option<Vec<u8>>,
    /// What each step sent, and what came back. An inner list is one step's; it is empty where the element waited.
    #[serde(default)]
    pub exchanges: Vec<Vec<Exchange>>,
    /// Does the run go on after the last exchange? Then a replay ends there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// What comes of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Found>,
    /// How the last step failed, where the file was kept because it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl Case {
    /// A run of which nothing is known yet.
    pub fn new(name: impl Into<String>, run: Run) -> Self {
        Self {
            format: FORMAT,
            name: name.into(),
            source: None,
            made_by: None,
            run,
            state: None,
            exchanges: Vec::new(),
            cut: false,
            expect: None,
            failure: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeBy {
    pub element: String,
    pub version: String,
    /// SHA-256 in hex.
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    pub request: Request,
    /// Its id is that of the request, whatever the file says.
    pub response: Response,
}

/// All that a run gave, from all its steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Found {
    /// Absent where the run ended in `done` (or was cut).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Record>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// The last one.
    #[serde(default, with = "crate::body::option", skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Vec<u8>>,
    /// The last one.
    #[serde(default, with = "crate::body::option", skip_serializing_if = "Option::is_none")]
    pub memo: Option<Vec<u8>>,
}

/// A call that gave neither step nor fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// `trap`, `deadline`, `memory`, `output`, `contract`, …
    pub code: String,
    pub message: String,
}
