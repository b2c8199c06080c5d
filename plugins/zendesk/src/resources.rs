//! What can be read: each resource's places in the API, and how its records show that they are gone.
//! Must not know pages or requests.

use tidegate_sdk::Fault;
use tidegate_sdk::json::Member;

/// How a resource is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    Cursor,
    /// By time alone: records at the borders of pages come twice.
    Time,
}

/// One resource of the hub.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// In the hub, in paths and in answers alike.
    pub name: &'static str,
    /// In an answer of one record, and as a search's type.
    pub singular: &'static str,
    pub export: Export,
    /// Fields that a search can be narrowed by, and the search's words for them.
    pub searched: &'static [(&'static str, Word)],
    gone: Gone,
}

/// A word of the search's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Date(&'static str),
    /// One of a few values, such as a status.
    Choice(&'static str),
}

/// Which member says that a record is gone.
#[derive(Debug, PartialEq, Eq)]
enum Gone {
    /// Zendesk: "status … deleted" comes in exports, unless `exclude_deleted` is asked for.
    Status,
    /// Users: "active: false if the user has been deleted".
    /// <https://developer.zendesk.com/api-reference/ticketing/users/users/>
    Inactive,
    /// Organizations in exports carry the time of their deletion. The API's reference says nothing of it; it is in what
    /// other clients of the export expect. A sweep finds deletions whether it comes or not.
    DeletedAt,
}

pub const RESOURCES: [Resource; 3] = [
    Resource {
        name: "tickets",
        singular: "ticket",
        export: Export::Cursor,
        searched: &[
            ("created_at", Word::Date("created")),
            ("updated_at", Word::Date("updated")),
            ("status", Word::Choice("status")),
            ("priority", Word::Choice("priority")),
            ("type", Word::Choice("ticket_type")),
        ],
        gone: Gone::Status,
    },
    Resource {
        name: "users",
        singular: "user",
        export: Export::Cursor,
        searched: &[
            ("created_at", Word::Date("created")),
            ("updated_at", Word::Date("updated")),
            ("role", Word::Choice("role")),
        ],
        gone: Gone::Inactive,
    },
    Resource {
        name: "organizations",
        singular: "organization",
        export: Export::Time,
        searched: &[
            ("created_at", Word::Date("created")),
            ("updated_at", Word::Date("updated")),
        ],
        gone: Gone::DeletedAt,
    },
];

impl Resource {
    /// # Errors
    /// A bad-configuration fault for a name that is none of them.
    pub fn of(name: &str) -> Result<&'static Self, Fault> {
        RESOURCES.iter().find(|resource| resource.name == name).ok_or_else(|| {
            let known = RESOURCES.map(|resource| resource.name).join(", ");
            Fault::bad_configuration(
                "unknown-resource",
                format!("there is no resource `{name}`: expected one of {known}"),
            )
        })
    }

    /// Do these members say that the record is gone?
    pub fn is_gone(&self, members: &[Member<'_>]) -> bool {
        let value = |name: &str| {
            members
                .iter()
                .rev()
                .find(|member| member.name() == name)
                .map(|member| member.value)
        };
        match self.gone {
            Gone::Status => value("status").and_then(|status| status.as_key()) == Some("deleted"),
            Gone::Inactive => value("active").and_then(|active| active.as_bool()) == Some(false),
            Gone::DeletedAt => value("deleted_at").is_some_and(|at| !at.is_null()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_sdk::json::parse_object;

    use super::*;

    #[test]
    fn each_resource_says_in_its_own_way_that_a_record_is_gone() {
        for (resource, alive, gone) in [
            (
                "tickets",
                r#"{"id":1,"status":"closed"}"#,
                r#"{"id":1,"status":"deleted"}"#,
            ),
            ("users", r#"{"id":1,"active":true}"#, r#"{"id":1,"active":false}"#),
            (
                "organizations",
                r#"{"id":1,"deleted_at":null}"#,
                r#"{"id":1,"deleted_at":"2026-01-01T00:00:00Z"}"#,
            ),
        ] {
            let is_gone = |text: &str| {
                Resource::of(resource)
                    .unwrap()
                    .is_gone(&parse_object(text.as_bytes()).unwrap())
            };
            assert!(
                !is_gone(alive) && is_gone(gone) && !is_gone(r#"{"id":1}"#),
                "{resource}"
            );
        }
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_those_that_are() {
        let fault = Resource::of("groups").unwrap_err();
        assert!(fault.message.contains("tickets, users, organizations"), "{fault}");
    }
}
