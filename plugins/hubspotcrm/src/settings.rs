//! What the instance's configuration means to this element.
//! Must not hold a secret: it only knows which are set.

use tidegate_sdk::{Configuration, Fault, Request, secret};

use crate::objects::{ENVELOPE, Object, field_of};

pub const HUB_ID: &str = "crm.hubspot.hub.id";
pub const TOKEN: &str = "crm.hubspot.token";
pub const CLIENT_ID: &str = "crm.hubspot.client.id";
pub const CLIENT_SECRET: &str = "crm.hubspot.client.secret";
pub const REFRESH_TOKEN: &str = "crm.hubspot.refresh.token";
pub const URL: &str = "crm.hubspot.url";
/// The gateway's own: the access token that it obtains with the three above.
pub const ACCESS_TOKEN: &str = "oauth2.access_token";

/// Followed by the name of a resource.
pub const PROPERTIES: &str = "crm.hubspot.properties";
/// The list for all resources that have none of their own.
pub const OTHER: &str = "crm.hubspot.properties.other";

/// A configuration that is complete.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'r> {
    pub hub_id: i64,
    base: &'r str,
    /// The secret that holds the token.
    token: &'static str,
    configuration: &'r Configuration,
}

impl<'r> Settings<'r> {
    /// # Errors
    /// A bad-configuration fault whose code is the key that is missing or wrong.
    pub fn read(configuration: &'r Configuration) -> Result<Self, Fault> {
        let hub_id = configuration.get(HUB_ID).and_then(serde_json::Value::as_i64);
        let hub_id = hub_id.filter(|id| *id > 0).ok_or_else(|| {
            let found = configuration
                .get(HUB_ID)
                .map_or_else(|| "nothing".into(), ToString::to_string);
            Fault::bad_configuration(
                HUB_ID,
                format!("`{HUB_ID}`: found {found}; expected the number of the HubSpot account, such as 1234567"),
            )
        })?;
        let base = configuration.require(URL)?.trim_end_matches('/');
        Ok(Self {
            hub_id,
            base,
            token: token(configuration)?,
            configuration,
        })
    }

    /// An address of the API; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// For messages.
    pub fn host(&self) -> &'r str {
        let rest = self.base.split_once("://").map_or(self.base, |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    pub fn authorise(&self, request: Request) -> Request {
        request
            .header("Authorization", format!("Bearer {}", secret(self.token)))
            .header("Accept", "application/json")
    }

    /// The properties that records of this object should hold; empty for what the vendor gives of itself.
    ///
    /// # Errors
    /// A bad-configuration fault whose code is the key with something in it that is no property.
    pub fn properties(&self, object: Object<'_>) -> Result<Vec<String>, Fault> {
        let Some(known) = object.known else {
            return self.properties_of_other(object.name);
        };
        let key = format!("{PROPERTIES}.{}", known.names[0]);
        match self.configuration.text(&key) {
            Some(list) => names(&key, list),
            None => Ok(known.properties.iter().map(|name| (*name).to_owned()).collect()),
        }
    }

    /// `products: name, price; 2-3456789: title`
    fn properties_of_other(&self, object: &str) -> Result<Vec<String>, Fault> {
        let lists = self.configuration.text(OTHER).unwrap_or_default();
        for entry in lists.split(';').filter(|entry| !entry.trim().is_empty()) {
            let Some((name, list)) = entry.split_once(':') else {
                return Err(Fault::bad_configuration(
                    OTHER,
                    format!(
                        "`{OTHER}`: found `{entry}`; expected an object, a colon and properties, as in `products: name, price`"
                    ),
                ));
            };
            if name.trim() == object {
                return names(OTHER, list);
            }
        }
        Ok(Vec::new())
    }
}

fn token(configuration: &Configuration) -> Result<&'static str, Fault> {
    if configuration.has_secret(ACCESS_TOKEN) {
        return Ok(ACCESS_TOKEN);
    }
    if configuration.has_secret(TOKEN) {
        return Ok(TOKEN);
    }
    let is_set = |key: &str| configuration.has_secret(key) || configuration.text(key).is_some();
    let missing: Vec<_> = [CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN]
        .into_iter()
        .filter(|key| !is_set(key))
        .collect();
    Err(match missing.as_slice() {
        [first, ..] if missing.len() < 3 => Fault::bad_configuration(
            *first,
            format!(
                "OAuth2 needs three keys, of which these are missing: {}",
                missing.join(", ")
            ),
        ),
        _ => Fault::bad_configuration(
            TOKEN,
            format!(
                "no credentials: expected `{TOKEN}` (a private app's access token), or `{CLIENT_ID}`, `{CLIENT_SECRET}` and \
                 `{REFRESH_TOKEN}` (OAuth2)"
            ),
        ),
    })
}

