//! The form that Cloud Elements documents. Order and meaning of members: facts of the vendor's public demo payloads; ours
//! are, per event, `eventId`, `sequence`, `before`, `after`, `changedFields` and `recordOmitted`.
//! Knows no limit.

use super::{Item, Poll, put_difference, quoted, quoted_all};
use crate::domain::time::Timestamp;

/// Tidegate has one account, one company and one user; consumers of Cloud Elements expect the numbers.
const OWNER: u32 = 1;

/// `Mon Jan 15 10:30:07 UTC 2018`
fn java_date(time: Timestamp) -> String {
    time.to_chrono().format("%a %b %d %H:%M:%S UTC %Y").to_string()
}

pub(super) fn body(poll: &Poll<'_>, id: &str, number: u64, records: &str, events: &str) -> String {
    let (sender, instance) = (poll.sender, poll.key.instance);
    let (element, resource) = (quoted(&sender.element), quoted(&poll.key.resource));
    let mut out = String::with_capacity(records.len() + events.len() + 700);
    out.push_str("{\"severity\":\"medium\",\"createdDate\":");
    out.push_str(&quoted(&java_date(poll.now)));
    out.push_str(",\"topic\":");
    out.push_str(&quoted(&format!("instance-{instance}-{}-events", sender.element)));
    out.push_str(&format!(
        ",\"action\":\"create\",\"id\":\"{number}\",\"message\":{{\"elementKey\":{element}"
    ));
    out.push_str(&format!(
        ",\"accountId\":{OWNER},\"eventId\":{},\"companyId\":{OWNER}",
        quoted(id)
    ));
    out.push_str(&format!(",\"instanceId\":{instance},\"instance_id\":{instance}"));
    out.push_str(&format!(",\"instanceName\":{}", quoted(&sender.instance_name)));
    out.push_str(&format!(",\"instanceTags\":{}", quoted_all(&sender.instance_tags)));
    out.push_str(&format!(",\"userId\":{OWNER},\"raw\":{{{resource}:["));
    out.push_str(records);
    out.push_str(&format!(
        "],\"pollDate\":{},\"objectType\":{resource}}},\"events\":[",
        poll.started.as_ms()
    ));
    out.push_str(events);
    out.push_str("]},\"user\":\"tidegate\"}");
    out
}

pub(super) fn put_event(out: &mut String, item: Item<'_>, poll: &Poll<'_>) {
    let (event, sender) = (item.event, poll.sender);
    out.push_str(&format!(
        "{{\"date\":{},\"elementKey\":{}",
        quoted(&event.date.to_seconds_text()),
        quoted(&sender.element)
    ));
    out.push_str(&format!(
        ",\"pollDate\":{},\"eventType\":\"{}\"",
        quoted(&poll.started.to_seconds_text()),
        event.change.as_str()
    ));
    out.push_str(&format!(
        ",\"hubKey\":{},\"objectId\":{},\"objectType\":{}",
        quoted(&sender.hub),
        quoted(&event.record),
        quoted(&poll.key.resource)
    ));
    out.push_str(&format!(
        ",\"eventId\":{},\"sequence\":{},",
        quoted(&event.id),
        event.sequence
    ));
    put_difference(out, item);
    out.push('}');
}
