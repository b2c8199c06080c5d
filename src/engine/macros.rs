//! Date macros in poller urls: `${gmtDate:yyyy-MM-dd}` and its kin, read once and expanded at every poll.
//! Knows nothing of urls or where clauses: it is expanded first and the result parsed, for a format's quotes have nothing
//! to do with the clause's. The text that comes out is plain, not percent-encoded.

use crate::domain::time::Timestamp;
use crate::engine::dates::cursor::{Cursor, excerpt};
use crate::engine::dates::{Pattern, PatternError, Zone, ZoneError};

/// Format of a date macro that has none. Cloud Elements states none, so this is ours: what Autotask's own url asks for.
pub const FORMAT_DEFAULT: &str = "yyyy-MM-dd'T'HH:mm:ssZ";

const WORDS: &str = "${gmtDate:FORMAT}, ${date:FORMAT}, ${dateTimeZone:ZONE:FORMAT}, ${epoch:ms}, ${epoch:s}, \
                     ${milliseconds} or ${nowTimeZone:ZONE:FORMAT}";

/// The points in time that a poll's macros speak of.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Where the poll reads on from. All words but `nowTimeZone` mean it.
    pub last_poll: Timestamp,
    /// When the poll began.
    pub now: Timestamp,
    /// Zone of `${date}`.
    pub default_zone: Zone,
}

/// A text with macros in it.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Date {
        of: Of,
        /// None for the default zone.
        zone: Option<Zone>,
        pattern: Pattern,
    },
    Epoch(Unit),
}

#[derive(Clone, Copy, Debug)]
enum Of {
    LastPoll,
    Now,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    Ms,
    S,
    Us,
    /// `${epoch:0}`: from the beginning.
    Zero,
}

/// Why a macro cannot be read. Positions count characters of the whole text from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacroError {
    #[error("macro at character {position} has no closing brace; found {found:?}")]
    Unclosed { position: usize, found: String },
    #[error("macro at character {position} has no braces; found {found:?}, expected ${{gmtDate:…}}")]
    NoBrace { position: usize, found: String },
    #[error("macro at character {position} has a format but no word before it: {found:?}; expected {WORDS}")]
    NoWord { position: usize, found: String },
    #[error("macro at character {position} has the unknown word {found:?}; expected {WORDS}")]
    UnknownWord { position: usize, found: String },
    #[error("macro at character {position}: zone not filled in: {found:?}; expected one such as GMT, PST or -6:00")]
    ZoneNotFilledIn { position: usize, found: String },
    #[error("macro at character {position} has the unknown unit {found:?}; expected ms, s or us")]
    UnknownUnit { position: usize, found: String },
    #[error("macro at character {position}: {error}")]
    Zone { position: usize, error: ZoneError },
    #[error("macro at character {position}: {error}")]
    Pattern { position: usize, error: PatternError },
}

impl Template {
    /// Finds and reads every macro of a text. Words may be in any case. A `$` without a brace is text, unless a closing
    /// brace behind it says that it was meant to be a macro.
    pub fn parse(text: &str) -> Result<Self, MacroError> {
        let mut template = Self {
            pieces: Vec::new(),
            warnings: Vec::new(),
        };
        let mut cursor = Cursor::new(text);
        loop {
            let plain = cursor.take_while(|c| c != '$');
            template.push_text(plain);
            let start = cursor;
            if !cursor.accept('$') {
                return Ok(template);
            }
            if cursor.accept('{') {
                let position = start.position();
                let found = || excerpt(start.rest());
                let body = body(&mut cursor).ok_or_else(|| MacroError::Unclosed {
                    position,
                    found: found(),
                })?;
                let piece = template.read_macro(body, position)?;
                template.pieces.push(piece);
            } else if let Some(meant) = meant_macro(start.rest()) {
                return Err(MacroError::NoBrace {
                    position: start.position(),
                    found: excerpt(meant),
                });
            } else {
                template.push_text("$");
            }
        }
    }

