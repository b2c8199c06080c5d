//! Does an instance that is about to be stored work at its vendor?
//! Stores nothing.

use std::collections::HashMap;

use futures_util::future::try_join_all;

use super::Error;
use super::rows::is_polled;
use crate::domain::instance::{Instance, Poller};
use crate::domain::run::{Operation, Remedy};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::engine::configuration::{self, FieldError};
use crate::service::Gateway;
use crate::service::poll::list_operation;
use crate::service::reach::Reach;
use crate::service::runner::{Failure, Runner, Then};

impl Gateway {
    /// Tries at the vendor what is not stored yet: the credentials, then the first record of each poller, so that a
    /// resource or field that does not exist is found now rather than by the first poll.
    pub(super) async fn check(&self, instance: &Instance, secrets: &HashMap<String, Secret>) -> Result<(), Error> {
        let reach = self.reach(instance, secrets)?;
        let now = self.clock.now();
        let mut runner = Runner::new(reach.clone(), Operation::Check, None, now);
        let memo = self.first_page(&mut runner).await.map_err(Error::Check)?;
        if !is_polled(instance) {
            return Ok(());
        }
        let pollers = instance.events.pollers.iter();
        try_join_all(pollers.map(|poller| self.check_poller(poller, &reach, memo.clone(), now))).await?;
        Ok(())
    }

    async fn check_poller(
        &self,
        poller: &Poller,
        reach: &Reach,
        memo: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let field = format!("{}.{}.url", configuration::POLLER_CONFIGURATION, poller.resource);
        let invalid = |message: String| Error::Invalid(FieldError::new(&field, message));
        let one = Poller {
            page_size: 1,
            ..poller.clone()
        };
        let operation = list_operation(&one, now, now, None).map_err(|error| invalid(error.to_string()))?;
        let mut runner = Runner::new(reach.clone(), operation, memo, now);
        match self.first_page(&mut runner).await {
            Ok(_) => Ok(()),
            Err(Failure::Fault(fault)) if fault.remedy == Remedy::BadConfiguration => Err(invalid(fault.message)),
            Err(failure) => Err(Error::Check(failure)),
        }
    }

    /// Drives a run to its first record or its end; returns the memo that it left.
    async fn first_page(&self, runner: &mut Runner) -> Result<Option<Vec<u8>>, Failure> {
        let (mut step, mut then) = runner.begin(self).await?;
        let mut memo = step.memo.take();
        while then == Then::GoOn && step.records.is_empty() {
            let responses = runner.answer(self).await?;
            (step, then) = runner.advance(self, responses).await?;
            memo = step.memo.take().or(memo);
        }
        Ok(memo)
    }
}
