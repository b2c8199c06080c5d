//! The grammar of where clauses, by recursive descent. Repairs nothing.

use super::{CLAUSE_BYTES_MAX, DEPTH_MAX, Op, Value, Where, WhereError};
use crate::engine::dates::cursor::Cursor;
use crate::engine::dates::{Zone, read_lenient};

const EXPECTED_FIELD: &str = "a field or an opening parenthesis";
const EXPECTED_OP: &str = "one of = != < > <= >= LIKE IN IS NULL";
const EXPECTED_VALUE: &str = "a value: text in quotes, a number, true, false or an ISO date";

pub(super) fn parse(text: &str) -> Result<Where, WhereError> {
    if text.len() > CLAUSE_BYTES_MAX {
        return Err(WhereError::TooLong { bytes: text.len() });
    }
    let mut parser = Parser {
        cursor: Cursor::new(text),
        depth: 0,
    };
    let clause = parser.any()?;
    parser.skip_spaces();
    match parser.cursor.peek() {
        None => Ok(clause),
        Some(')') => Err(WhereError::Unopened {
            position: parser.cursor.position(),
        }),
        Some(_) => Err(parser.unexpected("AND, OR or the end")),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
}

impl Parser<'_> {
    /// Terms joined by OR.
    fn any(&mut self) -> Result<Where, WhereError> {
        let first = self.all()?;
        let mut terms = vec![first];
        while self.accept_keyword("or") {
            terms.push(self.all()?);
        }
        Ok(only(terms).unwrap_or_else(Where::Or))
    }

    /// Terms joined by AND.
    fn all(&mut self) -> Result<Where, WhereError> {
        let mut terms = vec![self.term()?];
        while self.accept_keyword("and") {
            terms.push(self.term()?);
        }
        Ok(only(terms).unwrap_or_else(Where::And))
    }

    fn term(&mut self) -> Result<Where, WhereError> {
        self.skip_spaces();
        let position = self.cursor.position();
        if !self.cursor.accept('(') {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(WhereError::TooDeep { position });
        }
        let inside = self.any()?;
        self.skip_spaces();
        if !self.cursor.accept(')') {
            return Err(self.unexpected("AND, OR or a closing parenthesis"));
        }
        self.depth -= 1;
        Ok(inside)
    }

    fn comparison(&mut self) -> Result<Where, WhereError> {
        let start = self.cursor;
        let field = self.field()?;
        if let Some(op) = self.symbol() {
            let value = self.compared(&field, op)?;
            return Ok(Where::Compare { field, op, value });
        }
        if self.accept_keyword("like") {
            let value = self.compared(&field, Op::Like)?;
            return Ok(Where::Compare {
                field,
                op: Op::Like,
                value,
            });
        }
        if self.accept_keyword("in") {
            let values = self.list()?;
            return Ok(Where::In { field, values });
        }
        if self.accept_keyword("is") {
            if self.accept_keyword("null") {
                return Ok(Where::IsNull { field });
            }
            return Err(self.unexpected("NULL (IS NOT NULL is not part of where clauses)"));
        }
        if field.eq_ignore_ascii_case("not") {
            self.cursor = start;
            return Err(self.unexpected(&format!("{EXPECTED_FIELD} (NOT is not part of where clauses)")));
        }
        self.skip_spaces();
        Err(self.unexpected(EXPECTED_OP))
    }

    fn field(&mut self) -> Result<String, WhereError> {
        let position = self.cursor.position();
        let field = match self.cursor.peek() {
            Some(quote @ ('`' | '"' | '\'')) => self.quoted(quote)?,
            _ => self.cursor.take_while(is_field_letter).to_owned(),
        };
        if field.is_empty() {
            if self.cursor.position() == position {
                return Err(self.unexpected(EXPECTED_FIELD));
            }
            let (found, expected) = ("an empty name".into(), EXPECTED_FIELD.into());
            return Err(WhereError::Unexpected {
                position,
                found,
                expected,
            });
        }
        Ok(field)
    }

    fn symbol(&mut self) -> Option<Op> {
        self.skip_spaces();
        // Longer ones first.
        let symbols = [
            Op::NotEqual,
            Op::LessOrEqual,
            Op::GreaterOrEqual,
            Op::Equal,
            Op::Less,
            Op::Greater,
        ];
        symbols.into_iter().find(|op| self.cursor.accept_text(op.as_str()))
    }

    /// The value of a comparison.
    fn compared(&mut self, field: &str, op: Op) -> Result<Value, WhereError> {
        self.skip_spaces();
        if self.cursor.is_at_end() || self.cursor.peek() == Some(')') {
            let (position, found) = (self.cursor.position(), self.cursor.found());
            return Err(WhereError::NoValue {
                position,
                field: field.to_owned(),
                op,
                found,
            });
        }
        self.value()
    }

    fn list(&mut self) -> Result<Vec<Value>, WhereError> {
        self.skip_spaces();
        if !self.cursor.accept('(') {
            return Err(self.unexpected("an opening parenthesis"));
        }
        let mut values = Vec::new();
        loop {
            self.skip_spaces();
            values.push(self.value()?);
            self.skip_spaces();
            if self.cursor.accept(')') {
                return Ok(values);
            }
            if !self.cursor.accept(',') {
                return Err(self.unexpected("a comma or a closing parenthesis"));
            }
        }
    }

    fn value(&mut self) -> Result<Value, WhereError> {
        if let Some(quote @ ('"' | '\'')) = self.cursor.peek() {
            return self.quoted(quote).map(Value::Text);
        }
        for (word, boolean) in [("true", true), ("false", false)] {
            if self.accept_keyword(word) {
                return Ok(Value::Boolean(boolean));
            }
        }
        let found = self.date().or_else(|| self.number());
        found.ok_or_else(|| self.unexpected(EXPECTED_VALUE))
    }

    /// A date without quotes: what macros leave where nobody put quotes round them.
    fn date(&mut self) -> Option<Value> {
        let start = self.cursor;
        let is_date = |text: &str| text.len() >= "2017-08-30".len() && read_lenient(text, None, &Zone::utc()).is_ok();
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+');
        let day = self.cursor.take_while(letter);
        if !is_date(day) {
            self.cursor = start;
            return None;
        }
        let after_day = self.cursor;
        self.cursor.skip_spaces();
        self.cursor.take_while(letter);
        let with_time = &start.rest()[..start.rest().len() - self.cursor.rest().len()];
        if is_date(with_time) {
            return Some(Value::Text(with_time.trim_end().to_owned()));
        }
        self.cursor = after_day;
        Some(Value::Text(day.to_owned()))
    }

    fn number(&mut self) -> Option<Value> {
        let mut cursor = self.cursor;
        cursor.accept('-');
        if cursor.take_while(|c| c.is_ascii_digit()).is_empty() {
            return None;
        }
        let mut fraction = cursor;
        if fraction.accept('.') && !fraction.take_while(|c| c.is_ascii_digit()).is_empty() {
            cursor = fraction;
        }
        let mut exponent = cursor;
        if exponent.accept('e') || exponent.accept('E') {
            let _sign = exponent.accept('-') || exponent.accept('+');
            if !exponent.take_while(|c| c.is_ascii_digit()).is_empty() {
                cursor = exponent;
            }
        }
        let text = &self.cursor.rest()[..self.cursor.rest().len() - cursor.rest().len()];
        let ends =
            !cursor.peek().is_some_and(is_field_letter) || keyword(cursor, "and").or(keyword(cursor, "or")).is_some();
        if !ends {
            return None;
        }
        self.cursor = cursor;
        Some(number(text))
    }

    /// What stands between two quotes.
    fn quoted(&mut self, quote: char) -> Result<String, WhereError> {
        let start = self.cursor;
        self.cursor.accept(quote);
        let mut text = String::new();
        loop {
            text.push_str(self.cursor.take_while(|c| c != quote && c != '\\'));
            match self.cursor.next() {
                None => {
                    let (position, found) = (start.position(), start.found());
                    return Err(WhereError::UnclosedQuote { position, found });
                }
                Some('\\') if self.cursor.accept(quote) => text.push(quote),
                Some('\\') => {
                    self.cursor.accept('\\');
                    text.push('\\');
                }
                Some(_) if self.cursor.accept(quote) => text.push(quote),
                Some(_) => return Ok(text),
            }
        }
    }

    fn accept_keyword(&mut self, word: &str) -> bool {
        let mut ahead = self.cursor;
        ahead.take_while(char::is_whitespace);
        let behind = keyword(ahead, word);
        self.cursor = behind.unwrap_or(self.cursor);
        behind.is_some()
    }

    fn skip_spaces(&mut self) {
        self.cursor.take_while(char::is_whitespace);
    }

    fn unexpected(&self, expected: &str) -> WhereError {
        let (position, found) = (self.cursor.position(), self.cursor.found());
        WhereError::Unexpected {
            position,
            found,
            expected: expected.into(),
        }
    }
}

/// The place behind a keyword, in any case, if it stands there as a word.
fn keyword<'a>(mut cursor: Cursor<'a>, word: &str) -> Option<Cursor<'a>> {
    let found = cursor.accept_any_case(word) && !cursor.peek().is_some_and(is_field_letter);
    found.then_some(cursor)
}

fn is_field_letter(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// Digits as JSON has them, or as text if it has them otherwise: `007` and what would lose digits.
fn number(text: &str) -> Value {
    let is_integer = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let number = serde_json::from_str::<serde_json::Number>(text).ok();
    match number.filter(|number| !(is_integer && number.is_f64())) {
        Some(number) => Value::Number(number),
        None => Value::Text(text.to_owned()),
    }
}

/// The one term of a list that has no more.
fn only(mut terms: Vec<Where>) -> Result<Where, Vec<Where>> {
    if terms.len() > 1 {
        return Err(terms);
    }
    terms.pop().ok_or(terms)
}
