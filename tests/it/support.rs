//! Gateway, simulated vendor and receiver as one stage.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_examples::autotask::{Control, Credentials, Simulator, SimulatorOptions};
use tidegate_examples::gateway::{Gateway, GatewayOptions};
use tidegate_examples::receiver::{ReceivedEvent, Receiver, ReceiverOptions};
use tidegate_examples::seed::SeedValues;
use tokio::time::Instant;

/// A debug build compiles the element on its first start, on a machine that may be busy.
pub(crate) const READY: Duration = Duration::from_secs(60);
/// Longest wait for anything that should happen by itself.
pub(crate) const SOON: Duration = Duration::from_secs(60);
pub(crate) const KEY: &str = "test-signature-key";

/// What the command line promises for SIGTERM.
pub(crate) const STOP: Duration = Duration::from_secs(10);

pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) receiver: Receiver,
    pub(crate) gateway: Gateway,
    pub(crate) directory: TempDir,
}

/// An instance as its creator sees it.
pub(crate) struct Made {
    pub(crate) id: u64,
    pub(crate) token: String,
    pub(crate) answer: Value,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With further arguments of `tidegate serve`.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
        let options = ReceiverOptions {
            key: Some(KEY.into()),
            ..ReceiverOptions::default()
        };
        let receiver = Receiver::start(options).await.unwrap();
        let mut options = GatewayOptions::new(env!("CARGO_BIN_EXE_tidegate"), directory.path());
        options.arguments = arguments.iter().map(Into::into).collect();
        let mut gateway = Gateway::start(options).unwrap();
        gateway.wait_until_ready(READY).await.unwrap();
        Self {
            simulator,
            receiver,
            gateway,
            directory,
        }
    }

    /// Ends the gateway, by SIGTERM or by kill -9, and says how it is started again on the same data and port.
    pub(crate) async fn end_gateway(&mut self, killed: bool) -> GatewayOptions {
        let options = GatewayOptions {
            listen: Some(self.gateway.address()),
            ..self.gateway.options().clone()
        };
        if killed {
            self.gateway.kill().await.unwrap();
        } else {
            let status = self.gateway.stop(STOP).await.unwrap();
            assert!(status.success(), "{status}");
        }
        options
    }

    pub(crate) async fn start_gateway(&mut self, options: GatewayOptions) {
        self.gateway = Gateway::start(options).unwrap();
        self.gateway.wait_until_ready(READY).await.unwrap();
    }

    pub(crate) fn vendor(&self) -> Control {
        self.simulator.control()
    }

    pub(crate) fn seed_values(&self) -> SeedValues {
        let Credentials {
            user_name,
            secret,
            integration_code,
        } = Credentials::default();
        SeedValues {
            user_name,
            password: secret,
            integration_code: Some(integration_code),
            server_url: self.simulator.base_url(),
            callback_url: format!("{}/callback", self.receiver.base_url()),
            signature_key: Some(KEY.into()),
            refresh_interval: "0.02".into(),
            instance_name: "API Instance with Polling".into(),
            tag: "Docs".into(),
        }
    }

    /// A plain instance that polls accounts, with `configuration` over the defaults.
    pub(crate) fn body(&self, configuration: Value) -> Value {
        let values = self.seed_values();
        let mut body = json!({
            "element": {"key": "autotaskcrm"},
            "name": values.instance_name,
            "tags": [values.tag],
            "configuration": {
                "crm.autotask.username": values.user_name,
                "crm.autotask.password": values.password,
                "crm.autotask.integration.code": values.integration_code,
                "crm.autotask.server.url": values.server_url,
                "event.notification.enabled": true,
                "event.notification.callback.url": values.callback_url,
                "event.notification.signature.key": KEY,
                "event.poller.refresh_interval": values.refresh_interval,
                "event.poller.configuration": {"accounts": {
                    "url": "/hubs/crm/accounts?where=lastActivityDate>='${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
                }},
            },
        });
        for (key, value) in configuration.as_object().into_iter().flatten() {
            body["configuration"][key] = value.clone();
        }
        body
    }

    pub(crate) async fn create(&self, body: &str) -> Made {
        let answer = self
            .gateway
            .expect(Method::POST, "/instances", Some(body.to_owned()))
            .await
            .unwrap();
        Made {
            id: answer["id"].as_u64().unwrap(),
            token: answer["token"].as_str().unwrap().to_owned(),
            answer,
        }
    }

    /// Creates an instance and waits until all its resources have their baseline.
    pub(crate) async fn create_and_baseline(&self, body: &str) -> Made {
        let made = self.create(body).await;
        self.polls_until(made.id, |polls| polls.iter().all(|poll| poll["baselined"] == true))
            .await;
        made
    }

    /// A call as the owner, whatever the status.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let body = body.map(|body| body.to_string());
        self.gateway
            .call(method, path, &self.gateway.owner(), body)
            .await
            .unwrap()
    }

    /// Asks for the polls of an instance until they are as wanted.
    pub(crate) async fn polls_until(&self, id: u64, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + SOON;
        let mut ticks = tokio::time::interval(Duration::from_millis(25));
        loop {
            ticks.tick().await;
            let polls = self
                .gateway
                .expect(Method::GET, &format!("/instances/{id}/polls"), None)
                .await
                .unwrap();
            let polls = polls.as_array().unwrap().clone();
            if wanted(&polls) {
                return polls;
            }
            assert!(
                Instant::now() < deadline,
                "the polls never were as wanted: {polls:#?}\n{}",
                self.gateway.log_tail()
            );
        }
    }

    /// Waits for a poll that began after this call and ended well, and returns it.
    pub(crate) async fn next_good_poll(&self, id: u64) -> Value {
        let started = |poll: &Value| poll["last"]["started"].as_str().map(str::to_owned);
        let before = self.polls_until(id, |_| true).await;
        let before = before.iter().map(started).max().flatten();
        // The first later one may have been under way already.
        let second = self
            .polls_until(id, |polls| polls.iter().all(|poll| started(poll) > before))
            .await;
        let second = second.iter().map(started).max().flatten();
        let good = |poll: &Value| started(poll) > second && poll["last"]["outcome"] == "succeeded";
        self.polls_until(id, |polls| polls.iter().all(good)).await.remove(0)
    }

    /// Everything the gateway has written to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("gateway.log")).unwrap_or_default()
    }
}

/// The events as type and id, each notification counted once, sorted. Repetitions must be equal to the byte.
pub(crate) fn distinct(events: &[ReceivedEvent]) -> Vec<(String, String)> {
    let mut by_id: HashMap<String, &Value> = HashMap::new();
    let mut distinct = BTreeMap::new();
    for event in events {
        let id = event.event["eventId"].as_str().unwrap().to_owned();
        let first = by_id.entry(id.clone()).or_insert(&event.event);
        assert_eq!(*first, &event.event, "event {id} was repeated with other content");
        distinct.insert(id, (event.event_type.clone(), event.object_id.clone()));
    }
    let mut distinct: Vec<_> = distinct.into_values().collect();
    distinct.sort();
    distinct
}

/// Sequence numbers of one resource are 1, 2, 3, … without gap, each with one event.
pub(crate) fn assert_no_gap(events: &[ReceivedEvent]) {
    let sequences: BTreeMap<u64, String> = events
        .iter()
        .map(|event| {
            (
                event.event["sequence"].as_u64().unwrap(),
                event.event["eventId"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected: Vec<u64> = (1..=sequences.len() as u64).collect();
    assert_eq!(sequences.into_keys().collect::<Vec<_>>(), expected);
}
