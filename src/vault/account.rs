//! The account's secrets at rest: hashes in `account.json`, and on the first start a plain copy of each for people.
//! Must not read a plain copy once its hash is kept: whoever reads it later has the copy that was left lying about.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, create_private, random, read_private, replace_private};
use crate::domain::credential::{AccountSecret, AccountSecrets, Credential};
use crate::domain::secret::Secret;
use crate::engine::credentials::{self, SECRET_BYTES};
use crate::ports::{self, Entropy, StoreError, Stored};

/// Name of the file within the data directory.
pub const ACCOUNT_FILE: &str = "account.json";

/// `DIR/account.json` and the plain copies beside it.
#[derive(Clone)]
pub struct AccountFile {
    dir: PathBuf,
    entropy: Arc<dyn Entropy>,
}

impl AccountFile {
    /// What is kept, with a hash for each secret in `wanted`. One that has none is taken from its plain copy, which an older
    /// gateway or a hand wrote, or is made and its plain copy written.
    pub fn open(
        dir: &Path,
        wanted: &[AccountSecret],
        entropy: Arc<dyn Entropy>,
    ) -> Result<(Arc<Self>, AccountSecrets), Error> {
        let file = Self {
            dir: dir.to_owned(),
            entropy,
        };
        let path = file.dir.join(ACCOUNT_FILE);
        let mut kept = match read_private(&path)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::Damaged { path, source })?,
            None => AccountSecrets::default(),
        };
        let before = kept.clone();
        for which in wanted {
            if kept.of(*which).is_empty() {
                let secret = file.plain_copy(*which)?;
                *kept.of_mut(*which) = vec![Credential {
                    sha256: credentials::hash(secret.expose()),
                    until: None,
                }];
            }
        }
        if kept != before {
            file.write(&kept)?;
        }
        Ok((Arc::new(file), kept))
    }

    /// Plain copies that still lie there, for a word to the operator.
    pub fn plain_copies(&self) -> Vec<PathBuf> {
        let both = [AccountSecret::User, AccountSecret::Organization];
        let paths = both.into_iter().map(|which| self.plain_path(which));
        paths.filter(|path| path.exists()).collect()
    }

    fn plain_path(&self, which: AccountSecret) -> PathBuf {
        self.dir.join(format!("{}.secret", which.name()))
    }

    fn plain_copy(&self, which: AccountSecret) -> Result<Secret, Error> {
        let path = self.plain_path(which);
        let new = || credentials::account_secret(which, &random::<SECRET_BYTES>(&*self.entropy));
        let bytes = match read_private(&path)? {
            Some(bytes) => bytes,
            None => create_private(&path, format!("{}\n", new().expose()).as_bytes(), &*self.entropy)?,
        };
        let text = String::from_utf8(bytes).unwrap_or_default();
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::NoSecret(path));
        }
        Ok(Secret::new(text))
    }

    fn write(&self, kept: &AccountSecrets) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(kept).expect("hashes and times are always JSON");
        replace_private(&self.dir.join(ACCOUNT_FILE), (text + "\n").as_bytes(), &*self.entropy)
    }

    fn put(&self, kept: &AccountSecrets, rotated: AccountSecret) -> Result<(), Error> {
        self.write(kept)?;
        let path = self.plain_path(rotated);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::Remove(path, error)),
            _ => Ok(()),
        }
    }
}

