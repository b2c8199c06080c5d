//! What the instance's configuration means to this element.
//! Must not hold a secret: it only knows which are set.

use tidegate_sdk::{Configuration, Fault, Request, basic};

pub const URL: &str = "zendesk.url";
pub const EMAIL: &str = "zendesk.email";
pub const TOKEN: &str = "zendesk.token";
const NULLS: &str = "filter.response.nulls";

/// A configuration that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `https://acme.zendesk.com`, without a slash at the end.
    pub site: String,
    /// The value of the header `Authorization`, with a placeholder in place of the token.
    authorization: String,
    /// Leave members out that are null.
    pub drop_nulls: bool,
}

impl Settings {
    /// # Errors
    /// A bad-configuration fault whose code is the key that is missing or wrong.
    pub fn read(configuration: &Configuration) -> Result<Self, Fault> {
        let site = site_of(configuration.require(URL)?)?;
        let email = configuration.require(EMAIL)?;
        // Zendesk's own form: https://developer.zendesk.com/api-reference/introduction/security-and-auth/#api-token
        let authorization = basic(&format!("{email}/token"), TOKEN)
            .map_err(|why| Fault::bad_configuration(EMAIL, format!("`{EMAIL}` {why}")))?;
        if !configuration.has_secret(TOKEN) {
            return Err(Fault::bad_configuration(
                TOKEN,
                format!("`{TOKEN}` is missing: expected an API token of the Zendesk account"),
            ));
        }
        Ok(Self {
            site,
            authorization,
            drop_nulls: configuration.boolean(NULLS).unwrap_or(true),
        })
    }

    /// A GET of this account's API; `path` begins with a slash.
    pub fn get(&self, path: &str) -> Request {
        Request::get(format!("{}{path}", self.site))
            .header("Authorization", &self.authorization)
            .header("Accept", "application/json")
    }

    /// For messages.
    pub fn host(&self) -> &str {
        self.site.split_once("://").map_or(self.site.as_str(), |(_, host)| host)
    }
}

/// The scheme and host of an address; people paste the page that they are looking at.
fn site_of(text: &str) -> Result<String, Fault> {
    let wrong = |found: &str| {
        Fault::bad_configuration(
            URL,
            format!("`{URL}` {found}: expected an address such as https://acme.zendesk.com"),
        )
    };
    let lower = text.to_ascii_lowercase();
    let Some((scheme, rest)) = lower.split_once("://") else {
        return Err(wrong("has no scheme"));
    };
    if !matches!(scheme, "https" | "http") {
        return Err(wrong("is neither https nor http"));
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host_char = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    if host.is_empty() || !host.chars().all(is_host_char) {
        return Err(wrong("has no host that can be asked"));
    }
    if scheme == "http" && host.ends_with(".zendesk.com") {
        return Err(wrong("would send the token in the clear"));
    }
    Ok(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(configuration: Value) -> Result<Settings, Fault> {
        let Value::Object(map) = configuration else { panic!() };
        Settings::read(&Configuration::from(map))
    }

    #[test]
    fn requests_carry_the_user_and_a_placeholder_for_the_token() {
        let settings = read(json!({
            "zendesk.url": "https://Acme.zendesk.com/agent/dashboard?x=1",
            "zendesk.email": "jo@x.example",
            "$secrets": ["zendesk.token"],
        }))
        .unwrap();
        let request = settings.get("/api/v2/users/me.json");
        assert_eq!(request.url, "https://acme.zendesk.com/api/v2/users/me.json");
        assert_eq!(
            request.headers[0].1,
            "Basic {{base64:jo@x.example/token:{{secret:zendesk.token}}}}"
        );
        assert_eq!(settings.host(), "acme.zendesk.com");
        assert!(settings.drop_nulls);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_by_its_key() {
        let whole =
            json!({"zendesk.url": "https://acme.zendesk.com", "zendesk.email": "a@b.example", "$secrets": [TOKEN]});
        assert!(read(whole.clone()).is_ok());
        for (key, value) in [
            (URL, json!(null)),
            (URL, json!("acme.zendesk.com")),
            (URL, json!("ftp://acme.zendesk.com")),
            (URL, json!("https://")),
            (URL, json!("https://user@acme.zendesk.com")),
            (URL, json!("http://acme.zendesk.com")),
            (EMAIL, json!(" ")),
            (EMAIL, json!("a:b@c.example")),
            (EMAIL, json!("{{secret:other}}")),
            ("$secrets", json!([])),
        ] {
            let mut configuration = whole.clone();
            configuration[key] = value.clone();
            let fault = read(configuration).expect_err(key);
            let named = if key == "$secrets" { TOKEN } else { key };
            assert_eq!(fault.code, named, "{value}");
            assert!(fault.message.contains(named), "{fault}");
        }
    }
}
