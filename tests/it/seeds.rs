//! The seed's two request bodies, exactly as printed, each from POST to the events at the callback, over a restart and over
//! kill -9.

use std::process::Command;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidegate_examples::receiver::Signature;
use tidegate_examples::seed::{meant_in_curl, pasted_into_bash, printed_as_json, printed_in_curl};

use crate::support::{SOON, Stage, assert_no_gap, distinct};

/// Posts the body, changes records at the vendor, before and after a restart and a crash, and sees exactly their events.
async fn main_job(stage: &mut Stage, path: &str, body: String) -> Value {
    stage.vendor().seed_companies(12);
    let answer = stage.gateway.expect(Method::POST, path, Some(body)).await.unwrap();
    let id = answer["id"].as_u64().unwrap();
    stage
        .polls_until(id, |polls| polls.iter().all(|poll| poll["baselined"] == true))
        .await;

    let vendor = stage.vendor();
    let ids = vendor.ids("Companies");
    let created = vendor
        .create("Companies", json!({"companyName": "Zoë & O'Hara"}))
        .unwrap();
    vendor.update("Companies", ids[3], json!({"phone": "1"})).unwrap();
    vendor.update("Companies", ids[7], json!({"phone": "2"})).unwrap();
    let events = stage.receiver.wait_for(3, SOON).await.unwrap();
    let mut expected = vec![
        ("CREATED".into(), created.to_string()),
        ("UPDATED".into(), ids[3].to_string()),
        ("UPDATED".into(), ids[7].to_string()),
    ];
    expected.sort();
    assert_eq!(distinct(&events), expected, "{}", stage.log());
    assert_no_gap(&events);
    let zoe = events.iter().find(|event| event.event_type == "CREATED").unwrap();
    assert_eq!(zoe.record["accountName"], "Zoë & O'Hara");
    assert_eq!(
        (zoe.object_type.as_str(), &zoe.event["hubKey"]),
        ("accounts", &json!("crm"))
    );

    let mut events_wanted = 3;
    for killed in [false, true] {
        // One change that is delivered before the end, one that happens while nobody looks.
        let (before, meanwhile) = (ids[4 + usize::from(killed)], ids[9 + usize::from(killed)]);
        vendor.update("Companies", before, json!({"phone": "3"})).unwrap();
        stage.receiver.wait_for(events_wanted + 1, SOON).await.unwrap();
        let options = stage.end_gateway(killed).await;
        vendor.update("Companies", meanwhile, json!({"phone": "4"})).unwrap();
        stage.start_gateway(options).await;
        events_wanted += 2;
        expected.extend([before, meanwhile].map(|id| ("UPDATED".to_owned(), id.to_string())));
        let got = stage
            .receiver
            .wait_until(SOON, |received| {
                received
                    .iter()
                    .flat_map(|post| &post.events)
                    .any(|event| event.object_id == meanwhile.to_string())
            })
            .await;
        assert!(got.is_some(), "{}", stage.log());
    }
    expected.sort();

    // Nothing more comes: a further poll finds nothing new. A crash may repeat what was just delivered, to the byte.
    assert_eq!(stage.next_good_poll(id).await["last"]["events"], 0);
    let events = stage.receiver.events();
    assert_eq!(distinct(&events), expected, "{}", stage.log());
    assert_no_gap(&events);
    for post in stage.receiver.received() {
        assert_eq!(post.signature, Signature::Valid);
        assert_eq!(
            post.header("elements-webhook-id"),
            Some(post.events[0].notification_id.as_str())
        );
    }
    answer
}

fn warned(answer: &Value) -> Vec<&str> {
    answer["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| warning["field"].as_str().unwrap())
        .collect()
}

const URL: &str = "event.poller.configuration.accounts.url";

#[tokio::test]
async fn the_body_printed_as_json_becomes_events() {
    let mut stage = Stage::new().await;
    let body = printed_as_json(&stage.seed_values());
    let answer = main_job(&mut stage, "/instances", body).await;
    assert!(
        warned(&answer).contains(&URL),
        "the doubled quote is tolerated with a warning: {answer:#}"
    );
    assert_eq!(answer["configuration"]["crm.autotask.password"], "********");
    assert_eq!(answer["element"]["key"], "autotaskcrm");
    for required in ["id", "name", "token", "valid", "tags", "user"] {
        assert!(!answer[required].is_null(), "{required}");
    }
}

#[tokio::test]
async fn the_printed_placeholders_of_name_tag_and_interval_are_accepted() {
    let stage = Stage::new().await;
    let mut values = stage.seed_values();
    values.refresh_interval = "<minutes>".into();
    values.instance_name = "<INSTANCE_NAME>".into();
    values.tag = "<Add_Your_Tag>".into();
    let made = stage.create(&printed_as_json(&values)).await;
    assert_eq!(made.answer["name"], "INSTANCE_NAME");
    let fields = warned(&made.answer);
    for field in ["name", "tags[0]", "event.poller.refresh_interval", URL] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
}

#[tokio::test]
async fn the_curl_command_pasted_into_bash_becomes_events() {
    let mut stage = Stage::new().await;
    let values = stage.seed_values();
    // What a real bash makes of the printed command, with a curl that shows its -d.
    let script = format!(
        "curl() {{ printf '%s' \"${{@: -1}}\"; }}; unset date; curl -X POST x -d '{}'",
        printed_in_curl(&values)
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let body = String::from_utf8(output.stdout).unwrap();
    assert_eq!(body, pasted_into_bash(&values));
    assert!(body.contains("where=lastActivityDate>=\""));
    let answer = main_job(&mut stage, "/elements/api-v2/instances", body).await;
    let warnings = answer["warnings"].as_array().unwrap();
    let of_url = warnings.iter().find(|warning| warning["field"] == URL).unwrap();
    assert!(
        of_url["message"].as_str().unwrap().contains("quot"),
        "the warning explains the quoting: {of_url}"
    );
}

#[tokio::test]
async fn the_curl_command_as_its_author_meant_it_becomes_events() {
    let mut stage = Stage::new().await;
    let body = meant_in_curl(&stage.seed_values());
    main_job(&mut stage, "/instances", body).await;
}

#[tokio::test]
async fn the_curl_commands_body_sent_from_a_file_is_refused_with_the_reason() {
    let stage = Stage::new().await;
    let body = printed_in_curl(&stage.seed_values());
    let (status, answer) = stage
        .gateway
        .call(Method::POST, "/instances", &stage.gateway.owner(), Some(body))
        .await
        .unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("line ") && message.contains(r"'\''"), "{message}");
    assert_eq!(
        stage.gateway.expect(Method::GET, "/instances", None).await.unwrap(),
        json!([])
    );
}
