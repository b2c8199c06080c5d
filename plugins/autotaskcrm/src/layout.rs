//! How records of one shape become hub records: worked out once for a page, then followed for each record.
//! Must not look at values: only names decide.

use std::borrow::Cow;
use std::ops::Range;

use tidegate_sdk::json::{self, Kind, Member, Value};

use crate::entities::{self, Naming};
use crate::records::Wanted;

/// The vendor's number of a record, which pages are ordered by.
const WALK_FIELD: &str = "id";

/// The vendor's list of fields that its customers define.
const USER_DEFINED: &str = "userDefinedFields";

/// More shapes than this in one page are forgotten again, the oldest first.
const LAYOUTS_MAX: usize = 8;

/// The order, the names and the places of what is wanted, for records with these names.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    /// As the vendor sends them, escapes and all; to recognise a record of this shape.
    keys: Vec<&'a str>,
    /// In the order of the hub's names.
    slots: Vec<Slot>,
    /// `,"name":` of every slot, one after the other.
    names: Vec<u8>,
    walk: Option<usize>,
    id: Option<Place>,
    pub(crate) created: Candidates,
    pub(crate) updated: Candidates,
}

#[derive(Debug)]
struct Slot {
    /// Which member is written.
    member: usize,
    name: Range<usize>,
    is_user_defined: bool,
}

/// Where a path leads: a member, and what to follow inside it.
#[derive(Debug)]
pub(crate) struct Place {
    member: usize,
    inside: Vec<String>,
}

/// Those of some paths that lead somewhere.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    places: Vec<Place>,
    /// The first path leads somewhere.
    pub(crate) has_first: bool,
}

impl Candidates {
    fn find(paths: &[String], names: &[Name<'_>]) -> Self {
        let found: Vec<_> = paths.iter().map(|path| Place::find(path, names)).collect();
        let has_first = found.first().is_some_and(Option::is_some);
        Self {
            places: found.into_iter().flatten().collect(),
            has_first,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The first value that is not null.
    #[inline]
    pub(crate) fn value<'a>(&self, members: &[Member<'a>]) -> Option<Value<'a>> {
        self.places.iter().find_map(|place| place.value(members))
    }
}

/// A member's name, in both spellings.
struct Name<'a> {
    vendor: Cow<'a, str>,
    hub: String,
}

impl Place {
    /// A path names the first member in either spelling, in any case if there is none in this case.
    fn find(path: &str, names: &[Name<'_>]) -> Option<Self> {
        let mut segments = segments(path).into_iter();
        let first = segments.next()?;
        let member = names
            .iter()
            .rposition(|name| name.hub == first || name.vendor == first)
            .or_else(|| names.iter().rposition(|name| name.vendor.eq_ignore_ascii_case(&first)))?;
        Some(Self {
            member,
            inside: segments.collect(),
        })
    }

    fn value<'a>(&self, members: &[Member<'a>]) -> Option<Value<'a>> {
        let member = members.get(self.member)?;
        let value = self
            .inside
            .iter()
            .try_fold(member.value, |value, name| match value.kind() {
                Kind::Array => user_defined(&value)
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value),
                _ => value.get(name),
            })?;
        (!value.is_null()).then_some(value)
    }
}

/// The names of a path: `a.b`, `['a b']` or both mixed.
pub(crate) fn segments(path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let quoted = ["['", "[\""].into_iter().find_map(|open| {
            let inside = rest.strip_prefix(open)?;
            inside.split_once(if open.ends_with('\'') { "']" } else { "\"]" })
        });
        let (segment, after) = quoted.unwrap_or_else(|| rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())));
        if segment.is_empty() && quoted.is_none() && after.starts_with('[') {
            // A bracket without quotes is part of a name.
            found.push(rest.to_owned());
            break;
        }
        found.push(segment.to_owned());
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    found
}

/// Name and value of each user-defined field; what has another shape is passed over.
fn user_defined<'a>(list: &Value<'a>) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> {
    list.elements().filter_map(|field| named_value(&field))
}

fn named_value<'a>(field: &Value<'a>) -> Option<(Cow<'a, str>, Value<'a>)> {
    let (mut name, mut value) = (None, None);
    for member in field.members() {
        match member.key {
            "name" => name = member.value.as_str(),
            "value" => value = Some(member.value),
            _ => {}
        }
    }
    Some((name?, value?))
}

