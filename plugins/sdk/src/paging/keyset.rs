//! Paging by the last date (and id) seen: every page is a query of its own, so no cursor can expire or lose its filter, and
//! what is new meanwhile comes at the end.
//! Must not end while the last page was full, nor pass records that share a date with the last one.

use serde::{Deserialize, Serialize};

use super::no_progress;
use crate::Fault;

/// Bytes of ids that are remembered to leave out what comes twice. Beyond that records are given again, which does no harm
/// but costs a little: the gateway finds them unchanged.
const IDS_BYTES_MAX: usize = 8 * 1024;

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'k> {
    /// Records of this date and later, the oldest first.
    From { at_ms: i64 },
    /// Records of this very date with an id greater than this one (all of them where there is none), by id. Only of a
    /// walk that [walks ties](Keyset::walk_ties).
    Ties { at_ms: i64, after: Option<&'k str> },
    /// Records later than this date, the oldest first. Only of a walk that [walks ties](Keyset::walk_ties).
    After { at_ms: i64 },
}

/// Where a walk by dates is.
///
/// Every record of a page is shown to [`take`](Self::take), in the vendor's order, and [`next`](Self::next) then says where
/// to go on. A date is asked for again as long as records of it may follow; those that were given already are left out.
///
/// ```
/// use tidegate_sdk::paging::{Ask, Keyset};
///
/// // Pages of two records; the record's date and id stand for it.
/// let mut keyset = Keyset::start(100);
/// assert_eq!(keyset.ask(), Ask::From { at_ms: 100 });
/// assert!(keyset.take(110, "a").unwrap());
/// assert!(keyset.take(120, "b").unwrap());
///
/// let mut keyset = keyset.next(true).unwrap().expect("the page was full");
/// assert_eq!(keyset.ask(), Ask::From { at_ms: 120 });
/// assert!(!keyset.take(120, "b").unwrap(), "it was given with the page before");
/// assert!(keyset.take(130, "c").unwrap());
///
/// let mut keyset = keyset.next(true).unwrap().expect("the page was full");
/// assert!(!keyset.take(130, "c").unwrap());
/// assert_eq!(keyset.next(false).unwrap(), None);
/// ```
///
/// Where more records share a date than fit a page (an import wrote them all at once), the same page would come for ever.
/// That is the fault `ties-exceed-page`, unless the vendor can also filter and sort by id:
///
/// ```
/// use tidegate_sdk::paging::{Ask, Keyset};
///
/// let mut keyset = Keyset::start(100).walk_ties();
/// keyset.take(100, "a").unwrap();
/// keyset.take(100, "b").unwrap();
/// let keyset = keyset.next(true).unwrap().unwrap();
/// assert_eq!(keyset.ask(), Ask::Ties { at_ms: 100, after: None });
/// ```
///
/// A vendor that pages its own result sets and cuts them at some length is walked by its cursor within a query, `take` called
/// for all records of all pages, and by `next` from one result set to the next.
///
/// Not where the vendor can sort and filter by an id that never changes, and takes a bound on the date beside it (HubSpot's
/// search): a record that changes during a walk by dates moves to its end, and those behind it move up under the cursor,
/// where they are passed over. An element walks by that id then, ascending, with the window as a filter, and needs no
/// `Keyset`: the last id is all that it has to remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyset {
    place: Place,
    walks_ties: bool,
    /// Given before this query, of the date that it begins with.
    seen: Ids,
    /// The last date of this query so far, and what was found of it.
    last_ms: Option<i64>,
    last: Ids,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Place {
    From(i64),
    Ties {
        at: i64,
        after: Option<String>,
        reached: Option<String>,
    },
    After(i64),
}

/// A few ids in the order of their coming.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ids(Vec<String>);

impl Ids {
    fn has(&self, id: &str) -> bool {
        self.0.iter().any(|known| known == id)
    }

    fn add(&mut self, id: &str) {
        let bytes: usize = self.0.iter().map(String::len).sum();
        if bytes + id.len() <= IDS_BYTES_MAX {
            self.0.push(id.to_owned());
        }
    }
}

impl Keyset {
    /// From this date on, inclusive: a window's begin, rounded down to what the vendor's filter can tell apart.
    pub fn start(from_ms: i64) -> Self {
        Self {
            place: Place::From(from_ms),
            walks_ties: false,
            seen: Ids::default(),
            last_ms: None,
            last: Ids::default(),
        }
    }