    /// The text with every macro replaced by its moment.
    #[must_use]
    pub fn expand(&self, moments: &Moments) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Date { of, zone, pattern } => {
                    let time = match of {
                        Of::LastPoll => moments.last_poll,
                        Of::Now => moments.now,
                    };
                    text.push_str(&pattern.format(time, zone.as_ref().unwrap_or(&moments.default_zone)));
                }
                Piece::Epoch(unit) => text.push_str(&epoch(moments.last_poll.as_ms(), *unit).to_string()),
            }
        }
        text
    }

    /// What was tolerated, in words.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(before)) => before.push_str(text),
            _ if text.is_empty() => {}
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// Reads what stands between the braces.
    fn read_macro(&mut self, body: &str, position: usize) -> Result<Piece, MacroError> {
        let (word, rest) = match body.split_once(':') {
            Some((word, rest)) => (word.trim(), Some(rest)),
            None => (body.trim(), None),
        };
        let last_poll = Of::LastPoll;
        match word.to_ascii_lowercase().as_str() {
            "date" => self.date(last_poll, None, rest, position),
            "gmtdate" => self.date(last_poll, Some(Zone::gmt()), rest, position),
            "datetimezone" => self.zoned(last_poll, rest, position),
            "nowtimezone" => self.zoned(Of::Now, rest, position),
            "epoch" => unit(rest, position).map(Piece::Epoch),
            "milliseconds" if rest.is_none() => Ok(Piece::Epoch(Unit::Ms)),
            _ => {
                let found = excerpt(body);
                // A format on its own reads as one; no misspelt word does but by chance.
                let is_format = Pattern::parse_tolerant(body).is_ok();
                Err(if is_format || word.is_empty() {
                    MacroError::NoWord { position, found }
                } else {
                    MacroError::UnknownWord { position, found }
                })
            }
        }
    }

    fn zoned(&mut self, of: Of, rest: Option<&str>, position: usize) -> Result<Piece, MacroError> {
        let (zone, format) = split_zone(rest.unwrap_or(""));
        let found = zone.trim();
        let not_filled_in = || MacroError::ZoneNotFilledIn {
            position,
            found: excerpt(found),
        };
        if found.is_empty() || found.starts_with('{') {
            return Err(not_filled_in());
        }
        let zone = Zone::parse(found).map_err(|error| match error {
            ZoneError::Placeholder(_) => not_filled_in(),
            error => MacroError::Zone { position, error },
        })?;
        self.date(of, Some(zone), format, position)
    }

    fn date(&mut self, of: Of, zone: Option<Zone>, format: Option<&str>, position: usize) -> Result<Piece, MacroError> {
        let format = format.unwrap_or(FORMAT_DEFAULT);
        let parsed = Pattern::parse_tolerant(format);
        let (pattern, warnings) = parsed.map_err(|error| MacroError::Pattern { position, error })?;
        self.warnings.extend(
            warnings
                .iter()
                .map(|warning| format!("macro at character {position}: {warning}")),
        );
        Ok(Piece::Date { of, zone, pattern })
    }
}

/// What stands up to the closing brace that belongs to the one before the cursor; None if there is none.
fn body<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let rest = cursor.rest();
    let mut depth = 1_usize;
    let end = rest.find(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    let body = &rest[..end];
    cursor.accept_text(body);
    cursor.accept('}');
    Some(body)
}

/// The `$yyyy-MM-dd}` at the front of a text, if a brace closes what none has opened.
fn meant_macro(text: &str) -> Option<&str> {
    let end = text.find(['{', '}', '&'])?;
    text[end..].starts_with('}').then(|| &text[..=end])
}

/// Zone and format. An offset has a colon of its own: `-6:00:yyyy-MM-dd`, `GMT+6:00:yyyy`.
fn split_zone(text: &str) -> (&str, Option<&str>) {
    let colon = |from: usize| text[from..].find(':').map(|at| from + at);
    let Some(mut end) = colon(0) else { return (text, None) };
    if text.trim_start().starts_with('{') {
        end = text.find('}').and_then(colon).unwrap_or(text.len());
    } else if is_offset_hours(&text[..end])
        && text.as_bytes()[end + 1..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
            == 2
    {
        end = colon(end + 1).unwrap_or(text.len());
    }
    (&text[..end], text.get(end + 1..))
}

/// Does a zone end in a sign and one or two digits?
fn is_offset_hours(text: &str) -> bool {
    let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
    matches!(digits, 1 | 2) && text[..text.len() - digits].ends_with(['+', '-'])
}

fn unit(rest: Option<&str>, position: usize) -> Result<Unit, MacroError> {
    match rest.map(|rest| rest.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "ms") => Ok(Unit::Ms),
        Some("s") => Ok(Unit::S),
        Some("us") => Ok(Unit::Us),
        Some("0") => Ok(Unit::Zero),
        Some(_) => Err(MacroError::UnknownUnit {
            position,
            found: excerpt(rest.unwrap_or_default()),
        }),
    }
}

fn epoch(ms: i64, unit: Unit) -> i64 {
    match unit {
        Unit::Ms => ms,
        Unit::S => ms.div_euclid(1_000),
        Unit::Us => ms.saturating_mul(1_000),
        Unit::Zero => 0,
    }
}

#[cfg(test)]
mod tests;
