//! Where clauses of hub paths (CEQL): parsed, handed to elements as JSON, and matched against records.
//! Knows nothing of urls, percent-encoding or macros: it is given plain text, macros expanded.
//!
//! AND binds tighter than OR. Keywords are in any case, and spaces count nowhere outside of quotes. In quotes, `''`, `\'`
//! and `\\` stand for a quote and a backslash. NOT and IS NOT NULL are not part of the language.

mod matches;
mod parse;
mod repair;

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Number, json};

/// Longest clause, in bytes: what fits into a request line.
pub const CLAUSE_BYTES_MAX: usize = 8 * 1024;
/// Deepest nesting of parentheses, so that no clause exhausts a stack, the element's included.
pub const DEPTH_MAX: usize = 32;

/// A parsed clause. And and Or have at least two terms each.
#[derive(Clone, Debug, PartialEq)]
pub enum Where {
    And(Vec<Where>),
    Or(Vec<Where>),
    Compare { field: String, op: Op, value: Value },
    In { field: String, values: Vec<Value> },
    IsNull { field: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `%` stands for any text.
    Like,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text in quotes, a date without them, or digits that are no JSON number (`007`).
    Text(String),
    Number(Number),
    Boolean(bool),
}

/// Why a text is no where clause. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhereError {
    #[error("where clause: expected {expected} at character {position}, found {found}")]
    Unexpected {
        position: usize,
        found: String,
        expected: String,
    },
    #[error("where clause: the quote at character {position} is not closed: {found}")]
    UnclosedQuote { position: usize, found: String },
    #[error("where clause: expected a value after {field:?} {op} at character {position}, found {found}")]
    NoValue {
        position: usize,
        field: String,
        op: Op,
        found: String,
    },
    #[error("where clause: the closing parenthesis at character {position} was not opened")]
    Unopened { position: usize },
    #[error("where clause: more than {DEPTH_MAX} parentheses are open at character {position}")]
    TooDeep { position: usize },
    #[error("where clause has {bytes} bytes; at most {CLAUSE_BYTES_MAX} are allowed")]
    TooLong { bytes: usize },
}

impl Where {
    /// Reads a clause as the grammar has it.
    pub fn parse(text: &str) -> Result<Self, WhereError> {
        parse::parse(text)
    }

    /// Reads a clause as people have it in configurations, and says what it took to do so: one quote too many or too few
    /// at the end, typographic or shell quotes, stray parentheses at the end. A comparison at the very end that has no
    /// value gets `completion`, if that is given. A clause that the grammar allows is never changed. The error is that of
    /// the text as it was given.
    pub fn parse_tolerant(text: &str, completion: Option<&str>) -> Result<(Self, Vec<String>), WhereError> {
        repair::parse(text, completion)
    }

    /// Does a record satisfy the clause? A field is a key of the record, or a path with dots in it. As in SQL, a field
    /// that is absent or null satisfies IS NULL and nothing else, `!=` included. Text that is a number equals that number,
    /// two ISO 8601 dates compare as points in time, other text by its characters; LIKE takes no notice of case.
    #[must_use]
    pub fn matches(&self, record: &serde_json::Value) -> bool {
        matches::matches(self, record)
    }

    /// The clause as wit/element.wit describes it to elements.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let terms = |terms: &[Self]| terms.iter().map(Self::to_json).collect::<Vec<_>>();
        match self {
            Self::And(all) => json!({"op": "and", "terms": terms(all)}),
            Self::Or(any) => json!({"op": "or", "terms": terms(any)}),
            Self::Compare { field, op, value } => json!({"op": op.as_str(), "field": field, "value": value.to_json()}),
            Self::In { field, values } => {
                let values: Vec<_> = values.iter().map(Value::to_json).collect();
                json!({"op": "in", "field": field, "values": values})
            }
            Self::IsNull { field } => json!({"op": "is-null", "field": field}),
        }
    }
}

impl Op {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Like => "like",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Value {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => number.clone().into(),
            Self::Boolean(boolean) => (*boolean).into(),
        }
    }
}
