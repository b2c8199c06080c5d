//! A page of a list, as APIs send it: an envelope with an array of records in it.
//! It must not keep records: each is handed to the caller and forgotten.
use super::blocks::{BLOCK, Block, block_at, differing};
use super::error::{Error, Stop, Wanted};
use super::scan::{self, skip_space};
use super::text;
use super::value::{Kind, Member, Value};

/// More names than this are read without foresight.
const NAMES_MAX: usize = 256;

/// What the envelope holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<'a> {
    /// The envelope's members in document order, without the list if it was an array.
    pub members: Vec<Member<'a>>,
    pub list: List,
}

/// What was found under the list's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// No such member.
    Absent,
    Null,
    /// Neither array nor null.
    Other(Kind),
    Array {
        records: usize,
    },
}

impl<'a> Page<'a> {
    /// Whether the list was there and an array.
    pub fn found(&self) -> bool {
        matches!(self.list, List::Array { .. })
    }

    /// The value of the envelope's member of that name (of several, the last).
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.members
            .iter()
            .rev()
            .find(|member| member.name() == name)
            .map(|member| member.value)
    }
}

/// Reads a document that is one object, and calls `each` for each object of the array that its member `list_key` holds.
///
/// `each` gets the record's members in document order, duplicates included, in a buffer that is used again. It is called
/// while the document is being read: where this returns an error, what `each` has seen must be thrown away. Names that
/// several records share are mostly the same `&str`, which makes comparing them cheap.
pub fn scan_page<'a, E: From<Error>>(
    page: &'a [u8],
    list_key: &str,
    mut each: impl FnMut(&[Member<'a>]) -> Result<(), E>,
) -> Result<Page<'a>, E> {
    let (text, skipped) = text::checked(page)?;
    envelope(text, list_key, &mut each).map_err(|failure| match failure {
        Failure::Stop(stop) => stop.into_error(text, skipped).into(),
        Failure::Each(error) => error,
    })
}

/// Why reading stopped: the document's fault, or what `each` returned.
enum Failure<E> {
    Stop(Stop),
    Each(E),
}

impl<E> From<Stop> for Failure<E> {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

fn envelope<'a, E>(
    text: &'a str,
    list_key: &str,
    each: &mut impl FnMut(&[Member<'a>]) -> Result<(), E>,
) -> Result<Page<'a>, Failure<E>> {
    let bytes = text.as_bytes();
    let mut page = Page {
        members: Vec::new(),
        list: List::Absent,
    };
    let mut at = skip_space(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return Err(Stop {
            at,
            wanted: Wanted::Object,
        }
        .into());
    }
    at = skip_space(bytes, at + 1);
    let mut wanted = Wanted::NameOrEnd;
    while wanted == Wanted::Name || bytes.get(at) != Some(&b'}') {
        let (key, start) = name(text, at, wanted)?;
        let is_list = text::unescaped(key) == list_key;
        if is_list && page.list != List::Absent {
            return Err(Stop {
                at,
                wanted: Wanted::OneList,
            }
            .into());
        }
        if is_list && bytes.get(start) == Some(&b'[') {
            let (records, end) = list(text, start, each)?;
            page.list = List::Array { records };
            at = skip_space(bytes, end);
        } else {
            let scanned = scan::value(bytes, start, 1)?;
            if is_list {
                page.list = if scanned.kind == Kind::Null {
                    List::Null
                } else {
                    List::Other(scanned.kind)
                };
            }
            page.members.push(Member {
                key,
                value: Value::of(text, start, scanned),
            });
            at = skip_space(bytes, scanned.end);
        }
        match bytes.get(at) {
            Some(b',') => at = skip_space(bytes, at + 1),
            Some(b'}') => break,
            _ => {
                return Err(Stop {
                    at,
                    wanted: Wanted::ObjectNext,
                }
                .into());
            }
        }
        wanted = Wanted::Name;
    }
    match skip_space(bytes, at + 1) {
        end if end == bytes.len() => Ok(page),
        at => Err(Stop {
            at,
            wanted: Wanted::DocumentEnd,
        }
        .into()),
    }
}

/// Reads the array of records whose bracket is at `at`: how many, and where it ends.
fn list<'a, E>(
    text: &'a str,
    at: usize,
    each: &mut impl FnMut(&[Member<'a>]) -> Result<(), E>,
) -> Result<(usize, usize), Failure<E>> {
    let bytes = text.as_bytes();
    let mut names = Foresight::default();
    let mut members = Vec::new();
    let mut records = 0;
    let mut at = skip_space(bytes, at + 1);
    if bytes.get(at) == Some(&b']') {
        return Ok((0, at + 1));
    }
    loop {
        if bytes.get(at) != Some(&b'{') {
            return Err(Stop {
                at,
                wanted: Wanted::Object,
            }
            .into());
        }
        members.clear();
        names.next = 0;
        let end = record(text, at, &mut names, &mut members)?;
        each(&members).map_err(Failure::Each)?;
        records += 1;
        at = skip_space(bytes, end);
        match bytes.get(at) {
            Some(b',') => at = skip_space(bytes, at + 1),
            Some(b']') => return Ok((records, at + 1)),
            _ => {
                return Err(Stop {
                    at,
                    wanted: Wanted::ArrayNext,
                }
                .into());
            }
        }
    }
}

/// Levels around a record's members: envelope, list, record.
const RECORD_DEPTH: usize = 3;

/// Reads the record whose brace is at `at` into `members`.
fn record<'a>(
    text: &'a str,
    at: usize,
    names: &mut Foresight<'a>,
    members: &mut Vec<Member<'a>>,
) -> Result<usize, Stop> {
    let bytes = text.as_bytes();
    let mut at = at + 1;
    let mut wanted = Wanted::NameOrEnd;
    loop {
        let (key, start) = match names.foreseen(bytes, at) {
            Some(foreseen) => foreseen,
            None => {
                let quote = skip_space(bytes, at);
                if wanted == Wanted::NameOrEnd && bytes.get(quote) == Some(&b'}') {
                    return Ok(quote + 1);
                }
                let (key, start) = name(text, quote, wanted)?;
                (names.learned(&text[at..start], key), start)
            }
        };
        // White space may differ from what was foreseen.
        let start = skip_space(bytes, start);
        let scanned = scan::value(bytes, start, RECORD_DEPTH)?;
        members.push(Member {
            key,
            value: Value::of(text, start, scanned),
        });
        at = skip_space(bytes, scanned.end);
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b'}') => return Ok(at + 1),
            _ => return Stop::new(at, Wanted::ObjectNext),
        }
        wanted = Wanted::Name;
    }
}

