//! One guest for many calls: by the difference from fresh guests an author sees what an element keeps between steps.
//! Must not serve an instance: it is for examining a component, on the caller's own thread.

use std::cell::RefCell;
use std::sync::Arc;

use tidegate_contract::Subject;
use wasmtime::Store;

use crate::domain::run::{Fault, Run, Step};
use crate::ports::{Call, CallError};

use super::super::bindings::{Element, ElementPre};
use super::super::limits::Limits;
use super::log::Log;
use super::{GuestState, checked, explain, operate, set_deadline, store};

/// A guest that stays. After a trap it gives nothing but errors.
pub(in super::super) struct Kept<'g> {
    name: Arc<str>,
    limits: &'g Limits,
    guest: RefCell<(Store<GuestState>, Element)>,
}

impl<'g> Kept<'g> {
    pub(in super::super) fn open(
        guests: &ElementPre<GuestState>,
        name: Arc<str>,
        limits: &'g Limits,
    ) -> Result<Self, CallError> {
        let mut store = store(guests, name.clone(), limits);
        let element = guests
            .instantiate(&mut store)
            .map_err(|error| explain(&error, store.data(), limits))?;
        Ok(Self {
            name,
            limits,
            guest: RefCell::new((store, element)),
        })
    }

    /// A call with all of a call's limits but memory, which stays with the guest.
    fn enter<T>(
        &self,
        call: impl FnOnce(&mut Store<GuestState>, &Element) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let (store, element) = &mut *self.guest.borrow_mut();
        store.data_mut().log = Log::new(self.name.clone(), self.limits.log_bytes);
        store.set_hostcall_fuel(self.limits.output_bytes);
        set_deadline(store, self.limits.deadline);
        let outcome = call(store, element);
        store.data_mut().log.finish();
        outcome.map_err(|error| explain(&error, store.data(), self.limits))
    }
}

impl Subject for Kept<'_> {
    fn manifest(&self) -> Result<Vec<u8>, CallError> {
        self.enter(|store, element| element.tidegate_element_meta().call_manifest(store))
    }

    fn call(&self, run: &Run, call: &Call) -> Result<Result<Step, Fault>, CallError> {
        let answer = self.enter(|store, element| operate(store, element, run, call))?;
        checked(answer, self.limits)
    }
}
