//! What a run is to do, its arguments understood.
//! Must not depend on the state of a run: the same arguments give the same job at every step.

use tidegate_sdk::{Fault, Operation, Step};

use super::State;
use super::get::Get;
use super::walk::Walk;

pub(super) enum Job<'r> {
    Check,
    /// Read or count through a whole collection.
    Walk(Walk<'r>),
    Get(Get<'r>),
    /// The answer is known without asking: there is nothing.
    Nothing,
}

impl<'r> Job<'r> {
    pub(super) fn read(operation: &'r Operation) -> Result<Self, Fault> {
        match operation {
            Operation::Check => Ok(Self::Check),
            Operation::List(args) => Walk::of_list(args).map(Self::Walk),
            Operation::Sweep(args) => Walk::of_sweep(args).map(Self::Walk),
            Operation::Get(args) => Ok(Get::of(args)?.map_or(Self::Nothing, Self::Get)),
            Operation::Other(name, _) => Err(Fault::broken(
                "operation-unknown",
                format!("this element does not know the operation `{name}`: a newer version of it may"),
            )),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// What the arguments ask for and will not get.
    pub(super) fn tell_problems(&self, step: &mut Step<State>) {
        if let Self::Walk(walk) = self {
            step.problems.extend(walk.problems.iter().cloned());
        }
    }

    /// The request whose answer decides.
    pub(super) fn request_id(&self) -> u32 {
        match self {
            Self::Check => super::VERSION,
            _ => super::QUERY,
        }
    }

    /// For messages.
    pub(super) fn asked(&self) -> &str {
        match self {
            Self::Check | Self::Nothing => "Version",
            Self::Walk(walk) => &walk.entity.name,
            Self::Get(get) => &get.entity.name,
        }
    }
}
