//! Secrets that are kept as hashes: which still count, what a rotation leaves, how they are compared.
//! Draws no secret and stores none.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::domain::credential::{AccountSecret, Credential};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;

/// Longest time for which an old secret may stay valid after a rotation, in seconds: a week.
pub const GRACE_SECONDS_MAX: u32 = 604_800;
/// Most old secrets that are valid beside the new one; the oldest goes first.
pub const OLD_MAX: usize = 4;
/// Random bytes that make a secret.
pub const SECRET_BYTES: usize = 32;

/// SHA-256 in hex. The secrets that the gateway makes have 128 random bits at least, so that a plain hash keeps them secret.
#[must_use]
pub fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// The text of a new token: 32 bytes in base64.
#[must_use]
pub fn token(random: &[u8; SECRET_BYTES]) -> Secret {
    Secret::new(STANDARD.encode(random))
}

/// The text of a new secret of the account, in the forms that Cloud Elements gave them.
#[must_use]
pub fn account_secret(which: AccountSecret, random: &[u8; SECRET_BYTES]) -> Secret {
    match which {
        AccountSecret::User => token(random),
        AccountSecret::Organization => Secret::new(hex(&random[..16])),
    }
}

/// Is this one of the secrets that count now? Looks at all of them, whichever fits, in constant time.
#[must_use]
pub fn fits<'a>(secret: &str, kept: impl IntoIterator<Item = &'a Credential>, now: Timestamp) -> bool {
    let presented = hash(secret);
    let fits = kept.into_iter().fold(Choice::from(0), |fits, credential| {
        let equal = presented.as_bytes().ct_eq(credential.sha256.as_bytes());
        fits | (equal & Choice::from(u8::from(counts(credential, now))))
    });
    fits.into()
}

/// What is kept when `new` takes the place of the others: they count for `grace` longer, but none for longer than it would
/// have anyway. Those that count no more are dropped.
#[must_use]
pub fn rotate(kept: &[Credential], new: &Secret, grace: Duration, now: Timestamp) -> Vec<Credential> {
    let end = now.plus(grace);
    let new = Credential {
        sha256: hash(new.expose()),
        until: None,
    };
    let old = kept.iter().map(|credential| Credential {
        sha256: credential.sha256.clone(),
        until: Some(credential.until.map_or(end, |until| until.min(end))),
    });
    let old = old.filter(|credential| counts(credential, now)).take(OLD_MAX);
    std::iter::once(new).chain(old).collect()
}

/// Does it let anybody in at this time?
#[must_use]
pub fn counts(credential: &Credential, now: Timestamp) -> bool {
    credential.until.is_none_or(|until| now < until)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(1_700_000_000_000 + seconds * 1_000)
    }

    fn kept(secret: &str, until: Option<i64>) -> Credential {
        Credential {
            sha256: hash(secret),
            until: until.map(at),
        }
    }

    #[test]
    fn a_secret_fits_while_it_counts() {
        let all = [kept("new", None), kept("old", Some(10))];
        for (secret, seconds, expected) in [
            ("new", 0, true),
            ("new", 1_000, true),
            ("old", 9, true),
            ("old", 10, false),
            ("", 0, false),
            ("other", 0, false),
            (&hash("new"), 0, false),
        ] {
            assert_eq!(fits(secret, &all, at(seconds)), expected, "{secret} at {seconds}");
        }
        assert!(!fits("", &[], at(0)));
    }

    #[test]
    fn a_rotation_without_grace_ends_the_old_secret_at_once() {
        let rotated = rotate(&[kept("old", None)], &Secret::new("new"), Duration::ZERO, at(0));
        assert_eq!(rotated, [kept("new", None)]);
    }

    #[test]
    fn a_rotation_with_grace_keeps_the_old_ones_for_it_and_for_no_longer_than_they_had() {
        let before = [kept("b", None), kept("a", Some(5)), kept("ended", Some(0))];
        let rotated = rotate(&before, &Secret::new("c"), Duration::from_secs(60), at(0));
        assert_eq!(rotated, [kept("c", None), kept("b", Some(60)), kept("a", Some(5))]);
        let again = rotate(&rotated, &Secret::new("d"), Duration::from_secs(20), at(1));
        let expected = [
            kept("d", None),
            kept("c", Some(21)),
            kept("b", Some(21)),
            kept("a", Some(5)),
        ];
        assert_eq!(again, expected);
    }

    #[test]
    fn old_secrets_do_not_heap_up() {
        let mut all = vec![kept("0", None)];
        for number in 1..=10 {
            let new = Secret::new(number.to_string());
            all = rotate(&all, &new, Duration::from_hours(1), at(0));
        }
        assert_eq!(all.len(), 1 + OLD_MAX);
        assert!(fits("10", &all, at(1)) && fits("6", &all, at(1)) && !fits("5", &all, at(1)));
    }

    #[test]
    fn a_new_secret_has_the_form_of_its_kind() {
        let user = account_secret(AccountSecret::User, &[7; 32]);
        assert_eq!(STANDARD.decode(user.expose()).unwrap(), [7; 32]);
        let organization = account_secret(AccountSecret::Organization, &[0xab; 32]);
        assert_eq!(organization.expose(), "ab".repeat(16));
        assert_eq!(hash("abc")[..16], *"ba7816bf8f01cfea");
    }
}