/// A list of properties' names, separated by commas; `key` is where it stands. What every record has anyway is left out.
///
/// # Errors
/// A bad-configuration fault for what can be none.
pub fn names(key: &str, list: &str) -> Result<Vec<String>, Fault> {
    let mut names: Vec<String> = Vec::new();
    for name in list.split(',').map(field_of).filter(|name| !name.is_empty()) {
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if !is_name {
            return Err(Fault::bad_configuration(
                key,
                format!(
                    "`{key}`: found `{name}`; expected internal names of properties (letters, digits and `_`) and commas"
                ),
            ));
        }
        add_name(&mut names, name);
    }
    Ok(names)
}

/// Adds what is a property and not there yet.
pub fn add_name(names: &mut Vec<String>, name: &str) {
    if !ENVELOPE.contains(&name) && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn configuration(value: Value) -> Configuration {
        Configuration::from_json(value.to_string().as_bytes()).unwrap()
    }

    fn code(entries: Value) -> String {
        let mut value = json!({HUB_ID: 42, URL: "https://api.hubapi.com/", "$secrets": [TOKEN]});
        value
            .as_object_mut()
            .unwrap()
            .extend(entries.as_object().unwrap().clone());
        Settings::read(&configuration(value)).unwrap_err().code
    }

    #[test]
    fn oauth2_is_used_where_it_is_complete_and_the_private_app_s_token_else() {
        for (secrets, expected) in [
            (json!([TOKEN]), TOKEN),
            (json!([ACCESS_TOKEN]), ACCESS_TOKEN),
            (json!([TOKEN, ACCESS_TOKEN]), ACCESS_TOKEN),
            (json!([TOKEN, REFRESH_TOKEN]), TOKEN),
        ] {
            let configuration = configuration(json!({HUB_ID: 42, URL: "https://api.hubapi.com/", "$secrets": secrets}));
            let settings = Settings::read(&configuration).unwrap();
            assert_eq!((settings.token, settings.host()), (expected, "api.hubapi.com"));
            assert_eq!(settings.url("/x"), "https://api.hubapi.com/x");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (entries, expected) in [
            (json!({HUB_ID: null}), HUB_ID),
            (json!({HUB_ID: "abc"}), HUB_ID),
            (json!({HUB_ID: 0}), HUB_ID),
            (json!({URL: " "}), URL),
            (json!({"$secrets": []}), TOKEN),
            (json!({"$secrets": [CLIENT_SECRET, REFRESH_TOKEN]}), CLIENT_ID),
            (json!({"$secrets": [REFRESH_TOKEN], CLIENT_ID: "me"}), CLIENT_SECRET),
        ] {
            assert_eq!(code(entries.clone()), expected, "{entries}");
        }
    }

    #[test]
    fn properties_are_those_configured_else_a_list_for_each_known_object() {
        let configuration = configuration(json!({
            HUB_ID: 42, URL: "https://api.hubapi.com", "$secrets": [TOKEN],
            "crm.hubspot.properties.contacts": "email, hs_score,email, id",
            OTHER: "products: name, price; 2-7: title;",
        }));
        let settings = Settings::read(&configuration).unwrap();
        let properties = |name: &str| settings.properties(Object::of(name).unwrap()).unwrap();
        assert_eq!(properties("contacts"), ["email", "hs_score"]);
        assert_eq!(properties("0-1"), ["email", "hs_score"]);
        assert_eq!(properties("deals")[0], "dealname");
        assert_eq!(properties("products"), ["name", "price"]);
        assert_eq!(properties("2-7"), ["title"]);
        assert_eq!(properties("quotes"), [""; 0]);
    }

    #[test]
    fn what_is_no_list_of_properties_is_refused() {
        for (key, list) in [
            ("crm.hubspot.properties.contacts", "first name"),
            ("crm.hubspot.properties.contacts", "email; phone"),
            (OTHER, "products"),
            (OTHER, "contacts2: a b"),
        ] {
            let configuration =
                configuration(json!({HUB_ID: 42, URL: "https://api.hubapi.com", "$secrets": [TOKEN], key: list}));
            let settings = Settings::read(&configuration).unwrap();
            let object = if key == OTHER { "contacts2" } else { "contacts" };
            assert_eq!(
                settings.properties(Object::of(object).unwrap()).unwrap_err().code,
                key,
                "{list}"
            );
        }
    }
}
