//! Secrets in the course of time, and what the audit log keeps, on a clock that the test moves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::harness::{Harness, within};
use crate::domain::audit::{AuditEntry, AuditQuery, Who};
use crate::domain::credential::{AccountSecret, AccountSecrets};
use crate::domain::id::InstanceId;
use crate::domain::secret::Secret;
use crate::ports::{AccountFile, Clock as _, StoreError, Stored};
use crate::service::account::{Account, Error, SetByOperator};
use crate::service::audit;

const HOUR: Duration = Duration::from_hours(1);

/// Keeps what is put, or has no room for it.
#[derive(Default)]
struct Paper {
    kept: Mutex<Option<AccountSecrets>>,
    is_full: bool,
}

impl AccountFile for Paper {
    fn put(&self, kept: AccountSecrets, _: AccountSecret) -> Stored<()> {
        if self.is_full {
            return Box::pin(async { Err(StoreError::Transient("no room".into())) });
        }
        *self.kept.lock().unwrap() = Some(kept);
        Box::pin(async { Ok(()) })
    }
}

fn account(harness: &Harness, set: &SetByOperator, file: Arc<Paper>) -> Account {
    Account::new(
        AccountSecrets::default(),
        set,
        file,
        harness.clock.clone(),
        harness.dice.clone(),
    )
}

#[tokio::test]
async fn an_old_token_lets_in_until_its_grace_is_over_and_is_then_dropped() {
    let harness = Harness::new();
    let key = harness.create_baselined().await;
    let knows = async |token: &Secret| {
        let found = harness.gateway.instance_by_token(token.expose()).await.unwrap();
        found.map(|instance| instance.id) == Some(key.instance)
    };
    let rotate = async |grace| within(harness.gateway.rotate_token(key.instance, grace)).await.unwrap();
    let (first, _) = rotate(Duration::ZERO).await;
    let (second, until) = rotate(HOUR).await;
    assert_eq!(until, harness.clock.now().plus(HOUR));
    assert!(knows(&first).await && knows(&second).await);
    harness.clock.advance(HOUR - Duration::from_millis(1));
    assert!(knows(&first).await);
    harness.clock.advance(Duration::from_millis(1));
    assert!(!knows(&first).await && knows(&second).await);
    let instance = harness.gateway.instance(key.instance).await.unwrap();
    assert_eq!(instance.old_tokens.len(), 1);
    harness.gateway.enable_instance(key.instance, true).await.unwrap();
    let instance = harness.gateway.instance(key.instance).await.unwrap();
    assert_eq!(instance.old_tokens, [], "the next change drops what counts no more");
    // Neither polls nor what they know depend on a token.
    assert!(harness.state(&key).await.baselined);
}

#[tokio::test]
async fn a_secret_of_the_account_lets_in_until_its_grace_is_over() {
    let harness = Harness::new();
    let file = Arc::new(Paper::default());
    let account = account(&harness, &SetByOperator::default(), file.clone());
    let user = AccountSecret::User;
    assert!(!account.knows(user, ""));
    let (first, _) = account.rotate(user, Duration::ZERO).await.unwrap();
    let (second, _) = account.rotate(user, HOUR).await.unwrap();
    assert!(account.knows(user, first.expose()) && account.knows(user, second.expose()));
    assert!(!account.knows(AccountSecret::Organization, first.expose()));
    assert_eq!(file.kept.lock().unwrap().as_ref().unwrap().user.len(), 2);
    harness.clock.advance(HOUR);
    assert!(!account.knows(user, first.expose()) && account.knows(user, second.expose()));
}

#[tokio::test]
async fn a_rotation_that_cannot_be_kept_changes_nothing() {
    let harness = Harness::new();
    let full = Arc::new(Paper {
        is_full: true,
        ..Paper::default()
    });
    let set = SetByOperator {
        user: Some(Secret::new("mine")),
        organization: None,
    };
    let account = account(&harness, &set, full);
    let refused = account.rotate(AccountSecret::User, HOUR).await;
    assert!(matches!(refused, Err(Error::SetByOperator(AccountSecret::User))));
    assert!(account.knows(AccountSecret::User, "mine") && !account.knows(AccountSecret::User, "other"));
    let failed = account.rotate(AccountSecret::Organization, HOUR).await;
    assert!(matches!(failed, Err(Error::Store(_))));
}

#[tokio::test]
async fn the_audit_log_is_kept_for_its_time() {
    let harness = Harness::new();
    let day = HOUR * 24;
    for number in 0..3 {
        let entry = AuditEntry {
            at: harness.clock.now(),
            request: number.to_string(),
            who: Who::Owner,
            client: "192.0.2.1".into(),
            method: "PUT".into(),
            path: "/".into(),
            status: 200,
            instance: Some(InstanceId(number)),
        };
        harness.gateway.audit(entry).await;
        harness.clock.advance(day);
    }
    let task = tokio::spawn(audit::run_retention(
        harness.gateway.clone(),
        day * 2,
        harness.stop.clone(),
    ));
    let left = async || {
        let page = harness.gateway.audited(AuditQuery::default(), 9).await.unwrap();
        page.entries.into_iter().map(|entry| entry.request).collect::<Vec<_>>()
    };
    harness
        .eventually("what is too old is dropped", async || left().await == ["2", "1"])
        .await;
    harness.stop.cancel();
    within(task).await.unwrap();
}
