//! The receiver: what it records, what it answers, what it leaves behind.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use tidegate_examples::receiver::{Receiver, ReceiverOptions, Reply, SIGNATURE_HEADER, Signature, read_journal, sign};

const KEY: &str = "tidegate-test-key";
const PATIENCE: Duration = Duration::from_secs(10);

fn notification(id: &str, objects: &[&str]) -> String {
    let events: Vec<_> = objects
        .iter()
        .map(|object| json!({"eventType": "UPDATED", "objectType": "accounts", "objectId": object}))
        .collect();
    let records: Vec<_> = objects
        .iter()
        .map(|object| json!({"id": object, "accountName": format!("No. {object}")}))
        .collect();
    json!({"message": {"eventId": id, "events": events, "raw": {"accounts": records}}}).to_string()
}

async fn post(receiver: &Receiver, body: &str, signature: Option<&str>) -> reqwest::Result<reqwest::Response> {
    let request = tidegate_examples::http::client().post(format!("{}/callback?x=1", receiver.base_url()));
    let request = match signature {
        Some(signature) => request.header(SIGNATURE_HEADER, signature),
        None => request,
    };
    request
        .timeout(Duration::from_millis(800))
        .body(body.to_owned())
        .send()
        .await
}

async fn receiver() -> Receiver {
    Receiver::start(ReceiverOptions {
        key: Some(KEY.into()),
        ..ReceiverOptions::default()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn events_are_waited_for_and_their_signatures_checked() {
    let receiver = receiver().await;
    let body = notification("n-1", &["174", "175"]);
    let (events, _, _) = tokio::join!(
        receiver.wait_for(3, PATIENCE),
        async { post(&receiver, &body, Some(&sign(KEY, body.as_bytes()))).await.unwrap() },
        async {
            post(&receiver, &notification("n-2", &["9"]), Some("sha256=AAAA"))
                .await
                .unwrap()
        },
    );
    let mut ids: Vec<_> = events
        .unwrap()
        .into_iter()
        .map(|event| (event.notification_id, event.object_id))
        .collect();
    ids.sort();
    assert_eq!(
        ids,
        [
            ("n-1".into(), "174".into()),
            ("n-1".into(), "175".into()),
            ("n-2".into(), "9".into())
        ]
    );
    let mut signatures: Vec<_> = receiver
        .received()
        .iter()
        .map(|post| (post.body.len(), post.signature))
        .collect();
    signatures.sort_by_key(|(length, _)| *length);
    assert_eq!(
        signatures.iter().map(|(_, signature)| *signature).collect::<Vec<_>>(),
        [Signature::Invalid, Signature::Valid]
    );
    assert_eq!(receiver.received()[0].path, "/callback?x=1");
    let missing = receiver.wait_for(4, Duration::from_millis(20)).await.unwrap_err();
    assert_eq!((missing.wanted, missing.have), (4, 3));
}

#[tokio::test]
async fn a_script_of_replies_comes_before_the_usual_one() {
    let receiver = receiver().await;
    receiver.reply(Reply::status(204));
    receiver.script([
        Reply::status(502),
        Reply::status_with(429, "Retry-After", "7"),
        Reply::status_with(302, "Location", "http://169.254.169.254/"),
        Reply::slow(Duration::from_millis(100), 410),
        Reply::Reset,
        Reply::Hang,
    ]);
    let body = notification("n-1", &["174"]);
    let client = tidegate_examples::http::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.timeout(Duration::from_millis(800)).build().unwrap();
    let send = async || client.post(receiver.base_url()).body(body.clone()).send().await;
    assert_eq!(send().await.unwrap().status(), StatusCode::BAD_GATEWAY);
    assert_eq!(send().await.unwrap().headers()["retry-after"], "7");
    assert_eq!(send().await.unwrap().status(), StatusCode::FOUND);
    let began = Instant::now();
    assert_eq!(send().await.unwrap().status(), StatusCode::GONE);
    assert!(began.elapsed() >= Duration::from_millis(100));
    let reset = send().await.unwrap_err();
    assert!(reset.is_request() && !reset.is_timeout(), "{reset:?}");
    assert!(send().await.unwrap_err().is_timeout());
    assert_eq!(send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let answered: Vec<_> = receiver.received().iter().map(|post| post.answered).collect();
    assert_eq!(
        answered,
        [Some(502), Some(429), Some(302), Some(410), None, None, Some(204)]
    );
    assert_eq!(receiver.events().len(), 7);
    assert_eq!(receiver.wait_for(1, PATIENCE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_endless_answer_never_ends() {
    let receiver = receiver().await;
    for reply in [
        Reply::Endless,
        Reply::Trickle {
            pause: Duration::from_millis(5),
        },
    ] {
        receiver.script([reply]);
        let answer = post(&receiver, "{}", None).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.bytes().await.unwrap_err().is_timeout());
    }
    assert!(
        receiver
            .received()
            .iter()
            .all(|post| post.signature == Signature::Missing && post.events.is_empty())
    );
}

#[tokio::test]
async fn a_journal_outlives_its_receiver() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("received.jsonl");
    let body = notification("n-1", &["174"]);
    for _ in 0..2 {
        let options = ReceiverOptions {
            journal: Some(path.clone()),
            key: Some(KEY.into()),
            ..ReceiverOptions::default()
        };
        let receiver = Receiver::start(options).await.unwrap();
        post(&receiver, &body, Some(&sign(KEY, body.as_bytes()))).await.unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{{\"at\":\"2018")).unwrap();
    let received = read_journal(&path).unwrap();
    assert_eq!(received.len(), 2);
    assert_eq!(
        (&received[1].body[..], received[1].signature, received[1].answered),
        (body.as_bytes(), Signature::Valid, Some(200))
    );
    assert_eq!(received[1].events[0].object_id, "174");
    assert!(received[1].accepted());
}
