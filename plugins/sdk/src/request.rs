//! HTTP as an element sees it: requests that it wants sent, and what came back.
//! Must not send anything, and must not hold a secret: a placeholder stands for it.

use serde::Serialize;

/// A header value in which the gateway fills in the secret configuration property `name` as the request leaves.
pub fn secret(name: &str) -> String {
    format!("{{{{secret:{name}}}}}")
}

/// A header value for basic authentication (RFC 7617): `user`, and the secret configuration property `name` as the
/// password, which the gateway fills in as the request leaves.
///
/// # Errors
/// Says in words what `user` may not hold: `holds a colon, …`. To be put behind the name of the property it came from.
pub fn basic(user: &str, name: &str) -> Result<String, &'static str> {
    if user.contains(':') {
        return Err("holds a colon, which would end the user's name in basic authentication");
    }
    if user.contains("{{") || user.contains("}}") {
        return Err("holds `{{` or `}}`, with which placeholders begin and end");
    }
    if user.chars().any(char::is_control) {
        return Err("holds a control character");
    }
    Ok(format!("Basic {{{{base64:{user}:{}}}}}", secret(name)))
}

/// One HTTP request that the element wants sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: u32,
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub idempotent: bool,
    pub cost: u16,
    pub lane: String,
}

impl Request {
    fn new(method: &'static str, url: impl Into<String>, idempotent: bool) -> Self {
        Self {
            id: 0,
            method,
            url: url.into(),
            headers: Vec::new(),
            body: None,
            idempotent,
            cost: 1,
            lane: String::new(),
        }
    }

    /// A GET: may be sent again after a transport error.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url, true)
    }

    /// A POST: sent once, unless it is declared [`idempotent`](Self::idempotent).
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url, false)
    }

    /// Unique within a step; the response carries it. Default 0.
    #[must_use]
    pub fn id(mut self, id: u32) -> Self {
        self.id = id;
        self
    }

    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// A JSON body with its content type.
    ///
    /// # Panics
    /// If the value is none that JSON has a form for, such as a map whose keys are no strings: a mistake in the element.
    #[must_use]
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("an element's own request body has a JSON form");
        self.header("Content-Type", "application/json").body(body)
    }

    /// May be sent again after a transport error.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// What it costs of the vendor account's request budget. Default 1.
    #[must_use]
    pub fn cost(mut self, cost: u16) -> Self {
        self.cost = cost;
        self
    }

    /// Requests of one lane share the manifest's concurrency limit, and the budget that it gives the lane, if any.
    #[must_use]
    pub fn lane(mut self, lane: impl Into<String>) -> Self {
        self.lane = lane.into();
        self
    }
}

/// What came back for the request of the same id. Status 0: nothing did, and `body` says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub id: u32,
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// A response without headers, as tests hand them in.
    pub fn new(id: u32, status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            id,
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text for a message: at most `chars_max` characters, what is no UTF-8 replaced.
    pub fn excerpt(&self, chars_max: usize) -> String {
        // Four bytes are the longest character: no need to decode a page of them for one line.
        let bytes = &self.body[..self.body.len().min(chars_max.saturating_mul(4))];
        String::from_utf8_lossy(bytes).chars().take(chars_max).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_authentication_is_a_placeholder_that_only_the_gateway_can_fill() {
        assert_eq!(
            basic("jo@x.example/token", "zendesk.token").unwrap(),
            "Basic {{base64:jo@x.example/token:{{secret:zendesk.token}}}}"
        );
        assert!(basic("a{b}", "p").is_ok());
        for user in ["a:b", "{{secret:other}}", "a}}", "a\r\nb"] {
            assert!(basic(user, "p").unwrap_err().starts_with("holds "), "{user:?}");
        }
    }
}
