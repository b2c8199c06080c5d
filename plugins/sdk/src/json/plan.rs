//! Names seen so far and the order they are written in, so that records of one shape are sorted once.
//! It must not hold values: a plan outlives the record it was learned from.
use super::text;

/// More names than this are no shape but data: such objects are sorted one by one.
pub(super) const NAMES_MAX: usize = 512;

/// Records that may each teach new names. Sorting anew for every record would cost more than it saves.
const LESSONS_MAX: usize = 64;

/// Bytes copied at a time, too many rather than by a call: most names fit in one piece. `text` is padded with as many.
const PIECE: usize = 32;

#[derive(Default)]
pub(super) struct Plan<'a> {
    /// In document order, as far as several records agree on one.
    names: Vec<Name<'a>>,
    /// By rank: where `,"name":` stands in `text`.
    fragments: Vec<Fragment>,
    text: Vec<u8>,
    lessons: usize,
}

struct Name<'a> {
    key: &'a str,
    rank: usize,
}

#[derive(Clone, Copy)]
struct Fragment {
    start: usize,
    length: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn ranks(&self) -> usize {
        self.fragments.len()
    }

    /// The place and rank of a name, which is most likely the one at place `next`.
    #[inline(always)]
    pub(super) fn find(&self, next: usize, key: &str) -> Option<(usize, usize)> {
        match self.names.get(next) {
            Some(name) if is_same(name.key, key) => Some((next, name.rank)),
            _ => self.search(next, key),
        }
    }

    #[inline(never)]
    fn search(&self, next: usize, key: &str) -> Option<(usize, usize)> {
        let next = next.min(self.names.len());
        let (before, after) = self.names.split_at(next);
        let place = match after.iter().position(|name| name.key == key) {
            Some(offset) => next + offset,
            None => before.iter().position(|name| name.key == key)?,
        };
        Some((place, self.names[place].rank))
    }

    /// Adds a record's unknown names. False where the plan takes no more.
    #[cold]
    pub(super) fn learn(&mut self, keys: impl Iterator<Item = &'a str>) -> bool {
        if self.lessons == LESSONS_MAX {
            return false;
        }
        self.lessons += 1;
        let mut next = 0;
        let mut learned = true;
        for key in keys {
            next = match self.search(next, key) {
                Some((place, _)) => place + 1,
                None if self.names.len() < NAMES_MAX => {
                    self.names.insert(next, Name { key, rank: 0 });
                    next + 1
                }
                None => {
                    learned = false;
                    break;
                }
            };
        }
        self.rank();
        learned
    }

    fn rank(&mut self) {
        let mut order: Vec<_> = self
            .names
            .iter()
            .enumerate()
            .map(|(place, name)| (text::unescaped(name.key), place))
            .collect();
        order.sort_unstable();
        self.fragments.clear();
        self.text.clear();
        let mut ranks = vec![0; order.len()];
        let mut previous = None;
        for (meaning, place) in &order {
            if previous != Some(meaning) {
                let start = self.text.len();
                self.text.push(b',');
                text::write_string(meaning, &mut self.text);
                self.text.push(b':');
                self.fragments.push(Fragment {
                    start,
                    length: self.text.len() - start,
                });
                previous = Some(meaning);
            }
            ranks[*place] = self.fragments.len() - 1;
        }
        drop(order);
        self.text.resize(self.text.len() + PIECE, 0);
        for (name, rank) in self.names.iter_mut().zip(ranks) {
            name.rank = rank;
        }
    }

    /// Appends `,"name":`.
    #[inline(always)]
    pub(super) fn write_name(&self, rank: usize, out: &mut Vec<u8>) {
        let Fragment { start, length } = self.fragments[rank];
        let end = out.len() + length;
        let mut at = start;
        while let Some(piece) = self.text.get(at..).and_then(|rest| rest.first_chunk::<PIECE>()) {
            out.extend_from_slice(piece);
            at += PIECE;
            if at >= start + length {
                break;
            }
        }
        out.truncate(end);
    }
}

/// Names of one page are mostly the very same text, which an address tells without reading it.
#[inline(always)]
fn is_same(left: &str, right: &str) -> bool {
    left.len() == right.len() && (core::ptr::eq(left, right) || left == right)
}
