//! Paging by counting: the n-th record onward, or a page by its number.
//! Must not be used where a vendor has anything better: a record that goes while pages are read moves those behind it one
//! to the front, and the first of the next page is never seen.

use serde::{Deserialize, Serialize};

use super::no_progress;
use super::trail::Trail;
use crate::Fault;

/// Where a walk by numbers is.
///
/// Ask for the oldest first, by the date of creation or by id: what is new then comes at the end, and only a deletion can
/// move what was not read yet. The gateway's overlap of polls finds such a record when it changes; a sweep finds it anyway.
///
/// ```
/// use tidegate_sdk::paging::Offset;
///
/// let first = Offset::start();
/// assert_eq!((first.at(), first.page()), (0, 0));
/// let second = first.next(["7", "8"], true).unwrap().unwrap();
/// assert_eq!((second.at(), second.page()), (2, 1));
/// // A vendor that ignores the offset gives the same page for ever.
/// assert_eq!(second.clone().next(["7", "8"], true).unwrap_err().code, "no-progress");
/// assert_eq!(second.next(["9"], false).unwrap(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    at: u64,
    page: u32,
    trail: Trail,
}

impl Offset {
    /// At the first record.
    pub fn start() -> Self {
        Self {
            at: 0,
            page: 0,
            trail: Trail::start(b""),
        }
    }

    /// How many records were passed: the offset to ask for.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// How many pages were read: the number to ask for, where a vendor counts pages from 0; add 1 where it does from 1.
    pub fn page(&self) -> u32 {
        self.page
    }

    /// Where the next page is. `ids` are those of all records of the page just read, in its order, left out or not; `more`
    /// is what the vendor says of further pages. A vendor that says nothing has more where the page was full.
    ///
    /// # Errors
    /// `no-progress` where the page was read before, or is empty and should be followed by another.
    pub fn next<I: AsRef<str>>(mut self, ids: impl IntoIterator<Item = I>, more: bool) -> Result<Option<Self>, Fault> {
        let ids: Vec<I> = ids.into_iter().collect();
        let parts: Vec<&[u8]> = ids.iter().map(|id| id.as_ref().as_bytes()).collect();
        if !parts.is_empty() && !self.trail.goes_to_all(&parts) {
            let count = parts.len();
            return Err(no_progress(format_args!(
                "the page after {} records has the same {count} records as one before it",
                self.at
            )));
        }
        if !more {
            return Ok(None);
        }
        if parts.is_empty() {
            return Err(no_progress(format_args!(
                "the page after {} records is empty, and says that another follows",
                self.at
            )));
        }
        self.at = self.at.saturating_add(parts.len() as u64);
        self.page = self.page.saturating_add(1);
        Ok(Some(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_page_ends_the_walk_unless_it_says_that_more_follow() {
        assert_eq!(Offset::start().next([""; 0], false), Ok(None));
        assert_eq!(Offset::start().next([""; 0], true).unwrap_err().code, "no-progress");
    }

    #[test]
    fn pages_that_come_round_again_are_a_fault() {
        let mut offset = Offset::start();
        let mut round = (0..3).cycle();
        let fault = loop {
            let page = round.next().unwrap();
            match offset.next([format!("{page}a"), format!("{page}b")], true) {
                Ok(next) => offset = next.unwrap(),
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault.code, "no-progress");
        assert!(fault.message.contains("the same 2 records"), "{}", fault.message);
    }

    #[test]
    fn the_last_page_again_is_a_fault_too() {
        let second = Offset::start().next(["1", "2"], true).unwrap().unwrap();
        assert_eq!(second.next(["1", "2"], false).unwrap_err().code, "no-progress");
    }
}
