//! HubSpot from end to end: both ways to log in, searches, limits and reads by a user, against the simulated vendor.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidegate_examples::hubspot::{Client, Control, HUB_ID, Limit, PRIVATE_APP_TOKEN, Simulator, SimulatorOptions};

use crate::support::{KEY, Made, SOON, Stage, distinct};

struct HubSpot {
    stage: Stage,
    simulator: Simulator,
}

impl HubSpot {
    async fn new() -> Self {
        Self::with(SimulatorOptions::default()).await
    }

    async fn with(options: SimulatorOptions) -> Self {
        Self {
            stage: Stage::new().await,
            simulator: Simulator::start(options).await.unwrap(),
        }
    }

    fn vendor(&self) -> Control {
        self.simulator.control()
    }

    /// An instance that polls contacts, with `configuration` over the defaults.
    fn body(&self, configuration: Value) -> Value {
        let mut body = json!({
            "element": {"key": "hubspotcrm"},
            "name": "HubSpot",
            "configuration": {
                "crm.hubspot.hub.id": HUB_ID,
                "crm.hubspot.url": self.simulator.base_url(),
                "event.notification.enabled": true,
                "event.notification.callback.url": format!("{}/callback", self.stage.receiver.base_url()),
                "event.notification.signature.key": KEY,
                "event.poller.refresh_interval": "0.02",
                "event.poller.configuration": {"contacts": {"url": "/hubs/crm/contacts"}},
            },
        });
        for (key, value) in configuration.as_object().into_iter().flatten() {
            body["configuration"][key] = value.clone();
        }
        body
    }

    fn with_token(&self) -> Value {
        self.body(json!({"crm.hubspot.token": PRIVATE_APP_TOKEN}))
    }

    fn with_oauth2(&self) -> Value {
        self.body(json!({
            "crm.hubspot.client.id": Client::ID,
            "crm.hubspot.client.secret": Client::SECRET,
            "crm.hubspot.refresh.token": Client::REFRESH_TOKEN,
        }))
    }

    async fn read(&self, made: &Made, path: &str) -> (StatusCode, Value) {
        let gateway = &self.stage.gateway;
        gateway
            .call(Method::GET, path, &gateway.bearer(&made.token), None)
            .await
            .unwrap()
    }
}

fn person(number: u32) -> Value {
    json!({"firstname": "Ada", "lastname": format!("Person {number}"), "email": format!("p{number}@x.example")})
}

#[tokio::test]
async fn contacts_beyond_the_cap_of_a_search_are_all_read_and_what_changes_is_told() {
    let hubspot = HubSpot::with(SimulatorOptions {
        results_max: 300,
        ..SimulatorOptions::default()
    })
    .await;
    let ids: Vec<u64> = (0..700)
        .map(|number| hubspot.vendor().create("contacts", &person(number)))
        .collect();
    let made = hubspot
        .stage
        .create_and_baseline(&hubspot.with_token().to_string())
        .await;
    let asked = hubspot.vendor().asked();
    assert!(asked.iter().all(|asked| asked.status == 200), "{asked:#?}");
    let (_, all) = hubspot.read(&made, "/hubs/crm/contacts?pageSize=200").await;
    assert_eq!(all.as_array().unwrap().len(), 200);
    hubspot
        .vendor()
        .update("contacts", ids[650], &json!({"firstname": "Grace"}));
    let created = hubspot.vendor().create("contacts", &person(700));
    let events = hubspot.stage.receiver.wait_for(2, SOON).await.unwrap();
    let expected = [
        ("CREATED".to_owned(), created.to_string()),
        ("UPDATED".to_owned(), ids[650].to_string()),
    ];
    assert_eq!(distinct(&events), expected, "the baseline had all 700");
}

