//! The vendor's filter language: JSON conditions compiled once, then matched against rows.
//! Does no paging and knows no HTTP; a refusal is only a text, for the caller to wrap.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::cell::{Cell, Kind, fold};
use super::schema::Entity;
use super::store::Row;

/// The vendor's own limit on one query; each value of an `in` counts.
const OR_CONDITIONS_MAX: usize = 500;

/// What the vendor would put into `errors`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) String);

pub(super) fn cannot_find(name: &str, entity: &Entity) -> Refusal {
    Refusal(format!("Unable to find {name} in the {} Entity", entity.singular()))
}

/// A compiled filter.
#[derive(Debug, PartialEq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Test(Test),
}

#[derive(Debug, PartialEq)]
pub(super) struct Test {
    target: Target,
    operator: Operator,
    operands: Vec<Cell>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    Field(usize),
    UserDefined(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    BeginsWith,
    EndsWith,
    Contains,
    Exist,
    NotExist,
    In,
    NotIn,
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "eq" => Self::Equal,
            "noteq" => Self::NotEqual,
            "gt" => Self::Greater,
            "gte" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "lte" => Self::LessOrEqual,
            "beginswith" => Self::BeginsWith,
            "endswith" => Self::EndsWith,
            "contains" => Self::Contains,
            "exist" => Self::Exist,
            "notexist" => Self::NotExist,
            "in" => Self::In,
            "notin" => Self::NotIn,
            _ => return None,
        })
    }
}

/// The smallest id or date that a row must have to match: lets a table start in the middle.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) id_min: Option<i64>,
    /// Field and the least milliseconds.
    pub(super) dates: Vec<(usize, i64)>,
}

impl Filter {
    /// Compiles the `filter` array of a query: its entries must all hold.
    pub(super) fn compile(entity: &Entity, conditions: &[Value]) -> Result<Self, Refusal> {
        let mut compiler = Compiler {
            entity,
            or_conditions: 0,
            user_defined: 0,
        };
        let all = compiler.group(conditions)?;
        if compiler.or_conditions > OR_CONDITIONS_MAX {
            return Err(Refusal(format!(
                "Queries are limited to {OR_CONDITIONS_MAX} or fewer 'OR' conditions."
            )));
        }
        if compiler.user_defined > 1 {
            return Err(Refusal("Only one UDF field can be used in a query.".to_owned()));
        }
        Ok(Self::All(all))
    }

    /// Matches everything, as a query whose every operator is misspelt does.
    pub(super) fn everything() -> Self {
        Self::All(Vec::new())
    }

    pub(super) fn matches(&self, row: &Row) -> bool {
        match self {
            Self::All(items) => items.iter().all(|item| item.matches(row)),
            Self::Any(items) => items.iter().any(|item| item.matches(row)),
            Self::Test(test) => test.matches(row),
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        self.collect_bounds(&mut bounds);
        bounds
    }

    fn collect_bounds(&self, bounds: &mut Bounds) {
        match self {
            Self::All(items) => items.iter().for_each(|item| item.collect_bounds(bounds)),
            Self::Any(_) => {}
            Self::Test(Test {
                target: Target::Field(field),
                operator,
                operands,
            }) => {
                let (Operator::Equal | Operator::Greater | Operator::GreaterOrEqual) = operator else {
                    return;
                };
                match (*field, operands.first()) {
                    (0, Some(Cell::Integer(id))) => bounds.id_min = bounds.id_min.max(Some(*id)),
                    (field, Some(Cell::DateTime(millis))) => bounds.dates.push((field, *millis)),
                    _ => {}
                }
            }
            Self::Test(_) => {}
        }
    }
}

impl Test {
    fn matches(&self, row: &Row) -> bool {
        match self.target {
            Target::Field(field) => self.holds(&row.cells[field]),
            Target::UserDefined(position) => {
                self.holds(&row.user_defined[position].as_deref().map_or(Cell::Null, Cell::text))
            }
        }
    }

