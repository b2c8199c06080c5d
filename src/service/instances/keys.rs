//! The signature keys of an instance: made where asked for, rotated, and shown as far as they may be.
//! Signs nothing.

use std::time::Duration;

use super::Error;
use crate::domain::instance::{Instance, PreviousKey};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::configuration::{Accepted, SIGNATURE_KEY};
use crate::engine::sign::{KeyKind, Retired, SigningKey, rotate};
use crate::service::Gateway;

/// What may be known of an instance's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub kind: KeyKind,
    /// What a receiver verifies with, where that is no secret.
    pub public_key: Option<String>,
    /// When the last of the keys before this one ceases to sign.
    pub previous_until: Option<Timestamp>,
}

impl Gateway {
    /// How notifications of an instance are signed now; None where they are not.
    #[must_use]
    pub fn signature(&self, instance: &Instance) -> Option<Signature> {
        let key = self.secret(instance, SIGNATURE_KEY).ok()??;
        let key = SigningKey::stored(key.expose());
        let now = self.clock.now();
        let until = instance.previous_keys.iter().map(|key| key.until);
        Some(Signature {
            kind: key.kind(),
            public_key: key.public_key(),
            previous_until: until.filter(|until| *until > now).max(),
        })
    }

    /// Makes the key that was asked for. It is among the secrets then, and the answer shows it this once.
    pub(super) fn make_key(&self, accepted: &mut Accepted) -> Option<Secret> {
        let kind = accepted.key_to_make?;
        let mut random = [0; 32];
        self.entropy.fill(&mut random);
        let key = kind.make(random);
        accepted.secrets.insert(SIGNATURE_KEY.to_owned(), key.clone());
        Some(key)
    }

    /// The keys that sign beside the instance's own, now that it is not `before` any more.
    pub(super) fn previous_keys(
        &self,
        instance: &Instance,
        before: &Instance,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Vec<PreviousKey>, Error> {
        let new = self.secret(instance, SIGNATURE_KEY)?;
        // One that can't be opened any more can't sign either, and must not be in the way of a new one.
        let old = self.secret(before, SIGNATURE_KEY).ok().flatten();
        let open = |previous: &PreviousKey| {
            let key = self.unseal(SIGNATURE_KEY, &previous.sealed).ok()?;
            let until = previous.until;
            Some(Retired { key, until })
        };
        let retired = before.previous_keys.iter().filter_map(open).collect();
        let seal = |Retired { key, until }| PreviousKey {
            sealed: self.seal(&key),
            until,
        };
        let rotated = rotate(retired, old, new.as_ref(), now, grace);
        Ok(rotated.into_iter().map(seal).collect())
    }
}
