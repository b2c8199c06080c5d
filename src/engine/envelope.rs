//! The body of a notification in the form that its instance asks for, rendered once and frozen. A record goes in as the
//! bytes it is, neither parsed nor written anew. Decides nothing but what still fits: ids and numbers come in.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::to_string;

use super::plan::Poll;
use crate::domain::event::{Change, Event, Format, number_of};
use crate::domain::record::Record;

mod cloudevents;
mod elements;
mod standard;
#[cfg(test)]
mod tests;

/// Who sends: what every notification of an instance has in common.
#[derive(Clone, Debug)]
pub struct Sender {
    pub element: String,
    pub hub: String,
    pub instance_name: String,
    pub instance_tags: Vec<String>,
}

/// Length of a notification's id.
const ID_CHARS: usize = 20;

/// Makes the bodies of one poll.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    poll: &'a Poll<'a>,
    /// Of a body without any event.
    frame_bytes: usize,
}

/// A body that is being put together.
#[derive(Debug)]
pub struct Draft<'a> {
    envelope: Envelope<'a>,
    events: Vec<Event>,
    /// JSON of the records, where the form has them apart from their events.
    records_json: String,
    events_json: String,
}

/// An event on its way into a body.
#[derive(Clone, Copy)]
struct Item<'a> {
    event: &'a Event,
    /// JSON of the record; a stand-in with nothing but its id where the record is gone or left out.
    record: &'a str,
    is_omitted: bool,
}

impl<'a> Envelope<'a> {
    #[must_use]
    pub fn new(poll: &'a Poll<'a>) -> Self {
        let longest_id = "_".repeat(ID_CHARS);
        let frame_bytes = frame(poll, &longest_id, i64::MAX.unsigned_abs(), "", "").len();
        Self { poll, frame_bytes }
    }

    #[must_use]
    pub fn draft(&self) -> Draft<'a> {
        Draft {
            envelope: *self,
            events: Vec::new(),
            records_json: String::new(),
            events_json: String::new(),
        }
    }
}

impl Draft<'_> {
    /// An empty draft takes any event: what is too long for the instance's limit goes without its record. The event comes
    /// back where there is no room for it.
    #[must_use]
    pub fn add(&mut self, mut event: Event, record: &Record) -> Option<Event> {
        let poll = self.envelope.poll;
        if self.events.len() == poll.format.events_max() {
            return Some(event);
        }
        let (whole, is_omitted) = (record_json(record, poll), false);
        if !self.put(&event, &whole, is_omitted) {
            if !self.events.is_empty() {
                return Some(event);
            }
            let (stub, is_omitted) = (stub(record, poll), !record.body.is_empty());
            if !self.put(&event, &stub, is_omitted) {
                // Names of fields may be many. What is still too long now is the instance's own name and tags.
                event.fields = None;
                self.force(&event, &stub, is_omitted);
            }
        }
        self.events.push(event);
        None
    }

    /// False, and nothing is put, where the body would be too long.
    fn put(&mut self, event: &Event, record: &str, is_omitted: bool) -> bool {
        let before = (self.records_json.len(), self.events_json.len());
        self.force(event, record, is_omitted);
        let bytes = self.envelope.frame_bytes + self.records_json.len() + self.events_json.len();
        let fits = bytes <= self.envelope.poll.body_bytes_max;
        if !fits {
            self.records_json.truncate(before.0);
            self.events_json.truncate(before.1);
        }
        fits
    }

    fn force(&mut self, event: &Event, record: &str, is_omitted: bool) {
        let poll = self.envelope.poll;
        let item = Item {
            event,
            record,
            is_omitted,
        };
        if !self.events.is_empty() {
            self.events_json.push(',');
        }
        match poll.format {
            Format::Elements => {
                if !self.events.is_empty() {
                    self.records_json.push(',');
                }
                self.records_json.push_str(record);
                elements::put_event(&mut self.events_json, item, poll);
            }
            Format::Cloudevents | Format::CloudeventsBatch => cloudevents::put(&mut self.events_json, item, poll),
            Format::Standard => standard::put(&mut self.events_json, item, poll),
        }
    }

    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events, and the body of their notification under this id.
    #[must_use]
    pub fn finish(self, id: &str) -> (Vec<Event>, Bytes) {
        let poll = self.envelope.poll;
        let body = frame(poll, id, number_of(id), &self.records_json, &self.events_json);
        (self.events, Bytes::from(body))
    }
}

