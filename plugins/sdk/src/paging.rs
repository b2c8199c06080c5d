//! The four ways in which vendors give a collection page by page, as small states that ride along in an element's own.
//! Must not know a vendor's field names, nor send anything: an element reads a page, says what it found and is told where
//! the next page is, if there is one.
//!
//! | the vendor gives | helper |
//! |---|---|
//! | the address of the next page | [`NextUrl`] |
//! | a token for it | [`Cursor`] |
//! | the n-th record onward, or a page by its number | [`Offset`] |
//! | an order by date, and a filter on it | [`Keyset`] |
//!
//! What the contract demands of paging is built in: a page that leads back to a page already read is a fault and no
//! endless run, an address on a foreign host is a fault, and a page that breaks its promised order is a fault, since what
//! follows from it would lose records.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidegate_sdk::paging::Cursor;
//! use tidegate_sdk::{Fault, Request, Step};
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! struct State {
//!     cursor: Cursor,
//! }
//!
//! fn ask(cursor: Cursor, step: Step<State>) -> Step<State> {
//!     let after = cursor.token().map_or(String::new(), |token| format!("&after={token}"));
//!     let request = Request::get(format!("https://api.example/contacts?limit=100{after}"));
//!     step.then_send(vec![request], State { cursor })
//! }
//!
//! /// After a page was read into the step: `after` is what it says of the next one.
//! fn go_on(state: State, after: Option<&str>, step: Step<State>) -> Result<Step<State>, Fault> {
//!     Ok(match state.cursor.next(after)? {
//!         Some(cursor) => ask(cursor, step),
//!         None => step,
//!     })
//! }
//!
//! let first = State { cursor: Cursor::start() };
//! let second = State { cursor: first.cursor.next(Some("7")).unwrap().unwrap() };
//! assert_eq!(go_on(second, Some("7"), Step::done()).unwrap_err().code, "no-progress");
//! ```

mod cursor;
mod keyset;
mod next_url;
mod offset;
mod trail;

pub use cursor::Cursor;
pub use keyset::{Ask, Keyset};
pub use next_url::{NextUrl, next_link};
pub use offset::Offset;

use crate::Fault;

/// Bytes of a token or an address that are carried: the run's state has room for 64 KiB, and no vendor comes near.
pub const PLACE_BYTES_MAX: usize = 8 * 1024;

/// What every helper answers when paging does not move on.
fn no_progress(found: impl std::fmt::Display) -> Fault {
    Fault::broken(
        "no-progress",
        format!(
            "{found}: the walk would go in circles, so it ends here; expected every page to lead on to pages that were not read \
             yet"
        ),
    )
}

fn check_length(what: &str, place: &str) -> Result<(), Fault> {
    if place.len() > PLACE_BYTES_MAX {
        let found = place.len();
        return Err(Fault::broken(
            "next-page-too-long",
            format!("the {what} of the next page has {found} bytes; expected at most {PLACE_BYTES_MAX}"),
        ));
    }
    Ok(())
}
