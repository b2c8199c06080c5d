//! One call into an element, and how it may go wrong beside a fault.
//! Must not know how a call is made.

use crate::run::{Fault, Response, Run, Step};

/// One call into an element.
#[derive(Clone, Debug)]
pub enum Call {
    Begin,
    Advance { state: Vec<u8>, responses: Vec<Response> },
}

/// A call that gave neither step nor fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("the element trapped: {0}")]
    Trap(String),
    #[error("the element computed longer than {0} ms in one step")]
    Deadline(u64),
    #[error("the element asked for more than {0} bytes of memory")]
    Memory(u64),
    #[error("the element returned more than {0} bytes in one step")]
    Output(u64),
    #[error("the element broke the contract: {0}")]
    Contract(String),
    #[error("element {0} is not loaded")]
    NotLoaded(String),
    /// The element is not to blame.
    #[error("the gateway could not make the call: {0}")]
    Host(String),
}

impl CallError {
    /// For programs; stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Deadline(_) => "deadline",
            Self::Memory(_) => "memory",
            Self::Output(_) => "output",
            Self::Contract(_) => "contract",
            Self::NotLoaded(_) => "element-not-loaded",
            Self::Host(_) => "host",
        }
    }
}

/// Whatever can be called as an element: a component in its sandbox, or the same code natively. Every call meets a fresh
/// guest.
pub trait Subject {
    /// The manifest's document.
    ///
    /// # Errors
    /// The call gave none.
    fn manifest(&self) -> Result<Vec<u8>, CallError>;

    /// `begin` or `advance`.
    ///
    /// # Errors
    /// The call gave neither step nor fault.
    fn call(&self, run: &Run, call: &Call) -> Result<Result<Step, Fault>, CallError>;

    /// The same element with all calls going to ONE guest: what shows whether it keeps anything between steps. None where
    /// there are no guests to tell apart, as natively.
    ///
    /// # Errors
    /// There is no guest to be had.
    fn kept(&self) -> Result<Option<Box<dyn Subject + '_>>, CallError> {
        Ok(None)
    }
}
