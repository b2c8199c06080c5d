//! Secrets of whoever runs the gateway, and urls that an instance's user chose: the ones must not go to the others.
//! Knows no placeholder but those that name such a secret.

use url::Url;

use super::{is_of_hosts, is_of_origins};
use crate::domain::grants::{Grants, RefreshGrant};

/// Why a request must not be sent, if a header of it would carry a secret of the operator to a place that is neither the
/// manifest's nor the operator's own.
#[must_use]
pub fn withheld(url: &Url, headers: &[(String, String)], grants: &Grants) -> Option<String> {
    if grants.operator.secrets.is_empty() || is_trusted(url, grants) {
        return None;
    }
    let mut names: Vec<&str> = grants.operator.secrets.iter().map(String::as_str).collect();
    names.sort_unstable();
    let carried = names.into_iter().find(|name| {
        let placeholder = format!("{{{{secret:{name}}}}}");
        headers.iter().any(|(_, value)| value.contains(&placeholder))
    });
    carried.map(|name| sentence(&format!("the secret {name:?}"), url))
}

/// The same for what access tokens are obtained with.
#[must_use]
pub fn withheld_token(url: &Url, grant: &RefreshGrant, grants: &Grants) -> Option<String> {
    (grant.by_operator && !is_trusted(url, grants)).then(|| sentence("the client secret", url))
}

fn is_trusted(url: &Url, grants: &Grants) -> bool {
    let operator = &grants.operator;
    is_of_hosts(url, &grants.hosts) || is_of_hosts(url, &operator.hosts) || is_of_origins(url, &operator.origins)
}

fn sentence(what: &str, url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    format!(
        "{what} is set by the operator for all instances, and {origin} is an address of this instance's configuration alone; \
         set the secret in the instance, or have the operator add \"{origin}\" to secret_hosts of the element"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::domain::element::Limits;
    use crate::domain::grants::OperatorGrants;
    use crate::domain::secret::Secret;

    fn grants() -> Grants {
        Grants {
            hosts: vec!["*.vendor.example".into()],
            origins: vec!["http://user.example:8080".into(), "https://own.example".into()],
            secrets: HashMap::new(),
            oauth2: None,
            account: String::new(),
            limits: Limits::default(),
            operator: OperatorGrants {
                secrets: HashSet::from(["code".to_owned()]),
                hosts: vec!["listed.example".into()],
                origins: vec!["https://own.example".into()],
            },
            response_headers: Vec::new(),
        }
    }

    fn judge(url: &str, value: &str) -> Option<String> {
        let headers = [("x".to_owned(), "y".to_owned()), ("key".to_owned(), value.to_owned())];
        withheld(&Url::parse(url).unwrap(), &headers, &grants())
    }

    #[test]
    fn a_secret_of_the_operator_goes_where_the_operator_or_the_manifest_says() {
        let bearing = [
            "{{secret:code}}",
            "a {{secret:code}} b",
            "Basic {{base64:u:{{secret:code}}}}",
        ];
        for value in bearing {
            for url in [
                "https://a.vendor.example/x",
                "https://own.example/x",
                "https://listed.example/x",
            ] {
                assert_eq!(judge(url, value), None, "{url} {value}");
            }
            for url in [
                "http://user.example:8080/x",
                "https://user.example:8080/x",
                "http://a.vendor.example/x",
                "https://a.vendor.example:8443/x",
                "http://listed.example/x",
                "https://own.example:8443/x",
            ] {
                let sentence = judge(url, value).expect(url);
                assert!(
                    sentence.contains("\"code\"") && sentence.contains("secret_hosts"),
                    "{sentence}"
                );
            }
        }
    }

    #[test]
    fn what_is_the_instance_s_own_goes_where_its_url_says() {
        for value in ["", "code", "{{secret:password}}", "{{secret:code2}}", "{{secret:Code}}"] {
            assert_eq!(judge("http://user.example:8080/x", value), None, "{value}");
        }
    }

    #[test]
    fn a_client_secret_of_the_operator_is_not_sent_to_a_user_s_address() {
        let grant = |by_operator| RefreshGrant {
            token_url: String::new(),
            client_id: Secret::new("id"),
            client_secret: Secret::new("hunter2"),
            refresh_token: Secret::new("refresh"),
            by_operator,
        };
        let judge = |url: &str, by_operator| withheld_token(&Url::parse(url).unwrap(), &grant(by_operator), &grants());
        assert!(judge("http://user.example:8080/token", true).is_some());
        assert_eq!(judge("http://user.example:8080/token", false), None);
        assert_eq!(judge("https://a.vendor.example/token", true), None);
    }
}
