//! Instances: create, look up, change, switch on and off, remove; and what their polls and events are doing.

mod check;
mod keys;
mod rows;
mod tokens;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};
use tracing::info;

pub use keys::Signature;

use super::runner::Failure;
use rows::{new_row, next_row, polling_of, reads_the_same};

use super::{Gateway, reach};
use crate::domain::element::Element;
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::instance::Instance;
use crate::domain::poll::ResourceState;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::configuration::{self, Accepted, Body, Context, FieldError, accept};
use crate::engine::credentials::{self, counts};
use crate::ports::StoreError;

/// How often a change is tried against polls that commit at the same time.
const CHANGE_TRIES: u32 = 8;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Invalid(#[from] FieldError),
    #[error("there is no element {0:?}; GET /elements lists what is loaded")]
    UnknownElement(String),
    #[error("there is no instance {0}")]
    NotFound(InstanceId),
    #[error("the vendor did not accept the configuration: {0}")]
    Check(#[source] Failure),
    #[error(transparent)]
    Reach(#[from] reach::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Are credentials tried at the vendor before anything is stored?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validate {
    Yes,
    No,
}

/// How a body's configuration goes together with the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `PATCH`: keys are merged, what is absent stays.
    Merge,
    /// `PUT`: the configuration is replaced; secrets that are not repeated stay.
    Replace,
}

/// An instance with the token that is shown this once.
#[derive(Debug)]
pub struct Created {
    pub instance: Instance,
    pub token: Secret,
    /// The signature key, where the gateway made it: shown this once.
    pub made_key: Option<Secret>,
}

/// An instance as it is now.
#[derive(Debug)]
pub struct Changed {
    pub instance: Instance,
    /// As in `Created`.
    pub made_key: Option<Secret>,
}

/// A resource's state for people.
#[derive(Debug)]
pub struct Polling {
    pub resource: String,
    pub state: ResourceState,
    pub running: bool,
}

impl Gateway {
    /// # Errors
    /// Nothing is stored on any error.
    pub async fn create_instance(&self, body: Body, validate: Validate) -> Result<Created, Error> {
        let key = body.element.clone().unwrap_or_default();
        let element = self.element(&key)?;
        let mut accepted = self.accept(&element, &body.configuration.unwrap_or_default(), &HashSet::new())?;
        let made_key = self.make_key(&mut accepted);
        let token = self.new_token();
        let now = self.clock.now();
        let mut warnings = body.warnings;
        warnings.extend(accepted.warnings);
        let instance = Instance {
            id: InstanceId(0),
            revision: 0,
            name: body.name.unwrap_or_default(),
            element: element.manifest.key.clone(),
            tags: body.tags.unwrap_or_default(),
            created: now,
            updated: now,
            token_hash: credentials::hash(token.expose()),
            old_tokens: Vec::new(),
            enabled: true,
            configuration: accepted.configuration,
            secrets: accepted
                .secrets
                .iter()
                .map(|(key, secret)| (key.clone(), self.seal(secret)))
                .collect(),
            previous_keys: Vec::new(),
            events: accepted.events,
            warnings,
        };
        self.extra_headers(&instance)??;
        if validate == Validate::Yes {
            self.check(&instance, &accepted.secrets).await?;
        }
        let resources = rows::rows(&instance, now);
        let instance = self.store.create_instance(instance, resources).await?;
        info!(instance = %instance.id, element = instance.element, "instance created");
        self.polls.notify_one();
        Ok(Created {
            instance,
            token,
            made_key,
        })
    }

    /// # Errors
    /// Nothing is changed on any error.
    pub async fn change_instance(
        &self,
        id: InstanceId,
        body: Body,
        change: Change,
        validate: Validate,
    ) -> Result<Changed, Error> {
        let mut validate = validate;
        for _ in 1..CHANGE_TRIES {
            match self.try_change(id, body.clone(), change, validate).await {
                // A poll committed meanwhile, or another change did; the vendor has been asked already.
                Err(Error::Store(StoreError::Conflict(_))) => validate = Validate::No,
                result => return result,
            }
        }
        self.try_change(id, body, change, validate).await
    }

    async fn try_change(
        &self,
        id: InstanceId,
        body: Body,
        change: Change,
        validate: Validate,
    ) -> Result<Changed, Error> {
        let mut instance = self.instance(id).await?;
        let element = self.element(&instance.element)?;
        if let Some(key) = &body.element
            && self.element(key)?.manifest.key != instance.element
        {
            let message = format!("an instance keeps its element {}, found {key:?}", instance.element);
            return Err(FieldError::new("element", message).into());
        }
        let now = self.clock.now();
        let before = instance.clone();
        let mut made_key = None;
        instance.warnings = body.warnings;
        if let Some(name) = body.name.filter(|name| !name.is_empty()) {
            instance.name = name;
        }
        if let Some(tags) = body.tags {
            instance.tags = tags;
        }
        if let Some(given) = body.configuration {
            let mut merged: Map<String, Value> = match change {
                Change::Merge => instance.configuration.clone().into_iter().collect(),
                Change::Replace => Map::new(),
            };
            merged.extend(given);
            let kept = instance.secrets.keys().cloned().collect();
            let mut accepted = self.accept(&element, &merged, &kept)?;
            made_key = self.make_key(&mut accepted);
            instance.configuration = accepted.configuration;
            instance.secrets.retain(|key, _| !accepted.cleared.contains(key));
            instance.secrets.extend(
                accepted
                    .secrets
                    .iter()
                    .map(|(key, secret)| (key.clone(), self.seal(secret))),
            );
            instance.previous_keys = self.previous_keys(&instance, &before, now, accepted.signature_grace)?;
            self.extra_headers(&instance)??;
            instance.events = accepted.events;
            instance.warnings.extend(accepted.warnings);
            if validate == Validate::Yes {
                self.check(&instance, &accepted.secrets).await?;
            }
        }
        let instance = self.write_change(instance, &before, now).await?;
        self.renew_endpoint(&instance, &before).await;
        Ok(Changed { instance, made_key })
    }

    /// Switches polls, deliveries and hub reads of an instance on or off. Watermarks and fingerprints stay as they are.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn enable_instance(&self, id: InstanceId, enabled: bool) -> Result<Instance, Error> {
        info!(instance = %id, enabled, "instance is switched");
        for _ in 1..CHANGE_TRIES {
            match self.try_enable(id, enabled).await {
                Err(Error::Store(StoreError::Conflict(_))) => {}
                result => return result,
            }
        }
        self.try_enable(id, enabled).await
    }

    async fn try_enable(&self, id: InstanceId, enabled: bool) -> Result<Instance, Error> {
        let mut instance = self.instance(id).await?;
        let now = self.clock.now();
        let before = instance.clone();
        instance.enabled = enabled;
        self.write_change(instance, &before, now).await
    }

    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn remove_instance(&self, id: InstanceId) -> Result<(), Error> {
        if self.store.delete_instance(id).await? {
            self.running.cancel(id);
            self.forget_cases(id).await?;
            self.announce_change();
            info!(instance = %id, "instance removed");
            return Ok(());
        }
        Err(Error::NotFound(id))
    }

    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn instance(&self, id: InstanceId) -> Result<Instance, Error> {
        self.store.instance(id).await?.ok_or(Error::NotFound(id))
    }

    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn polls(&self, id: InstanceId) -> Result<Vec<Polling>, Error> {
        self.instance(id).await?;
        let resources = self.store.resources(id).await?;
        let polling = |(resource, state): (String, ResourceState)| {
            let running = self.running.contains(&ResourceKey {
                instance: id,
                resource: resource.clone(),
            });
            Polling {
                resource,
                state,
                running,
            }
        };
        Ok(resources.into_iter().map(polling).collect())
    }

    /// Polls all resources of an instance as soon as there is a place; those being polled are left alone.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` when the instance is not polled at all, or the store's.
    pub async fn poll_now(&self, id: InstanceId) -> Result<(), Error> {
        let instance = self.instance(id).await?;
        if !instance.enabled {
            return Err(FieldError::new("enabled", format!("is false; PUT /instances/{id}/enabled first")).into());
        }
        if !instance.events.enabled {
            return Err(FieldError::new(configuration::ENABLED, "is not true; PATCH it first").into());
        }
        for poller in instance.events.pollers {
            self.running.want(ResourceKey {
                instance: id,
                resource: poller.resource,
            });
        }
        self.polls.notify_one();
        Ok(())
    }

    fn element(&self, key: &str) -> Result<std::sync::Arc<Element>, Error> {
        let by_id = || {
            self.elements
                .list()
                .into_iter()
                .find(|element| element.manifest.id.to_string() == key)
        };
        self.elements
            .find(key)
            .or_else(by_id)
            .ok_or_else(|| Error::UnknownElement(key.to_owned()))
    }

    fn accept(&self, element: &Element, given: &Map<String, Value>, kept: &HashSet<String>) -> Result<Accepted, Error> {
        let operator = self.settings.element_configuration.get(&element.manifest.key);
        let operator_keys = operator.map(|keys| keys.keys().cloned().collect()).unwrap_or_default();
        let context = Context {
            manifest: &element.manifest,
            min_refresh_interval: self.settings.min_refresh_interval,
            operator_keys: &operator_keys,
            kept_secrets: kept,
        };
        let accepted = accept(given, &context)?;
        if self.settings.require_https {
            configuration::require_https(&accepted, &element.manifest)?;
        }
        if let Some(url) = &accepted.events.callback_url {
            self.callback
                .admissible(url)
                .map_err(|error| FieldError::new(configuration::CALLBACK_URL, error))?;
        }
        Ok(accepted)
    }

    /// Writes an instance with the rows that its pollers need now, and ends the polls that began under other settings.
    /// What polling does not depend on leaves the rows alone.
    async fn write_change(&self, mut instance: Instance, before: &Instance, now: Timestamp) -> Result<Instance, Error> {
        instance.revision = before.revision + 1;
        instance.updated = now;
        instance.old_tokens.retain(|token| counts(token, now));
        let mut rows = Vec::new();
        let mut removed = Vec::new();
        if polling_of(&instance) != polling_of(before) {
            let old: BTreeMap<_, _> = self.store.resources(instance.id).await?.into_iter().collect();
            let is = configuration::by_resource(&instance.events.pollers);
            let was = configuration::by_resource(&before.events.pollers);
            let same_account = self.account_of(&instance) == self.account_of(before);
            for (name, poller) in &is {
                let reads_the_same = same_account && was.get(name).is_some_and(|was| reads_the_same(was, poller));
                let state = match old.get(*name) {
                    Some(state) if reads_the_same => {
                        next_row(state, &instance, before, was.get(name) != Some(poller), now)
                    }
                    other => {
                        if other.is_some() {
                            removed.push((*name).to_owned());
                        }
                        let (revision, next_sequence) =
                            other.map_or((0, 1), |state| (state.revision + 1, state.next_sequence));
                        ResourceState {
                            revision,
                            next_sequence,
                            ..new_row(&instance, name, now)
                        }
                    }
                };
                rows.push(((*name).to_owned(), state));
            }
            removed.extend(old.into_keys().filter(|name| !is.contains_key(name.as_str())));
        }
        let touches_polls = !rows.is_empty() || !removed.is_empty();
        self.store.update_instance(instance.clone(), rows, removed).await?;
        if touches_polls {
            self.running.cancel(instance.id);
        }
        self.announce_change();
        Ok(instance)
    }

    /// The vendor account that an instance reads; None when its element is not loaded.
    fn account_of(&self, instance: &Instance) -> Option<String> {
        self.reach(instance, &HashMap::new())
            .ok()
            .map(|reach| reach.grants.account.clone())
    }
}
