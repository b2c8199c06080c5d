//! Single questions: who am I, and what is this one record?
//! Must not take an answer for "gone" or "welcome" that is neither: Zendesk greets strangers, and a wrong address is 404 too.

use tidegate_sdk::json::{Value, parse_object};
use tidegate_sdk::{Fault, GetArgs, Records, Request, Response};

use crate::faults::{self, Asked};
use crate::records::{Wanted, normalise_one};
use crate::resources::Resource;
use crate::settings::{EMAIL, Settings};

/// Lane of what has no limit of its own.
pub(crate) const READS: &str = "reads";

/// `GET /api/v2/users/me.json`, which answers strangers too.
/// <https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self>
pub(crate) fn who_am_i(settings: &Settings) -> Request {
    settings.get("/api/v2/users/me.json").lane(READS)
}

/// # Errors
/// Says why these credentials do not do.
pub(crate) fn check(response: &Response, asked: Asked<'_>) -> Result<(), Fault> {
    if response.status != 200 {
        return Err(faults::of(response, asked));
    }
    let members =
        parse_object(&response.body).map_err(|error| faults::unreadable(response, asked, &error.to_string()))?;
    let user = members
        .iter()
        .rev()
        .find(|member| member.name() == "user")
        .map(|member| member.value);
    let Some(user) = user else {
        return Err(faults::unreadable(response, asked, "`user` is missing"));
    };
    // "Allowed for: anonymous users". Such a user has no id.
    if user.get("id").as_ref().and_then(Value::as_i64).is_none() {
        return Err(faults::refused_credentials(
            asked.host,
            ": it takes the request for an anonymous user's",
        ));
    }
    match user.get("role").and_then(|role| role.as_str()).as_deref() {
        Some("end-user") => Err(Fault::bad_configuration(
            EMAIL,
            format!(
                "`{EMAIL}` is an end user's at {}: expected an administrator's, who may read everything",
                asked.host
            ),
        )),
        _ => Ok(()),
    }
}

/// None if no record can have such an id: ids are numbers, and `me` is none.
///
/// # Errors
/// For an id field that records cannot be asked for by.
pub(crate) fn one(args: &GetArgs, resource: &Resource, settings: &Settings) -> Result<Option<Request>, Fault> {
    if args.id_field != "id" {
        return Err(Fault::bad_configuration(
            "idField",
            format!(
                "Zendesk gives single `{}` by `id` only, not by `{}`",
                resource.name, args.id_field
            ),
        ));
    }
    let is_id = !args.id.is_empty() && args.id.len() <= 19 && args.id.bytes().all(|byte| byte.is_ascii_digit());
    let path = format!("/api/v2/{}/{}.json", resource.name, args.id);
    Ok(is_id.then(|| settings.get(&path).lane(READS)))
}

/// Adds the record, unless there is none.
///
/// # Errors
/// For an answer that says neither.
pub(crate) fn read_one(
    response: &Response,
    asked: Asked<'_>,
    args: &GetArgs,
    wanted: &Wanted,
    records: &mut Records,
) -> Result<(), Fault> {
    if response.status == 404 && !faults::is_html(response) {
        return Ok(());
    }
    if response.status != 200 {
        return Err(faults::of(response, asked));
    }
    let name = wanted.resource.singular;
    let members =
        parse_object(&response.body).map_err(|error| faults::unreadable(response, asked, &error.to_string()))?;
    let object = members
        .iter()
        .rev()
        .find(|member| member.name() == name)
        .map(|member| member.value);
    let members: Vec<_> = object.iter().flat_map(|object| object.members()).collect();
    normalise_one(&members, wanted, records)
        .ok_or_else(|| faults::unreadable(response, asked, &format!("`{name}` is missing or has no id")))?;
    let other = records.iter().map(|record| record.id).find(|id| *id != args.id);
    other.map_or(Ok(()), |other| {
        Err(Fault::broken(
            "other-record",
            format!(
                "`{}` {} was asked for at {}, and {other} came",
                asked.what, args.id, asked.host
            ),
        ))
    })
}
