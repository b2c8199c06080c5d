//! Rows over their life: dates by the injected clock, seeds, deletions, the control over HTTP, the log of requests.

use chrono::{DateTime, Duration, Utc};
use reqwest::StatusCode;
use serde_json::json;
use tidegate_examples::autotask::{Error, Request, Simulator, SimulatorOptions};
use tidegate_examples::clock::ManualClock;

use crate::vendor::{Vendor, ids_of, read};

fn instant() -> DateTime<Utc> {
    "2018-01-15T10:29:06.200Z".parse().unwrap()
}

#[tokio::test]
async fn dates_follow_the_injected_clock() {
    let clock = ManualClock::new(instant());
    let vendor = Vendor::start(SimulatorOptions {
        clock: clock.clock(),
        ..SimulatorOptions::default()
    })
    .await;
    let id = vendor
        .control
        .create("companies", json!({"companyName": "Example Ltd"}))
        .unwrap();
    let record = || vendor.control.record("Companies", id).unwrap();
    assert_eq!(
        (&record()["createDate"], &record()["lastActivityDate"]),
        (&json!("2018-01-15T10:29:06.2Z"), &json!("2018-01-15T10:29:06.2Z"))
    );
    clock.advance(Duration::milliseconds(60_800));
    vendor.control.touch("Companies", id).unwrap();
    assert_eq!(record()["lastActivityDate"], "2018-01-15T10:30:07Z");
    assert_eq!(record()["lastTrackedModifiedDateTime"], "2018-01-15T10:29:06.2Z");
    clock.advance(Duration::seconds(1));
    vendor.control.update("Companies", id, json!({"phone": "1"})).unwrap();
    assert_eq!(record()["lastTrackedModifiedDateTime"], "2018-01-15T10:30:08Z");
    assert_eq!(record()["createDate"], "2018-01-15T10:29:06.2Z");

    vendor
        .control
        .configure(|settings| settings.date_skew = Duration::minutes(10));
    let answer = vendor.get(&vendor.url("Version")).send().await.unwrap();
    assert_eq!(answer.headers()["date"], "Mon, 15 Jan 2018 10:40:08 GMT");
    assert!(
        answer.headers()["x-simulated"]
            .to_str()
            .unwrap()
            .contains("not the vendor")
    );
}

