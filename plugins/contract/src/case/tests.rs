//! Tests of cases as files. Must not run an element.

use serde_json::{Value, json};

use super::files::CaseFile;
use super::*;

fn minimal() -> Value {
    json!({
        "format": 1,
        "name": "contacts: one page",
        "run": {
            "operation": {"get": {"resource": "contacts", "id": "7", "idField": "id"}},
            "configuration": {"$secrets": ["acme.key"]},
            "nowMs": 1_700_000_000_000_i64
        },
        "exchanges": [[{
            "request": {
                "method": "GET",
                "url": "https://api.acme.example/contacts/7?page_token=x",
                "headers": [["Authorization", "Bearer {{secret:acme.key}}"]]
            },
            "response": {"status": 200, "body": {"json": {"id": 7}}}
        }]],
        "expect": {"records": [{"id": "7", "body": {"json": {"id": 7}}}]}
    })
}

/// The minimal case with another value at a place.
fn with(pointer: &str, value: Value) -> Result<Case, String> {
    let mut document = minimal();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
    Case::parse(document.to_string().as_bytes())
}

#[test]
fn a_case_comes_back_as_it_was_written() {
    let case = Case::parse(minimal().to_string().as_bytes()).unwrap();
    let text = case.to_text();
    assert!(text.ends_with("}\n") && !text.ends_with("\n\n"));
    assert_eq!(Case::parse(text.as_bytes()).unwrap(), case);
    assert_eq!(case.to_text(), text);
}

#[test]
fn an_error_names_the_field() {
    for (pointer, value, said) in [
        ("/format", json!(2), "format: found 2; expected 1"),
        ("/name", json!(" "), "name: found ``; expected a text"),
        ("/nme", json!("x"), "nme: unknown field `nme`, expected one of"),
        (
            "/run/operation/get/id",
            json!(7),
            "run.operation.get.id: invalid type: integer `7`, expected a string",
        ),
        (
            "/run/configuration",
            json!([]),
            "run.configuration: found []; expected an object",
        ),
        (
            "/exchanges/0/0/response/status",
            json!("200"),
            "exchanges[0][0].response.status: invalid type",
        ),
    ] {
        let error = with(pointer, value).unwrap_err();
        assert!(error.starts_with(said), "{error}");
    }
    assert!(Case::parse(b"{} {}").unwrap_err().contains("missing field"));
    let two = format!("{0}{0}", minimal());
    assert!(
        Case::parse(two.as_bytes())
            .unwrap_err()
            .starts_with("found something after")
    );
}

#[test]
fn a_literal_secret_is_refused_and_not_shown() {
    let headers = "/exchanges/0/0/request/headers";
    let url = "/exchanges/0/0/request/url";
    for (pointer, value, said) in [
        (
            headers,
            json!([["authorization", "Bearer hunter2"]]),
            "request.headers.authorization",
        ),
        (headers, json!([["X-Api-Key", "hunter2"]]), "request.headers.X-Api-Key"),
        (
            headers,
            json!([["X-Auth-Token", "hunter2"]]),
            "request.headers.X-Auth-Token",
        ),
        (headers, json!([["Cookie", "a=hunter2"]]), "request.headers.Cookie"),
        (url, json!("https://a.example/?access_token=hunter2"), "`access_token`"),
        (
            url,
            json!("https://jo:hunter2@a.example/"),
            "request.url: found a password",
        ),
        (
            "/run/configuration/acme.key",
            json!("hunter2"),
            "run.configuration.acme.key: found a value for a secret",
        ),
    ] {
        let error = with(pointer, value).unwrap_err();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    for (pointer, value) in [
        (
            headers,
            json!([["Authorization", "Basic {{base64:jo:{{secret:acme.key}}}}"]]),
        ),
        (headers, json!([["Accept", "application/json"]])),
        (url, json!("https://a.example/?page_token=abc&after=x")),
    ] {
        with(pointer, value).unwrap();
    }
}

#[test]
fn a_directory_is_read_in_order_and_an_error_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let named = |name: &str| {
        let mut document = minimal();
        document["name"] = name.into();
        document.to_string()
    };
    write("b.json", &named("second"));
    write("a.json", &named("first"));
    write("notes.txt", "not a case");
    let mut files = CaseFile::load_dir(directory.path()).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.case.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);

    files[0].case.cut = true;
    files[0].save().unwrap();
    assert_eq!(CaseFile::load_dir(directory.path()).unwrap(), files);

    write("c.json", &named("second"));
    let error = CaseFile::load_dir(directory.path()).unwrap_err();
    assert!(error.contains("c.json: name: found `second`, which"), "{error}");
    write("c.json", "{");
    let error = CaseFile::load_dir(directory.path()).unwrap_err();
    assert!(error.contains("c.json: EOF"), "{error}");
    let error = CaseFile::load_dir(&directory.path().join("none")).unwrap_err();
    assert!(error.contains("none: "), "{error}");
}
