//! Java `SimpleDateFormat` patterns, from text to items. Formats and reads nothing itself.

use std::fmt;

use super::cursor::{Cursor, excerpt};

/// Longest pattern, in bytes. A letter's count is a width to pad to, so this bounds what is formatted as well.
pub const PATTERN_BYTES_MAX: usize = 256;

/// The word that stands for milliseconds of Unix time; no pattern of Java's.
const MILLISECONDS: &str = "milliseconds";

/// How the shell wants a quote inside quotes, as found in patterns copied out of curl commands.
pub(in crate::engine) const SHELL_QUOTE: &str = r"'\''";

/// A compiled date pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub(super) items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Literal(String),
    Field {
        field: Field,
        /// How often the letter stands there.
        count: usize,
    },
    /// Milliseconds of Unix time.
    EpochMs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    Year,
    WeekYear,
    Month,
    WeekInYear,
    WeekInMonth,
    DayInYear,
    Day,
    /// Second Wednesday of the month: 2.
    WeekdayInMonth,
    WeekdayName,
    /// Monday is 1.
    WeekdayNumber,
    HalfDay,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    HourFrom1,
    /// 0 to 11.
    HalfHour,
    /// 1 to 12.
    HalfHourFrom1,
    Minute,
    Second,
    Fraction,
    ZoneName,
    ZoneOffset,
    ZoneIso,
}

impl Field {
    fn of_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'G' => Self::Era,
            'y' => Self::Year,
            'Y' => Self::WeekYear,
            'M' | 'L' => Self::Month,
            'w' => Self::WeekInYear,
            'W' => Self::WeekInMonth,
            'D' => Self::DayInYear,
            'd' => Self::Day,
            'F' => Self::WeekdayInMonth,
            'E' => Self::WeekdayName,
            'u' => Self::WeekdayNumber,
            'a' => Self::HalfDay,
            'H' => Self::Hour,
            'k' => Self::HourFrom1,
            'K' => Self::HalfHour,
            'h' => Self::HalfHourFrom1,
            'm' => Self::Minute,
            's' => Self::Second,
            'S' => Self::Fraction,
            'z' => Self::ZoneName,
            'Z' => Self::ZoneOffset,
            'X' => Self::ZoneIso,
            _ => return None,
        })
    }

    pub(super) fn is_zone(self) -> bool {
        matches!(self, Self::ZoneName | Self::ZoneOffset | Self::ZoneIso)
    }

    /// Is it digits in the text, given its count?
    pub(super) fn is_number(self, count: usize) -> bool {
        match self {
            Self::Month => count <= 2,
            Self::Era | Self::WeekdayName | Self::HalfDay => false,
            _ => !self.is_zone(),
        }
    }
}

/// Why a text is no pattern. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("date pattern is empty; expected one such as yyyy-MM-dd'T'HH:mm:ss, or the word milliseconds")]
    Empty,
    #[error("date pattern has {bytes} bytes; at most {PATTERN_BYTES_MAX} are allowed")]
    TooLong { bytes: usize },
    #[error("date pattern has an unterminated quote at character {position}: {found:?}; expected a closing quote")]
    UnterminatedQuote { position: usize, found: String },
    #[error(
        "date pattern has the unknown letter {letter:?} at character {position}; \
         expected one of G y Y M L w W D d F E u a H k K h m s S z Z X, or text in single quotes"
    )]
    UnknownLetter { position: usize, letter: char },
    #[error("date pattern has {count} X at character {position}; expected X, XX or XXX")]
    TooManyX { position: usize, count: usize },
    #[error("date pattern has {placeholder}, a placeholder that was not filled in, at character {position}")]
    Placeholder { position: usize, placeholder: String },
}

/// What was tolerated in a pattern, or is likely not meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// At this character, counted from 1.
    UnterminatedQuote {
        position: usize,
    },
    ShellQuotes,
    WeekYear,
    DayInYear,
    HalfDayWithoutMarker,
    MinutesForMonth,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnterminatedQuote { position } => write!(
                f,
                "the quote at character {position} is not closed; it is read as closed at the end of the pattern"
            ),
            Self::ShellQuotes => {
                write!(
                    f,
                    r"'\'' is how a shell command writes a quote; it is read as one quote"
                )
            }
            Self::WeekYear => write!(
                f,
                "Y is the year that the week belongs to and differs from the year around New Year; yyyy is likely meant"
            ),
            Self::DayInYear => write!(f, "D is the day in the year; dd is likely meant beside a month"),
            Self::HalfDayWithoutMarker => {
                write!(
                    f,
                    "h counts to 12 and the pattern has no a for AM or PM; HH is likely meant"
                )
            }
            Self::MinutesForMonth => write!(f, "mm is the minute and the pattern has no month; MM is likely meant"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    MustClose,
    MayEndOpen,
}