impl ports::AccountFile for AccountFile {
    fn put(&self, kept: AccountSecrets, rotated: AccountSecret) -> Stored<()> {
        let file = self.clone();
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || Self::put(&file, &kept, rotated)).await;
            let written = written.map_err(|_| StoreError::Transient("the gateway is stopping".into()))?;
            written.map_err(|error| {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                StoreError::Transient(format!("{error}: {}", source.unwrap_or_default()))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;
    use crate::clock::SystemEntropy;

    const BOTH: &[AccountSecret] = &[AccountSecret::User, AccountSecret::Organization];

    fn open(directory: &TempDir, wanted: &[AccountSecret]) -> Result<AccountSecrets, Error> {
        AccountFile::open(directory.path(), wanted, Arc::new(SystemEntropy)).map(|(_, kept)| kept)
    }

    fn plain(directory: &TempDir, name: &str) -> String {
        let path = directory.path().join(name);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
        fs::read_to_string(path).unwrap().trim().to_owned()
    }

    fn write(directory: &TempDir, name: &str, text: &str) {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn the_first_start_makes_secrets_shows_them_once_and_keeps_hashes() {
        let directory = TempDir::new().unwrap();
        let first = open(&directory, BOTH).unwrap();
        let kept = plain(&directory, ACCOUNT_FILE);
        for (which, name) in [
            (AccountSecret::User, "user.secret"),
            (AccountSecret::Organization, "organization.secret"),
        ] {
            let secret = plain(&directory, name);
            assert!(secret.len() >= 32);
            assert_eq!(first.of(which)[0].sha256, credentials::hash(&secret));
            assert!(!kept.contains(&secret), "account.json holds hashes alone");
            fs::remove_file(directory.path().join(name)).unwrap();
        }
        assert_eq!(open(&directory, BOTH).unwrap(), first, "without the plain copies");
        assert!(!directory.path().join("user.secret").exists(), "they are written once");
    }

    #[test]
    fn a_data_directory_with_plain_secrets_alone_goes_on_with_them() {
        let directory = TempDir::new().unwrap();
        write(&directory, "user.secret", " mine \r\n");
        let kept = open(&directory, BOTH).unwrap();
        assert_eq!(kept.user[0].sha256, credentials::hash("mine"));
        write(&directory, "user.secret", "another");
        assert_eq!(open(&directory, BOTH).unwrap(), kept, "the hash counts from now on");
    }

    #[test]
    fn a_secret_that_the_operator_sets_is_neither_made_nor_kept() {
        let directory = TempDir::new().unwrap();
        assert_eq!(open(&directory, &[]).unwrap(), AccountSecrets::default());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let kept = open(&directory, &[AccountSecret::User]).unwrap();
        assert_eq!((kept.user.len(), kept.organization.len()), (1, 0));
        let both = open(&directory, BOTH).unwrap();
        assert_eq!((&both.user, both.organization.len()), (&kept.user, 1));
    }

    #[test]
    fn a_plain_secret_may_be_written_by_hand_but_not_be_empty() {
        for text in ["", "\n", "two words", "ä"] {
            let directory = TempDir::new().unwrap();
            write(&directory, "user.secret", text);
            assert!(matches!(open(&directory, BOTH), Err(Error::NoSecret(_))), "{text:?}");
        }
    }

    #[test]
    fn a_damaged_or_exposed_file_is_refused_and_left_alone() {
        let directory = TempDir::new().unwrap();
        write(&directory, ACCOUNT_FILE, "{");
        let error = open(&directory, BOTH).unwrap_err().to_string();
        assert!(error.contains("account.json") && error.contains("remove it"), "{error}");
        write(&directory, ACCOUNT_FILE, "{}");
        let path = directory.path().join(ACCOUNT_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(open(&directory, BOTH), Err(Error::Exposed { .. })));
    }

    #[test]
    fn a_rotation_replaces_the_hashes_and_takes_the_plain_copy_away() {
        let directory = TempDir::new().unwrap();
        let (file, mut next) = AccountFile::open(directory.path(), BOTH, Arc::new(SystemEntropy)).unwrap();
        next.user[0].sha256 = credentials::hash("new");
        file.put(&next, AccountSecret::User).unwrap();
        assert_eq!(open(&directory, BOTH).unwrap(), next);
        let left: Vec<_> = file.plain_copies();
        assert_eq!(left, [directory.path().join("organization.secret")]);
        file.put(&next, AccountSecret::User).unwrap();
    }
}
