//! Where a run asks.

use super::*;

fn accounts() -> Operation {
    Operation::List(list("accounts"))
}

#[test]
fn the_first_run_looks_the_zone_up_without_credentials_and_for_free() {
    let step = begin(&run(accounts())).unwrap();
    let [request] = requests(&step) else { panic!() };
    assert_eq!(
        request.url,
        "https://webservices2.autotask.net/atservicesrest/v1.0/zoneInformation?user=api%40example.com"
    );
    assert_eq!(
        (request.method, request.cost, request.lane.as_str()),
        ("GET", 0, "zone")
    );
    assert!(request.headers.iter().all(|(_, value)| !value.contains("secret")));
}

#[test]
fn the_zone_found_is_asked_with_all_three_headers_and_kept_in_the_memo() {
    let run = run(accounts());
    let step = answer(
        &run,
        begin(&run).unwrap(),
        &[zone_is("https://webservices15.autotask.net/ATServicesRest/")],
    )
    .unwrap();
    let query = &requests(&step)[0];
    assert_eq!(
        query.url,
        "https://webservices15.autotask.net/atservicesrest/V1.0/Companies/query"
    );
    assert_eq!(
        (query.method, query.cost, query.lane.as_str(), query.idempotent),
        ("POST", 1, "Companies", true)
    );
    let header = |name: &str| {
        query
            .headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(header("UserName"), Some("api@example.com"));
    assert_eq!(header("Secret"), Some("{{secret:crm.autotask.password}}"));
    assert_eq!(
        header("ApiIntegrationCode"),
        Some("{{secret:crm.autotask.integration.code}}")
    );
    assert_eq!(header("Content-Type"), Some("application/json"));
    let memo: Value = serde_json::from_slice(step.memo.as_deref().unwrap()).unwrap();
    assert_eq!(memo["zone"], "https://webservices15.autotask.net/atservicesrest/");
    let next = Run {
        memo: step.memo.clone(),
        ..run
    };
    assert_eq!(urls(&begin(&next).unwrap())[0], query.url);
}

#[test]
fn a_memo_of_another_user_or_server_or_of_no_sense_is_not_used() {
    for memo in [
        br#"{"server":"https://webservices2.autotask.net/","username":"else@example.com","zone":"https://webservices3.autotask.net/atservicesrest/"}"#.to_vec(),
        br#"{"server":"https://webservices3.autotask.net/","username":"api@example.com","zone":"https://webservices3.autotask.net/atservicesrest/"}"#.to_vec(),
        b"not json".to_vec(),
        Vec::new(),
    ] {
        let run = Run { memo: Some(memo), ..run(accounts()) };
        assert!(urls(&begin(&run).unwrap())[0].contains("zoneInformation"));
    }
}

#[test]
fn discovery_that_fails_is_tried_elsewhere_and_then_the_zone_is_guessed() {
    let run = run(accounts());
    let second = answer(&run, begin(&run).unwrap(), &[Response::new(1, 0, "timed out")]).unwrap();
    assert_eq!(
        urls(&second),
        ["https://webservices.autotask.net/atservicesrest/v1.0/zoneInformation?user=api%40example.com"]
    );
    let step = answer(&run, second, &[Response::new(1, 503, "<html>")]).unwrap();
    assert_eq!(urls(&step)[0], format!("{ZONE}V1.0/Companies/query"));
    assert_eq!(codes(&step), ["zone-guessed"]);
    assert!(step.problems[0].message.contains("timed out") && step.problems[0].message.contains("503"));
    assert_eq!(step.memo, None, "a guess is not kept");
}

#[test]
fn a_zone_of_a_foreign_host_gets_no_credentials() {
    let run = run(accounts());
    let second = answer(
        &run,
        begin(&run).unwrap(),
        &[zone_is("https://evil.example/atservicesrest/")],
    )
    .unwrap();
    let step = answer(&run, second, &[zone_is("https://evil.example/")]).unwrap();
    assert_eq!(urls(&step)[0], format!("{ZONE}V1.0/Companies/query"));
    assert!(step.problems[0].message.contains("evil.example"));
}

#[test]
fn without_discovery_and_number_the_run_is_tried_again() {
    let mut run = run(accounts());
    let mut configuration = configuration();
    configuration["crm.autotask.server.url"] = "https://www.autotask.net".into();
    run.configuration = Configuration::from_json(configuration.to_string().as_bytes()).unwrap();
    let fault = answer(&run, begin(&run).unwrap(), &[Response::new(1, 0, "no route")]).unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.remedy),
        ("zone-unknown", Remedy::Retry { after_seconds: None })
    );
}

