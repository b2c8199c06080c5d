//! The two bodies of `POST /instances` that the seed prints, quirks included, with only what must differ filled in.
//! Keep them as printed: their defects are what a gateway is tested with.

/// What differs from the print: credentials, hosts, the interval, and the keys that today's API and the test need.
#[derive(Clone)]
pub struct SeedValues {
    pub user_name: String,
    pub password: String,
    /// Not in the print: the vendor's REST API wants it.
    pub integration_code: Option<String>,
    pub server_url: String,
    pub callback_url: String,
    /// Not in the print: makes the gateway sign.
    pub signature_key: Option<String>,
    /// Minutes, as the print has them: in a string.
    pub refresh_interval: String,
    pub instance_name: String,
    pub tag: String,
}

/// The body printed as JSON. Its url ends in one quote too many.
const AS_JSON: &str = r#"{
"element":{
"key":"autotaskcrm"
},
"configuration":{
"crm.autotask.username": "<AUTOTASK_USERNAME>",
"crm.autotask.password": "<AUTOTASK_PASSWORD>",
"crm.autotask.server.url": "<AUTOTASK_LOGIN_URL>",
"event.notification.enabled": true,
"event.notification.callback.url": "<CALLBACK_URL>",
"event.poller.refresh_interval": "<minutes>",
"event.poller.configuration":{
"accounts":{
"url":"/hubs/crm/accounts?where=lastActivityDate>='${date:yyyy-MM-dd'T'HH:mm:ssZ}''",
"idField":"id",
"datesConfiguration":{
"updatedDateField":"lastActivityDate",
"updatedDateFormat":"yyyy-MM-dd'T'HH:mm:ss'Z'",
"createdDateField":"createDate",
"createdDateFormat":"yyyy-MM-dd'T'HH:mm:ss'Z'"
}
}
}
},
"tags":[
"<Add_Your_Tag>"
],
"name":"<INSTANCE_NAME>"
}"#;

/// The body inside the print's curl command, between the shell's quotes.
const IN_CURL: &str = r#"{
"element": {
"key": "autotaskcrm"
},
"configuration": {
"crm.autotask.username": "<AUTOTASK_USERNAME>",
"crm.autotask.password": "<AUTOTASK_PASSWORD>",
"crm.autotask.server.url": "<AUTOTASK_LOGIN_URL>",
"event.notification.enabled": true,
"event.notification.callback.url": "<CALLBACK_URL>",
"event.poller.refresh_interval": "<minutes>",
"event.poller.configuration":{
"accounts": {
"url":"/hubs/crm/accounts?where=lastActivityDate>='${date:yyyy-MM-dd'T'HH:mm:ssZ}'",
"idField":"id",
"datesConfiguration":{
"updatedDateField":"date_modified",
"updatedDateFormat":"yyyy-MM-dd'\''T'\''HH:mm:ss'\''",
"createdDateField":"date_created",
"createdDateFormat":"yyyy-MM-dd'\''T'\''HH:mm:ss'\''"
}
}
}
},
"tags": [
"<Add_Your_Tag>"
],
"name": "<INSTANCE_NAME>"
}"#;

/// What bash makes of the macro once its quotes have ended the shell's string and `date` is unset: nothing.
const MACRO_IN_CURL: &str = "'${date:yyyy-MM-dd'T'HH:mm:ssZ}'";
/// How a quote is written inside a single-quoted shell string.
const SHELL_QUOTE: &str = r"'\''";

/// The body printed as JSON, filled in. Valid JSON.
pub fn printed_as_json(values: &SeedValues) -> String {
    fill(AS_JSON, values)
}

/// The body of the curl command as it stands on the page, shell escapes and all: not JSON.
pub fn printed_in_curl(values: &SeedValues) -> String {
    fill(IN_CURL, values)
}

/// What arrives when the curl command is pasted into bash: the url ends in a comparison without a value, and the date
/// formats end in a quote that nobody opened.
pub fn pasted_into_bash(values: &SeedValues) -> String {
    fill(&IN_CURL.replace(MACRO_IN_CURL, "").replace(SHELL_QUOTE, "'"), values)
}

/// What the curl command's author meant: the macro intact; the date formats are as broken as ever.
pub fn meant_in_curl(values: &SeedValues) -> String {
    fill(&IN_CURL.replace(SHELL_QUOTE, "'"), values)
}

fn fill(template: &str, values: &SeedValues) -> String {
    let mut extra = String::new();
    for (key, value) in [
        ("crm.autotask.integration.code", &values.integration_code),
        ("event.notification.signature.key", &values.signature_key),
    ] {
        if let Some(value) = value {
            extra.push_str(&format!("\n\"{key}\": \"{}\",", escaped(value)));
        }
    }
    // The keys that the print lacks go behind this line, which both prints have.
    let switch = "\"event.notification.enabled\": true,";
    [
        (switch, format!("{switch}{extra}")),
        ("<AUTOTASK_USERNAME>", escaped(&values.user_name)),
        ("<AUTOTASK_PASSWORD>", escaped(&values.password)),
        ("<AUTOTASK_LOGIN_URL>", escaped(&values.server_url)),
        ("<CALLBACK_URL>", escaped(&values.callback_url)),
        ("<minutes>", escaped(&values.refresh_interval)),
        ("<Add_Your_Tag>", escaped(&values.tag)),
        ("<INSTANCE_NAME>", escaped(&values.instance_name)),
    ]
    .iter()
    .fold(template.to_owned(), |body, (placeholder, value)| {
        body.replace(placeholder, value)
    })
}

/// The inside of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn values() -> SeedValues {
        SeedValues {
            user_name: "user@example.com".to_owned(),
            password: "quote \" and backslash \\".to_owned(),
            integration_code: Some("CODE".to_owned()),
            server_url: "http://127.0.0.1:1".to_owned(),
            callback_url: "http://127.0.0.1:2/".to_owned(),
            signature_key: None,
            refresh_interval: "15".to_owned(),
            instance_name: "Example".to_owned(),
            tag: "Docs".to_owned(),
        }
    }

    fn accounts(body: &str) -> Value {
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["configuration"]["crm.autotask.password"], values().password);
        body["configuration"]["event.poller.configuration"]["accounts"].clone()
    }

    #[test]
    fn the_defects_of_the_print_are_kept() {
        let url = |body: &str| accounts(body)["url"].as_str().unwrap().to_owned();
        let frame = "/hubs/crm/accounts?where=lastActivityDate>=";
        let printed = url(&printed_as_json(&values()));
        assert_eq!(printed, format!("{frame}'${{date:yyyy-MM-dd'T'HH:mm:ssZ}}''"));
        assert_eq!(url(&pasted_into_bash(&values())), frame);
        assert_eq!(url(&meant_in_curl(&values())), printed.strip_suffix('\'').unwrap());
        for body in [pasted_into_bash(&values()), meant_in_curl(&values())] {
            assert_eq!(
                accounts(&body)["datesConfiguration"]["updatedDateFormat"],
                "yyyy-MM-dd'T'HH:mm:ss'"
            );
        }
        let error = serde_json::from_str::<Value>(&printed_in_curl(&values())).unwrap_err();
        // Line 18 of the print; the integration code is one line more.
        assert_eq!(error.line(), 19);
    }
}