    /// The vendor can also give the records of one date by their id, so that [`ask`](Self::ask) may answer [`Ask::Ties`]
    /// and [`Ask::After`]. Only where its filter tells milliseconds apart, or where all its dates have whole seconds.
    #[must_use]
    pub fn walk_ties(mut self) -> Self {
        self.walks_ties = true;
        self
    }

    /// What to ask for.
    pub fn ask(&self) -> Ask<'_> {
        match &self.place {
            Place::From(at_ms) => Ask::From { at_ms: *at_ms },
            Place::After(at_ms) => Ask::After { at_ms: *at_ms },
            Place::Ties { at, after, .. } => Ask::Ties {
                at_ms: *at,
                after: after.as_deref(),
            },
        }
    }

    /// Shows a record of the answer, by the date that was filtered by and its id. False: it was given already, leave it
    /// out.
    ///
    /// # Errors
    /// `filter-ignored` for a record that was not asked for; `page-unordered` where dates do not rise. What is read after
    /// it could not be relied on.
    pub fn take(&mut self, at_ms: i64, id: &str) -> Result<bool, Fault> {
        match &mut self.place {
            Place::From(from) if at_ms < *from => return Err(ignored(at_ms, id, "on or after", *from)),
            Place::After(after) if at_ms <= *after => return Err(ignored(at_ms, id, "after", *after)),
            Place::Ties { at, .. } if at_ms != *at => return Err(ignored(at_ms, id, "at", *at)),
            Place::Ties { after, reached, .. } => {
                if after.as_deref() == Some(id) {
                    return Err(no_progress(format_args!(
                        "records with an id after `{id}` were asked for, and it came itself"
                    )));
                }
                *reached = Some(id.to_owned());
                return Ok(!self.seen.has(id));
            }
            Place::From(_) | Place::After(_) => {}
        }
        match self.last_ms {
            Some(last) if at_ms < last => return Err(unordered(at_ms, id, last)),
            Some(last) if at_ms == last => {}
            _ => {
                self.last_ms = Some(at_ms);
                self.last = Ids::default();
            }
        }
        let was_given = self.last.has(id) || (self.begins_at(at_ms) && self.seen.has(id));
        if !was_given {
            self.last.add(id);
        }
        Ok(!was_given)
    }

    fn begins_at(&self, at_ms: i64) -> bool {
        matches!(self.place, Place::From(from) if from == at_ms)
    }

    /// Where to go on after a query's answer. `full`: it had as many records as were asked for, so that more may follow.
    /// None ends the walk.
    ///
    /// # Errors
    /// `ties-exceed-page` where a full page has one date only and the walk does not [walk ties](Self::walk_ties);
    /// `no-progress` where a full page has no record.
    pub fn next(mut self, full: bool) -> Result<Option<Self>, Fault> {
        if let Place::Ties { at, reached, .. } = self.place {
            self.place = match (full, reached) {
                (false, _) => Place::After(at),
                (true, None) => return Err(empty()),
                (true, reached) => Place::Ties {
                    at,
                    after: reached,
                    reached: None,
                },
            };
            return Ok(Some(self));
        }
        if !full {
            return Ok(None);
        }
        let Some(last) = self.last_ms.take() else {
            return Err(empty());
        };
        let found = std::mem::take(&mut self.last);
        if !self.begins_at(last) {
            self.place = Place::From(last);
            self.seen = found;
            return Ok(Some(self));
        }
        if !self.walks_ties {
            return Err(ties(last));
        }
        found.0.iter().for_each(|id| self.seen.add(id));
        self.place = Place::Ties {
            at: last,
            after: None,
            reached: None,
        };
        Ok(Some(self))
    }
}

fn shown(at_ms: i64) -> String {
    crate::dates::format_iso(at_ms)
}

fn ignored(at_ms: i64, id: &str, relation: &str, asked_ms: i64) -> Fault {
    Fault::broken(
        "filter-ignored",
        format!(
            "the filter by date was not applied: found record `{id}` of {}; expected records {relation} {}",
            shown(at_ms),
            shown(asked_ms)
        ),
    )
}

fn unordered(at_ms: i64, id: &str, last_ms: i64) -> Fault {
    Fault::broken(
        "page-unordered",
        format!(
            "records come in the order of their dates, and record `{id}` of {} came after one of {}: what follows cannot be \
             asked for",
            shown(at_ms),
            shown(last_ms)
        ),
    )
}

