//! Zones, credentials, limits and the vendor's ways to say no.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tidegate_examples::autotask::{Credentials, SimulatorOptions};

use crate::vendor::{Vendor, everything, read, signed};

async fn with(vendor: &Vendor, change: impl FnOnce(&mut Credentials)) -> (StatusCode, Value) {
    let mut credentials = Credentials::default();
    change(&mut credentials);
    read(
        signed(vendor.client.get(vendor.url("Version")), &credentials)
            .send()
            .await
            .unwrap(),
    )
    .await
}

#[tokio::test]
async fn the_zone_is_told_without_credentials_and_in_any_case_of_the_path() {
    let vendor = Vendor::with_companies(0).await;
    let base = vendor.simulator.base_url();
    for path in [
        "atservicesrest/v1.0/zoneInformation",
        "ATServicesRest/V1.0/ZoneInformation",
    ] {
        let url = format!("{base}/{path}?user=API.user%40simulated.example");
        let (status, zone) = read(vendor.client.get(url).send().await.unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(zone["url"], format!("{base}/atservicesrest/"));
        assert_eq!(zone["ci"], 30049);
    }
    let url = format!("{base}/atservicesrest/v1.0/zoneInformation?user=nobody");
    let (status, body) = read(vendor.client.get(url).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body, json!({"errors": ["Zone information could not be determined"]}));
    let (_, versions) = read(
        vendor
            .client
            .get(format!("{base}/atservicesrest/versioninformation"))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(versions["apiVersions"], json!(["V1.0", "V2.0"]));
    let v2 = vendor
        .client
        .get(format!("{base}/atservicesrest/V2.0/zoneInformation?user=x"))
        .send()
        .await
        .unwrap();
    assert_eq!(v2.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn outside_the_zone_of_the_user_data_calls_are_refused() {
    let vendor = Vendor::start(SimulatorOptions {
        zone_path: Some("zone7".into()),
        ..SimulatorOptions::default()
    })
    .await;
    let base = vendor.simulator.base_url();
    let zone = vendor
        .client
        .get(vendor.url("zoneInformation?user=api.user@simulated.example"))
        .send()
        .await
        .unwrap();
    let (_, zone) = read(zone).await;
    assert_eq!(zone["url"], format!("{base}/zone7/atservicesrest/"));
    assert_eq!(
        vendor.get(&vendor.url("Version")).send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let inside = vendor
        .get(&format!("{base}/zone7/atservicesrest/v1.0/Version"))
        .send()
        .await
        .unwrap();
    assert_eq!(inside.status(), StatusCode::OK);
    vendor.control.configure(|settings| settings.wrong_zone = true);
    let moved = vendor
        .get(&format!("{base}/zone7/atservicesrest/v1.0/Version"))
        .send()
        .await
        .unwrap();
    assert_eq!(moved.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn each_wrong_credential_is_refused_in_its_own_way() {
    let vendor = Vendor::with_companies(0).await;
    assert_eq!(with(&vendor, |_| {}).await.0, StatusCode::OK);
    let wrong_secret = with(&vendor, |credentials| credentials.secret = "wrong".into()).await;
    assert_eq!(wrong_secret, (StatusCode::UNAUTHORIZED, json!("")));
    let error = |text: &str| (StatusCode::INTERNAL_SERVER_ERROR, json!({"errors": [text]}));
    let wrong_user = with(&vendor, |credentials| credentials.user_name = "nobody".into()).await;
    assert_eq!(wrong_user, error("Zone information could not be determined"));
    for code in ["", "WRONG"] {
        let wrong_code = with(&vendor, |credentials| credentials.integration_code = code.into()).await;
        assert_eq!(wrong_code, error("IntegrationCode is invalid."));
    }
    vendor
        .control
        .configure(|settings| settings.bad_code_is_unauthorized = true);
    let wrong_code = with(&vendor, |credentials| credentials.integration_code = "WRONG".into()).await;
    assert_eq!(wrong_code, (StatusCode::UNAUTHORIZED, json!("")));
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let vendor = Vendor::with_companies(1).await;
    let get = async |path: &str| read(vendor.get(&vendor.url(path)).send().await.unwrap()).await;
    assert_eq!(get("Companies/999999").await, (StatusCode::OK, json!({"item": null})));
    assert_eq!(get("Companies/0").await.1["item"]["id"], 0);
    assert_eq!(get("Companies").await.0, StatusCode::METHOD_NOT_ALLOWED);
    let (status, body) = get("Nonsense/query").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body["Message"].is_string());
    let (status, body) = vendor.query("Companies", json!({"MaxRecords": 5})).await;
    assert_eq!(
        (status, body["errors"].is_array()),
        (StatusCode::INTERNAL_SERVER_ERROR, true)
    );
    let (_, fields) = get("Tickets/entityInformation/fields").await;
    let creator_type = fields["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["name"] == "creatorType")
        .unwrap();
    assert_eq!(creator_type["isQueryable"], false);
    assert_eq!(
        get("Companies/entityInformation").await.1["info"]["supportsWebhookCallouts"],
        true
    );
}

#[tokio::test]
async fn a_fourth_call_at_the_same_time_is_refused_and_another_entity_is_not() {
    let vendor = Vendor::with_companies(1).await;
    vendor
        .control
        .configure(|settings| settings.latency = Duration::from_millis(400));
    let query = |entity: &str| {
        vendor
            .post(
                &vendor.url(&format!("{entity}/query")),
                &json!({"filter": everything()}),
            )
            .send()
    };
    let (a, b, c, d, other) = tokio::join!(
        query("Companies"),
        query("companies"),
        query("Companies"),
        query("COMPANIES"),
        query("Contacts")
    );
    let answers = [a, b, c, d].map(|answer| answer.unwrap());
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS)
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].headers()["retry-after"], "1");
    assert_eq!(other.unwrap().status(), StatusCode::OK);
    for answer in answers {
        let (status, body) = read(answer).await;
        if status != StatusCode::OK {
            assert!(
                body["errors"][0]
                    .as_str()
                    .unwrap()
                    .contains("thread threshold of 3 threads has been exceeded"),
                "{body}"
            );
        }
    }
}

#[tokio::test]
async fn the_hourly_count_is_told_and_enforced() {
    let vendor = Vendor::with_companies(0).await;
    vendor.control.set_usage(9_998);
    let (_, threshold) = read(vendor.get(&vendor.url("ThresholdInformation")).send().await.unwrap()).await;
    assert_eq!(
        threshold,
        json!({"externalRequestThreshold": 10_000, "requestThresholdTimeframe": 60, "currentTimeframeRequestCount": 9_999})
    );
    let statuses = [
        vendor.get(&vendor.url("Version")).send().await.unwrap().status(),
        vendor.get(&vendor.url("Version")).send().await.unwrap().status(),
    ];
    assert_eq!(statuses, [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
}
