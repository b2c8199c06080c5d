//! What an instance's configuration means: Cloud Elements' keys with all their spellings, into types. Tolerates what is
//! known to be sent and says so in warnings; refuses the rest naming the field, what was found and what was expected.
//! Looks into no secret but the gateway's own, and repeats none.

mod body;
mod callback;
mod clear;
mod delivery;
mod endpoint;
mod fields;
mod pollers;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde_json::{Map, Value};

pub use body::{Body, parse_body, parse_patch};
pub use callback::{BASIC_PASSWORD, BASIC_USERNAME, CALLBACK_HEADERS, SIGNATURE_GRACE, extra_headers};
pub use clear::require_https;
pub use endpoint::{CONCURRENCY, RATE, RETRY_POLICY, RETRY_SCHEDULE, TIMEOUT};
pub use fields::FieldError;
use fields::{Found, as_bool, as_minutes, as_text, is_placeholder};
pub use pollers::by_resource;

use crate::domain::element::{Manifest, Property, PropertyKind};
use crate::domain::instance::{Events, FirstSight, Warning};
use crate::domain::secret::{MASK, Secret};
use crate::engine::egress::{NatsUrl, is_nats};
use crate::engine::sign::KeyKind;

/// Longest text of one configuration value, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Most resources that one instance may poll.
pub const POLLERS_MAX: usize = 200;

pub const ENABLED: &str = "event.notification.enabled";
pub const CALLBACK_URL: &str = "event.notification.callback.url";
pub const SIGNATURE_KEY: &str = "event.notification.signature.key";
pub const REFRESH_INTERVAL: &str = "event.poller.refresh_interval";
pub const POLLER_CONFIGURATION: &str = "event.poller.configuration";
pub const POLLER_URLS: &str = "event.poller.urls";
/// Ours: what existing records mean, `baseline`, `snapshot` or `since:` and an ISO date.
pub const FIRST_SIGHT: &str = "event.poller.first_sight";
const VENDOR_TYPE: &str = "event.vendor.type";
const NOTIFICATION_TYPE: &str = "event.notification.type";

/// Secrets that belong to the gateway rather than to an element.
const SECRET_KEYS: [&str; 4] = [SIGNATURE_KEY, BASIC_USERNAME, BASIC_PASSWORD, CALLBACK_HEADERS];
/// Keys of Cloud Elements that are accepted and do nothing here yet.
const WITHOUT_EFFECT: [&str; 6] = [
    "event.notification.instance.finder",
    "event.notification.subscription.id",
    "event.objects",
    "event.metadata",
    "event.helper.key",
    "event.raw.enabled",
];
/// Minutes between polls where neither user nor element says; Cloud Elements' own default.
const REFRESH_INTERVAL_MINUTES_DEFAULT: f64 = 15.0;

/// What a configuration is judged against.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub manifest: &'a Manifest,
    pub min_refresh_interval: Duration,
    /// Properties that the operator has set for all instances.
    pub operator_keys: &'a HashSet<String>,
    /// Secrets that the instance has already; a change need not repeat them.
    pub kept_secrets: &'a HashSet<String>,
}

/// A configuration that was understood.
#[derive(Debug)]
pub struct Accepted {
    /// Everything but the secrets, as given.
    pub configuration: BTreeMap<String, Value>,
    pub secrets: HashMap<String, Secret>,
    /// Secrets that were cleared by an empty value.
    pub cleared: Vec<String>,
    /// The signature key that the gateway is asked to make.
    pub key_to_make: Option<KeyKind>,
    /// How long a signature key that is replaced signs beside the new one.
    pub signature_grace: Duration,
    pub events: Events,
    pub warnings: Vec<Warning>,
}

/// Collects warnings on the way.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<Warning>);

impl Warnings {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Warning {
            field: field.into(),
            message: message.into(),
        });
    }
}

