//! Which resource is which Autotask entity, what its fields are called in the hub, and which of them hold dates.
//! Must not know records or queries.
//!
//! Hub names are those of the time when this API was SOAP, in lower camel case. They differ from today's names by two
//! rules, which need no list of fields and so hold for fields that are added later:
//!
//! - the word `Company` is `Account`: `companyName` is `accountName`, `parentCompanyID` is `parentAccountID`;
//! - `isActive` is `active`.
//!
//! They apply to the resources of [`RESOURCES`]. Every other resource is generic: an entity by its own name, in any of
//! the spellings `Quotes`, `quotes` and, from SOAP, `Quote`, with the vendor's field names.

use std::borrow::Cow;

use tidegate_sdk::Fault;

/// The hub's own resources: name, entity.
pub const RESOURCES: [(&str, &str); 13] = [
    ("accounts", "Companies"),
    ("contacts", "Contacts"),
    ("tasks", "Tasks"),
    ("opportunities", "Opportunities"),
    ("tickets", "Tickets"),
    ("customers", "Companies"),
    ("incidents", "Tickets"),
    ("users", "Resources"),
    ("notes", "CompanyNotes"),
    ("ticket-notes", "TicketNotes"),
    ("projects", "Projects"),
    ("time-entries", "TimeEntries"),
    ("todos", "CompanyToDos"),
];

/// What is known of an entity's fields, in the vendor's spelling.
#[derive(Debug, PartialEq, Eq)]
pub struct Fields {
    pub entity: &'static str,
    pub created: Option<&'static str>,
    /// The field that moves with changes, as far as the entity has one.
    pub updated: Option<&'static str>,
    /// Every field that holds a date.
    pub dates: &'static [&'static str],
    /// Booleans whose name does not say so with `is…`.
    pub booleans: &'static [&'static str],
}

