//! Vendors that answer badly, slowly or not at all: the poll fails with the reason in its status, the watermark stays,
//! the next poll tries again, and nobody else feels it.

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_examples::autotask::{Fault, FaultKind, Simulator, SimulatorOptions};

use crate::support::{SOON, Stage, distinct};

#[tokio::test]
async fn a_bad_answer_fails_the_poll_and_costs_no_event() {
    let stage = Stage::with(&["--vendor-timeout", "1s"]).await;
    stage.vendor().seed_companies(5);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let id = stage.vendor().ids("Companies")[1];
    let table = [
        (FaultKind::EmptyBody, "empty"),
        (FaultKind::TruncatedBody, ""),
        (FaultKind::CutConnection, ""),
        (FaultKind::NotJson, ""),
        (FaultKind::Huge { bytes: 9_000_000 }, "8388608"),
        (FaultKind::Slow { millis: 3_000 }, "1 s"),
        (FaultKind::Reset, ""),
        (
            FaultKind::Status {
                code: 500,
                body: "{\"errors\":[\"Something went wrong\"]}".into(),
            },
            "Something went wrong",
        ),
        (
            FaultKind::Status {
                code: 502,
                body: "<html>Bad gateway</html>".into(),
            },
            "502",
        ),
        (
            FaultKind::RateLimited {
                retry_after: Some("1".into()),
            },
            "",
        ),
    ];
    for (round, (kind, words)) in table.into_iter().enumerate() {
        stage.polls_until(made.id, |polls| polls[0]["failures"] == 0).await;
        stage.vendor().set_fault(Fault::always(kind.clone()).on("query"));
        let before = stage
            .polls_until(made.id, |polls| polls[0]["last"]["outcome"] == "failed")
            .await
            .remove(0);
        stage
            .vendor()
            .update("Companies", id, json!({"phone": round.to_string()}))
            .unwrap();
        let failed = stage
            .polls_until(made.id, |polls| {
                polls[0]["failures"].as_u64() > before["failures"].as_u64()
            })
            .await
            .remove(0);
        let error = failed["last"]["error"].as_str().unwrap();
        assert!(!error.is_empty() && error.contains(words), "{kind:?}: {error}");
        assert!(
            failed["last"]["code"].as_str().is_some_and(|code| !code.is_empty()),
            "{failed}"
        );
        assert_eq!(
            failed["watermark"], before["watermark"],
            "{kind:?}: the watermark moved in a poll that failed"
        );
        stage.vendor().clear_faults();
        let events = stage.receiver.wait_for(round + 1, SOON).await.unwrap();
        assert_eq!(events.len(), round + 1, "{kind:?}");
        assert!(
            events
                .iter()
                .all(|event| event.event_type == "UPDATED" && event.object_id == id.to_string())
        );
    }
}

#[tokio::test]
async fn a_page_that_fails_in_the_middle_truncates_nothing() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(1_300);
    let fault = FaultKind::Status {
        code: 503,
        body: String::new(),
    };
    // The check asks nothing of Companies: the third query is the third page of the first poll.
    stage
        .vendor()
        .set_fault(Fault::next(fault).on("Companies/query").nth(3));
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let ids = stage.vendor().ids("Companies");
    assert_eq!(ids.len(), 1_301);
    for id in [ids[1], ids[1_300]] {
        stage.vendor().update("Companies", id, json!({"phone": "1"})).unwrap();
    }
    let events = stage.receiver.wait_for(2, SOON).await.unwrap();
    let mut expected = vec![
        ("UPDATED".into(), ids[1].to_string()),
        ("UPDATED".into(), ids[1_300].to_string()),
    ];
    expected.sort();
    assert_eq!(distinct(&events), expected);
    assert_eq!(stage.next_good_poll(made.id).await["last"]["events"], 0);
}

#[tokio::test]
async fn one_vendor_that_hangs_holds_up_no_other() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(3);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let hanging = Simulator::start(SimulatorOptions::default()).await.unwrap();
    hanging.control().set_fault(Fault::always(FaultKind::Hang).on("query"));
    let mut body = stage.body(json!({"crm.autotask.server.url": hanging.base_url()}));
    for name in 0..4 {
        body["name"] = Value::from(format!("hanging {name}"));
        // Unchecked: a check would wait for the vendor too.
        let (status, answer) = stage
            .call(Method::POST, "/instances?validate=false", Some(body.clone()))
            .await;
        assert!(status.is_success(), "{answer}");
    }
    hanging
        .control()
        .wait_for_requests(SOON, |requests| requests.iter().any(|request| request.is_on("query")))
        .await;
    let id = stage.vendor().ids("Companies")[1];
    stage.vendor().update("Companies", id, json!({"phone": "1"})).unwrap();
    let events = stage.receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(events[0].object_id, id.to_string());
    let polls = stage.polls_until(made.id, |_| true).await;
    assert_eq!(polls[0]["last"]["outcome"], "succeeded");
}

#[tokio::test]
async fn refused_credentials_say_so_and_recover_when_they_are_mended() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(3);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    stage
        .vendor()
        .configure(|settings| settings.credentials[0].secret = "rotated".into());
    let failed = stage
        .polls_until(made.id, |polls| polls[0]["last"]["outcome"] == "failed")
        .await
        .remove(0);
    let error = failed["last"]["error"].as_str().unwrap();
    assert!(
        error.contains("crm.autotask.password") || error.contains("credential"),
        "{error}"
    );
    let id = stage.vendor().ids("Companies")[1];
    stage.vendor().update("Companies", id, json!({"phone": "1"})).unwrap();
    let path = format!("/instances/{}", made.id);
    let patch = json!({"configuration": {"crm.autotask.password": "rotated"}});
    let (status, answer) = stage.call(Method::PATCH, &path, Some(patch)).await;
    assert!(status.is_success(), "{answer}");
    let events = stage.receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(distinct(&events), [("UPDATED".to_owned(), id.to_string())]);
    assert!(!stage.log().contains("rotated"), "a secret reached the log");
}

#[tokio::test]
async fn snapshot_tells_what_exists_and_baseline_does_not() {
    let stage = Stage::new().await;
    let ids = stage.vendor().seed_companies(12);
    let body = stage.body(json!({"event.poller.first_sight": "snapshot"}));
    stage.create_and_baseline(&body.to_string()).await;
    // Twelve, and the tenant's own company 0.
    let events = stage.receiver.wait_for(13, SOON).await.unwrap();
    assert!(events.iter().all(|event| event.event_type == "CREATED"));
    let mut expected: Vec<_> = ids
        .iter()
        .chain(&[0])
        .map(|id| ("CREATED".to_owned(), id.to_string()))
        .collect();
    expected.sort();
    assert_eq!(distinct(&events), expected);
    let sizes: Vec<_> = stage.receiver.received().iter().map(|post| post.events.len()).collect();
    assert!(sizes.iter().all(|size| *size <= 10), "{sizes:?}");
}
