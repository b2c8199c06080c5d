//! How another component reads what the active one read last: the proof before it takes over.
//!
//! Each poll may leave the first pages of its run, with the vendor's answers, as a case on the disk. Both components are
//! given the case; what they make of it is compared.
//! Must not ask a vendor anything, nor hold up the poll that is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_contract::case::Exchange;
use xxhash_rust::xxh3::xxh3_64;

use super::failures::{made_by, slug};
use crate::domain::element::Element;
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::record::Record;
use crate::domain::run::{Request, Response, Run};
use crate::engine::trust::Reread;
use crate::ports::{Case, Replayed, StoreError};
use crate::service::Gateway;

/// Steps of a run that are recorded, from its begin.
const RECORDED_STEPS_MAX: usize = 3;
/// Bytes of answers that are recorded of a run.
const RECORDED_BYTES_MAX: usize = 1024 * 1024;
/// A recording is replaced by a younger one after so long.
const RECORDED_FOR_MS: i64 = 24 * 60 * 60 * 1_000;
/// A recording of twice the size is kept so long.
const LARGER_FOR_MS: i64 = 7 * RECORDED_FOR_MS;
/// Instances whose recordings a new component is tried on; the rest is left out, and that is said.
const INSTANCES_MAX: usize = 50;
/// Ids that are named where records differ.
const EXAMPLES_MAX: usize = 5;

/// A new component beside the active one, over all that was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shadow {
    pub compared: Vec<Compared>,
    /// Instances that use the element and were not tried.
    pub instances_left_out: usize,
}

/// One recording read by both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub instance: InstanceId,
    pub resource: String,
    /// As the active component reads it.
    pub records: usize,
    pub added: usize,
    pub gone: usize,
    pub changed: usize,
    /// Ids of some that are added, gone or changed.
    pub examples: Vec<String>,
    /// How the new one failed where the active one did not.
    pub failed: Option<String>,
    /// The new one asks the vendor for something else, which nothing was recorded of: only the pages before are compared.
    pub asks_otherwise: Option<String>,
}

impl Shadow {
    /// Why the new component should not take over.
    pub(super) fn speaks_against(&self, former: Option<&Element>, new: &Element) -> Option<String> {
        let former = former?;
        if let Some(failed) = self.compared.iter().find(|compared| compared.failed.is_some()) {
            return Some(format!(
                "it fails on what instance {} read last of {}, which the active version reads: {}",
                failed.instance,
                failed.resource,
                failed.failed.as_deref().unwrap_or_default()
            ));
        }
        let sum = |count: fn(&Compared) -> usize| self.compared.iter().map(count).sum::<usize>() as u64;
        let lost = Reread {
            records: sum(|compared| compared.records),
            differ: sum(|compared| compared.gone),
        };
        if lost.is_storm() {
            return Some(format!(
                "it does not give {} of {} recorded records that the active version reads",
                lost.differ, lost.records
            ));
        }
        if former.manifest.projection != new.manifest.projection {
            return None;
        }
        let reread = Reread {
            records: sum(|compared| compared.records),
            differ: sum(|compared| compared.changed),
        };
        let example = self.compared.iter().find(|compared| compared.changed > 0);
        reread.is_storm().then(|| {
            format!(
                "it would update {} of {} recorded records that the vendor did not touch (such as {} of {}); raise \
                 `projection` in its manifest, so that they are taken anew in silence",
                reread.differ,
                reread.records,
                example
                    .and_then(|example| example.examples.first())
                    .map_or("?", String::as_str),
                example.map_or("?", |example| example.resource.as_str()),
            )
        })
    }
}

impl Gateway {
    pub(super) async fn shadow(&self, active: &Element, new: &Element) -> Result<Shadow, StoreError> {
        let instances = self.store.instances().await?;
        let users: Vec<InstanceId> = instances
            .iter()
            .filter(|instance| instance.element == active.manifest.key)
            .map(|instance| instance.id)
            .collect();
        let mut shadow = Shadow {
            compared: Vec::new(),
            instances_left_out: users.len().saturating_sub(INSTANCES_MAX),
        };
        for instance in users.into_iter().take(INSTANCES_MAX) {
            for (name, _) in self.files.list(folder(instance)).await? {
                let sealed = self.files.get(format!("{}/{name}", folder(instance))).await?;
                if let Some(case) = sealed.and_then(|sealed| self.open_case(&sealed))
                    && let Some(compared) = self.compare(instance, case, active, new).await
                {
                    shadow.compared.push(compared);
                }
            }
        }
        Ok(shadow)
    }

