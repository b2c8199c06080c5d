//! Canonical objects: one at a time, or thousands of one shape.
//! It must not decide what a record holds: callers drop and rename members before.
use super::error::{Error, Stop, Wanted};
use super::plan::{NAMES_MAX, Plan};
use super::text;
use super::value::{Kind, Member, Value};

/// The members of a document that is one object, in document order, duplicates included.
pub fn parse_object(document: &[u8]) -> Result<Vec<Member<'_>>, Error> {
    let value = Value::parse(document)?;
    if value.kind() == Kind::Object {
        return Ok(value.members().collect());
    }
    let (text, skipped) = text::checked(document)?;
    let at = text.len() - text.trim_ascii_start().len();
    Err(Stop {
        at,
        wanted: Wanted::Object,
    }
    .into_error(text, skipped))
}

/// Appends an object of these members as canonical JSON; sorts `members` on the way. Of equal names the last one wins.
/// For many objects of one shape, [`ObjectWriter`] is several times as fast.
pub fn write_object(members: &mut [Member<'_>], out: &mut Vec<u8>) {
    // Stable, so that the last of equal names stays the last.
    if members.iter().any(|member| member.key.contains('\\')) {
        members.sort_by(|left, right| left.name().cmp(&right.name()));
    } else {
        members.sort_by_key(|member| member.key);
    }
    out.push(b'{');
    let start = out.len();
    for (index, member) in members.iter().enumerate() {
        let name = member.name();
        if members.get(index + 1).is_some_and(|next| next.name() == name) {
            continue;
        }
        if out.len() > start {
            out.push(b',');
        }
        text::write_string(&name, out);
        out.push(b':');
        member.value.write_canonical(out);
    }
    out.push(b'}');
}

/// Writes objects as canonical JSON and remembers the order of their names, which is mostly that of the object before.
/// One writer serves one page (names are recognised by their address), or anything else of one shape.
#[derive(Default)]
pub struct ObjectWriter<'a> {
    plan: Plan<'a>,
    /// By rank: which member is written there.
    places: Vec<usize>,
    present: [u64; NAMES_MAX / 64],
    drops_nulls: bool,
}

impl<'a> ObjectWriter<'a> {
    /// Writes every member.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out members whose value is null: cheaper than a caller doing so.
    pub fn dropping_nulls() -> Self {
        Self {
            drops_nulls: true,
            ..Self::default()
        }
    }

    /// Appends an object of these members. Of equal names the last one wins.
    pub fn write(&mut self, members: &[Member<'a>], out: &mut Vec<u8>) {
        if !self.place(members) {
            let learned = self.plan.learn(members.iter().map(|member| member.key));
            if !learned || !self.place(members) {
                return self.write_unplanned(members, out);
            }
        }
        self.write_placed(members, out);
    }

    /// Finds every member's rank. False where a name is unknown.
    #[inline(always)]
    fn place(&mut self, members: &[Member<'a>]) -> bool {
        self.present = [0; NAMES_MAX / 64];
        self.places.resize(self.plan.ranks(), 0);
        let mut next = 0;
        for (index, member) in members.iter().enumerate() {
            let Some((place, rank)) = self.plan.find(next, member.key) else {
                return false;
            };
            next = place + 1;
            self.places[rank] = index;
            let written = !(self.drops_nulls && member.value.is_null());
            let word = &mut self.present[rank / 64 % (NAMES_MAX / 64)];
            *word = *word & !(1 << (rank % 64)) | u64::from(written) << (rank % 64);
        }
        true
    }

    #[inline(always)]
    fn write_placed(&self, members: &[Member<'a>], out: &mut Vec<u8>) {
        let start = out.len();
        for (index, word) in self.present.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                let rank = index * 64 + word.trailing_zeros() as usize;
                word &= word - 1;
                self.plan.write_name(rank, out);
                write_value(&members[self.places[rank]].value, out);
            }
        }
        // Every name comes with a comma before it; the first one's place is the brace's.
        match out.get_mut(start) {
            Some(first) => *first = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }

    #[cold]
    fn write_unplanned(&self, members: &[Member<'a>], out: &mut Vec<u8>) {
        let mut members = members.to_vec();
        if !self.drops_nulls {
            return write_object(&mut members, out);
        }
        // A null that is the last of equal names drops the name, as it does in the planned way.
        members.reverse();
        let mut seen = std::collections::BTreeSet::new();
        let mut kept: Vec<_> = Vec::with_capacity(members.len());
        for member in &members {
            if seen.insert(member.name()) && !member.value.is_null() {
                kept.push(*member);
            }
        }
        write_object(&mut kept, out);
    }
}

#[inline(always)]
fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    if value.is_canonical() {
        copy_short(value.raw().as_bytes(), out)
    } else {
        value.write_canonical(out)
    }
}

/// Appends bytes, mostly few, in pieces of fixed sizes: a call for each copy is what costs most in WebAssembly.
/// The last piece overlaps the one before it.
#[inline(always)]
fn copy_short(bytes: &[u8], out: &mut Vec<u8>) {
    let end = out.len() + bytes.len();
    if copy_pieces::<16>(bytes, end, out) || copy_pieces::<4>(bytes, end, out) {
        return;
    }
    for byte in bytes {
        out.push(*byte);
    }
}

#[inline(always)]
fn copy_pieces<const SIZE: usize>(bytes: &[u8], end: usize, out: &mut Vec<u8>) -> bool {
    let Some(last) = bytes.last_chunk::<SIZE>() else {
        return false;
    };
    let mut rest = bytes;
    while let Some((piece, after)) = rest.split_first_chunk::<SIZE>() {
        out.extend_from_slice(piece);
        rest = after;
    }
    out.truncate(end - SIZE);
    out.extend_from_slice(last);
    true
}
