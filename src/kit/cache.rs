//! Compiled components from one command to the next, within bounds. What is in a file is the element host's business.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::screen;

/// A JavaScript or Python component takes some 30 MB compiled: the last dozen are enough to work with.
const FILES_MAX: usize = 12;

/// The directory, if it can be made, with the oldest files gone.
pub(super) fn usable(directory: Option<&Path>) -> Option<PathBuf> {
    let directory = directory?;
    if let Err(error) = fs::create_dir_all(directory) {
        let shown = directory.display();
        screen::note(&format!(
            "note: compiled components are not kept, {shown} cannot be made: {error}"
        ));
        return None;
    }
    prune(directory);
    Some(directory.to_owned())
}

/// Best effort: what cannot be read or removed stays.
fn prune(directory: &Path) {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for path in entries(directory).into_iter().flat_map(|folder| entries(&folder)) {
        if let Ok(written) = fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            files.push((written, path));
        }
    }
    files.sort();
    let surplus = files.len().saturating_sub(FILES_MAX);
    for (_, path) in files.into_iter().take(surplus) {
        let _ = fs::remove_file(path);
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_dozen_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("0123");
        fs::create_dir(&folder).unwrap();
        for number in 0..FILES_MAX + 3 {
            let file = fs::File::create(folder.join(format!("{number:02}.cwasm"))).unwrap();
            let written = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
            file.set_modified(written).unwrap();
        }
        assert_eq!(usable(Some(root.path())), Some(root.path().to_owned()));
        let mut kept = entries(&folder);
        kept.sort();
        assert_eq!(kept.len(), FILES_MAX);
        assert!(kept[0].ends_with("03.cwasm"));
    }
}
