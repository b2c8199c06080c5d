//! From a configuration file and flags to a run: the poll that the gateway would make with them.
//! Must not send anything.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::{Map, Value, json};

use super::args::{Ask, AskFor};
use super::screen;
use crate::domain::element::{Manifest, Property, Resource};
use crate::domain::instance::{FirstSight, Poller};
use crate::domain::run::{DateFields, GetArgs, ListArgs, Operation, Run, SweepArgs, Window};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::configuration::{Accepted, Context, POLLER_CONFIGURATION, accept};
use crate::engine::dates::{Zone, read_lenient};
use crate::engine::macros::Moments;
use crate::engine::poller_url::PollerUrl;
use crate::engine::reach::{ByOperator, Told};
use crate::engine::watermark;
use crate::ports::Grants;

/// Warnings about these keys are the gateway's business: nothing is posted and nothing polled again.
const NOT_ASKED_HERE: &str = "event.notification.";

/// A run that is ready to be begun.
pub(super) struct Asked {
    pub(super) run: Run,
    pub(super) grants: Arc<Grants>,
    /// All of the configuration, those included that the element has nothing to do with.
    pub(super) secrets: HashMap<String, Secret>,
    /// How the gateway would poll the resource.
    pub(super) poller: Poller,
    pub(super) first_sight: FirstSight,
    pub(super) from: Timestamp,
}

/// What the gateway would make of the configuration, asked for once, now.
pub(super) fn asked(ask: &Ask, manifest: &Manifest, now: Timestamp) -> anyhow::Result<Asked> {
    let resource = resource(ask, manifest)?;
    let name = ask.resource.as_deref().unwrap_or(&resource.name);
    let accepted = accepted(ask, manifest, resource, name)?;
    let since = ask.since.as_deref().map(since).transpose()?;
    let first_sight = since.map_or(accepted.events.first_sight, FirstSight::Since);
    let pollers = accepted.events.pollers.iter();
    let poller = pollers.clone().find(|poller| poller.resource == name);
    let mut poller = poller
        .context("the configuration has the poller that was put into it")?
        .clone();
    if let Some(size) = ask.page_size {
        poller.page_size = size;
    }
    let from = watermark::ask_from(None, poller.overlap_seconds, first_sight);
    let operation = operation(ask, &poller, name, from, now)?;
    let value = |property: &Property| accepted.configuration.get(&property.key).cloned();
    let is_own = |name: &str| manifest.property(name).is_some_and(|property| property.secret);
    let own = accepted.secrets.iter().filter(|(name, _)| is_own(name));
    let told = Told::of(
        manifest,
        value,
        own.map(|(name, secret)| (name.clone(), secret.clone())).collect(),
        // At the author's desk there is no operator but the author.
        &ByOperator::default(),
    );
    Ok(Asked {
        run: Run {
            operation,
            configuration: told.configuration(),
            memo: None,
            now,
        },
        grants: Arc::new(told.grants),
        secrets: accepted.secrets,
        poller,
        first_sight,
        from,
    })
}

/// The one that was asked for, else the first that the element polls by itself, else the first.
fn resource<'m>(ask: &Ask, manifest: &'m Manifest) -> anyhow::Result<&'m Resource> {
    if let Some(name) = &ask.resource {
        return manifest.resource(name).ok_or_else(|| {
            let names: Vec<&str> = manifest
                .resources
                .iter()
                .map(|resource| resource.name.as_str())
                .collect();
            anyhow!("{} has no resource {name:?}; it has {}", manifest.key, names.join(", "))
        });
    }
    let named = || manifest.resources.iter().filter(|resource| !resource.generic);
    let polled = named().find(|resource| resource.default_poll);
    polled
        .or_else(|| named().next())
        .with_context(|| format!("{} names no resource: say which one, with --resource", manifest.key))
}

