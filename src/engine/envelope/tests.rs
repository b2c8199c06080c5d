//! Each form as a consumer reads it, and what becomes of a record that is too long.
//! Looks at rendered bytes alone.

use serde_json::{Value, json};

use super::*;
use crate::domain::id::{InstanceId, ResourceKey};
use crate::domain::time::Timestamp;

const ID: &str = "AWexampleEventId0001";
const BYTES_MAX: usize = 1 << 20;

fn key(resource: &str) -> ResourceKey {
    ResourceKey {
        instance: InstanceId(1001),
        resource: resource.into(),
    }
}

fn poll<'a>(key: &'a ResourceKey, sender: &'a Sender, format: Format) -> Poll<'a> {
    Poll {
        key,
        born: Timestamp::EPOCH,
        sender,
        id_field: "id",
        started: Timestamp::from_ms(1_516_012_174_827),
        now: Timestamp::from_ms(1_516_012_207_000),
        format,
        body_bytes_max: BYTES_MAX,
    }
}

fn event(record: &str, change: Change, sequence: u64) -> Event {
    Event {
        id: format!("e{sequence}"),
        sequence,
        change,
        record: record.into(),
        date: Timestamp::from_ms(1_516_012_146_500),
        before: (change != Change::Created).then_some(10),
        after: (change != Change::Deleted).then_some(u128::MAX),
        fields: (change == Change::Updated).then(|| vec!["accountName".into(), "phone".into()]),
    }
}

fn record(id: &str, body: &str) -> Record {
    Record {
        id: id.into(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        created: None,
        updated: None,
        deleted: body.is_empty(),
    }
}

/// One body of these events, all of which must fit.
fn body(items: Vec<(Event, Record)>, poll: &Poll<'_>) -> Bytes {
    let mut draft = Envelope::new(poll).draft();
    for (event, record) in items {
        assert_eq!(draft.add(event, &record), None);
    }
    draft.finish(ID).1
}

fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn three() -> Vec<(Event, Record)> {
    vec![
        (
            event("174", Change::Created, 1),
            record("174", "{\"accountName\":\"Zoë\",\"id\":174}"),
        ),
        (
            event("175", Change::Updated, 2),
            record("175", "{\"n\":1.0,\"id\":175}"),
        ),
        (event("176", Change::Deleted, 3), record("176", "")),
    ]
}

const BEFORE: &str = "0000000000000000000000000000000a";
const AFTER: &str = "ffffffffffffffffffffffffffffffff";

#[test]
fn elements_has_the_documented_shape_and_our_members() {
    let (key, sender) = (key("accounts"), Sender::example());
    let body = body(three(), &poll(&key, &sender, Format::Elements));
    let value = value(&body);
    let id = value["id"].as_str().unwrap();
    assert!(id.parse::<i64>().is_ok(), "{id}");
    let seen = |record: &str, change: &str, sequence: u64, before: Value, after: Value, fields: Value| {
        json!({"date": "2018-01-15T10:29:06Z", "elementKey": "autotaskcrm", "pollDate": "2018-01-15T10:29:34Z",
            "eventType": change, "hubKey": "crm", "objectId": record, "objectType": "accounts",
            "eventId": format!("e{sequence}"), "sequence": sequence,
            "before": before, "after": after, "changedFields": fields})
    };
    let fields = json!(["accountName", "phone"]);
    assert_eq!(
        value,
        json!({
            "severity": "medium", "createdDate": "Mon Jan 15 10:30:07 UTC 2018",
            "topic": "instance-1001-autotaskcrm-events", "action": "create", "id": id,
            "message": {
                "elementKey": "autotaskcrm", "accountId": 1, "eventId": ID, "companyId": 1,
                "instanceId": 1001, "instance_id": 1001, "instanceName": "Zoë's \"CRM\"", "instanceTags": ["Docs"],
                "userId": 1,
                "raw": {"accounts": [{"accountName": "Zoë", "id": 174}, {"n": 1.0, "id": 175}, {"id": "176"}],
                    "pollDate": 1_516_012_174_827_i64, "objectType": "accounts"},
                "events": [
                    seen("174", "CREATED", 1, Value::Null, json!(AFTER), Value::Null),
                    seen("175", "UPDATED", 2, json!(BEFORE), json!(AFTER), fields),
                    seen("176", "DELETED", 3, json!(BEFORE), Value::Null, Value::Null),
                ],
            },
            "user": "tidegate",
        })
    );
}

#[test]
fn a_record_goes_in_as_the_bytes_it_is() {
    let (key, sender) = (key("accounts"), Sender::example());
    let odd = "{ \"b\":1.00, \"a\":\"\\u00eb\" ,\"a\":2}";
    for format in ALL {
        let body = body(
            vec![(event("1", Change::Updated, 1), record("1", odd))],
            &poll(&key, &sender, format),
        );
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.contains(odd), "{format:?}: {body}");
    }
}

