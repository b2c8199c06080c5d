//! A filter as query parameters of an address.
//! Must not send a parameter twice: vendors disagree on what that means, and most keep one of them in silence.

use serde_json::Value;

use super::conditions::{Condition, Test, refused};
use super::{Filter, Operator};
use crate::Fault;

/// What a vendor can be asked for by query parameters.
///
/// ```
/// use tidegate_sdk::filter::{Filter, Operator, QueryParameters};
///
/// const USERS: QueryParameters<'_> = QueryParameters {
///     vendor: "Zendesk",
///     known: &[
///         ("role", Operator::Equal, "role"),
///         ("updated_at", Operator::GreaterOrEqual, "updated_since"),
///     ],
///     joined: ",",
/// };
///
/// let clause = br#"{"op":"in","field":"role","values":["admin","agent & co"]}"#;
/// let parameters = USERS.of(&Filter::from_json(clause).unwrap()).unwrap();
/// assert_eq!(parameters, [("role".to_owned(), "admin,agent & co".to_owned())]);
/// assert_eq!(tidegate_sdk::filter::query(&parameters), "role=admin%2Cagent%20%26%20co");
///
/// let fault = USERS.of(&Filter::compare("name", Operator::Like, "A%")).unwrap_err();
/// assert!(fault.message.contains("`name like 'A%'` cannot be asked for: Zendesk takes `role =`, `updated_at >=`"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct QueryParameters<'v> {
    /// For messages.
    pub vendor: &'v str,
    /// A field of the where clause, an operator, and the parameter that asks for it.
    pub known: &'v [(&'v str, Operator, &'v str)],
    /// What stands between the values of an `in`, for a field known with `=`. Empty: the vendor takes one value.
    pub joined: &'v str,
}

impl QueryParameters<'_> {
    /// The parameters, not encoded yet.
    ///
    /// # Errors
    /// A bad-configuration fault that names what the vendor cannot do, and what it can.
    pub fn of(&self, filter: &Filter) -> Result<Vec<(String, String)>, Fault> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for condition in filter.all_of(self.vendor)? {
            let (name, value) = self.parameter(&condition)?;
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(refused(&format!(
                    "the where clause has two conditions that {} takes as `{name}`, and it takes one: `{condition}` is the second",
                    self.vendor
                )));
            }
            parameters.push((name, value));
        }
        Ok(parameters)
    }

    fn parameter(&self, condition: &Condition<'_>) -> Result<(String, String), Fault> {
        let (operator, value) = match condition.test {
            Test::Compare(operator, value) => (operator, text(value)),
            Test::In(values) => (Operator::Equal, self.list(values)),
            Test::IsNull => return Err(condition.refused(&self.can())),
        };
        let known = self
            .known
            .iter()
            .find(|(field, known, _)| *field == condition.field && *known == operator);
        match (known, value) {
            (Some((_, _, name)), Some(value)) => Ok(((*name).to_owned(), value)),
            _ => Err(condition.refused(&self.can())),
        }
    }

    /// None where the list cannot be told from one value.
    fn list(&self, values: &[Value]) -> Option<String> {
        if let [one] = values {
            return text(one);
        }
        if self.joined.is_empty() || values.is_empty() {
            return None;
        }
        let texts: Option<Vec<String>> = values.iter().map(text).collect();
        let texts = texts.filter(|texts| texts.iter().all(|text| !text.contains(self.joined)))?;
        Some(texts.join(self.joined))
    }

    fn can(&self) -> String {
        let known = self.known.iter();
        let known: Vec<_> = known
            .map(|(field, operator, _)| format!("`{field} {}`", operator.as_str()))
            .collect();
        match known.as_slice() {
            [] => format!("{} takes no conditions on this resource", self.vendor),
            known => format!("{} takes {}", self.vendor, known.join(", ")),
        }
    }
}

/// A value as a parameter has it; none for what has no plain text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Parameters as an address has them after its `?`.
pub fn query<N: AsRef<str>, V: AsRef<str>>(parameters: &[(N, V)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", percent_encoded(name.as_ref()), percent_encoded(value.as_ref())))
        .collect();
    pairs.join("&")
}

/// Text as a part of an address: all but RFC 3986's unreserved characters encoded.
///
/// ```
/// assert_eq!(tidegate_sdk::filter::percent_encoded("a b/ü"), "a%20b%2F%C3%BC");
/// ```
pub fn percent_encoded(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded
}
