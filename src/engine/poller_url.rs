//! A poller's `url`: macros, hub path and where clause, checked when an instance is made and asked at every poll.
//! Sends nothing and knows no element: whether the resource exists is for others to say.

mod hub_path;

#[cfg(test)]
mod tests;

pub use hub_path::{HubPath, HubPathError};

use crate::domain::time::Timestamp;
use crate::engine::dates::{Pattern, Zone, placeholder};
use crate::engine::macros::{MacroError, Moments, Template};
use crate::engine::where_clause::{Where, WhereError};

/// Longest url, in bytes. Cloud Elements' own field holds 1000.
pub const URL_BYTES_MAX: usize = 16 * 1024;

/// The instant for which a url is tried out before it is accepted.
const SAMPLE: Timestamp = Timestamp::from_ms(1_504_120_769_258);
/// How the last poll's time is put into a comparison that lacks a value.
const COMPLETION_FORMAT: &str = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'";

/// A url that was tried out and found good.
#[derive(Clone, Debug)]
pub struct PollerUrl {
    template: Template,
    /// The resource as of the sample instant; a macro in the path is beyond what anybody does.
    resource: String,
}

/// What a poll asks of the element.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Path of the resource without leading slash; may hold slashes.
    pub resource: String,
    pub filter: Option<Where>,
    /// All query parameters but `where`, in their order.
    pub parameters: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PollerUrlError {
    #[error("url has {bytes} bytes; at most {URL_BYTES_MAX} are allowed")]
    TooLong { bytes: usize },
    #[error(transparent)]
    Macro(#[from] MacroError),
    #[error("url has {placeholder}, a placeholder that was not filled in, at character {position}")]
    Placeholder { position: usize, placeholder: String },
    #[error("url has a percent-encoded macro: {found}; expected it as it is, such as ${{gmtDate:yyyy-MM-dd}}")]
    EncodedMacro { found: String },
    #[error(transparent)]
    HubPath(#[from] HubPathError),
    #[error(transparent)]
    Where(#[from] WhereError),
}

impl PollerUrl {
    /// Reads a url and tries it out for a sample instant; the texts say what was tolerated. Positions in errors of the
    /// where clause are those within the clause, macros expanded.
    pub fn parse(url: &str) -> Result<(Self, Vec<String>), PollerUrlError> {
        if url.len() > URL_BYTES_MAX {
            return Err(PollerUrlError::TooLong { bytes: url.len() });
        }
        let template = Template::parse(url)?;
        let mut warnings = template.warnings().to_vec();
        let moments = Moments {
            last_poll: SAMPLE,
            now: SAMPLE,
            default_zone: Zone::utc(),
        };
        let expanded = template.expand(&moments);
        check_placeholders(&expanded)?;
        let (request, said) = ask(&expanded, SAMPLE)?;
        warnings.extend(said);
        Ok((
            Self {
                template,
                resource: request.resource,
            },
            warnings,
        ))
    }

    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The request of one poll. A comparison without a value at the end of the where clause gets the last poll's time. Can
    /// fail only where a date's format depends on its instant, as with a month's name outside of quotes.
    pub fn at(&self, moments: &Moments) -> Result<Request, PollerUrlError> {
        Ok(ask(&self.template.expand(moments), moments.last_poll)?.0)
    }
}

fn ask(expanded: &str, last_poll: Timestamp) -> Result<(Request, Vec<String>), PollerUrlError> {
    let (path, mut warnings) = HubPath::parse(expanded)?;
    let texts = path.parameters.iter().map(|(_, value)| value).chain(&path.where_text);
    if let Some(found) = texts.into_iter().find_map(|text| Some(&text[text.find("${")?..])) {
        return Err(PollerUrlError::EncodedMacro { found: found.into() });
    }
    let completion = Pattern::parse(COMPLETION_FORMAT)
        .expect("the format is a constant")
        .format(last_poll, &Zone::utc());
    let filter = match &path.where_text {
        None => None,
        Some(text) => {
            let (filter, said) = Where::parse_tolerant(text, Some(&completion))?;
            warnings.extend(said);
            Some(filter)
        }
    };
    Ok((
        Request {
            resource: path.resource,
            filter,
            parameters: path.parameters,
        },
        warnings,
    ))
}

/// Refuses a `<word>` outside of quotes, or alone within them. Beside other text in quotes it may be meant.
fn check_placeholders(text: &str) -> Result<(), PollerUrlError> {
    let mut open: Option<char> = None;
    let mut before = None;
    for (index, (at, c)) in text.char_indices().enumerate() {
        let found = placeholder(&text[at..]);
        if let Some(found) = found {
            let alone = open.is_none_or(|quote| before == Some(quote) && text[at + found.len()..].starts_with(quote));
            if alone {
                return Err(PollerUrlError::Placeholder {
                    position: index + 1,
                    placeholder: found.to_owned(),
                });
            }
        }
        if matches!(c, '\'' | '"' | '`') {
            open = match open {
                None => Some(c),
                Some(quote) if quote == c => None,
                other => other,
            };
        }
        before = Some(c);
    }
    Ok(())
}
