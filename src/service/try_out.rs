//! A signed example, posted at once to whoever wants to see it arrive: with the real headers, past outbox, pauses, rate
//! and sequence. Leaves no trace but an answer.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Gateway;
use super::deliver::{Destination, Destined, ended, reason, shown_headers, shown_url};
use super::look_up::{Error, no_callback};
use crate::domain::event::{Change, Event, Notification};
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::instance::Instance;
use crate::domain::record::Record;
use crate::domain::time::Timestamp;
use crate::engine::envelope::{Envelope, Sender};
use crate::engine::explain::explain;
use crate::engine::news::{self, News};
use crate::engine::plan::Poll;
use crate::engine::retry::verdict;
use crate::ports::{Answer, Post};

/// What ids of examples begin with.
const MARK: &str = "test_";
/// The record of an example, where the instance polls nothing.
const RESOURCE: &str = "examples";
const RECORD: &str = "test-1";

/// One attempt, as it went.
#[derive(Clone, Debug)]
pub struct Tried {
    pub url: String,
    pub request_headers: Vec<(String, String)>,
    pub body: Bytes,
    pub status: Option<u16>,
    pub answer: Answer,
    pub took: Duration,
    /// Why it does not count as delivered.
    pub error: Option<String>,
    pub verdict: String,
}

impl Gateway {
    /// Posts an example to an instance's callback, whether it is enabled or not.
    ///
    /// # Errors
    /// There is no such instance, or it has no callback.
    pub async fn try_endpoint(&self, id: InstanceId) -> Result<Tried, Error> {
        let instance = self.instance(id).await?;
        let Destined::To(destination) = self.destination(&instance)? else {
            return Err(no_callback(id));
        };
        let example = self.example(&instance);
        Ok(self.try_out(&destination, &example).await)
    }

    /// Posts an example to the operator's callback.
    ///
    /// # Errors
    /// There is none.
    pub async fn try_operator(&self) -> Result<Tried, Error> {
        let Destined::To(destination) = self.operators_destination() else {
            return Err(no_callback(InstanceId::OPERATOR));
        };
        let data = json!({"test": true, "message": "somebody asked whether this arrives"});
        let mut example = news::notification(News::Test, "operator", &data, self.clock.now());
        example.id = self.example_id();
        Ok(self.try_out(&destination, &example).await)
    }

    async fn try_out(&self, destination: &Destination, example: &Notification) -> Tried {
        let at = self.clock.now();
        let headers = destination.headers(example, at);
        let url = destination.url_of(example);
        let (shown, shown_headers) = (shown_url(&url), shown_headers(&headers));
        let post = Post {
            url,
            id: example.id.clone(),
            headers,
            body: example.body.clone(),
            timeout: destination.timeout,
        };
        let answer = self.callback.post(post).await;
        let (fate, effect) = verdict(ended(&answer));
        Tried {
            url: shown,
            request_headers: shown_headers,
            body: example.body.clone(),
            status: answer.as_ref().ok().map(|answer| answer.status),
            took: self.clock.now().since(at),
            error: reason(&answer, fate),
            verdict: explain(fate, effect),
            answer: answer.unwrap_or_default(),
        }
    }

    /// As long as any other id.
    fn example_id(&self) -> String {
        let mut random = [0; 11];
        self.entropy.fill(&mut random);
        format!("{MARK}{}", URL_SAFE_NO_PAD.encode(random))
    }

    fn example(&self, instance: &Instance) -> Notification {
        let now = self.clock.now();
        let poller = instance.events.pollers.first();
        let id_field = poller.map_or("id", |poller| poller.id_field.as_str());
        let key = ResourceKey {
            instance: instance.id,
            resource: poller.map_or(RESOURCE, |poller| poller.resource.as_str()).to_owned(),
        };
        let element = self.elements.find(&instance.element);
        let sender = Sender {
            element: instance.element.clone(),
            hub: element.map_or_else(String::new, |element| element.manifest.hub.clone()),
            instance_name: instance.name.clone(),
            instance_tags: instance.tags.clone(),
        };
        let poll = Poll {
            key: &key,
            born: now,
            sender: &sender,
            id_field,
            started: now,
            now,
            format: instance.events.delivery.format,
            body_bytes_max: instance.events.delivery.body_bytes_max as usize,
        };
        let mut draft = Envelope::new(&poll).draft();
        let back = draft.add(event(self.example_id(), now), &record(id_field));
        debug_assert!(back.is_none(), "an empty draft takes any event");
        let id = self.example_id();
        let (events, body) = draft.finish(&id);
        Notification {
            id,
            resource: key.resource.clone(),
            created: now,
            events,
            format: instance.events.delivery.format,
            body,
        }
    }
}

/// Sequence 0 is none that a real event has.
fn event(id: String, now: Timestamp) -> Event {
    Event {
        id,
        sequence: 0,
        change: Change::Updated,
        record: RECORD.to_owned(),
        date: now,
        before: None,
        after: None,
        fields: None,
    }
}

fn record(id_field: &str) -> Record {
    let body = Value::Object(Map::from_iter([
        (id_field.to_owned(), Value::from(RECORD)),
        ("test".to_owned(), Value::from(true)),
    ]));
    Record {
        id: RECORD.to_owned(),
        body: Bytes::from(body.to_string()),
        created: None,
        updated: None,
        deleted: false,
    }
}
