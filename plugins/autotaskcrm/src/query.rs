//! The hub's where clause as an Autotask query: operators, names and values in the vendor's forms.
//! Must not let anything through that the vendor would ignore in silence: an unknown operator there means "all records".

use serde_json::{Map, Value, json};
use tidegate_sdk::filter::{Filter, Operator};
use tidegate_sdk::{Fault, dates};

use crate::entities::{Certainty, Entity, Truth};

/// The vendor's limit of alternatives in a query, the values of `in` counted.
const ALTERNATIVES_MAX: usize = 500;

/// Where the vendor keeps fields that its customers define.
const USER_DEFINED: &str = "userDefinedFields.";

/// What is wrong is always the where clause; the key is the gateway's.
const WHERE: &str = "where";

/// A number at least so great is milliseconds of Unix time (1973 and later), not seconds or a year.
const EPOCH_MS_MIN: f64 = 1e11;

/// The conditions of a query, all of which must hold.
///
/// # Errors
/// A bad-configuration fault for what the vendor cannot filter by.
pub fn conditions(filter: &Filter, entity: &Entity) -> Result<Vec<Value>, Fault> {
    let mut writer = Writer {
        entity,
        alternatives: 0,
        user_defined: 0,
    };
    let conditions = match filter {
        Filter::And(terms) => terms
            .iter()
            .map(|term| writer.condition(term))
            .collect::<Result<_, _>>()?,
        _ => vec![writer.condition(filter)?],
    };
    if writer.alternatives > ALTERNATIVES_MAX {
        return Err(refused(format!(
            "the where clause has {} alternatives (OR and the values of IN), Autotask takes {ALTERNATIVES_MAX}",
            writer.alternatives
        )));
    }
    if writer.user_defined > 1 {
        return Err(refused(format!(
            "the where clause asks for user-defined fields {} times, Autotask takes one such condition in a query",
            writer.user_defined
        )));
    }
    Ok(conditions)
}

/// One condition on a field of the vendor.
pub fn condition(field: &str, op: &str, value: impl Into<Value>) -> Value {
    json!({"op": op, "field": field, "value": value.into()})
}

fn refused(message: String) -> Fault {
    Fault::bad_configuration(WHERE, message)
}

struct Writer<'a> {
    entity: &'a Entity,
    alternatives: usize,
    /// Conditions on user-defined fields.
    user_defined: usize,
}

