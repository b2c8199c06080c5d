//! What an answer means that is not the one that was hoped for.
//! Must not look into a good one.

use tidegate_sdk::{Fault, Response};

/// Seconds to rest where the vendor says that it is too much, and not for how long.
const REST_SECONDS: u32 = 60;
/// How much of an answer is quoted.
const QUOTED_CHARS: usize = 200;

/// Good answers pass.
pub(crate) fn check(answer: &Response) -> Result<(), Fault> {
    let quoted = answer.excerpt(QUOTED_CHARS);
    Err(match answer.status {
        200 => return Ok(()),
        0 => Fault::retry("unreachable", format!("no answer came: {quoted}")),
        401 | 403 => Fault::refresh_auth(
            "token-refused",
            format!(
                "the vendor refused the token; make a new one and change `my-element.token`: {quoted}"
            ),
        ),
        429 => {
            let after = answer
                .header("retry-after")
                .and_then(|text| text.trim().parse().ok());
            Fault::rate_limited(
                after.unwrap_or(REST_SECONDS),
                "rate-limited",
                "the vendor's limit of requests is used up",
            )
        }
        500.. => Fault::retry(
            "vendor-failed",
            format!("the vendor answered {}: {quoted}", answer.status),
        ),
        status => Fault::broken(
            "answer-unexpected",
            format!("the vendor answered {status}: {quoted}"),
        ),
    })
}
