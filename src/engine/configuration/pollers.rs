//! `event.poller.configuration`: an object, or the same as JSON in a string.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::{Found, as_bool, as_integer, as_text};
use super::{Context, FieldError, POLLER_CONFIGURATION, POLLER_URLS, POLLERS_MAX, Warnings};
use crate::domain::element::Resource;
use crate::domain::instance::{DateField, Dates, Poller};
use crate::engine::dates::{Pattern, Zone};
use crate::engine::poller_url::PollerUrl;

/// Longest name of a resource under `event.poller.configuration`.
const RESOURCE_NAME_CHARS_MAX: usize = 200;
/// Longest overlap or tolerance, in seconds: a year.
const SECONDS_MAX: i64 = 366 * 86_400;
/// How far created and updated may differ in a created record where neither user nor element says; the successor
/// product's default.
const TOLERANCE_SECONDS_DEFAULT: u32 = 10;

const RESOURCE_KEYS: [&str; 12] = [
    "url",
    "idField",
    "datesConfiguration",
    "filterByUpdatedDate",
    "filterByUpdateDate",
    "filterByCurrentDate",
    "createdCheckTolerance",
    "pageSize",
    "pollDelay",
    "updatedDateTimezone",
    "updatedDateField",
    "createdDateField",
];
const DATE_KEYS: [&str; 7] = [
    "updatedDateField",
    "updatedDateFormat",
    "updatedDateTimezone",
    "createdDateField",
    "createdDateFormat",
    "createdDateTimezone",
    "createdCheckTolerance",
];

pub(super) fn pollers(
    configured: Option<&Value>,
    legacy: Option<&Value>,
    context: &Context<'_>,
    warnings: &mut Warnings,
) -> Result<Vec<Poller>, FieldError> {
    if legacy.is_some_and(|value| value != "") {
        if configured.is_none() {
            return Err(FieldError::new(
                POLLER_URLS,
                format!("is the legacy form, which is not read; give {POLLER_CONFIGURATION} instead"),
            ));
        }
        warnings.add(
            POLLER_URLS,
            format!("is the legacy form; {POLLER_CONFIGURATION} is used"),
        );
    }
    let parsed;
    let resources = match configured {
        None => return default_pollers(context, warnings),
        Some(Value::Object(resources)) => resources,
        Some(Value::String(text)) if text.trim().is_empty() => return default_pollers(context, warnings),
        Some(Value::String(text)) => {
            parsed = serde_json::from_str::<Map<String, Value>>(text).map_err(|error| {
                FieldError::new(
                    POLLER_CONFIGURATION,
                    format!("expected an object, or one as JSON in a string: {error}"),
                )
            })?;
            &parsed
        }
        Some(other) => {
            return Err(FieldError::new(
                POLLER_CONFIGURATION,
                format!(
                    "expected an object, or one as JSON in a string, found {}",
                    Found::kind(other)
                ),
            ));
        }
    };
    if resources.len() > POLLERS_MAX {
        return Err(FieldError::new(
            POLLER_CONFIGURATION,
            format!("has {} resources; at most {POLLERS_MAX} are allowed", resources.len()),
        ));
    }
    resources
        .iter()
        .map(|(name, value)| {
            check_name(name)?;
            let field = format!("{POLLER_CONFIGURATION}.{name}");
            let settings = value.as_object().ok_or_else(|| {
                FieldError::new(
                    &field,
                    format!("expected an object with a url, found {}", Found::kind(value)),
                )
            })?;
            poller(name, &field, settings, context, warnings)
        })
        .collect()
}

/// A name becomes `objectType`, a key in the store and a word in the log.
fn check_name(name: &str) -> Result<(), FieldError> {
    let chars = name.chars().count();
    if !(1..=RESOURCE_NAME_CHARS_MAX).contains(&chars) || name.chars().any(char::is_control) {
        return Err(FieldError::new(
            POLLER_CONFIGURATION,
            format!(
                "a resource's name has 1 to {RESOURCE_NAME_CHARS_MAX} characters and no control characters, found one of {chars}"
            ),
        ));
    }
    Ok(())
}

