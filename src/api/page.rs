//! Lists: how they are asked for, and the headers that come with them.

use axum::http::{HeaderMap, HeaderValue};

use super::error::ApiError;

/// Most entries of a page.
const PAGE_SIZE_MAX: usize = 1_000;
/// Entries of a page when nobody asks; Cloud Elements documents 200 for lists of its own.
const PAGE_SIZE_DEFAULT: usize = 200;

/// The query's parameters in order, decoded.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        Self(
            pairs
                .map(|(key, value)| (key.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// The first value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// What is not in `known`.
    pub(crate) fn others(&self, known: &[&str]) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter(|(key, _)| !known.contains(&key.as_str()))
            .cloned()
            .collect()
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(default),
            Some("true" | "1" | "") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(ApiError::bad_request(format!(
                "{name}: expected true or false, found {other:?}"
            ))),
        }
    }

    /// `pageSize` as given.
    pub(crate) fn page_size(&self) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.get("pageSize") else {
            return Ok(None);
        };
        match text.parse::<u32>() {
            Ok(size) if size > 0 => Ok(Some(size)),
            _ => Err(ApiError::bad_request(format!(
                "pageSize: expected a whole number of at least 1, found {text:?}"
            ))),
        }
    }

    /// `pageSize` for a list of the gateway's own.
    pub(crate) fn own_page_size(&self) -> Result<usize, ApiError> {
        let size = self.page_size()?.map_or(PAGE_SIZE_DEFAULT, |size| size as usize);
        Ok(size.min(PAGE_SIZE_MAX))
    }
}

/// `Elements-Returned-Count`, and `Elements-Next-Page-Token` while more follows.
pub(crate) fn headers(returned: usize, next: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("elements-returned-count", HeaderValue::from(returned));
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(next).ok()) {
        headers.insert("elements-next-page-token", next);
    }
    headers
}
