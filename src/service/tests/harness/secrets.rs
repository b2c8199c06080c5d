//! Entropy that the test knows, and a vault that keeps nothing from anybody.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::ports::{Entropy, Vault, VaultError};

/// Draws of four bytes, which make a jitter, are what the test sets; longer ones differ each time.
#[derive(Default)]
pub(crate) struct Dice {
    jitter: AtomicU32,
    drawn: AtomicU32,
}

impl Dice {
    /// A fraction of `u32::MAX`; zero until it is set.
    pub(crate) fn show(&self, jitter: u32) {
        self.jitter.store(jitter, Relaxed);
    }
}

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        if let Ok(jitter) = <&mut [u8; 4]>::try_from(&mut *bytes) {
            *jitter = self.jitter.load(Relaxed).to_be_bytes();
            return;
        }
        let seed = self.drawn.fetch_add(1, Relaxed);
        for (place, byte) in (0_u32..).zip(bytes) {
            *byte = (seed.wrapping_mul(31).wrapping_add(place) % 251) as u8;
        }
    }
}

/// Marks what it sealed.
pub(crate) struct PaperVault;

const MARK: &[u8] = b"sealed:";

impl Vault for PaperVault {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        [MARK, plain].concat()
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        sealed.strip_prefix(MARK).map(<[u8]>::to_vec).ok_or(VaultError)
    }
}