/// The element's own choice of resources, asked by their updated date.
fn default_pollers(context: &Context<'_>, warnings: &mut Warnings) -> Result<Vec<Poller>, FieldError> {
    let manifest = context.manifest;
    manifest
        .resources
        .iter()
        .filter(|resource| resource.default_poll)
        .map(|resource| {
            let mut url = format!("/hubs/{}/{}", manifest.hub, resource.name);
            if let Some(updated) = &resource.updated_date_field {
                url.push_str(&format!("?where={updated}>='${{gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}}'"));
            }
            let settings = Map::from_iter([("url".to_owned(), Value::from(url))]);
            poller(
                &resource.name,
                &format!("{POLLER_CONFIGURATION}.{}", resource.name),
                &settings,
                context,
                warnings,
            )
        })
        .collect()
}

fn poller(
    name: &str,
    field: &str,
    settings: &Map<String, Value>,
    context: &Context<'_>,
    warnings: &mut Warnings,
) -> Result<Poller, FieldError> {
    let manifest = context.manifest;
    let at = |key: &str| format!("{field}.{key}");
    let get = |key: &str| settings.get(key).filter(|value| !value.is_null());
    for key in settings.keys().filter(|key| !RESOURCE_KEYS.contains(&key.as_str())) {
        warnings.add(at(key), "is not known and has no effect");
    }
    let url = get("url")
        .ok_or_else(|| FieldError::new(at("url"), "is missing; expected a hub path such as /hubs/crm/accounts"))?;
    let url = as_text(&at("url"), url)?;
    let (parsed, said) = PollerUrl::parse(url).map_err(|error| FieldError::new(at("url"), error.to_string()))?;
    said.into_iter().for_each(|message| warnings.add(at("url"), message));
    let resource = known_resource(&at("url"), parsed.resource(), context)?;

    let id_field = get("idField")
        .map(|value| as_text(&at("idField"), value))
        .transpose()?
        .unwrap_or_default();
    let empty = Map::new();
    let dates = match get("datesConfiguration") {
        None => &empty,
        Some(Value::Object(dates)) => dates,
        Some(other) => {
            return Err(FieldError::new(
                at("datesConfiguration"),
                format!("expected an object, found {}", Found::kind(other)),
            ));
        }
    };
    let dates_field = at("datesConfiguration");
    for key in dates.keys().filter(|key| !DATE_KEYS.contains(&key.as_str())) {
        warnings.add(format!("{dates_field}.{key}"), "is not known and has no effect");
    }
    let default_of = |resource: &Resource, which: &str| match which {
        "updated" => resource.updated_date_field.clone(),
        _ => resource.created_date_field.clone(),
    };
    let mut date = |which: &str| {
        date_field(
            which,
            &dates_field,
            dates,
            resource,
            default_of(resource, which),
            warnings,
        )
    };
    let updated = date("updated")?;
    let mut created = date("created")?;
    if created.pattern.is_empty() {
        created.pattern.clone_from(&updated.pattern);
    }

    let seconds = |key: &str, value: Option<&Value>| -> Result<Option<u32>, FieldError> {
        let seconds = value
            .map(|value| as_integer(&at(key), value, 0, SECONDS_MAX))
            .transpose()?;
        Ok(seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)))
    };
    let tolerance = get("createdCheckTolerance").or_else(|| dates.get("createdCheckTolerance"));
    let tolerance = seconds("createdCheckTolerance", tolerance)?.or(resource.created_check_tolerance);
    let overlap = seconds("pollDelay", get("pollDelay"))?;
    let page_size = match get("pageSize") {
        None => manifest.page_size.default,
        Some(value) => {
            let asked = as_integer(&at("pageSize"), value, 1, 1_000_000)?;
            let page_size = u32::try_from(asked).unwrap_or(u32::MAX).min(manifest.page_size.max);
            if i64::from(page_size) < asked {
                warnings.add(
                    at("pageSize"),
                    format!("{asked} is more than the vendor gives; {page_size} is used"),
                );
            }
            page_size
        }
    };
    for key in ["filterByUpdatedDate", "filterByUpdateDate"] {
        // Fingerprints do what this filter was for: what did not change makes no event.
        get(key).map(|value| as_bool(&at(key), value)).transpose()?;
    }
    let filter_by_current_date = get("filterByCurrentDate")
        .map(|value| as_bool(&at("filterByCurrentDate"), value))
        .transpose()?;
    Ok(Poller {
        resource: name.to_owned(),
        url: url.to_owned(),
        id_field: if id_field.is_empty() {
            resource.id_field.clone()
        } else {
            id_field.to_owned()
        },
        dates: Dates { updated, created },
        filter_by_current_date: filter_by_current_date.unwrap_or(false),
        created_check_tolerance_seconds: tolerance.unwrap_or(TOLERANCE_SECONDS_DEFAULT),
        page_size,
        overlap_seconds: overlap.unwrap_or(manifest.overlap_seconds),
    })
}

