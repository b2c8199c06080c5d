//! Does a case hold what looks like a literal secret? Cases are committed, mailed and carried in components.
//! Must not show what it found.

use url::Url;

use super::Case;
use crate::placeholders;
use crate::run::{Request, Run};

/// A header with one of these in its name carries a secret.
const SECRET_HEADERS: [&str; 10] = [
    "authorization",
    "api-key",
    "apikey",
    "token",
    "secret",
    "password",
    "cookie",
    "session",
    "signature",
    "integrationcode",
];

/// Query parameters of these very names carry one; `page_token` and its like don't.
const SECRET_PARAMETERS: [&str; 12] = [
    "access_token",
    "refresh_token",
    "auth_token",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "key",
    "client_secret",
    "secret",
    "password",
    "sig",
];

/// Names of the secrets that are set are listed under this key of the configuration.
const SECRETS_KEY: &str = "$secrets";

/// Is this the name of a header whose value is a secret?
pub(crate) fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_HEADERS.iter().any(|part| name.contains(part))
}

/// A secret header's value must leave the secret to the gateway.
pub(crate) fn is_literal(name: &str, value: &str) -> bool {
    is_secret_header(name) && !placeholders::are_in(value)
}

pub(super) fn check(case: &Case) -> Result<(), String> {
    check_configuration(&case.run)?;
    for (step, exchanges) in case.exchanges.iter().enumerate() {
        for (index, exchange) in exchanges.iter().enumerate() {
            check_request(&exchange.request).map_err(|what| format!("exchanges[{step}][{index}].request.{what}"))?;
        }
    }
    Ok(())
}

fn check_configuration(run: &Run) -> Result<(), String> {
    let names = run.configuration.get(SECRETS_KEY);
    let Some(names) = names.and_then(serde_json::Value::as_array) else {
        return Ok(());
    };
    let held = names
        .iter()
        .filter_map(serde_json::Value::as_str)
        .find(|name| run.configuration.get(*name).is_some());
    held.map_or(Ok(()), |name| {
        Err(format!(
            "run.configuration.{name}: found a value for a secret (not shown); expected its name alone, under `{SECRETS_KEY}`"
        ))
    })
}

fn check_request(request: &Request) -> Result<(), String> {
    if let Some((name, _)) = request.headers.iter().find(|(name, value)| is_literal(name, value)) {
        return Err(format!(
            "headers.{name}: found what looks like a secret (not shown); expected a placeholder such as `{{{{secret:NAME}}}}`"
        ));
    }
    let Ok(url) = Url::parse(&request.url) else {
        return Ok(());
    };
    if url.password().is_some() {
        return Err("url: found a password (not shown); expected an address without user and password".into());
    }
    let secret = url
        .query_pairs()
        .find(|(name, value)| !value.is_empty() && SECRET_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()));
    secret.map_or(Ok(()), |(name, _)| {
        Err(format!(
            "url: found the query parameter `{name}`, which looks like a secret (not shown); expected secrets in headers, as \
             placeholders"
        ))
    })
}
