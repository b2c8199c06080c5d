//! How a component does in its polls, and what follows: proven, rolled back, quarantined.
//! The judgement itself is `engine::trust`.

use tracing::{error, info, warn};

use crate::domain::element::Element;
use crate::domain::generation::Standing;
use crate::domain::id::InstanceId;
use crate::engine::trust::{Ending, Reread, Verdict};
use crate::service::Gateway;

impl Gateway {
    /// A poll with this component ended so. Errors of the store go to the log: the next poll judges again.
    pub(crate) async fn note_ending(&self, element: &Element, instance: InstanceId, ending: Ending) {
        let (key, digest) = (element.manifest.key.as_str(), element.digest);
        let now = self.clock.now();
        let judged = match self.catalogue.judge(key, digest, instance, ending, now) {
            Verdict::GoOn => return,
            Verdict::RollBack(reason) => self.roll_back(key, &reason).await.map(|_| ()),
            Verdict::Proven => {
                info!(element = key, %digest, "element proven");
                self.set_standing(element, Standing::Good).await
            }
            Verdict::Quarantine { reason, pause, times } => {
                let until = now.plus(pause);
                warn!(element = key, %digest, reason, %until, "element quarantined");
                let since = now;
                self.set_standing(
                    element,
                    Standing::Quarantined {
                        reason,
                        since,
                        until,
                        times,
                    },
                )
                .await
            }
        };
        if let Err(error) = judged {
            error!(element = key, %digest, %error, "the element's standing could not be written");
        }
    }

    /// A component on probation reads what it knew in another way: it goes back before any of it is committed.
    pub(crate) async fn note_storm(&self, element: &Element, reread: Reread) {
        let key = element.manifest.key.as_str();
        let reason = format!(
            "it would update {} of {} records that the vendor did not touch, and its manifest's projection is the old one",
            reread.differ, reread.records
        );
        if !self.catalogue.is_on_probation(key, element.digest) {
            return;
        }
        if let Err(error) = self.roll_back(key, &reason).await {
            error!(element = key, %error, "the element could not be rolled back");
        }
    }

    async fn set_standing(&self, element: &Element, standing: Standing) -> Result<(), super::Error> {
        self.change_element(&element.manifest.key, |row| {
            row.find_mut(element.digest)?.standing = standing;
            Some(())
        })
        .await
        .map(|_| ())
    }
}
