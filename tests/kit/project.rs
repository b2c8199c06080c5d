//! A Rust project from `new` on, as its author changes it.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::{assert_has, element, scene, target};

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
}

/// What is kept of a step that failed: the answer that the changed element below panics at.
fn kept_step() -> String {
    let headers = json!([
        ["Accept", "application/json"],
        ["Authorization", "Bearer {{secret:my-crm.token}}"]
    ]);
    let kept = json!({
        "format": 1,
        "name": "kept of a poll",
        "madeBy": {"element": "my-crm", "version": "0.1.0", "digest": "00"},
        "run": {"operation": "check", "configuration": {"my-crm.url": "https://api.vendor.example"}, "nowMs": 0},
        "exchanges": [[{
            "request": {
                "id": 1, "method": "GET", "url": "https://api.vendor.example/v2/me", "headers": headers,
                "idempotent": true, "cost": 1, "lane": "contacts",
            },
            "response": {"status": 418, "body": {"text": "short and stout"}},
        }]],
        "cut": true,
        "failure": {"code": "trap", "message": "the element trapped: unreachable"},
    });
    kept.to_string()
}

#[test]
fn a_new_rust_project_builds_and_passes_and_shows_what_a_change_does() {
    let scene = scene("rust");
    let run = |arguments: &[&str]| element(&scene, arguments);
    let target = target();
    let build = ["--target-dir", target.as_str()];

    let out = run(&["new", "my-crm"]).with(0);
    assert_has(
        &out,
        &[
            "my-crm is an element of a made-up vendor",
            "tidegate element build my-crm",
        ],
    );
    assert_has(&run(&["new", "my-crm"]).err, &["is there already and not empty"]);

    let out = run(&[&["build", "my-crm"], &build[..]].concat()).with(0);
    assert_has(
        &out,
        &[
            "my-crm/build/my-crm.wasm\n",
            "my-crm 0.1.0 (My crm)",
            "with 9 cases",
            "imports   tidegate:element/",
            "next: tidegate element test my-crm",
        ],
    );
    // From here on nothing needs to be built until something changes.
    let out = run(&["test", "my-crm"]).with(0);
    assert_has(&out, &["ok      contacts ", "my-crm: 9 cases: 9 passed, 0 failed"]);
    let out = run(&["check", "my-crm"]).with(0);
    assert_has(&out, &["11 rules: 11 held, 0 broken, 0 not proven"]);
    let report = run(&["check", "my-crm/build/my-crm.wasm", "--json"]).json(0);
    assert_eq!(
        (&report["good"], &report["cases"]),
        (&json!(true), &json!(9)),
        "the file carries its cases"
    );
    let report = run(&["bench", "my-crm", "--only", "contacts", "--rounds", "1", "--json"]).json(0);
    let contacts = &report["cases"][0];
    assert_eq!(contacts["records"], 3, "{report}");
    assert!(contacts["nanoseconds"].as_f64().unwrap() > 0.0 && contacts["peakMemoryBytes"].as_u64().unwrap() > 65_536);
    fs::copy(scene.join("my-crm/build/my-crm.wasm"), scene.join("old.wasm")).unwrap();

    // A record that has one field more, a page that is asked for otherwise, and a trap.
    let source = scene.join("my-crm/src");
    edit(
        &source.join("page.rs"),
        "|out| writer.write(members, out)",
        "|out| {\n            writer.write(members, out);\n            out.pop();\n            out.extend_from_slice(b\",\\\"z\\\":true}\");\n        }",
    );
    edit(&source.join("lib.rs"), "\"/v1/me\".to_owned()", "\"/v2/me\".to_owned()");
    edit(
        &source.join("lib.rs"),
        "        refusal::check(answer)?;",
        "        assert!(answer.status != 418, \"I am a teapot\");\n        refusal::check(answer)?;",
    );
    let out = run(&[&["test", "my-crm"], &build[..]].concat()).with(1);
    assert_has(
        &out,
        &[
            "FAILED  check ",
            "/v2/me is not what the case has an answer for: url: found",
            "record `1` changed: body.z: true is new",
            "9 cases: 3 passed, 6 failed",
            "tidegate element replay my-crm/cases/check.json",
        ],
    );
    let report = run(&["test", "my-crm", "--only", "contacts-one", "--json"]).json(1);
    assert_eq!(
        report["cases"][0]["differences"]["records"].as_array().unwrap().len(),
        3,
        "{report}"
    );

    let out = run(&["diff", "old.wasm", "my-crm"]).with(1);
    assert_has(
        &out,
        &[
            "  contacts               0     0        3     0",
            "new: step 1: GET https://api.vendor.example/v2/me",
            "8 records with another content, and `projection` is 1 in both",
        ],
    );
    assert_eq!(
        run(&["diff", "old.wasm", "old.wasm", "--json"]).json(0)["cases"]
            .as_array()
            .unwrap()
            .len(),
        9
    );

    // What came is taken as what is expected, but for the case that the run leaves.
    let out = run(&["test", "my-crm", "--update"]).with(1);
    assert_has(&out, &["updated contacts ", "FAILED  check "]);
    for case in ["check", "token-refused"] {
        edit(&scene.join(format!("my-crm/cases/{case}.json")), "/v1/me", "/v2/me");
    }
    run(&["test", "my-crm"]).with(0);

    let kept = scene.join("kept.json");
    fs::write(&kept, kept_step()).unwrap();
    assert_has(
        &run(&["replay", "kept.json"]).err,
        &["say which component of `my-crm` to run it on"],
    );
    let replay = ["replay", "kept.json", "--component", "my-crm"];
    let out = run(&replay).with(1);
    assert_has(
        &out,
        &[
            "note: the file was made with another component",
            "step 2: advance with answer 418, 15 B",
            "  log      error: ",
            "I am a teapot",
            "FAILED   the element trapped",
            "my_crm",
            "it fails as it did when the file was kept (trap: the element trapped: unreachable)",
        ],
    );
    edit(&kept, "418", "200");
    edit(&kept, "short and stout", "{\\\"account\\\":1}");
    assert_has(&run(&replay).with(0), &["it does not fail any more"]);
    // It can be kept as a case: what came is what is expected, and the run ends there.
    fs::copy(&kept, scene.join("my-crm/cases/teapot.json")).unwrap();
    assert_has(
        &run(&["test", "my-crm", "--only", "teapot"]).with(1),
        &["the case expects nothing yet"],
    );
    run(&["test", "my-crm", "--only", "teapot", "--update"]).with(0);
    run(&["test", "my-crm"]).with(0);
    // A case of the project needs no component named.
    assert_has(
        &run(&["replay", "my-crm/cases/check.json"]).with(0),
        &["the run kept to the file"],
    );
}
