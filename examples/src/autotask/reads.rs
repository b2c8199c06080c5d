//! What the simulated vendor answers to reads: pages, counts, single rows, metadata.
//! Authentication and limits are behind it when it is called.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::api::{Call, errors, json_bytes, json_response, method_not_supported, no_resource};
use super::control::Control;
use super::faults::FaultKind;
use super::filter::{Filter, Refusal, member};
use super::query::{PAGE_RECORDS_MAX, Paging, Query, parse_json};
use super::schema::CHILDREN;
use super::settings::{GetAfterPost, Settings};
use super::store::{Projection, Table};

/// Faults that change what an answer says rather than how it travels.
#[derive(Debug, Default)]
pub(super) struct Twists {
    ignore_filter: bool,
    empty_page: bool,
    no_next_page: bool,
    repeat_page: bool,
    count: Option<i64>,
    hidden_percent: u8,
    dropped: Vec<String>,
    replaced: Vec<(String, Value)>,
}

impl From<&[FaultKind]> for Twists {
    fn from(faults: &[FaultKind]) -> Self {
        let mut twists = Self::default();
        for fault in faults {
            match fault {
                FaultKind::IgnoreFilter => twists.ignore_filter = true,
                FaultKind::EmptyPage => twists.empty_page = true,
                FaultKind::NoNextPage => twists.no_next_page = true,
                FaultKind::RepeatPage => twists.repeat_page = true,
                FaultKind::WrongCount { count } => twists.count = Some(*count),
                FaultKind::HideRows { percent } => twists.hidden_percent = *percent,
                FaultKind::DropField { name } => twists.dropped.push(name.clone()),
                FaultKind::SetField { name, value } => twists.replaced.push((name.clone(), value.clone())),
                _ => {}
            }
        }
        twists
    }
}

impl Twists {
    /// Which rows a `HideRows` leaves: always the same ones, spread over all ids.
    fn shows(&self, id: i64) -> bool {
        let spread = id.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        spread % 100 >= u64::from(self.hidden_percent)
    }

    fn spoil_row(&self, row: &mut Value) {
        let Some(row) = row.as_object_mut() else { return };
        for name in &self.dropped {
            row.remove(name);
        }
        for (name, value) in &self.replaced {
            row.insert(name.clone(), value.clone());
        }
    }

    fn spoils_rows(&self) -> bool {
        !self.dropped.is_empty() || !self.replaced.is_empty()
    }
}

/// `GET` or `POST /{Entity}/query`.
pub(super) fn query(control: &Control, call: &Call, entity: &str, twists: &Twists) -> Response {
    answer_page(control, call, entity, twists, None)
}

/// `GET` or `POST /{Entity}/query/next`.
pub(super) fn next_page(
    control: &Control,
    settings: &Settings,
    call: &Call,
    entity: &str,
    twists: &Twists,
) -> Response {
    // The next page of a GET carries its filter in the URL; without one it is the next page of a POST.
    if call.method == Method::GET && call.parameter("search").is_none() {
        return match settings.get_after_post {
            GetAfterPost::MethodNotAllowed => method_not_supported(&call.method),
            GetAfterPost::EmptyPage => json_response(&json!({"items": [], "pageDetails": {
                "count": 0, "requestCount": PAGE_RECORDS_MAX, "prevPageUrl": null, "nextPageUrl": null
            }})),
        };
    }
    let paging = call
        .parameter("paging")
        .and_then(|paging| serde_json::from_str::<Paging>(&paging).ok());
    match paging {
        Some(paging) => answer_page(control, call, entity, twists, Some(&paging)),
        None => errors("The paging parameter is missing or invalid."),
    }
}

/// `GET` or `POST /{Entity}/query/count`.
pub(super) fn count(control: &Control, call: &Call, entity: &str, twists: &Twists) -> Response {
    let tables = control.tables();
    let Some(table) = tables.get(entity) else {
        return no_resource(entity);
    };
    match read_query(call, table) {
        Err(refused) => refused.into_response(&call.method),
        Ok((query, _)) => {
            let filter = effective(query.filter, twists);
            let counted = table.count(&filter, &|id| twists.shows(id));
            json_response(&json!({"queryCount": twists.count.unwrap_or(i64::try_from(counted).unwrap_or(i64::MAX))}))
        }
    }
}

