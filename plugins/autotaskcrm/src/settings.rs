//! What the instance's configuration means to this element.
//! Must not hold a secret: it only knows which are set.

use tidegate_sdk::{Configuration, Fault, Request, secret};

use crate::zones::Server;

pub const USERNAME: &str = "crm.autotask.username";
pub const PASSWORD: &str = "crm.autotask.password";
pub const SERVER: &str = "crm.autotask.server.url";
pub const INTEGRATION_CODE: &str = "crm.autotask.integration.code";
const NULLS: &str = "filter.response.nulls";

/// A configuration that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub username: String,
    pub server: Server,
    /// Leave members out that are null.
    pub drop_nulls: bool,
}

impl Settings {
    /// # Errors
    /// A bad-configuration fault whose code is the key that is missing or wrong.
    pub fn read(configuration: &Configuration) -> Result<Self, Fault> {
        let username = configuration.require(USERNAME)?;
        if username.chars().any(char::is_control) {
            return Err(Fault::bad_configuration(
                USERNAME,
                format!("`{USERNAME}` holds a control character"),
            ));
        }
        let server = Server::parse(configuration.require(SERVER)?)?;
        if !configuration.has_secret(PASSWORD) {
            return Err(Fault::bad_configuration(
                PASSWORD,
                format!("`{PASSWORD}` is missing: expected the API user's secret"),
            ));
        }
        if !configuration.has_secret(INTEGRATION_CODE) {
            return Err(Fault::bad_configuration(
                INTEGRATION_CODE,
                format!(
                    "`{INTEGRATION_CODE}` is missing: Autotask's API wants the tracking identifier of an integration \
                     (in Autotask: the API user's page, section API Tracking Identifier). Set it in the instance's \
                     configuration, or ask the gateway's operator to set it for all instances of this element"
                ),
            ));
        }
        let drop_nulls = configuration.boolean(NULLS).unwrap_or(true);
        Ok(Self {
            username: username.to_owned(),
            server,
            drop_nulls,
        })
    }

    /// Adds the headers that every request but the zone's look-up needs.
    pub fn authorise(&self, request: Request) -> Request {
        request
            .header("UserName", &self.username)
            .header("Secret", secret(PASSWORD))
            .header("ApiIntegrationCode", secret(INTEGRATION_CODE))
            .header("Accept", "application/json")
    }
}
