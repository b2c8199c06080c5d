//! What one run leaves to the next: the zone's address and when usage was last asked for.
//! Must not hold anything that a run cannot do without.

use serde::{Deserialize, Serialize};

/// Kept as JSON. It is of use to the same user name at the same server only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memo {
    server: String,
    username: String,
    /// The zone's API address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) zone: Option<String>,
    /// When the account's usage was last asked for, milliseconds of Unix time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) usage_asked_ms: Option<i64>,
}

impl Memo {
    /// What the bytes hold, if they are of this user and server; else an empty memo for them.
    pub(crate) fn read(bytes: Option<&[u8]>, server: &str, username: &str) -> Self {
        let empty = || Self {
            server: server.to_owned(),
            username: username.to_owned(),
            ..Self::default()
        };
        bytes
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
            .filter(|memo: &Self| memo.server == server && memo.username == username)
            .unwrap_or_else(empty)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of texts and numbers has a JSON form")
    }
}
