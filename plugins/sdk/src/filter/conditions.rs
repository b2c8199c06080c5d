//! A filter as flat lists of conditions, which is all that most vendors take.
//! Must not lose or widen a condition: what has no flat form is a fault that says so.

use serde_json::Value;

use super::{Filter, Operator};
use crate::Fault;

/// The lists that a filter may grow to when it is spread: no vendor takes as many.
const GROUPS_MAX: usize = 64;

/// What is wrong is always the where clause; the key is the gateway's.
const WHERE: &str = "where";

/// One condition on one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition<'f> {
    pub field: &'f str,
    pub test: Test<'f>,
}

/// What must be true of a condition's field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Test<'f> {
    Compare(Operator, &'f Value),
    In(&'f [Value]),
    IsNull,
}

impl std::fmt::Display for Condition<'_> {
    /// As a where clause writes it, for messages.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let field = self.field;
        match self.test {
            Test::Compare(operator, value) => write!(formatter, "{field} {} {}", operator.as_str(), literal(value)),
            Test::In(values) => {
                let values: Vec<_> = values.iter().map(literal).collect();
                write!(formatter, "{field} in ({})", values.join(", "))
            }
            Test::IsNull => write!(formatter, "{field} is null"),
        }
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

impl Condition<'_> {
    /// The fault for a condition that the vendor cannot check. `can` says what it can: `Zendesk filters users by email
    /// and role`.
    pub fn refused(&self, can: &str) -> Fault {
        refused(&format!("`{self}` cannot be asked for: {can}"))
    }
}

/// The fault for a where clause of which the vendor cannot do something.
pub fn refused(message: &str) -> Fault {
    Fault::bad_configuration(WHERE, message)
}

impl Filter {
    /// The conditions, all of which must hold. `vendor` is who cannot do more, for messages.
    ///
    /// # Errors
    /// A bad-configuration fault where the filter has an `or`.
    ///
    /// ```
    /// use tidegate_sdk::filter::Filter;
    ///
    /// let clause = br#"{"op":"and","terms":[{"op":"=","field":"a","value":1},{"op":"is-null","field":"b"}]}"#;
    /// let filter = Filter::from_json(clause).unwrap();
    /// let conditions = filter.all_of("Acme").unwrap();
    /// assert_eq!(conditions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a = 1", "b is null"]);
    ///
    /// let either = Filter::Or(vec![filter.clone(), filter]);
    /// assert!(either.all_of("Acme").unwrap_err().message.contains("Acme takes conditions joined by AND only"));
    /// ```
    pub fn all_of(&self, vendor: &str) -> Result<Vec<Condition<'_>>, Fault> {
        let mut conditions = Vec::new();
        self.collect(vendor, &mut conditions)?;
        Ok(conditions)
    }

    fn collect<'f>(&'f self, vendor: &str, conditions: &mut Vec<Condition<'f>>) -> Result<(), Fault> {
        match self {
            Self::And(terms) => terms.iter().try_for_each(|term| term.collect(vendor, conditions)),
            // An OR of one is none.
            Self::Or(terms) if terms.len() == 1 => terms[0].collect(vendor, conditions),
            Self::Or(_) => Err(refused(&format!(
                "the where clause has an OR, and {vendor} takes conditions joined by AND only: poll the parts one by one"
            ))),
            _ => {
                conditions.extend(self.condition());
                Ok(())
            }
        }
    }

    /// The lists of conditions of which at least one must hold as a whole (disjunctive normal form), as vendors with groups
    /// of filters take them. At most `groups_max` lists come out.
    ///
    /// # Errors
    /// A bad-configuration fault where there would be more.
    ///
    /// ```
    /// use tidegate_sdk::filter::{Filter, Operator};
    ///
    /// let is = |field: &str, value: i64| Filter::compare(field, Operator::Equal, value);
    /// let filter = Filter::And(vec![is("a", 1), Filter::Or(vec![is("b", 2), is("c", 3)])]);
    /// let groups = filter.any_of("Acme", 5).unwrap();
    /// let text: Vec<String> = groups.iter().map(|group| group.iter().map(|c| c.to_string()).collect::<Vec<_>>().join(" and ")).collect();
    /// assert_eq!(text, ["a = 1 and b = 2", "a = 1 and c = 3"]);
    /// assert!(filter.any_of("Acme", 1).unwrap_err().message.contains("2 groups of conditions, and Acme takes 1"));
    /// ```
    pub fn any_of(&self, vendor: &str, groups_max: usize) -> Result<Vec<Vec<Condition<'_>>>, Fault> {
        let found = self.groups_count();
        let most = groups_max.min(GROUPS_MAX);
        if found > most {
            return Err(refused(&format!(
                "the where clause comes to {found} groups of conditions, and {vendor} takes {most}: use fewer ORs, or IN"
            )));
        }
        Ok(self.groups())
    }

    /// How many groups it comes to, without making them.
    fn groups_count(&self) -> usize {
        match self {
            Self::And(terms) => terms.iter().map(Self::groups_count).fold(1, usize::saturating_mul),
            Self::Or(terms) => terms.iter().map(Self::groups_count).fold(0, usize::saturating_add),
            _ => 1,
        }
    }

    fn groups(&self) -> Vec<Vec<Condition<'_>>> {
        match self {
            Self::And(terms) => terms.iter().fold(vec![Vec::new()], |before, term| {
                let more = term.groups();
                let joined = |group: &Vec<_>| {
                    more.iter()
                        .map(|more| [group.as_slice(), more].concat())
                        .collect::<Vec<_>>()
                };
                before.iter().flat_map(joined).collect()
            }),
            Self::Or(terms) => terms.iter().flat_map(Self::groups).collect(),
            _ => vec![self.condition().into_iter().collect()],
        }
    }

    /// None for what has terms.
    fn condition(&self) -> Option<Condition<'_>> {
        let (field, test) = match self {
            Self::And(_) | Self::Or(_) => return None,
            Self::Compare { field, operator, value } => (field, Test::Compare(*operator, value)),
            Self::In { field, values } => (field, Test::In(values)),
            Self::IsNull { field } => (field, Test::IsNull),
        };
        Some(Condition { field, test })
    }
}
