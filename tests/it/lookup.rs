//! What became of notifications, looked up and redelivered through the real binary: events, attempts, dead letters,
//! examples, Cloud Elements' paths.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tidegate_examples::receiver::{Receiver, ReceiverOptions, Reply};
use tokio::time::Instant;

use crate::day::is_accepted;
use crate::support::{Made, SOON, Stage};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An instance with as many companies as the receiver is told to refuse with these statuses, each changed once, and what
/// became of that, the oldest first.
async fn with_refused(stage: &Stage, statuses: &[u16]) -> (Made, Vec<Value>) {
    let companies = stage.vendor().seed_companies(statuses.len());
    let made = stage.create_and_baseline(&stage.body(json!({})).to_string()).await;
    for (company, status) in companies.iter().zip(statuses) {
        stage.receiver.script([Reply::Answer {
            status: *status,
            headers: vec![("x-reason".into(), "a test".into())],
            body: "no".into(),
        }]);
        let before = stage.receiver.received().len();
        stage
            .vendor()
            .update("Companies", *company, json!({"phone": "1"}))
            .unwrap();
        let came = stage
            .receiver
            .wait_until(SOON, |received| received.len() > before)
            .await;
        came.unwrap();
    }
    let is_settled = |event: &Value| event["delivery"]["attempts"] != 0;
    let events = events_until(stage, made.id, |events| {
        events.len() == statuses.len() && events.iter().all(is_settled)
    })
    .await;
    (made, events)
}

/// The oldest first.
async fn events_until(stage: &Stage, id: u64, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + SOON;
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(25));
    loop {
        ticks.tick().await;
        let mut events = get(stage, &format!("/instances/{id}/events")).await;
        let events = events.as_array_mut().unwrap();
        events.reverse();
        if wanted(events) {
            return std::mem::take(events);
        }
        assert!(
            Instant::now() < deadline,
            "the events never were as wanted: {events:#?}"
        );
    }
}

async fn get(stage: &Stage, path: &str) -> Value {
    stage.gateway.expect(Method::GET, path, None).await.unwrap()
}

async fn post(stage: &Stage, path: &str, body: Value) -> Value {
    let body = Some(body.to_string());
    stage.gateway.expect(Method::POST, path, body).await.unwrap()
}

