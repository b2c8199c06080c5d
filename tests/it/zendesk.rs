//! A vendor unlike Autotask: basic authentication, exports by cursor, deletions shown by a status. Against a simulated one.
//!
//! The manifest allows two exports at once and then one every 7.5 seconds, so that these tests wait where others don't.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidegate_examples::zendesk::{Control, Simulator, SimulatorOptions};

use crate::support::{KEY, Made, SOON, Stage, distinct};

/// The simulated account beside the stage that all tests share.
struct Desk {
    stage: Stage,
    simulator: Simulator,
}

impl Desk {
    async fn new() -> Self {
        // The vendor lets changes settle for a minute; nobody here waits for that.
        let options = SimulatorOptions {
            settling_seconds: 0,
            ..SimulatorOptions::default()
        };
        Self {
            stage: Stage::new().await,
            simulator: Simulator::start(options).await.unwrap(),
        }
    }

    fn vendor(&self) -> Control {
        self.simulator.control()
    }

    /// An instance that polls these resources as it would by itself.
    fn body(&self, resources: &[&str]) -> Value {
        let poller = |resource: &&str| {
            let url = format!("/hubs/helpdesk/{resource}?where=updated_at>='${{gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}}'");
            ((*resource).to_owned(), json!({"url": url}))
        };
        let pollers: serde_json::Map<_, _> = resources.iter().map(poller).collect();
        let options = SimulatorOptions::default();
        json!({
            "element": {"key": "zendesk"},
            "name": "Helpdesk",
            "configuration": {
                "zendesk.url": self.simulator.base_url(),
                "zendesk.email": options.email,
                "zendesk.token": options.token,
                "event.notification.enabled": true,
                "event.notification.callback.url": format!("{}/callback", self.stage.receiver.base_url()),
                "event.notification.signature.key": KEY,
                "event.poller.refresh_interval": "0.02",
                "event.poller.configuration": pollers,
            },
        })
    }

    async fn baseline(&self, resources: &[&str]) -> Made {
        self.stage.create_and_baseline(&self.body(resources).to_string()).await
    }

    /// Path and query of the exports from the `n`-th on.
    fn exports(&self, n: usize) -> Vec<String> {
        let all = self.vendor().requests().into_iter();
        all.filter(|request| request.contains("/incremental/"))
            .skip(n)
            .collect()
    }
}

fn sorted(mut events: Vec<(&str, i64)>) -> Vec<(String, String)> {
    events.sort_by_key(|(kind, id)| (*kind, id.to_string()));
    events
        .into_iter()
        .map(|(kind, id)| (kind.to_owned(), id.to_string()))
        .collect()
}

#[tokio::test]
async fn tickets_that_are_created_changed_and_deleted_are_events_and_changes_by_the_system_are_none() {
    let desk = Desk::new().await;
    let vendor = desk.vendor();
    let ids: Vec<_> = (0..4).map(|_| vendor.create("tickets", json!({})).unwrap()).collect();
    let made = desk.baseline(&["tickets"]).await;
    let exported = desk.exports(0).len();
    vendor.touch("tickets", ids[0]).unwrap();
    vendor.update("tickets", ids[1], json!({"status": "open"})).unwrap();
    vendor.delete("tickets", ids[2]).unwrap();
    let created = vendor
        .create("tickets", json!({"subject": "Help, my printer is on fire!"}))
        .unwrap();
    let events = desk.stage.receiver.wait_for(3, SOON).await.unwrap();
    let expected = sorted(vec![("CREATED", created), ("UPDATED", ids[1]), ("DELETED", ids[2])]);
    assert_eq!(distinct(&events), expected);
    let good = desk.stage.next_good_poll(made.id).await;
    assert_eq!(
        (&good["last"]["records"], &good["last"]["events"]),
        (&json!(0), &json!(0)),
        "{good}"
    );
    let later = desk.exports(exported);
    assert!(
        !later.is_empty() && later.iter().all(|export| export.contains("cursor=")),
        "{later:?}"
    );
}

#[tokio::test]
async fn users_and_organizations_show_in_their_own_ways_that_they_are_gone() {
    let desk = Desk::new().await;
    let vendor = desk.vendor();
    let users: Vec<_> = (0..2).map(|_| vendor.create("users", json!({})).unwrap()).collect();
    let organizations: Vec<_> = (0..2)
        .map(|_| vendor.create("organizations", json!({})).unwrap())
        .collect();
    desk.baseline(&["users", "organizations"]).await;
    vendor.update("users", users[0], json!({"role": "agent"})).unwrap();
    vendor.delete("users", users[1]).unwrap();
    vendor
        .update("organizations", organizations[0], json!({"name": "Renamed"}))
        .unwrap();
    vendor.delete("organizations", organizations[1]).unwrap();
    let events = desk.stage.receiver.wait_for(4, SOON).await.unwrap();
    let expected = sorted(vec![
        ("UPDATED", users[0]),
        ("DELETED", users[1]),
        ("UPDATED", organizations[0]),
        ("DELETED", organizations[1]),
    ]);
    assert_eq!(distinct(&events), expected);
}