/// # Errors
/// The first field that can't be understood.
pub fn accept(given: &Map<String, Value>, context: &Context<'_>) -> Result<Accepted, FieldError> {
    let mut warnings = Warnings::default();
    let mut configuration = BTreeMap::new();
    let mut secrets = HashMap::new();
    let mut cleared = Vec::new();
    let mut key_to_make = None;
    for (key, value) in given {
        check_size(key, value)?;
        let property = context.manifest.property(key);
        if property.is_some_and(|property| property.secret) || SECRET_KEYS.contains(&key.as_str()) {
            match secret(key, &callback::as_given(key, value), context)? {
                Given::Secret(secret) => drop(secrets.insert(key.clone(), secret)),
                Given::Kept => {}
                Given::ToMake(kind) => key_to_make = Some(kind),
                Given::Cleared => cleared.push(key.clone()),
            }
            continue;
        }
        if let Some(property) = property {
            check_property(property, value)?;
            if context.manifest.hosts_from.contains(key) && value.as_str().is_some_and(clear::is_in_the_clear) {
                warnings.add(
                    key,
                    "is not encrypted: credentials and records go to and from the vendor as plain text; use https",
                );
            }
        } else if !key.starts_with("event.") {
            // Perhaps a credential under a name that is not known: kept, but sealed.
            let element = &context.manifest.key;
            warnings.add(
                key,
                format!("is no property of the element {element}; it is kept sealed and has no effect"),
            );
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if text != MASK {
                secrets.insert(key.clone(), Secret::new(text));
            }
            continue;
        }
        configuration.insert(key.clone(), value.clone());
    }
    for key in WITHOUT_EFFECT.iter().filter(|key| given.contains_key(**key)) {
        warnings.add(
            *key,
            "is known from Cloud Elements; it is kept and has no effect in this version",
        );
    }
    check_required(context, &configuration, &secrets, &cleared)?;
    let events = events(&configuration, context, &mut warnings)?;
    Ok(Accepted {
        configuration,
        secrets,
        cleared,
        key_to_make,
        signature_grace: callback::grace(given.get(SIGNATURE_GRACE))?,
        events,
        warnings: warnings.0,
    })
}

fn check_size(key: &str, value: &Value) -> Result<(), FieldError> {
    let bytes = value.as_str().map_or_else(|| value.to_string().len(), str::len);
    if bytes > VALUE_BYTES_MAX {
        return Err(FieldError::new(
            key,
            format!("has {bytes} bytes; at most {VALUE_BYTES_MAX} are allowed"),
        ));
    }
    Ok(())
}

/// What a body says of a secret.
enum Given {
    Secret(Secret),
    /// The mask that a GET answered: the stored one stays.
    Kept,
    Cleared,
    /// The word that stands for a key that the gateway makes.
    ToMake(KeyKind),
}

/// What was found is never repeated in an error.
fn secret(key: &str, value: &Value, context: &Context<'_>) -> Result<Given, FieldError> {
    match value {
        Value::Null => Ok(Given::Cleared),
        Value::String(text) if text.is_empty() => Ok(Given::Cleared),
        Value::String(text) if is_placeholder(text) => Err(FieldError::placeholder(key, text)),
        Value::String(text) if text == MASK && context.kept_secrets.contains(key) => Ok(Given::Kept),
        Value::String(text) if text == MASK => Err(FieldError::new(
            key,
            "is the mask ********, and there is no stored secret that it could stand for",
        )),
        Value::String(text) => callback::check(key, Secret::new(text)),
        other => Err(FieldError::new(
            key,
            format!("expected text, found {}", Found::kind(other)),
        )),
    }
}

