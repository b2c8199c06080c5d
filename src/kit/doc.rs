//! `tidegate element doc`: a reference page out of a manifest, in Markdown.
//! Must not say what the manifest does not: a reader trusts it.

use serde_json::{Map, Value, json};

use super::args::Doc;
use super::{Kit, Verdict};
use crate::domain::element::{Limits, Manifest, Property, PropertyKind, Resource};

impl Kit {
    pub(super) fn doc(&mut self, arguments: &Doc) -> anyhow::Result<Verdict> {
        let subject = self.subject(&arguments.element)?;
        let element = subject.examined.element().clone();
        write!(self.out, "{}", page(&element.manifest))?;
        Ok(Verdict::Good)
    }
}

/// The whole page.
fn page(manifest: &Manifest) -> String {
    let mut parts = vec![format!("# {}", manifest.name)];
    if !manifest.description.is_empty() {
        parts.push(manifest.description.clone());
    }
    parts.push(format!(
        "Element `{}`, version {}, read at `/hubs/{}/…`. Written from its manifest by `tidegate element doc`.",
        manifest.key, manifest.version, manifest.hub
    ));
    parts.push(format!("## Configuration\n\n{}", configuration(manifest)));
    parts.push(format!("## Resources\n\n{}", resources(manifest)));
    parts.push(format!("## Limits\n\n{}", limits(manifest)));
    parts.push(format!(
        "## Create an instance\n\n`POST /instances` with\n\n```json\n{}\n```\n\n{}",
        pretty(&instance(manifest)),
        "Replace what is in angle brackets. `event.notification.callback.url` is where events are posted to."
    ));
    parts.join("\n\n") + "\n"
}

fn configuration(manifest: &Manifest) -> String {
    if manifest.properties.is_empty() {
        return "None of its own; the keys `event.*` are the gateway's.".into();
    }
    let mut rows = vec![
        row(["key", "type", "", "default", "meaning"]),
        "|---|---|---|---|---|".into(),
    ];
    for property in &manifest.properties {
        let default = property
            .default
            .as_ref()
            .map_or_else(String::new, |value| format!("`{value}`"));
        rows.push(row([
            &format!("`{}`", property.key),
            kind(property.kind),
            &traits(property),
            &default,
            &property.description,
        ]));
    }
    let mut text = rows.join("\n");
    if manifest.properties.iter().any(|property| property.secret) {
        text.push_str("\n\nSecrets are kept encrypted and never shown; the element itself never sees one.");
    }
    if let Some(oauth2) = &manifest.oauth2 {
        text.push_str(&format!(
            "\n\nThe gateway gets access tokens from `{}` with `{}`, `{}` and `{}`, and refreshes them (OAuth2, RFC 6749, section 6).",
            oauth2.token_url, oauth2.client_id, oauth2.client_secret, oauth2.refresh_token
        ));
    }
    text
}

fn traits(property: &Property) -> String {
    let all = [
        (property.required && property.default.is_none(), "required"),
        (property.secret, "secret"),
        (property.operator, "may be set by the operator"),
    ];
    let named: Vec<&str> = all.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
    named.join(", ")
}

fn kind(kind: PropertyKind) -> &'static str {
    match kind {
        PropertyKind::String => "text",
        PropertyKind::Url => "URL",
        PropertyKind::Password => "password",
        PropertyKind::Boolean => "true or false",
        PropertyKind::Integer => "whole number",
    }
}

fn resources(manifest: &Manifest) -> String {
    let mut rows = vec![
        row(["resource", "id", "created", "updated", "meaning"]),
        "|---|---|---|---|---|".into(),
    ];
    for resource in &manifest.resources {
        rows.push(row([
            &resource_name(resource),
            &format!("`{}`", resource.id_field),
            &field(resource.created_date_field.as_deref()),
            &field(resource.updated_date_field.as_deref()),
            &resource.description,
        ]));
    }
    let polled: Vec<String> = default_polls(manifest)
        .map(|resource| format!("`{}`", resource.name))
        .collect();
    let polled = match polled.as_slice() {
        [] => "An instance polls what its `event.poller.configuration` names.".to_owned(),
        names => format!(
            "Where an instance configures no pollers, {} are polled.",
            names.join(", ")
        ),
    };
    format!("{}\n\n{polled}", rows.join("\n"))
}

fn resource_name(resource: &Resource) -> String {
    if resource.generic {
        "any other name".into()
    } else {
        format!("`{}`", resource.name)
    }
}

fn field(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("`{name}`"))
}

fn default_polls(manifest: &Manifest) -> impl Iterator<Item = &Resource> {
    manifest
        .resources
        .iter()
        .filter(|resource| resource.default_poll && !resource.generic)
}