#[tokio::test]
async fn each_entity_moves_its_own_change_field() {
    let clock = ManualClock::new(instant());
    let vendor = Vendor::start(SimulatorOptions {
        clock: clock.clock(),
        ..SimulatorOptions::default()
    })
    .await;
    for (entity, field) in [
        ("Opportunities", "lastActivity"),
        ("Contacts", "lastModifiedDate"),
        ("Tickets", "lastTrackedModificationDateTime"),
        ("CompanyToDos", "lastModifiedDate"),
        ("TimeEntries", "lastModifiedDateTime"),
        ("ConfigurationItems", "lastModifiedTime"),
        ("Appointments", "updateDateTime"),
    ] {
        let id = vendor.control.create(entity, json!({})).unwrap();
        clock.advance(Duration::seconds(1));
        vendor.control.update(entity, id, json!({})).unwrap();
        let moved: DateTime<Utc> = vendor.control.record(entity, id).unwrap()[field]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(moved, clock.now(), "{entity}");
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_rows() {
    let rows = async |seed| {
        let vendor = Vendor::start(SimulatorOptions {
            seed,
            ..SimulatorOptions::default()
        })
        .await;
        vendor.control.seed_companies(20);
        vendor.control.seed_contacts(5);
        let ids = vendor.control.ids("Companies");
        assert_eq!((ids.len(), ids[0], ids[1]), (21, 0, 174));
        ids.iter()
            .map(|id| vendor.control.record("Companies", *id).unwrap().to_string())
            .collect::<Vec<_>>()
    };
    let first = rows(7).await;
    assert_eq!(first, rows(7).await);
    assert_ne!(first, rows(8).await);
    let mean = first.iter().map(String::len).sum::<usize>() / first.len();
    assert!((1_200..2_200).contains(&mean), "{mean} bytes");
}

#[tokio::test]
async fn a_company_vanishes_without_a_trace_and_a_ticket_leaves_one() {
    let vendor = Vendor::with_companies(2).await;
    let company = vendor.control.ids("Companies")[1];
    vendor.control.delete("Companies", company).unwrap();
    assert_eq!(vendor.control.ids("Companies").len(), 2);
    assert_eq!(
        vendor.control.delete("Companies", company),
        Err(Error::NoSuchRow {
            entity: "Companies".into(),
            id: company
        })
    );
    let ticket = vendor
        .control
        .create("Tickets", json!({"title": "Printer", "ticketNumber": "T1"}))
        .unwrap();
    vendor.control.delete("Tickets", ticket).unwrap();
    let (_, log) = vendor
        .query(
            "DeletedTicketLogs",
            json!({"filter": [{"op": "eq", "field": "ticketID", "value": ticket}]}),
        )
        .await;
    assert_eq!(log["items"][0]["ticketTitle"], "Printer");
}

#[tokio::test]
async fn children_are_read_under_their_parent() {
    let vendor = Vendor::with_companies(0).await;
    let own = vendor
        .control
        .create("Contacts", json!({"companyID": 0, "lastName": "A"}))
        .unwrap();
    vendor
        .control
        .create("Contacts", json!({"companyID": 5, "lastName": "B"}))
        .unwrap();
    let (_, page) = read(vendor.get(&vendor.url("Companies/0/Contacts")).send().await.unwrap()).await;
    assert_eq!(ids_of(&page), [own]);
    let (_, item) = read(
        vendor
            .get(&vendor.url(&format!("companies/0/contacts/{own}")))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (&item["item"]["lastName"], &item["item"]["isActive"]),
        (&json!("A"), &json!(1))
    );
}

#[tokio::test]
async fn people_with_curl_can_do_the_same() {
    let vendor = Vendor::with_companies(0).await;
    let base = format!("{}/simulator", vendor.simulator.base_url());
    let send = async |method: reqwest::Method, path: &str, body: serde_json::Value| {
        let request = vendor
            .client
            .request(method, format!("{base}{path}"))
            .header("content-type", "application/json");
        read(request.body(body.to_string()).send().await.unwrap()).await
    };
    let (status, created) = send(reqwest::Method::POST, "/Companies", json!({"companyName": "By curl"})).await;
    assert_eq!(status, StatusCode::OK, "{created}");
    let path = format!("/Companies/{}", created["id"]);
    assert_eq!(
        send(reqwest::Method::PATCH, &path, json!({"phone": "2"})).await.0,
        StatusCode::OK
    );
    assert_eq!(send(reqwest::Method::GET, &path, json!({})).await.1["phone"], "2");
    let (status, refused) = send(reqwest::Method::PATCH, &path, json!({"fone": "2"})).await;
    assert_eq!(
        (status, &refused["simulator"]),
        (StatusCode::BAD_REQUEST, &json!("Companies has no field fone"))
    );
    assert_eq!(send(reqwest::Method::DELETE, &path, json!({})).await.0, StatusCode::OK);
    assert_eq!(
        send(reqwest::Method::DELETE, &path, json!({})).await.0,
        StatusCode::NOT_FOUND
    );
    let fault = json!({"kind": {"status": {"code": 503, "body": "down"}}});
    assert_eq!(send(reqwest::Method::POST, "/faults", fault).await.1[0]["times"], 1);
    assert_eq!(
        vendor.get(&vendor.url("Version")).send().await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let (_, requests) = send(reqwest::Method::GET, "/requests", json!({})).await;
    assert_eq!(requests[0]["status"], 503);
    assert!(!requests.to_string().contains("simulated-password"), "{requests}");
}

#[tokio::test]
async fn requests_are_logged_with_their_secrets_and_can_be_waited_for() {
    let vendor = Vendor::with_companies(0).await;
    let asked = |requests: &[Request]| {
        requests
            .iter()
            .any(|request| request.is_on("/v1.0/version") && request.status.is_some())
    };
    let (requests, _) = tokio::join!(
        vendor
            .control
            .wait_for_requests(std::time::Duration::from_secs(10), asked),
        vendor.get(&vendor.url("Version")).send()
    );
    assert_eq!(requests.unwrap()[0].header("secret"), Some("simulated-password"));
}

#[tokio::test]
async fn rows_can_change_between_two_pages() {
    let vendor = Vendor::with_companies(600).await;
    let first = vendor.control.ids("Companies")[10];
    vendor.control.before_request(move |request, control| {
        if request.is_on("query/next") {
            control.delete("Companies", first).unwrap();
        }
    });
    let ids = vendor.ids("Companies", &crate::vendor::everything()).await;
    assert_eq!(ids.len(), 601);
    assert_eq!(vendor.control.ids("Companies").len(), 600);
}

#[tokio::test]
async fn a_vendor_comes_back_from_an_outage_with_its_rows_and_its_address() {
    let vendor = Vendor::with_companies(3).await;
    let (address, url) = (vendor.simulator.address(), vendor.url("Version"));
    let Vendor { simulator, control, .. } = vendor;
    let client = tidegate_examples::http::client();
    drop(simulator);
    tokio::task::yield_now().await;
    assert!(client.get(&url).send().await.unwrap_err().is_connect());
    let simulator = Simulator::resume(control, address).await.unwrap();
    assert_eq!(
        client.get(&url).send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(simulator.control().ids("Companies").len(), 4);
}