impl<'a> Layout<'a> {
    fn of(members: &[Member<'a>], wanted: &Wanted<'_>) -> Self {
        let names = names(members, wanted.naming);
        let mut order: Vec<usize> = (0..members.len()).collect();
        // Stable: of equal names the last stays the last, and only it is written.
        order.sort_by(|left, right| names[*left].hub.cmp(&names[*right].hub));
        let is_last = |place: usize| {
            order
                .get(place + 1)
                .is_none_or(|next| names[*next].hub != names[order[place]].hub)
        };
        let mut layout = Self {
            keys: members.iter().map(|member| member.key).collect(),
            slots: Vec::with_capacity(members.len()),
            names: Vec::with_capacity(members.len() * 24),
            walk: names.iter().rposition(|name| name.vendor == WALK_FIELD),
            id: Place::find(wanted.id_field, &names),
            created: Candidates::find(&wanted.dates.created, &names),
            updated: Candidates::find(&wanted.dates.updated, &names),
        };
        for place in (0..order.len()).filter(|place| is_last(*place)) {
            let member = order[place];
            let start = layout.names.len();
            layout.names.push(b',');
            json::write_string(&names[member].hub, &mut layout.names);
            layout.names.push(b':');
            let is_user_defined = names[member].vendor == USER_DEFINED;
            layout.slots.push(Slot {
                member,
                name: start..layout.names.len(),
                is_user_defined,
            });
        }
        layout
    }

    /// Has the record the names of this layout? Names that repeat from record to record are mostly one text in memory.
    #[inline]
    fn fits(&self, members: &[Member<'a>]) -> bool {
        let same = |known: &&str, member: &Member<'a>| std::ptr::eq(*known, member.key) || *known == member.key;
        self.keys.len() == members.len() && self.keys.iter().zip(members).all(|(known, member)| same(known, member))
    }

    /// The vendor's number of the record.
    #[inline]
    pub(crate) fn walk_id(&self, members: &[Member<'a>]) -> Option<i64> {
        members.get(self.walk?)?.value.as_i64()
    }

    /// The record's id as text; None where the id field is absent, null, empty or no text or number.
    #[inline]
    pub(crate) fn id(&self, members: &[Member<'a>]) -> Option<Cow<'a, str>> {
        let value = self.id.as_ref()?.value(members)?;
        match value.kind() {
            Kind::Number => Some(Cow::Borrowed(value.raw())),
            Kind::String => value.as_str().filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// Appends the record in the hub's form.
    #[inline]
    pub(crate) fn write(&self, members: &[Member<'a>], drop_nulls: bool, out: &mut Vec<u8>) {
        let start = out.len();
        for slot in &self.slots {
            let value = &members[slot.member].value;
            if drop_nulls && value.is_null() {
                continue;
            }
            append(&self.names[slot.name.clone()], out);
            if slot.is_user_defined {
                write_user_defined(value, drop_nulls, out);
            } else if value.is_canonical() {
                append(value.raw().as_bytes(), out);
            } else {
                value.write_canonical(out);
            }
        }
        // Every name comes with a comma before it; the first one's place is the brace's.
        match out.get_mut(start) {
            Some(first) => *first = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }
}

/// A list of names and values as an object; anything else as it is.
fn write_user_defined(list: &Value<'_>, drop_nulls: bool, out: &mut Vec<u8>) {
    let mut fields = Vec::new();
    for field in list.elements() {
        let Some(field) = named_value(&field) else {
            return list.write_canonical(out);
        };
        fields.push(field);
    }
    if list.kind() != Kind::Array {
        return list.write_canonical(out);
    }
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    out.push(b'{');
    let start = out.len();
    for (index, (name, value)) in fields.iter().enumerate() {
        let is_last = fields.get(index + 1).is_none_or(|next| next.0 != *name);
        if !is_last || (drop_nulls && value.is_null()) {
            continue;
        }
        if out.len() > start {
            out.push(b',');
        }
        json::write_string(name, out);
        out.push(b':');
        value.write_canonical(out);
    }
    out.push(b'}');
}

/// Appends bytes, mostly few: copying them in pieces of a fixed size spares a call for each, which is what costs in
/// WebAssembly. The last piece overlaps the one before it.
#[inline(always)]
fn append(bytes: &[u8], out: &mut Vec<u8>) {
    const PIECE: usize = 16;
    let Some(last) = bytes.last_chunk::<PIECE>() else {
        for byte in bytes {
            out.push(*byte);
        }
        return;
    };
    let end = out.len() + bytes.len();
    let (pieces, _) = bytes.as_chunks::<PIECE>();
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out.truncate(end - PIECE);
    out.extend_from_slice(last);
}

/// Both names of every member. A member keeps the vendor's name where the hub's is taken by another one.
fn names<'m>(members: &'m [Member<'_>], naming: Naming) -> Vec<Name<'m>> {
    let vendor: Vec<_> = members.iter().map(Member::name).collect();
    let hub = |name: &str| match naming {
        Naming::Vendor => name.to_owned(),
        Naming::Hub => Some(entities::hub_name(name).into_owned())
            .filter(|hub| !vendor.iter().any(|taken| taken == hub))
            .unwrap_or_else(|| name.to_owned()),
    };
    vendor
        .iter()
        .map(|name| Name {
            hub: hub(name),
            vendor: name.clone(),
        })
        .collect()
}

/// The layouts of a page; mostly one.
pub(crate) struct Layouts<'a, 'w> {
    wanted: &'w Wanted<'w>,
    /// The one used last is the last.
    known: Vec<Layout<'a>>,
}

impl<'a, 'w> Layouts<'a, 'w> {
    pub(crate) fn new(wanted: &'w Wanted<'w>) -> Self {
        Self {
            wanted,
            known: Vec::new(),
        }
    }

    /// The layout of a record, and whether it is the first record of this shape.
    #[inline]
    pub(crate) fn of(&mut self, members: &[Member<'a>]) -> (&Layout<'a>, bool) {
        let mut is_new = false;
        if !self.known.last().is_some_and(|layout| layout.fits(members)) {
            is_new = self.recall(members);
        }
        (&self.known[self.known.len() - 1], is_new)
    }

    /// Makes the record's layout the last one; true if it had to be worked out.
    #[cold]
    fn recall(&mut self, members: &[Member<'a>]) -> bool {
        if let Some(place) = self.known.iter().position(|layout| layout.fits(members)) {
            let layout = self.known.remove(place);
            self.known.push(layout);
            return false;
        }
        if self.known.len() == LAYOUTS_MAX {
            self.known.remove(0);
        }
        self.known.push(Layout::of(members, self.wanted));
        true
    }
}