/// `GET /{Entity}/{id}`.
pub(super) fn by_id(control: &Control, entity: &str, id: &str, twists: &Twists) -> Response {
    let tables = control.tables();
    let (Some(table), Ok(id)) = (tables.get(entity), id.parse::<i64>()) else {
        return no_resource(entity);
    };
    item(table, Some(id).filter(|id| twists.shows(*id)), twists)
}

/// `GET /{Parent}/{id}/{Child}` and `GET /{Parent}/{id}/{Child}/{id}`.
pub(super) fn children(
    control: &Control,
    (parent, parent_id, child): (&str, &str, &str),
    child_id: Option<&str>,
    twists: &Twists,
) -> Response {
    let known = CHILDREN
        .iter()
        .find(|(owner, path, ..)| owner.eq_ignore_ascii_case(parent) && path.eq_ignore_ascii_case(child));
    let (Some((.., entity, field)), Ok(parent_id)) = (known, parent_id.parse::<i64>()) else {
        return no_resource(child);
    };
    let tables = control.tables();
    let table = &tables[&entity.to_ascii_lowercase()];
    let condition = json!({"op": "eq", "field": field, "value": parent_id});
    let filter = Filter::compile(&table.entity, &[condition]).expect("the table of children names real fields");
    let page = table.page(&filter, None, PAGE_RECORDS_MAX as usize, &|id| twists.shows(id));
    match child_id {
        Some(id) => item(
            table,
            page.rows.iter().map(|row| row.id()).find(|row| Ok(*row) == id.parse()),
            twists,
        ),
        None => page_response(table, &page.rows, None, twists, (PAGE_RECORDS_MAX, None)),
    }
}

/// `GET /{Entity}/entityInformation`.
pub(super) fn entity_information(control: &Control, entity: &str) -> Response {
    let Ok(entity) = control.entity(entity) else {
        return no_resource(entity);
    };
    let webhooks = ["Companies", "Contacts", "ConfigurationItems", "Tickets", "TicketNotes"];
    json_response(&json!({"info": {
        "name": entity.singular(), "canCreate": false, "canDelete": false, "canQuery": true, "canUpdate": false,
        "userAccessForCreate": "None", "userAccessForDelete": "None", "userAccessForQuery": "All",
        "userAccessForUpdate": "None", "hasUserDefinedFields": entity.has_user_defined,
        "supportsWebhookCallouts": webhooks.contains(&entity.name.as_str()),
    }}))
}

/// `GET /{Entity}/entityInformation/fields`.
pub(super) fn fields(control: &Control, entity: &str) -> Response {
    let Ok(entity) = control.entity(entity) else {
        return no_resource(entity);
    };
    let fields: Vec<Value> = entity
        .fields
        .iter()
        .enumerate()
        .map(|(position, field)| {
            json!({
                "name": field.name, "dataType": field.kind.data_type(), "length": 0, "isRequired": position == 0,
                "isReadOnly": position == 0 || entity.created == Some(position) || entity.changed.contains(&position),
                "isQueryable": field.queryable, "isReference": false, "referenceEntityType": "", "isPickList": false,
                "picklistValues": null, "picklistParentValueField": "", "isSupportedWebhookField": false,
            })
        })
        .collect();
    json_response(&json!({"fields": fields}))
}

/// `GET /{Entity}/entityInformation/userDefinedFields`.
pub(super) fn user_defined_fields(control: &Control, entity: &str) -> Response {
    let Ok(entity) = control.entity(entity) else {
        return no_resource(entity);
    };
    let fields: Vec<Value> = entity
        .user_defined
        .iter()
        .map(|name| json!({"name": name, "label": name, "type": "string", "length": 255, "isRequired": false, "picklistValues": null}))
        .collect();
    json_response(&json!({"fields": fields}))
}

/// Why no page can be answered.
enum Unanswerable {
    Refused(Refusal),
    Method,
}

impl Unanswerable {
    fn into_response(self, method: &Method) -> Response {
        match self {
            Self::Refused(refusal) => errors(&refusal.0),
            Self::Method => method_not_supported(method),
        }
    }
}

