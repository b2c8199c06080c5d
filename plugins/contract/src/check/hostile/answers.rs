//! The table of hostile answers: refusals of every kind, and bodies that are none.
//! Must not hold an answer without a reason why it may come.

use bytes::Bytes;
use serde_json::Value;

use super::Claim;
use crate::run::{Operation, Response};

/// An answer in place of the true one.
pub(super) struct Hostile {
    /// After "the answer to GET … ".
    pub(super) change: String,
    pub(super) claim: Claim,
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Hostile {
    pub(super) fn response(&self, id: u32) -> Response {
        Response {
            id,
            status: self.status,
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }

    /// The true answer with another body.
    pub(super) fn body(truth: &Response, claim: Claim, change: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            change: change.into(),
            claim,
            status: 200,
            headers: truth.headers.clone(),
            body: body.into(),
        }
    }
}

/// Levels of a body that is nothing but brackets: a parser that recurses runs out of stack.
const NESTING: usize = 10_000;

/// Length of a text that no field has.
const LONG_TEXT: usize = 1024 * 1024;

pub(super) fn of(truth: &Response, operation: &Operation) -> Vec<Hostile> {
    let mut hostiles = refusals(operation);
    hostiles.extend(bodies(truth));
    hostiles
}

fn refusals(operation: &Operation) -> Vec<Hostile> {
    let is_get = matches!(operation, Operation::Get(_));
    // Where a record is asked for by its id, a refusal of the id may say that there is none.
    let unless_get = if is_get { Claim::Nothing } else { Claim::NoEnd };
    let plain = [
        (0, "connection reset", Claim::NoEnd),
        (204, "", Claim::Nothing),
        (301, "", Claim::NoEnd),
        (400, r#"{"message":"bad request"}"#, unless_get),
        (401, "", Claim::NoEnd),
        (403, "", Claim::NoEnd),
        (404, "", Claim::Nothing),
        (410, "", Claim::Nothing),
        (429, "", Claim::NoEnd),
        (500, r#"{"errors":["internal"]}"#, Claim::NoEnd),
        (503, "<html><body>maintenance</body></html>", Claim::NoEnd),
        (999, "", Claim::NoEnd),
    ];
    let refusal = |status, body: &'static str, claim, headers: Vec<(String, String)>| Hostile {
        change: match headers.first() {
            Some((name, value)) => format!("with status {status} and `{name}: {value}`"),
            None => format!("with status {status}"),
        },
        claim,
        status,
        headers,
        body: body.into(),
    };
    let waits = [
        "5",
        "-1",
        "99999999999999999999",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "soon",
    ];
    let waits = waits.map(|wait| refusal(429, "", Claim::NoEnd, vec![("retry-after".into(), wait.into())]));
    let plain = plain.map(|(status, body, claim)| refusal(status, body, claim, Vec::new()));
    plain.into_iter().chain(waits).collect()
}

/// Bodies with status 200.
fn bodies(truth: &Response) -> Vec<Hostile> {
    let true_body = serde_json::from_slice::<Value>(&truth.body).ok();
    let is_list = true_body.as_ref().is_some_and(Value::is_array);
    let is_object = true_body
        .as_ref()
        .and_then(Value::as_object)
        .is_some_and(|object| !object.is_empty());
    // What makes no sense is only known where it is known what would.
    let nonsense = if is_list || is_object {
        Claim::NoEnd
    } else {
        Claim::Nothing
    };
    let unless = |is_fine: bool| if is_fine { Claim::Nothing } else { nonsense };
    let mut hostiles = vec![
        Hostile::body(truth, nonsense, "empty", ""),
        Hostile::body(truth, nonsense, "replaced by `null`", "null"),
        Hostile::body(truth, nonsense, "replaced by `7`", "7"),
        Hostile::body(truth, nonsense, "replaced by `true`", "true"),
        Hostile::body(truth, nonsense, "replaced by `\"text\"`", "\"text\""),
        // Some say "nothing" this way.
        Hostile::body(truth, unless(is_list), "replaced by `[]`", "[]"),
        Hostile::body(truth, nonsense, "replaced by `[null]`", "[null]"),
        Hostile::body(truth, nonsense, "replaced by `{}`", "{}"),
        Hostile::body(
            truth,
            nonsense,
            "replaced by a page for people (HTML)",
            "<!DOCTYPE html><html><body>Please log in</body></html>",
        ),
        Hostile::body(
            truth,
            nonsense,
            "replaced by bytes that are not UTF-8",
            &b"\xff\xfe{\x80}"[..],
        ),
        Hostile::body(truth, nonsense, "replaced by NULs", vec![0; 64]),
        Hostile::body(truth, nonsense, "replaced by white space", " \r\n\t "),
        Hostile::body(
            truth,
            nonsense,
            format!("replaced by {NESTING} brackets"),
            "[".repeat(NESTING) + &"]".repeat(NESTING),
        ),
        Hostile::body(
            truth,
            nonsense,
            format!("replaced by {NESTING} objects in one another"),
            "{\"a\":".repeat(NESTING) + "1" + &"}".repeat(NESTING),
        ),
        Hostile::body(
            truth,
            nonsense,
            format!("replaced by {NESTING} brackets that open"),
            "[".repeat(NESTING),
        ),
        Hostile::body(
            truth,
            Claim::Nothing,
            "after a byte order mark",
            [b"\xef\xbb\xbf", &*truth.body].concat(),
        ),
        Hostile::body(
            truth,
            Claim::Nothing,
            "twice in one body",
            [&*truth.body, &*truth.body].concat(),
        ),
        Hostile::body(
            truth,
            Claim::Nothing,
            "replaced by one long text",
            format!("{{\"a\":\"{}\"}}", "x".repeat(LONG_TEXT)),
        ),
    ];
    hostiles.extend(cuts(truth, nonsense));
    hostiles
}

/// A connection that broke off, and was not noticed.
fn cuts(truth: &Response, nonsense: Claim) -> Vec<Hostile> {
    let length = truth.body.len();
    let mut places = vec![1, length / 4, length / 2, length * 3 / 4, length.saturating_sub(1)];
    places.retain(|place| (1..length).contains(place));
    places.dedup();
    let cut = |place: usize| {
        let body = truth.body.slice(..place);
        let is_json = serde_json::from_slice::<Value>(&body).is_ok();
        let claim = if is_json { Claim::Nothing } else { nonsense };
        Hostile::body(truth, claim, format!("cut after {place} of {length} bytes"), body)
    };
    places.into_iter().map(cut).collect()
}