const ALL: [Format; 4] = [
    Format::Elements,
    Format::Cloudevents,
    Format::CloudeventsBatch,
    Format::Standard,
];

fn data(record: Value, id: &str, change: &str, before: Value, after: Value, fields: Value) -> Value {
    json!({"record": record, "before": before, "after": after, "changedFields": fields, "eventType": change,
        "elementKey": "autotaskcrm", "hubKey": "crm", "objectType": "accounts", "objectId": id, "instanceId": 1001,
        "instanceName": "Zoë's \"CRM\"", "instanceTags": ["Docs"], "pollDate": "2018-01-15T10:29:34Z"})
}

#[test]
fn a_cloudevent_has_its_attributes_and_the_record_in_data() {
    let (key, sender) = (key("accounts"), Sender::example());
    let poll = poll(&key, &sender, Format::Cloudevents);
    let updated = three().remove(1);
    let value = value(&body(vec![updated], &poll));
    assert_eq!(
        value,
        json!({
            "specversion": "1.0", "id": "e2", "source": "/instances/1001/accounts",
            "type": "tidegate.crm.accounts.updated", "subject": "175", "time": "2018-01-15T10:29:06.500Z",
            "datacontenttype": "application/json", "sequence": "00000000000000000002", "partitionkey": "175",
            "recordedtime": "2018-01-15T10:30:07.000Z", "element": "autotaskcrm", "instanceid": "1001",
            "data": data(json!({"n": 1.0, "id": 175}), "175", "UPDATED", json!(BEFORE), json!(AFTER),
                json!(["accountName", "phone"])),
        })
    );
    assert_is_cloudevent(&value);
}

#[test]
fn a_batch_is_an_array_of_cloudevents() {
    let (key, sender) = (key("accounts"), Sender::example());
    let batch = value(&body(three(), &poll(&key, &sender, Format::CloudeventsBatch)));
    let batch = batch.as_array().unwrap();
    batch.iter().for_each(assert_is_cloudevent);
    for (one, (event, record)) in batch.iter().zip(three()) {
        let alone = body(vec![(event, record)], &poll(&key, &sender, Format::Cloudevents));
        assert_eq!(one, &value(&alone));
    }
    assert_eq!(
        batch[2]["data"],
        data(
            json!({"id": "176"}),
            "176",
            "DELETED",
            json!(BEFORE),
            Value::Null,
            Value::Null
        )
    );
}

