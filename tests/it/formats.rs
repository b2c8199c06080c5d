//! Each form of a notification as it comes out of the real gateway, from the configuration to the receiver.
//! What every member means is tested beside the code that renders it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidegate_examples::receiver::Received;

use crate::support::{Made, SOON, Stage};

const FORMAT: &str = "event.notification.format";

/// The POSTs to a path, once there are so many.
async fn posts(stage: &Stage, path: &str, count: usize) -> Vec<Received> {
    let to = |received: &[Received]| -> Vec<Received> {
        let to = received.iter().filter(|received| received.path == path);
        to.cloned().collect()
    };
    let received = stage
        .receiver
        .wait_until(SOON, |received| to(received).len() >= count)
        .await;
    let received = received.unwrap_or_else(|| panic!("{path}: {:?}\n{}", to(&stage.receiver.received()), stage.log()));
    to(&received)
}

fn body(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}

/// Of one event: id, sequence, digests, changed fields, record id, record.
fn members(format: &str, body: &Value) -> Vec<Value> {
    let data = match format {
        "elements" => {
            let message = &body["message"];
            let event = &message["events"][0];
            let record = &message["raw"]["accounts"][0];
            return [
                &event["eventId"],
                &event["sequence"],
                &event["before"],
                &event["after"],
                &event["changedFields"],
                &event["objectId"],
                record,
            ]
            .map(Value::clone)
            .to_vec();
        }
        "cloudevents" | "cloudevents-batch" => {
            let event = body.get(0).unwrap_or(body);
            let mut data = event["data"].clone();
            data["eventId"] = event["id"].clone();
            data["sequence"] = json!(event["sequence"].as_str().unwrap().parse::<u64>().unwrap());
            data
        }
        _ => body["data"].clone(),
    };
    let names = [
        "eventId",
        "sequence",
        "before",
        "after",
        "changedFields",
        "objectId",
        "record",
    ];
    names.map(|name| data[name].clone()).to_vec()
}

#[tokio::test]
async fn each_form_reaches_the_receiver_with_every_member_and_under_its_content_type() {
    let forms = [
        ("elements", "application/json"),
        ("CloudEvents", "application/cloudevents+json; charset=UTF-8"),
        ("cloudevents-batch", "application/cloudevents-batch+json; charset=UTF-8"),
        ("standard", "application/json"),
    ];
    let stage = Stage::new().await;
    stage.vendor().seed_companies(2);
    let mut all: Vec<Made> = Vec::new();
    for (format, _) in forms {
        let url = format!("{}/{format}", stage.receiver.base_url());
        let body = stage.body(json!({FORMAT: format, "event.notification.callback.url": url}));
        all.push(stage.create_and_baseline(&body.to_string()).await);
    }
    let id = stage.vendor().ids("Companies")[0];
    for phone in ["1", "2"] {
        stage.vendor().update("Companies", id, json!({"phone": phone})).unwrap();
        for (format, _) in forms {
            posts(&stage, &format!("/{format}"), phone.parse().unwrap()).await;
        }
    }
    for ((format, content_type), made) in forms.into_iter().zip(&all) {
        let posts = posts(&stage, &format!("/{format}"), 2).await;
        assert_eq!(posts.len(), 2, "{format}");
        let [first, second] = [&posts[0], &posts[1]].map(|post| {
            assert_eq!(post.header("content-type"), Some(content_type), "{format}");
            members(&format.to_ascii_lowercase(), &body(post))
        });
        assert_eq!((&first[1], &second[1]), (&json!(1), &json!(2)), "{format}: sequences");
        assert_eq!(second[2], first[3], "{format}: what was after is before");
        assert!(first[2].is_string() && first[3] != first[2] && second[3] != second[2]);
        assert_eq!(
            first[4],
            Value::Null,
            "{format}: the record before is not known field by field"
        );
        let fields = second[4].as_array().unwrap();
        assert!(fields.contains(&json!("phone")), "{format}: {fields:?}");
        assert_eq!(second[5], json!(id.to_string()));
        assert_eq!(
            (&second[6]["id"], &second[6]["phone"]),
            (&json!(id), &json!("2")),
            "{format}"
        );

        let path = format!("/instances/{}/events", made.id);
        let (_, listed) = stage.call(Method::GET, &path, None).await;
        let listed = &listed[0]["events"][0];
        let names = ["eventId", "sequence", "before", "after", "changedFields", "objectId"];
        assert_eq!(names.map(|name| listed[name].clone()), second[..6], "{format}");
    }
}

#[tokio::test]
async fn a_form_that_does_not_exist_is_refused_by_name() {
    let stage = Stage::new().await;
    let (status, answer) = stage
        .call(Method::POST, "/instances", Some(stage.body(json!({FORMAT: "xml"}))))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.contains("event.notification.format: expected \"elements\", \"cloudevents\""),
        "{message}"
    );
}
