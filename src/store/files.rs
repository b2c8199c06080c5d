//! `ports::Files` and `ports::Folder` on directories: components, recordings and kept inputs, and the folder that an
//! operator puts elements into. Knows nothing of what is in the files.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::domain::time::Timestamp;
use crate::ports::{self, Stamp, StoreError, Stored};

/// How the name of a draft ends. One that a crash left behind is never listed, and goes at the next start.
const DRAFT: &str = ".draft";

/// Files below one directory, readable by their owner alone.
pub struct Files {
    root: PathBuf,
    drafts: AtomicU64,
}

impl Files {
    /// Makes the directory where it is missing.
    ///
    /// # Errors
    /// It can't be made.
    pub fn open(root: &Path) -> io::Result<Self> {
        make_private(root)?;
        remove_drafts(root)?;
        Ok(Self {
            root: root.to_owned(),
            drafts: AtomicU64::new(0),
        })
    }

    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let is_name = name.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        });
        if is_name {
            Ok(self.root.join(name))
        } else {
            Err(StoreError::Transient(format!("{name:?} is no name of a file")))
        }
    }

    fn on<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Stored<T> {
        match self.path(name) {
            Ok(path) => blocking(path, work),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl ports::Files for Files {
    fn put(&self, name: String, bytes: Bytes) -> Stored<()> {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        self.on(&name, move |path| write_whole(path, &bytes, number))
    }

    fn get(&self, name: String) -> Stored<Option<Bytes>> {
        self.on(&name, |path| present(fs::read(path)).map(|read| read.map(Bytes::from)))
    }

    fn list(&self, folder: String) -> Stored<Vec<(String, Timestamp)>> {
        self.on(&folder, |path| {
            let Some(entries) = present(fs::read_dir(path))? else {
                return Ok(Vec::new());
            };
            let mut files = Vec::new();
            for entry in entries {
                let entry = entry?;
                let Some(metadata) = present(entry.metadata())? else {
                    continue;
                };
                if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string())
                    && !name.ends_with(DRAFT)
                {
                    files.push((name, modified(&metadata)));
                }
            }
            files.sort();
            Ok(files)
        })
    }

    fn remove(&self, name: String) -> Stored<()> {
        self.on(&name, |path| {
            let removed = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
            present(removed).map(|_| ())
        })
    }
}

/// The folder that an operator puts components into.
pub struct ComponentFolder {
    path: PathBuf,
}

impl ComponentFolder {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// It can't be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self { path: path.to_owned() })
    }
}

impl ports::Folder for ComponentFolder {
    fn scan(&self) -> Stored<Vec<Stamp>> {
        blocking(self.path.clone(), |path| {
            let mut stamps = Vec::new();
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                if !name.ends_with(".wasm") || name.starts_with('.') {
                    continue;
                }
                // Through links: a deployment may point the name at a new file. Gone meanwhile, or a link to nowhere: one
                // entry must not hide the others.
                let Some(metadata) = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file) else {
                    continue;
                };
                stamps.push(Stamp {
                    name,
                    bytes: metadata.len(),
                    modified: modified(&metadata),
                    inode: metadata.ino(),
                });
            }
            stamps.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(stamps)
        })
    }

    fn read(&self, name: String, bytes_max: usize) -> Stored<Option<Bytes>> {
        blocking(self.path.join(name), move |path| {
            let length = present(fs::metadata(path))?.map(|metadata| metadata.len());
            match length {
                Some(length) if length <= bytes_max as u64 => present(fs::read(path)).map(|read| read.map(Bytes::from)),
                _ => Ok(None),
            }
        })
    }
}

fn blocking<T: Send + 'static>(path: PathBuf, work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static) -> Stored<T> {
    Box::pin(async move {
        let worked = tokio::task::spawn_blocking(move || {
            work(&path).map_err(|error| StoreError::Transient(format!("{}: {error}", path.display())))
        });
        worked
            .await
            .unwrap_or_else(|_| Err(StoreError::Transient("the gateway is stopping".into())))
    })
}

