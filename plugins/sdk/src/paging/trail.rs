//! Notices that a walk came back to where it was, with one place remembered (Brent's way of finding cycles).
//! Must not grow with the walk: it rides along in the state of every step.

use serde::{Deserialize, Serialize};

/// The remembered place moves on after 1, 2, 4, 8 … steps, so that a circle of any length is found within some three of
/// its rounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trail {
    mark: u64,
    taken: u32,
    until: u32,
}

impl Trail {
    pub(super) fn start(place: &[u8]) -> Self {
        Self {
            mark: digest(&[place]),
            taken: 0,
            until: 1,
        }
    }

    /// False where the walk was here before.
    pub(super) fn goes_to(&mut self, place: &[u8]) -> bool {
        self.goes_to_all(&[place])
    }

    /// The same for a place that has many parts.
    pub(super) fn goes_to_all(&mut self, parts: &[&[u8]]) -> bool {
        let here = digest(parts);
        if here == self.mark {
            return false;
        }
        self.taken = self.taken.saturating_add(1);
        if self.taken >= self.until {
            self.mark = here;
            self.taken = 0;
            self.until = self.until.saturating_mul(2);
        }
        true
    }
}

/// FNV-1a in 64 bits: the same everywhere, and enough to tell one page from the next.
fn digest(parts: &[&[u8]]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let eat = |digest: u64, byte: u8| (digest ^ u64::from(byte)).wrapping_mul(PRIME);
    parts.iter().fold(BASIS, |digest, part| {
        let digest = part.iter().fold(digest, |digest, byte| eat(digest, *byte));
        // Else `ab`, `c` would be `a`, `bc`; no UTF-8 has this byte.
        eat(digest, 0xff)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many steps a walk is found to go in circles: `lead` places, then `circle` places again and again.
    fn found_after(lead: u32, circle: u32) -> Option<u32> {
        let place = |step: u32| match step {
            step if step < lead => step,
            step => lead + (step - lead) % circle,
        };
        let mut trail = Trail::start(&place(0).to_le_bytes());
        (1..10_000).find(|step| !trail.goes_to(&place(*step).to_le_bytes()))
    }

    #[test]
    fn a_circle_of_any_length_is_found_soon() {
        for lead in [0, 1, 2, 7, 100] {
            for circle in [1, 2, 3, 10, 500] {
                let found = found_after(lead, circle).unwrap();
                assert!(found <= 3 * (lead + circle), "{lead} and {circle}: {found}");
            }
        }
        assert_eq!(found_after(0, 1), Some(1), "the same place again is found at once");
    }

    #[test]
    fn a_walk_that_moves_on_is_none() {
        assert_eq!(found_after(10_000, 1), None);
    }

    #[test]
    fn parts_are_told_from_one_another() {
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
    }
}
