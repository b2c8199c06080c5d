//! How values look on disk: varints and fields with their length in front.
//! Knows no key, no database and no noun.

/// Bytes that are not what was written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

const VARINT_BYTES_MAX: usize = 10; // 64 bits, seven to a byte

/// Seven bits to a byte, the lowest first, the top bit set on all but the last.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Length as a varint, then the bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Takes fields off the front of a value.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// A reader behind the format byte, which must be `expected`.
    pub(super) fn of_format(bytes: &'a [u8], expected: u8) -> Result<Self, Malformed> {
        let mut reader = Self::new(bytes);
        if reader.byte()? != expected {
            return Err(Malformed("written by another version of the format"));
        }
        Ok(reader)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed("cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed("cut short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for place in 0..VARINT_BYTES_MAX {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if place == VARINT_BYTES_MAX - 1 && bits > 1 {
                return Err(Malformed("a number beyond 64 bits"));
            }
            value |= bits << (7 * place);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("a number without end"))
    }

    pub(super) fn varint_u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()?).map_err(|_| Malformed("a number beyond 32 bits"))
    }

    /// How many items follow. Each takes a byte at least, so that a damaged count reserves no memory.
    #[inline]
    pub(super) fn count(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.varint()?)
            .ok()
            .filter(|count| *count <= self.rest.len())
            .ok_or(Malformed("a count beyond the value"))
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.count()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("text that is not UTF-8"))
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed("more bytes than expected"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_come_back() {
        let numbers = [0, 1, 0x7f, 0x80, 300, u64::from(u32::MAX), u64::MAX];
        let mut out = Vec::new();
        for number in numbers {
            put_varint(&mut out, number);
        }
        put_bytes(&mut out, "größe".as_bytes());
        put_i64(&mut out, -7);
        let mut reader = Reader::new(&out);
        for number in numbers {
            assert_eq!(reader.varint(), Ok(number));
        }
        assert_eq!(reader.text(), Ok("größe"));
        assert_eq!(reader.i64(), Ok(-7));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_value_cut_short_is_an_error_at_every_length() {
        let mut out = Vec::new();
        put_bytes(&mut out, b"abcdef");
        for length in 0..out.len() {
            assert!(Reader::new(&out[..length]).bytes().is_err(), "{length}");
        }
    }

    #[test]
    fn a_number_beyond_64_bits_is_refused() {
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
        let mut bytes = [0x80; 10];
        bytes[9] = 0x02;
        assert!(Reader::new(&bytes).varint().is_err());
    }

    #[test]
    fn a_count_that_the_value_cannot_hold_is_refused() {
        let mut out = Vec::new();
        put_varint(&mut out, 1 << 40);
        assert!(Reader::new(&out).count().is_err());
    }
}
