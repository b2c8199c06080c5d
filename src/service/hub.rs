//! A user's read of a hub resource: the same run that a poll drives, one page of it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::runner::{Failure, Runner, Then};
use super::{Gateway, reach};
use crate::domain::element::Resource;
use crate::domain::id::{Digest, InstanceId};
use crate::domain::instance::Instance;
use crate::domain::poll::{Continuation, Progress};
use crate::domain::record::Record;
use crate::domain::run::{DateFields, GetArgs, ListArgs, Operation};
use crate::engine::where_clause::Where;
use crate::ports::StoreError;

/// Steps of one read that may bring no record before it gives up; a poll has no such bound.
const EMPTY_STEPS_MAX: u32 = 20;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: String },
    #[error("{element} has no resource {resource:?}; it has {known}")]
    UnknownResource {
        element: String,
        resource: String,
        known: String,
    },
    #[error("there is no record {id:?} in {resource}")]
    NotFound { resource: String, id: String },
    #[error("the instance {0} is disabled; PUT /instances/{0}/enabled first")]
    Disabled(InstanceId),
    #[error("the vendor account is over its limit; try again in {0} s")]
    Paused(u32),
    #[error(transparent)]
    Run(#[from] Failure),
    #[error(transparent)]
    Reach(#[from] reach::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a read asks for.
#[derive(Debug)]
pub struct Read {
    pub resource: String,
    pub where_text: Option<String>,
    pub page_size: Option<u32>,
    pub next_page: Option<String>,
    /// Further query parameters, for the element.
    pub parameters: Vec<(String, String)>,
}

/// Bodies as the element made them.
#[derive(Debug)]
pub struct Page {
    pub records: Vec<Bytes>,
    /// Set while more follows.
    pub next_page: Option<String>,
}

/// What a page token holds, sealed: the run where it stands, and whose it is.
#[derive(Serialize, Deserialize)]
struct Token {
    instance: InstanceId,
    continuation: Continuation,
}

impl Gateway {
    /// One page of a resource.
    ///
    /// # Errors
    /// See `Error`.
    pub async fn read_page(&self, instance: &Instance, read: Read) -> Result<Page, Error> {
        let reach = self.open_hub(instance)?;
        let digest = reach.element.digest;
        let (mut step, mut then, mut runner) = if let Some(token) = &read.next_page {
            let mut runner = Runner::resume(reach, self.open_token(instance.id, digest, token)?);
            let responses = runner.answer(self).await?;
            let (step, then) = runner.advance(self, responses).await?;
            (step, then, runner)
        } else {
            let operation = list_operation(&reach.element.manifest, read)?;
            let memo = reach.read_memo(self.store.memo(instance.id).await?);
            let mut runner = Runner::new(reach, operation, memo, self.clock.now());
            let (step, then) = runner.begin(self).await?;
            (step, then, runner)
        };
        let mut empty_steps = 0;
        while step.records.is_empty() && then == Then::GoOn {
            empty_steps += 1;
            if empty_steps > EMPTY_STEPS_MAX {
                break;
            }
            let responses = runner.answer(self).await?;
            (step, then) = runner.advance(self, responses).await?;
        }
        let next_page = (then == Then::GoOn).then(|| self.token(instance.id, &runner));
        Ok(Page {
            records: bodies(step.records),
            next_page,
        })
    }

    /// One record by id.
    ///
    /// # Errors
    /// See `Error`.
    pub async fn read_record(&self, instance: &Instance, resource: &str, id: &str) -> Result<Bytes, Error> {
        let reach = self.open_hub(instance)?;
        let known = known_resource(&reach.element.manifest, resource)?;
        let operation = Operation::Get(GetArgs {
            resource: resource.to_owned(),
            id: id.to_owned(),
            id_field: known.id_field.clone(),
            dates: dates_of(known),
        });
        let memo = reach.read_memo(self.store.memo(instance.id).await?);
        let mut runner = Runner::new(reach, operation, memo, self.clock.now());
        let (mut step, mut then) = runner.begin(self).await?;
        loop {
            if let Some(record) = step.records.into_iter().find(|record| !record.deleted) {
                return Ok(record.body);
            }
            if then == Then::Done {
                return Err(Error::NotFound {
                    resource: resource.to_owned(),
                    id: id.to_owned(),
                });
            }
            let responses = runner.answer(self).await?;
            (step, then) = runner.advance(self, responses).await?;
        }
    }

    fn open_hub(&self, instance: &Instance) -> Result<reach::Reach, Error> {
        if !instance.enabled {
            return Err(Error::Disabled(instance.id));
        }
        let reach = self.reach(instance, &HashMap::new())?;
        if let Some(until) = self.vendor.paused_until(&reach.grants.account) {
            let seconds = until.since(self.clock.now()).as_secs() + 1;
            return Err(Error::Paused(u32::try_from(seconds).unwrap_or(u32::MAX)));
        }
        Ok(reach)
    }

    fn token(&self, instance: InstanceId, runner: &Runner) -> String {
        let (state, requests) = runner.position();
        let continuation = Continuation {
            digest: runner.digest(),
            run: runner.run().clone(),
            state: state.to_vec(),
            requests: requests.to_vec(),
            progress: Progress::new(runner.run().now),
        };
        let token = serde_json::to_vec(&Token { instance, continuation }).expect("a token is always JSON");
        URL_SAFE_NO_PAD.encode(self.vault.seal(&token))
    }

    fn open_token(&self, instance: InstanceId, digest: Digest, text: &str) -> Result<Continuation, Error> {
        let invalid = |message: &str| Error::Invalid {
            field: "nextPage",
            message: message.into(),
        };
        let sealed = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| invalid("is no token of this gateway"))?;
        let plain = self
            .vault
            .open(&sealed)
            .map_err(|_| invalid("is no token of this gateway"))?;
        let token: Token =
            serde_json::from_slice(&plain).map_err(|_| invalid("was made by another version; begin anew"))?;
        if token.instance != instance {
            return Err(invalid("belongs to another instance"));
        }
        if token.continuation.digest != digest {
            return Err(invalid("was made by another version of the element; begin anew"));
        }
        Ok(token.continuation)
    }
}

fn list_operation(manifest: &crate::domain::element::Manifest, read: Read) -> Result<Operation, Error> {
    let known = known_resource(manifest, &read.resource)?;
    let filter = match read
        .where_text
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        None => None,
        Some(text) => {
            let invalid = |message: String| Error::Invalid {
                field: "where",
                message,
            };
            Some(
                Where::parse(text)
                    .map_err(|error| invalid(error.to_string()))?
                    .to_json(),
            )
        }
    };
    Ok(Operation::List(ListArgs {
        id_field: known.id_field.clone(),
        dates: dates_of(known),
        resource: read.resource,
        window: None,
        filter,
        parameters: read.parameters,
        page_size: read
            .page_size
            .unwrap_or(manifest.page_size.default)
            .clamp(1, manifest.page_size.max),
        checkpoint: None,
    }))
}

fn known_resource<'a>(manifest: &'a crate::domain::element::Manifest, name: &str) -> Result<&'a Resource, Error> {
    manifest.resource(name).ok_or_else(|| Error::UnknownResource {
        element: manifest.key.clone(),
        resource: name.to_owned(),
        known: manifest
            .resources
            .iter()
            .map(|resource| resource.name.as_str())
            .collect::<Vec<_>>()
            .join(", "),
    })
}

fn dates_of(resource: &Resource) -> DateFields {
    DateFields {
        created: resource.created_date_field.iter().cloned().collect(),
        updated: resource.updated_date_field.iter().cloned().collect(),
    }
}

fn bodies(records: Vec<Record>) -> Vec<Bytes> {
    records
        .into_iter()
        .filter(|record| !record.deleted)
        .map(|record| record.body)
        .collect()
}