#[test]
fn an_unknown_user_ends_the_run_with_the_key_to_change() {
    let run = run(accounts());
    let response = Response::new(1, 500, r#"{"errors":["Zone information could not be determined"]}"#);
    let fault = answer(&run, begin(&run).unwrap(), &[response]).unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.remedy),
        ("crm.autotask.username", Remedy::BadConfiguration)
    );
}

#[test]
fn a_zone_from_the_memo_that_refuses_is_looked_up_once_more() {
    let run = settled(accounts());
    let step = answer(&run, begin(&run).unwrap(), &[Response::new(2, 401, "")]).unwrap();
    assert!(urls(&step)[0].contains("zoneInformation"));
    assert!(
        !String::from_utf8_lossy(step.memo.as_deref().unwrap()).contains("\"zone\""),
        "the memo forgets it"
    );
    let moved = answer(
        &run,
        step,
        &[zone_is("https://webservices29.autotask.net/atservicesrest/")],
    )
    .unwrap();
    assert_eq!(
        urls(&moved),
        ["https://webservices29.autotask.net/atservicesrest/V1.0/Companies/query"]
    );
    assert!(String::from_utf8_lossy(moved.memo.as_deref().unwrap()).contains("webservices29"));
    let fault = answer(&run, moved, &[Response::new(2, 401, "")]).unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.remedy),
        ("credentials-refused", Remedy::RefreshAuth)
    );
}

#[test]
fn the_same_zone_again_ends_the_run_without_asking_it() {
    let run = settled(accounts());
    let step = answer(&run, begin(&run).unwrap(), &[Response::new(2, 401, "")]).unwrap();
    let fault = answer(&run, step, &[zone_is(ZONE)]).unwrap_err();
    assert_eq!(fault.remedy, Remedy::RefreshAuth);
}

#[test]
fn a_zone_that_moves_in_the_middle_of_a_walk_is_followed_from_there() {
    let run = settled(accounts());
    let second = answer(&run, begin(&run).unwrap(), &[page(0..500, Some("u"))]).unwrap();
    let lookup = answer(&run, second, &[Response::new(2, 401, "")]).unwrap();
    let third = answer(
        &run,
        lookup,
        &[zone_is("https://webservices29.autotask.net/atservicesrest/")],
    )
    .unwrap();
    assert_eq!(body(&third)["filter"][0]["value"], 499);
}

#[test]
fn a_fresh_zone_that_refuses_ends_the_run_at_once() {
    let run = run(accounts());
    let step = answer(&run, begin(&run).unwrap(), &[zone_is(ZONE)]).unwrap();
    let fault = answer(&run, step, &[Response::new(2, 401, ""), Response::new(3, 401, "")]).unwrap_err();
    assert_eq!(fault.remedy, Remedy::RefreshAuth);
    assert!(fault.message.contains("webservices2.autotask.net"));
}

#[test]
fn what_is_missing_in_the_configuration_is_named() {
    for (key, change) in [
        ("crm.autotask.username", json!(null)),
        ("crm.autotask.username", json!("a\nb")),
        ("crm.autotask.server.url", json!("  ")),
        ("crm.autotask.server.url", json!("<AUTOTASK_LOGIN_URL>")),
    ] {
        let mut run = run(Operation::Check);
        let mut configuration = configuration();
        configuration[key] = change;
        run.configuration = Configuration::from_json(configuration.to_string().as_bytes()).unwrap();
        let fault = begin(&run).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.remedy), (key, Remedy::BadConfiguration));
    }
    for (missing, set) in [
        ("crm.autotask.integration.code", "crm.autotask.password"),
        ("crm.autotask.password", "crm.autotask.integration.code"),
    ] {
        let mut run = run(Operation::Check);
        let mut configuration = configuration();
        configuration["$secrets"] = json!([set]);
        run.configuration = Configuration::from_json(configuration.to_string().as_bytes()).unwrap();
        let fault = begin(&run).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.remedy), (missing, Remedy::BadConfiguration));
        assert!(fault.message.contains(missing));
    }
}