impl Writer<'_> {
    fn condition(&mut self, filter: &Filter) -> Result<Value, Fault> {
        match filter {
            Filter::And(terms) => self.group("and", terms),
            Filter::Or(terms) => {
                self.alternatives += terms.len();
                self.group("or", terms)
            }
            Filter::Compare { field, operator, value } => self.compare(field, *operator, value),
            Filter::In { field, values } => self.one_of(field, values),
            Filter::IsNull { field } => Ok(self.on(field, "notExist", None)),
        }
    }

    fn group(&mut self, op: &str, terms: &[Filter]) -> Result<Value, Fault> {
        let items = terms
            .iter()
            .map(|term| self.condition(term))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(json!({"op": op, "items": items}))
    }

    fn compare(&mut self, field: &str, operator: Operator, value: &Value) -> Result<Value, Fault> {
        let op = match (operator, value) {
            (Operator::Equal, Value::Null) => return Ok(self.on(field, "notExist", None)),
            (Operator::NotEqual, Value::Null) => return Ok(self.on(field, "exist", None)),
            (_, Value::Null) => return Err(refused(format!("`{field} {}` has no value", operator.as_str()))),
            (Operator::Like, _) => return self.like(field, value),
            (Operator::Equal, _) => "eq",
            (Operator::NotEqual, _) => "noteq",
            (Operator::Less, _) => "lt",
            (Operator::LessOrEqual, _) => "lte",
            (Operator::Greater, _) => "gt",
            (Operator::GreaterOrEqual, _) => "gte",
        };
        let value = self.value(field, value)?;
        Ok(self.on(field, op, Some(value)))
    }

    /// `%` may stand at the ends only, for that is what the vendor can do.
    fn like(&mut self, field: &str, value: &Value) -> Result<Value, Fault> {
        let pattern = match value {
            Value::String(pattern) => pattern.as_str(),
            _ => return Err(refused(format!("`{field} like` wants a text, found {value}"))),
        };
        let (start, rest) = pattern.strip_prefix('%').map_or((false, pattern), |rest| (true, rest));
        let (end, text) = rest.strip_suffix('%').map_or((false, rest), |text| (true, text));
        if text.contains('%') {
            return Err(refused(format!(
                "`{field} like '{pattern}'`: Autotask takes `%` at the start and at the end of a pattern only"
            )));
        }
        let op = match (start, end) {
            // `%` alone fits every text.
            _ if text.is_empty() && start => return Ok(self.on(field, "exist", None)),
            (true, true) => "contains",
            (true, false) => "endsWith",
            (false, true) => "beginsWith",
            (false, false) => "eq",
        };
        Ok(self.on(field, op, Some(text.into())))
    }

    fn one_of(&mut self, field: &str, values: &[Value]) -> Result<Value, Fault> {
        if values.is_empty() {
            return Err(refused(format!("`{field} in ()` has no values")));
        }
        self.alternatives += values.len();
        let values = values
            .iter()
            .map(|value| self.value(field, value))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.on(field, "in", Some(values.into())))
    }

    /// A condition on a field by its hub or vendor name, or on a user-defined one.
    fn on(&mut self, field: &str, op: &str, value: Option<Value>) -> Value {
        let mut condition = Map::new();
        condition.insert("op".into(), op.into());
        if let Some(name) = field.strip_prefix(USER_DEFINED) {
            self.user_defined += 1;
            condition.insert("field".into(), name.into());
            condition.insert("udf".into(), true.into());
        } else {
            condition.insert("field".into(), self.entity.vendor_name(field).into());
        }
        if let Some(value) = value {
            condition.insert("value".into(), value);
        }
        condition.into()
    }

    /// A value in the form that its field has on the wire.
    fn value(&self, field: &str, value: &Value) -> Result<Value, Fault> {
        if field.starts_with(USER_DEFINED) {
            return Ok(value.clone());
        }
        let name = self.entity.vendor_name(field);
        match self.entity.is_date(&name) {
            Certainty::Yes => return date(value).ok_or_else(|| {
                refused(format!(
                    "`{field}` holds dates, found {value}: expected an ISO date such as 2026-01-31T08:00:00Z, or milliseconds of \
                     Unix time"
                ))
            }),
            Certainty::Maybe => return Ok(date(value).unwrap_or_else(|| value.clone())),
            Certainty::No => {}
        }
        match (self.entity.truth(&name), truth(value)) {
            (Truth::Boolean, Some(truth)) => return Ok(truth.into()),
            (Truth::Number, Some(truth)) => return Ok(i64::from(truth).into()),
            _ => {}
        }
        let is_id = name == "id" || name.ends_with("ID");
        let number = value
            .as_str()
            .filter(|_| is_id)
            .and_then(|text| text.parse::<i64>().ok());
        Ok(number.map_or_else(|| value.clone(), Value::from))
    }
}

/// A date in the one form that the vendor is known to read: UTC.
fn date(value: &Value) -> Option<Value> {
    let milliseconds = match value {
        Value::String(text) => {
            let text = text.trim();
            dates::parse_iso(text.as_bytes())
                .or_else(|| text.parse().ok().filter(|ms: &i64| *ms as f64 >= EPOCH_MS_MIN))?
        }
        Value::Number(number) => number.as_f64().filter(|ms| *ms >= EPOCH_MS_MIN)? as i64,
        _ => return None,
    };
    Some(dates::format_iso(milliseconds).into())
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
