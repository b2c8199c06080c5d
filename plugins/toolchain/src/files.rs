//! Files and directories, as a build leaves them: whole or not at all, and untouched where nothing changed.
//! Must not know what is in them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Puts the bytes in place in one step, so that nobody reads half a component. False if they were there already: then the
/// file keeps its time, and nothing that depends on it is built again.
pub(crate) fn place(bytes: &[u8], path: &Path) -> Result<bool> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    create_parent(path)?;
    let draft = path.with_extension(format!("wasm.{}", std::process::id()));
    fs::write(&draft, bytes).with_context(|| format!("writing {}", draft.display()))?;
    fs::rename(&draft, path).with_context(|| format!("moving {} to {}", draft.display(), path.display()))?;
    Ok(true)
}

/// Creates the directory that `path` is to be written in.
pub(crate) fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().context("a file's path has a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_component_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("elements/zoho.wasm");
        assert!(place(b"one", &path).unwrap());
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(!place(b"one", &path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        assert!(place(b"two", &path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::read_dir(root.path().join("elements")).unwrap().count(),
            1,
            "no draft stays behind"
        );
    }
}
