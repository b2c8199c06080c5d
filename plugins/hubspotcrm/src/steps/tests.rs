//! Runs from beginning to end, against hand-written answers.

use serde_json::json;
use tidegate_sdk::filter::Filter;
use tidegate_sdk::{
    Configuration, DateFields, GetArgs, ListArgs, Next, Operation, Parameter, Remedy, Request, SweepArgs, Window,
};

use super::*;
use crate::settings::{OTHER, TOKEN, URL};

fn run(operation: Operation) -> Run {
    let configuration = json!({
        HUB_ID: 42, URL: "https://api.hubapi.com", "$secrets": [TOKEN], OTHER: "products: name",
        "crm.hubspot.properties.contacts": "email"
    });
    Run {
        operation,
        configuration: Configuration::from_json(configuration.to_string().as_bytes()).unwrap(),
        memo: None,
        now_ms: 0,
    }
}

fn dates() -> DateFields {
    DateFields {
        created: vec!["createdAt".into()],
        updated: vec!["updatedAt".into()],
    }
}

fn list(resource: &str, page_size: u32) -> ListArgs {
    ListArgs {
        resource: resource.into(),
        window: Some(Window {
            from_ms: 5,
            until_ms: None,
        }),
        filter: None,
        parameters: Vec::new(),
        id_field: "id".into(),
        dates: dates(),
        page_size,
        checkpoint: None,
    }
}

fn get(id: &str, id_field: &str) -> Operation {
    Operation::Get(GetArgs {
        resource: "contacts".into(),
        id: id.into(),
        id_field: id_field.into(),
        dates: dates(),
    })
}

fn sweep(id_field: &str) -> Operation {
    Operation::Sweep(SweepArgs {
        resource: "contacts".into(),
        id_field: id_field.into(),
        page_size: 500,
    })
}

/// Answers the only request of a step.
fn answer(run: &Run, step: Step<State>, status: u16, body: &str) -> Answered {
    let (request, state) = asked(step);
    advance(run, state, &[Response::new(request.id, status, body)])
}

fn asked(step: Step<State>) -> (Request, State) {
    let Next::Send(mut requests, state) = step.next else {
        panic!("nothing was asked: {step:?}")
    };
    assert_eq!(requests.len(), 1);
    (requests.remove(0), state)
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.body.as_ref().unwrap()).unwrap()
}

fn ids(step: &Step<State>) -> Vec<String> {
    step.records.iter().map(|record| record.id.to_owned()).collect()
}

fn page(numbers: &[u64], after: Option<&str>) -> String {
    let records = numbers
        .iter()
        .map(|number| json!({"id": number.to_string(), "properties": {}}));
    let mut page = json!({"total": 9, "results": records.collect::<Vec<_>>()});
    if let Some(after) = after {
        page["paging"] = json!({"next": {"after": after}});
    }
    page.to_string()
}

