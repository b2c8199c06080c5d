//! Who is let in, what is written down about it, and how secrets are changed: through the real binary.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt as _;

use crate::support::{READY, Stage};

/// A gateway whose secrets nobody sets, in a process of its own.
struct Unset {
    process: tokio::process::Child,
    base_url: String,
    data: PathBuf,
}

impl Unset {
    async fn start(data: &Path) -> Self {
        Self::start_with(data, &[]).await
    }

    async fn start_with(data: &Path, arguments: &[&str]) -> Self {
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--data-dir"])
            .arg(data)
            .args(arguments)
            .env_remove("TIDEGATE_USER_SECRET")
            .env_remove("TIDEGATE_ORGANIZATION_SECRET")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = tokio::io::BufReader::new(process.stderr.take().unwrap()).lines();
        let address = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                let line: Value = serde_json::from_str(&line).unwrap();
                if line["fields"]["message"] == "gateway ready" {
                    return line["fields"]["address"].as_str().unwrap().to_owned();
                }
            }
            panic!("the gateway ended before it was ready");
        };
        let address = tokio::time::timeout(READY, address).await.unwrap();
        Self {
            process,
            base_url: format!("http://{address}"),
            data: data.to_owned(),
        }
    }

    fn plain(&self, name: &str) -> String {
        std::fs::read_to_string(self.data.join(name)).unwrap().trim().to_owned()
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        user: &str,
        organization: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let answer = tidegate_examples::http::client()
            .request(method, format!("{}{path}", self.base_url))
            .header("authorization", format!("User {user}, Organization {organization}"))
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status();
        (
            status,
            serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default(),
        )
    }

    async fn lets_in(&self, user: &str, organization: &str) -> bool {
        let called = self.call(Method::GET, "/instances", user, organization, Value::Null);
        called.await.0 == StatusCode::OK
    }

    async fn restart(mut self) -> Self {
        self.process.kill().await.unwrap();
        Self::start(&self.data).await
    }
}

#[tokio::test]
async fn the_account_s_secrets_are_kept_as_hashes_and_rotated() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let gateway = Unset::start(&data).await;
    let (user, organization) = (gateway.plain("user.secret"), gateway.plain("organization.secret"));
    assert!(gateway.lets_in(&user, &organization).await);

    // As the gateway tells people to.
    for name in ["user.secret", "organization.secret"] {
        std::fs::remove_file(data.join(name)).unwrap();
    }
    let gateway = gateway.restart().await;
    assert!(gateway.lets_in(&user, &organization).await, "by the hashes alone");
    assert!(
        !data.join("user.secret").exists(),
        "the plain copy was of the first start"
    );

    let rotate = async |gateway: &Unset, user: &str, organization: &str, body: Value| {
        gateway
            .call(Method::POST, "/account/secrets", user, organization, body)
            .await
    };
    for (body, word) in [
        (json!({}), "rotate"),
        (json!({"rotate": "token"}), "rotate"),
        (json!({"rotate": "user", "graceSeconds": 604_801}), "604800"),
        (json!({"rotate": "user", "graceSeconds": -1}), "graceSeconds"),
        (json!({"rotate": "user", "grace": 60}), "grace"),
    ] {
        let (status, answer) = rotate(&gateway, &user, &organization, body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{body}: {answer}");
    }

    let (status, answer) = rotate(&gateway, &user, &organization, json!({"rotate": "user"})).await;
    assert_eq!(
        (status, &answer["oldValidUntil"]),
        (StatusCode::OK, &Value::Null),
        "{answer}"
    );
    let new_user = answer["secret"].as_str().unwrap().to_owned();
    assert!(
        !gateway.lets_in(&user, &organization).await,
        "the old one stopped at once"
    );
    let grace = json!({"rotate": "organization", "graceSeconds": 3_600});
    let (_, answer) = rotate(&gateway, &new_user, &organization, grace).await;
    assert!(answer["oldValidUntil"].is_string(), "{answer}");
    let new_organization = answer["secret"].as_str().unwrap().to_owned();

    let gateway = gateway.restart().await;
    for (user, organization, expected) in [
        (&new_user, &new_organization, true),
        (&new_user, &organization, true),
        (&user, &new_organization, false),
    ] {
        assert_eq!(gateway.lets_in(user, organization).await, expected);
    }
    let kept = gateway.plain("account.json");
    for secret in [&user, &organization, &new_user, &new_organization] {
        assert!(!kept.contains(secret.as_str()), "account.json holds hashes alone");
    }
}

