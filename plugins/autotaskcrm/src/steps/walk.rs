//! Reads a whole collection, page by page, each asking for the ids above the last: no cursor that could lose its filter.
//! Must not end before everything was seen: what is doubtful is a fault or one page more, never the end.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use tidegate_sdk::{
    DateFields, Fault, ListArgs, Parameter, Problem, Records, Response, Step, SweepArgs, Window, dates,
};

use super::State;
use crate::entities::{Certainty, Entity};
use crate::faults::{self, Asked};
use crate::layout::segments;
use crate::query::{self, condition};
use crate::records::{More, PageError, PageRead, Presence, Wanted, ids_of_page, normalise_page};
use crate::settings::Settings;

/// The vendor's limit and default.
const PAGE_RECORDS_MAX: u32 = 500;

/// Company 0 is the tenant's own.
const BEFORE_ALL: i64 = -1;

/// A sweep looks for no dates.
static NO_DATES: DateFields = DateFields {
    created: Vec::new(),
    updated: Vec::new(),
};

/// Parameter with the fields that are wanted, separated by commas.
const FIELDS: &str = "fields";

/// As many ids as a message names.
const NAMED_MAX: usize = 5;

pub(super) struct Walk<'r> {
    pub(super) entity: Entity,
    purpose: Purpose,
    id_field: &'r str,
    dates: &'r DateFields,
    page_records: u32,
    /// All but the one on the id.
    conditions: Vec<Value>,
    /// None for all.
    fields: Option<Vec<String>>,
    pub(super) problems: Vec<Problem>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    List,
    Sweep,
}

/// Does the walk go on?
pub(super) enum Course {
    Goes,
    Ends,
}

impl<'r> Walk<'r> {
    pub(super) fn of_list(args: &'r ListArgs) -> Result<Self, Fault> {
        let entity = Entity::of(&args.resource)?;
        let mut problems = Vec::new();
        let conditions = match (&args.filter, &args.window) {
            (Some(filter), _) => query::conditions(filter, &entity)?,
            (None, Some(window)) => window_conditions(window, args, &entity, &mut problems),
            (None, None) => Vec::new(),
        };
        let fields = args.parameters.iter().find(|parameter| parameter.name == FIELDS);
        let fields = fields.map(|parameter| included(parameter, args, &entity));
        for parameter in args.parameters.iter().filter(|parameter| parameter.name != FIELDS) {
            problems.push(Problem {
                subject: parameter.name.clone(),
                code: "parameter-ignored".into(),
                message: format!(
                    "the parameter `{}` means nothing to Autotask: it was left out",
                    parameter.name
                ),
            });
        }
        Ok(Self {
            entity,
            purpose: Purpose::List,
            id_field: &args.id_field,
            dates: &args.dates,
            page_records: page_records(args.page_size),
            conditions,
            fields,
            problems,
        })
    }

    pub(super) fn of_sweep(args: &'r SweepArgs) -> Result<Self, Fault> {
        let entity = Entity::of(&args.resource)?;
        let mut fields = vec!["id".to_owned()];
        add_field(&mut fields, field_of_path(&args.id_field, &entity));
        Ok(Self {
            entity,
            purpose: Purpose::Sweep,
            id_field: &args.id_field,
            dates: &NO_DATES,
            page_records: page_records(args.page_size),
            conditions: Vec::new(),
            fields: Some(fields),
            problems: Vec::new(),
        })
    }

    /// A sweep is rare and long: the lists around it watch the budget.
    pub(super) fn asks_usage(&self) -> bool {
        self.purpose == Purpose::List
    }

    /// The query for the page that starts above this id.
    pub(super) fn body(&self, after: Option<i64>) -> Value {
        let mut filter = vec![condition("id", "gt", after.unwrap_or(BEFORE_ALL))];
        filter.extend(self.conditions.iter().cloned());
        let mut body = Map::new();
        body.insert("MaxRecords".into(), self.page_records.into());
        if let Some(fields) = &self.fields {
            body.insert("IncludeFields".into(), json!(fields));
        }
        body.insert("filter".into(), filter.into());
        body.into()
    }

