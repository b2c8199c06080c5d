//! Paging by a token that each page gives for the next.
//! Must not look into a token: it is the vendor's.

use serde::{Deserialize, Serialize};

use super::trail::Trail;
use super::{check_length, no_progress};
use crate::Fault;

/// Where a walk by tokens is.
///
/// ```
/// use tidegate_sdk::paging::Cursor;
///
/// let first = Cursor::start();
/// assert_eq!(first.token(), None);
/// let second = first.next(Some("MTAw")).unwrap().expect("the page names a next one");
/// assert_eq!(second.token(), Some("MTAw"));
/// // The last page names none.
/// assert_eq!(second.clone().next(None).unwrap(), None);
/// // A page that names itself would be read for ever.
/// assert_eq!(second.next(Some("MTAw")).unwrap_err().code, "no-progress");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    token: Option<String>,
    trail: Trail,
}

impl Cursor {
    /// At the first page, which is asked for without a token.
    pub fn start() -> Self {
        Self {
            token: None,
            trail: Trail::start(b""),
        }
    }

    /// At the page of a token that was kept, as in a checkpoint.
    pub fn at(token: impl Into<String>) -> Self {
        let token = token.into();
        Self {
            trail: Trail::start(token.as_bytes()),
            token: Some(token),
        }
    }

    /// The token of the page to ask for; none for the first.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Where the next page is, given the token that the page just read names for it. None ends the walk; an empty token
    /// counts as none.
    ///
    /// # Errors
    /// `no-progress` where the walk was there before.
    pub fn next(mut self, token: Option<&str>) -> Result<Option<Self>, Fault> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        check_length("token", token)?;
        if !self.trail.goes_to(token.as_bytes()) {
            return Err(no_progress(
                "the page names for its next page a token that was asked for before",
            ));
        }
        self.token = Some(token.to_owned());
        Ok(Some(self))
    }
}

#[cfg(test)]
mod tests {
    use super::super::PLACE_BYTES_MAX;
    use super::*;

    #[test]
    fn a_circle_of_tokens_is_a_fault_and_a_long_walk_is_none() {
        let mut cursor = Cursor::start();
        for page in 0..1_000 {
            cursor = cursor.next(Some(&page.to_string())).unwrap().unwrap();
        }
        let mut round = ["a", "b", "c"].iter().cycle();
        let fault = loop {
            match cursor.next(round.next().copied()) {
                Ok(next) => cursor = next.unwrap(),
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault.code, "no-progress");
    }

    #[test]
    fn a_kept_token_that_names_itself_is_found_at_once() {
        let fault = Cursor::at("x").next(Some("x")).unwrap_err();
        assert_eq!(fault.code, "no-progress");
    }

    #[test]
    fn a_token_longer_than_the_state_has_room_for_is_a_fault() {
        let longest = "x".repeat(PLACE_BYTES_MAX);
        assert!(Cursor::start().next(Some(&longest)).unwrap().is_some());
        let fault = Cursor::start().next(Some(&(longest + "x"))).unwrap_err();
        assert_eq!(fault.code, "next-page-too-long");
        assert!(fault.message.contains("8193"), "{}", fault.message);
    }

    #[test]
    fn an_empty_token_ends_the_walk() {
        assert_eq!(Cursor::start().next(Some("")), Ok(None));
    }
}
