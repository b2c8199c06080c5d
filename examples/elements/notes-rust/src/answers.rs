//! What an answer that is no success means.
//! Must not look into answers that are one.

use tidegate_sdk::{Fault, Response};

pub(crate) const VENDOR: &str = "Acme";

/// Characters of an answer that are quoted.
const EXCERPT_CHARS: usize = 200;
/// How long to wait where the vendor does not say.
const PAUSE_SECONDS: u32 = 60;

/// # Errors
/// For every status but 200 to 299.
pub(crate) fn fault_of(response: &Response) -> Result<(), Fault> {
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(());
    }
    let excerpt = response.excerpt(EXCERPT_CHARS);
    let said = match excerpt.trim() {
        "" => format!("{VENDOR} answered HTTP {status}"),
        excerpt => format!("{VENDOR} answered HTTP {status}: {excerpt}"),
    };
    let seconds = response
        .header("retry-after")
        .and_then(|value| value.trim().parse().ok());
    let after = |fault: Fault| seconds.map_or(fault.clone(), |seconds| fault.after(seconds));
    Err(match status {
        0 => Fault::retry(
            "no-answer",
            format!("{VENDOR} did not answer ({}); it is asked again", excerpt.trim()),
        ),
        401 | 403 => Fault::refresh_auth("credentials-refused", said),
        429 => Fault::rate_limited(seconds.unwrap_or(PAUSE_SECONDS), "rate-limited", said),
        408 | 500.. => after(Fault::retry("vendor-down", said)),
        _ => Fault::broken("unexpected-status", said),
    })
}

pub(crate) fn unreadable(found: &str) -> Fault {
    Fault::retry("answer-unreadable", format!("{VENDOR} sent {found}"))
}

/// A body with status 200 that is no JSON.
pub(crate) fn no_json(body: &[u8]) -> Fault {
    const START_CHARS: usize = 100;
    let start: String = String::from_utf8_lossy(body).trim().chars().take(START_CHARS).collect();
    let found = match start.as_str() {
        "" => "an empty body".to_owned(),
        start => format!("`{start}`… ({} bytes)", body.len()),
    };
    Fault::retry(
        "answer-unreadable",
        format!("the vendor answered HTTP 200 with {found}, which is no JSON that could be read"),
    )
}