    async fn compare(&self, instance: InstanceId, case: Case, active: &Element, new: &Element) -> Option<Compared> {
        let case = Arc::new(case);
        let resource = case.name.clone();
        let old = self.elements.replay(active.digest, case.clone()).await?;
        let new = self.elements.replay(new.digest, case).await?;
        // What the active one can't read either says nothing about the new one.
        if failed(&old).is_some() || !old.mismatches.is_empty() {
            return None;
        }
        let mut compared = difference(&old.found.records, &new.found.records);
        compared.asks_otherwise = new.mismatches.first().map(ToString::to_string);
        if compared.asks_otherwise.is_some() {
            compared.gone = 0;
        }
        compared.failed = failed(&new);
        Some(Compared {
            instance,
            resource,
            ..compared
        })
    }

    /// Begins to record a run, if the last recording of its resource is old enough.
    pub(crate) async fn recorder(&self, key: &ResourceKey, element: &Element, run: &Run) -> Option<Recorder> {
        let now = self.clock.now();
        let files = self.files.list(folder(key.instance)).await.ok()?;
        let name = file_name(&key.resource);
        let before = files.iter().find(|(file, _)| *file == name);
        let age_ms = before.map(|(_, at)| now.as_ms() - at.as_ms());
        let fresh = age_ms.is_some_and(|age| age < RECORDED_FOR_MS);
        (!fresh).then(|| Recorder {
            key: key.clone(),
            age_ms,
            file: format!("{}/{name}", folder(key.instance)),
            case: Case {
                made_by: Some(made_by(element)),
                source: Some(format!("recorded by a gateway at {now}")),
                ..Case::new(key.resource.clone(), run.clone())
            },
            bytes: 0,
            records: 0,
        })
    }

    /// Writes a recording in the background of the poll, which does not depend on it.
    pub(crate) async fn keep_recording(&self, recorder: Recorder) {
        if recorder.records == 0 {
            return;
        }
        let Recorder {
            key,
            file,
            case,
            age_ms,
            ..
        } = recorder;
        let sealed = self.seal_case(&case);
        let kept = async {
            // A poll of one record is no better proof than a page of hundreds, unless that is old.
            let before = self.files.get(file.clone()).await?.map_or(0, |before| before.len());
            if sealed.len() * 2 < before && age_ms.is_some_and(|age| age < LARGER_FOR_MS) {
                return Ok(());
            }
            self.files.put(file, sealed).await?;
            self.forget_cases_of_none(key.instance).await
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, "the recording of a poll could not be kept");
        }
    }
}

/// The first pages of a run, as they go by.
pub(crate) struct Recorder {
    key: ResourceKey,
    /// Of the recording that is there.
    age_ms: Option<i64>,
    file: String,
    case: Case,
    bytes: usize,
    records: usize,
}

impl Recorder {
    /// One step's requests and answers, and how many records came of them. True when no more is wanted.
    pub(crate) fn add(&mut self, requests: &[Request], responses: &[Response], records: usize) -> bool {
        let exchanges = requests.iter().zip(responses).map(|(request, response)| Exchange {
            request: request.clone(),
            response: response.clone(),
        });
        self.bytes += responses.iter().map(|response| response.body.len()).sum::<usize>();
        if self.bytes > RECORDED_BYTES_MAX {
            self.case.cut = true;
            return true;
        }
        self.case.exchanges.push(exchanges.collect());
        self.records += records;
        self.case.cut = self.case.exchanges.len() >= RECORDED_STEPS_MAX;
        self.case.cut
    }
}

pub(crate) fn folder(instance: InstanceId) -> String {
    format!("recordings/{instance}")
}

/// Two resources whose slugs are the same have files of their own.
fn file_name(resource: &str) -> String {
    format!("{}-{:016x}", slug(resource), xxh3_64(resource.as_bytes()))
}

fn failed(replayed: &Replayed) -> Option<String> {
    let broke = replayed.failure.as_ref().map(ToString::to_string);
    broke.or_else(|| {
        let fault = replayed.found.fault.as_ref()?;
        Some(format!("{} ({})", fault.message, fault.code))
    })
}

fn difference(old: &[Record], new: &[Record]) -> Compared {
    let mut before: BTreeMap<&str, &Record> = old.iter().map(|record| (record.id.as_str(), record)).collect();
    let mut compared = Compared {
        records: before.len(),
        ..Compared::default()
    };
    let mut examples = Vec::new();
    let after: BTreeMap<&str, &Record> = new.iter().map(|record| (record.id.as_str(), record)).collect();
    for (id, record) in after {
        match before.remove(id) {
            None => compared.added += 1,
            Some(known) if known != record => compared.changed += 1,
            Some(_) => continue,
        }
        examples.push(id.to_owned());
    }
    compared.gone = before.len();
    examples.extend(before.into_keys().map(str::to_owned));
    examples.truncate(EXAMPLES_MAX);
    compared.examples = examples;
    compared
}
