//! `Authorization: User <secret>, Organization <secret>` and, for one instance, `Element <token>`. No scheme word stands
//! before them. Secrets are compared by their hashes, in constant time.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use subtle::ConstantTimeEq as _;

use super::Api;
use super::error::ApiError;
use crate::domain::id::InstanceId;
use crate::domain::instance::Instance;
use crate::domain::secret::Secret;

/// The one account of a gateway.
pub struct Account {
    user: [u8; 32],
    organization: [u8; 32],
}

impl Account {
    #[must_use]
    pub fn new(user: &Secret, organization: &Secret) -> Self {
        Self {
            user: hash(user.expose()),
            organization: hash(organization.expose()),
        }
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

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

impl Api {
    fn check_user(&self, credentials: &Credentials<'_>) -> Result<(), ApiError> {
        let user = credentials.user.ok_or_else(|| unauthorised(EXPECTED))?;
        if bool::from(hash(user).ct_eq(&self.account.user)) {
            return Ok(());
        }
        Err(unauthorised("the user secret is wrong"))
    }

    fn check_owner(&self, credentials: &Credentials<'_>) -> Result<(), ApiError> {
        self.check_user(credentials)?;
        let organization = credentials.organization.ok_or_else(|| unauthorised(EXPECTED))?;
        if bool::from(hash(organization).ct_eq(&self.account.organization)) {
            return Ok(());
        }
        Err(unauthorised("the organization secret is wrong"))
    }

    async fn bearer(&self, credentials: &Credentials<'_>) -> Result<Instance, ApiError> {
        self.check_user(credentials)?;
        let token = credentials.element.ok_or_else(|| unauthorised(EXPECTED))?;
        let instance = self.gateway.instance_by_token(token).await?;
        instance.ok_or_else(|| unauthorised("the element token is wrong, or its instance was removed"))
    }
}

impl FromRequestParts<Api> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        api.check_owner(&credentials(parts)?)?;
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
            api.check_owner(&credentials)?;
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
            _ => Ok(Self(id)),
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
