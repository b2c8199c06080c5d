//! A user's reads of hub resources: the same element run that a poll drives.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Made, Stage};

impl Stage {
    async fn read(&self, made: &Made, path: &str) -> (StatusCode, Value) {
        self.gateway
            .call(Method::GET, path, &self.gateway.bearer(&made.token), None)
            .await
            .unwrap()
    }
}

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn a_collection_is_filtered_and_paged() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(23);
    stage
        .vendor()
        .create("Companies", json!({"companyName": "Example Ltd"}))
        .unwrap();
    let made = stage
        .create(&stage.body(json!({"event.notification.enabled": false})).to_string())
        .await;

    let (status, found) = stage
        .read(
            &made,
            &format!("/hubs/crm/accounts?where={}", encode("accountName='Example Ltd'")),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["accountName"], "Example Ltd");

    let mut seen = BTreeSet::new();
    let mut next: Option<String> = None;
    let client = tidegate_examples::http::client();
    for _ in 0..10 {
        let token = next.take().map_or_else(String::new, |next| format!("&nextPage={next}"));
        let url = format!(
            "{}/elements/api-v2/hubs/anything/accounts?pageSize=10{token}",
            stage.gateway.base_url()
        );
        let answer = client
            .get(url)
            .header("authorization", stage.gateway.bearer(&made.token))
            .send()
            .await
            .unwrap();
        let header = |name: &str| {
            answer
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        next = header("elements-next-page-token");
        let count: usize = header("elements-returned-count").unwrap().parse().unwrap();
        let rows: Vec<Value> = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(rows.len(), count);
        assert!(rows.len() <= 10);
        for row in rows {
            assert!(seen.insert(row["id"].as_i64().unwrap()), "{} came twice", row["id"]);
        }
        if next.is_none() {
            break;
        }
    }
    // 23 seeded, one made, and the tenant's own company 0.
    assert_eq!(seen.len(), 25);
}

#[tokio::test]
async fn one_record_is_read_by_its_id() {
    let stage = Stage::new().await;
    let id = stage
        .vendor()
        .create("Companies", json!({"companyName": "Example Ltd"}))
        .unwrap();
    let made = stage
        .create(&stage.body(json!({"event.notification.enabled": false})).to_string())
        .await;
    let (status, record) = stage.read(&made, &format!("/hubs/crm/accounts/{id}")).await;
    assert_eq!(
        (status, &record["accountName"]),
        (StatusCode::OK, &json!("Example Ltd"))
    );
    let (status, answer) = stage.read(&made, "/hubs/crm/accounts/999999").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
}

#[tokio::test]
async fn every_other_entity_is_read_by_its_own_name() {
    let stage = Stage::new().await;
    stage
        .vendor()
        .create("Projects", json!({"projectName": "Apollo"}))
        .unwrap();
    let made = stage
        .create(&stage.body(json!({"event.notification.enabled": false})).to_string())
        .await;
    let (status, found) = stage.read(&made, "/hubs/crm/Projects").await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found[0]["projectName"], "Apollo");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_reason() {
    let stage = Stage::new().await;
    let made = stage
        .create(&stage.body(json!({"event.notification.enabled": false})).to_string())
        .await;
    let table = [
        (
            "/hubs/crm/accounts?where=accountName%20%7E%20'x'",
            StatusCode::BAD_REQUEST,
            "where",
        ),
        ("/hubs/crm/accounts?pageSize=none", StatusCode::BAD_REQUEST, "pageSize"),
        ("/hubs/crm/accounts?nextPage=abc", StatusCode::BAD_REQUEST, "nextPage"),
    ];
    for (path, expected, word) in table {
        let (status, answer) = stage.read(&made, path).await;
        assert_eq!(status, expected, "{path}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{path}: {answer}");
    }
    let wrong = stage.gateway.bearer("wrong-token");
    let (status, _) = stage
        .gateway
        .call(Method::GET, "/hubs/crm/accounts", &wrong, None)
        .await
        .unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    stage
        .call(Method::DELETE, &format!("/instances/{}/enabled", made.id), None)
        .await;
    assert_eq!(stage.read(&made, "/hubs/crm/accounts").await.0, StatusCode::FORBIDDEN);
    stage
        .call(Method::PUT, &format!("/instances/{}/enabled", made.id), None)
        .await;
    assert_eq!(stage.read(&made, "/hubs/crm/accounts").await.0, StatusCode::OK);
    stage
        .call(Method::DELETE, &format!("/instances/{}", made.id), None)
        .await;
    assert_eq!(
        stage.read(&made, "/hubs/crm/accounts").await.0,
        StatusCode::UNAUTHORIZED
    );
}
