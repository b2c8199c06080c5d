//! What a poll leaves to the next: how far an export was read, in the export's own words.
//! Must not be believed where it is of another account or resource.

use serde::{Deserialize, Serialize};
use tidegate_sdk::Fault;

/// Kept as JSON. The manifest's `checkpointVersion` is the version of this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Checkpoint {
    pub(crate) site: String,
    pub(crate) resource: String,
    pub(crate) at: At,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum At {
    /// Everything before it was given.
    Cursor(String),
    /// Everything before this second was given; seconds of Unix time.
    StartTime(i64),
}

impl Checkpoint {
    /// None for one of another account: its cursors mean nothing here.
    ///
    /// # Errors
    /// `restart` for bytes that are no checkpoint of this version.
    pub(crate) fn read(bytes: &[u8], site: &str, resource: &str) -> Result<Option<At>, Fault> {
        let checkpoint: Self = serde_json::from_slice(bytes).map_err(|error| {
            Fault::restart(
                "checkpoint-unreadable",
                format!("the checkpoint is none that this version of the element wrote ({error}): the poll starts from its watermark"),
            )
        })?;
        Ok((checkpoint.site == site && checkpoint.resource == resource).then_some(checkpoint.at))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of texts and numbers has a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use tidegate_sdk::Remedy;

    use super::*;

    #[test]
    fn a_checkpoint_is_of_one_resource_of_one_account() {
        let at = At::Cursor("MTU3".into());
        let bytes = Checkpoint {
            site: "https://acme.zendesk.com".into(),
            resource: "users".into(),
            at: at.clone(),
        }
        .to_bytes();
        assert_eq!(
            Checkpoint::read(&bytes, "https://acme.zendesk.com", "users"),
            Ok(Some(at))
        );
        assert_eq!(Checkpoint::read(&bytes, "https://other.zendesk.com", "users"), Ok(None));
        assert_eq!(
            Checkpoint::read(&bytes, "https://acme.zendesk.com", "tickets"),
            Ok(None)
        );
        for bad in [
            &b""[..],
            b"{}",
            b"MTU3",
            br#"{"site":"a","resource":"b","at":{"page":3}}"#,
        ] {
            let fault = Checkpoint::read(bad, "a", "b").unwrap_err();
            assert_eq!(fault.remedy, Remedy::Restart);
        }
    }
}