/// Entities whose fields are known; all others are read by the same rules, with dates found by their names.
pub const FIELDS: [Fields; 19] = [
    Fields {
        entity: "Companies",
        created: Some("createDate"),
        updated: Some("lastActivityDate"),
        dates: &["createDate", "lastActivityDate", "lastTrackedModifiedDateTime"],
        booleans: &["invoiceNonContractItemsToParentCompany"],
    },
    Fields {
        entity: "Contacts",
        created: Some("createDate"),
        updated: Some("lastModifiedDate"),
        dates: &[
            "createDate",
            "lastActivityDate",
            "lastModifiedDate",
            "bulkEmailOptOutTime",
            "solicitationOptOutTime",
        ],
        booleans: &[
            "receivesEmailNotifications",
            "primaryContact",
            "solicitationOptOut",
            "surveyOptOut",
        ],
    },
    Fields {
        entity: "Tasks",
        created: Some("createDateTime"),
        updated: Some("lastActivityDateTime"),
        dates: &[
            "createDateTime",
            "lastActivityDateTime",
            "completedDateTime",
            "endDateTime",
            "startDateTime",
        ],
        booleans: &["canClientPortalUserCompleteTask"],
    },
    Fields {
        entity: "Opportunities",
        created: Some("createDate"),
        updated: Some("lastActivity"),
        dates: &[
            "createDate",
            "lastActivity",
            "closedDate",
            "lostDate",
            "projectedCloseDate",
            "promisedFulfillmentDate",
            "startDate",
            "throughDate",
        ],
        booleans: &["useQuoteTotals"],
    },
    Fields {
        entity: "Tickets",
        created: Some("createDate"),
        updated: Some("lastActivityDate"),
        dates: &[
            "createDate",
            "lastActivityDate",
            "lastTrackedModificationDateTime",
            "completedDate",
            "dueDateTime",
            "firstResponseDateTime",
            "firstResponseDueDateTime",
            "lastCustomerNotificationDateTime",
            "lastCustomerVisibleActivityDateTime",
            "resolutionPlanDateTime",
            "resolutionPlanDueDateTime",
            "resolvedDateTime",
            "resolvedDueDateTime",
        ],
        booleans: &["serviceLevelAgreementHasBeenMet"],
    },
    Fields {
        entity: "Resources",
        created: None,
        updated: None,
        dates: &["hireDate"],
        booleans: &[],
    },
    Fields {
        entity: "CompanyNotes",
        created: Some("createDateTime"),
        updated: Some("lastModifiedDate"),
        dates: &[
            "createDateTime",
            "lastModifiedDate",
            "completedDateTime",
            "endDateTime",
            "startDateTime",
        ],
        booleans: &[],
    },
    Fields {
        entity: "TicketNotes",
        created: Some("createDateTime"),
        updated: Some("lastActivityDate"),
        dates: &["createDateTime", "lastActivityDate"],
        booleans: &[],
    },
    Fields {
        entity: "Projects",
        created: Some("createDateTime"),
        updated: Some("lastActivityDateTime"),
        dates: &[
            "createDateTime",
            "lastActivityDateTime",
            "completedDateTime",
            "endDateTime",
            "startDateTime",
            "statusDateTime",
        ],
        booleans: &[],
    },
    Fields {
        entity: "TimeEntries",
        created: Some("createDateTime"),
        updated: Some("lastModifiedDateTime"),
        dates: &[
            "createDateTime",
            "lastModifiedDateTime",
            "billingApprovalDateTime",
            "dateWorked",
            "endDateTime",
            "startDateTime",
        ],
        booleans: &["showOnInvoice"],
    },
    Fields {
        entity: "CompanyToDos",
        created: Some("createDateTime"),
        updated: Some("lastModifiedDate"),
        dates: &[
            "createDateTime",
            "lastModifiedDate",
            "completedDate",
            "endDateTime",
            "startDateTime",
        ],
        booleans: &[],
    },
    Fields {
        entity: "ConfigurationItems",
        created: Some("createDate"),
        updated: Some("lastModifiedTime"),
        dates: &[
            "createDate",
            "lastModifiedTime",
            "dattoLastCheckInDateTime",
            "installDate",
            "warrantyExpirationDate",
        ],
        booleans: &["dattoDrivesErrors"],
    },
    Fields {
        entity: "Contracts",
        created: None,
        updated: Some("lastModifiedDateTime"),
        dates: &["lastModifiedDateTime", "endDate", "startDate"],
        booleans: &[],
    },
    Fields {
        entity: "Quotes",
        created: Some("createDate"),
        updated: Some("lastActivityDate"),
        dates: &[
            "createDate",
            "lastActivityDate",
            "approvalStatusChangedDate",
            "effectiveDate",
            "expirationDate",
            "extApprovalResponseDate",
        ],
        booleans: &[
            "calculateTaxSeparately",
            "primaryQuote",
            "showEachTaxInGroup",
            "showTaxCategory",
        ],
    },
    Fields {
        entity: "Invoices",
        created: Some("createDateTime"),
        updated: None,
        dates: &[
            "createDateTime",
            "dueDate",
            "fromDate",
            "invoiceDateTime",
            "paidDate",
            "toDate",
            "voidedDate",
            "webServiceDate",
        ],
        booleans: &[],
    },
    Fields {
        entity: "ServiceCalls",
        created: Some("createDateTime"),
        updated: Some("lastModifiedDateTime"),
        dates: &[
            "createDateTime",
            "lastModifiedDateTime",
            "canceledDateTime",
            "endDateTime",
            "startDateTime",
        ],
        booleans: &[],
    },
    Fields {
        entity: "Appointments",
        created: Some("createDateTime"),
        updated: Some("updateDateTime"),
        dates: &["createDateTime", "updateDateTime", "endDateTime", "startDateTime"],
        booleans: &[],
    },
    Fields {
        entity: "Phases",
        created: Some("createDate"),
        updated: Some("lastActivityDateTime"),
        dates: &["createDate", "lastActivityDateTime", "dueDate", "startDate"],
        booleans: &[],
    },
    Fields {
        entity: "Products",
        created: None,
        updated: None,
        dates: &[],
        booleans: &["doesNotRequireProcurement"],
    },
];

/// `is…` fields that hold a number, 0 or 1.
const NUMBERS_THAT_LOOK_LIKE_BOOLEANS: [(&str, &str); 2] = [("Contacts", "isActive"), ("ServiceCalls", "isComplete")];

/// Entities by the names that they have in SOAP.
const SOAP_NAMES: [(&str, &str); 20] = [
    ("Account", "Companies"),
    ("AccountNote", "CompanyNotes"),
    ("AccountToDo", "CompanyToDos"),
    ("Appointment", "Appointments"),
    ("Contact", "Contacts"),
    ("Contract", "Contracts"),
    ("InstalledProduct", "ConfigurationItems"),
    ("Invoice", "Invoices"),
    ("Opportunity", "Opportunities"),
    ("Phase", "Phases"),
    ("Product", "Products"),
    ("Project", "Projects"),
    ("Quote", "Quotes"),
    ("Resource", "Resources"),
    ("ServiceCall", "ServiceCalls"),
    ("Task", "Tasks"),
    ("Ticket", "Tickets"),
    ("TicketNote", "TicketNotes"),
    ("TimeEntry", "TimeEntries"),
    ("Role", "Roles"),
];

/// How fields are called in records and filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    Hub,
    Vendor,
}