    fn wanted(&self, after: Option<i64>, settings: &Settings) -> Wanted<'_> {
        Wanted {
            naming: self.entity.naming,
            drop_nulls: settings.drop_nulls,
            id_field: self.id_field,
            dates: self.dates,
            after: Some(after.unwrap_or(BEFORE_ALL)),
        }
    }

    /// Reads a page into the step and moves the state to the next.
    pub(super) fn read(
        &self,
        response: &Response,
        asked: Asked<'_>,
        state: &mut State,
        settings: &Settings,
        step: &mut Step<State>,
    ) -> Result<Course, Fault> {
        let wanted = self.wanted(state.after, settings);
        let read = match self.purpose {
            Purpose::List => {
                step.records = Records::with_capacity(response.body.len(), self.page_records as usize);
                normalise_page(&response.body, &wanted, &mut step.records)
            }
            Purpose::Sweep => ids_of_page(&response.body, &wanted, &mut step.ids),
        };
        let read = read.map_err(|error| page_fault(&error, response, asked))?;
        self.check_ids(&read, asked, step)?;
        if self.purpose == Purpose::List {
            self.check_dates(&read, state, step);
        }
        let Some(last) = read.last else {
            return if read.more == More::Yes {
                Err(stuck(asked))
            } else {
                Ok(Course::Ends)
            };
        };
        state.after = Some(last);
        let is_full = read.records >= self.page_records as usize;
        // A full page may be the last, and the vendor may be wrong about it: one page more costs less than records.
        let ends = read.more == More::No && !is_full;
        Ok(if ends { Course::Ends } else { Course::Goes })
    }

    fn check_ids(&self, read: &PageRead, asked: Asked<'_>, step: &mut Step<State>) -> Result<(), Fault> {
        let without = read.without_id.len();
        if without == 0 {
            return Ok(());
        }
        if without == read.records || self.purpose == Purpose::Sweep {
            return Err(no_id(asked, self.id_field));
        }
        let named: Vec<_> = read.without_id.iter().take(NAMED_MAX).map(i64::to_string).collect();
        step.push_problem(
            self.id_field,
            "record-without-id",
            format!(
                "{without} of {} records of `{}` have nothing in `{}` and were left out, among them Autotask's {}",
                read.records,
                asked.what,
                self.id_field,
                named.join(", ")
            ),
        );
        Ok(())
    }

    /// Tells, once in a run, that dates are not where the user said.
    fn check_dates(&self, read: &PageRead, state: &mut State, step: &mut Step<State>) {
        if read.records == 0 {
            return;
        }
        let mut tell = |paths: &[String], presence: Presence, told: &mut bool| {
            let Some(first) = paths.first().filter(|_| !presence.first && !*told) else {
                return;
            };
            *told = true;
            let found = match presence.any {
                true => format!("another of the known fields ({}) is used", paths[1..].join(", ")),
                false => format!("none of {} is, so these records have no such date", paths.join(", ")),
            };
            step.push_problem(
                first,
                "date-field-absent",
                format!("`{first}` is in no record of `{}`: {found}", self.entity.name),
            );
        };
        tell(&self.dates.created, read.created, &mut state.told.created);
        tell(&self.dates.updated, read.updated, &mut state.told.updated);
    }
}

fn page_records(wanted: u32) -> u32 {
    match wanted {
        0 => PAGE_RECORDS_MAX,
        wanted => wanted.min(PAGE_RECORDS_MAX),
    }
}

