//! Paging by the address that each page gives for the next.
//! Must not follow an address to another host: credentials ride along with the request.

use serde::{Deserialize, Serialize};

use super::trail::Trail;
use super::{check_length, no_progress};
use crate::Fault;

/// Characters of a vendor's address that are quoted, without its query.
const QUOTED_CHARS_MAX: usize = 200;

/// Where a walk by addresses is.
///
/// ```
/// use tidegate_sdk::paging::NextUrl;
///
/// let first = NextUrl::start("https://acme.zendesk.example/api/v2/users?page[size]=100");
/// let second = first.next(Some("https://acme.zendesk.example/api/v2/users?page[after]=x")).unwrap().unwrap();
/// assert_eq!(second.url(), "https://acme.zendesk.example/api/v2/users?page[after]=x");
/// // An address without a host is one of the same host.
/// let third = second.clone().next(Some("/api/v2/users?page[after]=y")).unwrap().unwrap();
/// assert_eq!(third.url(), "https://acme.zendesk.example/api/v2/users?page[after]=y");
/// // Another host would get the credentials.
/// assert_eq!(second.next(Some("https://evil.example/users")).unwrap_err().code, "next-page-elsewhere");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextUrl {
    url: String,
    trail: Trail,
}

impl NextUrl {
    /// At the first page.
    pub fn start(url: impl Into<String>) -> Self {
        let url = url.into();
        Self {
            trail: Trail::start(url.as_bytes()),
            url,
        }
    }

    /// The address of the page to ask for.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the next page is, given the address that the page just read names for it: a whole one, `/path…` or `?query`.
    /// None ends the walk; an empty address counts as none.
    ///
    /// # Errors
    /// `next-page-elsewhere` where scheme, host or port differ from this page's or the address is none;
    /// `no-progress` where the walk was there before.
    pub fn next(mut self, url: Option<&str>) -> Result<Option<Self>, Fault> {
        let Some(url) = url.map(str::trim).filter(|url| !url.is_empty()) else {
            return Ok(None);
        };
        check_length("address", url)?;
        let Some(next) = resolve(&self.url, url) else {
            return Err(elsewhere(&self.url, url));
        };
        if !self.trail.goes_to(next.as_bytes()) {
            return Err(no_progress(format_args!(
                "the page names for its next page {}, which was asked for before",
                shown(&next)
            )));
        }
        self.url = next;
        Ok(Some(self))
    }
}

/// The address named `next` in a `Link` header (RFC 8288), as GitHub and others give it. The manifest must ask for the
/// header: `"responseHeaders": ["link"]`.
///
/// ```
/// use tidegate_sdk::paging::next_link;
///
/// let header = r#"<https://api.example/a?page=1>; rel="prev", <https://api.example/a?page=3>; rel="next""#;
/// assert_eq!(next_link(header), Some("https://api.example/a?page=3"));
/// assert_eq!(next_link(""), None);
/// ```
pub fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (url, after) = after.split_once('>')?;
        // A comma inside of quotes would need a tokenizer; relations have none.
        let parameters = after.split('<').next().unwrap_or_default();
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let parameter = parameter.trim().to_ascii_lowercase();
            let names = parameter.strip_prefix("rel").map(str::trim_start);
            let names = names.and_then(|names| names.strip_prefix('='));
            names.is_some_and(|names| {
                let mut names = names.trim().trim_matches('"').split_ascii_whitespace();
                names.any(|name| name == "next")
            })
        });
        if is_next {
            return Some(url);
        }
        rest = after;
    }
    None
}

/// The whole address, if it stays where the page is.
fn resolve(page: &str, next: &str) -> Option<String> {
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !is_plain {
        return None;
    }
    let (origin, rest) = split(page)?;
    if next.starts_with('?') {
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        return Some(format!("{origin}{path}{next}"));
    }
    if next.starts_with('/') && !next.starts_with("//") {
        return Some(format!("{origin}{next}"));
    }
    let (theirs, _) = split(next)?;
    (normal(theirs)? == normal(origin)?).then(|| next.to_owned())
}