#[tokio::test]
async fn an_access_token_that_ends_in_the_middle_is_renewed_and_no_secret_is_logged() {
    let hubspot = HubSpot::new().await;
    let id = hubspot.vendor().create("contacts", &person(1));
    hubspot
        .stage
        .create_and_baseline(&hubspot.with_oauth2().to_string())
        .await;
    assert_eq!(hubspot.vendor().tokens_made(), 1, "checks and polls share a token");
    hubspot.vendor().end_tokens();
    hubspot.vendor().update("contacts", id, &json!({"firstname": "Grace"}));
    let events = hubspot.stage.receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(distinct(&events), [("UPDATED".to_owned(), id.to_string())]);
    assert_eq!(hubspot.vendor().tokens_made(), 2);
    let log = hubspot.stage.log();
    for secret in [Client::SECRET, Client::REFRESH_TOKEN, "simulated-access-token"] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn an_app_that_was_uninstalled_fails_the_poll_in_words() {
    let hubspot = HubSpot::new().await;
    let made = hubspot
        .stage
        .create_and_baseline(&hubspot.with_oauth2().to_string())
        .await;
    hubspot.vendor().revoke();
    let failed = |polls: &[Value]| polls[0]["last"]["outcome"] == "failed";
    let polls = hubspot.stage.polls_until(made.id, failed).await;
    let last = &polls[0]["last"];
    assert_eq!(last["code"], "refresh-token-refused", "{last}");
    assert!(
        last["error"].as_str().unwrap().contains("status 400 (invalid_grant)"),
        "{last}"
    );
}

#[tokio::test]
async fn a_limit_that_was_reached_is_waited_out_and_costs_no_event() {
    let hubspot = HubSpot::new().await;
    let id = hubspot.vendor().create("contacts", &person(1));
    hubspot
        .stage
        .create_and_baseline(&hubspot.with_token().to_string())
        .await;
    hubspot.vendor().limit_next(Limit::Secondly);
    hubspot.vendor().update("contacts", id, &json!({"firstname": "Grace"}));
    let events = hubspot.stage.receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(distinct(&events), [("UPDATED".to_owned(), id.to_string())]);
    assert!(hubspot.vendor().asked().iter().any(|asked| asked.status == 429));
}

#[tokio::test]
async fn a_user_reads_objects_by_clause_and_by_id() {
    let hubspot = HubSpot::new().await;
    let vendor = hubspot.vendor();
    let ids: Vec<u64> = (1..=3)
        .map(|number| vendor.create("contacts", &person(number)))
        .collect();
    vendor.create("products", &json!({"name": "Service", "price": 6000}));
    let mut body = hubspot.with_token();
    body["configuration"]["event.notification.enabled"] = false.into();
    body["configuration"]["crm.hubspot.properties.other"] = "products: name, price".into();
    let made = hubspot.stage.create(&body.to_string()).await;
    let (status, found) = hubspot
        .read(&made, "/hubs/crm/contacts?where=email%3D'p2%40x.example'")
        .await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(
        (found[0]["id"].as_str(), &found[1]),
        (Some(ids[1].to_string().as_str()), &Value::Null)
    );
    let (_, one) = hubspot.read(&made, &format!("/hubs/crm/contacts/{}", ids[2])).await;
    assert_eq!(
        (&one["lastname"], &one["archived"]),
        (&json!("Person 3"), &json!(false))
    );
    vendor.archive("contacts", ids[2]);
    let (status, answer) = hubspot.read(&made, &format!("/hubs/crm/contacts/{}", ids[2])).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
    let (_, products) = hubspot.read(&made, "/hubs/crm/products").await;
    assert_eq!(
        (&products[0]["name"], &products[0]["price"]),
        (&json!("Service"), &json!("6000"))
    );
    let (status, answer) = hubspot
        .read(&made, "/hubs/crm/contacts?where=firstname%20like%20'A%25'")
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("word by word"), "{answer}");
}

#[tokio::test]
async fn credentials_that_do_not_fit_are_refused_before_an_instance_is_made() {
    let hubspot = HubSpot::new().await;
    let refused = async |configuration: Value| {
        let (status, answer) = hubspot
            .stage
            .call(Method::POST, "/instances", Some(hubspot.body(configuration)))
            .await;
        assert!(status.is_client_error(), "{status} {answer}");
        answer["message"].as_str().unwrap().to_owned()
    };
    let other = refused(json!({"crm.hubspot.hub.id": 7, "crm.hubspot.token": PRIVATE_APP_TOKEN})).await;
    assert!(other.contains("belong to the HubSpot account 123456"), "{other}");
    let none = refused(json!({})).await;
    assert!(none.contains("crm.hubspot.token"), "{none}");
    let half = refused(json!({"crm.hubspot.client.id": Client::ID})).await;
    assert!(half.contains("crm.hubspot.client.secret"), "{half}");
    let wrong = refused(json!({"crm.hubspot.token": "pat-wrong"})).await;
    assert!(wrong.contains("refused the credentials"), "{wrong}");
}