    fn holds(&self, cell: &Cell) -> bool {
        let compared = || self.operands.first().and_then(|operand| cell.compare(operand));
        match self.operator {
            Operator::Exist => !cell.is_null(),
            Operator::NotExist => cell.is_null(),
            Operator::Equal => compared() == Some(Ordering::Equal),
            Operator::NotEqual => compared().is_some_and(Ordering::is_ne),
            Operator::Greater => compared().is_some_and(Ordering::is_gt),
            Operator::GreaterOrEqual => compared().is_some_and(Ordering::is_ge),
            Operator::Less => compared().is_some_and(Ordering::is_lt),
            Operator::LessOrEqual => compared().is_some_and(Ordering::is_le),
            Operator::In => self
                .operands
                .iter()
                .any(|operand| cell.compare(operand) == Some(Ordering::Equal)),
            Operator::NotIn => {
                !cell.is_null()
                    && self
                        .operands
                        .iter()
                        .all(|operand| cell.compare(operand) != Some(Ordering::Equal))
            }
            Operator::BeginsWith => self.text_holds(cell, |text, part| text.starts_with(part)),
            Operator::EndsWith => self.text_holds(cell, |text, part| text.ends_with(part)),
            Operator::Contains => self.text_holds(cell, |text, part| text.contains(part)),
        }
    }

    fn text_holds(&self, cell: &Cell, holds: fn(&str, &str) -> bool) -> bool {
        match (cell, self.operands.first()) {
            (Cell::Text(text), Some(Cell::Text(part))) => holds(&fold(text), &fold(part)),
            _ => false,
        }
    }
}

/// The value of `name` in whatever case the client wrote it: both spellings are in production use.
pub(super) fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

struct Compiler<'e> {
    entity: &'e Entity,
    or_conditions: usize,
    user_defined: usize,
}

impl Compiler<'_> {
    fn group(&mut self, conditions: &[Value]) -> Result<Vec<Filter>, Refusal> {
        conditions
            .iter()
            .filter_map(|condition| self.condition(condition).transpose())
            .collect()
    }

    /// `None` for a condition that the vendor drops in silence: one with an operator it does not know.
    fn condition(&mut self, condition: &Value) -> Result<Option<Filter>, Refusal> {
        let Value::Object(condition) = condition else {
            return Err(Refusal("A filter condition must be an object.".to_owned()));
        };
        let operator = member(condition, "op").and_then(Value::as_str).unwrap_or_default();
        let items = || match member(condition, "items") {
            Some(Value::Array(items)) => &items[..],
            _ => &[],
        };
        if operator.eq_ignore_ascii_case("and") {
            return Ok(Some(Filter::All(self.group(items())?)));
        }
        if operator.eq_ignore_ascii_case("or") {
            let items = self.group(items())?;
            self.or_conditions += items.len();
            // A group of which nothing is left restricts nothing; an empty `any` would match no row.
            return Ok((!items.is_empty()).then_some(Filter::Any(items)));
        }
        match Operator::parse(operator) {
            Some(operator) => self.test(operator, condition).map(|test| Some(Filter::Test(test))),
            None => Ok(None),
        }
    }

    fn test(&mut self, operator: Operator, condition: &Map<String, Value>) -> Result<Test, Refusal> {
        let name = member(condition, "field").and_then(Value::as_str).unwrap_or_default();
        let user_defined = member(condition, "udf").and_then(Value::as_bool).unwrap_or(false);
        let (target, kind) = if user_defined {
            self.user_defined += 1;
            let position = self
                .entity
                .user_defined_field(name)
                .ok_or_else(|| cannot_find(name, self.entity))?;
            (Target::UserDefined(position), Kind::Text)
        } else {
            let position = self.entity.field(name).ok_or_else(|| cannot_find(name, self.entity))?;
            let field = &self.entity.fields[position];
            if !field.queryable {
                return Err(cannot_find(name, self.entity));
            }
            (Target::Field(position), field.kind)
        };
        let operands = self.operands(operator, name, kind, member(condition, "value"))?;
        Ok(Test {
            target,
            operator,
            operands,
        })
    }

    fn operands(
        &mut self,
        operator: Operator,
        name: &str,
        kind: Kind,
        value: Option<&Value>,
    ) -> Result<Vec<Cell>, Refusal> {
        let unreadable = || Refusal(format!("The value of {name} must be a {}.", kind.data_type()));
        let value = value.unwrap_or(&Value::Null);
        match operator {
            Operator::Exist | Operator::NotExist => Ok(Vec::new()),
            Operator::In | Operator::NotIn => {
                let values = value
                    .as_array()
                    .ok_or_else(|| Refusal(format!("The value of {name} must be an array.")))?;
                self.or_conditions += values.len();
                values
                    .iter()
                    .map(|value| Cell::from_json(kind, value).ok_or_else(unreadable))
                    .collect()
            }
            _ => Ok(vec![Cell::from_json(kind, value).ok_or_else(unreadable)?]),
        }
    }
}