/// An address as `scheme://authority` and what follows.
fn split(url: &str) -> Option<(&str, &str)> {
    let start = url.find("://")? + 3;
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end);
    (end > start).then(|| url.split_at(end))
}

/// An origin in the form in which equal ones are equal. None for what hides a host: user information.
fn normal(origin: &str) -> Option<String> {
    let origin = origin.to_ascii_lowercase();
    if origin.contains('@') {
        return None;
    }
    let without = match origin.split_once("://")?.0 {
        "https" => origin.strip_suffix(":443"),
        "http" => origin.strip_suffix(":80"),
        _ => return None,
    };
    Some(without.map(str::to_owned).unwrap_or(origin))
}

fn elsewhere(page: &str, next: &str) -> Fault {
    let expected = split(page).map_or(page, |(origin, _)| origin);
    Fault::broken(
        "next-page-elsewhere",
        format!(
            "the page names for its next page {}; expected an address at {expected}, since credentials are sent along",
            shown(next)
        ),
    )
}

/// An address for a message: its query may hold anything.
fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let text: String = bare
        .chars()
        .take(QUOTED_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("`{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://api.example/v2/users?page=1";

    #[test]
    fn an_address_of_the_same_host_is_followed() {
        for (next, expected) in [
            (
                "https://api.example/v2/users?page=2",
                "https://api.example/v2/users?page=2",
            ),
            ("HTTPS://API.example:443/v2?p=2", "HTTPS://API.example:443/v2?p=2"),
            ("/v2/users?page=2", "https://api.example/v2/users?page=2"),
            ("?page=2", "https://api.example/v2/users?page=2"),
            ("  ?page=2 ", "https://api.example/v2/users?page=2"),
        ] {
            let followed = NextUrl::start(PAGE).next(Some(next)).unwrap().unwrap();
            assert_eq!(followed.url(), expected, "{next}");
        }
    }

    #[test]
    fn an_address_that_leads_elsewhere_or_nowhere_is_a_fault() {
        for next in [
            "https://evil.example/v2/users?page=2",
            "http://api.example/v2/users?page=2",
            "https://api.example:8443/v2/users?page=2",
            "https://api.example@evil.example/",
            "https://me@api.example/",
            "https://api.example.evil.example/",
            "//evil.example/v2",
            "/\\evil.example/v2",
            "https:\\\\evil.example",
            "https://",
            "javascript:alert(1)",
            "page=2",
            "/a b",
        ] {
            let fault = NextUrl::start(PAGE).next(Some(next)).unwrap_err();
            assert_eq!(fault.code, "next-page-elsewhere", "{next}");
        }
    }

    #[test]
    fn a_message_shows_no_query() {
        let fault = NextUrl::start(PAGE)
            .next(Some("https://evil.example/a?token=hunter2"))
            .unwrap_err();
        assert!(fault.message.contains("`https://evil.example/a`"), "{}", fault.message);
        assert!(!fault.message.contains("hunter2"));
    }

    #[test]
    fn a_page_that_leads_to_itself_is_a_fault() {
        assert_eq!(NextUrl::start(PAGE).next(Some(PAGE)).unwrap_err().code, "no-progress");
        assert_eq!(
            NextUrl::start(PAGE).next(Some("?page=1")).unwrap_err().code,
            "no-progress"
        );
    }

    #[test]
    fn no_address_ends_the_walk() {
        assert_eq!(NextUrl::start(PAGE).next(None), Ok(None));
        assert_eq!(NextUrl::start(PAGE).next(Some(" ")), Ok(None));
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        for (header, expected) in [
            ("<a>; rel=next", Some("a")),
            (r#"<a>; rel="last next""#, Some("a")),
            (r#"<a>; title="x"; rel="prev",<b>;rel="NEXT""#, Some("b")),
            (r#"<a>; rel="nextish""#, None),
            ("<a", None),
            ("rel=next", None),
        ] {
            assert_eq!(next_link(header), expected, "{header}");
        }
    }
}
