//! A step of a run taken in: compared, planned, and written in as few commits as its size allows.
//! Asks the vendor for nothing.

use std::time::Duration;

use tracing::info;

use super::{Error, FAILURES_BEFORE_TOLD, Poll, keep_checkpoint, news_of, report};
use crate::domain::poll::{Continuation, Outcome, ResourceState};
use crate::domain::record::Record;
use crate::domain::run::{Problem, Step};
use crate::domain::time::Timestamp;
use crate::engine::compare::{Dated, Difference, compare, fold, reread};
use crate::engine::news::News;
use crate::engine::plan::{self, plan};
use crate::engine::{fields, schedule, watermark};
use crate::ports::{Durability, PageCommit};

/// Records that are looked up at once. A commit writes as many of them as `plan::portions` says.
const COMMIT_RECORDS_MAX: usize = 1_000;
/// Problems kept per poll; more say nothing new.
const PROBLEMS_MAX: usize = 20;

/// Where in a page a commit stands.
enum Place {
    /// More of the page follows: the run's place stays before it.
    Within,
    /// The page is in: the run goes on from here, or is done.
    End(Option<Box<Continuation>>),
}

impl Poll<'_> {
    /// Takes in one step; `continuation` is None when the run is done. A page is one commit, unless it is larger than a
    /// commit may be: then its parts go before, and a crash between them redoes the page.
    pub(super) async fn commit(&mut self, step: Step, continuation: Option<Continuation>) -> Result<(), Error> {
        let Step {
            records,
            problems,
            checkpoint,
            memo,
            ..
        } = step;
        self.progress.records += records.len() as u64;
        problems.into_iter().for_each(|problem| self.add_problem(problem));
        if self.poller.filter_by_current_date {
            self.rules.not_after = Some(self.progress.vendor_started.unwrap_or(self.progress.started));
        }
        let records: Vec<Dated> = records.into_iter().map(|record| self.date(record)).collect();
        // What is left to the next poll must not lie behind its checkpoint.
        self.leaves_records |= records.iter().any(|dated| self.rules.leaves_out(dated));
        if checkpoint.is_some() && !self.leaves_records {
            self.progress.checkpoint = checkpoint;
        }
        let newest = records.iter().filter_map(|dated| dated.updated).max();
        self.progress.newest = self.progress.newest.max(newest);
        let mut records = fold(records);
        while records.len() > COMMIT_RECORDS_MAX {
            let rest = records.split_off(COMMIT_RECORDS_MAX);
            self.commit_records(std::mem::replace(&mut records, rest), None, Place::Within)
                .await?;
        }
        self.commit_records(records, memo, Place::End(continuation.map(Box::new)))
            .await
    }

    /// Compares and commits. What changed nothing is not written at all, unless it is the end of the run.
    async fn commit_records(&mut self, records: Vec<Dated>, memo: Option<Vec<u8>>, place: Place) -> Result<(), Error> {
        let known = if records.is_empty() {
            Vec::new()
        } else {
            let ids = records.iter().map(|dated| dated.record.id.clone()).collect();
            self.gateway.store.fingerprints(self.key.clone(), ids).await?
        };
        if self.on_probation {
            let seen = reread(&records, &known, &self.rules);
            let all = self.gateway.catalogue.add_reread(self.reach.element.digest, seen);
            if seen.differ > 0 && all.is_storm() {
                return Err(Error::Storm(all));
            }
        }
        let differences = compare(records, &known, &self.rules);
        let mut portions = plan::portions(differences, self.instance.events.delivery.all_fields);
        let last = portions.pop().unwrap_or_default();
        for portion in portions {
            self.commit_differences(portion, None, Place::Within).await?;
        }
        self.commit_differences(last, memo, place).await
    }

    /// Tells which fields changed, plans and commits.
    async fn commit_differences(
        &mut self,
        mut differences: Vec<Difference>,
        memo: Option<Vec<u8>>,
        place: Place,
    ) -> Result<(), Error> {
        let now = self.gateway.clock.now();
        let delivery = &self.instance.events.delivery;
        // A first sight that makes events of everything would keep as much as all fields of everything does.
        let keeps_fields = self.state.baselined || delivery.all_fields;
        let wanted = if keeps_fields {
            fields::wanted(&differences, delivery.all_fields)
        } else {
            Vec::new()
        };
        let sketches = if wanted.is_empty() {
            None
        } else {
            let known = self.gateway.store.sketches(self.key.clone(), wanted).await?;
            Some(fields::tell(&mut differences, known, delivery.all_fields))
        };
        let planned = plan(
            differences,
            self.state.next_sequence,
            &plan::Poll {
                key: &self.key,
                born: self.state.born,
                sender: &self.sender,
                id_field: &self.poller.id_field,
                started: self.progress.started,
                now,
                format: delivery.format,
                body_bytes_max: delivery.body_bytes_max as usize,
            },
        );
        let done = matches!(place, Place::End(None));
        if !done && planned.fingerprints.is_empty() && memo.is_none() {
            return Ok(());
        }
        self.progress.events += planned.events;
        let mut state = self.state.clone();
        state.revision += 1;
        state.next_sequence += planned.events;
        if let Place::End(continuation) = place {
            // The run gets on, and what comes is counted from here.
            state.failures = 0;
            let progress = self.progress.clone();
            state.continuation = continuation.map(|continuation| Continuation {
                progress,
                ..*continuation
            });
        }
        if done {
            self.finish(&mut state, now);
        }
        // Without events a page need not be synced: if it is lost, it is read again and nothing new is found. The end of
        // a baseline is different: whoever reads it again takes what changed since for what was always there.
        let ends_baseline = done && (!self.state.baselined || self.state.projection != state.projection);
        let synced = !planned.notifications.is_empty() || ends_baseline;
        let durability = if synced { Durability::Synced } else { Durability::Lazy };
        let deliver = self.instance.events.callback_url.is_some();
        let notify = deliver && planned.events > 0;
        let page = PageCommit {
            resource: self.key.clone(),
            state: state.clone(),
            fingerprints: planned.fingerprints,
            notifications: planned.notifications,
            deliver,
            memo: memo.map(|memo| self.reach.mark_memo(memo)),
            durability,
            sketches,
        };
        let failures = std::mem::replace(&mut self.failures, state.failures);
        self.gateway.store.commit(page).await?;
        self.state = state;
        if failures >= FAILURES_BEFORE_TOLD && self.failures == 0 {
            let data = news_of(&self.key, failures);
            let about = self.key.to_string();
            self.gateway.tell_operator(News::PollRecovered, &about, data).await;
        }
        if notify {
            self.gateway.deliveries.notify_one();
        }
        Ok(())
    }

    /// The run is done: the watermark moves.
    fn finish(&self, state: &mut ResourceState, now: Timestamp) {
        let progress = &self.progress;
        let interval = Duration::from_millis(self.instance.events.refresh_interval_ms);
        state.last = Some(report(progress, state.baselined, now, Outcome::Succeeded));
        state.watermark = Some(watermark::advance(state.watermark, progress));
        state.baselined = true;
        state.projection = self.rules.projection;
        keep_checkpoint(state, &progress.checkpoint);
        state.due = Some(schedule::next_due(state.due, interval, now));
        info!(
            records = progress.records,
            events = progress.events,
            requests = progress.requests,
            took_ms = u64::try_from(now.since(progress.started).as_millis()).unwrap_or(u64::MAX),
            watermark = %state.watermark.unwrap_or(Timestamp::EPOCH),
            "poll done"
        );
    }

    fn date(&mut self, record: Record) -> Dated {
        let created = self.dates.created.read(&record.id, record.created.as_ref());
        let updated = self.dates.updated.read(&record.id, record.updated.as_ref());
        let mut known = |date: Result<Option<Timestamp>, Problem>| {
            date.unwrap_or_else(|problem| {
                self.add_problem(problem);
                None
            })
        };
        let (created, updated) = (known(created), known(updated));
        Dated {
            record,
            created,
            updated,
        }
    }

    fn add_problem(&mut self, problem: Problem) {
        let problems = &mut self.progress.problems;
        let said = problems
            .iter()
            .any(|said| said.code == problem.code && said.subject == problem.subject);
        if !said && problems.len() < PROBLEMS_MAX {
            problems.push(problem);
        }
    }
}
