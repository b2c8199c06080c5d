//! Reads one record, by a query for its id: unlike a read by address, its answer "nothing" cannot be mistaken.
//! Must not say that a record is gone unless the vendor answered a query for it.

use serde_json::{Value, json};
use tidegate_sdk::filter::{Filter, Operator};
use tidegate_sdk::{Fault, GetArgs, Response, Step};

use super::{State, walk};
use crate::entities::Entity;
use crate::faults::Asked;
use crate::layout::segments;
use crate::query;
use crate::records::{More, Wanted, normalise_page};
use crate::settings::Settings;

/// A second record would show that the id field identifies none.
const RECORDS_MAX: usize = 2;

pub(super) struct Get<'r> {
    args: &'r GetArgs,
    pub(super) entity: Entity,
    conditions: Vec<Value>,
}

impl<'r> Get<'r> {
    /// None if no record can have such an id.
    pub(super) fn of(args: &'r GetArgs) -> Result<Option<Self>, Fault> {
        let entity = Entity::of(&args.resource)?;
        let path = segments(&args.id_field).join(".");
        if entity.vendor_name(&path) == "id" && args.id.parse::<i64>().map(|id| id.to_string()).as_ref() != Ok(&args.id)
        {
            return Ok(None);
        }
        let filter = Filter::compare(path, Operator::Equal, args.id.as_str());
        let conditions = query::conditions(&filter, &entity)?;
        Ok(Some(Self {
            args,
            entity,
            conditions,
        }))
    }

    pub(super) fn body(&self) -> Value {
        json!({"MaxRecords": RECORDS_MAX, "filter": self.conditions})
    }

    fn wanted(&self, settings: &Settings) -> Wanted<'_> {
        Wanted {
            naming: self.entity.naming,
            drop_nulls: settings.drop_nulls,
            id_field: &self.args.id_field,
            dates: &self.args.dates,
            after: None,
        }
    }

    pub(super) fn read(
        &self,
        response: &Response,
        asked: Asked<'_>,
        settings: &Settings,
        step: &mut Step<State>,
    ) -> Result<(), Fault> {
        let read = normalise_page(&response.body, &self.wanted(settings), &mut step.records)
            .map_err(|error| walk::page_fault(&error, response, asked))?;
        if read.records == 0 && read.more == More::Yes {
            return Err(walk::stuck(asked));
        }
        let other = step
            .records
            .iter()
            .find(|record| record.id != self.args.id)
            .map(|record| record.id.to_owned());
        if let Some(other) = other {
            return Err(walk::filter_ignored(
                asked,
                &format!(
                    "the record with `{}` {} was asked for, and {other} came",
                    self.args.id_field, self.args.id
                ),
            ));
        }
        if read.records != step.records.len() || read.records > 1 {
            return Err(walk::no_id(asked, &self.args.id_field));
        }
        Ok(())
    }
}
