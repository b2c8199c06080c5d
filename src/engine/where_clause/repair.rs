//! Where clauses with the defects that configurations are known to have. Guesses at nothing else, and says all it does.

use super::{Op, Where, WhereError, parse as grammar};
use crate::engine::dates::SHELL_QUOTE;
use crate::engine::dates::cursor::excerpt;

/// More defects than this in one clause are no accident.
const REPAIRS_MAX: usize = 5;
const CURLY_QUOTES: [(char, char); 4] = [
    ('\u{2018}', '\''),
    ('\u{2019}', '\''),
    ('\u{201c}', '"'),
    ('\u{201d}', '"'),
];

pub(super) fn parse(text: &str, completion: Option<&str>) -> Result<(Where, Vec<String>), WhereError> {
    let mut error = match grammar::parse(text) {
        Ok(clause) => return Ok((clause, Vec::new())),
        Err(error) => error,
    };
    let as_given = error.clone();
    let mut text = text.to_owned();
    let mut warnings = Vec::new();
    for _ in 0..REPAIRS_MAX {
        let Some((repaired, warning)) = repair(&text, &error, completion) else {
            break;
        };
        text = repaired;
        warnings.push(warning);
        error = match grammar::parse(&text) {
            Ok(clause) => return Ok((clause, warnings)),
            Err(error) => error,
        };
    }
    Err(as_given)
}

/// The text without the defect that most likely caused the error, and what to say about it.
fn repair(text: &str, error: &WhereError, completion: Option<&str>) -> Option<(String, String)> {
    let curly = |c: char| {
        CURLY_QUOTES
            .iter()
            .find(|(curly, _)| *curly == c)
            .map(|(_, straight)| *straight)
    };
    if text.contains(|c| curly(c).is_some()) {
        let straight = text.chars().map(|c| curly(c).unwrap_or(c)).collect();
        return Some((straight, "typographic quotes are read as straight ones".into()));
    }
    if text.contains(SHELL_QUOTE) {
        let warning = r"'\'' is how a shell command writes a quote; it is read as one quote";
        return Some((text.replace(SHELL_QUOTE, "'"), warning.into()));
    }
    match error {
        WhereError::NoValue {
            field,
            op: op @ (Op::Equal | Op::Greater | Op::GreaterOrEqual),
            ..
        } => complete(text, field, *op, completion?),
        WhereError::UnclosedQuote { position, .. } => close(text, *position),
        WhereError::Unopened { position } => {
            let (kept, stray) = split(text, *position);
            let only_stray = stray.chars().all(|c| c == ')' || c.is_whitespace());
            only_stray.then(|| {
                (
                    kept.to_owned(),
                    "a stray closing parenthesis at the end of the where clause is ignored".into(),
                )
            })
        }
        _ => None,
    }
}

/// A comparison that can mean "since", without value at the very end. The usual cause is a shell.
fn complete(text: &str, field: &str, op: Op, completion: &str) -> Option<(String, String)> {
    let text = text.trim_end();
    if !text.ends_with(op.as_str()) {
        return None;
    }
    let warning = format!(
        "the where clause ends in {field:?} {op} without a value; the time of the last poll is put in. A shell eats the \
         single quotes round ${{…}} in a curl command: write each of them as '\\'' or send the body from a file with \
         -d @body.json"
    );
    Some((format!("{text}'{}'", completion.replace('\'', "''")), warning))
}

/// A text at the end with one quote too many or too few.
fn close(text: &str, position: usize) -> Option<(String, String)> {
    let text = text.trim_end();
    let (_, open) = split(text, position);
    let quote = open.chars().next()?;
    let inside = &open[quote.len_utf8()..];
    let doubled: String = [quote, quote].iter().collect();
    if let Some(once) = inside.strip_suffix(&doubled)
        && is_one_value(once, quote)
    {
        let warning = format!(
            "the doubled quote at the end of the where clause is read as one: {}",
            excerpt(open)
        );
        return Some((text[..text.len() - quote.len_utf8()].to_owned(), warning));
    }
    // A quote that swallowed further terms is not closed at the end; better no guess than a wrong one.
    is_one_value(inside, quote).then(|| {
        let warning = format!(
            "the missing quote at the end of the where clause is added: {}",
            excerpt(open)
        );
        (format!("{text}{quote}"), warning)
    })
}

/// Is it plain text, rather than the rest of a clause?
fn is_one_value(text: &str, quote: char) -> bool {
    let lower = text.to_ascii_lowercase();
    !text.is_empty() && !text.contains([quote, '=', '<', '>']) && !lower.contains(" and ") && !lower.contains(" or ")
}

/// The text before and from a position that an error names.
fn split(text: &str, position: usize) -> (&str, &str) {
    let at = text.char_indices().nth(position - 1).map_or(text.len(), |(at, _)| at);
    text.split_at(at)
}
