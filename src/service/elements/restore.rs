//! What runs after a start: what ran before it, and what is built in where nothing else was loaded.
//! Must not keep a gateway from starting because of a component that was loaded later.

use bytes::Bytes;
use tracing::{error, info};

use super::{Error, activate, add, component_file};
use crate::domain::generation::{Generation, Generations, Source, Standing};
use crate::domain::id::Digest;
use crate::service::Gateway;

impl Gateway {
    /// Loads the components that were active, and those that are built in. To be called once, before anything polls.
    ///
    /// # Errors
    /// The store can't be read, or a built-in component is not admitted. A kept one that is not (any more) goes to the
    /// log, and the one before it or the built-in one takes its place.
    pub async fn restore_elements(&self, built_in: Vec<Bytes>) -> Result<(), Error> {
        for (key, row) in self.store.generations().await? {
            self.catalogue.set(&key, row);
        }
        for component in built_in {
            self.restore_built_in(component).await?;
        }
        for (key, row) in self.catalogue.rows() {
            self.restore_row(&key, &row).await?;
        }
        self.elements.retain(&self.catalogue.wanted());
        self.sweep_components().await
    }

    /// Files that no row holds: a crash came between the one and the other.
    async fn sweep_components(&self) -> Result<(), Error> {
        for (name, _) in self.files.list("components".into()).await? {
            let rows = self.catalogue.rows();
            let mut held = rows.iter().flat_map(|(_, row)| &row.all);
            if !held.any(|generation| generation.digest.to_string() == name) {
                self.files.remove(format!("components/{name}")).await?;
            }
        }
        Ok(())
    }

    async fn restore_built_in(&self, component: Bytes) -> Result<(), Error> {
        let element = self.elements.admit(component.clone()).await?;
        let digest = element.digest;
        let key = &element.manifest.key;
        if self.catalogue.row(key).is_some_and(|row| row.find(digest).is_some()) {
            return Ok(());
        }
        self.files.put(component_file(digest), component).await?;
        let loaded = self.clock.now();
        self.change_element(key, |row| {
            // Another program came with another one: it takes over from its predecessor, not from what was loaded.
            let takes_over = row.active().is_none_or(|active| active.source == Source::BuiltIn);
            add(
                row,
                Generation {
                    digest,
                    version: element.manifest.version.clone(),
                    loaded,
                    source: Source::BuiltIn,
                    standing: Standing::Good,
                },
            );
            if takes_over {
                activate(row, digest);
            }
            Some(())
        })
        .await?;
        Ok(())
    }

    async fn restore_row(&self, key: &str, row: &Generations) -> Result<(), Error> {
        let built_in = row.all.iter().find(|generation| generation.source == Source::BuiltIn);
        let candidates = [row.active, row.previous, built_in.map(|generation| generation.digest)];
        let mut usable = Vec::new();
        for digest in candidates.into_iter().flatten() {
            if !usable.contains(&digest) && self.admit_kept(key, digest).await? {
                usable.push(digest);
            }
        }
        let Some(&digest) = usable.first() else {
            error!(
                element = key,
                "none of its components can be loaded: its instances rest"
            );
            return Ok(());
        };
        if row.active == Some(digest) {
            self.elements.activate(digest);
            info!(element = key, %digest, "element loaded");
            return Ok(());
        }
        error!(element = key, %digest, "the active component can't be loaded: another one takes its place");
        self.change_element(key, |row| {
            activate(row, digest);
            Some(())
        })
        .await?;
        Ok(())
    }

    /// False when it is not usable, with the reason in the log.
    pub(super) async fn admit_kept(&self, key: &str, digest: Digest) -> Result<bool, Error> {
        let Some(component) = self.files.get(component_file(digest)).await? else {
            error!(element = key, %digest, "the component's file is gone");
            return Ok(false);
        };
        match self.elements.admit(component).await {
            Ok(element) if element.digest == digest => Ok(true),
            Ok(element) => {
                error!(element = key, %digest, found = %element.digest, "the component's file was changed on the disk");
                Ok(false)
            }
            Err(error) => {
                error!(element = key, %digest, %error, "a kept component is not admitted any more");
                Ok(false)
            }
        }
    }
}
