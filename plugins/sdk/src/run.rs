//! What a run starts from: the operation, the instance's configuration, the memo and the time.
//! Must not hold a secret; the configuration only names those that are set.

use serde_json::{Map, Value};

use crate::Fault;
use crate::filter::Filter;

/// Names of the secrets that are set are listed under this key of the configuration.
const SECRETS_KEY: &str = "$secrets";

/// The same value comes with every call of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub operation: Operation,
    pub configuration: Configuration,
    /// What an earlier run found worth keeping.
    pub memo: Option<Vec<u8>>,
    /// When the run began, milliseconds of Unix time. The only clock.
    pub now_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Check,
    List(ListArgs),
    Get(GetArgs),
    Sweep(SweepArgs),
    /// An operation of a later gateway: its name and arguments.
    Other(String, Vec<u8>),
}

/// Read a collection, page by page.
#[derive(Clone, Debug, PartialEq)]
pub struct ListArgs {
    pub resource: String,
    pub window: Option<Window>,
    pub filter: Option<Filter>,
    /// Further query parameters, as the user wrote them.
    pub parameters: Vec<Parameter>,
    /// Dotted path to the record's id.
    pub id_field: String,
    pub dates: DateFields,
    /// Records wanted per page, before clamping.
    pub page_size: u32,
    pub checkpoint: Option<Vec<u8>>,
}

/// Read one record.
#[derive(Clone, Debug, PartialEq)]
pub struct GetArgs {
    pub resource: String,
    pub id: String,
    pub id_field: String,
    pub dates: DateFields,
}

/// Enumerate every id.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepArgs {
    pub resource: String,
    pub id_field: String,
    pub page_size: u32,
}

/// Milliseconds of Unix time by the vendor's clock; inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from_ms: i64,
    pub until_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub value: String,
}

/// Dotted paths into the normalised record, tried in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DateFields {
    pub created: Vec<String>,
    pub updated: Vec<String>,
}

/// The instance's configuration without its secrets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration(Map<String, Value>);

impl Configuration {
    /// # Errors
    /// If the bytes are no JSON object.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(Self)
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// A text without the white space round it; an empty one counts as absent.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// A boolean, also one written as a text; anything else counts as absent.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(value) => Some(*value),
            Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        }
    }

    /// Is this secret property set?
    pub fn has_secret(&self, name: &str) -> bool {
        let names = self.0.get(SECRETS_KEY).and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|known| known.as_str() == Some(name)))
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// A bad-configuration fault that names the key.
    pub fn require(&self, key: &str) -> Result<&str, Fault> {
        self.text(key)
            .ok_or_else(|| Fault::bad_configuration(key, format!("`{key}` is missing: expected a text")))
    }
}

impl From<Map<String, Value>> for Configuration {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}
