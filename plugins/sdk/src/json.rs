//! JSON in one pass: a validating scanner that borrows from the page, and a writer of canonical JSON.
//! It must not build a tree, convert numbers, or know any vendor's fields: a value stays the text that the vendor sent.
//!
//! ```text
//! scan_page ──▶ each(&[Member])            one call for each object of the list, members in document order
//!           ──▶ Page { members, list }     what the envelope holds besides the list
//! ObjectWriter::write(&[Member], &mut out) canonical JSON: equal content gives equal bytes
//! ```
//!
//! **Accepted** is what RFC 8259 allows and nothing else, UTF-8 checked, with these choices where the RFC leaves one:
//! a byte order mark at the start is skipped; more than [`DEPTH_MAX`] levels are refused; a number may have any size, as
//! it is never converted; an unpaired surrogate such as `"\ud83d"` is refused, since no UTF-8 text can hold it and a
//! replacement character would make different records equal.
//!
//! **Canonical** is: names sorted by their bytes at every level and unique (of equal names the last one wins), no white
//! space, only the escapes that JSON demands (`\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, else `\u00xx` in lower case),
//! numbers as written. Writing canonical text again changes nothing.
mod blocks;
mod error;
mod object;
mod page;
mod plan;
mod scan;
mod text;
mod value;

#[cfg(test)]
mod tests;

pub use error::{Error, Problem};
pub use object::{ObjectWriter, parse_object, write_object};
pub use page::{List, Page, scan_page};
pub use scan::DEPTH_MAX;
pub use text::write_string;
pub use value::{Elements, Kind, Member, Members, Value};