fn check_property(property: &Property, value: &Value) -> Result<(), FieldError> {
    let key = &property.key;
    if let Some(text) = value.as_str().filter(|text| is_placeholder(text)) {
        return Err(FieldError::placeholder(key, text));
    }
    match property.kind {
        PropertyKind::String | PropertyKind::Password => as_text(key, value).map(drop),
        PropertyKind::Boolean => as_bool(key, value).map(drop),
        PropertyKind::Integer => fields::as_integer(key, value, i64::MIN, i64::MAX).map(drop),
        PropertyKind::Url => {
            let text = as_text(key, value)?;
            let url = url::Url::parse(text.trim()).map_err(|error| {
                FieldError::new(
                    key,
                    format!("expected a URL such as https://example.com, found {text:?}: {error}"),
                )
            })?;
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return Err(FieldError::new(
                    key,
                    format!("expected an http or https URL, found {text:?}"),
                ));
            }
            Ok(())
        }
    }
}

fn check_required(
    context: &Context<'_>,
    configuration: &BTreeMap<String, Value>,
    secrets: &HashMap<String, Secret>,
    cleared: &[String],
) -> Result<(), FieldError> {
    for property in context
        .manifest
        .properties
        .iter()
        .filter(|property| property.required && property.default.is_none())
    {
        let key = &property.key;
        let present = configuration
            .get(key)
            .is_some_and(|value| !value.is_null() && value != "")
            || secrets.contains_key(key)
            || (context.kept_secrets.contains(key) && !cleared.contains(key))
            || context.operator_keys.contains(key);
        if !present {
            let hint = if property.operator {
                ", in the instance or by the operator for the element"
            } else {
                ""
            };
            return Err(FieldError::new(
                key,
                format!("is missing; the element needs it{hint}: {}", property.description),
            ));
        }
    }
    Ok(())
}

fn events(
    configuration: &BTreeMap<String, Value>,
    context: &Context<'_>,
    warnings: &mut Warnings,
) -> Result<Events, FieldError> {
    let given = |key: &str| configuration.get(key).filter(|value| !value.is_null());
    let value = |key: &str| given(key).or_else(|| context.manifest.defaults.get(key));
    let enabled = value(ENABLED)
        .map(|value| as_bool(ENABLED, value))
        .transpose()?
        .unwrap_or(false);
    if let Some(value) = given(VENDOR_TYPE) {
        let text = as_text(VENDOR_TYPE, value)?;
        match text {
            "" | "polling" => {}
            "webhook" | "webhooks" => {
                warnings.add(
                    VENDOR_TYPE,
                    format!(
                        "{} is polled; webhooks of the vendor are not read",
                        context.manifest.key
                    ),
                );
            }
            other => {
                return Err(FieldError::new(
                    VENDOR_TYPE,
                    format!("expected \"polling\", \"webhook\" or \"webhooks\", found {other:?}"),
                ));
            }
        }
    }
    if let Some(value) = given(NOTIFICATION_TYPE) {
        let text = as_text(NOTIFICATION_TYPE, value)?;
        if !text.is_empty() && text != "webhook" {
            return Err(FieldError::new(
                NOTIFICATION_TYPE,
                format!("expected \"webhook\", the only way, found {text:?}"),
            ));
        }
    }
    let callback_url = value(CALLBACK_URL).map(callback_url).transpose()?.flatten();
    if callback_url.as_deref().is_some_and(clear::is_in_the_clear) {
        warnings.add(
            CALLBACK_URL,
            "is not encrypted: records go to it as plain text; use https",
        );
    }
    if enabled && callback_url.is_none() {
        warnings.add(
            CALLBACK_URL,
            "is not set: events are stored and can be listed, nobody is called",
        );
    }
    let refresh_interval_ms = refresh_interval(value(REFRESH_INTERVAL), context, warnings)?;
    let pollers = pollers::pollers(value(POLLER_CONFIGURATION), given(POLLER_URLS), context, warnings)?;
    if !enabled && given(POLLER_CONFIGURATION).is_some() {
        warnings.add(ENABLED, "is not true: nothing is polled until it is");
    }
    let first_sight = given(FIRST_SIGHT)
        .map(first_sight)
        .transpose()?
        .unwrap_or(FirstSight::Baseline);
    let mut delivery = delivery::delivery(value, callback_url.as_deref())?;
    endpoint::endpoint(configuration, &mut delivery)?;
    Ok(Events {
        enabled,
        callback_url,
        refresh_interval_ms,
        first_sight,
        pollers,
        delivery,
    })
}

