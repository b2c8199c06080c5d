//! Looking up what became of notifications: by filter, page by page; one by its id; the attempts of one.
//! Changes nothing.

use super::{Gateway, instances, reach};
use crate::domain::delivery::{AttemptRow, OutboxId, Outgoing};
use crate::domain::event::number_of;
use crate::domain::id::InstanceId;
use crate::engine::selection::Selection;
use crate::ports::{Search, StoreError};

/// Most notifications that one request looks at; a page whose filter hardly anything passes ends there, and says where to
/// go on.
pub const LOOKED_AT_MAX: usize = 5_000;
/// Notifications looked at in one go, so that others get their turn between two.
pub(super) const LOOKED_AT_ONCE: usize = 500;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Invalid(String),
    #[error("there is no event {event:?} of {owner}; GET …/events lists what is kept")]
    UnknownEvent { event: String, owner: String },
    #[error("{owner} has no callback; {remedy}")]
    NoCallback { owner: String, remedy: &'static str },
    #[error(transparent)]
    Instance(#[from] instances::Error),
    #[error(transparent)]
    Reach(#[from] reach::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Notifications without their bodies, the newest first.
#[derive(Debug, Default)]
pub struct EventPage {
    pub rows: Vec<Outgoing>,
    /// Where to go on, while there may be more.
    pub next: Option<OutboxId>,
}

pub(super) fn owner(id: InstanceId) -> String {
    match id {
        InstanceId::OPERATOR => "the operator".to_owned(),
        id => format!("instance {id}"),
    }
}

impl Gateway {
    /// Notifications of an instance or of the operator, older than `before`. May be a short page with more to come.
    ///
    /// # Errors
    /// There is no such instance, or the store's.
    pub async fn events(
        &self,
        id: InstanceId,
        selection: &Selection,
        before: Option<OutboxId>,
        size: usize,
    ) -> Result<EventPage, Error> {
        self.callback_url(id).await?;
        let mut page = EventPage::default();
        let mut budget = LOOKED_AT_MAX;
        self.look_through(id, selection, before, size, &mut budget, &mut page)
            .await?;
        Ok(page)
    }

    /// Adds to a page until it is full, the budget is used up, or everything was looked at.
    pub(super) async fn look_through(
        &self,
        id: InstanceId,
        selection: &Selection,
        before: Option<OutboxId>,
        size: usize,
        budget: &mut usize,
        page: &mut EventPage,
    ) -> Result<(), StoreError> {
        let mut beyond = before;
        // Without a filter this much makes a page.
        let mut limit = (size + 1).min(LOOKED_AT_ONCE);
        loop {
            let search = Search {
                newest_first: true,
                beyond,
                statuses: selection.statuses.clone(),
            };
            let searched = self.store.search(id, search, limit).await?;
            for row in searched.found {
                if !selection.matches(&row) {
                    continue;
                }
                if page.rows.len() == size {
                    page.next = page.rows.last().map(|last| last.id);
                    return Ok(());
                }
                page.rows.push(row);
            }
            page.next = searched.next;
            *budget = budget.saturating_sub(limit);
            if page.next.is_none() || *budget == 0 {
                return Ok(());
            }
            beyond = searched.next;
            limit = LOOKED_AT_ONCE;
        }
    }

    /// One notification with its body, by its id or its number.
    ///
    /// # Errors
    /// There is none of this instance, or the store's.
    pub async fn event(&self, id: InstanceId, event: &str) -> Result<Outgoing, Error> {
        self.callback_url(id).await?;
        let found = self.find_event(event).await?;
        let mut own = found.into_iter().filter(|(instance, _)| *instance == id);
        own.next().map(|(_, row)| row).ok_or_else(|| Error::UnknownEvent {
            event: event.to_owned(),
            owner: owner(id),
        })
    }

    /// Whose notifications have this id or this number.
    pub(super) async fn find_event(&self, event: &str) -> Result<Vec<(InstanceId, Outgoing)>, StoreError> {
        let mut found = self.store.find_notification(number_of(event)).await?;
        found.retain(|(_, row)| row.notification.id == event);
        if let Ok(number) = event.parse::<u64>() {
            found.extend(self.store.find_notification(number).await?);
        }
        Ok(found)
    }

    /// The attempts of a notification, the oldest first.
    ///
    /// # Errors
    /// There is no such notification of this instance, or the store's.
    pub async fn attempts(&self, id: InstanceId, event: &str) -> Result<Vec<AttemptRow>, Error> {
        let row = self.event(id, event).await?;
        Ok(self.store.attempts(id, row.id).await?)
    }

    /// Of an instance, or of the operator.
    pub(super) async fn callback_url(&self, id: InstanceId) -> Result<Option<String>, Error> {
        if id == InstanceId::OPERATOR {
            let operator = self.settings.operator.as_ref();
            return Ok(operator.map(|operator| operator.url.clone()));
        }
        Ok(self.instance(id).await?.events.callback_url)
    }

    pub(super) async fn needs_callback(&self, id: InstanceId) -> Result<String, Error> {
        let url = self.callback_url(id).await?;
        url.ok_or_else(|| no_callback(id))
    }
}

pub(super) fn no_callback(id: InstanceId) -> Error {
    Error::NoCallback {
        owner: owner(id),
        remedy: match id {
            InstanceId::OPERATOR => "set operator.callback_url in the configuration file and start the gateway again",
            _ => "PATCH it with event.notification.callback.url first",
        },
    }
}
