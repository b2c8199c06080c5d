//! How a component does in its polls, and what follows: proven, rolled back, quarantined.
//! The judgement itself is `engine::trust`.
//! Must not act on what was true before its turn: each change looks again.

use tracing::{error, info, warn};

use super::Error;
use crate::domain::element::Element;
use crate::domain::generation::Standing;
use crate::domain::id::InstanceId;
use crate::domain::time::Timestamp;
use crate::engine::trust::{Ending, Reread, Verdict, is_enough};
use crate::service::Gateway;

impl Gateway {
    /// A poll with this component ended so. Errors of the store go to the log: the next poll judges again.
    pub(crate) async fn note_ending(&self, element: &Element, instance: InstanceId, ending: Ending) {
        let (key, digest) = (element.manifest.key.as_str(), element.digest);
        let now = self.clock.now();
        let verdict = self.catalogue.judge(key, digest, instance, ending, now);
        if verdict == Verdict::GoOn {
            return;
        }
        if let Err(error) = self.execute(element, verdict, now).await {
            error!(element = key, %digest, %error, "the element's standing could not be written");
        }
    }

    async fn execute(&self, element: &Element, verdict: Verdict, now: Timestamp) -> Result<(), Error> {
        let (key, digest) = (element.manifest.key.as_str(), element.digest);
        match verdict {
            Verdict::GoOn => Ok(()),
            Verdict::RollBack { reason, instances } => {
                if is_enough(instances, self.users(key).await?) {
                    self.take_back(element, &reason).await?;
                }
                Ok(())
            }
            Verdict::Proven => {
                info!(element = key, %digest, "element proven");
                self.set_standing(element, now, Standing::Good).await
            }
            Verdict::Quarantine {
                reason,
                instances,
                pause,
                times,
            } => {
                if !is_enough(instances, self.users(key).await?) {
                    return Ok(());
                }
                let until = now.plus(pause);
                warn!(element = key, %digest, reason, %until, "element quarantined");
                let standing = Standing::Quarantined {
                    reason,
                    since: now,
                    until,
                    times,
                };
                self.set_standing(element, now, standing).await
            }
        }
    }

    /// Instances that poll with the element.
    async fn users(&self, key: &str) -> Result<usize, Error> {
        let instances = self.store.instances().await?;
        let users = instances
            .iter()
            .filter(|instance| instance.element == key && instance.enabled && instance.events.enabled);
        Ok(users.count())
    }

    /// A component on probation reads what it knew in another way: it goes back before any of it is committed.
    pub(crate) async fn note_storm(&self, element: &Element, reread: Reread) {
        let reason = format!(
            "it would update {} of {} records that the vendor did not touch, and its manifest's projection is the old one",
            reread.differ, reread.records
        );
        if let Err(error) = self.take_back(element, &reason).await {
            error!(element = element.manifest.key, %error, "the element could not be rolled back");
        }
    }

    async fn set_standing(&self, element: &Element, now: Timestamp, standing: Standing) -> Result<(), Error> {
        self.change_element(&element.manifest.key, |row| {
            if row.active != Some(element.digest) {
                return None;
            }
            let generation = row.find_mut(element.digest)?;
            // Several polls may come to the same judgement at once.
            let rests = matches!(&generation.standing, Standing::Quarantined { until, .. } if *until > now);
            if rests || generation.standing == standing {
                return None;
            }
            generation.standing = standing;
            Some(())
        })
        .await
        .map(|_| ())
    }
}
