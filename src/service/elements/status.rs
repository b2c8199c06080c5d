//! How an element's components stand, for people and machines.
//! Must not change anything.

use super::Error;
use crate::domain::element::Usage;
use crate::domain::generation::{Generation, Source, Standing};
use crate::service::Gateway;

/// One component with all that is known of it.
#[derive(Debug)]
pub struct Version {
    pub generation: Generation,
    /// New runs take it.
    pub active: bool,
    /// `built-in`, `active`, `probation`, `quarantined`, `draining`, `rolled-back` or `retired`.
    pub state: &'static str,
    /// Why it is in a state that needs one.
    pub reason: Option<String>,
    /// Instances whose next run takes it.
    pub instances: usize,
    /// Polls under way with it.
    pub runs: usize,
    /// Since the gateway was started.
    pub usage: Usage,
}

impl Gateway {
    /// All components of an element, newest first.
    ///
    /// # Errors
    /// There is no such element; the store's.
    pub async fn versions(&self, key: &str) -> Result<Vec<Version>, Error> {
        let row = self.catalogue.row(key).ok_or_else(|| Error::Unknown(key.to_owned()))?;
        let instances = self.store.instances().await?;
        let users = instances.iter().filter(|instance| instance.element == key).count();
        let version = |generation: Generation| {
            let active = row.active == Some(generation.digest);
            let runs = self.catalogue.polls_with(generation.digest);
            let (state, reason) = state(&generation, active, runs);
            Version {
                active,
                state,
                reason,
                instances: if active { users } else { 0 },
                runs,
                usage: self.elements.usage(generation.digest),
                generation,
            }
        };
        Ok(row.all.iter().cloned().map(version).collect())
    }
}

fn state(generation: &Generation, active: bool, runs: usize) -> (&'static str, Option<String>) {
    match &generation.standing {
        Standing::Quarantined { reason, until, .. } => ("quarantined", Some(format!("{reason}; until {until}"))),
        _ if runs > 0 && !active => ("draining", None),
        Standing::RolledBack { reason, at } if !active => ("rolled-back", Some(format!("{reason}; at {at}"))),
        Standing::Probation { since } if active => ("probation", Some(format!("since {since}"))),
        _ if active && generation.source == Source::BuiltIn => ("built-in", None),
        _ if active => ("active", None),
        _ => ("retired", None),
    }
}