/// Reads a name, its colon and the white space after it: the name as written, and where the value starts.
fn name(text: &str, at: usize, wanted: Wanted) -> Result<(&str, usize), Stop> {
    let bytes = text.as_bytes();
    let name = scan::name(bytes, at, wanted)?;
    let colon = skip_space(bytes, name.end);
    if bytes.get(colon) != Some(&b':') {
        return Stop::new(colon, Wanted::Colon);
    }
    Ok((&text[at + 1..name.end - 1], skip_space(bytes, colon + 1)))
}

/// The names of the records before, with all that stands between two values, to compare with rather than to read:
/// text that equals text that was read is as valid, and its end is known.
#[derive(Default)]
struct Foresight<'a> {
    names: Vec<Foreseen<'a>>,
    /// Which name comes next in this record.
    next: usize,
}

struct Foreseen<'a> {
    /// The start of `between`, padded.
    first: Block,
    second: Block,
    /// A bit for each byte of the two that counts.
    counts: u32,
    /// From after the comma or brace up to the value, as in `"name": `.
    between: &'a str,
    key: &'a str,
}

impl<'a> Foresight<'a> {
    /// The name at `at` if it is the one that comes next, and where its value starts.
    #[inline(always)]
    fn foreseen(&mut self, bytes: &[u8], at: usize) -> Option<(&'a str, usize)> {
        let name = self.names.get(self.next)?;
        let (first, second) = (block_at(bytes, at)?, block_at(bytes, at + BLOCK)?);
        let different = differing(first, &name.first) | differing(second, &name.second) << BLOCK;
        if different & name.counts != 0 {
            return None;
        }
        let end = at + name.between.len();
        if name.between.len() > 2 * BLOCK && bytes.get(at..end) != Some(name.between.as_bytes()) {
            return None;
        }
        self.next += 1;
        Some((name.key, end))
    }

    /// Takes note of a name that was not foreseen, and gives the text it had before if it was seen before.
    #[inline(never)]
    fn learned(&mut self, between: &'a str, key: &'a str) -> &'a str {
        let next = self.next.min(self.names.len());
        let later = self.names[next..]
            .iter()
            .position(|name| name.key == key)
            .map(|offset| next + offset);
        if let Some(place) = later.or_else(|| self.names[..next].iter().position(|name| name.key == key)) {
            self.next = place + 1;
            return self.names[place].key;
        }
        if self.names.len() < NAMES_MAX {
            self.names.insert(next, Foreseen::new(between, key));
            self.next = next + 1;
        }
        key
    }
}

impl<'a> Foreseen<'a> {
    fn new(between: &'a str, key: &'a str) -> Self {
        let byte = |place: usize| between.as_bytes().get(place).copied().unwrap_or_default();
        let counts = 1u64
            .checked_shl(between.len() as u32)
            .map_or(u32::MAX, |bit| (bit - 1) as u32);
        Self {
            first: core::array::from_fn(byte),
            second: core::array::from_fn(|place| byte(BLOCK + place)),
            counts,
            between,
            key,
        }
    }
}