/// Where nothing else limits a poll, its window does, by the record's date of change.
fn window_conditions(window: &Window, args: &ListArgs, entity: &Entity, problems: &mut Vec<Problem>) -> Vec<Value> {
    let candidates = args.dates.updated.iter().map(|path| field_of_path(path, entity));
    let known = candidates.clone().find(|field| entity.is_date(field) == Certainty::Yes);
    let field = match entity.fields {
        Some(fields) => known.or(fields.updated.map(Cow::Borrowed)),
        // The vendor refuses names that it does not have, so only the one that is most likely meant is worth trying.
        None => candidates.into_iter().next(),
    };
    let Some(field) = field else {
        problems.push(Problem {
            subject: args.resource.clone(),
            code: "window-unused".into(),
            message: format!(
                "`{}` has no known date of change: every poll reads all of it",
                args.resource
            ),
        });
        return Vec::new();
    };
    let at_least = condition(&field, "gte", dates::format_iso(window.from_ms));
    let at_most = window
        .until_ms
        .map(|until| condition(&field, "lte", dates::format_iso(until)));
    [at_least].into_iter().chain(at_most).collect()
}

/// The fields that are asked for, and those without which a record cannot be told from another or compared.
fn included(parameter: &Parameter, args: &ListArgs, entity: &Entity) -> Vec<String> {
    let mut fields = vec!["id".to_owned()];
    for field in parameter
        .value
        .split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty())
    {
        add_field(&mut fields, field_of_path(field, entity));
    }
    add_field(&mut fields, field_of_path(&args.id_field, entity));
    for paths in [&args.dates.created, &args.dates.updated] {
        let candidates = paths.iter().map(|path| field_of_path(path, entity)).enumerate();
        let exists = |place: usize, field: &str| match entity.fields {
            Some(_) => entity.is_date(field) == Certainty::Yes,
            None => place == 0,
        };
        for (_, field) in candidates.filter(|(place, field)| exists(*place, field)) {
            add_field(&mut fields, field);
        }
    }
    fields
}

fn add_field(fields: &mut Vec<String>, field: Cow<'_, str>) {
    if !fields.iter().any(|known| known.eq_ignore_ascii_case(&field)) {
        fields.push(field.into_owned());
    }
}

/// The vendor's name of what a path leads to; user-defined fields are asked for by their own names.
fn field_of_path<'f>(path: &'f str, entity: &Entity) -> Cow<'f, str> {
    let segments = segments(path);
    match segments.as_slice() {
        [list, name] if list == "userDefinedFields" => Cow::Owned(name.clone()),
        [first, ..] => Cow::Owned(entity.vendor_name(first).into_owned()),
        [] => Cow::Borrowed(path),
    }
}

/// The fault for a page that cannot be used.
pub(super) fn page_fault(error: &PageError, response: &Response, asked: Asked<'_>) -> Fault {
    match error {
        PageError::Json(_) | PageError::NoList(_) | PageError::Incomplete { .. } => {
            faults::unreadable(response, asked, &error.to_string())
        }
        PageError::NotAfter { .. } => filter_ignored(asked, &error.to_string()),
        PageError::NoNumber => broken("id-missing", asked, &error.to_string()),
        PageError::Unordered { .. } => broken("page-unordered", asked, &error.to_string()),
        PageError::SameId(_) => broken("id-repeated", asked, &error.to_string()),
    }
}

fn broken(code: &str, asked: Asked<'_>, found: &str) -> Fault {
    Fault::broken(
        code,
        format!(
            "a page of `{}` from {} cannot be relied on: {found}",
            asked.what, asked.host
        ),
    )
}

pub(super) fn filter_ignored(asked: Asked<'_>, found: &str) -> Fault {
    broken(
        "filter-ignored",
        asked,
        &format!("the query's filter was not applied, for {found}"),
    )
}

pub(super) fn stuck(asked: Asked<'_>) -> Fault {
    broken("paging-stuck", asked, "it is empty, and says that another page follows")
}

pub(super) fn no_id(asked: Asked<'_>, id_field: &str) -> Fault {
    Fault::bad_configuration(
        "idField",
        format!(
            "`{id_field}` does not identify the records of `{}`: it must be in every record and differ in each; \
             the field that Autotask keeps for this is `id`",
            asked.what
        ),
    )
}
