//! What is wrong with a document, and where.
//! It must not quote more than one character of the document: what a vendor sends may be somebody's secret.
use core::fmt;

/// The document was refused: what stands at a byte of it and what was expected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// Bytes from the document's start, a byte order mark included.
    pub offset: usize,
    pub problem: Problem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Nothing but white space.
    Empty,
    Unexpected {
        expected: &'static str,
        found: char,
    },
    /// The document ends too soon; `inside` says within what.
    Ends {
        inside: &'static str,
    },
    NotUtf8,
    /// Nested deeper than [`super::DEPTH_MAX`] levels.
    TooDeep,
    /// Half of a surrogate pair, which no UTF-8 text can hold.
    LoneSurrogate,
    /// The envelope has two members of the list's name: which one is meant cannot be known.
    SecondList,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match self.problem {
            Problem::Empty => f.write_str("the document is empty"),
            Problem::Unexpected { expected, found } if found.is_control() => {
                write!(
                    f,
                    "at byte {offset}: expected {expected}, found control character {:#04x}",
                    u32::from(found)
                )
            }
            Problem::Unexpected { expected, found } => {
                write!(f, "at byte {offset}: expected {expected}, found '{found}'")
            }
            Problem::Ends { inside } => write!(f, "the document ends inside {inside}, after {offset} bytes"),
            Problem::NotUtf8 => write!(f, "at byte {offset}: not UTF-8"),
            Problem::TooDeep => write!(f, "at byte {offset}: nested deeper than {} levels", super::DEPTH_MAX),
            Problem::LoneSurrogate => write!(
                f,
                "at byte {offset}: half of a surrogate pair, which stands for no character"
            ),
            Problem::SecondList => write!(f, "at byte {offset}: the list is there a second time"),
        }
    }
}

impl core::error::Error for Error {}

/// What the scanner wanted, kept to one byte so that its hot functions return in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Value,
    Literal,
    Digit,
    NoLeadingZero,
    StringByte,
    EscapeLetter,
    HexDigit,
    PairedSurrogate,
    NameOrEnd,
    Name,
    Colon,
    ObjectNext,
    ArrayNext,
    Object,
    DocumentEnd,
    Shallower,
    OneList,
}

/// Where the scanner stopped and what it wanted there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) at: usize,
    pub(super) wanted: Wanted,
}

impl Stop {
    pub(super) fn new<T>(at: usize, wanted: Wanted) -> Result<T, Self> {
        Err(Self { at, wanted })
    }

    /// `skipped` is what was cut off `text`'s start before the scan: a byte order mark.
    pub(super) fn into_error(self, text: &str, skipped: usize) -> Error {
        let (expected, inside) = match self.wanted {
            Wanted::Shallower => return self.because(Problem::TooDeep, skipped),
            Wanted::PairedSurrogate => return self.because(Problem::LoneSurrogate, skipped),
            Wanted::OneList => return self.because(Problem::SecondList, skipped),
            Wanted::Value => ("a value", "an object or array"),
            Wanted::Literal => ("true, false or null", "true, false or null"),
            Wanted::Digit => ("a digit", "a number"),
            Wanted::NoLeadingZero => ("no digit after a leading zero", "a number"),
            Wanted::StringByte => ("an escape instead of a bare control character", "a string"),
            Wanted::EscapeLetter => ("one of \"\\/bfnrtu after a backslash", "a string"),
            Wanted::HexDigit => ("four hexadecimal digits after \\u", "a string"),
            Wanted::NameOrEnd => ("a name in double quotes or '}'", "an object"),
            Wanted::Name => ("a name in double quotes", "an object"),
            Wanted::Colon => ("':'", "an object"),
            Wanted::ObjectNext => ("',' or '}'", "an object"),
            Wanted::ArrayNext => ("',' or ']'", "an array"),
            Wanted::Object => ("'{'", "an array"),
            Wanted::DocumentEnd => ("the end of the document", "white space"),
        };
        let problem = match text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => Problem::Unexpected { expected, found },
            None if text.trim_ascii().is_empty() => Problem::Empty,
            None => Problem::Ends { inside },
        };
        self.because(problem, skipped)
    }

    fn because(self, problem: Problem, skipped: usize) -> Error {
        Error {
            offset: self.at + skipped,
            problem,
        }
    }
}
