//! An instance's tokens: made, recognised, rotated. Keeps their hashes alone.

use std::time::Duration;

use tracing::info;

use super::{CHANGE_TRIES, Error};
use crate::domain::credential::Credential;
use crate::domain::id::InstanceId;
use crate::domain::instance::Instance;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::credentials::{self, SECRET_BYTES};
use crate::ports::StoreError;
use crate::service::Gateway;

impl Gateway {
    /// A new token, which is shown this once. The one before stays valid for `grace`; the answer says until when.
    ///
    /// # Errors
    /// `NotFound`, or the store's; then nothing is changed.
    pub async fn rotate_token(&self, id: InstanceId, grace: Duration) -> Result<(Secret, Timestamp), Error> {
        for _ in 1..CHANGE_TRIES {
            match self.try_rotate(id, grace).await {
                Err(Error::Store(StoreError::Conflict(_))) => {}
                result => return result,
            }
        }
        self.try_rotate(id, grace).await
    }

    async fn try_rotate(&self, id: InstanceId, grace: Duration) -> Result<(Secret, Timestamp), Error> {
        let before = self.instance(id).await?;
        let now = self.clock.now();
        let token = self.new_token();
        let mut tokens = credentials::rotate(&tokens(&before), &token, grace, now).into_iter();
        let newest = tokens.next().expect("a rotation gives the new one first");
        let instance = Instance {
            token_hash: newest.sha256,
            old_tokens: tokens.collect(),
            ..before.clone()
        };
        self.write_change(instance, &before, now).await?;
        info!(instance = %id, grace_s = grace.as_secs(), "the token was rotated");
        Ok((token, now.plus(grace)))
    }

    /// The instance whose token this is, or was within its grace.
    ///
    /// # Errors
    /// The store's.
    pub async fn instance_by_token(&self, token: &str) -> Result<Option<Instance>, StoreError> {
        let found = self.store.instance_by_token(credentials::hash(token)).await?;
        Ok(found.filter(|instance| credentials::fits(token, &tokens(instance), self.clock.now())))
    }

    pub(super) fn new_token(&self) -> Secret {
        let mut random = [0; SECRET_BYTES];
        self.entropy.fill(&mut random);
        credentials::token(&random)
    }
}

/// All that an instance keeps, the newest first.
fn tokens(instance: &Instance) -> Vec<Credential> {
    let newest = Credential {
        sha256: instance.token_hash.clone(),
        until: None,
    };
    std::iter::once(newest)
        .chain(instance.old_tokens.iter().cloned())
        .collect()
}
