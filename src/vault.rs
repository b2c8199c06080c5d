//! Secrets at rest: a key file that seals values, and the account's own secrets. Knows nothing of what is sealed, and prints
//! nothing of it.

mod account;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use crate::ports::{Entropy, Vault, VaultError};

pub use account::{ACCOUNT_FILE, AccountFile};

/// Name of the key file within the data directory.
pub const KEY_FILE: &str = "vault.key";

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// First byte of what is sealed, so that another cipher can be told apart one day. Authenticated with the rest.
const FORM: u8 = 1;
/// Owner reads and writes, nobody else does anything.
const MODE: u32 = 0o600;
const MODE_OTHERS: u32 = 0o077;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("reading {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("creating {}", .0.display())]
    Create(PathBuf, #[source] io::Error),
    #[error("{path} may be used by others (mode {mode:04o}); if nobody did, run: chmod 600 {path}", path = .path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} has {found} bytes, expected {KEY_BYTES}; restore it from a backup, or every instance's secrets must be set anew", .path.display())]
    KeyLength { path: PathBuf, found: usize },
    #[error("{} holds no secret: expected one line of printable ASCII without spaces", .0.display())]
    NoSecret(PathBuf),
    #[error("removing {}", .0.display())]
    Remove(PathBuf, #[source] io::Error),
    #[error(
        "{} can't be read: {source}; restore it from a backup, or remove it, and the account's secrets are made anew",
        .path.display()
    )]
    Damaged {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

/// Seals with XChaCha20-Poly1305 under the key in a file; each value gets a nonce of its own, at random.
pub struct FileVault {
    cipher: XChaCha20Poly1305,
    entropy: Arc<dyn Entropy>,
}

impl FileVault {
    /// Reads `DIR/vault.key`, or makes it, whole and on the disk, when there is none.
    pub fn open(data_dir: &Path, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let path = data_dir.join(KEY_FILE);
        let key = match read_private(&path)? {
            Some(key) => key,
            None => create_private(&path, &random::<KEY_BYTES>(&*entropy), &*entropy)?,
        };
        let cipher =
            XChaCha20Poly1305::new_from_slice(&key).map_err(|_| Error::KeyLength { path, found: key.len() })?;
        Ok(Self { cipher, entropy })
    }
}

impl Vault for FileVault {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let nonce = random::<NONCE_BYTES>(&*self.entropy);
        let sealed = self
            .cipher
            .encrypt(
                XNonce::from_slice(&nonce),
                Payload {
                    msg: plain,
                    aad: &[FORM],
                },
            )
            .expect("a secret is shorter than the cipher's 256 GiB");
        [&[FORM][..], &nonce, &sealed].concat()
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (&form, rest) = sealed.split_first().ok_or(VaultError)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).ok_or(VaultError)?;
        self.cipher
            .decrypt(
                XNonce::from_slice(nonce),
                Payload {
                    msg: sealed,
                    aad: &[form],
                },
            )
            .map_err(|_| VaultError)
    }
}

fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// None when there is no such file; an error when others could have read or changed it.
fn read_private(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let failed = |error| Error::Read(path.to_owned(), error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if mode & MODE_OTHERS != 0 {
        return Err(Error::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Writes a file that is there whole or not at all, also after a power cut. Where somebody else made it at the same moment,
/// theirs stands and is the answer.
fn create_private(path: &Path, bytes: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::Create(path.to_owned(), error);
    let draft = draft_of(path, entropy);
    let linked = write_synced(&draft, bytes).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.and(removed).map_err(failed)?,
    }
    sync_parent(path).map_err(failed)?;
    read_private(path)?.ok_or_else(|| Error::Read(path.to_owned(), io::ErrorKind::NotFound.into()))
}

/// The same for a file that may be there already: it is the old one or the new one, whole.
fn replace_private(path: &Path, bytes: &[u8], entropy: &dyn Entropy) -> Result<(), Error> {
    let draft = draft_of(path, entropy);
    let replaced = write_synced(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if replaced.is_err() {
        // What is left of it is of no use, and the error that led here says more than one of removing it.
        let _ = fs::remove_file(&draft);
    }
    replaced
        .and_then(|()| sync_parent(path))
        .map_err(|error| Error::Create(path.to_owned(), error))
}

/// A name of its own: two starts at once must not write to one file.
fn draft_of(path: &Path, entropy: &dyn Entropy) -> PathBuf {
    let suffix: String = random::<8>(entropy).iter().map(|byte| format!("{byte:02x}")).collect();
    path.with_added_extension(format!("{suffix}.new"))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;
    use crate::clock::SystemEntropy;

    fn vault(directory: &TempDir) -> Result<FileVault, Error> {
        FileVault::open(directory.path(), Arc::new(SystemEntropy))
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_sealed_opens_again_after_a_restart() {
        let directory = TempDir::new().unwrap();
        let sealed = vault(&directory).unwrap().seal(b"hunter2");
        assert_eq!(vault(&directory).unwrap().open(&sealed).unwrap(), b"hunter2");
        assert_eq!(
            vault(&directory)
                .unwrap()
                .open(&vault(&directory).unwrap().seal(b""))
                .unwrap(),
            b""
        );
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let directory = TempDir::new().unwrap();
        let vault = vault(&directory).unwrap();
        let sealed: HashSet<Vec<u8>> = (0..100).map(|_| vault.seal(b"hunter2")).collect();
        assert_eq!(sealed.len(), 100);
        assert!(
            sealed
                .iter()
                .all(|sealed| !sealed.windows(7).any(|window| window == b"hunter2"))
        );
    }

    #[test]
    fn a_changed_byte_a_missing_end_and_another_key_are_noticed() {
        let directory = TempDir::new().unwrap();
        let vault = vault(&directory).unwrap();
        let sealed = vault.seal(b"hunter2");
        for place in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert!(vault.open(&damaged).is_err(), "byte {place}");
            assert!(vault.open(&sealed[..place]).is_err(), "{place} bytes");
        }
        let other = TempDir::new().unwrap();
        assert!(super::tests::vault(&other).unwrap().open(&sealed).is_err());
    }

    #[test]
    fn the_key_file_is_for_its_owner_alone_and_nothing_else_is_left() {
        let directory = TempDir::new().unwrap();
        vault(&directory).unwrap();
        let path = directory.path().join(KEY_FILE);
        assert_eq!((mode(&path), fs::read(&path).unwrap().len()), (0o600, 32));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused_in_words() {
        let directory = TempDir::new().unwrap();
        vault(&directory).unwrap();
        let path = directory.path().join(KEY_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = vault(&directory).err().unwrap().to_string();
        assert!(error.contains("mode 0640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_key_of_the_wrong_length_is_refused_and_left_alone() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join(KEY_FILE);
        for bytes in [&b""[..], b"short", &[7; 33]] {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = vault(&directory).err().unwrap().to_string();
            assert!(
                error.contains(&format!("has {} bytes, expected 32", bytes.len())),
                "{error}"
            );
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_missing_directory_is_an_error_with_the_path() {
        let error = FileVault::open(Path::new("/nonexistent/data"), Arc::new(SystemEntropy))
            .err()
            .unwrap();
        assert!(error.to_string().contains("/nonexistent/data/vault.key"), "{error}");
    }

    #[test]
    fn starts_at_the_same_moment_agree_on_one_key() {
        let directory = TempDir::new().unwrap();
        let vaults: Vec<FileVault> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| vault(&directory).unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let sealed = vaults[0].seal(b"x");
        assert!(vaults.iter().all(|vault| vault.open(&sealed).is_ok()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
