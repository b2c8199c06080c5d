//! What an instance hands to its element and to the vendor port: configuration without secrets, and grants with them.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::Gateway;
use crate::domain::element::{Element, Property};
use crate::domain::instance::Instance;
use crate::domain::secret::Secret;
use crate::engine::reach::{ByOperator, Told};
use crate::ports::Grants;

/// An instance's element with all that its runs need.
#[derive(Clone)]
pub struct Reach {
    pub element: Arc<Element>,
    /// As the WIT's `run.configuration` describes it.
    pub configuration: Value,
    pub grants: Arc<Grants>,
    /// Digest of the configuration: what was learnt under another one does not hold.
    origin: u64,
}

impl Reach {
    /// A memo as it is stored: marked with the configuration that it was learnt under. Empty stays empty, which clears it.
    pub(crate) fn mark_memo(&self, memo: Vec<u8>) -> Vec<u8> {
        if memo.is_empty() {
            return memo;
        }
        [&self.origin.to_be_bytes()[..], &memo].concat()
    }

    /// The memo, if it was learnt under this very configuration.
    pub(crate) fn read_memo(&self, stored: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let stored = stored?;
        let (mark, memo) = stored.split_at_checked(size_of::<u64>())?;
        (mark == self.origin.to_be_bytes()).then(|| memo.to_vec())
    }
}

/// Why an instance cannot run at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("element {0:?} is not loaded; put its component into the elements directory")]
    NotLoaded(String),
    #[error(
        "the secret {0} can't be opened: {1}; was vault.key in the data directory replaced? PATCH the instance with the secret to store it anew"
    )]
    Sealed(String, String),
}

impl Gateway {
    /// `plain_secrets` holds secrets that are not stored yet: those of an instance that is being created or changed.
    pub(crate) fn reach(&self, instance: &Instance, plain_secrets: &HashMap<String, Secret>) -> Result<Reach, Error> {
        let element = self
            .elements
            .find(&instance.element)
            .ok_or_else(|| Error::NotLoaded(instance.element.clone()))?;
        let manifest = &element.manifest;
        let operator = self.settings.element_configuration.get(&manifest.key);
        let set_by_operator = |property: &Property| {
            operator
                .filter(|_| property.operator)
                .and_then(|operator| operator.get(&property.key))
        };
        let mut secrets: HashMap<String, Secret> = HashMap::new();
        let mut by_operator = ByOperator {
            secret_hosts: self
                .settings
                .secret_hosts
                .get(&manifest.key)
                .cloned()
                .unwrap_or_default(),
            ..ByOperator::default()
        };
        for property in manifest.properties.iter().filter(|property| property.secret) {
            if let Some(secret) = plain_secrets.get(&property.key) {
                secrets.insert(property.key.clone(), secret.clone());
            } else if let Some(sealed) = instance.secrets.get(&property.key) {
                secrets.insert(property.key.clone(), self.unseal(&property.key, sealed)?);
            } else if let Some(text) = set_by_operator(property) {
                secrets.insert(property.key.clone(), text.clone());
                by_operator.keys.insert(property.key.clone());
            }
        }
        let plain = manifest.properties.iter().filter(|property| !property.secret);
        let is_operator_s = |property: &&Property| {
            !instance.configuration.contains_key(&property.key) && set_by_operator(property).is_some()
        };
        let keys = plain.filter(is_operator_s).map(|property| property.key.clone());
        by_operator.keys.extend(keys);
        let value = |property: &Property| {
            let own = instance.configuration.get(&property.key).cloned();
            own.or_else(|| set_by_operator(property).map(|text| Value::from(text.expose())))
        };
        let told = Told::of(manifest, value, secrets, &by_operator);
        let origin = xxh3_64(Value::Object(told.plain.clone()).to_string().as_bytes());
        Ok(Reach {
            configuration: told.configuration(),
            grants: Arc::new(told.grants),
            origin,
            element,
        })
    }

    pub(crate) fn unseal(&self, key: &str, sealed: &str) -> Result<Secret, Error> {
        let refuse = |reason: String| Error::Sealed(key.to_owned(), reason);
        let sealed = STANDARD.decode(sealed).map_err(|error| refuse(error.to_string()))?;
        let plain = self.vault.open(&sealed).map_err(|error| refuse(error.to_string()))?;
        String::from_utf8(plain)
            .map(Secret::new)
            .map_err(|_| refuse("not text".into()))
    }

    pub(crate) fn seal(&self, secret: &Secret) -> String {
        STANDARD.encode(self.vault.seal(secret.expose().as_bytes()))
    }
}