fn accepted(ask: &Ask, manifest: &Manifest, resource: &Resource, name: &str) -> anyhow::Result<Accepted> {
    let shown = ask.config.display();
    let text = fs::read(&ask.config).with_context(|| format!("reading {shown}"))?;
    // Without the text: a configuration holds secrets.
    let mut given: Map<String, Value> = serde_json::from_slice(&text).map_err(|error| {
        anyhow!(
            "{shown}: expected one JSON object, an instance's `configuration`; line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    if let Some(Value::Object(inner)) = given.remove("configuration") {
        // A whole instance's body does as well.
        given = inner;
    }
    let configured = given.get(POLLER_CONFIGURATION);
    let configured = configured
        .filter(|_| ask.filter.is_none())
        .and_then(|pollers| pollers.get(name));
    let poller = configured
        .cloned()
        .unwrap_or_else(|| json!({"url": url(ask, manifest, resource, name)}));
    given.insert(POLLER_CONFIGURATION.into(), json!({name: poller}));
    let accepted = accept(
        &given,
        &Context {
            manifest,
            min_refresh_interval: Duration::from_secs(1),
            operator_keys: &HashSet::new(),
            kept_secrets: &HashSet::new(),
        },
    );
    let accepted = accepted.map_err(|error| anyhow!("{shown}: {error}"))?;
    let warnings = accepted.warnings.iter().filter(|warning| {
        !warning.field.starts_with(NOT_ASKED_HERE) && warning.field != crate::engine::configuration::ENABLED
    });
    for warning in warnings {
        screen::note(&format!("warning: {}: {}", warning.field, warning.message));
    }
    Ok(accepted)
}

/// The poller's url as the gateway writes it where a user configures none.
fn url(ask: &Ask, manifest: &Manifest, resource: &Resource, name: &str) -> String {
    let path = format!("/hubs/{}/{name}", manifest.hub);
    match (&ask.filter, &resource.updated_date_field) {
        (Some(clause), _) => {
            let clause = clause.replace('%', "%25").replace('&', "%26").replace('#', "%23");
            format!("{path}?where={clause}")
        }
        (None, Some(updated)) => format!("{path}?where={updated}>='${{gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}}'"),
        (None, None) => path,
    }
}

fn since(text: &str) -> anyhow::Result<Timestamp> {
    read_lenient(text, None, &Zone::utc()).map_err(|error| {
        anyhow!("--since: expected a date such as 2026-01-31 or 2026-01-31T12:00:00Z, found {text:?}: {error}")
    })
}

fn operation(ask: &Ask, poller: &Poller, name: &str, from: Timestamp, now: Timestamp) -> anyhow::Result<Operation> {
    if ask.operation != AskFor::Get && ask.id.is_some() {
        bail!("--id is for `--operation get`");
    }
    Ok(match ask.operation {
        AskFor::Check => Operation::Check,
        AskFor::Sweep => Operation::Sweep(SweepArgs {
            resource: name.to_owned(),
            id_field: poller.id_field.clone(),
            page_size: poller.page_size,
        }),
        AskFor::Get => {
            let id = ask.id.clone().unwrap_or_default();
            ensure!(
                !id.is_empty(),
                "--operation get reads one record: say which one, with --id"
            );
            Operation::Get(GetArgs {
                resource: name.to_owned(),
                id,
                id_field: poller.id_field.clone(),
                dates: date_fields(poller),
            })
        }
        AskFor::List => {
            // What was tolerated in it is among the warnings of the configuration.
            let (url, _) = PollerUrl::parse(&poller.url)?;
            let request = url.at(&Moments {
                last_poll: from,
                now,
                default_zone: Zone::utc(),
            })?;
            Operation::List(ListArgs {
                resource: request.resource,
                window: Some(Window { from, until: None }),
                filter: request.filter.map(|filter| filter.to_json()),
                parameters: request.parameters,
                id_field: poller.id_field.clone(),
                dates: date_fields(poller),
                page_size: poller.page_size,
                checkpoint: None,
            })
        }
    })
}

fn date_fields(poller: &Poller) -> DateFields {
    DateFields {
        created: poller.dates.created.paths.clone(),
        updated: poller.dates.updated.paths.clone(),
    }
}

#[cfg(test)]
mod tests;
