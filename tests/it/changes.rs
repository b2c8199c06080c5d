//! An instance that changes while it is polled and delivered for: nothing is overwritten, what is off is off.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidegate_examples::autotask::{Fault, FaultKind, Simulator, SimulatorOptions};
use tidegate_examples::receiver::Reply;

use crate::support::{SOON, Stage, distinct};

#[tokio::test]
async fn an_instance_with_many_pollers_on_a_hanging_vendor_leaves_places_for_others() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(3);
    let hanging = Simulator::start(SimulatorOptions::default()).await.unwrap();
    hanging.control().set_fault(Fault::always(FaultKind::Hang).on("query"));
    let pollers: serde_json::Map<String, Value> = (0..120)
        .map(|i| (format!("resource{i}"), json!({"url": "/hubs/crm/accounts"})))
        .collect();
    let mut body = stage.body(json!({"crm.autotask.server.url": hanging.base_url()}));
    body["configuration"]["event.poller.configuration"] = json!(pollers);
    for _ in 0..4 {
        let (status, answer) = stage
            .call(Method::POST, "/instances?validate=false", Some(body.clone()))
            .await;
        assert!(status.is_success(), "{answer}");
    }
    hanging
        .control()
        .wait_for_requests(SOON, |requests| requests.iter().any(|request| request.is_on("query")))
        .await;
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    stage.next_good_poll(made.id).await;
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_kept() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(2);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let path = format!("/instances/{}", made.id);
    // The check of this one takes a while; what happens meanwhile must not be undone by it.
    stage
        .vendor()
        .configure(|settings| settings.latency = Duration::from_millis(700));
    let slow = json!({"configuration": {"event.poller.refresh_interval": "0.5"}});
    let checked = stage.vendor().requests().len();
    let slow = stage.call(Method::PATCH, &path, Some(slow));
    let meanwhile = async {
        stage
            .vendor()
            .wait_for_requests(SOON, |requests| requests.len() > checked)
            .await
            .unwrap();
        let renamed = stage
            .call(Method::PATCH, &path, Some(json!({"name": "Renamed meanwhile"})))
            .await;
        let disabled = stage.call(Method::DELETE, &format!("{path}/enabled"), None).await;
        (renamed, disabled)
    };
    let (slow, (renamed, disabled)) = tokio::join!(slow, meanwhile);
    for (status, answer) in [slow, renamed, disabled] {
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let (_, read) = stage.call(Method::GET, &path, None).await;
    assert_eq!(
        (&read["name"], &read["disabled"]),
        (&json!("Renamed meanwhile"), &json!(true))
    );
    assert_eq!(read["configuration"]["event.poller.refresh_interval"], "0.5");
}

#[tokio::test]
async fn a_disabled_instance_delivers_nothing_until_it_is_enabled() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(400);
    let body = stage.body(json!({"event.poller.first_sight": "snapshot"}));
    // Two dozen POSTs wait behind answers that take their time.
    stage.receiver.reply(Reply::slow(Duration::from_millis(150), 200));
    let made = stage.create(&body.to_string()).await;
    stage
        .receiver
        .wait_until(SOON, |received| received.len() >= 3)
        .await
        .unwrap();
    let path = format!("/instances/{}/enabled", made.id);
    assert_eq!(stage.call(Method::DELETE, &path, None).await.0, StatusCode::OK);
    // What was under way may still arrive: sixteen at most.
    let at_most = stage.receiver.received().len() + 16;
    let more = stage
        .receiver
        .wait_until(Duration::from_secs(3), |received| received.len() > at_most)
        .await;
    assert!(more.is_none(), "POSTs went on after the instance was disabled");
    assert!(stage.receiver.received().len() < 40, "some are still waiting");
    stage.receiver.reply(Reply::status(200));
    assert_eq!(stage.call(Method::PUT, &path, None).await.0, StatusCode::OK);
    let events = stage.receiver.wait_for(401, SOON).await.unwrap();
    assert_eq!(distinct(&events).len(), 401);
}

#[tokio::test]
async fn polling_on_demand_does_not_push_the_next_poll_away() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(2);
    let body = stage.body(json!({"event.poller.refresh_interval": 15}));
    let made = stage.create_and_baseline(&body.to_string()).await;
    let due = |polls: &[Value]| polls[0]["nextDue"].as_str().unwrap().to_owned();
    let before = due(&stage.polls_until(made.id, |_| true).await);
    let mut last = Value::Null;
    for _ in 0..3 {
        stage
            .call(Method::POST, &format!("/instances/{}/polls", made.id), None)
            .await;
        let polls = stage
            .polls_until(made.id, |polls| {
                polls[0]["running"] == false && polls[0]["last"]["started"] != last
            })
            .await;
        last = polls[0]["last"]["started"].clone();
        assert_eq!(due(&polls), before);
    }
}

#[tokio::test]
async fn what_a_get_answered_can_be_put_back() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(3);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let path = format!("/instances/{}", made.id);
    let (_, read) = stage.call(Method::GET, &path, None).await;
    let (status, answer) = stage.call(Method::PUT, &path, Some(read.clone())).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["configuration"], read["configuration"]);
    let id = stage.vendor().ids("Companies")[1];
    stage.vendor().update("Companies", id, json!({"phone": "1"})).unwrap();
    let events = stage.receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(distinct(&events), [("UPDATED".to_owned(), id.to_string())]);
}

#[tokio::test]
async fn another_resource_under_the_same_name_begins_with_its_first_sight() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(4);
    stage.vendor().seed_contacts(6);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let path = format!("/instances/{}", made.id);
    let patch = json!({"configuration": {"event.poller.configuration": {"accounts": {"url": "/hubs/crm/contacts"}}}});
    let (status, answer) = stage.call(Method::PATCH, &path, Some(patch)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    stage
        .polls_until(made.id, |polls| {
            polls[0]["baselined"] == true && polls[0]["last"]["records"] == 6
        })
        .await;
    let good = stage.next_good_poll(made.id).await;
    assert_eq!(
        good["nextSequence"], 1,
        "no contact was taken for a changed account: {good}"
    );
    assert!(stage.receiver.received().is_empty());
}