#[tokio::test]
async fn a_secret_that_the_operator_sets_is_not_rotated_here() {
    let stage = Stage::new().await;
    let (status, answer) = stage
        .call(Method::POST, "/account/secrets", Some(json!({"rotate": "user"})))
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert!(
        answer["message"].as_str().unwrap().contains("TIDEGATE_USER_SECRET"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_token_is_rotated_by_its_bearer_and_by_the_owner() {
    let mut stage = Stage::new().await;
    let made = stage.create(&stage.body(json!({})).to_string()).await;
    let other = stage.create(&stage.body(json!({})).to_string()).await;
    let path = format!("/instances/{}", made.id);
    let rotation = format!("{path}/token");
    let call = async |stage: &Stage, method: Method, path: &str, token: &str, body: Option<&str>| {
        let bearer = stage.gateway.bearer(token);
        stage
            .gateway
            .call(method, path, &bearer, body.map(str::to_owned))
            .await
            .unwrap()
    };
    let (status, _) = call(&stage, Method::POST, &rotation, &other.token, None).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "another instance's token");

    let (status, answer) = call(&stage, Method::POST, &rotation, &made.token, None).await;
    assert_eq!(
        (status, &answer["oldValidUntil"]),
        (StatusCode::OK, &Value::Null),
        "{answer}"
    );
    let second = answer["token"].as_str().unwrap().to_owned();
    assert_eq!(
        call(&stage, Method::GET, &path, &made.token, None).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(call(&stage, Method::GET, &path, &second, None).await.0, StatusCode::OK);

    let (_, answer) = stage
        .call(Method::POST, &rotation, Some(json!({"graceSeconds": 3_600})))
        .await;
    let third = answer["token"].as_str().unwrap().to_owned();
    assert!(answer["oldValidUntil"].is_string(), "{answer}");
    let options = stage.end_gateway(true).await;
    stage.start_gateway(options).await;
    for token in [&second, &third] {
        assert_eq!(call(&stage, Method::GET, &path, token, None).await.0, StatusCode::OK);
    }
    let (status, answer) = stage
        .call(Method::POST, &rotation, Some(json!({"graceSeconds": 604_801})))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let missing = stage.call(Method::POST, "/instances/999/token", None).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_address_that_fails_again_and_again_is_not_listened_to_and_others_are() {
    let stage = Stage::with(&["--trusted-proxies", "127.0.0.0/8"]).await;
    let client = tidegate_examples::http::client();
    let call = async |from: &str, authorization: &str| {
        let request = client
            .get(format!("{}/instances", stage.gateway.base_url()))
            .header("x-forwarded-for", from)
            .header("authorization", authorization);
        request.send().await.unwrap()
    };
    let owner = stage.gateway.owner();
    // The last ones before the lock are held back for seconds: together.
    let wrong = (0..10).map(|_| call("192.0.2.1", "User wrong, Organization wrong"));
    let answers = futures_util::future::join_all(wrong).await;
    assert!(answers.iter().all(|answer| answer.status() == StatusCode::UNAUTHORIZED));
    let locked = call("192.0.2.1", &owner).await;
    assert_eq!(
        locked.status(),
        StatusCode::TOO_MANY_REQUESTS,
        "right secrets come too late"
    );
    let seconds: u64 = locked.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let message: Value = serde_json::from_str(&locked.text().await.unwrap()).unwrap();
    assert!(
        message["message"].as_str().unwrap().contains("failed logins"),
        "{message}"
    );
    for from in ["192.0.2.2", "203.0.113.9, 192.0.2.3"] {
        assert_eq!(call(from, &owner).await.status(), StatusCode::OK, "{from}");
    }
    // Whoever is no proxy's word cannot be chosen: the last address counts.
    assert_eq!(
        call("192.0.2.9, 192.0.2.1", &owner).await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );

    let rows = stage.gateway.expect(Method::GET, "/audit", None).await.unwrap();
    let failed: Vec<&Value> = rows
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["who"] == "nobody")
        .collect();
    assert_eq!(failed.len(), 10, "{rows:#}");
    assert!(
        failed
            .iter()
            .all(|row| row["client"] == "192.0.2.1" && row["status"] == 401),
        "{rows:#}"
    );
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_and_no_secret_is() {
    let mut stage = Stage::new().await;
    let made = stage.create(&stage.body(json!({})).to_string()).await;
    let path = format!("/instances/{}", made.id);
    let patch = json!({"configuration": {"crm.autotask.password": "hunter2-in-a-body"}});
    let own = stage.gateway.bearer(&made.token);
    let patched = stage
        .gateway
        .call(
            Method::PATCH,
            &format!("{path}?validate=false&note=hunter2-in-a-query"),
            &own,
            Some(patch.to_string()),
        )
        .await
        .unwrap();
    assert_eq!(patched.0, StatusCode::OK, "{}", patched.1);
    stage.call(Method::GET, &path, None).await;
    stage
        .call(
            Method::POST,
            "/instances",
            Some(json!({"element": {"key": "nosuch"}, "name": "x", "configuration": {}})),
        )
        .await;
    let nobody = stage.gateway.call(Method::DELETE, &path, "", None).await.unwrap();
    assert_eq!(nobody.0, StatusCode::UNAUTHORIZED, "shows no secret, and so no entry");
    let wrong = stage.gateway.bearer("hunter2-as-a-token");
    stage.gateway.call(Method::GET, &path, &wrong, None).await.unwrap();
    stage.call(Method::DELETE, &path, None).await;

    // An entry is on the disk before the answer goes out.
    let options = stage.end_gateway(true).await;
    stage.start_gateway(options).await;
    let rows = stage.gateway.expect(Method::GET, "/audit", None).await.unwrap();
    let short: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert!(
                row["at"].is_string() && row["requestId"].is_string() && row["client"] == "127.0.0.1",
                "{row}"
            );
            format!(
                "{} {} {} {} {}",
                row["who"], row["method"], row["path"], row["status"], row["instanceId"]
            )
        })
        .collect();
    let id = made.id;
    let expected = [
        format!("\"owner\" \"DELETE\" \"{path}\" 200 {id}"),
        format!("\"nobody\" \"GET\" \"{path}\" 401 null"),
        "\"owner\" \"POST\" \"/instances\" 404 null".to_owned(),
        format!("\"token\" \"PATCH\" \"{path}\" 200 {id}"),
        format!("\"owner\" \"POST\" \"/instances\" 200 {id}"),
    ];
    assert_eq!(short, expected);
    assert_eq!(rows[3]["tokenOf"], id);
    assert!(!rows.to_string().contains("hunter2"), "{rows}");

    let of_instance = format!("/audit?instanceId={id}&pageSize=2");
    let page = stage.gateway.expect(Method::GET, &of_instance, None).await.unwrap();
    assert_eq!([&page[0]["method"], &page[1]["method"]], ["DELETE", "PATCH"]);
    let from = rows[0]["at"].as_str().unwrap();
    let newest = stage
        .gateway
        .expect(Method::GET, &format!("/audit?from={from}"), None)
        .await
        .unwrap();
    assert_eq!(newest[0]["method"], "DELETE");
    let none = stage
        .gateway
        .expect(Method::GET, "/audit?to=2020-01-01", None)
        .await
        .unwrap();
    assert_eq!(none, json!([]));
    for (query, word) in [
        ("from=x", "from"),
        ("instanceId=x", "instanceId"),
        ("nextPage=x", "nextPage"),
        ("pageSize=0", "pageSize"),
    ] {
        let (status, answer) = stage.call(Method::GET, &format!("/audit?{query}"), None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{answer}");
    }
    let (status, _) = stage.gateway.call(Method::GET, "/audit", &own, None).await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED, "for the owner alone");
}

#[tokio::test]
async fn a_request_has_one_id_in_its_answer_the_log_and_the_audit_log() {
    let stage = Stage::with(&["--log", "info", "--log-format", "json"]).await;
    let client = tidegate_examples::http::client();
    let call = async |header: &str, id: &str, path: &str| {
        let request = client
            .put(format!("{}{path}", stage.gateway.base_url()))
            .header("authorization", stage.gateway.owner())
            .header(header, id);
        let answer = request.send().await.unwrap();
        let header = answer.headers()["elements-request-id"].to_str().unwrap().to_owned();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (header, body["requestId"].as_str().map(str::to_owned))
    };
    for header in ["Elements-Request-Id", "X-Request-Id"] {
        let (id, in_body) = call(header, "my-own.ID_7", "/instances/999/enabled").await;
        assert_eq!((id.as_str(), in_body.as_deref()), ("my-own.ID_7", Some("my-own.ID_7")));
    }
    for bad in ["two words", "<script>", &"x".repeat(65)] {
        let (id, in_body) = call("X-Request-Id", bad, "/instances/999/enabled").await;
        assert!(
            id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{id}"
        );
        assert_eq!(in_body.as_deref(), Some(id.as_str()));
    }
    let rows = stage.gateway.expect(Method::GET, "/audit", None).await.unwrap();
    assert_eq!(rows[4]["requestId"], "my-own.ID_7");
    let log = stage.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_request: Vec<Value> = lines.filter(|line| line["span"]["id"] == "my-own.ID_7").collect();
    assert!(
        of_request
            .iter()
            .any(|line| line["fields"]["message"] == "instance is switched"),
        "{log}"
    );
}

/// Counts who connects, and answers nobody.
async fn listener() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    (format!("http://{address}"), count)
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    let mut stage = Stage::new().await;
    let (proxy, connections) = listener().await;
    let mut options = stage.end_gateway(false).await;
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        options.environment.push((name.into(), proxy.clone().into()));
    }
    stage.start_gateway(options).await;
    stage.vendor().seed_companies(1);
    stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    let id = stage.vendor().ids("Companies")[0];
    stage.vendor().update("Companies", id, json!({"phone": "1"})).unwrap();
    stage.receiver.wait_for(1, crate::support::SOON).await.unwrap();
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn addresses_are_opened_one_network_at_a_time_by_a_flag() {
    let directory = tempfile::tempdir().unwrap();
    for (number, arguments, expected) in [
        (0, &[][..], StatusCode::BAD_REQUEST),
        (1, &["--allow-networks", "10.0.0.0/8,127.0.0.1/32"], StatusCode::OK),
        (2, &["--allow-networks", "10.0.0.0/8"], StatusCode::BAD_REQUEST),
    ] {
        let gateway = Unset::start_with(&directory.path().join(number.to_string()), arguments).await;
        let body = json!({
            "element": {"key": "autotaskcrm"},
            "name": "x",
            "configuration": {
                "crm.autotask.username": "x",
                "crm.autotask.password": "x",
                "crm.autotask.server.url": "https://ww2.autotask.net",
                "event.notification.callback.url": "http://127.0.0.1:9/",
            },
        });
        let (user, organization) = (gateway.plain("user.secret"), gateway.plain("organization.secret"));
        let path = "/instances?validate=false";
        let (status, answer) = gateway.call(Method::POST, path, &user, &organization, body).await;
        assert_eq!(status, expected, "{arguments:?}: {answer}");
    }
}

#[tokio::test]
async fn a_gateway_that_requires_https_refuses_addresses_in_the_clear() {
    let stage = Stage::with(&["--require-https"]).await;
    let path = "/instances?validate=false";
    let https = "https://ww2.autotask.net";
    for (key, configuration) in [
        (
            "event.notification.callback.url",
            json!({"crm.autotask.server.url": https}),
        ),
        (
            "crm.autotask.server.url",
            json!({"event.notification.callback.url": "https://example.com/"}),
        ),
    ] {
        let (status, answer) = stage.call(Method::POST, path, Some(stage.body(configuration))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(
            message.starts_with(key) && message.contains("require_https"),
            "{message}"
        );
    }
    let both = json!({"crm.autotask.server.url": https, "event.notification.callback.url": "https://example.com/"});
    let (status, answer) = stage.call(Method::POST, path, Some(stage.body(both))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn the_operator_s_integration_code_goes_to_a_user_s_address_only_where_the_operator_says() {
    let mut stage = Stage::new().await;
    let mut body = stage.body(json!({}));
    let settings = body["configuration"].as_object_mut().unwrap();
    let code = settings.remove("crm.autotask.integration.code").unwrap();
    let simulator = stage.simulator.base_url();
    let file = stage.directory.path().join("tidegate.toml");
    let mut options = stage.end_gateway(false).await;
    options.arguments = vec!["--config".into(), file.clone().into()];
    for (hosts, expected) in [
        (json!([]), StatusCode::BAD_GATEWAY),
        (json!([simulator]), StatusCode::OK),
    ] {
        let text =
            format!("[elements.autotaskcrm]\n\"crm.autotask.integration.code\" = {code}\nsecret_hosts = {hosts}\n");
        std::fs::write(&file, text).unwrap();
        stage.start_gateway(options.clone()).await;
        let (status, answer) = stage.call(Method::POST, "/instances", Some(body.clone())).await;
        assert_eq!(status, expected, "{hosts}: {answer}");
        if status != StatusCode::OK {
            let message = answer["message"].as_str().unwrap();
            assert!(
                message.contains("secret_hosts") && message.contains(&simulator),
                "{message}"
            );
        }
        options = stage.end_gateway(false).await;
    }
}
