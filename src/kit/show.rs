//! Runs in words: operations, requests, answers, records, outcomes. For everything that shows a run.
//! Must not show a secret: none gets here, requests have placeholders.

use serde_json::Value;
use tidegate_contract::record::{Moment, Record};
use tidegate_contract::replay::Outcome;
use tidegate_contract::run::{Fault, Next, Operation, Remedy, Request, Response, Step, Window};

use super::screen;

/// Characters of a body or record that are shown.
const CLIPPED_CHARS: usize = 160;
/// Records of a step that are shown.
const CLIPPED_RECORDS: usize = 5;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Clipped,
    Whole,
}

impl Depth {
    fn text(self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        match self {
            Self::Clipped => screen::clip(&text, CLIPPED_CHARS),
            Self::Whole => text.into_owned(),
        }
    }

    fn count(self) -> usize {
        match self {
            Self::Clipped => CLIPPED_RECORDS,
            Self::Whole => usize::MAX,
        }
    }
}

/// `list contacts changed since 2026-01-01T00:00:00.000Z, 100 a page`
pub(super) fn operation(operation: &Operation) -> String {
    match operation {
        Operation::Check => "check the credentials".into(),
        Operation::Get(args) => format!("get {} {}", args.resource, args.id),
        Operation::Sweep(args) => format!("enumerate the ids of {}, {} a page", args.resource, args.page_size),
        Operation::List(args) => {
            let mut text = format!("list {}", args.resource);
            if let Some(window) = &args.window {
                text.push_str(&window_words(window));
            }
            if let Some(filter) = &args.filter {
                text.push_str(&format!(" where {}", filter_words(filter)));
            }
            for (name, value) in &args.parameters {
                text.push_str(&format!(" {name}={value}"));
            }
            text.push_str(&format!(", {} a page", args.page_size));
            text
        }
    }
}

/// As the hub's where clause is written; what has no form of it as JSON.
fn filter_words(filter: &Value) -> String {
    let op = filter.get("op").and_then(Value::as_str).unwrap_or_default();
    let field = || filter.get("field").and_then(Value::as_str).unwrap_or_default();
    let list = |key: &str| filter.get(key).and_then(Value::as_array);
    match (op, list("terms"), list("values")) {
        ("and" | "or", Some(terms), _) => {
            let terms: Vec<String> = terms.iter().map(filter_words).collect();
            format!("({})", terms.join(&format!(" {op} ")))
        }
        ("in", _, Some(values)) => {
            let values: Vec<String> = values.iter().map(value_words).collect();
            format!("{} in ({})", field(), values.join(", "))
        }
        ("is-null", ..) => format!("{} is null", field()),
        _ => match filter.get("value") {
            Some(value) => format!("{} {op} {}", field(), value_words(value)),
            None => filter.to_string(),
        },
    }
}

fn value_words(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), |text| format!("'{text}'"))
}

fn window_words(window: &Window) -> String {
    let until = window.until.map_or_else(String::new, |until| format!(" until {until}"));
    format!(" changed since {}{until}", window.from)
}

/// `200, 12 kB` for each.
pub(super) fn answers(responses: &[Response]) -> String {
    let each: Vec<String> = responses.iter().map(answer).collect();
    match each.as_slice() {
        [] => "nothing, after the wait".into(),
        each => each.join("; "),
    }
}

/// `answer 200, 12 kB`
pub(super) fn answer(response: &Response) -> String {
    let size = screen::bytes(response.body.len() as u64);
    match response.status {
        0 => format!("no answer: {}", Depth::Clipped.text(&response.body)),
        status => format!("answer {status}, {size}"),
    }
}

/// The lines of a request: what is sent, with its headers and body.
pub(super) fn request(request: &Request, depth: Depth) -> String {
    let mut text = format!("  send     {} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        text.push_str(&format!("             {name}: {value}\n"));
    }
    if let Some(body) = &request.body {
        text.push_str(&format!("             {}\n", depth.text(body)));
    }
    text
}

/// The lines of whatever a call gave.
pub(super) fn outcome(outcome: &Outcome, depth: Depth) -> String {
    match outcome {
        Ok(Ok(given)) => step(given, depth),
        Ok(Err(given)) => fault(given),
        Err(failure) => format!("  FAILED   {failure}\n"),
    }
}

