//! What a run is to do, its arguments understood.
//! Must not depend on the state of a run: the same arguments give the same job at every step.

use tidegate_sdk::filter::{Filter, Operator};
use tidegate_sdk::{DateFields, Fault, GetArgs, ListArgs, Operation, Parameter, Problem, Step, SweepArgs};

use super::State;
use crate::checkpoint::Checkpoint;
use crate::export::Position;
use crate::listing::Listing;
use crate::records::Wanted;
use crate::resources::Resource;
use crate::search;
use crate::settings::Settings;

pub(super) enum Job<'r> {
    Check,
    Get(Get<'r>),
    Export(Exporting<'r>),
    Pages(Pages<'r>),
}

pub(super) struct Get<'r> {
    pub(super) args: &'r GetArgs,
    pub(super) wanted: Wanted,
}

/// A walk through an incremental export.
pub(super) struct Exporting<'r> {
    pub(super) page_size: u32,
    pub(super) purpose: Purpose,
    pub(super) wanted: Wanted,
    /// From when, where no checkpoint says more. A window's end is not used: nothing can tell the export to stop there.
    from_ms: i64,
    checkpoint: Option<&'r [u8]>,
    parameters: &'r [Parameter],
}

/// A walk through a list or a search.
pub(super) struct Pages<'r> {
    pub(super) listing: Listing,
    pub(super) purpose: Purpose,
    pub(super) wanted: Wanted,
    parameters: &'r [Parameter],
}

/// What pages are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Records,
    Ids,
}

impl<'r> Job<'r> {
    pub(super) fn read(operation: &'r Operation, drop_nulls: bool) -> Result<Self, Fault> {
        match operation {
            Operation::Check => Ok(Self::Check),
            Operation::Get(args) => {
                let resource = Resource::of(&args.resource)?;
                let wanted = Wanted::new(resource, &args.id_field, &args.dates, drop_nulls);
                Ok(Self::Get(Get { args, wanted }))
            }
            Operation::List(args) => Self::of_list(args, drop_nulls),
            Operation::Sweep(args) => Self::of_sweep(args),
            Operation::Other(name, _) => Err(Fault::broken(
                "operation-unknown",
                format!("this element does not know the operation `{name}`: a newer version of it may"),
            )),
        }
    }

    /// A poll has a window, a user's read has none.
    fn of_list(args: &'r ListArgs, drop_nulls: bool) -> Result<Self, Fault> {
        let resource = Resource::of(&args.resource)?;
        let wanted = Wanted::new(resource, &args.id_field, &args.dates, drop_nulls);
        let parameters = args.parameters.as_slice();
        Ok(match &args.window {
            Some(window) => Self::Export(Exporting {
                page_size: args.page_size,
                purpose: Purpose::Records,
                wanted: wanted.matching(args.filter.as_ref().and_then(|filter| beyond_the_date(filter, args))),
                from_ms: window.from_ms,
                checkpoint: args.checkpoint.as_deref(),
                parameters,
            }),
            None => Self::Pages(Pages {
                listing: Listing {
                    resource,
                    search: args.filter.as_ref().and_then(|filter| search::query(filter, resource)),
                    page_size: args.page_size,
                },
                purpose: Purpose::Records,
                wanted: wanted.matching(args.filter.clone()),
                parameters,
            }),
        })
    }

    /// A list of tickets leaves archived ones out, which are not gone: only the export has them all.
    /// <https://support.zendesk.com/hc/en-us/articles/4408887617050-About-ticket-archiving>
    fn of_sweep(args: &'r SweepArgs) -> Result<Self, Fault> {
        let resource = Resource::of(&args.resource)?;
        let wanted = Wanted::new(resource, &args.id_field, &DateFields::default(), true);
        let (purpose, parameters) = (Purpose::Ids, [].as_slice());
        Ok(match resource.name {
            "tickets" => Self::Export(Exporting {
                page_size: args.page_size,
                purpose,
                wanted,
                from_ms: 0,
                checkpoint: None,
                parameters,
            }),
            _ => Self::Pages(Pages {
                listing: Listing {
                    resource,
                    search: None,
                    page_size: args.page_size,
                },
                purpose,
                wanted,
                parameters,
            }),
        })
    }

    /// What the arguments ask for and will not get.
    pub(super) fn tell_problems(&self, step: &mut Step<State>) {
        let parameters = match self {
            Self::Export(export) => export.parameters,
            Self::Pages(pages) => pages.parameters,
            Self::Check | Self::Get(_) => &[],
        };
        step.problems.extend(parameters.iter().map(|parameter| Problem {
            subject: parameter.name.clone(),
            code: "parameter-ignored".into(),
            message: format!("the parameter `{}` means nothing here: it was left out", parameter.name),
        }));
    }

    /// For messages.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Check => "users/me",
            Self::Get(get) => get.wanted.resource.name,
            Self::Export(export) => export.resource().name,
            Self::Pages(pages) => pages.listing.resource.name,
        }
    }
}

impl Exporting<'_> {
    pub(super) fn resource(&self) -> &'static Resource {
        self.wanted.resource
    }

    /// Where the walk begins.
    pub(super) fn first(&self, now_ms: i64, settings: &Settings, step: &mut Step<State>) -> Result<Position, Fault> {
        let resource = self.resource();
        let kept = match self.checkpoint {
            None => None,
            Some(bytes) => {
                let kept = Checkpoint::read(bytes, &settings.site, resource.name)?;
                if kept.is_none() {
                    step.push_problem(
                        resource.name,
                        "checkpoint-foreign",
                        "the checkpoint is of another account or resource: the poll starts from its watermark",
                    );
                }
                kept
            }
        };
        Ok(Position::first(resource, kept, self.from_ms, now_ms))
    }
}

/// A poll's where clause without lower bounds on the date of change: what is new is the export's to say, and it gives
/// records whose date lies before the poll's (see the crate's page).
fn beyond_the_date(filter: &Filter, args: &ListArgs) -> Option<Filter> {
    let is_bound = |field: &str, operator: Operator| {
        matches!(operator, Operator::Greater | Operator::GreaterOrEqual)
            && (field == "updated_at" || args.dates.updated.iter().any(|path| path == field))
    };
    match filter {
        Filter::Compare { field, operator, .. } if is_bound(field, *operator) => None,
        Filter::And(terms) => {
            let kept: Vec<_> = terms.iter().filter_map(|term| beyond_the_date(term, args)).collect();
            (!kept.is_empty()).then_some(Filter::And(kept))
        }
        _ => Some(filter.clone()),
    }
}
