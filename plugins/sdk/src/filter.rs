//! The hub's where clause as the gateway hands it over, parsed.
//! Must not know what a vendor can filter by: an element refuses what its vendor cannot do.
//!
//! [`Filter::all_of`] and [`Filter::any_of`] make flat lists of it, [`QueryParameters`] the parameters of an address.

mod conditions;
mod parameters;

pub use conditions::{Condition, Test, refused};
pub use parameters::{QueryParameters, percent_encoded, query};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A condition on records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Node", into = "Node")]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Compare {
        field: String,
        operator: Operator,
        value: Value,
    },
    In {
        field: String,
        values: Vec<Value>,
    },
    IsNull {
        field: String,
    },
}

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `%` stands for any text.
    Like,
}

impl Operator {
    /// As a where clause spells it.
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

    fn parse(text: &str) -> Option<Self> {
        let all = [
            Self::Equal,
            Self::NotEqual,
            Self::Less,
            Self::LessOrEqual,
            Self::Greater,
            Self::GreaterOrEqual,
            Self::Like,
        ];
        all.into_iter().find(|operator| operator.as_str() == text)
    }
}

/// The JSON form, as `wit/element.wit` describes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    op: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<Vec<Filter>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Value>>,
}

/// `"value": null` is a value; only a missing one is none.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl TryFrom<Node> for Filter {
    type Error = String;

    fn try_from(node: Node) -> Result<Self, String> {
        let op = node.op;
        let missing = |what: &str| format!("`{op}` has no `{what}`");
        match op.as_str() {
            "and" => Ok(Self::And(node.terms.ok_or_else(|| missing("terms"))?)),
            "or" => Ok(Self::Or(node.terms.ok_or_else(|| missing("terms"))?)),
            "in" => Ok(Self::In {
                field: node.field.ok_or_else(|| missing("field"))?,
                values: node.values.ok_or_else(|| missing("values"))?,
            }),
            "is-null" => Ok(Self::IsNull {
                field: node.field.ok_or_else(|| missing("field"))?,
            }),
            _ => Ok(Self::Compare {
                operator: Operator::parse(&op).ok_or_else(|| format!("`{op}` is no known operator"))?,
                field: node.field.ok_or_else(|| missing("field"))?,
                value: node.value.ok_or_else(|| missing("value"))?,
            }),
        }
    }
}

impl From<Filter> for Node {
    fn from(filter: Filter) -> Self {
        let empty = |op: &str| Self {
            op: op.to_owned(),
            terms: None,
            field: None,
            value: None,
            values: None,
        };
        match filter {
            Filter::And(terms) => Self {
                terms: Some(terms),
                ..empty("and")
            },
            Filter::Or(terms) => Self {
                terms: Some(terms),
                ..empty("or")
            },
            Filter::Compare { field, operator, value } => Self {
                field: Some(field),
                value: Some(value),
                ..empty(operator.as_str())
            },
            Filter::In { field, values } => Self {
                field: Some(field),
                values: Some(values),
                ..empty("in")
            },
            Filter::IsNull { field } => Self {
                field: Some(field),
                ..empty("is-null")
            },
        }
    }
}

impl Filter {
    /// # Errors
    /// If the bytes are none of the forms that the contract lists.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// `field operator value`, for short.
    pub fn compare(field: impl Into<String>, operator: Operator, value: impl Into<Value>) -> Self {
        Self::Compare {
            field: field.into(),
            operator,
            value: value.into(),
        }
    }
}

#[cfg(test)]
mod tests;
