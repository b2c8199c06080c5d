//! Cloud Elements' words for deliveries: their statuses, and the where clause by which they are listed and redelivered.
//! Takes what its documentation shows, terms joined by `and`, and says what else it would take.

use super::where_clause::{Op, Value, Where};
use crate::domain::delivery::DeliveryStatus;

/// What is not given lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryClause {
    pub channel: Option<String>,
    pub status: Option<Named>,
    pub url: Option<String>,
}

/// A delivery's status as Cloud Elements has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Created,
    Delivered,
    /// Nothing is called so here; who asks for it gets what was delivered.
    Notified,
    Retry,
    Queued,
}

const NAMES: [(&str, Named); 5] = [
    ("created", Named::Created),
    ("delivered", Named::Delivered),
    ("notified", Named::Notified),
    ("retry", Named::Retry),
    ("queued", Named::Queued),
];

/// What a delivery of this status is called. What waits for a disabled endpoint is queued, as dead letters are.
#[must_use]
pub fn name_of(status: DeliveryStatus, is_disabled: bool) -> &'static str {
    match status {
        DeliveryStatus::Waiting | DeliveryStatus::Retry if is_disabled => "queued",
        DeliveryStatus::Stored | DeliveryStatus::Waiting => "created",
        DeliveryStatus::Retry => "retry",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Dead => "queued",
    }
}

impl Named {
    /// The inverse of `name_of`; nothing where no delivery is called so.
    #[must_use]
    pub fn statuses(self, is_disabled: bool) -> Vec<DeliveryStatus> {
        use DeliveryStatus::{Dead, Delivered, Retry, Stored, Waiting};
        let name = match self {
            Self::Notified => "delivered",
            other => NAMES
                .iter()
                .find(|(_, named)| *named == other)
                .map_or("", |(name, _)| name),
        };
        let mut statuses = vec![Stored, Waiting, Retry, Delivered, Dead];
        statuses.retain(|status| name_of(*status, is_disabled) == name);
        statuses
    }
}

impl DeliveryClause {
    /// # Errors
    /// In words, for whoever wrote the clause.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (parsed, _) = Where::parse_tolerant(text, None).map_err(|error| error.to_string())?;
        let terms = match parsed {
            Where::And(terms) => terms,
            term => vec![term],
        };
        let mut clause = Self::default();
        for term in terms {
            let Where::Compare {
                field,
                op: Op::Equal,
                value: Value::Text(value),
            } = term
            else {
                return Err(expected("another kind of term"));
            };
            let given_before = match field.as_str() {
                "channel" => clause.channel.replace(value).is_some(),
                "config.url" => clause.url.replace(value).is_some(),
                "status" => {
                    let named = NAMES.iter().find(|(name, _)| *name == value);
                    let (_, named) = named.ok_or_else(|| {
                        let names = NAMES.map(|(name, _)| name).join(", ");
                        format!("where: status: expected one of {names}, found {value:?}")
                    })?;
                    clause.status.replace(*named).is_some()
                }
                other => return Err(expected(&format!("the field {other:?}"))),
            };
            if given_before {
                return Err(expected(&format!("{field} twice")));
            }
        }
        Ok(clause)
    }
}

fn expected(found: &str) -> String {
    format!("where: expected channel='webhook' and status='queued' and config.url='https://…', found {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_clauses_are_understood() {
        let whole = "channel='webhook' and status='queued' and config.url='https://example.com/a'";
        let clause = DeliveryClause::parse(whole).unwrap();
        assert_eq!(clause.channel.as_deref(), Some("webhook"));
        assert_eq!(clause.status, Some(Named::Queued));
        assert_eq!(clause.url.as_deref(), Some("https://example.com/a"));
        let clause = DeliveryClause::parse("status='retry'").unwrap();
        assert_eq!((clause.status, clause.url), (Some(Named::Retry), None));
    }

    #[test]
    fn anything_else_is_refused_with_what_is_expected() {
        let table = [
            ("status='dead'", "\"dead\""),
            ("status='queued' or status='retry'", "another kind"),
            ("status!='queued'", "another kind"),
            ("status in ('queued')", "another kind"),
            ("id='7'", "\"id\""),
            ("status='queued' and status='retry'", "twice"),
            ("status=", "status"),
        ];
        for (text, word) in table {
            let error = DeliveryClause::parse(text).unwrap_err();
            assert!(error.contains("where") && error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn each_status_is_found_under_the_name_that_it_is_shown_by() {
        use DeliveryStatus::{Dead, Delivered, Retry, Stored, Waiting};
        for is_disabled in [false, true] {
            for status in [Stored, Waiting, Retry, Delivered, Dead] {
                let shown = name_of(status, is_disabled);
                let under = NAMES
                    .iter()
                    .filter(|(_, named)| named.statuses(is_disabled).contains(&status));
                let mut under: Vec<_> = under.map(|(name, _)| *name).collect();
                under.retain(|name| *name != "notified");
                assert_eq!(under, [shown], "{status:?}");
            }
        }
        assert_eq!(Named::Queued.statuses(true), [Waiting, Retry, Dead]);
        assert_eq!(Named::Queued.statuses(false), [Dead]);
        assert_eq!(Named::Notified.statuses(false), [Delivered]);
    }
}
