//! Every fault, as a client meets it.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tidegate_examples::autotask::{Fault, FaultKind};

use crate::vendor::{Vendor, everything, ids_of, read};

async fn broken(vendor: &Vendor, kind: FaultKind) -> reqwest::Result<(StatusCode, String)> {
    vendor.control.set_fault(Fault::next(kind).on("companies/query"));
    let query = vendor.post(&vendor.url("Companies/query"), &json!({"filter": everything()}));
    let answer = query.timeout(Duration::from_secs(2)).send().await?;
    Ok((answer.status(), answer.text().await?))
}

async fn broken_json(vendor: &Vendor, kind: FaultKind) -> Value {
    let (status, text) = broken(vendor, kind).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn answers_can_be_replaced() {
    let vendor = Vendor::with_companies(3).await;
    let status = FaultKind::Status {
        code: 502,
        body: "<html>".into(),
    };
    assert_eq!(
        broken(&vendor, status).await.unwrap(),
        (StatusCode::BAD_GATEWAY, "<html>".into())
    );
    assert_eq!(
        broken(&vendor, FaultKind::EmptyBody).await.unwrap(),
        (StatusCode::OK, String::new())
    );
    let (status, text) = broken(&vendor, FaultKind::NotJson).await.unwrap();
    assert!(status == StatusCode::OK && text.starts_with("<!DOCTYPE"));
    let (_, text) = broken(&vendor, FaultKind::Huge { bytes: 3_000_000 }).await.unwrap();
    assert!(text.len() > 3_000_000 && serde_json::from_str::<Value>(&text).is_ok());
    // The faults are used up.
    let (status, page) = vendor.query("Companies", json!({"filter": everything()})).await;
    assert_eq!((status, ids_of(&page).len()), (StatusCode::OK, 4));
}

#[tokio::test]
async fn answers_can_be_cut_delayed_and_withheld() {
    let vendor = Vendor::with_companies(3).await;
    let (status, text) = broken(&vendor, FaultKind::TruncatedBody).await.unwrap();
    assert!(
        status == StatusCode::OK && serde_json::from_str::<Value>(&text).is_err() && text.starts_with("{\"items\":[{")
    );
    let cut = broken(&vendor, FaultKind::CutConnection).await.unwrap_err();
    // The status and half of the body came.
    assert!(cut.is_body() || cut.is_decode(), "{cut:?}");
    let reset = broken(&vendor, FaultKind::Reset).await.unwrap_err();
    assert!(reset.is_request() && !reset.is_timeout(), "{reset:?}");
    assert!(broken(&vendor, FaultKind::Hang).await.unwrap_err().is_timeout());
    let began = std::time::Instant::now();
    assert_eq!(
        broken(&vendor, FaultKind::Slow { millis: 150 }).await.unwrap().0,
        StatusCode::OK
    );
    assert!(began.elapsed() >= Duration::from_millis(150));
    // A call that was given up no longer counts as a thread.
    assert_eq!(
        vendor.query("Companies", json!({"filter": everything()})).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_rate_limit_names_its_time_in_either_form() {
    let vendor = Vendor::with_companies(0).await;
    for form in [Some("120"), Some("Wed, 30 Aug 2017 19:19:29 GMT"), None] {
        vendor.control.set_fault(Fault::next(FaultKind::RateLimited {
            retry_after: form.map(str::to_owned),
        }));
        let answer = vendor.get(&vendor.url("Version")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(
            answer.headers().get("retry-after").map(|value| value.to_str().unwrap()),
            form
        );
    }
}

#[tokio::test]
async fn pages_can_lie() {
    let vendor = Vendor::with_companies(700).await;
    let page = broken_json(&vendor, FaultKind::WrongCount { count: 7 }).await;
    assert_eq!((&page["pageDetails"]["count"], ids_of(&page).len()), (&json!(7), 500));
    let page = broken_json(&vendor, FaultKind::EmptyPage).await;
    assert!(ids_of(&page).is_empty() && page["pageDetails"]["nextPageUrl"].is_null());
    let page = broken_json(&vendor, FaultKind::NoNextPage).await;
    assert!(ids_of(&page).len() == 500 && page["pageDetails"]["nextPageUrl"].is_null());
    let page = broken_json(&vendor, FaultKind::RepeatPage).await;
    let next = page["pageDetails"]["nextPageUrl"].as_str().unwrap();
    let (_, again) = read(
        vendor
            .post(next, &json!({"filter": everything()}))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(ids_of(&again), ids_of(&page));
    vendor.control.set_fault(Fault::next(FaultKind::IgnoreFilter));
    let nothing = json!([{"op": "lt", "field": "id", "value": 0}]);
    assert_eq!(
        vendor.query("Companies", json!({"filter": nothing})).await.1["pageDetails"]["count"],
        500
    );
}

#[tokio::test]
async fn rows_can_vanish_and_change_shape() {
    let vendor = Vendor::with_companies(400).await;
    vendor
        .control
        .set_fault(Fault::always(FaultKind::HideRows { percent: 40 }));
    let shown = vendor.ids("Companies", &everything()).await;
    assert!((180..300).contains(&shown.len()), "{}", shown.len());
    assert_eq!(vendor.ids("Companies", &everything()).await, shown);
    assert_eq!(vendor.count("Companies", &everything()).await, shown.len());
    let hidden = vendor
        .control
        .ids("Companies")
        .into_iter()
        .find(|id| !shown.contains(id))
        .unwrap();
    let (_, item) = read(
        vendor
            .get(&vendor.url(&format!("Companies/{hidden}")))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(item, json!({"item": null}));
    vendor.control.clear_faults();
    let page = broken_json(
        &vendor,
        FaultKind::DropField {
            name: "lastActivityDate".into(),
        },
    )
    .await;
    assert!(page["items"][0].get("lastActivityDate").is_none());
    let page = broken_json(
        &vendor,
        FaultKind::SetField {
            name: "createDate".into(),
            value: json!(5),
        },
    )
    .await;
    assert_eq!(page["items"][0]["createDate"], 5);
}
