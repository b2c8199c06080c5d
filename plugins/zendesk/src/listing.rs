//! A user's reads: lists, and searches where the where clause has something to narrow by; and sweeps of users and
//! organizations. All by cursor pagination.
//! Must not be used for polls: lists know no deletions, and a search may lag some minutes behind.
//!
//! <https://developer.zendesk.com/documentation/developer-tools/pagination/paginating-through-lists-using-cursor-pagination/>,
//! <https://developer.zendesk.com/api-reference/ticketing/ticket-management/search/#export-search-results>: its cursor lives
//! for an hour, and its pages should have 100 records.

use tidegate_sdk::filter::query;
use tidegate_sdk::json::Page;
use tidegate_sdk::paging::Cursor;
use tidegate_sdk::{Fault, Request};

use crate::faults::Asked;
use crate::lookup::READS;
use crate::resources::Resource;
use crate::settings::Settings;

/// Zendesk's limit for lists, and its advice for searches.
const PAGE_RECORDS_MAX: u32 = 100;

/// Lane: searches have a limit of their own, a hundred a minute (see the crate's page).
pub(crate) const SEARCHES: &str = "searches";

/// What is asked for, page by page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) resource: &'static Resource,
    /// A search's query; None for the plain list.
    pub(crate) search: Option<String>,
    pub(crate) page_size: u32,
}

impl Listing {
    /// Under which name a page holds its records.
    pub(crate) fn list_name(&self) -> &'static str {
        match self.search {
            Some(_) => "results",
            None => self.resource.name,
        }
    }

    pub(crate) fn request(&self, cursor: &Cursor, settings: &Settings) -> Request {
        let size = match self.page_size {
            0 => PAGE_RECORDS_MAX,
            size => size.min(PAGE_RECORDS_MAX),
        };
        let mut parameters = Vec::new();
        if let Some(search) = &self.search {
            parameters.push(("filter[type]", self.resource.singular.to_owned()));
            parameters.push(("query", search.clone()));
        }
        parameters.push(("page[size]", size.to_string()));
        if let Some(token) = cursor.token() {
            parameters.push(("page[after]", token.to_owned()));
        }
        let (path, lane) = match self.search {
            Some(_) => ("search/export", SEARCHES),
            None => (self.resource.name, READS),
        };
        settings
            .get(&format!("/api/v2/{path}.json?{}", query(&parameters)))
            .lane(lane)
    }

    /// The next page, if one follows.
    pub(crate) fn next(cursor: Cursor, page: &Page<'_>, asked: Asked<'_>) -> Result<Option<Cursor>, Fault> {
        let meta = page.get("meta");
        let member = |name| meta.as_ref().and_then(|meta| meta.get(name));
        let Some(more) = member("has_more").and_then(|more| more.as_bool()) else {
            return Err(unusable(
                asked,
                "it does not say whether another follows (`meta.has_more`)",
            ));
        };
        if !more {
            return Ok(None);
        }
        let after = member("after_cursor").and_then(|after| after.as_str());
        match cursor.next(after.as_deref())? {
            Some(cursor) => Ok(Some(cursor)),
            None => Err(unusable(
                asked,
                "another follows, and it does not say where (`meta.after_cursor`)",
            )),
        }
    }
}

fn unusable(asked: Asked<'_>, found: &str) -> Fault {
    Fault::broken(
        "page-unusable",
        format!("a page of `{}` from {} cannot be used: {found}", asked.what, asked.host),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tidegate_sdk::Configuration;
    use tidegate_sdk::json::{Error, scan_page};

    use super::*;

    const ASKED: Asked<'_> = Asked {
        what: "users",
        host: "acme.zendesk.com",
    };

    fn url(search: Option<&str>, page_size: u32, cursor: &Cursor) -> String {
        let configuration = json!({"zendesk.url": "https://acme.zendesk.com", "zendesk.email": "a@b.example", "$secrets": ["zendesk.token"]});
        let settings =
            Settings::read(&Configuration::from_json(configuration.to_string().as_bytes()).unwrap()).unwrap();
        let listing = Listing {
            resource: Resource::of("users").unwrap(),
            search: search.map(str::to_owned),
            page_size,
        };
        listing.request(cursor, &settings).url
    }

    fn next(cursor: Cursor, meta: Value) -> Result<Option<Cursor>, Fault> {
        let text = json!({"users": [], "meta": meta}).to_string();
        let page = scan_page(text.as_bytes(), "users", |_| Ok::<_, Error>(())).unwrap();
        Listing::next(cursor, &page, ASKED)
    }

    #[test]
    fn lists_and_searches_are_asked_for_by_cursor() {
        assert_eq!(
            url(None, 250, &Cursor::start()),
            "https://acme.zendesk.com/api/v2/users.json?page%5Bsize%5D=100"
        );
        assert_eq!(
            url(None, 2, &Cursor::at("x=")),
            "https://acme.zendesk.com/api/v2/users.json?page%5Bsize%5D=2&page%5Bafter%5D=x%3D"
        );
        assert_eq!(
            url(Some("role:admin created>=2026-01-01T00:00:00Z"), 0, &Cursor::start()),
            "https://acme.zendesk.com/api/v2/search/export.json?filter%5Btype%5D=user\
             &query=role%3Aadmin%20created%3E%3D2026-01-01T00%3A00%3A00Z&page%5Bsize%5D=100"
        );
    }

    #[test]
    fn a_page_leads_to_the_next_or_says_that_it_is_the_last() {
        let second = next(Cursor::start(), json!({"has_more": true, "after_cursor": "a"}))
            .unwrap()
            .unwrap();
        assert_eq!(second.token(), Some("a"));
        assert_eq!(
            next(second.clone(), json!({"has_more": false, "after_cursor": "b"})),
            Ok(None)
        );
        for (meta, code) in [
            (json!(null), "page-unusable"),
            (json!({}), "page-unusable"),
            (json!({"has_more": true}), "page-unusable"),
            (json!({"has_more": true, "after_cursor": "a"}), "no-progress"),
        ] {
            assert_eq!(next(second.clone(), meta).unwrap_err().code, code);
        }
    }
}
