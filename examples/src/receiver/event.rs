//! A notification's events, one by one, each with its record.
//! Forgiving: a body that is no notification simply has no events.

use serde_json::Value;

/// One entry of `message.events`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedEvent {
    /// `CREATED`, `UPDATED` or `DELETED`.
    pub event_type: String,
    /// The resource, as `accounts`.
    pub object_type: String,
    pub object_id: String,
    /// `message.eventId`: one per notification, the same in every repetition.
    pub notification_id: String,
    /// The entry itself, for what a gateway adds to it.
    pub event: Value,
    /// The object of `message.raw.<objectType>` that belongs to the event; null without one.
    pub record: Value,
    /// Whether the POST was answered 2xx.
    pub accepted: bool,
}

/// Reads the events of a notification's body.
pub(super) fn events(body: &[u8], accepted: bool) -> Vec<ReceivedEvent> {
    let Ok(notification) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let message = &notification["message"];
    let entries = message["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries
        .iter()
        .enumerate()
        .map(|(position, event)| {
            let object_type = text(&event["objectType"]);
            let records = message["raw"][&object_type]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let object_id = text(&event["objectId"]);
            ReceivedEvent {
                event_type: text(&event["eventType"]),
                record: record(records, &object_id, position),
                object_type,
                object_id,
                notification_id: text(&message["eventId"]),
                event: event.clone(),
                accepted,
            }
        })
        .collect()
}

/// By id where the records carry one; else by position, since both lists have the same order.
fn record(records: &[Value], object_id: &str, position: usize) -> Value {
    let by_id = records
        .iter()
        .find(|record| !record["id"].is_null() && text(&record["id"]) == object_id);
    by_id.or_else(|| records.get(position)).cloned().unwrap_or_default()
}

/// Strings as they are, numbers in digits.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_finds_its_record_by_id() {
        let body = json!({"message": {"eventId": "n-1", "raw": {"accounts": [{"id": 2, "accountName": "B"}, {"id": 1, "accountName": "A"}]},
            "events": [{"eventType": "CREATED", "objectType": "accounts", "objectId": "1"},
                       {"eventType": "UPDATED", "objectType": "accounts", "objectId": "2"}]}});
        let events = events(body.to_string().as_bytes(), true);
        let short: Vec<_> = events
            .iter()
            .map(|event| {
                (
                    event.event_type.as_str(),
                    event.object_id.as_str(),
                    event.record["accountName"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(short, [("CREATED", "1", "A"), ("UPDATED", "2", "B")]);
        assert!(
            events
                .iter()
                .all(|event| event.notification_id == "n-1" && event.object_type == "accounts")
        );
    }

    #[test]
    fn what_is_no_notification_has_no_events() {
        for body in ["", "null", "[]", "{\"message\":3}", "not json"] {
            assert!(events(body.as_bytes(), true).is_empty());
        }
    }
}
