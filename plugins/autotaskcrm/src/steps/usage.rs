//! The account's use of the vendor's hourly budget, which all its integrations share.
//! Must not fail a run for not being told.

use serde::Deserialize;
use tidegate_sdk::{Fault, Operation, Request, Response, Step, log};

use super::{Session, State, USAGE};
use crate::faults::Asked;
use crate::memo::Memo;
use crate::zones::Zone;

const RESOURCE: &str = "ThresholdInformation";

/// Asking costs a call itself.
const EVERY_MS: i64 = 10 * 60 * 1_000;

/// From here the vendor answers a second later, and at 100 % not at all: for any integration, not only for this one.
const HIGH_PERCENT: u64 = 75;

/// Usage is counted over an hour that moves: it falls slowly.
const PAUSE_SECONDS: u32 = 300;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    external_request_threshold: u64,
    current_timeframe_request_count: u64,
    #[serde(default)]
    request_threshold_timeframe: u64,
}

/// Was usage last asked for so long ago that it is time again? A memo from the future counts as old.
pub(super) fn is_due(memo: &Memo, now_ms: i64) -> bool {
    memo.usage_asked_ms
        .is_none_or(|asked| !(0..EVERY_MS).contains(&now_ms.saturating_sub(asked)))
}

impl Session<'_> {
    pub(super) fn usage(&self, zone: &Zone) -> Request {
        let request = Request::get(zone.url(RESOURCE)).id(USAGE).lane(RESOURCE);
        self.settings
            .authorise(request)
            .header("Content-Type", "application/json")
    }

    /// # Errors
    /// A rate-limited fault when the budget is nearly used up; for a check of credentials that is a problem only.
    pub(super) fn read_usage(
        &self,
        response: &Response,
        asked: Asked<'_>,
        state: &mut State,
        step: &mut Step<State>,
    ) -> Result<(), Fault> {
        state.memo.usage_asked_ms = Some(self.run.now_ms);
        step.memo = Some(state.memo.to_bytes());
        let usage = match serde_json::from_slice::<Usage>(&response.body) {
            Ok(usage) if response.status == 200 => usage,
            _ => {
                log::debug(&format!("{} told no usage (HTTP {})", asked.host, response.status));
                return Ok(());
            }
        };
        let (used, budget) = (usage.current_timeframe_request_count, usage.external_request_threshold);
        if budget == 0 || used.saturating_mul(100) < budget.saturating_mul(HIGH_PERCENT) {
            return Ok(());
        }
        let minutes = usage.request_threshold_timeframe;
        let found = format!(
            "all integrations of this Autotask database together made {used} of {budget} calls in the last {minutes} min"
        );
        if matches!(self.run.operation, Operation::Check) {
            step.push_problem(
                RESOURCE,
                "usage-high",
                format!("{found}: reading starts below {HIGH_PERCENT} %"),
            );
            return Ok(());
        }
        Err(Fault::rate_limited(
            PAUSE_SECONDS,
            "usage-high",
            format!("{found}: at {HIGH_PERCENT} % this one pauses for {PAUSE_SECONDS} s, so that none is shut out"),
        ))
    }
}
