//! `Authorization: User <secret>, Organization <secret>` and, for one instance, `Element <token>`. No scheme word stands
//! before them. Secrets are compared by their hashes, in constant time.

use std::collections::HashMap;
use std::sync::PoisonError;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};

use super::Api;
use super::error::ApiError;
use super::visit;
use crate::domain::audit::Who;
use crate::domain::credential::AccountSecret;
use crate::domain::id::InstanceId;
use crate::domain::instance::Instance;
use crate::engine::lockout::Door;

/// Passed as the whole account.
pub(crate) struct Owner;

/// The instance that the token in the header belongs to.
pub(crate) struct Bearer(pub Instance);

/// The instance of the path's `{id}`, reached by the account or by its own token.
pub(crate) struct Target(pub InstanceId);

/// The header, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Credentials<'a> {
    user: Option<&'a str>,
    organization: Option<&'a str>,
    element: Option<&'a str>,
}

const EXPECTED: &str =
    "expected the header Authorization: User <secret>, Organization <secret>, or User <secret>, Element <token>";

fn parse(header: &str) -> Result<Credentials<'_>, ApiError> {
    let mut credentials = Credentials::default();
    for part in header.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (word, secret) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
        let secret = Some(secret.trim()).filter(|secret| !secret.is_empty());
        match word.to_ascii_lowercase().as_str() {
            "user" => credentials.user = secret,
            "organization" => credentials.organization = secret,
            "element" => credentials.element = secret,
            // The word is not repeated: it may be a secret that lost its name.
            _ => {
                return Err(unauthorised(&format!(
                    "the authorization header has an unknown part; {EXPECTED}"
                )));
            }
        }
    }
    Ok(credentials)
}

fn unauthorised(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, message)
}

fn credentials(parts: &Parts) -> Result<Credentials<'_>, ApiError> {
    let header = parts
        .headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| unauthorised(EXPECTED))?;
    parse(header.to_str().map_err(|_| unauthorised(EXPECTED))?)
}

/// Why somebody is not let in.
enum Denied {
    /// A secret is wrong: a failed login.
    Wrong(&'static str),
    /// A secret is missing, or the store is not there to ask.
    Other(ApiError),
}

impl Api {
    fn check(&self, which: AccountSecret, secret: Option<&str>, wrong: &'static str) -> Result<(), Denied> {
        let secret = secret.ok_or_else(|| Denied::Other(unauthorised(EXPECTED)))?;
        if self.account.knows(which, secret) {
            Ok(())
        } else {
            Err(Denied::Wrong(wrong))
        }
    }

    fn check_user(&self, credentials: &Credentials<'_>) -> Result<(), Denied> {
        self.check(AccountSecret::User, credentials.user, "the user secret is wrong")
    }

    fn check_owner(&self, credentials: &Credentials<'_>) -> Result<(), Denied> {
        self.check_user(credentials)?;
        let organization = credentials.organization;
        self.check(
            AccountSecret::Organization,
            organization,
            "the organization secret is wrong",
        )
    }

    async fn check_bearer(&self, credentials: &Credentials<'_>) -> Result<Instance, Denied> {
        self.check_user(credentials)?;
        let token = credentials
            .element
            .ok_or_else(|| Denied::Other(unauthorised(EXPECTED)))?;
        let found = self.gateway.instance_by_token(token).await;
        let instance = found.map_err(|error| Denied::Other(error.into()))?;
        instance.ok_or(Denied::Wrong("the element token is wrong, or its instance was removed"))
    }

    async fn owner(&self, credentials: &Credentials<'_>) -> Result<(), ApiError> {
        self.pass(Door::Account, async { self.check_owner(credentials) })
            .await?;
        visit::note_who(Who::Owner);
        Ok(())
    }

    async fn bearer(&self, credentials: &Credentials<'_>) -> Result<Instance, ApiError> {
        let instance = self.pass(Door::Token, self.check_bearer(credentials)).await?;
        visit::note_who(Who::Token(instance.id));
        visit::note_instance(instance.id);
        Ok(instance)
    }

    /// Asks at a door, unless the client has failed there too often; answers a failure the later, the more there were.
    async fn pass<T>(&self, door: Door, check: impl Future<Output = Result<T, Denied>>) -> Result<T, ApiError> {
        let (client, clock) = (visit::current_client(), &self.gateway.clock);
        let lockout = || self.lockout.lock().unwrap_or_else(PoisonError::into_inner);
        lockout().judge(client, door, clock.now()).map_err(ApiError::locked)?;
        match check.await {
            Ok(passed) => {
                lockout().succeeded(client, door);
                Ok(passed)
            }
            Err(Denied::Other(error)) => Err(error),
            Err(Denied::Wrong(message)) => {
                let delay = lockout().failed(client, door, clock.now());
                visit::note_who(Who::Nobody);
                tracing::warn!(%client, reason = message, "a login failed");
                if !delay.is_zero() {
                    clock.sleep(delay).await;
                }
                Err(unauthorised(message))
            }
        }
    }
}

impl FromRequestParts<Api> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        api.owner(&credentials(parts)?).await?;
        Ok(Self)
    }
}

impl FromRequestParts<Api> for Bearer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        Ok(Self(api.bearer(&credentials(parts)?).await?))
    }
}

impl FromRequestParts<Api> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Path(path) = Path::<HashMap<String, String>>::from_request_parts(parts, api)
            .await
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        let text = path.get("id").map(String::as_str).unwrap_or_default();
        let credentials = credentials(parts)?;
        let bearer = if credentials.element.is_some() && credentials.organization.is_none() {
            Some(api.bearer(&credentials).await?.id)
        } else {
            api.owner(&credentials).await?;
            None
        };
        let id = text
            .parse()
            .map(InstanceId)
            .map_err(|_| ApiError::bad_request(format!("id: expected the number of an instance, found {text:?}")))?;
        match bearer {
            Some(own) if own != id => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "the token belongs to another instance",
            )),
            _ => {
                visit::note_instance(id);
                Ok(Self(id))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_header_come_in_any_order_and_case() {
        let parsed = parse("organization abc, USER a/b+c= , Element t").unwrap();
        assert_eq!(
            parsed,
            Credentials {
                user: Some("a/b+c="),
                organization: Some("abc"),
                element: Some("t")
            }
        );
    }

    #[test]
    fn an_unknown_part_is_refused_without_being_repeated() {
        let error = parse("Bearer hunter2").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
