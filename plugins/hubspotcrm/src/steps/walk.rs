//! Reads a whole collection: by searches for the numbers above the last, or, where only ids are wanted, by the list.
//! Must not end before everything was seen: what is doubtful is a fault or one page more, never the end.

use tidegate_sdk::filter::percent_encoded;
use tidegate_sdk::paging::Cursor;
use tidegate_sdk::{DateFields, Fault, ListArgs, Problem, Records, Request, Response, Step, SweepArgs};

use super::job::{OBJECTS, SEARCHES, add_needed};
use super::{Answered, Session, State};
use crate::faults::{self, Asked};
use crate::objects::{Object, field_of};
use crate::query::Search;
use crate::records::{PageError, PageRead, Wanted, read_ids, read_page};
use crate::settings::{Settings, names};

/// The list's limit, half of the search's: see
/// <https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/basic/get-crm-v3-objects-contacts>.
const LIST_RECORDS_MAX: u32 = 100;

/// A sweep looks for no dates.
static NO_DATES: DateFields = DateFields {
    created: Vec::new(),
    updated: Vec::new(),
};

/// Parameter with the fields that are wanted, separated by commas.
const FIELDS: &str = "fields";

/// As many numbers as a message names.
const NAMED_MAX: usize = 5;

/// Numbers begin above this one.
const BEFORE_ALL: u64 = 0;

pub(super) struct Listing<'r> {
    args: &'r ListArgs,
    pub(super) object: Object<'r>,
    search: Search,
    pub(super) problems: Vec<Problem>,
}

pub(super) struct Sweep<'r> {
    args: &'r SweepArgs,
    pub(super) object: Object<'r>,
}

impl<'r> Listing<'r> {
    pub(super) fn of(args: &'r ListArgs, settings: Settings<'_>) -> Result<Self, Fault> {
        let object = Object::of(&args.resource)?;
        let fields = args.parameters.iter().find(|parameter| parameter.name == FIELDS);
        let mut properties = match fields {
            Some(fields) => names(FIELDS, &fields.value)?,
            None => settings.properties(object)?,
        };
        add_needed(
            &mut properties,
            &args.id_field,
            [&args.dates.created, &args.dates.updated],
        );
        let ignored = args.parameters.iter().filter(|parameter| parameter.name != FIELDS);
        let problems = ignored.map(|parameter| Problem {
            subject: parameter.name.clone(),
            code: "parameter-ignored".into(),
            message: format!(
                "the parameter `{}` means nothing to this element: it was left out",
                parameter.name
            ),
        });
        Ok(Self {
            args,
            object,
            search: Search::of(
                object,
                args.filter.as_ref(),
                args.window.as_ref(),
                properties,
                args.page_size,
            )?,
            problems: problems.collect(),
        })
    }
}

impl<'r> Sweep<'r> {
    pub(super) fn of(args: &'r SweepArgs) -> Result<Self, Fault> {
        let object = Object::of(&args.resource)?;
        Ok(Self { args, object })
    }
}

impl Session<'_> {
    /// Reading twice does no harm, so a search may be sent again.
    pub(super) fn search(&self, listing: &Listing<'_>, above: Option<u64>, step: Step<State>) -> Step<State> {
        let url = self
            .settings
            .url(&format!("/crm/v3/objects/{}/search", listing.object.name));
        let request = self.settings.authorise(Request::post(url).lane(SEARCHES).idempotent());
        step.then_send(vec![request.json(&listing.search.body(above))], State::Above(above))
    }

    pub(super) fn listed(&self, listing: &Listing<'_>, above: Option<u64>, response: &Response) -> Answered {
        let mut step = Step::done();
        step.records = Records::with_capacity(response.body.len(), listing.search.limit());
        let wanted = Wanted {
            id_field: &listing.args.id_field,
            dates: &listing.args.dates,
            above: Some(above.unwrap_or(BEFORE_ALL)),
        };
        let read = read_page(&response.body, &wanted, &mut step.records)
            .map_err(|error| page_fault(&error, response, self.asked()))?;
        self.check_ids(&read, &listing.args.id_field, &mut step)?;
        let is_full = read.records >= listing.search.limit();
        // A full page may be the last, and the vendor may be wrong about it: one page more costs less than records.
        match (read.last, read.after.is_some() || is_full) {
            (_, false) => Ok(step),
            (last @ Some(_), true) => Ok(self.search(listing, last, step)),
            (None, true) => Err(stuck(self.asked())),
        }
    }

    pub(super) fn sweep(&self, sweep: &Sweep<'_>, cursor: Cursor, step: Step<State>) -> Step<State> {
        let limit = match sweep.args.page_size {
            0 => LIST_RECORDS_MAX,
            wanted => wanted.min(LIST_RECORDS_MAX),
        };
        let mut url = format!("/crm/v3/objects/{}?limit={limit}&archived=false", sweep.object.name);
        let id_field = field_of(&sweep.args.id_field);
        if id_field != "id" {
            url.push_str(&format!("&properties={}", percent_encoded(id_field)));
        }
        if let Some(after) = cursor.token() {
            url.push_str(&format!("&after={}", percent_encoded(after)));
        }
        let request = Request::get(self.settings.url(&url)).lane(OBJECTS);
        step.then_send(vec![self.settings.authorise(request)], State::At(cursor))
    }

    pub(super) fn swept(&self, sweep: &Sweep<'_>, cursor: Cursor, response: &Response) -> Answered {
        let mut step = Step::done();
        let wanted = Wanted {
            id_field: &sweep.args.id_field,
            dates: &NO_DATES,
            above: None,
        };
        let read = read_ids(&response.body, &wanted, &mut step.ids)
            .map_err(|error| page_fault(&error, response, self.asked()))?;
        // A sweep that passes a record over would say that it is gone.
        if !read.without_id.is_empty() {
            return Err(faults::no_id(self.asked(), &sweep.args.id_field));
        }
        Ok(match cursor.next(read.after.as_deref())? {
            Some(cursor) => self.sweep(sweep, cursor, step),
            None => step,
        })
    }

    fn check_ids(&self, read: &PageRead, id_field: &str, step: &mut Step<State>) -> Result<(), Fault> {
        let without = read.without_id.len();
        if without == 0 {
            return Ok(());
        }
        if without == read.records {
            return Err(faults::no_id(self.asked(), id_field));
        }
        let named: Vec<_> = read.without_id.iter().take(NAMED_MAX).map(String::as_str).collect();
        step.push_problem(
            id_field,
            "record-without-id",
            format!(
                "{without} of {} records of `{}` have nothing in `{id_field}` and were left out, among them HubSpot's {}",
                read.records,
                self.job.asked(),
                named.join(", ")
            ),
        );
        Ok(())
    }
}

/// The fault for a page that cannot be used.
pub(super) fn page_fault(error: &PageError, response: &Response, asked: Asked<'_>) -> Fault {
    let found = error.to_string();
    match error {
        PageError::Json(_) | PageError::NoList(_) | PageError::Paging(_) => faults::unreadable(response, asked, &found),
        PageError::NoNumber => faults::unreliable("id-missing", asked, &found),
        PageError::NotAbove { .. } => faults::unreliable("filter-ignored", asked, &found),
        PageError::SameId(_) => faults::unreliable("id-repeated", asked, &found),
    }
}

fn stuck(asked: Asked<'_>) -> Fault {
    faults::unreliable("paging-stuck", asked, "it is empty, and says that another page follows")
}
