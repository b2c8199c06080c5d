//! A run with the exchanges that it had, in one JSON file: what an author records and replays, what a component carries
//! into admission, what shows how a new version reads the pages of the old one, and what is kept of a step that failed.
//!
//! The file is made to be read and written by people: bodies are JSON or text (see [`crate::body`]), what is empty is left
//! out, and an unknown key is an error. Must not hold a secret: requests have placeholders (see `secrets`).

pub mod files;
pub(crate) mod secrets;

use serde::{Deserialize, Serialize};

use crate::call::CallError;
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
    /// Name of another case, which reads the same data of the vendor with another page size: both must give the same
    /// records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_records_as: Option<String>,
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
            same_records_as: None,
            run,
            state: None,
            exchanges: Vec::new(),
            cut: false,
            expect: None,
            failure: None,
        }
    }

    /// A case out of its file.
    ///
    /// # Errors
    /// Names the field, what was found and what was expected.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let case: Self = serde_path_to_error::deserialize(&mut json).map_err(in_words)?;
        json.end()
            .map_err(|error| format!("found something after the case: {error}"))?;
        case.check()?;
        Ok(case)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("format: found {}; expected {FORMAT}", self.format));
        }
        if self.name.trim().is_empty() {
            return Err("name: found ``; expected a text that is not empty".into());
        }
        if !self.run.configuration.is_object() {
            let found = &self.run.configuration;
            return Err(format!("run.configuration: found {found}; expected an object"));
        }
        secrets::check(self)
    }

    /// The file's text: indented, with a newline at its end.
    ///
    /// # Panics
    /// Never: all keys are texts.
    pub fn to_text(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("a case has texts for keys and no other writer than memory");
        text.push('\n');
        text
    }
}

/// `run.operation.list.pageSize: invalid type: …`
fn in_words(error: serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path().to_string();
    match path.as_str() {
        "." | "?" => error.into_inner().to_string(),
        path => format!("{path}: {}", error.inner()),
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

impl From<&CallError> for Failure {
    fn from(error: &CallError) -> Self {
        Self {
            code: error.code().into(),
            message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
