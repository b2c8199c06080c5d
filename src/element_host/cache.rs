//! Compiled components on disk, so that a restart does not compile again.
//! Must not load a byte that this gateway did not write: loading machine code is as good as running it.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;
use xxhash_rust::xxh3::Xxh3;

use crate::domain::id::Digest;

/// Length of the SHA-256 that stands before the machine code in each file.
const SEAL_BYTES: usize = 32;

/// A directory of our own: `<compatibility of the engine>/<digest of the component>.cwasm`, each file the SHA-256 of
/// the machine code and then the machine code. Another wasmtime or another CPU looks in another directory.
pub(super) struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// Creates the directories, or takes them over: both are made accessible to their owner alone, which fails for
    /// somebody else's.
    pub(super) fn open(root: &Path, engine: &Engine) -> io::Result<Self> {
        let directory = root.join(compatibility(engine));
        fs::create_dir_all(&directory)?;
        for path in [root, &directory] {
            make_private(path)?;
        }
        Ok(Self { directory })
    }

    /// None when it is not there, or not as it was written.
    pub(super) fn load(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let path = self.path(digest);
        let file = fs::read(&path).ok()?;
        let code = unseal(&file).or_else(|| {
            tracing::warn!(path = %path.display(), "a compiled component was damaged on disk, compiling again");
            None
        })?;
        deserialize(engine, code)
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), error = format!("{error:#}"), "cannot use a compiled component");
            })
            .ok()
    }

    /// Whole or not at all: a reader never sees half a file.
    pub(super) fn store(&self, code: &[u8], digest: Digest) -> io::Result<()> {
        let path = self.path(digest);
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let written = write_sealed(&draft, code).and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            // Best effort: the error that counts is the one before.
            let _ = fs::remove_file(&draft);
        }
        written
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.directory.join(format!("{digest}.cwasm"))
    }
}

fn compatibility(engine: &Engine) -> String {
    let mut hasher = Xxh3::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn write_sealed(path: &Path, code: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)
}

fn unseal(file: &[u8]) -> Option<&[u8]> {
    let (seal, code) = file.split_at_checked(SEAL_BYTES)?;
    (*Sha256::digest(code) == *seal).then_some(code)
}

/// Only for what this process compiled, or what `unseal` gave.
#[expect(unsafe_code, reason = "machine code cannot be checked, only be known to be our own")]
pub(super) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were compiled a moment ago, or come out of a directory that only our own user can write, where only
    // `store` writes what this wasmtime compiled; the digest before them says that nothing happened to them since, and they
    // are in memory by now, so that nothing will.
    unsafe { Component::deserialize(engine, code) }
}

#[cfg(unix)]
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(_directory: &Path) -> io::Result<()> {
    // A user's directories are private by default there.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: Digest = Digest([7; 32]);

    struct Fixture {
        /// Goes away with the fixture.
        root: tempfile::TempDir,
        engine: Engine,
        cache: Cache,
    }

    fn filled() -> Fixture {
        let root = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let cache = Cache::open(&root.path().join("cache"), &engine).unwrap();
        let code = engine
            .precompile_component(&wat::parse_bytes(b"(component)").unwrap())
            .unwrap();
        cache.store(&code, DIGEST).unwrap();
        Fixture { root, engine, cache }
    }

    #[test]
    fn gives_back_what_was_stored() {
        let Fixture {
            root: _root,
            engine,
            cache,
        } = filled();
        assert!(cache.load(&engine, DIGEST).is_some());
        assert!(cache.load(&engine, Digest([8; 32])).is_none());
        assert_eq!(
            fs::read_dir(&cache.directory).unwrap().count(),
            1,
            "no draft stays behind"
        );
    }

    #[test]
    fn does_not_load_a_file_that_changed() {
        let Fixture {
            root: _root,
            engine,
            cache,
        } = filled();
        let whole = fs::read(cache.path(DIGEST)).unwrap();
        for at in [0, SEAL_BYTES, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(cache.path(DIGEST), changed).unwrap();
            assert!(cache.load(&engine, DIGEST).is_none(), "byte {at}");
        }
        for length in [0, SEAL_BYTES - 1, SEAL_BYTES, whole.len() - 1] {
            fs::write(cache.path(DIGEST), &whole[..length]).unwrap();
            assert!(cache.load(&engine, DIGEST).is_none(), "{length} bytes");
        }
    }

    #[cfg(unix)]
    #[test]
    fn closes_its_directories_to_others() {
        use std::os::unix::fs::PermissionsExt;
        let Fixture { root, engine, cache } = filled();
        let root = root.path().join("cache");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
        Cache::open(&root, &engine).unwrap();
        for path in [&root, &cache.directory] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
