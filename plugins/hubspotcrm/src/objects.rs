//! What is known of each of the vendor's objects: names of dates, and the properties that are worth asking for.
//! Must not know how a question is put.

use tidegate_sdk::Fault;

/// Longest name of an object; the vendor's own have at most 30 characters.
const NAME_CHARS_MAX: usize = 100;

/// Members of every record that are no properties. Names of properties are in lower case, so only the last two could be
/// met by a property of a customer.
pub const ENVELOPE: [&str; 5] = ["createdAt", "updatedAt", "archivedAt", "id", "archived"];

/// The property that holds a record's id, and that a search can compare and order numerically.
pub const ID: &str = "hs_object_id";

/// One of the vendor's objects, or one that a customer defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'r> {
    /// As addresses have it.
    pub name: &'r str,
    pub known: Option<&'static Known>,
}

/// An object whose properties are known.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// The resource of this name, the singular and the number that the vendor also takes for it: see
    /// <https://developers.hubspot.com/docs/guides/crm/understanding-the-crm>.
    pub names: [&'static str; 3],
    pub modified: &'static str,
    /// Those that a search gives by itself, and others that every account has.
    pub properties: &'static [&'static str],
}

const HS_MODIFIED: &str = "hs_lastmodifieddate";

pub static KNOWN: [Known; 4] = [
    Known {
        names: ["contacts", "contact", "0-1"],
        modified: "lastmodifieddate",
        properties: &[
            "firstname",
            "lastname",
            "email",
            "phone",
            "mobilephone",
            "company",
            "jobtitle",
            "website",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "lifecyclestage",
            "hs_lead_status",
            "hubspot_owner_id",
            "createdate",
            "lastmodifieddate",
        ],
    },
    Known {
        names: ["companies", "company", "0-2"],
        modified: HS_MODIFIED,
        properties: &[
            "name",
            "domain",
            "phone",
            "website",
            "industry",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "numberofemployees",
            "annualrevenue",
            "description",
            "lifecyclestage",
            "hubspot_owner_id",
            "createdate",
            HS_MODIFIED,
        ],
    },
    Known {
        names: ["deals", "deal", "0-3"],
        modified: HS_MODIFIED,
        properties: &[
            "dealname",
            "amount",
            "closedate",
            "pipeline",
            "dealstage",
            "dealtype",
            "description",
            "hubspot_owner_id",
            "createdate",
            HS_MODIFIED,
        ],
    },
    Known {
        names: ["tickets", "ticket", "0-5"],
        modified: HS_MODIFIED,
        properties: &[
            "subject",
            "content",
            "hs_pipeline",
            "hs_pipeline_stage",
            "hs_ticket_category",
            "hs_ticket_priority",
            "source_type",
            "hubspot_owner_id",
            "closed_date",
            "createdate",
            HS_MODIFIED,
        ],
    },
];

/// Properties that hold points in time, in whichever object they are.
const DATES: [&str; 6] = [
    "createdate",
    "hs_createdate",
    "lastmodifieddate",
    HS_MODIFIED,
    "closedate",
    "closed_date",
];

impl<'r> Object<'r> {
    /// # Errors
    /// A bad-configuration fault for what is no object's name.
    pub fn of(resource: &'r str) -> Result<Self, Fault> {
        let is_name = (1..=NAME_CHARS_MAX).contains(&resource.len())
            && resource
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !is_name {
            let shown: String = resource.chars().take(NAME_CHARS_MAX).collect();
            return Err(Fault::bad_configuration(
                "unknown-resource",
                format!(
                    "`{shown}` is no resource: expected contacts, companies, deals, tickets, or another object of HubSpot by \
                     its name (products) or its type id (2-3456789)"
                ),
            ));
        }
        let known = KNOWN.iter().find(|known| known.names.contains(&resource));
        Ok(Self { name: resource, known })
    }

    /// The property with the date of the last change.
    pub fn modified(&self) -> &'static str {
        self.known.map_or(HS_MODIFIED, |known| known.modified)
    }

    /// The property that a field of a record comes from. None: it can't be asked for.
    pub fn property<'f>(&self, field: &'f str) -> Option<&'f str> {
        match field {
            "id" => Some(ID),
            "updatedAt" => Some(self.modified()),
            // Other objects have it as `hs_createdate`, and which of them is not documented as a whole.
            "createdAt" => self.known.map(|_| "createdate"),
            _ if ENVELOPE.contains(&field) => None,
            _ => Some(field),
        }
    }
}

pub fn is_date(property: &str) -> bool {
    DATES.contains(&property)
}

/// The name in a path to a field. Records are flat, so that a path is a name, also as `['name']`, or as `properties.name`
/// for who knows the vendor's own form.
pub fn field_of(path: &str) -> &str {
    let path = path.trim();
    let name = path.strip_prefix("properties.").unwrap_or(path);
    let quoted = |quote| {
        name.strip_prefix(['['])
            .and_then(|rest| rest.strip_suffix(']'))?
            .strip_prefix(quote)?
            .strip_suffix(quote)
    };
    quoted('\'').or_else(|| quoted('"')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_known_by_each_of_its_names() {
        for (name, modified) in [
            ("contacts", "lastmodifieddate"),
            ("0-1", "lastmodifieddate"),
            ("companies", "hs_lastmodifieddate"),
            ("ticket", "hs_lastmodifieddate"),
            ("products", "hs_lastmodifieddate"),
            ("2-3456789", "hs_lastmodifieddate"),
        ] {
            assert_eq!(Object::of(name).unwrap().modified(), modified, "{name}");
        }
    }

    #[test]
    fn what_could_lead_to_another_address_is_no_object() {
        for name in ["", "a/b", "a?b", "..", "a b", "ä", &"a".repeat(101)] {
            assert_eq!(Object::of(name).unwrap_err().code, "unknown-resource", "{name}");
        }
    }

    #[test]
    fn fields_of_records_are_asked_for_by_the_names_of_properties() {
        let (contacts, products) = (Object::of("contacts").unwrap(), Object::of("products").unwrap());
        for (field, of_contacts, of_products) in [
            ("id", Some("hs_object_id"), Some("hs_object_id")),
            ("updatedAt", Some("lastmodifieddate"), Some("hs_lastmodifieddate")),
            ("createdAt", Some("createdate"), None),
            ("archived", None, None),
            ("email", Some("email"), Some("email")),
        ] {
            assert_eq!(contacts.property(field), of_contacts, "{field}");
            assert_eq!(products.property(field), of_products, "{field}");
        }
    }

    #[test]
    fn a_path_may_be_written_in_several_ways() {
        for path in ["email", "properties.email", "['email']", "[\"email\"]", " email "] {
            assert_eq!(field_of(path), "email", "{path}");
        }
    }
}
