//! Redelivery: what was delivered, died or was only stored goes out again, with its ids, its bytes and its place in the
//! order. Posts nothing itself: the courier does, at the endpoint's rate.

use tracing::info;

use super::Gateway;
use super::look_up::{Error, LOOKED_AT_ONCE, owner};
use crate::domain::delivery::{DeliveryStatus, OutboxId};
use crate::domain::endpoint::Health;
use crate::domain::id::InstanceId;
use crate::engine::selection::Selection;
use crate::ports::{Search, StoreError};

/// Most ids in one request.
pub const IDS_MAX: usize = 1_000;

/// Which notifications are asked for again.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// Ids or numbers. Those on their way become due at once.
    Ids(Vec<String>),
    /// Those that are not on their way.
    Selected(Selection),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redelivery {
    pub matched: usize,
    pub redelivered: usize,
    /// Of the endpoint, which may have to be enabled before anything goes out.
    pub health: Health,
}

/// What is to be done with what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only counted.
    DryRun,
    Redeliver,
}

type Place = (OutboxId, DeliveryStatus);

/// At rest: nothing happens to them unless somebody asks.
const AT_REST: [DeliveryStatus; 3] = [DeliveryStatus::Stored, DeliveryStatus::Delivered, DeliveryStatus::Dead];

impl Gateway {
    /// Has notifications of an instance, or of the operator, delivered again.
    ///
    /// # Errors
    /// There is no callback, no filter or no such id: then nothing is redelivered. Or the store's: then some may be.
    pub async fn redeliver(&self, id: InstanceId, wanted: Wanted, mode: Mode) -> Result<Redelivery, Error> {
        self.needs_callback(id).await?;
        let (matched, redelivered) = match wanted {
            Wanted::Ids(ids) => self.redeliver_ids(id, &ids, mode).await?,
            Wanted::Selected(selection) => self.redeliver_selected(id, selection, mode).await?,
        };
        if redelivered > 0 {
            info!(of = owner(id), redelivered, "notifications are redelivered");
            self.deliveries.notify_one();
        }
        Ok(Redelivery {
            matched,
            redelivered,
            health: self.store.endpoint(id).await?.health,
        })
    }

    async fn redeliver_ids(&self, id: InstanceId, ids: &[String], mode: Mode) -> Result<(usize, usize), Error> {
        if ids.is_empty() || ids.len() > IDS_MAX {
            let message = format!("ids: expected 1 to {IDS_MAX} ids of events, found {}", ids.len());
            return Err(Error::Invalid(message));
        }
        let mut places: Vec<Place> = Vec::with_capacity(ids.len());
        for event in ids {
            let row = self.event(id, event).await?;
            places.push((row.id, row.delivery.status));
        }
        places.sort_by_key(|(place, _)| *place);
        places.dedup_by_key(|(place, _)| *place);
        let matched = places.len();
        Ok((matched, self.bring_back(id, places, mode).await?))
    }

    async fn redeliver_selected(
        &self,
        id: InstanceId,
        selection: Selection,
        mode: Mode,
    ) -> Result<(usize, usize), Error> {
        let selection = at_rest(selection)?;
        // What comes from now on is not meant: or this would follow its own redeliveries for ever.
        let newest = self.store.notifications(id, None, 1).await?;
        let Some(last) = newest.first().map(|row| row.id) else {
            return Ok((0, 0));
        };
        let (mut matched, mut redelivered) = (0, 0);
        let mut beyond = None;
        // The oldest first, so that a courier that is quick does not meet a later event of a record before an earlier one.
        loop {
            let search = Search {
                newest_first: false,
                beyond,
                statuses: selection.statuses.clone(),
            };
            let searched = self.store.search(id, search, LOOKED_AT_ONCE).await?;
            let meant = searched
                .found
                .iter()
                .filter(|row| row.id <= last && selection.matches(row));
            let places: Vec<Place> = meant.map(|row| (row.id, row.delivery.status)).collect();
            matched += places.len();
            redelivered += self.bring_back(id, places, mode).await?;
            match searched.next {
                Some(next) if next < last => beyond = Some(next),
                _ => return Ok((matched, redelivered)),
            }
        }
    }

    async fn bring_back(&self, id: InstanceId, places: Vec<Place>, mode: Mode) -> Result<usize, StoreError> {
        if mode == Mode::DryRun || places.is_empty() {
            return Ok(0);
        }
        self.store.redeliver(id, places, self.clock.now()).await
    }
}

/// The selection without what is on its way.
fn at_rest(mut selection: Selection) -> Result<Selection, Error> {
    if selection.is_empty() {
        let message = "expected ids, or at least one of status, reason, objectType, objectId, eventType, from and to: \
                       {\"status\": \"dead\"} is enough";
        return Err(Error::Invalid(message.to_owned()));
    }
    let statuses = match selection.statuses.take() {
        None => AT_REST.to_vec(),
        Some(mut statuses) => {
            statuses.retain(|status| AT_REST.contains(status));
            if statuses.is_empty() {
                let message = "status: what is waiting or retried is on its way already; name ids to have it tried now, \
                               or one of stored, delivered and dead";
                return Err(Error::Invalid(message.to_owned()));
            }
            statuses
        }
    };
    selection.statuses = Some(statuses);
    Ok(selection)
}
