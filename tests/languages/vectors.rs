//! One table of inputs and results for the helpers that all languages have: the kits and the SDK answer alike.
//! Must not hold a row that only one language passes.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tidegate_sdk::filter::{Filter, Operator, QueryParameters, percent_encoded};
use tidegate_sdk::paging::{Cursor, NextUrl, next_link};
use tidegate_sdk::{Fault, dates, json as scanner};

use crate::language::Language;
use crate::projects::root;
use crate::read;
use crate::templates::template;

#[test]
fn helpers_in_javascript_answer_as_the_table_says() {
    run(Language::JavaScript, &["node", "vectors.mjs"], "tidegate.js");
}

#[test]
fn helpers_in_python_answer_as_the_table_says() {
    run(Language::Python, &["python3", "vectors.py"], "tidegate.py");
}

#[test]
fn helpers_in_rust_answer_as_the_table_says() {
    for (name, rows) in table().as_object().unwrap() {
        for row in rows.as_array().unwrap() {
            assert_eq!(in_rust(name, &row[0]), row[1], "{name} of {}", row[0]);
        }
    }
}

fn run(language: Language, command: &[&str], kit: &str) {
    if language.is_missing("helpers") {
        return;
    }
    let directory = root().join("tests/languages");
    let output = Command::new(command[0])
        .arg(directory.join(command[1]))
        .arg(template(language).unwrap().join(kit))
        .arg(directory.join("vectors.json"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, rows) in table().as_object().unwrap() {
        for (row, found) in rows.as_array().unwrap().iter().zip(found[name].as_array().unwrap()) {
            assert_eq!(found[1], row[1], "{name} of {}", row[0]);
        }
    }
}

fn table() -> Value {
    let path: &Path = &root().join("tests/languages/vectors.json");
    serde_json::from_str(&read(path)).unwrap()
}

fn in_rust(name: &str, input: &Value) -> Value {
    let text = input.as_str().unwrap_or_default();
    match name {
        "parseIso" => dates::parse_iso(text.as_bytes()).into(),
        "formatIso" => dates::format_iso(input.as_i64().unwrap()).into(),
        "encode" => percent_encoded(text).into(),
        "canonical" => {
            let mut out = Vec::new();
            scanner::Value::parse(text.as_bytes())
                .unwrap()
                .write_canonical(&mut out);
            String::from_utf8(out).unwrap().into()
        }
        "parseJsonFails" => scanner::Value::parse(text.as_bytes()).is_err().into(),
        "nextLink" => next_link(text).into(),
        "nextUrl" => {
            let next = NextUrl::start(input[0].as_str().unwrap()).next(input[1].as_str());
            or_code(next.map(|next| next.map(|next| next.url().to_owned()).into()))
        }
        "walk" => or_code(walk(input.as_array().unwrap())),
        "queryOf" => match query(input) {
            Ok(parameters) => parameters,
            Err(fault) => json!({"fault": fault.message}),
        },
        name => panic!("{name} is not in the SDK"),
    }
}

fn or_code(result: Result<Value, Fault>) -> Value {
    result.unwrap_or_else(|fault| json!({"fault": fault.code}))
}

fn walk(tokens: &[Value]) -> Result<Value, Fault> {
    let mut cursor = Cursor::start();
    for (index, token) in tokens.iter().enumerate() {
        match cursor.next(token.as_str())? {
            Some(next) => cursor = next,
            None => return Ok((index + 1).into()),
        }
    }
    Ok(tokens.len().into())
}

fn query(filter: &Value) -> Result<Value, Fault> {
    const ACME: QueryParameters<'_> = QueryParameters {
        vendor: "Acme",
        known: &[
            ("tag", Operator::Equal, "tag"),
            ("at", Operator::GreaterOrEqual, "since"),
        ],
        joined: ",",
    };
    if filter.is_null() {
        return Ok(json!({}));
    }
    let parameters = ACME.of(&Filter::from_json(filter.to_string().as_bytes()).unwrap())?;
    Ok(parameters
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect())
}
