//! What an operator is told, as notifications. Which of it is true is decided elsewhere.

use bytes::Bytes;
use serde_json::{Value, json};

use super::plan::short_hash;
use crate::domain::event::{Change, Event, Format, Notification};
use crate::domain::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing goes to an endpoint any more until somebody enables it.
    EndpointDisabled,
    /// Polls of a resource keep failing.
    PollFailing,
    /// They succeed again.
    PollRecovered,
    /// A version of an element was taken back.
    VersionRolledBack,
    /// Sent when somebody asks whether it arrives.
    Test,
}

impl News {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            News::EndpointDisabled => "tidegate.endpoint.disabled",
            News::PollFailing => "tidegate.poll.failing",
            News::PollRecovered => "tidegate.poll.recovered",
            News::VersionRolledBack => "tidegate.element.rolled_back",
            News::Test => "tidegate.test",
        }
    }
}

/// One thing told, `about` what: what is told of the same thing arrives in order.
#[must_use]
pub fn notification(kind: News, about: &str, data: &Value, now: Timestamp) -> Notification {
    let id = short_hash(&[
        b"news",
        kind.as_str().as_bytes(),
        about.as_bytes(),
        data.to_string().as_bytes(),
        &now.as_ms().to_be_bytes(),
    ]);
    let body = json!({"type": kind.as_str(), "timestamp": now.to_string(), "data": data});
    let event = Event {
        id: id.clone(),
        sequence: 0,
        change: Change::Created,
        record: about.to_owned(),
        date: now,
        before: None,
        after: None,
        fields: None,
    };
    Notification {
        id,
        resource: "operator".into(),
        created: now,
        events: vec![event],
        format: Format::Standard,
        body: Bytes::from(body.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_has_a_type_a_time_and_an_id_of_its_own() {
        let told = |ms| {
            notification(
                News::PollFailing,
                "7/accounts",
                &json!({"code": "x"}),
                Timestamp::from_ms(ms),
            )
        };
        let body: Value = serde_json::from_slice(&told(0).body).unwrap();
        assert_eq!(body["type"], "tidegate.poll.failing");
        assert_eq!(body["timestamp"], Timestamp::from_ms(0).to_string());
        assert_eq!(body["data"], json!({"code": "x"}));
        assert_eq!(told(0), told(0));
        assert_ne!(told(0).id, told(1).id);
        assert_eq!(told(0).id.len(), 20);
    }
}
