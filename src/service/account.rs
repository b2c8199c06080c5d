//! The account's secrets: recognised by their hashes, rotated one at a time. Knows nothing of headers and files.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tracing::info;

use crate::domain::credential::{AccountSecret, AccountSecrets, Credential};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::credentials::{self, SECRET_BYTES};
use crate::ports::{AccountFile, Clock, Entropy, StoreError};

/// The one account of a gateway.
pub struct Account {
    kept: RwLock<AccountSecrets>,
    user: Option<Credential>,
    organization: Option<Credential>,
    file: Arc<dyn AccountFile>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// One rotation at a time, or the second would undo the first in the file.
    turn: tokio::sync::Mutex<()>,
}

/// The operator's own settings of the account's secrets, which win over what is kept.
#[derive(Debug, Default)]
pub struct SetByOperator {
    pub user: Option<Secret>,
    pub organization: Option<Secret>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the {name} secret is set by TIDEGATE_{upper}_SECRET or in the configuration file; change it there and start the \
         gateway again", name = .0.name(), upper = .0.name().to_uppercase()
    )]
    SetByOperator(AccountSecret),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Account {
    #[must_use]
    pub fn new(
        kept: AccountSecrets,
        set: &SetByOperator,
        file: Arc<dyn AccountFile>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let hashed = |secret: &Option<Secret>| {
            secret.as_ref().map(|secret| Credential {
                sha256: credentials::hash(secret.expose()),
                until: None,
            })
        };
        Self {
            kept: RwLock::new(kept),
            user: hashed(&set.user),
            organization: hashed(&set.organization),
            file,
            clock,
            entropy,
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Is this the account's secret, or an old one within its grace? In constant time.
    #[must_use]
    pub fn knows(&self, which: AccountSecret, secret: &str) -> bool {
        let now = self.clock.now();
        match self.set(which) {
            Some(set) => credentials::fits(secret, [set], now),
            None => credentials::fits(secret, self.kept().of(which), now),
        }
    }

    /// A new secret, which is shown this once. The one before stays valid for `grace`; the answer says until when.
    ///
    /// # Errors
    /// The operator has set this secret, or nothing can be written; then nothing is changed.
    pub async fn rotate(&self, which: AccountSecret, grace: Duration) -> Result<(Secret, Timestamp), Error> {
        if self.set(which).is_some() {
            return Err(Error::SetByOperator(which));
        }
        let _turn = self.turn.lock().await;
        let mut random = [0; SECRET_BYTES];
        self.entropy.fill(&mut random);
        let secret = credentials::account_secret(which, &random);
        let now = self.clock.now();
        let mut next = self.kept().clone();
        *next.of_mut(which) = credentials::rotate(next.of(which), &secret, grace, now);
        self.file.put(next.clone(), which).await?;
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = next;
        info!(
            secret = which.name(),
            grace_s = grace.as_secs(),
            "a secret of the account was rotated"
        );
        Ok((secret, now.plus(grace)))
    }

    fn set(&self, which: AccountSecret) -> Option<&Credential> {
        match which {
            AccountSecret::User => self.user.as_ref(),
            AccountSecret::Organization => self.organization.as_ref(),
        }
    }

    fn kept(&self) -> std::sync::RwLockReadGuard<'_, AccountSecrets> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }
}