/// Records first: they are what a step is for.
pub(super) fn step(step: &Step, depth: Depth) -> String {
    let mut text = records(&step.records, depth);
    if !step.ids.is_empty() {
        let shown: Vec<&str> = step.ids.iter().take(depth.count()).map(String::as_str).collect();
        let rest = if shown.len() < step.ids.len() { ", …" } else { "" };
        text.push_str(&format!("  ids      {}: {}{rest}\n", step.ids.len(), shown.join(", ")));
    }
    for problem in &step.problems {
        text.push_str(&format!(
            "  problem  {} ({}): {}\n",
            problem.subject, problem.code, problem.message
        ));
    }
    for (what, bytes) in [("checkpoint", &step.checkpoint), ("memo", &step.memo)] {
        if let Some(bytes) = bytes {
            text.push_str(&format!("  {what:<8} {}\n", depth.text(bytes)));
        }
    }
    match &step.next {
        Next::Done => text.push_str("  done\n"),
        Next::WaitMs(milliseconds) => text.push_str(&format!("  wait     {milliseconds} ms\n")),
        Next::Send(requests) => requests.iter().for_each(|next| text.push_str(&request(next, depth))),
    }
    text
}

fn records(records: &[Record], depth: Depth) -> String {
    let mut text = String::new();
    for record in records.iter().take(depth.count()) {
        let body = if record.deleted {
            "(gone)".into()
        } else {
            depth.text(&record.body)
        };
        text.push_str(&format!("  record   {}{}  {body}\n", record.id, dates(record)));
    }
    let rest = records.len().saturating_sub(depth.count());
    if rest > 0 {
        text.push_str(&format!("           and {} more\n", screen::count(rest, "record")));
    }
    text
}

fn dates(record: &Record) -> String {
    let words = |what: &str, moment: &Option<Moment>| match moment {
        None => String::new(),
        Some(Moment::At(time)) => format!("  {what} {time}"),
        Some(Moment::Text(text)) => format!("  {what} {text:?} (text)"),
    };
    words("created", &record.created) + &words("updated", &record.updated)
}

/// `fault token-refused: …` and what would help.
pub(super) fn fault(fault: &Fault) -> String {
    let after = |seconds: &Option<u32>| seconds.map_or_else(String::new, |seconds| format!(", not before {seconds} s"));
    let remedy = match &fault.remedy {
        Remedy::Retry { after_seconds } => format!("try again{}", after(after_seconds)),
        Remedy::RateLimited { after_seconds } => format!("let the account rest{}", after(after_seconds)),
        Remedy::RefreshAuth => "change the credentials".into(),
        Remedy::Restart => "start anew from the watermark".into(),
        Remedy::BadConfiguration => "change the configuration".into(),
        Remedy::Broken => "vendor or element broke a promise".into(),
        Remedy::Other(name) => name.clone(),
    };
    let detail = fault
        .detail
        .as_ref()
        .map_or_else(String::new, |detail| format!("\n           {detail}"));
    format!(
        "  fault    {}: {}\n           remedy: {remedy}{detail}\n",
        fault.code, fault.message
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(more: serde_json::Value) -> Operation {
        let mut args = json!({"resource": "contacts", "idField": "id", "pageSize": 100});
        for (key, value) in more.as_object().unwrap() {
            args[key] = value.clone();
        }
        serde_json::from_value(json!({"list": args})).unwrap()
    }

    #[test]
    fn an_operation_says_what_is_asked() {
        assert_eq!(operation(&list(json!({}))), "list contacts, 100 a page");
        let window = list(json!({"window": {"fromMs": 0}, "parameters": [["fields", "a,b"]]}));
        let expected = "list contacts changed since 1970-01-01T00:00:00.000Z fields=a,b, 100 a page";
        assert_eq!(operation(&window), expected);
        let filter = list(json!({"filter": {"op": "and", "terms": [
            {"op": ">=", "field": "a", "value": 1}, {"op": "in", "field": "b", "values": ["x", "y"]},
            {"op": "is-null", "field": "c"}, {"op": "new"},
        ]}}));
        let expected = r#"list contacts where (a >= 1 and b in ('x', 'y') and c is null and {"op":"new"}), 100 a page"#;
        assert_eq!(operation(&filter), expected);
    }

    #[test]
    fn a_step_shows_its_first_records_and_how_many_follow() {
        let record = |id: usize| Record {
            id: id.to_string(),
            created: None,
            updated: None,
            deleted: id == 1,
            body: if id == 1 { "".into() } else { "{}".into() },
        };
        let given = Step {
            next: Next::Done,
            records: (0..8).map(record).collect(),
            ids: Vec::new(),
            problems: Vec::new(),
            checkpoint: None,
            memo: None,
            state: Vec::new(),
        };
        let clipped = step(&given, Depth::Clipped);
        assert!(
            clipped.contains("  record   0  {}\n  record   1  (gone)\n"),
            "{clipped}"
        );
        assert!(
            clipped.ends_with("           and 3 records more\n  done\n"),
            "{clipped}"
        );
        assert_eq!(step(&given, Depth::Whole).lines().count(), 9);
    }
}