#[test]
fn whatever_the_vendor_names_things_it_stays_a_cloudevent() {
    let sender = Sender {
        hub: "c r.m".into(),
        ..Sender::example()
    };
    let long = "x".repeat(1024);
    for resource in ["accounts", "calendars/{calendarId}/Ereignisse-ö", "a b%\"\\", "\u{1}"] {
        for id in ["1", "2|0", "a\u{0}\n\"\\ü😀\u{feff}\u{ffff}", &long] {
            for ms in [0, i64::MAX, i64::MIN] {
                let mut event = event(id, Change::Updated, u64::MAX);
                event.date = Timestamp::from_ms(ms);
                let key = key(resource);
                let value = value(&body(
                    vec![(event, record(id, "{}"))],
                    &poll(&key, &sender, Format::Cloudevents),
                ));
                assert_is_cloudevent(&value);
                assert_eq!(value["data"]["objectId"], id);
                assert_eq!(value["data"]["objectType"], resource);
            }
        }
    }
    let key = key("calendars/{calendarId}/Ereignisse-ö");
    let poll = poll(&key, &sender, Format::Cloudevents);
    let value = value(&body(vec![(event("1", Change::Created, 1), record("1", "{}"))], &poll));
    assert_eq!(
        value["type"],
        "tidegate.c_20r_2Em.calendars_2F_7BcalendarId_7D_2FEreignisse_2D_C3_B6.created"
    );
    assert_eq!(
        value["source"],
        "/instances/1001/calendars%2F%7BcalendarId%7D%2FEreignisse-%C3%B6"
    );
}

