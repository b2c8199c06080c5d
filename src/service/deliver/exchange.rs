//! One POST and its answer, in the words that are judged and kept: what goes out, how it ended, what may be shown of it.
//! Sends nothing and decides nothing.

use super::destination::Destination;
use crate::domain::delivery::{Attempt, AttemptRow, Outgoing};
use crate::domain::secret::{MASK, Secret};
use crate::domain::time::Timestamp;
use crate::engine::retry::{Ended, Fate, RetryAfter};
use crate::ports::{Answer, Post, Unanswered};

/// Shorter values than this are left in an answer that repeats them: they are words rather than secrets.
const ECHO_BYTES_MIN: usize = 8;
/// Characters of an attempt's URL that are kept.
const URL_CHARS_MAX: usize = 500;

pub(super) fn post_of(destination: &Destination, outgoing: &Outgoing, at: Timestamp) -> Post {
    let notification = &outgoing.notification;
    // A log knows a message again by its event; a webhook's body may hold several.
    let id = match notification.events.as_slice() {
        [event] => event.id.clone(),
        _ => notification.id.clone(),
    };
    Post {
        url: destination.url_of(notification),
        id,
        headers: destination.headers(notification, at),
        body: notification.body.clone(),
        timeout: destination.timeout,
    }
}

pub(in crate::service) fn ended(answer: &Result<Answer, Unanswered>) -> Ended<'_> {
    match answer {
        Ok(answer) => Ended::Answered {
            status: answer.status,
            asked: answer
                .header("retry-after")
                .and_then(|text| RetryAfter::parse(text, answer.header("date"))),
            instruction: answer.header("webhook-delivery").map(str::trim),
        },
        Err(unanswered) => Ended::Unanswered(unanswered.trouble),
    }
}

/// Why it does not count as delivered.
pub(in crate::service) fn reason(answer: &Result<Answer, Unanswered>, fate: Fate) -> Option<String> {
    match answer {
        _ if fate == Fate::Delivered => None,
        Ok(answer) => Some(format!("the callback answered {}", answer.status)),
        Err(unanswered) => Some(unanswered.reason.clone()),
    }
}

pub(super) fn row(
    url: &str,
    number: u32,
    attempt: Attempt,
    request_headers: Vec<(String, String)>,
    answer: Result<Answer, Unanswered>,
) -> AttemptRow {
    let answer = answer.unwrap_or_default();
    AttemptRow {
        number,
        attempt,
        url: shown_url(url),
        request_headers,
        response_headers: answer.headers,
        response_body: String::from_utf8_lossy(&answer.body).into_owned(),
        body_is_cut: answer.body_is_cut,
    }
}

/// Servers in trouble like to show what they were sent: a secret that comes back is not written down either.
pub(super) fn masked(mut row: AttemptRow, secrets: &[Secret]) -> AttemptRow {
    let mask = |text: &mut String| {
        for secret in secrets {
            *text = text.replace(secret.expose(), MASK);
        }
    };
    row.response_headers.iter_mut().for_each(|(_, value)| mask(value));
    mask(&mut row.response_body);
    row
}

/// The values of a user's own headers, and of those with a scheme (`Basic …`) what comes behind it: whole ones first.
pub(super) fn secrets_of(headers: &[(String, Secret)]) -> Vec<Secret> {
    let own = headers.iter().filter(|(name, _)| !is_gateways(name));
    let parts = own.flat_map(|(_, value)| {
        let behind = value.expose().split_once(' ').map(|(_, rest)| Secret::new(rest));
        [Some(value.clone()), behind]
    });
    let long = |secret: &Secret| secret.expose().len() >= ECHO_BYTES_MIN;
    parts.flatten().filter(long).collect()
}

fn is_gateways(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("webhook-")
        || name.starts_with("elements-webhook-")
        || matches!(name.as_str(), "content-type" | "user-agent")
}

/// Without query, which may hold a secret.
pub(in crate::service) fn shown_url(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    url[..end].chars().take(URL_CHARS_MAX).collect()
}

/// The gateway's own headers as they are; a user's may hold secrets.
pub(in crate::service) fn shown_headers(headers: &[(String, Secret)]) -> Vec<(String, String)> {
    let shown = |(name, value): &(String, Secret)| {
        let value = if is_gateways(name) { value.expose() } else { MASK };
        (name.clone(), value.to_owned())
    };
    headers.iter().map(shown).collect()
}
