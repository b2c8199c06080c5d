//! The URL of a NATS stream as a callback: where the server is, and the subject with its placeholders.
//! Judges text alone: never resolves a name, and knows nothing of the protocol.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use url::Url;

/// What NATS itself takes for a server without a port.
const PORT_DEFAULT: u16 = 4222;
/// Longest subject, in bytes, as configured and as filled in. A server refuses lines of more than 4,096.
const SUBJECT_BYTES_MAX: usize = 1024;

/// What a subject may leave open until there is an event.
const PLACEHOLDERS: [&str; 4] = ["{element}", "{instance}", "{resource}", "{change}"];
/// What a subject may not hold, whatever NATS says of it: `*` and `>` are for readers, and the rest has a meaning of its own
/// in a URL.
const REFUSED: &str = "*>/?#{}";

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsUrl {
    /// The server as a web address: a host is judged alike, whatever is spoken to it.
    origin: Url,
    port: u16,
    tls: bool,
    subject: String,
}

/// What the placeholders stand for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    pub element: &'a str,
    pub instance: &'a str,
    pub resource: &'a str,
    /// `created`, `updated` or `deleted`.
    pub change: &'a str,
}

/// Is this URL for NATS rather than for the web?
#[must_use]
pub fn is_nats(text: &str) -> bool {
    rest(text).is_some()
}

/// The URL for one event: its subject with every placeholder filled in. What would end a token of the subject, or match
/// others, goes in as `%` and two digits, so that a name cannot choose another subject. Any other URL stays as it is.
#[must_use]
pub fn fill_subject(url: &str, names: &Names<'_>) -> String {
    if !is_nats(url) {
        return url.to_owned();
    }
    let values = [names.element, names.instance, names.resource, names.change];
    PLACEHOLDERS
        .iter()
        .zip(values)
        .fold(url.to_owned(), |url, (placeholder, value)| {
            url.replace(placeholder, &token(value))
        })
}

impl NatsUrl {
    /// # Errors
    /// What is wrong with it, for people. Shows neither user nor password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((tls, rest)) = rest(text) else {
            return Err("expected nats://host:4222/subject, or tls:// for TLS".into());
        };
        let (authority, subject) = rest.split_once('/').unwrap_or((rest, ""));
        let (origin, port) = server(authority)?;
        check_subject(subject)?;
        Ok(Self {
            origin,
            port,
            tls,
            subject: subject.to_owned(),
        })
    }

    /// The server as a web address, for those who judge hosts.
    #[must_use]
    pub fn origin(&self) -> &Url {
        &self.origin
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Must the connection be encrypted?
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls
    }

    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Is there no placeholder left?
    #[must_use]
    pub fn is_filled(&self) -> bool {
        !self.subject.contains('{')
    }
}

/// Is it TLS, and what follows the scheme.
fn rest(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    match scheme {
        scheme if scheme.eq_ignore_ascii_case("nats") => Some((false, rest)),
        scheme if scheme.eq_ignore_ascii_case("tls") => Some((true, rest)),
        _ => None,
    }
}

fn server(authority: &str) -> Result<(Url, u16), String> {
    if authority.contains('@') {
        return Err(
            "user and password may not stand in a URL; set event.notification.basic.username and \
                    event.notification.basic.password"
                .into(),
        );
    }
    if authority.contains(['{', '}']) {
        return Err("only the subject may have placeholders, and the server has one".into());
    }
    let parse = |scheme: &str| {
        // Only a web scheme has its host read as a host: 0x7f.1 is 127.0.0.1 to a resolver too.
        Url::parse(&format!("{scheme}://{authority}/")).map_err(|error| format!("the server is not host:port: {error}"))
    };
    let (origin, other) = (parse("http")?, parse("https")?);
    if origin.path() != "/" || origin.query().is_some() || origin.fragment().is_some() {
        return Err("expected a / and a subject after the server: nats://host:4222/subject".into());
    }
    // Each scheme hides its own default port, and no two have the same.
    let port = origin.port().or(other.port()).unwrap_or(PORT_DEFAULT);
    if port == 0 {
        return Err("there is no port 0".into());
    }
    Ok((origin, port))
}

fn check_subject(subject: &str) -> Result<(), String> {
    if subject.is_empty() {
        return Err("there is no subject; expected one such as nats://host:4222/events.{instance}".into());
    }
    if subject.len() > SUBJECT_BYTES_MAX {
        let bytes = subject.len();
        return Err(format!(
            "the subject has {bytes} bytes; at most {SUBJECT_BYTES_MAX} are allowed"
        ));
    }
    // A server's own subjects are commands: a message to $JS.API deletes a stream.
    if subject.starts_with('$') || subject.starts_with("_INBOX") {
        return Err("a subject that begins with $ or _INBOX is the server's own; choose another".into());
    }
    subject.split('.').try_for_each(check_token)
}

fn check_token(token: &str) -> Result<(), String> {
    if token.is_empty() {
        return Err("a token of the subject is empty; expected text before and after each dot".into());
    }
    let plain = PLACEHOLDERS
        .iter()
        .fold(token.to_owned(), |text, placeholder| text.replace(placeholder, ""));
    match plain.chars().find(|char| !is_plain(*char)) {
        None => Ok(()),
        Some('{' | '}') => Err(format!(
            "the subject has a placeholder that is not known; there are {}",
            PLACEHOLDERS.join(", ")
        )),
        Some(char) => Err(format!(
            "the subject holds {char:?}; expected letters, digits and signs without spaces, *, >, /, ? and #"
        )),
    }
}

fn is_plain(char: char) -> bool {
    char.is_ascii_graphic() && !REFUSED.contains(char)
}

/// A name as one token: letters, digits, `-` and `_` stay, and there is always something.
fn token(name: &str) -> String {
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            token.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _written = write!(token, "%{byte:02X}");
        }
    }
    if token.is_empty() { "_".to_owned() } else { token }
}