/// The query of a call, compiled, and as JSON.
fn read_query(call: &Call, table: &Table) -> Result<(Query, Value), Unanswerable> {
    let text = if call.method == Method::GET {
        call.parameter("search").unwrap_or_default()
    } else if call.method == Method::POST {
        String::from_utf8_lossy(&call.body).into_owned()
    } else {
        return Err(Unanswerable::Method);
    };
    let read = || {
        let json = parse_json(&text)?;
        Ok((Query::parse(&table.entity, &json)?, json))
    };
    read().map_err(Unanswerable::Refused)
}

fn effective(filter: Filter, twists: &Twists) -> Filter {
    if twists.ignore_filter {
        Filter::everything()
    } else {
        filter
    }
}

fn answer_page(control: &Control, call: &Call, entity: &str, twists: &Twists, paging: Option<&Paging>) -> Response {
    let tables = control.tables();
    let Some(table) = tables.get(entity) else {
        return no_resource(entity);
    };
    let (query, json) = match read_query(call, table) {
        Ok(read) => read,
        Err(refused) => return refused.into_response(&call.method),
    };
    let page_records = paging.map_or(query.page_records, |paging| paging.page_size.clamp(1, PAGE_RECORDS_MAX));
    let after = paging.and_then(|paging| paging.next_ids.last().copied());
    if twists.empty_page {
        return page_response(table, &[], None, twists, (page_records, None));
    }
    let filter = effective(query.filter, twists);
    let page = table.page(&filter, after, page_records as usize, &|id| twists.shows(id));
    let last_id = match (twists.repeat_page, page.rows.last()) {
        (true, _) => Some(after.unwrap_or(-1)),
        (false, Some(last)) if page.more && !twists.no_next_page => Some(last.id()),
        _ => None,
    };
    let next = last_id.map(|last_id| {
        let cursor = Paging::following(paging, page_records, last_id);
        // A GET has its filter in the URL; a POST must send it again.
        let search = (call.method == Method::GET).then(|| without_page_size(&json));
        let zone = control.own_zone();
        format!(
            "{zone}/ATServicesRest/V1.0/{}/query/next?{}",
            table.entity.name,
            cursor.query_string(search.as_ref())
        )
    });
    page_response(
        table,
        &page.rows,
        query.projection.as_ref(),
        twists,
        (page_records, next),
    )
}

fn without_page_size(query: &Value) -> Value {
    let query = query.as_object().cloned().unwrap_or_default();
    let kept = ["filter", "includeFields"].into_iter();
    kept.filter_map(|name| member(&query, name).map(|value| (name.to_owned(), value.clone())))
        .collect()
}

fn page_response(
    table: &Table,
    rows: &[&super::store::Row],
    projection: Option<&Projection>,
    twists: &Twists,
    (page_records, next): (i64, Option<String>),
) -> Response {
    let count = twists.count.unwrap_or(i64::try_from(rows.len()).unwrap_or(i64::MAX));
    let details = json!({"count": count, "requestCount": page_records, "prevPageUrl": null, "nextPageUrl": next});
    let mut body = b"{\"items\":[".to_vec();
    for (position, row) in rows.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        write_row(table, row, projection, twists, &mut body);
    }
    body.extend_from_slice(b"],\"pageDetails\":");
    body.extend_from_slice(details.to_string().as_bytes());
    body.push(b'}');
    json_bytes(StatusCode::OK, body)
}

fn item(table: &Table, id: Option<i64>, twists: &Twists) -> Response {
    let mut body = b"{\"item\":".to_vec();
    match id.and_then(|id| table.get(id)) {
        Some(row) => write_row(table, row, None, twists, &mut body),
        None => body.extend_from_slice(b"null"),
    }
    body.push(b'}');
    json_bytes(StatusCode::OK, body)
}

fn write_row(
    table: &Table,
    row: &super::store::Row,
    projection: Option<&Projection>,
    twists: &Twists,
    out: &mut Vec<u8>,
) {
    if !twists.spoils_rows() {
        return table.write_row(row, projection, out);
    }
    let mut json = Vec::new();
    table.write_row(row, projection, &mut json);
    let mut value: Value = serde_json::from_slice(&json).expect("rows are written as JSON");
    twists.spoil_row(&mut value);
    serde_json::to_writer(out, &value).expect("writing to memory cannot fail");
}