/// The rules of the official JSON schema (formats/cloudevents.json) and of the specification's text.
fn assert_is_cloudevent(value: &Value) {
    let attributes = value.as_object().unwrap();
    for name in ["id", "source", "specversion", "type"] {
        assert!(attributes[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    assert_eq!(attributes["specversion"], "1.0");
    let is_uri = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    assert!(attributes["source"].as_str().unwrap().chars().all(is_uri));
    let is_type = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    assert!(attributes["type"].as_str().unwrap().chars().all(is_type));
    for name in ["time", "recordedtime"] {
        if let Some(time) = attributes.get(name) {
            chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).unwrap();
        }
    }
    for (name, value) in attributes.iter().filter(|(name, _)| *name != "data") {
        assert!(
            name.len() <= 20
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
            "{name}"
        );
        let text = value.as_str().unwrap();
        let banned = |c: char| {
            let code = u32::from(c);
            code < 0x20 || (0x7f..=0x9f).contains(&code) || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
        };
        assert!(!text.is_empty() && !text.chars().any(banned), "{name}: {text:?}");
    }
    assert!(!attributes.contains_key("data_base64"));
}

#[test]
fn sequences_sort_as_text() {
    let (key, sender) = (key("accounts"), Sender::example());
    let poll = poll(&key, &sender, Format::Cloudevents);
    let texts = [1, 9, 10, 99, 1_000_000, u64::MAX].map(|sequence| {
        let one = (event("1", Change::Created, sequence), record("1", "{}"));
        value(&body(vec![one], &poll))["sequence"].as_str().unwrap().to_owned()
    });
    assert!(
        texts.is_sorted() && texts.iter().all(|text| text.len() == 20),
        "{texts:?}"
    );
}

#[test]
fn standard_has_type_timestamp_and_data() {
    let (key, sender) = (key("accounts"), Sender::example());
    let deleted = three().remove(2);
    let value = value(&body(vec![deleted], &poll(&key, &sender, Format::Standard)));
    let mut data = data(
        json!({"id": "176"}),
        "176",
        "DELETED",
        json!(BEFORE),
        Value::Null,
        Value::Null,
    );
    data["eventId"] = json!("e3");
    data["sequence"] = json!(3);
    assert_eq!(
        value,
        json!({"type": "crm.accounts.deleted", "timestamp": "2018-01-15T10:29:06.500Z", "data": data})
    );
}

#[test]
fn a_draft_takes_as_many_events_as_its_form_may_carry() {
    let (key, sender) = (key("accounts"), Sender::example());
    for format in ALL {
        let poll = poll(&key, &sender, format);
        let mut draft = Envelope::new(&poll).draft();
        let mut count = 0;
        while draft.add(event("1", Change::Updated, 1), &record("1", "{}")).is_none() {
            count += 1;
        }
        assert_eq!(count, format.events_max(), "{format:?}");
    }
}

/// The one event of a body, its `recordOmitted`, and the record.
fn only(body: &[u8], format: Format) -> (Value, Value) {
    let value = value(body);
    match format {
        Format::Elements => {
            let message = &value["message"];
            (message["events"][0].clone(), message["raw"]["accounts"][0].clone())
        }
        Format::CloudeventsBatch => (value[0]["data"].clone(), value[0]["data"]["record"].clone()),
        Format::Cloudevents | Format::Standard => (value["data"].clone(), value["data"]["record"].clone()),
    }
}

#[test]
fn a_record_that_does_not_fit_goes_as_its_id_and_the_event_says_so() {
    let (key, sender) = (key("accounts"), Sender::example());
    for format in ALL {
        let long = format!("{{\"id\":1,\"text\":\"{}\"}}", "x".repeat(20_000));
        let mut poll = poll(&key, &sender, format);
        let mut whole = Vec::new();
        for bytes_max in 19_000..23_000 {
            poll.body_bytes_max = bytes_max;
            let body = body(vec![(event("1", Change::Updated, 1), record("1", &long))], &poll);
            assert!(body.len() <= bytes_max, "{format:?}: {} of {bytes_max}", body.len());
            let (event, record) = only(&body, format);
            assert_eq!(event["changedFields"], json!(["accountName", "phone"]));
            if record["text"].is_null() {
                assert!(whole.is_empty(), "{format:?} {bytes_max}");
                assert_eq!((&event["recordOmitted"], &record), (&json!(true), &json!({"id": "1"})));
            } else {
                assert_eq!(event.get("recordOmitted"), None);
                whole.push((bytes_max, body.len()));
            }
        }
        // It goes whole as soon as it fits, but for the digits of the notification's number.
        let (least, bytes) = whole[0];
        assert!(
            least - bytes < 19,
            "{format:?}: {bytes} bytes were too long for {least}"
        );
    }
}

#[test]
fn names_of_fields_that_do_not_fit_are_left_out_and_a_record_that_is_gone_was_not_omitted() {
    let (key, sender) = (key("accounts"), Sender::example());
    for format in ALL {
        let mut poll = poll(&key, &sender, format);
        poll.body_bytes_max = 16 << 10;
        let mut many = event("1", Change::Updated, 1);
        many.fields = Some((0..500).map(|n| format!("{n}{}", "x".repeat(40))).collect());
        let mut draft = Envelope::new(&poll).draft();
        assert_eq!(draft.add(many, &record("1", "{}")), None);
        let (events, body) = draft.finish(ID);
        assert_eq!(events[0].fields, None);
        assert!(body.len() <= poll.body_bytes_max);
        assert_eq!(only(&body, format).0["changedFields"], Value::Null);

        poll.body_bytes_max = 0;
        let gone = (event("1", Change::Deleted, 1), record("1", ""));
        let (event, _) = only(&super::tests::body(vec![gone], &poll), format);
        assert_eq!(event.get("recordOmitted"), None, "{format:?}");
    }
}

#[test]
fn events_that_do_not_fit_together_come_back() {
    let (key, sender) = (key("accounts"), Sender::example());
    for format in [Format::Elements, Format::CloudeventsBatch] {
        let mut poll = poll(&key, &sender, format);
        let one = || {
            (
                event("1", Change::Updated, 1),
                record("1", &format!("{{\"a\":\"{}\"}}", "x".repeat(5_000))),
            )
        };
        poll.body_bytes_max = 16 << 10;
        let mut draft = Envelope::new(&poll).draft();
        let mut count = 0;
        let back = loop {
            let (event, record) = one();
            match draft.add(event, &record) {
                None => count += 1,
                Some(event) => break event,
            }
        };
        assert_eq!((count, back), (2, one().0), "{format:?}");
        let body = draft.finish(ID).1;
        let pair = super::tests::body(
            vec![one(), one()],
            &Poll {
                body_bytes_max: BYTES_MAX,
                ..poll
            },
        );
        assert_eq!(body, pair, "what came back left nothing behind");
    }
}