fn known_resource<'a>(field: &str, name: &str, context: &Context<'a>) -> Result<&'a Resource, FieldError> {
    let manifest = context.manifest;
    let resource = manifest.resource(name);
    let plausible = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '{' | '}'))
    };
    resource
        .filter(|resource| !resource.generic || plausible(name))
        .ok_or_else(|| {
            let known: Vec<_> = manifest
                .resources
                .iter()
                .map(|resource| resource.name.as_str())
                .collect();
            FieldError::new(
                field,
                format!(
                    "{name:?} is no resource of {}; it has {}",
                    manifest.key,
                    known.join(", ")
                ),
            )
        })
}

fn date_field(
    which: &str,
    field: &str,
    dates: &Map<String, Value>,
    resource: &Resource,
    default: Option<String>,
    warnings: &mut Warnings,
) -> Result<DateField, FieldError> {
    let text = |suffix: &str| -> Result<(String, &str), FieldError> {
        let key = format!("{which}Date{suffix}");
        let path = format!("{field}.{key}");
        let value = dates.get(&key).filter(|value| !value.is_null());
        Ok((
            path.clone(),
            value
                .map(|value| as_text(&path, value))
                .transpose()?
                .unwrap_or_default(),
        ))
    };
    let (name_path, name) = text("Field")?;
    let (format_path, format) = text("Format")?;
    let (zone_path, zone) = text("Timezone")?;
    if !format.is_empty() {
        let (_, said) =
            Pattern::parse_tolerant(format).map_err(|error| FieldError::new(&format_path, error.to_string()))?;
        said.into_iter()
            .for_each(|warning| warnings.add(&format_path, warning.to_string()));
    }
    Zone::parse(zone).map_err(|error| FieldError::new(&zone_path, error.to_string()))?;
    let mut paths: Vec<String> = Vec::new();
    if !name.is_empty() {
        paths.push(name.to_owned());
        if !resource.date_fields.is_empty() && !resource.date_fields.iter().any(|known| known == name) {
            let instead = default.as_ref().map_or_else(String::new, |default| {
                format!("; {default} is used in records without it")
            });
            warnings.add(
                &name_path,
                format!("{name:?} is not known as a date of {}{instead}", resource.name),
            );
        }
    }
    paths.extend(default.filter(|default| *default != name));
    Ok(DateField {
        paths,
        pattern: format.to_owned(),
        zone: zone.to_owned(),
    })
}

/// Names of the resources, for comparing two configurations.
#[must_use]
pub fn by_resource(pollers: &[Poller]) -> BTreeMap<&str, &Poller> {
    pollers
        .iter()
        .map(|poller| (poller.resource.as_str(), poller))
        .collect()
}
