//! Answers out of rows: exports by cursor and by time, lists, searches.
//! Knows no HTTP beyond a status and a body.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::desk::{Desk, Kind, Row};
use super::search;

const EXPORT_PAGE_MAX: usize = 1_000;
const LIST_PAGE_MAX: usize = 100;
const SEARCH_PAGE_MAX: usize = 1_000;

/// What was asked for, as query parameters.
pub(super) struct Query(Vec<(String, String)>);

/// Status and body of a refusal.
pub(super) type Refusal = (u16, Value);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn size(&self, name: &str, max: usize) -> usize {
        self.get(name)
            .and_then(|size| size.parse().ok())
            .map_or(max, |size: usize| size.clamp(1, max))
    }
}

fn invalid(what: &str) -> Refusal {
    (422, json!({"error": "RecordInvalid", "description": what}))
}

/// `GET /api/v2/incremental/tickets/cursor.json`, and the same for users. `latest` is the last second that is given.
pub(super) fn export_by_cursor(
    desk: &Desk,
    kind: Kind,
    query: &Query,
    site: &str,
    latest: i64,
) -> Result<Value, Refusal> {
    let after = match query.get("cursor") {
        Some(cursor) => sequence_of(cursor).ok_or_else(|| invalid("The cursor is invalid"))?,
        None => {
            let start = start_time(query, latest)?;
            // Before the first row that changed at this second or later.
            let rows = desk.by_change(kind);
            let before = rows.iter().take_while(|row| row.changed < start).last();
            before.map_or(0, |row| row.sequence)
        }
    };
    let rows = desk.by_change(kind);
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|row| row.sequence > after && row.changed <= latest)
        .collect();
    let size = query.size("per_page", EXPORT_PAGE_MAX);
    let page = &rows[..rows.len().min(size)];
    let reached = page.last().map_or(after, |row| row.sequence);
    let cursor = STANDARD.encode(format!("{}.0||{reached}|", page.last().map_or(0, |row| row.changed)));
    let name = kind.name();
    Ok(json!({
        name: bodies(page),
        "after_url": format!("{site}/api/v2/incremental/{name}/cursor.json?cursor={cursor}"),
        "after_cursor": cursor,
        "before_url": null,
        "before_cursor": null,
        "end_of_stream": page.len() == rows.len(),
    }))
}

fn sequence_of(cursor: &str) -> Option<u64> {
    let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    text.split('|').nth(2)?.parse().ok()
}

/// `GET /api/v2/incremental/organizations.json`. A page ends with a second, never within one, so that time leads on.
pub(super) fn export_by_time(
    desk: &Desk,
    kind: Kind,
    query: &Query,
    site: &str,
    latest: i64,
) -> Result<Value, Refusal> {
    let start = start_time(query, latest)?;
    let rows = desk.by_change(kind);
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|row| (start..=latest).contains(&row.changed))
        .collect();
    let mut length = rows.len().min(query.size("per_page", EXPORT_PAGE_MAX));
    while length < rows.len() && (rows[length].changed == rows[length - 1].changed || rows[length - 1].changed == start)
    {
        length += 1;
    }
    let page = &rows[..length];
    let end = page.last().map_or(start, |row| row.changed);
    let name = kind.name();
    Ok(json!({
        name: bodies(page),
        "count": page.len(),
        "end_time": end,
        "next_page": format!("{site}/api/v2/incremental/{name}.json?start_time={end}"),
        "end_of_stream": page.len() == rows.len(),
    }))
}

fn start_time(query: &Query, latest: i64) -> Result<i64, Refusal> {
    let start: i64 = query
        .get("start_time")
        .and_then(|start| start.parse().ok())
        .ok_or_else(|| invalid("start_time is missing or no number"))?;
    if start > latest {
        return Err(invalid("Too recent start_time"));
    }
    Ok(start)
}

/// `GET /api/v2/users.json` and its like, by cursor pagination.
pub(super) fn list(desk: &Desk, kind: Kind, query: &Query) -> Result<Value, Refusal> {
    let rows: Vec<_> = desk.by_id(kind).filter(|(_, row)| !row.deleted).collect();
    page_by_id(&rows, query, LIST_PAGE_MAX, kind.name())
}

/// `GET /api/v2/search/export.json`
pub(super) fn search_export(desk: &Desk, query: &Query) -> Result<Value, Refusal> {
    let kind = query
        .get("filter[type]")
        .and_then(Kind::of)
        .ok_or_else(|| invalid("filter[type] is required"))?;
    let text = query.get("query").ok_or_else(|| invalid("query is required"))?;
    let terms = search::terms(text).map_err(|term| invalid(&format!("{term} is not understood")))?;
    let found: Vec<Row> = desk
        .by_id(kind)
        .filter(|(_, row)| !row.deleted && search::holds(&terms, &row.fields))
        .map(|(_, row)| {
            let mut row = row.clone();
            row.fields.insert("result_type".into(), kind.singular().into());
            row
        })
        .collect();
    let rows: Vec<_> = found
        .iter()
        .filter_map(|row| Some((row.fields.get("id")?.as_i64()?, row)))
        .collect();
    page_by_id(&rows, query, SEARCH_PAGE_MAX, "results")
}

fn page_by_id(rows: &[(i64, &Row)], query: &Query, max: usize, name: &str) -> Result<Value, Refusal> {
    let after = match query.get("page[after]") {
        None => i64::MIN,
        Some(cursor) => URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok())
            .ok_or_else(|| invalid("page[after] is invalid"))?,
    };
    let size = query.size("page[size]", max);
    let rows: Vec<_> = rows.iter().filter(|(id, _)| *id > after).collect();
    let page = &rows[..rows.len().min(size)];
    let bodies: Vec<_> = page.iter().map(|(_, row)| Value::Object(row.fields.clone())).collect();
    Ok(json!({
        name: bodies,
        "meta": {
            "has_more": page.len() < rows.len(),
            "after_cursor": page.last().map(|(id, _)| URL_SAFE_NO_PAD.encode(id.to_string())),
            "before_cursor": null,
        },
        "links": {"next": null, "prev": null},
    }))
}

fn bodies(rows: &[&Row]) -> Vec<Value> {
    rows.iter().map(|row| Value::Object(row.fields.clone())).collect()
}
