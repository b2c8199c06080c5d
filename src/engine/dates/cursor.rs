//! A place in a text, moved forward by readers. Copied to try something and come back.

/// Characters of the user's text that an error message repeats.
const EXCERPT_CHARS_MAX: usize = 40;

#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Cursor<'a> {
    text: &'a str,
    /// In bytes, always between two characters.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(in crate::engine) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(in crate::engine) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(in crate::engine) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Counted in characters, from 1.
    pub(in crate::engine) fn position(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    pub(in crate::engine) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(in crate::engine) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(in crate::engine) fn accept(&mut self, expected: char) -> bool {
        let accepted = self.peek() == Some(expected);
        if accepted {
            self.at += expected.len_utf8();
        }
        accepted
    }

    pub(in crate::engine) fn accept_text(&mut self, expected: &str) -> bool {
        let accepted = self.rest().starts_with(expected);
        if accepted {
            self.at += expected.len();
        }
        accepted
    }

    pub(in crate::engine) fn accept_any_case(&mut self, expected: &str) -> bool {
        let accepted = self
            .rest()
            .get(..expected.len())
            .is_some_and(|front| front.eq_ignore_ascii_case(expected));
        if accepted {
            self.at += expected.len();
        }
        accepted
    }

    pub(in crate::engine) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !wanted(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    /// At most `digits_max` decimal digits.
    pub(in crate::engine) fn take_digits(&mut self, digits_max: usize) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
        self.at += length;
        &rest[..length]
    }

    pub(in crate::engine) fn skip_spaces(&mut self) {
        self.take_while(|c| c == ' ' || c == '\t');
    }

    /// Two pieces taken one after the other, as one.
    pub(super) fn join(&self, first: &'a str, second: &'a str) -> &'a str {
        &self.text[self.at - second.len() - first.len()..self.at]
    }

    /// What comes next, for an error message: `"…"`, or `the end`.
    pub(in crate::engine) fn found(&self) -> String {
        if self.is_at_end() {
            "the end".into()
        } else {
            format!("{:?}", excerpt(self.rest()))
        }
    }
}

/// The beginning of a text, short enough to print.
pub(in crate::engine) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
