//! Paths of the hub API with their query, as configurations write them. Expands no macro and parses no where clause.
//!
//! The text comes from a configuration, not over HTTP: `%` and two hex digits are decoded, any other `%` stays, and `+` is
//! a plus. So a date's `+0000` arrives whole, and LIKE's wildcard needs no encoding, except before two hex digits (`%25`).

/// Prefix of every route, for clients of Cloud Elements.
const API_PREFIX: &str = "/elements/api-v2";

const EXAMPLE: &str = "a hub path such as /hubs/crm/accounts?where=…";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubPath {
    /// Without leading slash; may hold slashes.
    pub resource: String,
    /// None where it is absent or empty.
    pub where_text: Option<String>,
    /// All other query parameters, in their order.
    pub parameters: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubPathError {
    #[error("path is empty; expected {EXAMPLE}")]
    Empty,
    #[error(
        "found the absolute URL {found:?}; expected {EXAMPLE}, since the vendor's address comes from the instance's \
         configuration"
    )]
    Absolute { found: String },
    #[error("path {found:?} names no resource; expected {EXAMPLE}")]
    NoResource { found: String },
    #[error("path {found:?} has an empty segment or a dot segment; expected {EXAMPLE}")]
    BadSegment { found: String },
    #[error("where is given twice; expected one clause, joined by AND or OR")]
    WhereTwice,
}

impl HubPath {
    /// Reads `/hubs/{hub}/{resource}` or `/{resource}`, with or without `/elements/api-v2` before it, and its query. The
    /// hub does not matter: an instance has but one. The texts say what was tolerated.
    pub fn parse(text: &str) -> Result<(Self, Vec<String>), HubPathError> {
        let text = text.trim();
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        if path.is_empty() {
            return Err(HubPathError::Empty);
        }
        if path.contains("://") || path.starts_with("//") {
            return Err(HubPathError::Absolute { found: path.to_owned() });
        }
        let mut warnings = Vec::new();
        let resource = resource(path, &mut warnings)?;
        let mut hub_path = Self {
            resource,
            where_text: None,
            parameters: Vec::new(),
        };
        let mut where_seen = false;
        for pair in pairs(query) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name.trim()), decode(value));
            if !name.eq_ignore_ascii_case("where") {
                hub_path.parameters.push((name, value));
            } else if std::mem::replace(&mut where_seen, true) {
                return Err(HubPathError::WhereTwice);
            } else {
                hub_path.where_text = Some(value).filter(|value| !value.trim().is_empty());
            }
        }
        Ok((hub_path, warnings))
    }
}

fn resource(path: &str, warnings: &mut Vec<String>) -> Result<String, HubPathError> {
    let found = || path.to_owned();
    let rooted = path.strip_prefix('/').unwrap_or_else(|| {
        warnings.push(format!("the path has no slash at its beginning; it is read as /{path}"));
        path
    });
    let prefix = API_PREFIX.trim_start_matches('/');
    let inner = rooted
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(rooted);
    let resource = match inner.strip_prefix("hubs/") {
        None => inner,
        Some(in_hub) => {
            in_hub
                .split_once('/')
                .ok_or_else(|| HubPathError::NoResource { found: found() })?
                .1
        }
    };
    let resource = resource.strip_suffix('/').unwrap_or(resource);
    if resource.is_empty() || resource == "hubs" {
        return Err(HubPathError::NoResource { found: found() });
    }
    let segments: Vec<_> = resource.split('/').map(decode).collect();
    if inner.starts_with("hubs//") || segments.iter().any(|segment| matches!(segment.trim(), "" | "." | "..")) {
        return Err(HubPathError::BadSegment { found: found() });
    }
    if let Some(unfilled) = segments
        .iter()
        .find(|segment| segment.starts_with('{') && segment.ends_with('}'))
    {
        warnings.push(format!(
            "the path has the parameter {unfilled}, which is passed on as it is"
        ));
    }
    Ok(segments.join("/"))
}

/// The query's pairs: split at `&` outside of quotes, or at every `&` if the quotes do not pair up.
fn pairs(query: &str) -> impl Iterator<Item = &str> {
    let mut open = None;
    let mut escaped = false;
    let mut ends = Vec::new();
    for (at, c) in query.char_indices() {
        match (open, c) {
            (Some(_), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(quote), c) if c == quote && !escaped => open = None,
            (None, '\'' | '"' | '`') => open = Some(c),
            (None, '&') => ends.push(at),
            _ => {}
        }
        escaped = false;
    }
    if open.is_some() {
        ends = query.match_indices('&').map(|(at, _)| at).collect();
    }
    ends.push(query.len());
    let mut start = 0;
    let pieces = ends
        .into_iter()
        .map(move |end| &query[std::mem::replace(&mut start, end + 1)..end]);
    pieces.filter(|piece| !piece.trim().is_empty())
}

/// Decodes `%` and two hex digits where the result is text; leaves everything else as it is.
fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut decoded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let (bytes, length) = escapes(rest);
        match std::str::from_utf8(&bytes) {
            Ok(plain) if !bytes.is_empty() => decoded.push_str(plain),
            _ => decoded.push_str(&rest[..length.max(1)]),
        }
        rest = &rest[length.max(1)..];
    }
    decoded.push_str(rest);
    decoded
}

/// The bytes of the escapes at the front of a text, and the length of these escapes.
fn escapes(text: &str) -> (Vec<u8>, usize) {
    let escape = |text: &str| {
        let digits = text.strip_prefix('%')?.get(..2)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| u8::from_str_radix(digits, 16).ok())?
    };
    let mut bytes = Vec::new();
    while let Some(byte) = escape(&text[bytes.len() * 3..]) {
        bytes.push(byte);
    }
    let length = bytes.len() * 3;
    (bytes, length)
}
