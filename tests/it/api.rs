//! The REST edge: what is refused, and how; what never comes back.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Stage;

fn with(mut body: Value, path: &str, value: Value) -> Value {
    *body.pointer_mut(path).unwrap_or_else(|| panic!("{path} in the body")) = value;
    body
}

#[tokio::test]
async fn a_bad_body_is_refused_by_the_name_of_its_field_and_nothing_is_stored() {
    let stage = Stage::new().await;
    let good = stage.body(json!({}));
    let set = |key: &str, value: Value| {
        let mut body = good.clone();
        body["configuration"][key] = value;
        body.to_string()
    };
    let poller = |settings: Value| set("event.poller.configuration", json!({"accounts": settings}));
    let url = |url: &str| poller(json!({"url": url}));
    const POLLER: &str = "event.poller.configuration.accounts";
    let table: Vec<(String, StatusCode, &str)> = vec![
        (String::new(), StatusCode::BAD_REQUEST, "empty"),
        ("{".into(), StatusCode::BAD_REQUEST, "not JSON"),
        ("[]".into(), StatusCode::BAD_REQUEST, "body"),
        (
            with(good.clone(), "/element/key", json!("nosuch")).to_string(),
            StatusCode::NOT_FOUND,
            "nosuch",
        ),
        (
            with(good.clone(), "/name", json!(7)).to_string(),
            StatusCode::BAD_REQUEST,
            "name",
        ),
        (
            set("crm.autotask.username", json!("<AUTOTASK_USERNAME>")),
            StatusCode::BAD_REQUEST,
            "crm.autotask.username",
        ),
        (
            set("crm.autotask.username", json!(null)),
            StatusCode::BAD_REQUEST,
            "crm.autotask.username",
        ),
        (
            set("crm.autotask.server.url", json!("nowhere")),
            StatusCode::BAD_REQUEST,
            "crm.autotask.server.url",
        ),
        (
            set("event.notification.enabled", json!("maybe")),
            StatusCode::BAD_REQUEST,
            "event.notification.enabled",
        ),
        (
            set("event.notification.callback.url", json!("x")),
            StatusCode::BAD_REQUEST,
            "event.notification.callback.url",
        ),
        (
            set("event.poller.refresh_interval", json!("soon")),
            StatusCode::BAD_REQUEST,
            "event.poller.refresh_interval",
        ),
        (
            set("event.poller.configuration", json!("{")),
            StatusCode::BAD_REQUEST,
            "event.poller.configuration",
        ),
        (url("nowhere?"), StatusCode::BAD_REQUEST, POLLER),
        (
            url("/hubs/crm/accounts?where=noSuchField=1"),
            StatusCode::BAD_REQUEST,
            "noSuchField",
        ),
        (
            url("/hubs/crm/accounts?where=a>'${date:bbb}'"),
            StatusCode::BAD_REQUEST,
            POLLER,
        ),
        (
            url("/hubs/crm/accounts?where=a>'${dateTimeZone:Mars:yyyy}'"),
            StatusCode::BAD_REQUEST,
            "Mars",
        ),
        (url("/hubs/crm/accounts?where=(a>1"), StatusCode::BAD_REQUEST, POLLER),
        (url("/hubs/crm/no such thing"), StatusCode::BAD_REQUEST, POLLER),
        (
            poller(json!({"url": "/hubs/crm/accounts", "pageSize": "many"})),
            StatusCode::BAD_REQUEST,
            "pageSize",
        ),
        ("x".repeat(1024 * 1024 + 1), StatusCode::PAYLOAD_TOO_LARGE, "1048576"),
    ];
    for (body, expected, word) in table {
        let short = shorten(&body);
        let (status, answer) = stage
            .gateway
            .call(Method::POST, "/instances", &stage.gateway.owner(), Some(body))
            .await
            .unwrap();
        let message = answer["message"].as_str().unwrap_or_default();
        assert_eq!(status, expected, "{short}: {answer}");
        assert!(message.contains(word), "{short}: {message:?} does not name {word}");
        let id = answer["requestId"].as_str().unwrap();
        assert!(id.len() == 24 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    }
    assert_eq!(
        stage.gateway.expect(Method::GET, "/instances", None).await.unwrap(),
        json!([])
    );
}

#[tokio::test]
async fn wrong_credentials_of_the_vendor_are_found_at_creation_unless_told_not_to_look() {
    let stage = Stage::new().await;
    let body = stage.body(json!({"crm.autotask.password": "wrong-password"}));
    let (status, answer) = stage.call(Method::POST, "/instances", Some(body.clone())).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{answer}");
    assert!(answer["providerMessage"].is_string(), "{answer}");
    assert!(!answer.to_string().contains("wrong-password"));
    assert_eq!(
        stage.gateway.expect(Method::GET, "/instances", None).await.unwrap(),
        json!([])
    );
    let (status, _) = stage.call(Method::POST, "/instances?validate=false", Some(body)).await;
    assert_eq!(status, StatusCode::OK);
    let unreachable = stage.body(json!({"crm.autotask.server.url": "http://127.0.0.1:9"}));
    let (status, answer) = stage.call(Method::POST, "/instances", Some(unreachable)).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{answer}");
}

#[tokio::test]
async fn every_call_needs_the_secrets() {
    let stage = Stage::new().await;
    let table = [
        ("", "Authorization"),
        ("User demo-user-secret", "Organization"),
        ("User wrong, Organization demo-organization-secret", "user secret"),
        ("User demo-user-secret, Organization wrong", "organization secret"),
        ("Bearer demo-user-secret", "unknown part"),
        ("User demo-user-secret, Element wrong", "Organization"),
    ];
    for path in [
        "/instances",
        "/elements",
        "/elements/autotaskcrm",
        "/elements/api-v2/instances/1",
        "/instances/1/polls",
    ] {
        for (authorization, _) in table {
            let (status, answer) = stage
                .gateway
                .call(Method::GET, path, authorization, None)
                .await
                .unwrap();
            assert_eq!(
                status,
                StatusCode::UNAUTHORIZED,
                "{path} with {authorization:?}: {answer}"
            );
            assert!(answer["message"].is_string() && answer["requestId"].is_string());
            // A success, without which so many failures would lock this machine out.
            stage.gateway.expect(Method::GET, "/instances", None).await.unwrap();
        }
    }
    for (authorization, word) in table {
        let (_, answer) = stage
            .gateway
            .call(Method::GET, "/instances", authorization, None)
            .await
            .unwrap();
        assert!(
            answer["message"].as_str().unwrap().contains(word),
            "{authorization:?}: {answer}"
        );
    }
    let (status, _) = stage.gateway.call(Method::GET, "/health", "", None).await.unwrap();
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn an_instance_is_read_changed_switched_and_removed() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(2);
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let path = format!("/instances/{}", made.id);
    let own = stage.gateway.bearer(&made.token);

    let (status, read) = stage.gateway.call(Method::GET, &path, &own, None).await.unwrap();
    assert_eq!((status, &read["name"]), (StatusCode::OK, &made.answer["name"]));
    assert_eq!(read["token"], "********", "the token is shown once");
    assert_eq!(read["configuration"]["event.notification.signature.key"], "********");
    assert!(
        read["configuration"]["event.poller.configuration"].is_string(),
        "objects are answered as JSON in a string"
    );

    let (status, changed) = stage
        .call(
            Method::PATCH,
            &path,
            Some(json!({"name": "<b>New</b> name", "tags": ["a", "b"]})),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(
        (&changed["name"], &changed["tags"]),
        (&json!("New name"), &json!(["a", "b"]))
    );
    let found = stage
        .gateway
        .expect(Method::GET, "/instances?searchText=new&tags[]=a", None)
        .await
        .unwrap();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(
        stage.call(Method::GET, "/instances?tags[]=nosuch", None).await.0,
        StatusCode::NOT_FOUND
    );

    let (_, off) = stage.call(Method::DELETE, &format!("{path}/enabled"), None).await;
    assert_eq!(off["disabled"], true);
    let (status, answer) = stage.call(Method::POST, &format!("{path}/polls"), None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let (_, on) = stage.call(Method::PUT, &format!("{path}/enabled"), None).await;
    assert_eq!(on["disabled"], false);
    assert_eq!(
        stage.call(Method::POST, &format!("{path}/polls"), None).await.0,
        StatusCode::ACCEPTED
    );

    let put = stage.body(json!({"event.poller.refresh_interval": "60"}));
    let (status, answer) = stage.call(Method::PUT, &path, Some(put)).await;
    assert_eq!(
        (status, &answer["configuration"]["event.poller.refresh_interval"]),
        (StatusCode::OK, &json!("60"))
    );

    assert_eq!(stage.call(Method::DELETE, &path, None).await.0, StatusCode::OK);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(stage.call(method, &path, None).await.0, StatusCode::NOT_FOUND);
    }
    let (status, _) = stage.gateway.call(Method::GET, &path, &own, None).await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn elements_are_listed_at_the_root_and_under_the_old_path() {
    let stage = Stage::new().await;
    for prefix in ["", "/elements/api-v2"] {
        let list = stage
            .gateway
            .expect(Method::GET, &format!("{prefix}/elements"), None)
            .await
            .unwrap();
        assert_eq!(list[0]["key"], "autotaskcrm");
        let metadata = stage
            .gateway
            .expect(Method::GET, &format!("{prefix}/elements/autotaskcrm/metadata"), None)
            .await
            .unwrap();
        assert_eq!(metadata["events"]["methods"], json!(["polling"]));
        assert!(metadata["manifest"]["resources"].as_array().unwrap().len() >= 5);
        let (status, answer) = stage
            .call(Method::GET, &format!("{prefix}/elements/nosuch"), None)
            .await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(answer["message"].as_str().unwrap().contains("autotaskcrm"), "{answer}");
    }
    assert_eq!(stage.call(Method::GET, "/nosuch", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        stage.call(Method::DELETE, "/elements", None).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn no_secret_reaches_the_log_or_lies_in_plain_text_on_the_disk() {
    let mut stage = Stage::with(&["--log", "trace"]).await;
    stage.vendor().seed_companies(2);
    // A credential under a name that no manifest knows, and headers that hold one.
    let stray =
        json!({"password": "stray-credential", "event.notification.callback.headers": "Authorization: stray-header"});
    let made = stage.create_and_baseline(&stage.body(stray).to_string()).await;
    let (_, read) = stage.call(Method::GET, &format!("/instances/{}", made.id), None).await;
    assert!(!read.to_string().contains("stray-"), "{read}");
    let id = stage.vendor().ids("Companies")[1];
    stage.vendor().update("Companies", id, json!({"phone": "1"})).unwrap();
    stage.receiver.wait_for(1, crate::support::SOON).await.unwrap();
    let values = stage.seed_values();
    let secrets = [
        values.password,
        "stray-credential".to_owned(),
        "stray-header".to_owned(),
        values.integration_code.unwrap(),
        crate::support::KEY.to_owned(),
        made.token.clone(),
    ];
    let directory = stage.directory.path().to_owned();
    let log = stage.log();
    stage.gateway.stop(std::time::Duration::from_secs(10)).await.unwrap();
    let mut files = vec![directory];
    let mut read = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        read += bytes.len();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(
                !found,
                "a secret of {} characters stands in {}",
                secret.len(),
                path.display()
            );
        }
    }
    assert!(
        read > 10_000 && log.contains("poll done"),
        "the log and the store were looked at"
    );
}

/// The end of a body, where its poller is.
fn shorten(body: &str) -> String {
    let chars: Vec<char> = body.chars().collect();
    chars[chars.len().saturating_sub(250)..].iter().collect()
}

#[tokio::test]
async fn a_poll_on_demand_does_not_wait_and_its_events_are_listed_page_by_page() {
    let stage = Stage::new().await;
    stage.vendor().seed_companies(30);
    let body = stage.body(json!({"event.poller.refresh_interval": 600}));
    let made = stage.create_and_baseline(&body.to_string()).await;
    let ids = stage.vendor().ids("Companies");
    for id in &ids[1..=25] {
        stage.vendor().update("Companies", *id, json!({"phone": "1"})).unwrap();
    }
    let (status, polls) = stage
        .call(Method::POST, &format!("/instances/{}/polls", made.id), None)
        .await;
    assert_eq!(
        (status, &polls[0]["resource"]),
        (StatusCode::ACCEPTED, &json!("accounts"))
    );
    stage.receiver.wait_for(25, crate::support::SOON).await.unwrap();

    let path = format!("/instances/{}/events", made.id);
    let delivered = |rows: &Value| {
        rows.as_array()
            .is_some_and(|rows| rows.iter().all(|row| row["status"] == "NOTIFIED"))
    };
    let mut rows = Value::Null;
    // The last answer may not be written down yet.
    for _ in 0..200 {
        rows = stage.gateway.expect(Method::GET, &path, None).await.unwrap();
        if delivered(&rows) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(delivered(&rows), "{rows:#}");
    let sequences = |rows: &Value| -> Vec<u64> {
        let events = rows
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row["events"].as_array().unwrap());
        events.map(|event| event["sequence"].as_u64().unwrap()).collect()
    };
    let all = sequences(&rows);
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert_eq!((all.len(), all.first()), (25, Some(&21)), "newest first");

    let mut paged = Vec::new();
    let mut next = Some(String::new());
    let client = tidegate_examples::http::client();
    while let Some(token) = next {
        let url = format!("{}{path}?pageSize=1&nextPage={token}", stage.gateway.base_url());
        let answer = client
            .get(url)
            .header("authorization", stage.gateway.owner())
            .send()
            .await
            .unwrap();
        next = answer
            .headers()
            .get("elements-next-page-token")
            .map(|token| token.to_str().unwrap().to_owned());
        let rows: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(rows.as_array().unwrap().len(), 1);
        paged.extend(sequences(&rows));
    }
    assert_eq!(paged, all);
}