fn ties(at_ms: i64) -> Fault {
    Fault::broken(
        "ties-exceed-page",
        format!(
            "a full page has records of one date only, {}: those that do not fit it cannot be asked for; a larger page size may \
             help",
            shown(at_ms)
        ),
    )
}

fn empty() -> Fault {
    no_progress("a page without records says that more follow")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vendor's records, by date; the id says nothing of the order.
    struct Vendor(Vec<(i64, &'static str)>);

    impl Vendor {
        fn new(records: &[(i64, &'static str)]) -> Self {
            let mut records = records.to_vec();
            records.sort();
            Self(records)
        }

        fn page(&self, ask: Ask<'_>, size: usize) -> Vec<(i64, &'static str)> {
            let wanted = |(at, id): &(i64, &str)| match ask {
                Ask::From { at_ms } => *at >= at_ms,
                Ask::After { at_ms } => *at > at_ms,
                Ask::Ties { at_ms, after } => *at == at_ms && after.is_none_or(|after| *id > after),
            };
            self.0.iter().copied().filter(wanted).take(size).collect()
        }

        fn walk(&self, mut keyset: Keyset, size: usize) -> Result<Vec<&'static str>, Fault> {
            let mut given = Vec::new();
            for _ in 0..100 {
                let page = self.page(keyset.ask(), size);
                for (at, id) in &page {
                    if keyset.take(*at, id)? {
                        given.push(*id);
                    }
                }
                // Every state must survive its form in JSON.
                let json = serde_json::to_string(&keyset).unwrap();
                let read: Keyset = serde_json::from_str(&json).unwrap();
                match read.next(page.len() == size)? {
                    Some(next) => keyset = next,
                    None => return Ok(given),
                }
            }
            panic!("the walk does not end");
        }
    }

    const TIED: [(i64, &str); 7] = [(1, "a"), (5, "b"), (5, "c"), (5, "d"), (5, "e"), (6, "f"), (9, "g")];

    #[test]
    fn every_record_is_given_once_whatever_the_page_size() {
        let vendor = Vendor::new(&TIED);
        for size in 1..=9 {
            let mut given = vendor.walk(Keyset::start(0).walk_ties(), size).unwrap();
            given.sort_unstable();
            assert_eq!(given, ["a", "b", "c", "d", "e", "f", "g"], "{size}");
        }
    }

    #[test]
    fn ties_that_exceed_the_page_are_a_fault_where_they_cannot_be_walked() {
        let vendor = Vendor::new(&TIED);
        for size in 1..=4 {
            let fault = vendor.walk(Keyset::start(0), size).unwrap_err();
            assert_eq!(fault.code, "ties-exceed-page", "{size}");
        }
        for size in 5..=9 {
            assert_eq!(vendor.walk(Keyset::start(0), size).unwrap().len(), 7, "{size}");
        }
    }

    #[test]
    fn a_vendor_that_ignores_the_filter_or_the_order_is_found_out() {
        let mut keyset = Keyset::start(10);
        assert_eq!(keyset.take(9, "a").unwrap_err().code, "filter-ignored");
        keyset.take(12, "b").unwrap();
        assert_eq!(keyset.take(11, "c").unwrap_err().code, "page-unordered");
        let mut ties = Keyset::start(10).walk_ties();
        ties.take(10, "a").unwrap();
        let mut ties = ties.next(true).unwrap().unwrap();
        assert_eq!(ties.take(11, "b").unwrap_err().code, "filter-ignored");
        ties.take(10, "b").unwrap();
        let mut more = ties.clone().next(true).unwrap().unwrap();
        assert_eq!(more.take(10, "b").unwrap_err().code, "no-progress");
        let mut after = ties.next(false).unwrap().unwrap();
        assert_eq!(after.take(10, "c").unwrap_err().code, "filter-ignored");
    }

    #[test]
    fn a_full_page_without_records_is_a_fault() {
        assert_eq!(Keyset::start(0).next(true).unwrap_err().code, "no-progress");
        assert_eq!(Keyset::start(0).next(false), Ok(None));
    }

    #[test]
    fn the_ids_remembered_fit_into_the_state_however_many_tie() {
        let mut keyset = Keyset::start(0);
        for n in 0..2_000 {
            keyset.take(5, &format!("id-{n:028}")).unwrap();
        }
        let keyset = keyset.next(true).unwrap().unwrap();
        assert!(serde_json::to_vec(&keyset).unwrap().len() < 16 * 1024);
    }
}