#[tokio::test]
async fn a_wrong_token_is_refused_when_the_instance_is_made_though_the_vendor_greets_strangers() {
    let desk = Desk::new().await;
    let strict = SimulatorOptions {
        greets_strangers: false,
        ..SimulatorOptions::default()
    };
    let strict = Simulator::start(strict).await.unwrap();
    for site in [desk.simulator.base_url(), strict.base_url()] {
        let mut body = desk.body(&["tickets"]);
        body["configuration"]["zendesk.url"] = site.into();
        body["configuration"]["zendesk.token"] = "guessed".into();
        let (status, answer) = desk.stage.call(Method::POST, "/instances", Some(body)).await;
        assert!(status.is_client_error(), "{status}: {answer}");
        assert!(
            answer["message"].as_str().unwrap().contains("zendesk.token"),
            "{answer}"
        );
        assert!(!answer.to_string().contains("guessed"), "{answer}");
    }
    assert!(!desk.stage.log().contains("guessed"), "a secret reached the log");
}

#[tokio::test]
async fn a_vendor_that_wants_fewer_requests_is_left_alone_for_as_long_as_it_says() {
    let desk = Desk::new().await;
    let vendor = desk.vendor();
    let id = vendor.create("tickets", json!({})).unwrap();
    let made = desk.baseline(&["tickets"]).await;
    vendor.update("tickets", id, json!({"status": "open"})).unwrap();
    vendor.refuse_exports(1, 2);
    let failed = desk
        .stage
        .polls_until(made.id, |polls| polls[0]["last"]["outcome"] == "failed")
        .await
        .remove(0);
    assert_eq!(failed["last"]["code"], "rate-limited", "{failed}");
    let events = desk.stage.receiver.wait_for(1, SOON).await.unwrap();
    assert_eq!(distinct(&events), sorted(vec![("UPDATED", id)]));
    assert_eq!(desk.stage.next_good_poll(made.id).await["failures"], 0);
}

#[tokio::test]
async fn after_a_restart_the_poll_goes_on_from_the_checkpoint() {
    let mut desk = Desk::new().await;
    let vendor = desk.vendor();
    let ids: Vec<_> = (0..3).map(|_| vendor.create("tickets", json!({})).unwrap()).collect();
    let made = desk.baseline(&["tickets"]).await;
    let again = desk.stage.end_gateway(false).await;
    let exported = desk.exports(0).len();
    vendor.delete("tickets", ids[0]).unwrap();
    vendor.update("tickets", ids[1], json!({"priority": "high"})).unwrap();
    desk.stage.start_gateway(again).await;
    let events = desk.stage.receiver.wait_for(2, SOON).await.unwrap();
    assert_eq!(
        distinct(&events),
        sorted(vec![("DELETED", ids[0]), ("UPDATED", ids[1])])
    );
    let later = desk.exports(exported);
    assert!(later.iter().all(|export| export.contains("cursor=")), "{later:?}");

    // The vendor forgets its cursors: what changes meanwhile is found from the watermark.
    vendor.refuse_cursors(true);
    vendor.update("tickets", ids[2], json!({"priority": "low"})).unwrap();
    let failed = desk
        .stage
        .polls_until(made.id, |polls| polls[0]["last"]["outcome"] == "failed")
        .await
        .remove(0);
    assert_eq!(failed["last"]["code"], "cursor-refused", "{failed}");
    let events = desk.stage.receiver.wait_for(3, SOON).await.unwrap();
    let expected = sorted(vec![("DELETED", ids[0]), ("UPDATED", ids[1]), ("UPDATED", ids[2])]);
    assert_eq!(distinct(&events), expected);
    let starts = desk.exports(exported);
    let start = starts.iter().rfind(|export| export.contains("start_time=")).unwrap();
    assert!(!start.contains("start_time=0&"), "not from the beginning: {start}");
}

#[tokio::test]
async fn tickets_are_read_by_where_clause_page_and_id() {
    let desk = Desk::new().await;
    let vendor = desk.vendor();
    let subjects = ["Help me", "Help us", "Printer", "Help them"];
    let ids: Vec<_> = subjects
        .iter()
        .map(|subject| {
            vendor
                .create("tickets", json!({"subject": subject, "status": "open"}))
                .unwrap()
        })
        .collect();
    vendor.update("tickets", ids[3], json!({"status": "solved"})).unwrap();
    vendor.delete("tickets", ids[1]).unwrap();
    let mut body = desk.body(&["tickets"]);
    body["configuration"]["event.notification.enabled"] = false.into();
    let made = desk.stage.create(&body.to_string()).await;
    let bearer = desk.stage.gateway.bearer(&made.token);
    let read = async |path: &str| desk.stage.gateway.call(Method::GET, path, &bearer, None).await.unwrap();

    let clause: String = url::form_urlencoded::byte_serialize(b"status='open' and subject like 'Help%'").collect();
    let (status, found) = read(&format!("/hubs/helpdesk/tickets?where={clause}")).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!((&found[0]["id"], found[0].get("result_type")), (&json!(ids[0]), None));

    let (_, page) = read("/hubs/helpdesk/tickets?pageSize=2").await;
    let listed: Vec<_> = page.as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    assert_eq!(listed, [json!(ids[0]), json!(ids[2])]);

    let (status, record) = read(&format!("/hubs/helpdesk/tickets/{}", ids[2])).await;
    assert_eq!((status, &record["subject"]), (StatusCode::OK, &json!("Printer")));
    for id in [ids[1].to_string(), "1".into(), "me".into()] {
        let (status, answer) = read(&format!("/hubs/helpdesk/tickets/{id}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{id}: {answer}");
    }
}
