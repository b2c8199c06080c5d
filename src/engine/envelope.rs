//! The body of a notification in the form that Cloud Elements documents, rendered once and frozen.
//! Field order and meanings: facts of the vendor's public demo payloads; what is ours is `eventId` and `sequence` per
//! event. A record's body goes in as the bytes it is, without being parsed.

use bytes::Bytes;
use serde_json::to_string;

use super::plan::Poll;
use crate::domain::event::{Event, number_of};
use crate::domain::record::Record;
use crate::domain::time::Timestamp;

/// Who sends: what every notification of an instance has in common.
#[derive(Clone, Debug)]
pub struct Sender {
    pub element: String,
    pub hub: String,
    pub instance_name: String,
    pub instance_tags: Vec<String>,
}

/// Tidegate has one account, one company and one user; consumers of Cloud Elements expect the numbers.
const OWNER: u32 = 1;

/// `Mon Jan 15 10:30:07 UTC 2018`
fn java_date(time: Timestamp) -> String {
    time.to_chrono().format("%a %b %d %H:%M:%S UTC %Y").to_string()
}

/// JSON text of a string.
fn quoted(text: &str) -> String {
    to_string(text).expect("a string is always JSON")
}

#[must_use]
pub fn render(id: &str, events: &[Event], records: &[Record], poll: &Poll<'_>) -> Bytes {
    let sender = poll.sender;
    let instance = poll.key.instance;
    let element = quoted(&sender.element);
    let resource = quoted(&poll.key.resource);
    let poll_date = quoted(&poll.started.to_seconds_text());
    let bodies: usize = records.iter().map(|record| record.body.len() + 32).sum();
    let mut out = String::with_capacity(bodies + 300 * events.len() + 700);

    out.push_str("{\"severity\":\"medium\",\"createdDate\":");
    out.push_str(&quoted(&java_date(poll.now)));
    out.push_str(",\"topic\":");
    out.push_str(&quoted(&format!("instance-{instance}-{}-events", sender.element)));
    out.push_str(&format!(
        ",\"action\":\"create\",\"id\":\"{}\",\"message\":{{\"elementKey\":{element}",
        number_of(id)
    ));
    out.push_str(&format!(
        ",\"accountId\":{OWNER},\"eventId\":{},\"companyId\":{OWNER}",
        quoted(id)
    ));
    out.push_str(&format!(",\"instanceId\":{instance},\"instance_id\":{instance}"));
    out.push_str(&format!(",\"instanceName\":{}", quoted(&sender.instance_name)));
    out.push_str(",\"instanceTags\":");
    out.push_str(&to_string(&sender.instance_tags).expect("strings are always JSON"));
    out.push_str(&format!(",\"userId\":{OWNER},\"raw\":{{{resource}:["));
    for (i, record) in records.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        match std::str::from_utf8(&record.body) {
            Ok(body) if !body.is_empty() => out.push_str(body),
            // Gone: nothing but its id is known.
            _ => out.push_str(&format!("{{{}:{}}}", quoted(poll.id_field), quoted(&record.id))),
        }
    }
    out.push_str(&format!(
        "],\"pollDate\":{},\"objectType\":{resource}}},\"events\":[",
        poll.started.as_ms()
    ));
    for (i, event) in events.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&format!(
            "{{\"date\":{},\"elementKey\":{element}",
            quoted(&event.date.to_seconds_text())
        ));
        out.push_str(&format!(
            ",\"pollDate\":{poll_date},\"eventType\":\"{}\"",
            event.change.as_str()
        ));
        out.push_str(&format!(
            ",\"hubKey\":{},\"objectId\":{}",
            quoted(&sender.hub),
            quoted(&event.record)
        ));
        out.push_str(&format!(",\"objectType\":{resource},\"eventId\":{}", quoted(&event.id)));
        out.push_str(&format!(",\"sequence\":{}}}", event.sequence));
    }
    out.push_str("]},\"user\":\"tidegate\"}");
    Bytes::from(out)
}

#[cfg(test)]
impl Sender {
    pub(crate) fn example() -> Self {
        Self {
            element: "autotaskcrm".into(),
            hub: "crm".into(),
            instance_name: "Zoë's \"CRM\"".into(),
            instance_tags: vec!["Docs".into()],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::event::Change;
    use crate::domain::id::{InstanceId, ResourceKey};

    #[test]
    fn a_notification_has_the_documented_shape() {
        let key = ResourceKey {
            instance: InstanceId(1001),
            resource: "accounts".into(),
        };
        let sender = Sender::example();
        let poll = Poll {
            key: &key,
            born: Timestamp::EPOCH,
            sender: &sender,
            id_field: "id",
            started: Timestamp::from_ms(1_516_012_174_827),
            now: Timestamp::from_ms(1_516_012_207_000),
        };
        let event = |record: &str, change, sequence| Event {
            id: format!("e{sequence}"),
            sequence,
            change,
            record: record.into(),
            before: None,
            after: None,
            fields: None,
            date: Timestamp::from_ms(1_516_012_146_000),
        };
        let record = |id: &str, body: &'static str| Record {
            id: id.into(),
            body: Bytes::from_static(body.as_bytes()),
            created: None,
            updated: None,
            deleted: body.is_empty(),
        };
        let body = render(
            "AWexampleEventId0001",
            &[event("174", Change::Created, 1), event("175", Change::Deleted, 2)],
            &[record("174", "{\"accountName\":\"Zoë\",\"id\":174}"), record("175", "")],
            &poll,
        );
        let value: Value = serde_json::from_slice(&body).unwrap();
        let id = value["id"].as_str().unwrap();
        assert!(id.parse::<i64>().is_ok(), "{id}");
        let seen = |record: &str, change: &str, sequence: u64| {
            json!({"date": "2018-01-15T10:29:06Z", "elementKey": "autotaskcrm", "pollDate": "2018-01-15T10:29:34Z",
                "eventType": change, "hubKey": "crm", "objectId": record, "objectType": "accounts",
                "eventId": format!("e{sequence}"), "sequence": sequence})
        };
        assert_eq!(
            value,
            json!({
                "severity": "medium", "createdDate": "Mon Jan 15 10:30:07 UTC 2018",
                "topic": "instance-1001-autotaskcrm-events", "action": "create", "id": id,
                "message": {
                    "elementKey": "autotaskcrm", "accountId": 1, "eventId": "AWexampleEventId0001", "companyId": 1,
                    "instanceId": 1001, "instance_id": 1001, "instanceName": "Zoë's \"CRM\"", "instanceTags": ["Docs"],
                    "userId": 1,
                    "raw": {"accounts": [{"accountName": "Zoë", "id": 174}, {"id": "175"}],
                        "pollDate": 1_516_012_174_827_i64, "objectType": "accounts"},
                    "events": [seen("174", "CREATED", 1), seen("175", "DELETED", 2)],
                },
                "user": "tidegate",
            })
        );
    }
}