fn limits(manifest: &Manifest) -> String {
    let Limits {
        requests,
        per_seconds,
        share,
        concurrency_per_lane,
        lanes,
    } = &manifest.limits;
    let mut lines = vec![
        format!(
            "- {requests} requests in {per_seconds} s per account, of which the gateway uses at most {} %",
            (share * 100.0).round()
        ),
        format!("- {concurrency_per_lane} requests at the same time per lane"),
    ];
    lines.extend(lanes.iter().map(|(name, lane)| {
        let places = lane
            .concurrency
            .map_or_else(String::new, |places| format!(", {places} at the same time"));
        format!(
            "- {} requests in {} s in the lane `{name}`{places}",
            lane.requests, lane.per_seconds
        )
    }));
    lines.extend([
        format!(
            "- {} records per page, at most {}",
            manifest.page_size.default, manifest.page_size.max
        ),
        format!(
            "- a poll reads {} s before the last one's end again",
            manifest.overlap_seconds
        ),
    ]);
    let mut hosts: Vec<String> = manifest.hosts.iter().map(|host| format!("`https://{host}`")).collect();
    hosts.extend(manifest.hosts_from.iter().map(|key| format!("the origin of `{key}`")));
    if !hosts.is_empty() {
        lines.push(format!("- requests go to {} and nowhere else", hosts.join(", ")));
    }
    if !manifest.account.is_empty() {
        let keys: Vec<String> = manifest.account.iter().map(|key| format!("`{key}`")).collect();
        lines.push(format!(
            "- instances with the same {} share an account's limits",
            keys.join(" and ")
        ));
    }
    if manifest.interpreted {
        lines.push("- interpreted: a call may take 2 s and 256 MiB".into());
    }
    lines.join("\n")
}

/// The body that creates an instance: what is required, and where events go.
fn instance(manifest: &Manifest) -> Value {
    let mut configuration = Map::new();
    for property in &manifest.properties {
        if property.required && property.default.is_none() {
            configuration.insert(property.key.clone(), placeholder(property));
        }
    }
    configuration.insert("event.notification.enabled".into(), true.into());
    configuration.insert(
        "event.notification.callback.url".into(),
        "https://example.com/callback".into(),
    );
    if default_polls(manifest).next().is_none()
        && let Some(resource) = manifest.resources.iter().find(|resource| !resource.generic)
    {
        configuration.insert("event.poller.configuration".into(), poller(manifest, resource));
    }
    json!({
        "element": {"key": manifest.key},
        "name": format!("My {}", manifest.name),
        "configuration": configuration,
    })
}

/// `<CLIENT_ID>` is refused by the gateway until somebody fills it in.
fn placeholder(property: &Property) -> Value {
    match property.kind {
        PropertyKind::Boolean => true.into(),
        PropertyKind::Integer => 1.into(),
        PropertyKind::Url => "https://example.com".into(),
        PropertyKind::String | PropertyKind::Password => {
            let last = property.key.rsplit('.').next().unwrap_or(&property.key);
            format!("<{}>", last.to_uppercase().replace('-', "_")).into()
        }
    }
}

fn poller(manifest: &Manifest, resource: &Resource) -> Value {
    let path = format!("/hubs/{}/{}", manifest.hub, resource.name);
    let url = match &resource.updated_date_field {
        Some(field) => format!("{path}?where={field}>='${{gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}}'"),
        None => path,
    };
    json!({&resource.name: {"url": url}})
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value of JSON has a JSON form")
}

/// A cell's own `|` would begin another one.
fn row(cells: [&str; 5]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
        .collect();
    format!("| {} |", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::secret::Secret;

    fn manifest() -> Manifest {
        let document = json!({
            "key": "notes", "name": "Notes", "hub": "general", "version": "1.2.3", "projection": 1,
            "properties": [
                {"key": "notes.token", "type": "password", "required": true, "secret": true, "description": "A | B"},
                {"key": "notes.url", "type": "url", "required": true},
                {"key": "notes.archived", "type": "boolean", "default": false},
            ],
            "resources": [
                {"name": "items", "updatedDateField": "updated_at", "description": "Notes."},
                {"name": "*", "generic": true},
            ],
            "hosts": ["api.example.com"], "hostsFrom": ["notes.url"],
            "limits": {"lanes": {"search": {"requests": 5, "perSeconds": 1, "concurrency": 2}}},
        });
        Manifest::parse(document.to_string().as_bytes()).unwrap().0
    }

    #[test]
    fn every_property_and_resource_has_its_row() {
        let page = page(&manifest());
        for line in [
            "| `notes.token` | password | required, secret |  | A \\| B |",
            "| `notes.archived` | true or false |  | `false` |  |",
            "| `items` | `id` |  | `updated_at` | Notes. |",
            "| any other name | `id` |  |  |  |",
            "- 5 requests in 1 s in the lane `search`, 2 at the same time",
            "- requests go to `https://api.example.com`, the origin of `notes.url` and nowhere else",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n\n{page}");
        }
    }

    #[test]
    fn the_example_is_an_instance_once_it_is_filled_in() {
        let manifest = manifest();
        let body = instance(&manifest).to_string().replace("<TOKEN>", "t0k3n");
        let body: Value = serde_json::from_str(&body).unwrap();
        let parsed = crate::engine::configuration::parse_body(&body).unwrap();
        let context = crate::engine::configuration::Context {
            manifest: &manifest,
            kept_secrets: &Default::default(),
            operator_keys: &Default::default(),
            min_refresh_interval: std::time::Duration::from_secs(1),
        };
        let accepted = crate::engine::configuration::accept(&parsed.configuration.unwrap(), &context).unwrap();
        assert_eq!(accepted.warnings, [], "nothing in it is tolerated only");
        let secrets = HashMap::from([("notes.token".to_owned(), Secret::new("t0k3n"))]);
        assert_eq!(accepted.secrets, secrets);
        assert_eq!(accepted.events.pollers.len(), 1);
    }
}