/// null, the empty string and "false" mean that there is none (the last stands in 9 of 68 exported elements).
fn callback_url(value: &Value) -> Result<Option<String>, FieldError> {
    let text = match value {
        Value::Bool(false) => return Ok(None),
        value => as_text(CALLBACK_URL, value)?.trim().to_owned(),
    };
    if text.is_empty() || text == "false" {
        return Ok(None);
    }
    if is_placeholder(&text) {
        return Err(FieldError::placeholder(CALLBACK_URL, &text));
    }
    if text.chars().any(char::is_control) {
        // A parser of URLs passes over them; whoever is shown the text does not.
        return Err(FieldError::new(
            CALLBACK_URL,
            "holds a line break or another control character",
        ));
    }
    if is_nats(&text) {
        NatsUrl::parse(&text).map_err(|error| FieldError::new(CALLBACK_URL, error))?;
        return Ok(Some(text));
    }
    let url = url::Url::parse(&text).map_err(|error| {
        FieldError::new(
            CALLBACK_URL,
            format!("expected a URL such as https://example.com/events, found {text:?}: {error}"),
        )
    })?;
    callback::check_userinfo(&url)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(FieldError::new(
            CALLBACK_URL,
            format!("expected an http, https, nats or tls URL, found {text:?}"),
        ));
    }
    Ok(Some(text))
}

fn refresh_interval(value: Option<&Value>, context: &Context<'_>, warnings: &mut Warnings) -> Result<u64, FieldError> {
    let default = REFRESH_INTERVAL_MINUTES_DEFAULT;
    let minutes = match value {
        None => default,
        Some(Value::String(text)) if text.trim().is_empty() => default,
        // The seed's own body is printed with it.
        Some(Value::String(text)) if is_placeholder(text) => {
            warnings.add(
                REFRESH_INTERVAL,
                format!("{text} is a placeholder that was not filled in; {default} minutes are used"),
            );
            default
        }
        Some(value) => as_minutes(REFRESH_INTERVAL, value)?,
    };
    let asked = Duration::try_from_secs_f64(minutes * 60.0).unwrap_or(Duration::MAX);
    let least = context.min_refresh_interval;
    if asked < least {
        warnings.add(
            REFRESH_INTERVAL,
            format!(
                "{minutes} minutes is less than this gateway's minimum; {} minutes are used",
                least.as_secs_f64() / 60.0
            ),
        );
    }
    Ok(u64::try_from(asked.max(least).as_millis())
        .unwrap_or(u64::MAX)
        .min(i64::MAX as u64))
}

fn first_sight(value: &Value) -> Result<FirstSight, FieldError> {
    let text = as_text(FIRST_SIGHT, value)?;
    match text.trim() {
        "" | "baseline" => Ok(FirstSight::Baseline),
        "snapshot" => Ok(FirstSight::Snapshot),
        text => {
            let since = text.strip_prefix("since:").ok_or_else(|| {
                FieldError::new(
                    FIRST_SIGHT,
                    format!("expected \"baseline\", \"snapshot\" or \"since:\" with an ISO date, found {text:?}"),
                )
            })?;
            let zone = super::dates::Zone::utc();
            super::dates::read_lenient(since.trim(), None, &zone)
                .map(FirstSight::Since)
                .map_err(|error| {
                    FieldError::new(
                        FIRST_SIGHT,
                        format!("expected an ISO date after \"since:\", found {since:?}: {error}"),
                    )
                })
        }
    }
}

#[cfg(test)]
mod tests;