#[test]
fn a_check_asks_whose_the_credentials_are() {
    let run = run(Operation::Check);
    let (request, _) = asked(begin(&run).unwrap());
    assert_eq!(request.url, "https://api.hubapi.com/account-info/v3/details");
    let authorization = (
        "Authorization".to_owned(),
        "Bearer {{secret:crm.hubspot.token}}".to_owned(),
    );
    assert!(request.headers.contains(&authorization));
    let check = |status: u16, body: &str| answer(&run, begin(&run).unwrap(), status, body);
    assert_eq!(
        check(200, r#"{"portalId":42,"timeZone":"US/Eastern"}"#).unwrap(),
        Step::done()
    );
    let other = check(200, r#"{"portalId":43}"#).unwrap_err();
    assert_eq!((other.remedy, other.code.as_str()), (Remedy::BadConfiguration, HUB_ID));
    assert_eq!(check(200, "{}").unwrap_err().code, "answer-unreadable");
    assert_eq!(check(401, "").unwrap_err().remedy, Remedy::RefreshAuth);
}

#[test]
fn pages_follow_each_other_by_the_number_of_the_last_record() {
    let run = run(Operation::List(list("contacts", 2)));
    let step = begin(&run).unwrap();
    let (request, _) = asked(step.clone());
    assert_eq!((request.lane.as_str(), request.idempotent), ("search", true));
    assert_eq!(
        body(&request)["filterGroups"][0]["filters"].as_array().unwrap().len(),
        1
    );
    let step = answer(&run, step, 200, &page(&[3, 9], Some("2"))).unwrap();
    assert_eq!(ids(&step), ["3", "9"]);
    let (request, _) = asked(step.clone());
    let above = &body(&request)["filterGroups"][0]["filters"][1];
    assert_eq!(
        *above,
        json!({"propertyName": "hs_object_id", "operator": "GT", "value": "9"})
    );
    assert_eq!(body(&request).get("after"), None);
    let step = answer(&run, step, 200, &page(&[11], None)).unwrap();
    assert_eq!((ids(&step), step.next), (vec!["11".to_owned()], Next::Done));
}

#[test]
fn a_full_page_is_never_believed_to_be_the_last() {
    let run = run(Operation::List(list("contacts", 2)));
    let step = answer(&run, begin(&run).unwrap(), 200, &page(&[3, 9], None)).unwrap();
    let step = answer(&run, step, 200, &page(&[], None)).unwrap();
    assert_eq!(step.next, Next::Done);
}

#[test]
fn a_page_that_leads_nowhere_is_a_fault() {
    let run = run(Operation::List(list("contacts", 2)));
    let code = |answers: &[String]| {
        let mut step = begin(&run).unwrap();
        for (index, body) in answers.iter().enumerate() {
            match answer(&run, step, 200, body) {
                Ok(next) => step = next,
                Err(fault) => return (index, fault.code),
            }
        }
        panic!("no fault")
    };
    assert_eq!(code(&[page(&[], Some("2"))]), (0, "paging-stuck".into()));
    assert_eq!(
        code(&[page(&[3, 9], Some("2")), page(&[9], None)]),
        (1, "filter-ignored".into())
    );
    assert_eq!(code(&["{}".into()]), (0, "answer-unreadable".into()));
}

#[test]
fn what_a_poll_needs_is_asked_for_beside_what_is_configured() {
    let args = ListArgs {
        id_field: "hs_unique".into(),
        dates: DateFields {
            created: vec!["createdAt".into()],
            updated: vec!["hs_seen".into(), "updatedAt".into()],
        },
        ..list("contacts", 0)
    };
    let (request, _) = asked(begin(&run(Operation::List(args))).unwrap());
    assert_eq!(body(&request)["properties"], json!(["email", "hs_seen", "hs_unique"]));
    assert_eq!(body(&request)["limit"], 200);
}

#[test]
fn a_user_may_ask_for_other_fields_and_hears_what_is_left_out() {
    let parameter = |name: &str, value: &str| Parameter {
        name: name.into(),
        value: value.into(),
    };
    let args = ListArgs {
        window: None,
        filter: Some(Filter::IsNull { field: "email".into() }),
        parameters: vec![parameter("fields", "id,phone"), parameter("orderBy", "email")],
        ..list("contacts", 0)
    };
    let step = begin(&run(Operation::List(args))).unwrap();
    assert_eq!(step.problems[0].code, "parameter-ignored");
    let (request, _) = asked(step);
    assert_eq!(body(&request)["properties"], json!(["phone"]));
}

#[test]
fn records_without_the_configured_id_are_told_of_and_all_of_them_are_a_fault() {
    let args = ListArgs {
        id_field: "email".into(),
        ..list("contacts", 0)
    };
    let run = run(Operation::List(args));
    let page = r#"{"results":[{"id":"7","properties":{"email":"a"}},{"id":"8","properties":{}}]}"#;
    let step = answer(&run, begin(&run).unwrap(), 200, page).unwrap();
    assert_eq!(
        (ids(&step), step.problems[0].code.as_str()),
        (vec!["a".to_owned()], "record-without-id")
    );
    let page = r#"{"results":[{"id":"8","properties":{}}]}"#;
    assert_eq!(
        answer(&run, begin(&run).unwrap(), 200, page).unwrap_err().code,
        "idField"
    );
}

#[test]
fn one_record_is_read_by_its_id_and_404_says_that_there_is_none() {
    let run = run(get("7", "id"));
    let step = begin(&run).unwrap();
    let (request, _) = asked(step.clone());
    assert_eq!(
        request.url,
        "https://api.hubapi.com/crm/v3/objects/contacts/7?archived=false&properties=email"
    );
    let found = answer(
        &run,
        step.clone(),
        200,
        r#"{"id":"7","properties":{},"archived":false}"#,
    )
    .unwrap();
    assert_eq!((ids(&found), found.next), (vec!["7".to_owned()], Next::Done));
    let gone = answer(
        &run,
        step.clone(),
        404,
        r#"{"status":"error","message":"resource not found"}"#,
    )
    .unwrap();
    assert_eq!(gone, Step::done());
    for (status, body, code) in [
        (404, "<html>", "answer-unreadable"),
        (200, r#"{"id":"8","properties":{}}"#, "other-record"),
        (200, "[]", "answer-unreadable"),
        (500, "", "vendor-unavailable"),
    ] {
        assert_eq!(
            answer(&run, step.clone(), status, body).unwrap_err().code,
            code,
            "{body}"
        );
    }
}

#[test]
fn what_can_be_no_id_is_not_asked_for() {
    for id in ["", "x", "07", "-1", "7/8"] {
        assert_eq!(begin(&run(get(id, "id"))).unwrap(), Step::done(), "{id}");
    }
    let (request, _) = asked(begin(&run(get("a/b@x.example", "email"))).unwrap());
    let path = "/crm/v3/objects/contacts/a%2Fb%40x.example?archived=false&idProperty=email&properties=email";
    assert!(request.url.ends_with(path), "{}", request.url);
}

#[test]
fn a_sweep_reads_the_list_by_its_cursor() {
    let run = run(sweep("id"));
    let step = begin(&run).unwrap();
    let (request, _) = asked(step.clone());
    assert_eq!(
        request.url,
        "https://api.hubapi.com/crm/v3/objects/contacts?limit=100&archived=false"
    );
    let step = answer(&run, step, 200, &page(&[9, 3], Some("NTI1Cg=="))).unwrap();
    assert_eq!(step.ids, ["9", "3"]);
    let (request, _) = asked(step.clone());
    assert!(request.url.ends_with("&after=NTI1Cg%3D%3D"), "{}", request.url);
    let circle = answer(&run, step.clone(), 200, &page(&[4], Some("NTI1Cg=="))).unwrap_err();
    assert_eq!(circle.code, "no-progress");
    let step = answer(&run, step, 200, &page(&[4], None)).unwrap();
    assert_eq!((step.ids, step.next), (vec!["4".to_owned()], Next::Done));
}

#[test]
fn a_sweep_that_cannot_name_a_record_is_a_fault() {
    let run = run(sweep("email"));
    let (request, _) = asked(begin(&run).unwrap());
    assert!(request.url.ends_with("&properties=email"), "{}", request.url);
    let page = r#"{"results":[{"id":"7","properties":{"email":"a"}},{"id":"8","properties":{}}]}"#;
    assert_eq!(
        answer(&run, begin(&run).unwrap(), 200, page).unwrap_err().code,
        "idField"
    );
}

#[test]
fn a_state_of_another_run_begins_anew() {
    let fault = advance(
        &run(Operation::Check),
        State::Above(None),
        &[Response::new(0, 200, "{}")],
    )
    .unwrap_err();
    assert_eq!(fault.remedy, Remedy::Restart);
    let fault = advance(&run(Operation::Check), State::Asked, &[]).unwrap_err();
    assert_eq!(fault.code, "response-missing");
}

/// A vendor whose records change while it is read: before each search, some of those already given are changed again.
#[test]
fn what_changes_while_a_run_reads_hides_no_other_record() {
    let run = run(Operation::List(list("contacts", 3)));
    let mut modified: Vec<(u64, i64)> = (1..=20).map(|number| (number, 10)).collect();
    let (mut step, mut given) = (begin(&run).unwrap(), Vec::new());
    for clock in 11.. {
        let (request, state) = asked(step);
        let above = filter_value(&request, "hs_object_id").unwrap_or(0);
        let from = filter_value(&request, "lastmodifieddate").unwrap();
        let mut found: Vec<u64> = modified
            .iter()
            .filter(|(number, at)| *number > above && *at >= i64::try_from(from).unwrap())
            .map(|(number, _)| *number)
            .collect();
        found.truncate(3);
        step = advance(&run, state, &[Response::new(request.id, 200, page(&found, None))]).unwrap();
        given.extend(ids(&step));
        for (number, at) in &mut modified {
            if given.contains(&number.to_string()) {
                *at = clock;
            }
        }
        if step.next == Next::Done {
            break;
        }
    }
    let all: Vec<String> = (1..=20).map(|number: u64| number.to_string()).collect();
    assert_eq!(given, all);
}

fn filter_value(request: &Request, property: &str) -> Option<u64> {
    let body = body(request);
    let filters = body["filterGroups"][0]["filters"].as_array()?;
    let filter = filters.iter().find(|filter| filter["propertyName"] == property)?;
    filter["value"].as_str()?.parse().ok()
}