/// What stands round the events.
fn frame(poll: &Poll<'_>, id: &str, number: u64, records: &str, events: &str) -> String {
    match poll.format {
        Format::Elements => elements::body(poll, id, number, records, events),
        Format::Cloudevents | Format::Standard => events.to_owned(),
        Format::CloudeventsBatch => format!("[{events}]"),
    }
}

fn record_json<'r>(record: &'r Record, poll: &Poll<'_>) -> Cow<'r, str> {
    match std::str::from_utf8(&record.body) {
        Ok(body) if !body.is_empty() => Cow::Borrowed(body),
        // Gone: nothing but its id is known.
        _ => Cow::Owned(stub(record, poll)),
    }
}

fn stub(record: &Record, poll: &Poll<'_>) -> String {
    format!("{{{}:{}}}", quoted(poll.id_field), quoted(&record.id))
}

/// JSON text of a string.
fn quoted(text: &str) -> String {
    to_string(text).expect("a string is always JSON")
}

fn quoted_all(texts: &[String]) -> String {
    to_string(texts).expect("strings are always JSON")
}

/// `"before":…,"after":…,"changedFields":…`, the same in every form.
fn put_difference(out: &mut String, item: Item<'_>) {
    let digest = |digest: Option<u128>| digest.map_or_else(|| "null".into(), |digest| format!("\"{digest:032x}\""));
    let fields = item.event.fields.as_deref().map_or_else(|| "null".into(), quoted_all);
    out.push_str(&format!(
        "\"before\":{},\"after\":{},\"changedFields\":{fields}",
        digest(item.event.before),
        digest(item.event.after)
    ));
    if item.is_omitted {
        out.push_str(",\"recordOmitted\":true");
    }
}

/// The members of `data`, without its braces, in the forms that carry one event.
fn put_data(out: &mut String, item: Item<'_>, poll: &Poll<'_>) {
    let (event, sender) = (item.event, poll.sender);
    out.push_str("\"record\":");
    out.push_str(item.record);
    out.push(',');
    put_difference(out, item);
    out.push_str(&format!(
        ",\"eventType\":\"{}\",\"elementKey\":{},\"hubKey\":{}",
        event.change.as_str(),
        quoted(&sender.element),
        quoted(&sender.hub)
    ));
    out.push_str(&format!(
        ",\"objectType\":{},\"objectId\":{},\"instanceId\":{},\"instanceName\":{}",
        quoted(&poll.key.resource),
        quoted(&event.record),
        poll.key.instance,
        quoted(&sender.instance_name)
    ));
    out.push_str(&format!(
        ",\"instanceTags\":{},\"pollDate\":{}",
        quoted_all(&sender.instance_tags),
        quoted(&poll.started.to_seconds_text())
    ));
}

/// `crm.accounts.updated`
fn type_of(event: &Event, poll: &Poll<'_>) -> String {
    let change = match event.change {
        Change::Created => "created",
        Change::Updated => "updated",
        Change::Deleted => "deleted",
    };
    let (hub, resource) = (&poll.sender.hub, &poll.key.resource);
    format!("{}.{}.{change}", type_part(hub), type_part(resource))
}

/// Letters, digits and `_`, as Standard Webhooks has them in a type; any other byte is `_` and two hexadecimal digits.
fn type_part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("_{byte:02X}"));
        }
    }
    part
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
