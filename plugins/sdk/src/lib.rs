//! What an element's author writes against: Rust types for runs, steps, requests and faults, plus dates and fast JSON.
//! Must not know any vendor, and must import nothing into a component but Tidegate's own interfaces.
//!
//! An element is a type that implements [`Element`], handed to [`export_element!`] once. It compiles to a component for
//! `wasm32-unknown-unknown` and, as the same code, natively for tests and benchmarks.
//!
//! ```
//! use tidegate_sdk::{Element, Fault, Request, Response, Run, Step};
//!
//! struct Clock;
//!
//! impl Element for Clock {
//!     type State = ();
//!
//!     fn manifest() -> &'static str {
//!         r#"{"key":"clock"}"#
//!     }
//!
//!     fn begin(_run: &Run) -> Result<Step<()>, Fault> {
//!         Ok(Step::done().then_send(vec![Request::get("https://clock.example/now").lane("now")], ()))
//!     }
//!
//!     fn advance(_run: &Run, _state: (), responses: &[Response]) -> Result<Step<()>, Fault> {
//!         match responses {
//!             [now] if now.status == 200 => Ok(Step::done()),
//!             _ => Err(Fault::retry("clock-unreachable", "the clock did not answer; it is asked again")),
//!         }
//!     }
//! }
//!
//! tidegate_sdk::export_element!(Clock);
//! ```

#[cfg(target_arch = "wasm32")]
mod arena;
#[doc(hidden)]
pub mod bindings;
#[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
pub mod conformance;
mod convert;
pub mod dates;
mod element;
mod fault;
pub mod filter;
pub mod json;
pub mod log;
pub mod paging;
#[cfg(target_arch = "wasm32")]
mod panics;
mod request;
mod run;
mod step;

pub use element::Element;
#[doc(hidden)]
pub use element::Guest;
pub use fault::{Fault, Remedy};
pub use request::{Request, Response, basic, secret};
pub use run::{Configuration, DateFields, GetArgs, ListArgs, Operation, Parameter, Run, SweepArgs, Window};
pub use step::{Moment, Next, Problem, Record, Records, Step};