fn id_of(event: &Value) -> &str {
    event["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_dead_letter_is_looked_up_with_its_attempts_and_redelivered_by_status_id_and_time() {
    let stage = Stage::new().await;
    let (made, events) = with_refused(&stage, &[413, 415, 200]).await;
    let path = format!("/instances/{}", made.id);
    let deaths: Vec<_> = events
        .iter()
        .map(|event| event["delivery"]["deadReason"].clone())
        .collect();
    assert_eq!(deaths, [json!("too_large"), json!("format_refused"), Value::Null]);
    for (filter, expected) in [
        ("status=dead", 2),
        ("status=NOTIFIED", 1),
        ("status=DISPATCHED&reason=too_large", 1),
        ("objectType=accounts", 3),
        ("objectType=contacts", 0),
        ("eventType=UPDATED", 3),
        ("eventType=DELETED", 0),
        ("from=2001-01-01T00:00:00Z", 3),
        ("to=978307200000", 0),
    ] {
        let found = get(&stage, &format!("{path}/events?{filter}")).await;
        assert_eq!(found.as_array().unwrap().len(), expected, "{filter}");
    }

    // One event, by its id and by its number, as it was posted; by the owner and by the token.
    let posted = stage.receiver.received().remove(0);
    let posted_body: Value = serde_json::from_slice(&posted.body).unwrap();
    let id = id_of(&events[0]);
    let number = posted_body["id"].as_str().unwrap();
    for event in [id, number] {
        let one = get(&stage, &format!("{path}/events/{event}?body=true")).await;
        assert_eq!(one["body"].as_str().unwrap().as_bytes(), &posted.body[..]);
        assert_eq!(
            (&one["size"], &one["format"]),
            (&posted.body.len().into(), &json!("elements"))
        );
        let bearer = stage.gateway.bearer(&made.token);
        let path = format!("/instances/events/{event}");
        let own = stage.gateway.call(Method::GET, &path, &bearer, None);
        let (status, own) = own.await.unwrap();
        assert_eq!(
            (status, &own["id"], &own["body"]),
            (StatusCode::OK, &json!(id), &Value::Null)
        );
    }

    let attempts = get(&stage, &format!("{path}/events/{id}/attempts")).await;
    let attempt = &attempts[0];
    assert_eq!(attempts.as_array().unwrap().len(), 1);
    assert_eq!((&attempt["number"], &attempt["status"]), (&json!(1), &json!(413)));
    assert_eq!(attempt["requestHeaders"]["webhook-id"], id);
    let sent = posted.header("webhook-signature").unwrap();
    assert_eq!(attempt["requestHeaders"]["webhook-signature"], sent);
    assert_eq!(attempt["responseHeaders"]["x-reason"], "a test");
    assert_eq!(attempt["responseBody"], "no");
    assert_eq!(attempt["url"], format!("{}/callback", stage.receiver.base_url()));

    // Redelivered: counted first, then by id, then all that is dead, then by time.
    let redeliver = format!("{path}/redeliver");
    let counted = post(&stage, &redeliver, json!({"status": "dead", "dryRun": true})).await;
    assert_eq!((&counted["matched"], &counted["redelivered"]), (&json!(2), &json!(0)));
    let by_id = post(&stage, &redeliver, json!({"ids": [id]})).await;
    assert_eq!((&by_id["matched"], &by_id["redelivered"]), (&json!(1), &json!(1)));
    let delivered = |place: usize| move |events: &[Value]| events[place]["status"] == "NOTIFIED";
    events_until(&stage, made.id, delivered(0)).await;
    let dead = post(&stage, &redeliver, json!({"status": "dead"})).await;
    assert_eq!(
        (&dead["redelivered"], &dead["endpoint"]["state"]),
        (&json!(1), &json!("delivering"))
    );
    events_until(&stage, made.id, delivered(1)).await;
    let all = post(&stage, &redeliver, json!({"from": 0, "objectType": "accounts"})).await;
    assert_eq!(all["redelivered"], 3);
    let eight = stage
        .receiver
        .wait_until(SOON, |received| received.len() == 8)
        .await
        .unwrap();
    let repeated: Vec<_> = eight
        .iter()
        .filter(|post| post.header("webhook-id") == Some(id))
        .collect();
    assert_eq!(repeated.len(), 3);
    assert!(repeated.iter().all(|post| post.body == posted.body));
    let attempts = get(&stage, &format!("{path}/events/{id}/attempts?pageSize=2")).await;
    assert_eq!(attempts.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn pages_of_events_say_where_to_go_on() {
    let stage = Stage::new().await;
    let (made, events) = with_refused(&stage, &[200, 413, 200, 413]).await;
    let (mut read, mut token) = (Vec::new(), String::new());
    loop {
        let url = format!(
            "{}/instances/{}/events?status=dead&pageSize=1&nextPage={token}",
            stage.gateway.base_url(),
            made.id
        );
        let request = tidegate_examples::http::client().get(url);
        let answer = request
            .header("authorization", stage.gateway.owner())
            .send()
            .await
            .unwrap();
        let next = answer.headers().get("elements-next-page-token");
        let next = next.map(|next| next.to_str().unwrap().to_owned());
        let page: Vec<Value> = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        read.extend(page);
        match next {
            Some(next) => token = next,
            None => break,
        }
    }
    let expected = [&events[3], &events[1]].map(id_of);
    assert_eq!(read.iter().map(id_of).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_endpoint_that_says_it_is_gone_is_shown_disabled_and_drains_when_it_is_enabled() {
    let stage = Stage::new().await;
    let (made, _) = with_refused(&stage, &[410]).await;
    let path = format!("/instances/{}/endpoint", made.id);
    let shown = get(&stage, &path).await;
    assert_eq!(shown["state"], "disabled");
    assert!(shown["reason"].as_str().unwrap().contains("410"), "{shown}");
    assert_eq!(shown["url"], format!("{}/callback", stage.receiver.base_url()));
    assert_eq!(shown["backlog"]["alive"], 1);
    assert_eq!(shown["settings"]["scheduleSeconds"].as_array().unwrap().len(), 10);
    assert_eq!(
        get(&stage, &format!("/instances/{}", made.id)).await["endpoint"]["state"],
        "disabled"
    );
    let (status, enabled) = stage.call(Method::PUT, &format!("{path}/enabled"), None).await;
    assert_eq!((status, &enabled["state"]), (StatusCode::OK, &json!("delivering")));
    let ask = format!("/instances/{}/redeliver", made.id);
    let events = get(&stage, &format!("/instances/{}/events", made.id)).await;
    post(&stage, &ask, json!({"ids": [events[0]["id"]]})).await;
    events_until(&stage, made.id, |events| events[0]["status"] == "NOTIFIED").await;
    let reason = json!({"reason": "moving house"});
    let (_, disabled) = stage
        .call(Method::DELETE, &format!("{path}/enabled"), Some(reason))
        .await;
    assert_eq!(disabled["reason"], "disabled by hand: moving house");
}

#[tokio::test]
async fn an_example_arrives_signed_and_leaves_no_trace() {
    let stage = Stage::new().await;
    let configuration = json!({
        "event.notification.signature.key": SECRET,
        "event.notification.callback.headers": "x-api-key: hunter2",
    });
    let made = stage.create(&stage.body(configuration).to_string()).await;
    let path = format!("/instances/{}", made.id);
    stage
        .call(Method::DELETE, &format!("{path}/endpoint/enabled"), None)
        .await;
    let (status, tried) = stage.call(Method::POST, &format!("{path}/test"), None).await;
    assert_eq!((status, &tried["status"]), (StatusCode::OK, &json!(200)), "{tried}");
    assert!(tried["verdict"].as_str().unwrap().starts_with("taken"), "{tried}");
    let received = stage.receiver.received();
    let [posted] = received.as_slice() else {
        panic!("one POST, found {}", received.len());
    };
    assert!(
        is_accepted(&Webhook::new(SECRET).unwrap(), posted),
        "{:?}",
        posted.headers
    );
    assert_eq!(posted.header("x-api-key"), Some("hunter2"));
    assert_eq!(tried["body"].as_str().unwrap().as_bytes(), &posted.body[..]);
    let event = &posted.events[0];
    assert_eq!(
        (event.event_type.as_str(), event.object_type.as_str()),
        ("UPDATED", "accounts")
    );
    assert_eq!(event.record["test"], true);
    assert!(event.notification_id.starts_with("test_"));
    assert!(
        !tried.to_string().contains("hunter2"),
        "a user's header may be a secret"
    );
    assert_eq!(get(&stage, &format!("{path}/events")).await, json!([]));
    assert_eq!(get(&stage, &format!("{path}/endpoint")).await["state"], "disabled");
}

#[tokio::test]
async fn cloud_elements_clients_find_and_redeliver_what_is_queued() {
    let stage = Stage::new().await;
    const POLICY: &str = "notification.webhook.failure.policy";
    assert_eq!(get(&stage, "/accounts/settings").await[POLICY], "retry");
    for (method, path) in [
        (Method::PATCH, "/accounts/settings"),
        (Method::POST, "/accounts/1/settings"),
    ] {
        let (status, answer) = stage.call(method, path, Some(json!({POLICY: "queue"}))).await;
        assert_eq!((status, &answer[POLICY]), (StatusCode::OK, &json!("queue")));
    }
    let (made, events) = with_refused(&stage, &[502, 200]).await;
    assert_eq!(events[0]["delivery"]["deadReason"], "queued");
    let url = format!("{}/callback", stage.receiver.base_url());
    let topic = format!("instance-{}-autotaskcrm-events", made.id);
    let subscription =
        json!({"id": made.id, "channel": "webhook", "topics": [topic], "config": {"url": url}, "active": true});
    assert_eq!(get(&stage, "/notifications/subscriptions").await, json!([subscription]));
    let one = format!("/notifications/subscriptions/{}", made.id);
    assert_eq!(get(&stage, &one).await, subscription);

    let list = async |clause: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("where", clause)
            .append_pair("hydrate", "true")
            .finish();
        get(&stage, &format!("/notifications/subscriptions/deliveries?{query}")).await
    };
    let clause = format!("channel='webhook' and status='queued' and config.url='{url}'");
    let queued = list(&clause).await;
    assert_eq!(queued.as_array().unwrap().len(), 1, "{queued}");
    let delivery = &queued[0];
    assert_eq!(
        (&delivery["status"], &delivery["subscriptionId"]),
        (&json!("queued"), &json!(made.id))
    );
    assert_eq!(delivery["subscription"], subscription);
    let body: Value = serde_json::from_str(delivery["notification"]["message"].as_str().unwrap()).unwrap();
    assert_eq!(body["message"]["eventId"], events[0]["id"]);
    assert_eq!(list("status='delivered'").await.as_array().unwrap().len(), 1);

    let number = delivery["notificationId"].as_u64().unwrap();
    let notification = get(&stage, &format!("/notifications/{number}")).await;
    assert_eq!(
        (&notification["id"], &notification["topic"]),
        (&json!(number), &json!(topic))
    );
    let of_one = get(&stage, &format!("/notifications/{number}/subscriptions/deliveries")).await;
    assert_eq!(of_one[0]["status"], "queued");
    let path = format!("/notifications/{number}/subscriptions/{}/deliveries", made.id);
    assert_eq!(get(&stage, &path).await["notificationId"], number);

    // What is queued makes its endpoint no worse; what is disabled comes back with it.
    stage
        .call(
            Method::DELETE,
            &format!("/instances/{}/endpoint/enabled", made.id),
            None,
        )
        .await;
    assert_eq!(get(&stage, &one).await["active"], false);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("where", "channel='webhook' and status='queued'")
        .finish();
    let path = format!("/elements/api-v2/notifications/subscriptions/deliveries?{query}");
    let (status, answer) = stage.call(Method::PUT, &path, None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer, json!({"matched": 1, "redelivered": 1, "reactivated": 1}));
    events_until(&stage, made.id, |events| events[0]["status"] == "NOTIFIED").await;
    assert!(list(&clause).await.as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_operators_callback_is_looked_up_and_tried_alike() {
    let operator = Receiver::start(ReceiverOptions::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tidegate.toml");
    let url = format!("{}/operator", operator.base_url());
    let text = format!("[operator]\ncallback_url = \"{url}\"\nsignature_key = \"{SECRET}\"\n");
    std::fs::write(&file, text).unwrap();
    let stage = Stage::with(&["--config", file.to_str().unwrap()]).await;
    let (status, tried) = stage.call(Method::POST, "/operator/test", None).await;
    assert_eq!((status, &tried["status"]), (StatusCode::OK, &json!(200)), "{tried}");
    let posted = operator.received().remove(0);
    assert!(is_accepted(&Webhook::new(SECRET).unwrap(), &posted));
    assert!(posted.header("webhook-id").unwrap().starts_with("test_"));
    assert_eq!(get(&stage, "/operator/events").await, json!([]));

    // What it is told, with the attempt.
    with_refused(&stage, &[410]).await;
    let came = operator.wait_until(SOON, |received| received.len() == 2).await;
    let told = came.unwrap().remove(1);
    let id = told.header("webhook-id").unwrap();
    let one = get(&stage, &format!("/operator/events/{id}?body=true")).await;
    assert_eq!(one["body"].as_str().unwrap().as_bytes(), &told.body[..]);
    let listed = get(&stage, "/operator/events").await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let attempts = get(&stage, &format!("/operator/events/{id}/attempts")).await;
    assert_eq!(attempts[0]["requestHeaders"]["webhook-id"], id);

    assert_eq!(get(&stage, "/operator/endpoint").await["url"], url);
    let (_, disabled) = stage.call(Method::DELETE, "/operator/endpoint/enabled", None).await;
    assert_eq!(disabled["state"], "disabled");
    let (_, enabled) = stage.call(Method::PUT, "/operator/endpoint/enabled", None).await;
    assert_eq!(enabled["state"], "delivering");
    post(&stage, "/operator/redeliver", json!({"status": "delivered"})).await;
    let three = operator.wait_until(SOON, |received| received.len() == 3).await.unwrap();
    assert_eq!(three[2].body, told.body);
}

#[tokio::test]
async fn what_can_not_be_is_refused_in_words() {
    let stage = Stage::new().await;
    let made = stage.create(&stage.body(json!({})).to_string()).await;
    let mut mute = stage.body(json!({}));
    mute["configuration"]["event.notification.callback.url"] = Value::Null;
    let mute = stage.create(&mute.to_string()).await.id;
    let id = made.id;
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    const NONE: StatusCode = StatusCode::NOT_FOUND;
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    let redeliver = format!("/instances/{id}/redeliver");
    let deliveries = "/notifications/subscriptions/deliveries";
    let policy = |value: Value| Some(json!({"notification.webhook.failure.policy": value}));
    let table: Vec<(Method, String, Option<Value>, StatusCode, &str)> = vec![
        (
            Method::GET,
            format!("/instances/{id}/events?status=lost"),
            None,
            BAD,
            "stored, waiting",
        ),
        (
            Method::GET,
            format!("/instances/{id}/events?reason=lost"),
            None,
            BAD,
            "exhausted",
        ),
        (
            Method::GET,
            format!("/instances/{id}/events?eventType=MOVED"),
            None,
            BAD,
            "CREATED",
        ),
        (
            Method::GET,
            format!("/instances/{id}/events?from=soon"),
            None,
            BAD,
            "from",
        ),
        (
            Method::GET,
            format!("/instances/{id}/events?from=2&to=1"),
            None,
            BAD,
            "to:",
        ),
        (
            Method::GET,
            format!("/instances/{id}/events?nextPage=x"),
            None,
            BAD,
            "nextPage",
        ),
        (
            Method::GET,
            format!("/instances/{id}/events?pageSize=0"),
            None,
            BAD,
            "pageSize",
        ),
        (Method::GET, "/instances/99/events".into(), None, NONE, "99"),
        (
            Method::GET,
            format!("/instances/{id}/events/nosuch"),
            None,
            NONE,
            "nosuch",
        ),
        (
            Method::GET,
            format!("/instances/{id}/events/nosuch/attempts"),
            None,
            NONE,
            "nosuch",
        ),
        (
            Method::GET,
            format!("/instances/{id}/events/x?body=maybe"),
            None,
            BAD,
            "body",
        ),
        (Method::POST, redeliver.clone(), Some(json!({})), BAD, "at least one"),
        (
            Method::POST,
            redeliver.clone(),
            Some(json!({"dryRun": true})),
            BAD,
            "at least one",
        ),
        (
            Method::POST,
            redeliver.clone(),
            Some(json!({"status": "retry"})),
            BAD,
            "on its way",
        ),
        (
            Method::POST,
            redeliver.clone(),
            Some(json!({"state": "dead"})),
            BAD,
            "state: is not known",
        ),
        (
            Method::POST,
            redeliver.clone(),
            Some(json!({"status": ["dead"]})),
            BAD,
            "status: expected text",
        ),
        (
            Method::POST,
            redeliver.clone(),
            Some(json!({"status": "dead", "dryRun": "yes"})),
            BAD,
            "dryRun",
        ),
        (
            Method::POST,
            redeliver.clone(),
            Some(json!({"ids": []})),
            BAD,
            "1 to 1000",
        ),
        (
            Method::POST,
            redeliver.clone(),
            Some(json!({"ids": "x"})),
            BAD,
            "a list",
        ),
        (
            Method::POST,
            redeliver.clone(),
            Some(json!({"ids": ["x"], "status": "dead"})),
            BAD,
            "both",
        ),
        (
            Method::POST,
            redeliver.clone(),
            Some(json!({"ids": ["nosuch"]})),
            NONE,
            "nosuch",
        ),
        (
            Method::POST,
            "/instances/99/redeliver".into(),
            Some(json!({"status": "dead"})),
            NONE,
            "99",
        ),
        (
            Method::POST,
            format!("/instances/{mute}/redeliver"),
            Some(json!({"status": "dead"})),
            CONFLICT,
            "no callback",
        ),
        (
            Method::POST,
            format!("/instances/{mute}/test"),
            None,
            CONFLICT,
            "event.notification.callback.url",
        ),
        (
            Method::POST,
            "/operator/test".into(),
            None,
            CONFLICT,
            "operator.callback_url",
        ),
        (Method::POST, "/instances/99/test".into(), None, NONE, "99"),
        (Method::PUT, "/instances/99/endpoint/enabled".into(), None, NONE, "99"),
        (
            Method::DELETE,
            format!("/instances/{id}/endpoint/enabled"),
            Some(json!({"reason": 7})),
            BAD,
            "reason",
        ),
        (
            Method::DELETE,
            format!("/instances/{id}/endpoint/enabled"),
            Some(json!({"reason": "x".repeat(501)})),
            BAD,
            "500",
        ),
        (
            Method::GET,
            format!("{deliveries}?where=status%3D'dead'"),
            None,
            BAD,
            "queued",
        ),
        (
            Method::GET,
            format!("{deliveries}?where=id%3D'7'"),
            None,
            BAD,
            "channel=",
        ),
        (Method::GET, format!("{deliveries}?nextPage=x"), None, BAD, "nextPage"),
        (Method::PUT, deliveries.into(), None, BAD, "where"),
        (
            Method::PUT,
            format!("{deliveries}?where=channel%3D'webhook'"),
            None,
            BAD,
            "status",
        ),
        (
            Method::PUT,
            format!("{deliveries}?where=status%3D'retry'"),
            None,
            BAD,
            "on its way",
        ),
        (Method::GET, "/notifications/12".into(), None, NONE, "12"),
        (Method::GET, "/notifications/subscriptions/99".into(), None, NONE, "99"),
        (
            Method::GET,
            format!("/notifications/subscriptions/{mute}"),
            None,
            NONE,
            "callback",
        ),
        (Method::GET, "/accounts/2/settings".into(), None, NONE, "\"2\""),
        (
            Method::PATCH,
            "/accounts/settings".into(),
            policy(json!("never")),
            BAD,
            "\"retry\" or \"queue\"",
        ),
        (
            Method::PATCH,
            "/accounts/settings".into(),
            Some(json!({"other": 1})),
            BAD,
            "other",
        ),
    ];
    for (method, path, body, expected, word) in table {
        let said = format!("{method} {path} {body:?}");
        let (status, answer) = stage.call(method, &path, body).await;
        assert_eq!(status, expected, "{said}: {answer}");
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains(word), "{said}: {message:?} does not name {word}");
    }
}

#[tokio::test]
async fn a_token_reaches_its_own_instance_and_nothing_of_the_account() {
    let stage = Stage::new().await;
    let made = stage.create(&stage.body(json!({})).to_string()).await;
    let other = stage.create(&stage.body(json!({})).to_string()).await.id;
    let bearer = stage.gateway.bearer(&made.token);
    let id = made.id;
    let table = [
        (Method::GET, format!("/instances/{id}/events"), StatusCode::OK),
        (Method::GET, "/instances/events".into(), StatusCode::OK),
        (Method::GET, format!("/instances/{id}/endpoint"), StatusCode::OK),
        (Method::POST, format!("/instances/{id}/test"), StatusCode::OK),
        (Method::GET, format!("/instances/{other}/events"), StatusCode::FORBIDDEN),
        (
            Method::GET,
            format!("/instances/{other}/endpoint"),
            StatusCode::FORBIDDEN,
        ),
        (Method::POST, format!("/instances/{other}/test"), StatusCode::FORBIDDEN),
        (Method::GET, "/operator/events".into(), StatusCode::UNAUTHORIZED),
        (Method::GET, "/operator/endpoint".into(), StatusCode::UNAUTHORIZED),
        (Method::POST, "/operator/test".into(), StatusCode::UNAUTHORIZED),
        (Method::GET, "/notifications/12".into(), StatusCode::UNAUTHORIZED),
        (
            Method::GET,
            "/notifications/subscriptions".into(),
            StatusCode::UNAUTHORIZED,
        ),
        (
            Method::PUT,
            "/notifications/subscriptions/deliveries".into(),
            StatusCode::UNAUTHORIZED,
        ),
        (Method::GET, "/accounts/settings".into(), StatusCode::UNAUTHORIZED),
    ];
    for (method, path, expected) in table {
        let (status, answer) = stage.gateway.call(method.clone(), &path, &bearer, None).await.unwrap();
        assert_eq!(status, expected, "{method} {path}: {answer}");
    }
}
