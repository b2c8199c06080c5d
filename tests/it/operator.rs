//! The operator's callback: told of what nobody else would see, signed like any notification.
//! Must not read the gateway's log.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tidegate_examples::autotask::{Fault, FaultKind};
use tidegate_examples::receiver::{Received, Receiver, ReceiverOptions, Reply};

use crate::day::is_accepted;
use crate::support::{SOON, Stage};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn body_of(post: &Received) -> Value {
    serde_json::from_slice(&post.body).unwrap()
}

#[tokio::test]
async fn the_operator_is_told_of_a_disabled_endpoint_and_of_failing_polls_in_signed_notifications() {
    let operator = Receiver::start(ReceiverOptions::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tidegate.toml");
    let url = format!("{}/operator", operator.base_url());
    let text = format!("[operator]\ncallback_url = \"{url}\"\nsignature_key = \"{SECRET}\"\n");
    std::fs::write(&file, text).unwrap();
    let stage = Stage::with(&["--config", file.to_str().unwrap()]).await;
    let company = stage.vendor().seed_companies(2)[0];
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;

    stage.receiver.reply(Reply::status(410));
    stage
        .vendor()
        .update("Companies", company, json!({"phone": "1"}))
        .unwrap();
    let told = operator
        .wait_until(SOON, |received| !received.is_empty())
        .await
        .unwrap();
    let told = &told[0];
    assert!(is_accepted(&Webhook::new(SECRET).unwrap(), told), "{:?}", told.headers);
    let body = body_of(told);
    assert_eq!(body["type"], "tidegate.endpoint.disabled");
    assert_eq!(body["data"]["instanceId"], made.id);
    assert!(body["data"]["reason"].as_str().unwrap().contains("410"), "{body}");

    // What it says is to be done, works: the change comes after all.
    stage.receiver.reply(Reply::status(200));
    let enable = body["data"]["enable"]
        .as_str()
        .unwrap()
        .strip_prefix("PUT ")
        .unwrap()
        .to_owned();
    let (status, answer) = stage.call(Method::PUT, &enable, None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let is_taken = |post: &Received| post.answered == Some(200);
    let posts = stage
        .receiver
        .wait_until(SOON, |received| received.iter().any(is_taken))
        .await
        .unwrap();
    assert_eq!(posts[0].body, posts.last().unwrap().body);

    stage.vendor().set_fault(Fault::always(FaultKind::NotJson).on("query"));
    let failing = |post: &Received| body_of(post)["type"] == "tidegate.poll.failing";
    let told = operator
        .wait_until(SOON, |received| received.iter().any(failing))
        .await
        .unwrap();
    let body = body_of(told.iter().find(|post| failing(post)).unwrap());
    assert_eq!(body["data"]["objectType"], "accounts");
    assert_eq!(body["data"]["failures"], 3);
}