impl Pattern {
    /// Reads a pattern as Java does: letters are fields, text in single quotes and all other characters stand for
    /// themselves, `''` is a quote. The word `milliseconds` is Unix time in milliseconds.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Ok(compile(text, Quotes::MustClose)?.0)
    }

    /// Reads a pattern as people have it in configurations: a quote may stay open at the very end (or before a last `Z`
    /// or `T`), and quotes may be written as in a shell command.
    pub fn parse_tolerant(text: &str) -> Result<(Self, Vec<Warning>), PatternError> {
        let unescaped;
        let mut warnings = Vec::new();
        let mut text = text.trim();
        if text.contains(SHELL_QUOTE) {
            warnings.push(Warning::ShellQuotes);
            unescaped = text.replace(SHELL_QUOTE, "'");
            text = &unescaped;
        }
        let (pattern, open) = compile(text, Quotes::MayEndOpen)?;
        warnings.extend(open.map(|position| Warning::UnterminatedQuote { position }));
        warnings.extend(pattern.suspicions());
        Ok((pattern, warnings))
    }

    pub(super) fn has(&self, wanted: Field) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, Item::Field { field, .. } if *field == wanted))
    }

    pub(super) fn has_zone(&self) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, Item::Field { field, .. } if field.is_zone()))
    }

    /// Does it put the day between year and month, where ISO 8601 has the month?
    pub(super) fn contradicts_iso(&self) -> bool {
        let mut order = self.items.iter().filter_map(|item| match item {
            Item::Field {
                field: field @ (Field::Year | Field::Month | Field::Day),
                ..
            } => Some(*field),
            _ => None,
        });
        order.next() == Some(Field::Year) && order.next() == Some(Field::Day)
    }

    fn suspicions(&self) -> impl Iterator<Item = Warning> {
        let dated = self.has(Field::Month) || self.has(Field::Day);
        let half = self.has(Field::HalfHour) || self.has(Field::HalfHourFrom1);
        [
            (self.has(Field::WeekYear) && dated, Warning::WeekYear),
            (self.has(Field::DayInYear) && self.has(Field::Month), Warning::DayInYear),
            (half && !self.has(Field::HalfDay), Warning::HalfDayWithoutMarker),
            (
                self.has(Field::Minute)
                    && self.has(Field::Day)
                    && !self.has(Field::Month)
                    && !self.has(Field::DayInYear),
                Warning::MinutesForMonth,
            ),
        ]
        .into_iter()
        .filter_map(|(suspicious, warning)| suspicious.then_some(warning))
    }
}

/// The pattern, and where a quote stayed open.
fn compile(text: &str, quotes: Quotes) -> Result<(Pattern, Option<usize>), PatternError> {
    if text.is_empty() {
        return Err(PatternError::Empty);
    }
    if text.len() > PATTERN_BYTES_MAX {
        return Err(PatternError::TooLong { bytes: text.len() });
    }
    if text.eq_ignore_ascii_case(MILLISECONDS) {
        return Ok((
            Pattern {
                items: vec![Item::EpochMs],
            },
            None,
        ));
    }
    let mut items = Vec::new();
    let mut literal = String::new();
    let mut open = None;
    let mut cursor = Cursor::new(text);
    while let Some(next) = cursor.peek() {
        let start = cursor;
        match next {
            '\'' => {
                if !quoted(&mut cursor, &mut literal) {
                    let inside = &start.rest()[1..];
                    if quotes == Quotes::MustClose || !matches!(inside, "" | "Z" | "T") {
                        let (position, found) = (start.position(), excerpt(start.rest()));
                        return Err(PatternError::UnterminatedQuote { position, found });
                    }
                    open = Some(start.position());
                }
            }
            letter if letter.is_ascii_alphabetic() => {
                let count = cursor.take_while(|c| c == letter).len();
                let position = start.position();
                let field = Field::of_letter(letter).ok_or(PatternError::UnknownLetter { position, letter })?;
                if field == Field::ZoneIso && count > 3 {
                    return Err(PatternError::TooManyX { position, count });
                }
                if !literal.is_empty() {
                    items.push(Item::Literal(std::mem::take(&mut literal)));
                }
                items.push(Item::Field { field, count });
            }
            other => {
                if let Some(placeholder) = placeholder(start.rest()) {
                    let placeholder = excerpt(placeholder);
                    return Err(PatternError::Placeholder {
                        position: start.position(),
                        placeholder,
                    });
                }
                cursor.next();
                literal.push(other);
            }
        }
    }
    if !literal.is_empty() {
        items.push(Item::Literal(literal));
    }
    Ok((Pattern { items }, open))
}

/// Adds what a quote at the cursor stands for to `literal`; false if it is not closed.
fn quoted(cursor: &mut Cursor<'_>, literal: &mut String) -> bool {
    cursor.accept('\'');
    if cursor.accept('\'') {
        literal.push('\'');
        return true;
    }
    loop {
        literal.push_str(cursor.take_while(|c| c != '\''));
        if !cursor.accept('\'') {
            return false;
        }
        if !cursor.accept('\'') {
            return true;
        }
        literal.push('\'');
    }
}

/// A `<word>` at the front of a text, left over from a template.
pub(in crate::engine) fn placeholder(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('<')?;
    let word = &inside[..inside.find('>')?];
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    is_word.then(|| &text[..word.len() + 2])
}
