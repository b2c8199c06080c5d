//! Answers that no vendor should give: whatever comes, an element gives a step or a fault, within its limits.
//! Must not mind which of the two: the conformance kit and the cases do.

use std::collections::HashSet;
use std::path::Path;

use tidegate_contract::run::{Next, Response, Run};
use tidegate_contract::{Call, Subject};

/// Deep enough for any parser that calls itself to run out of stack.
const LEVELS: usize = 200_000;

pub(crate) fn attack(subject: &dyn Subject, cases: &Path) {
    let mut seen = HashSet::new();
    for (name, case) in crate::cases::read_all(cases) {
        let Ok(begun) = subject.call(&case.run, &Call::Begin).unwrap() else {
            continue;
        };
        let Next::Send(requests) = begun.next else { continue };
        // One case of each operation is enough.
        if !seen.insert(std::mem::discriminant(&case.run.operation)) {
            continue;
        }
        let attack = |state: &[u8], responses, what: &str| {
            advance(subject, &case.run, state, responses, &format!("{name}, {what}"))
        };
        let response = |status, body: &[u8]| Response {
            id: requests[0].id,
            status,
            headers: Vec::new(),
            body: body.to_vec().into(),
        };
        for body in bodies() {
            let start = String::from_utf8_lossy(&body).chars().take(60).collect::<String>();
            attack(&begun.state, vec![response(200, &body)], &start);
        }
        for status in [0, 204, 301, 404, 429, 500, 65_535] {
            attack(
                &begun.state,
                vec![response(status, b"\xff")],
                &format!("status {status}"),
            );
        }
        attack(&begun.state, Vec::new(), "no response");
        for state in [&b""[..], b"\xff", b"[1]", b"null"] {
            attack(state, vec![response(200, b"{}")], "another state");
        }
    }
    assert!(!seen.is_empty());
}

fn advance(subject: &dyn Subject, run: &Run, state: &[u8], responses: Vec<Response>, what: &str) {
    let call = Call::Advance {
        state: state.into(),
        responses,
    };
    if let Err(error) = subject.call(run, &call) {
        panic!("{what}: {error}");
    }
}

fn bodies() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "null",
        "true",
        "0",
        "[]",
        "{}",
        "{",
        "\"",
        "NaN",
        "-",
        "<html>",
        "\u{feff}{}",
        "{\"notes\":null}",
        "{\"notes\":{}}",
        "{\"notes\":[null]}",
        "{\"notes\":[[]]}",
        "{\"notes\":[{}]}",
        "{\"notes\":[{\"id\":{}}]}",
        "{\"notes\":[{\"id\":\"\"}]}",
        "{\"notes\":[{\"id\":1e999}]}",
        "{\"notes\":[{\"id\":1},{\"id\":1}]}",
        "{\"notes\":[{\"id\":\"\\ud800\"}]}",
        "{\"notes\":[{\"id\":1,\"title\":\"\\udc00\"}]}",
        "{\"notes\":[],\"nextCursor\":\"\\ud800\"}",
        "{\"notes\":[],\"nextCursor\":{}}",
        "{\"notes\":[],\"nextCursor\":1.5}",
        "{\"notes\":[{\"id\":1,\"updatedAt\":{}}]}",
        "{\"notes\":[{\"id\":1,\"updatedAt\":1e300,\"createdAt\":\"9999-99-99\"}]}",
        "{\"notes\":[{\"id\":1,\"__proto__\":{\"id\":2},\"toJSON\":1,\"constructor\":3}]}",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.push(b"\xff\xfe{".to_vec());
    bodies.push(format!("{{\"notes\":[{{\"id\":{}}}]}}", "9".repeat(5_000)).into());
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[1234567890123456,", "]")] {
        bodies.push(open.repeat(LEVELS).into());
        bodies.push(
            format!(
                "{{\"id\":1,\"notes\":[{{\"id\":1,\"x\":{}1{}}}]}}",
                open.repeat(LEVELS),
                close.repeat(LEVELS)
            )
            .into(),
        );
    }
    bodies
}