/// A resource as the API knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// The path segment, such as `Companies`.
    pub name: String,
    pub naming: Naming,
    pub fields: Option<&'static Fields>,
}

impl Entity {
    /// # Errors
    /// A bad-configuration fault for a name that no entity can have. Whether an entity of this name exists, the vendor says.
    pub fn of(resource: &str) -> Result<Self, Fault> {
        if let Some((_, entity)) = RESOURCES.iter().find(|(name, _)| *name == resource) {
            return Ok(Self::named(entity, Naming::Hub));
        }
        if resource.is_empty() || !resource.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let known: Vec<_> = RESOURCES.iter().map(|(name, _)| *name).collect();
            return Err(Fault::bad_configuration(
                "unknown-resource",
                format!(
                    "`{resource}` is no resource: expected one of {} or an Autotask entity in letters and digits, such as `Quotes`",
                    known.join(", ")
                ),
            ));
        }
        let by_soap = SOAP_NAMES
            .iter()
            .find(|(soap, _)| soap.eq_ignore_ascii_case(resource))
            .map(|(_, entity)| *entity);
        Ok(Self::named(by_soap.unwrap_or(resource), Naming::Vendor))
    }

    fn named(name: &str, naming: Naming) -> Self {
        let fields = FIELDS.iter().find(|fields| fields.entity.eq_ignore_ascii_case(name));
        let name = match fields {
            Some(fields) => fields.entity.to_owned(),
            None => name[..1].to_ascii_uppercase() + &name[1..],
        };
        Self { name, naming, fields }
    }

    /// The vendor's name of a field that a user may have written in the hub's spelling.
    pub fn vendor_name<'f>(&self, field: &'f str) -> Cow<'f, str> {
        match self.naming {
            Naming::Hub => vendor_name(field),
            Naming::Vendor => Cow::Borrowed(field),
        }
    }

    /// Does the field hold a date? `Maybe` where the entity's fields are not known and the name suggests it.
    pub fn is_date(&self, vendor_field: &str) -> Certainty {
        let known = self.fields.is_some_and(|fields| contains(fields.dates, vendor_field));
        let suggests = ["Date", "DateTime", "Time"]
            .iter()
            .any(|end| vendor_field.ends_with(end));
        match (known, suggests) {
            (true, _) => Certainty::Yes,
            (false, true) => Certainty::Maybe,
            (false, false) => Certainty::No,
        }
    }

    /// What a truth value of this field is on the wire.
    pub fn truth(&self, vendor_field: &str) -> Truth {
        let is_number = NUMBERS_THAT_LOOK_LIKE_BOOLEANS
            .iter()
            .any(|(entity, field)| *entity == self.name && field.eq_ignore_ascii_case(vendor_field));
        let named_so = vendor_field
            .strip_prefix("is")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
        let known = self
            .fields
            .is_some_and(|fields| contains(fields.booleans, vendor_field));
        match () {
            () if is_number => Truth::Number,
            () if named_so || known => Truth::Boolean,
            () => Truth::NotOne,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    Yes,
    Maybe,
    No,
}

/// How a field writes true and false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    Boolean,
    /// As 1 and 0.
    Number,
    /// The field holds something else, as far as is known.
    NotOne,
}

fn contains(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The hub's name of a vendor's field.
pub fn hub_name(field: &str) -> Cow<'_, str> {
    if field == "isActive" {
        return Cow::Borrowed("active");
    }
    replace_word(field, ("company", "Company"), ("account", "Account"))
}

/// The reverse of [`hub_name`]; vendor names stay as they are.
pub fn vendor_name(field: &str) -> Cow<'_, str> {
    if field == "active" {
        return Cow::Borrowed("isActive");
    }
    replace_word(field, ("account", "Account"), ("company", "Company"))
}

/// Replaces a word of a camel-case name: `lower` at its start, `upper` anywhere, if a capital or the end follows.
fn replace_word<'f>(field: &'f str, from: (&str, &str), to: (&str, &str)) -> Cow<'f, str> {
    let ends_word = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_lowercase());
    let (mut done, mut rest) = match field.strip_prefix(from.0) {
        Some(rest) if ends_word(rest) => (to.0.to_owned(), rest),
        _ => (String::new(), field),
    };
    while let Some(at) = rest.find(from.1) {
        let after = &rest[at + from.1.len()..];
        done.push_str(&rest[..at]);
        done.push_str(if ends_word(after) { to.1 } else { from.1 });
        rest = after;
    }
    if done.is_empty() {
        return Cow::Borrowed(field);
    }
    done.push_str(rest);
    Cow::Owned(done)
}

#[cfg(test)]
mod tests;