/// What is not there is no error.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_whole(path: &Path, bytes: &[u8], number: u64) -> io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    make_private(parent)?;
    let draft = parent.join(format!(".{}.{number}{DRAFT}", std::process::id()));
    let written = write_synced(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // Best effort: the error that counts is the one before.
        let _ = fs::remove_file(&draft);
    }
    written?;
    // The rename is on the disk when its directory is.
    fs::File::open(parent)?.sync_all()
}

fn remove_drafts(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_drafts(&entry.path())?;
        } else if entry.file_name().to_str().is_some_and(|name| name.ends_with(DRAFT)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn make_private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn modified(metadata: &fs::Metadata) -> Timestamp {
    Timestamp::from_ms(metadata.mtime() * 1_000 + metadata.mtime_nsec() / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Files as _, Folder as _};

    #[tokio::test]
    async fn what_is_put_is_read_listed_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let files = Files::open(&root.path().join("data")).unwrap();
        assert_eq!(files.get("a/b".into()).await.unwrap(), None);
        for (name, text) in [("a/b", "1"), ("a/c", "2"), ("a/b", "3"), ("a/d/e", "4")] {
            files.put(name.into(), text.into()).await.unwrap();
        }
        assert_eq!(files.get("a/b".into()).await.unwrap().unwrap(), "3");
        let names: Vec<String> = files
            .list("a".into())
            .await
            .unwrap()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["b", "c"], "no draft stays behind, and folders are left out");
        files.remove("a/b".into()).await.unwrap();
        files.remove("a/b".into()).await.unwrap();
        files.remove("a/d".into()).await.unwrap();
        assert_eq!(files.get("a/d/e".into()).await.unwrap(), None);
        assert!(files.list("nothing".into()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_a_crash_left_half_written_goes_at_the_next_start() {
        let root = tempfile::tempdir().unwrap();
        let files = Files::open(root.path()).unwrap();
        files.put("a/b".into(), "1".into()).await.unwrap();
        let draft = root.path().join("a").join(format!(".7.1{DRAFT}"));
        fs::write(&draft, "half").unwrap();
        let files = Files::open(root.path()).unwrap();
        assert!(!draft.exists());
        assert_eq!(files.get("a/b".into()).await.unwrap().unwrap(), "1");
    }

    #[tokio::test]
    async fn a_name_leads_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let files = Files::open(root.path()).unwrap();
        for name in ["", "..", "a/../b", "/etc", "a//b", ".hidden", "a b", "a\\b"] {
            assert!(files.put(name.into(), "x".into()).await.is_err(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_folder_shows_components_alone_and_what_changed_of_them() {
        let root = tempfile::tempdir().unwrap();
        let folder = ComponentFolder::open(root.path()).unwrap();
        for name in ["b.wasm", "a.wasm", "a.wasm.part", ".c.wasm", "notes.txt"] {
            fs::write(root.path().join(name), name).unwrap();
        }
        let before = folder.scan().await.unwrap();
        assert_eq!(
            before.iter().map(|stamp| stamp.name.as_str()).collect::<Vec<_>>(),
            ["a.wasm", "b.wasm"]
        );
        fs::write(root.path().join("new"), "b.wasm").unwrap();
        fs::rename(root.path().join("new"), root.path().join("b.wasm")).unwrap();
        let after = folder.scan().await.unwrap();
        assert_eq!(before[0], after[0]);
        assert_ne!(
            before[1], after[1],
            "another inode, though name and length are the same"
        );
        assert_eq!(folder.read("b.wasm".into(), 6).await.unwrap().unwrap(), "b.wasm");
        assert_eq!(folder.read("b.wasm".into(), 5).await.unwrap(), None);
        assert_eq!(folder.read("gone.wasm".into(), 5).await.unwrap(), None);
    }
}
