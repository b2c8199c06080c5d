//! The incremental exports: all that changed since a time, in the order of time, deletions included. Polls and sweeps of
//! tickets go this way.
//! Must not pass a record that was not given: the position that is left behind is the one behind this page's records.
//!
//! By cursor (tickets, users): `start_time` once, then `after_cursor` of the page before; `end_of_stream` ends it.
//! By time (organizations): `start_time`, then `end_time` of the page before. What changed in that very second comes again.
//! <https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/>

use serde::{Deserialize, Serialize};
use tidegate_sdk::filter::percent_encoded;
use tidegate_sdk::json::{Page, Value};
use tidegate_sdk::paging::Cursor;
use tidegate_sdk::{Fault, Request, Response};

use crate::checkpoint::At;
use crate::faults::{self, Asked};
use crate::resources::{Export, Resource};
use crate::settings::Settings;

/// Zendesk's limit.
const PAGE_RECORDS_MAX: u32 = 1_000;

/// Lane: exports have a limit of their own, ten a minute for the whole account (see the crate's page).
pub(crate) const LANE: &str = "exports";

/// A start must lie a minute back by Zendesk's clock; the rest is for ours.
const START_AGE_SECONDS: i64 = 120;

/// Where a walk through an export is. Lies in the run's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Position {
    /// Seconds of Unix time.
    Start(i64),
    Cursor(Cursor),
}

/// What a page says of the way on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Onward {
    /// None at the end.
    pub(crate) next: Option<Position>,
    /// Where a later run may go on.
    pub(crate) reached: At,
}

impl Position {
    /// Where a run begins: where the last one ended, else at the window's start.
    pub(crate) fn first(resource: &Resource, kept: Option<At>, from_ms: i64, now_ms: i64) -> Self {
        let latest = (now_ms.div_euclid(1_000) - START_AGE_SECONDS).max(0);
        match (resource.export, kept) {
            (Export::Cursor, Some(At::Cursor(cursor))) => Self::Cursor(Cursor::at(cursor)),
            (_, Some(At::StartTime(start))) => Self::Start(start.clamp(0, latest)),
            _ => Self::Start(from_ms.div_euclid(1_000).clamp(0, latest)),
        }
    }

    pub(crate) fn request(&self, resource: &Resource, page_size: u32, settings: &Settings) -> Request {
        let name = resource.name;
        let size = match page_size {
            0 => PAGE_RECORDS_MAX,
            size => size.min(PAGE_RECORDS_MAX),
        };
        let kind = match resource.export {
            Export::Cursor => "/cursor",
            Export::Time => "",
        };
        let place = match self {
            Self::Start(start) => format!("start_time={start}"),
            Self::Cursor(cursor) => format!("cursor={}", percent_encoded(cursor.token().unwrap_or_default())),
        };
        settings
            .get(&format!(
                "/api/v2/incremental/{name}{kind}.json?{place}&per_page={size}"
            ))
            .lane(LANE)
    }

    /// The fault for an answer that is no page.
    pub(crate) fn refused(&self, response: &Response, asked: Asked<'_>) -> Fault {
        faults::of_export(response, asked, matches!(self, Self::Cursor(_)))
    }

    /// The way on from the page that was asked for here.
    pub(crate) fn onward(&self, resource: &Resource, page: &Page<'_>, asked: Asked<'_>) -> Result<Onward, Fault> {
        let Some(ends) = page.get("end_of_stream").and_then(|end| end.as_bool()) else {
            return Err(broken(
                asked,
                "it does not say whether it is the last (`end_of_stream`)",
            ));
        };
        match resource.export {
            Export::Cursor => self.cursor_onward(page, ends, asked),
            Export::Time => self.time_onward(page, ends, asked),
        }
    }

    fn cursor_onward(&self, page: &Page<'_>, ends: bool, asked: Asked<'_>) -> Result<Onward, Fault> {
        let before = match self {
            Self::Start(_) => Cursor::start(),
            Self::Cursor(cursor) => cursor.clone(),
        };
        let after = page.get("after_cursor").and_then(|cursor| cursor.as_str());
        let Some(after) = after.filter(|after| !after.is_empty()) else {
            if ends {
                // Nothing new, and nothing said: where this page was asked for is where the next is. The end of the poll
                // would be too late, for what changed in its last minute was left out.
                let reached = self.here();
                return Ok(Onward { next: None, reached });
            }
            return Err(broken(
                asked,
                "another page follows, and it does not say where (`after_cursor`)",
            ));
        };
        let next = if ends { None } else { before.next(Some(&after))? };
        Ok(Onward {
            next: next.map(Self::Cursor),
            reached: At::Cursor(after.into_owned()),
        })
    }

    fn here(&self) -> At {
        match self {
            Self::Start(start) => At::StartTime(*start),
            Self::Cursor(cursor) => At::Cursor(cursor.token().unwrap_or_default().to_owned()),
        }
    }

    fn time_onward(&self, page: &Page<'_>, ends: bool, asked: Asked<'_>) -> Result<Onward, Fault> {
        let start = match self {
            Self::Start(start) => *start,
            Self::Cursor(_) => return Err(broken(asked, "an export by time was asked for by a cursor")),
        };
        let end = page.get("end_time").filter(|end| !end.is_null());
        let end = match end.as_ref().map(Value::as_i64) {
            Some(Some(end)) => end,
            Some(None) => return Err(broken(asked, "its `end_time` is no number of seconds")),
            None if ends => start,
            None => {
                return Err(broken(
                    asked,
                    "another page follows, and it does not say from when (`end_time`)",
                ));
            }
        };
        if !ends && end <= start {
            return Err(Fault::broken(
                "no-progress",
                format!(
                    "the export of `{}` from {} ends at {end}, not after {start} where it began, and says that more follows: \
                     it would never end",
                    asked.what, asked.host
                ),
            ));
        }
        Ok(Onward {
            next: (!ends).then_some(Self::Start(end)),
            // Never back: an answer that is older than what was read would be read again for nothing.
            reached: At::StartTime(end.max(start)),
        })
    }
}

fn broken(asked: Asked<'_>, found: &str) -> Fault {
    Fault::broken(
        "page-unusable",
        format!(
            "a page of the export of `{}` from {} cannot be used: {found}",
            asked.what, asked.host
        ),
    )
}

#[cfg(test)]
mod tests;
