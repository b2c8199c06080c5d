//! A vendor that answers whatever it is asked, when the test lets it, and remembers what that was.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::clock::ManualClock;
use super::within;
use crate::domain::run::{Refusal, Request, Response};
use crate::domain::time::Timestamp;
use crate::ports::{Grants, Vendor};

pub(crate) struct ScriptedVendor {
    clock: Arc<ManualClock>,
    /// Paths in order of their requests: `anna/accounts/0`.
    sent: watch::Sender<Vec<String>>,
    held: watch::Sender<Vec<String>>,
    paused: Mutex<HashMap<String, Timestamp>>,
}

impl ScriptedVendor {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            sent: watch::Sender::default(),
            held: watch::Sender::default(),
            paused: Mutex::default(),
        }
    }

    /// Requests whose path ends so get no answer until `release`.
    pub(crate) fn hold(&self, path: &str) {
        self.held.send_modify(|held| held.push(path.into()));
    }

    pub(crate) fn release(&self) {
        self.held.send_modify(Vec::clear);
    }

    /// Waits for a request whose path ends so.
    pub(crate) async fn asked(&self, path: &str) {
        let mut sent = self.sent.subscribe();
        within(sent.wait_for(|sent| sent.iter().any(|sent| sent.ends_with(path))))
            .await
            .unwrap();
    }

    /// Requests since this was asked last.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent.send_replace(Vec::new())
    }

    /// Until when the account of this user rests.
    pub(crate) fn pause_of(&self, user: &str) -> Option<Timestamp> {
        let paused = self.paused.lock().unwrap();
        let account = paused.keys().find(|account| account.contains(user))?;
        Some(paused[account])
    }
}

impl Vendor for ScriptedVendor {
    fn send(&self, request: Request, grants: Arc<Grants>) -> BoxFuture<'static, Result<Response, Refusal>> {
        assert_eq!(grants.secrets["password"].expose(), "hunter2", "the secret was opened");
        let path = request.url.trim_start_matches("https://vendor.example/").to_owned();
        self.sent.send_modify(|sent| sent.push(path.clone()));
        let mut held = self.held.subscribe();
        let date = self.clock.time().to_chrono().to_rfc2822();
        Box::pin(async move {
            let is_free = |held: &Vec<String>| !held.iter().any(|held| path.ends_with(held));
            if held.wait_for(is_free).await.is_err() {
                std::future::pending::<()>().await;
            }
            Ok(Response {
                id: request.id,
                status: 200,
                headers: vec![("date".into(), date)],
                body: Bytes::new(),
            })
        })
    }

    fn pause(&self, account: &str, until: Timestamp) {
        self.paused.lock().unwrap().insert(account.into(), until);
    }

    fn paused_until(&self, account: &str) -> Option<Timestamp> {
        let paused = self.paused.lock().unwrap();
        paused.get(account).copied().filter(|until| *until > self.clock.time())
    }
}
