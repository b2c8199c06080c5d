//! A record's dates, by the patterns and zones that the poller configures, where the element could not read them itself.
//! Compares and stores nothing.

use crate::domain::instance::{DateField, Poller};
use crate::domain::record::Moment;
use crate::domain::run::Problem;
use crate::domain::time::Timestamp;
use crate::engine::dates::{Pattern, Zone, read_lenient};

/// Patterns and zones of a poller, compiled once per poll.
pub(super) struct DateReader {
    pub(super) created: FieldReader,
    pub(super) updated: FieldReader,
}

pub(super) struct FieldReader {
    name: String,
    pattern: Option<Pattern>,
    zone: Zone,
}

impl DateReader {
    pub(super) fn new(poller: &Poller) -> Result<Self, (&'static str, String)> {
        Ok(Self {
            created: FieldReader::new(&poller.dates.created)
                .map_err(|error| ("datesConfiguration.createdDateFormat", error))?,
            updated: FieldReader::new(&poller.dates.updated)
                .map_err(|error| ("datesConfiguration.updatedDateFormat", error))?,
        })
    }
}

impl FieldReader {
    fn new(field: &DateField) -> Result<Self, String> {
        let pattern = match field.pattern.as_str() {
            "" => None,
            text => Some(Pattern::parse_tolerant(text).map_err(|error| error.to_string())?.0),
        };
        let zone = Zone::parse(&field.zone).map_err(|error| error.to_string())?;
        Ok(Self {
            name: field.paths.first().cloned().unwrap_or_default(),
            pattern,
            zone,
        })
    }

    /// None where the record has no such date; a problem where it has one that nobody can read.
    pub(super) fn read(&self, record: &str, moment: Option<&Moment>) -> Result<Option<Timestamp>, Problem> {
        let text = match moment {
            None => return Ok(None),
            Some(Moment::At(time)) => return Ok(Some(*time)),
            Some(Moment::Text(text)) => text,
        };
        read_lenient(text, self.pattern.as_ref(), &self.zone)
            .map(Some)
            .map_err(|error| Problem {
                subject: self.name.clone(),
                code: "date-unreadable".into(),
                message: format!("record {record}: {text:?} can't be read as a date: {error}"),
            })
    }
}
