//! A simulator and a client that speaks to it like a well-behaved one, for the tests of this package.
//! Asserts nothing about what is answered.

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tidegate_examples::autotask::{Control, Credentials, Simulator, SimulatorOptions};

pub(crate) struct Vendor {
    pub(crate) simulator: Simulator,
    pub(crate) control: Control,
    pub(crate) client: Client,
}

impl Vendor {
    pub(crate) async fn start(options: SimulatorOptions) -> Self {
        let simulator = Simulator::start(options).await.unwrap();
        let control = simulator.control();
        Self {
            simulator,
            control,
            client: tidegate_examples::http::client(),
        }
    }

    pub(crate) async fn with_companies(count: usize) -> Self {
        let vendor = Self::start(SimulatorOptions::default()).await;
        vendor.control.seed_companies(count);
        vendor
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/atservicesrest/v1.0/{path}", self.simulator.base_url())
    }

    pub(crate) fn get(&self, url: &str) -> RequestBuilder {
        signed(self.client.get(url), &Credentials::default())
    }

    pub(crate) fn post(&self, url: &str, body: &Value) -> RequestBuilder {
        let request = signed(self.client.post(url), &Credentials::default());
        request
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    pub(crate) async fn query(&self, entity: &str, query: Value) -> (StatusCode, Value) {
        read(
            self.post(&self.url(&format!("{entity}/query")), &query)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn count(&self, entity: &str, filter: &Value) -> usize {
        let url = self.url(&format!("{entity}/query/count"));
        let (_, body) = read(self.post(&url, &json!({"filter": filter})).send().await.unwrap()).await;
        body["queryCount"].as_u64().unwrap() as usize
    }

    /// The ids that a filter finds, from as many pages as it takes.
    pub(crate) async fn ids(&self, entity: &str, filter: &Value) -> Vec<i64> {
        let query = json!({"filter": filter});
        let (status, mut page) = self.query(entity, query.clone()).await;
        assert_eq!(status, StatusCode::OK, "{page} for {filter}");
        let mut ids = ids_of(&page);
        while let Some(next) = page["pageDetails"]["nextPageUrl"].as_str() {
            page = read(self.post(next, &query).send().await.unwrap()).await.1;
            ids.extend(ids_of(&page));
        }
        ids
    }
}

pub(crate) fn signed(request: RequestBuilder, credentials: &Credentials) -> RequestBuilder {
    request
        .header("UserName", &credentials.user_name)
        .header("Secret", &credentials.secret)
        .header("ApiIntegrationCode", &credentials.integration_code)
}

pub(crate) async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) fn ids_of(page: &Value) -> Vec<i64> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_i64().unwrap())
        .collect()
}

/// A filter that everything matches, as a client writes it.
pub(crate) fn everything() -> Value {
    json!([{"op": "gte", "field": "id", "value": 0}])
}
