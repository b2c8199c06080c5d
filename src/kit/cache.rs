//! Compiled components from one command to the next, within bounds. What is in a file is the element host's business.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::screen;

/// A Rust component takes one MB compiled, a JavaScript or Python one some 37 MB: enough for a day's work.
const BYTES_MAX: u64 = 512 * 1024 * 1024;

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
    prune(directory, BYTES_MAX);
    Some(directory.to_owned())
}

/// Best effort: what cannot be read or removed stays.
fn prune(directory: &Path, bytes_max: u64) {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for path in entries(directory).into_iter().flat_map(|folder| entries(&folder)) {
        if let Ok(metadata) = fs::metadata(&path)
            && let Ok(written) = metadata.modified()
        {
            files.push((written, metadata.len(), path));
        }
    }
    files.sort();
    let mut kept = 0;
    for (_, bytes, path) in files.into_iter().rev() {
        kept += bytes;
        if kept > bytes_max {
            let _ = fs::remove_file(path);
        }
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
    fn the_newest_files_are_kept_as_far_as_they_go() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("0123");
        fs::create_dir(&folder).unwrap();
        for number in 0..5_u64 {
            let path = folder.join(format!("{number}.cwasm"));
            fs::write(&path, [0; 10]).unwrap();
            let written = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number);
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(written)
                .unwrap();
        }
        assert_eq!(usable(Some(root.path())), Some(root.path().to_owned()));
        assert_eq!(entries(&folder).len(), 5);
        prune(root.path(), 20);
        let mut kept = entries(&folder);
        kept.sort();
        assert_eq!(kept, ["3.cwasm", "4.cwasm"].map(|name| folder.join(name)));
    }
}
