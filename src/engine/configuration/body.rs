//! The body of `POST /instances` and of its changes, before the configuration is looked into.

use serde_json::{Map, Value};

use super::Warnings;
use super::fields::{FieldError, Found, is_placeholder};
use crate::domain::instance::Warning;

/// Longest name or tag, in characters.
pub(super) const NAME_CHARS_MAX: usize = 200;
/// Most tags of an instance.
pub(super) const TAGS_MAX: usize = 50;

/// What a body holds. Absent members are None: for a change they stay as they are.
#[derive(Clone, Default)]
pub struct Body {
    /// `element.key`, or `element.id` as text.
    pub element: Option<String>,
    pub name: Option<String>,
    pub tags: Option<Vec<String>>,
    pub configuration: Option<Map<String, Value>>,
    pub warnings: Vec<Warning>,
}

/// Without values: the configuration holds secrets.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self
            .configuration
            .as_ref()
            .map(|configuration| configuration.keys().collect::<Vec<_>>());
        let mut body = f.debug_struct("Body");
        body.field("element", &self.element)
            .field("name", &self.name)
            .field("tags", &self.tags);
        body.field("configuration", &keys)
            .field("warnings", &self.warnings)
            .finish()
    }
}

const MEMBERS: [&str; 8] = [
    "element",
    "configuration",
    "tags",
    "name",
    "providerData",
    "externalAuthentication",
    "id",
    "retrieveObjectsAfterAuthentication",
];

/// A new instance: element, name and configuration must be there.
///
/// # Errors
/// The member that is missing or of the wrong type.
pub fn parse_body(body: &Value) -> Result<Body, FieldError> {
    let mut parsed = parse_patch(body)?;
    if parsed.element.is_none() {
        return Err(FieldError::new(
            "element",
            "is missing; expected {\"key\": \"autotaskcrm\"} or another element's key",
        ));
    }
    if parsed.configuration.is_none() {
        return Err(FieldError::new(
            "configuration",
            "is missing; expected an object with the element's properties",
        ));
    }
    if parsed.name.as_deref().unwrap_or_default().is_empty() {
        return Err(FieldError::new("name", "is missing; expected the name of the instance"));
    }
    parsed.tags.get_or_insert_default();
    Ok(parsed)
}

/// A change: whatever is there.
///
/// # Errors
/// The member that is of the wrong type.
pub fn parse_patch(body: &Value) -> Result<Body, FieldError> {
    let object = body
        .as_object()
        .ok_or_else(|| FieldError::new("body", format!("expected a JSON object, found {}", Found::kind(body))))?;
    let mut warnings = Warnings::default();
    for key in object.keys().filter(|key| !MEMBERS.contains(&key.as_str())) {
        warnings.add(key, "is not known and has no effect");
    }
    let element = object.get("element").map(element).transpose()?;
    let name = object
        .get("name")
        .filter(|name| !name.is_null())
        .map(|value| label("name", value, &mut warnings))
        .transpose()?;
    let tags = object.get("tags").map(|value| tags(value, &mut warnings)).transpose()?;
    let configuration = match object.get("configuration") {
        None => None,
        Some(Value::Object(configuration)) => Some(configuration.clone()),
        Some(other) => {
            return Err(FieldError::new(
                "configuration",
                format!("expected an object, found {}", Found::kind(other)),
            ));
        }
    };
    Ok(Body {
        element,
        name,
        tags,
        configuration,
        warnings: warnings.0,
    })
}

fn element(value: &Value) -> Result<String, FieldError> {
    let object = value.as_object().ok_or_else(|| {
        FieldError::new(
            "element",
            format!(
                "expected {{\"key\": \"autotaskcrm\"}} or another element's key, found {}",
                Found::kind(value)
            ),
        )
    })?;
    match (object.get("key"), object.get("id")) {
        (Some(Value::String(key)), _) => Ok(key.clone()),
        (Some(other), _) => Err(FieldError::new(
            "element.key",
            format!("expected text, found {}", Found::kind(other)),
        )),
        (None, Some(Value::Number(id))) => Ok(id.to_string()),
        (None, Some(Value::String(id))) => Ok(id.clone()),
        (None, _) => Err(FieldError::new(
            "element.key",
            "is missing; expected the key of an element, such as autotaskcrm",
        )),
    }
}

fn tags(value: &Value, warnings: &mut Warnings) -> Result<Vec<String>, FieldError> {
    let tags = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(tags) => tags,
        other => {
            return Err(FieldError::new(
                "tags",
                format!("expected an array of text, found {}", Found::kind(other)),
            ));
        }
    };
    if tags.len() > TAGS_MAX {
        return Err(FieldError::new(
            "tags",
            format!("has {} entries; at most {TAGS_MAX} are allowed", tags.len()),
        ));
    }
    tags.iter()
        .enumerate()
        .map(|(i, tag)| label(&format!("tags[{i}]"), tag, warnings))
        .collect()
}

/// A name or tag: HTML is stripped, as Cloud Elements does; a placeholder is kept without its brackets.
fn label(field: &str, value: &Value, warnings: &mut Warnings) -> Result<String, FieldError> {
    let text = value
        .as_str()
        .ok_or_else(|| FieldError::new(field, format!("expected text, found {}", Found::kind(value))))?;
    let label = if is_placeholder(text) {
        warnings.add(
            field,
            format!("{} is a placeholder that was not filled in", text.trim()),
        );
        text.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
    } else {
        strip_html(text)
    };
    let label = label.trim().to_owned();
    let chars = label.chars().count();
    if chars > NAME_CHARS_MAX {
        return Err(FieldError::new(
            field,
            format!("has {chars} characters; at most {NAME_CHARS_MAX} are allowed"),
        ));
    }
    Ok(label)
}

/// Drops whatever stands between `<` and the next `>`; a lone `<` stays.
fn strip_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let Some(length) = rest[start..].find('>') else { break };
        out.push_str(&rest[..start]);
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn html_is_stripped_from_names() {
        let body = parse_patch(&json!({"name": "<b>Acme</b> & <script src='x'>Co", "tags": ["a < b"]})).unwrap();
        assert_eq!(body.name.as_deref(), Some("Acme & Co"));
        assert_eq!(body.tags.unwrap(), ["a < b"]);
    }

    #[test]
    fn each_wrong_member_is_named() {
        let table = [
            (json!([]), "body"),
            (json!({}), "element"),
            (json!({"element": "autotaskcrm"}), "element"),
            (json!({"element": {}}), "element.key"),
            (json!({"element": {"key": 7}}), "element.key"),
            (json!({"element": {"key": "x"}}), "configuration"),
            (json!({"element": {"key": "x"}, "configuration": []}), "configuration"),
            (json!({"element": {"key": "x"}, "configuration": {}}), "name"),
            (json!({"element": {"key": "x"}, "configuration": {}, "name": 1}), "name"),
            (
                json!({"element": {"key": "x"}, "configuration": {}, "name": "n", "tags": "t"}),
                "tags",
            ),
            (
                json!({"element": {"key": "x"}, "configuration": {}, "name": "n", "tags": [1]}),
                "tags[0]",
            ),
            (
                json!({"element": {"key": "x"}, "configuration": {}, "name": "n".repeat(201)}),
                "name",
            ),
        ];
        for (body, field) in table {
            assert_eq!(parse_body(&body).unwrap_err().field, field, "{body}");
        }
    }
}
