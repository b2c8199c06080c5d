//! A tiny element with one case, run as an author's would be.
//! Must not leave files behind.

use serde_json::{Value, json};
use tidegate_contract::run::Run as ContractRun;
use tidegate_contract::{Call, CallError, Subject};

use super::*;
use crate::{Fault, Operation, Request, Response, Run, Step};

/// Reads one user, with strict serde types.
struct Users;

#[derive(serde::Deserialize)]
struct User {
    id: u64,
}

impl Element for Users {
    type State = u8;

    fn manifest() -> &'static str {
        r#"{"key":"users","name":"Users","hub":"crm","version":"1.0.0","projection":1,"hosts":["users.example"],
            "resources":[{"name":"users"}]}"#
    }

    fn begin(run: &Run) -> Result<Step<u8>, Fault> {
        assert_ne!(run.configuration.text("mode"), Some("panic"), "asked to panic");
        match &run.operation {
            Operation::Get(get) => {
                let request = Request::get(format!("https://users.example/{}", get.id));
                Ok(Step::done().then_send(vec![request], 1))
            }
            _ => Err(Fault::broken("operation-unknown", "only `get` is known").with_detail(json!({"a": 1}))),
        }
    }

    fn advance(_: &Run, _: u8, responses: &[Response]) -> Result<Step<u8>, Fault> {
        let [response] = responses else {
            return Err(Fault::broken("response-missing", "expected one response"));
        };
        if response.status != 200 || response.id != 0 {
            return Err(Fault::retry("refused", "expected status 200"));
        }
        let user: User =
            serde_json::from_slice(&response.body).map_err(|error| Fault::broken("unreadable", error.to_string()))?;
        let mut step = Step::done();
        let body = json!({ "id": user.id }).to_string();
        step.push_record(
            &user.id.to_string(),
            body.as_bytes(),
            crate::Moment::AtMs(5),
            crate::Moment::None,
        );
        Ok(step)
    }
}

fn case() -> Value {
    json!({
        "format": 1,
        "name": "one user",
        "run": {"operation": {"get": {"resource": "users", "id": "7", "idField": "id"}}, "nowMs": 0},
        "exchanges": [[{
            "request": {"method": "GET", "url": "https://users.example/7", "idempotent": true, "cost": 1},
            "response": {"status": 200, "body": {"json": {"id": 7, "name": "Jo"}}}
        }]]
    })
}

fn run(operation: Value, configuration: Value) -> ContractRun {
    serde_json::from_value(json!({"operation": operation, "configuration": configuration, "nowMs": 0})).unwrap()
}

#[test]
fn a_case_fails_until_its_expectation_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("user.json");
    std::fs::write(&path, case().to_string()).unwrap();
    let failed = report::<Users>(directory.path(), false).unwrap_err();
    assert!(
        failed.contains("FAILED      case `one user` (2 steps)\n            it has no `expect` yet"),
        "{failed}"
    );
    assert!(failed.contains("UPDATE_CASES=1"), "{failed}");

    let passed = report::<Users>(directory.path(), true).unwrap();
    assert!(passed.contains("ok          case `one user` (2 steps)"), "{passed}");
    assert!(passed.contains("held        whatever a vendor answers"), "{passed}");
    assert!(passed.contains("not proven  a fresh guest between steps"), "{passed}");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains(r#""atMs": 5"#), "{written}");
    report::<Users>(directory.path(), false).unwrap();
}

#[test]
fn a_missing_case_and_a_wrong_one_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let said = report::<Users>(directory.path(), false).unwrap_err();
    assert!(said.contains("found no case; expected one file"), "{said}");
    std::fs::write(directory.path().join("a.json"), "{}").unwrap();
    let said = report::<Users>(directory.path(), false).unwrap_err();
    assert!(said.contains("a.json: missing field `format`"), "{said}");
}

#[test]
fn a_fault_and_a_panic_arrive_as_they_do_from_a_component() {
    let element = Native::<Users>::new();
    let fault = element
        .call(&run(json!("check"), json!({})), &Call::Begin)
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.detail),
        ("operation-unknown", Some(json!({"a": 1})))
    );
    let trap = element
        .call(&run(json!("check"), json!({"mode": "panic"})), &Call::Begin)
        .unwrap_err();
    assert!(
        matches!(&trap, CallError::Trap(text) if text.contains("asked to panic")),
        "{trap}"
    );
    let state_of_another = Call::Advance {
        state: b"x".to_vec(),
        responses: Vec::new(),
    };
    let fault = element
        .call(&run(json!("check"), json!({})), &state_of_another)
        .unwrap()
        .unwrap_err();
    assert_eq!(fault.code, "state-unreadable");
}

#[test]
fn every_operation_crosses_with_all_that_it_has() {
    struct Mirror;

    impl Element for Mirror {
        type State = ();

        fn manifest() -> &'static str {
            "{}"
        }

        fn begin(run: &Run) -> Result<Step<()>, Fault> {
            Err(Fault::retry("seen", format!("{run:?}")).after(3))
        }

        fn advance(_: &Run, (): (), _: &[Response]) -> Result<Step<()>, Fault> {
            Ok(Step::done())
        }
    }

    let list = json!({"list": {
        "resource": "r", "window": {"fromMs": 1, "untilMs": 2}, "filter": {"op": "=", "field": "f", "value": 3},
        "parameters": [["p", "q"]], "idField": "i", "dates": {"created": ["c"], "updated": ["u"]}, "pageSize": 4,
        "checkpoint": {"text": "k"}
    }});
    let get = json!({"get": {"resource": "r", "id": "7", "idField": "i", "dates": {"created": ["c"], "updated": []}}});
    let sweep = json!({"sweep": {"resource": "r", "idField": "i", "pageSize": 4}});
    for (operation, seen) in [
        (
            list,
            "List(ListArgs { resource: \"r\", window: Some(Window { from_ms: 1, until_ms: Some(2) }), filter: Some(Compare { \
             field: \"f\", operator: Equal, value: Number(3) }), parameters: [Parameter { name: \"p\", value: \"q\" }], \
             id_field: \"i\", dates: DateFields { created: [\"c\"], updated: [\"u\"] }, page_size: 4, checkpoint: Some([107]) })",
        ),
        (
            get,
            "Get(GetArgs { resource: \"r\", id: \"7\", id_field: \"i\", dates: DateFields { created: [\"c\"], updated: [] } })",
        ),
        (
            sweep,
            "Sweep(SweepArgs { resource: \"r\", id_field: \"i\", page_size: 4 })",
        ),
    ] {
        let fault = Native::<Mirror>::new()
            .call(&run(operation, json!({"k": 1})), &Call::Begin)
            .unwrap()
            .unwrap_err();
        assert!(fault.message.contains(seen), "{}", fault.message);
        assert_eq!(
            fault.remedy,
            tidegate_contract::run::Remedy::Retry { after_seconds: Some(3) }
        );
    }
}
