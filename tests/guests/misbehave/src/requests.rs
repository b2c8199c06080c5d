//! What the modes ask the gateway to send; most of it must never leave.
//! Must not look at answers: `modes` does.

use crate::bindings::tidegate::element::types::{Header, Next, Request, Run, Step};
use crate::modes::step;
use crate::setting;

/// To the address that the configuration names, else to the host of the manifest.
pub(crate) fn to_vendor(run: &Run, id: u32) -> Request {
    let server = setting(run, "server").unwrap_or_else(|| "https://vendor.example".into());
    Request {
        id,
        method: "GET".into(),
        url: format!("{server}/things"),
        headers: vec![header("accept", "application/json")],
        body: None,
        idempotent: true,
        cost: 1,
        lane: "things".into(),
    }
}

pub(crate) fn to_url(run: &Run, url: &str) -> Request {
    Request {
        url: url.into(),
        ..to_vendor(run, 1)
    }
}

pub(crate) fn with_header(run: &Run, name: &str, value: &str) -> Request {
    Request {
        headers: vec![header(name, value)],
        ..to_vendor(run, 1)
    }
}

pub(crate) fn with_body(run: &Run, body: &[u8]) -> Request {
    Request {
        method: "POST".into(),
        body: Some(body.to_vec()),
        ..to_vendor(run, 1)
    }
}

/// The page after `state`, which counts the pages.
pub(crate) fn next_page(run: &Run, state: &[u8]) -> Step {
    let page = String::from_utf8_lossy(state).parse::<u64>().unwrap_or(0) + 1;
    let request = to_vendor(run, 1);
    let url = format!("{}?cursor={page}", request.url);
    Step {
        state: page.to_string().into_bytes(),
        ..sending(Request { url, ..request })
    }
}

pub(crate) fn sending(request: Request) -> Step {
    step(Next::Send(vec![request]))
}

fn header(name: &str, value: &str) -> Header {
    Header {
        name: name.into(),
        value: value.into(),
    }
}
