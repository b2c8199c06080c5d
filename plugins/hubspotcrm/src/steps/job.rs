//! What a run is to do, its arguments understood, and the questions that have one answer.
//! Must not depend on the state of a run: the same arguments give the same job at every step.

use tidegate_sdk::filter::percent_encoded;
use tidegate_sdk::{Fault, GetArgs, Operation, Request, Step};

use super::walk::{Listing, Sweep};
use super::{Session, State};
use crate::objects::{Object, field_of};
use crate::records::Wanted;
use crate::settings::{Settings, add_name};

/// Lanes: searches have a limit of their own, five in a second for the whole account (see the crate's page).
pub(crate) const SEARCHES: &str = "search";
pub(super) const OBJECTS: &str = "objects";
const ACCOUNT: &str = "account";

pub(super) enum Job<'r> {
    Check,
    List(Listing<'r>),
    Get(Get<'r>),
    Sweep(Sweep<'r>),
    /// The answer is known without asking: there is nothing.
    Nothing,
}

/// One record.
pub(super) struct Get<'r> {
    pub(super) args: &'r GetArgs,
    object: Object<'r>,
    properties: Vec<String>,
}

impl<'r> Job<'r> {
    pub(super) fn read(operation: &'r Operation, settings: Settings<'_>) -> Result<Self, Fault> {
        match operation {
            Operation::Check => Ok(Self::Check),
            Operation::List(args) => Listing::of(args, settings).map(Self::List),
            Operation::Sweep(args) => Sweep::of(args).map(Self::Sweep),
            Operation::Get(args) => Ok(Get::of(args, settings)?.map_or(Self::Nothing, Self::Get)),
            Operation::Other(name, _) => Err(Fault::broken(
                "operation-unknown",
                format!("this element does not know the operation `{name}`: a newer version of it may"),
            )),
        }
    }

    /// For messages.
    pub(super) fn asked(&self) -> &str {
        match self {
            Self::Check | Self::Nothing => "account-info",
            Self::List(listing) => listing.object.name,
            Self::Get(get) => get.object.name,
            Self::Sweep(sweep) => sweep.object.name,
        }
    }
}

impl<'r> Get<'r> {
    /// None if no record can have such an id.
    fn of(args: &'r GetArgs, settings: Settings<'_>) -> Result<Option<Self>, Fault> {
        let object = Object::of(&args.resource)?;
        let is_number = args.id.parse::<u64>().is_ok_and(|id| id.to_string() == args.id);
        if args.id.is_empty() || (field_of(&args.id_field) == "id" && !is_number) {
            return Ok(None);
        }
        let mut properties = settings.properties(object)?;
        add_needed(
            &mut properties,
            &args.id_field,
            [&args.dates.created, &args.dates.updated],
        );
        Ok(Some(Self {
            args,
            object,
            properties,
        }))
    }

    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            id_field: &self.args.id_field,
            dates: &self.args.dates,
            above: None,
        }
    }
}

/// Adds the properties without which a record cannot be told from another or compared.
pub(super) fn add_needed(properties: &mut Vec<String>, id_field: &str, dates: [&Vec<String>; 2]) {
    let paths = dates.into_iter().flatten().map(String::as_str);
    for path in paths.chain([id_field]) {
        add_name(properties, field_of(path));
    }
}

impl Session<'_> {
    /// The cheapest request that needs the credentials and no right to any object, and tells whose they are: see
    /// <https://developers.hubspot.com/docs/api-reference/legacy/account/account-information/get-account-details>.
    pub(super) fn check(&self, step: Step<State>) -> Step<State> {
        let request = Request::get(self.settings.url("/account-info/v3/details")).lane(ACCOUNT);
        step.then_send(vec![self.settings.authorise(request)], State::Asked)
    }

    pub(super) fn get(&self, get: &Get<'_>, step: Step<State>) -> Step<State> {
        let mut url = format!(
            "/crm/v3/objects/{}/{}?archived=false",
            get.object.name,
            percent_encoded(&get.args.id)
        );
        let id_field = field_of(&get.args.id_field);
        if id_field != "id" {
            url.push_str(&format!("&idProperty={}", percent_encoded(id_field)));
        }
        if !get.properties.is_empty() {
            url.push_str(&format!("&properties={}", get.properties.join("%2C")));
        }
        let request = Request::get(self.settings.url(&url)).lane(OBJECTS);
        step.then_send(vec![self.settings.authorise(request)], State::Asked)
    }
}
