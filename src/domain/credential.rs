//! What is kept of secrets that only have to be recognised: hashes. Must never hold a secret itself.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// One secret that lets its bearer in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// SHA-256 in hex.
    pub sha256: String,
    /// Counts before this time; None: until it is rotated.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// The two secrets of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountSecret {
    User,
    Organization,
}

impl AccountSecret {
    /// As REST, the log and the data directory's files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organization => "organization",
        }
    }
}

/// What the data directory keeps of the account's secrets: the newest of each first, old ones within their grace behind it.
/// A secret that the operator sets leaves its list as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSecrets {
    #[serde(default)]
    pub user: Vec<Credential>,
    #[serde(default)]
    pub organization: Vec<Credential>,
}

impl AccountSecrets {
    #[must_use]
    pub fn of(&self, which: AccountSecret) -> &Vec<Credential> {
        match which {
            AccountSecret::User => &self.user,
            AccountSecret::Organization => &self.organization,
        }
    }

    pub fn of_mut(&mut self, which: AccountSecret) -> &mut Vec<Credential> {
        match which {
            AccountSecret::User => &mut self.user,
            AccountSecret::Organization => &mut self.organization,
        }
    }
}
