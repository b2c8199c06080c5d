//! Questions about sixteen bytes at once: SSE2 natively, simd128 in WebAssembly, plain words elsewhere.
//! It must not know JSON's grammar. The only unsafe code is here: loading a vector, and calling SSE2.

/// Bytes in a block.
pub(super) const BLOCK: usize = 16;

pub(super) type Block = [u8; BLOCK];

/// The block at `at`, or None within the last bytes of `bytes`.
#[inline(always)]
pub(super) fn block_at(bytes: &[u8], at: usize) -> Option<&Block> {
    bytes.get(at..)?.first_chunk()
}

pub(super) use arch::{differing, string_stops};

/// How many decimal digits the block begins with.
#[inline(always)]
pub(super) fn leading_digits(block: &Block) -> usize {
    arch::non_digits(block).trailing_zeros().min(BLOCK as u32) as usize
}

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[expect(
    unsafe_code,
    reason = "SSE2's functions are unsafe to call where a function does not itself declare the feature"
)]
mod arch {
    use super::Block;
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_max_epu8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        _mm_sub_epi8,
    };

    #[inline(always)]
    fn load(block: &Block) -> __m128i {
        // SAFETY: a transmute by value between plain types of one size; any bits are valid in both.
        unsafe { core::mem::transmute(*block) }
    }

    /// A bit for each byte that a plain run of a string cannot hold: quote, backslash, control character.
    #[inline(always)]
    pub(in super::super) fn string_stops(block: &Block) -> u32 {
        let bytes = load(block);
        // SAFETY: SSE2 is there, or this module would not be compiled; so below.
        unsafe {
            let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
            let backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
            let controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls)) as u32
        }
    }

    #[inline(always)]
    pub(super) fn non_digits(block: &Block) -> u32 {
        // SAFETY: as above.
        unsafe {
            let values = _mm_sub_epi8(load(block), _mm_set1_epi8(b'0' as i8));
            _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(values, _mm_set1_epi8(10)), values)) as u32
        }
    }

    /// A bit for each place where the two differ.
    #[inline(always)]
    pub(in super::super) fn differing(left: &Block, right: &Block) -> u32 {
        // SAFETY: as above.
        unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(load(left), load(right))) as u32 ^ 0xffff }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod arch {
    use super::Block;
    use core::arch::wasm32::{
        u8x16_bitmask, u8x16_eq, u8x16_ge, u8x16_lt, u8x16_ne, u8x16_splat, u8x16_sub, v128, v128_or,
    };

    #[inline(always)]
    #[expect(unsafe_code, reason = "both types are sixteen bytes without invalid values")]
    fn load(block: &Block) -> v128 {
        // SAFETY: a transmute by value between plain types of one size; any bits are valid in both.
        unsafe { core::mem::transmute(*block) }
    }

    #[inline(always)]
    fn mask(lanes: v128) -> u32 {
        u32::from(u8x16_bitmask(lanes))
    }

    /// A bit for each byte that a plain run of a string cannot hold: quote, backslash, control character.
    #[inline(always)]
    pub(in super::super) fn string_stops(block: &Block) -> u32 {
        let bytes = load(block);
        let quotes = u8x16_eq(bytes, u8x16_splat(b'"'));
        let backslashes = u8x16_eq(bytes, u8x16_splat(b'\\'));
        let controls = u8x16_lt(bytes, u8x16_splat(0x20));
        mask(v128_or(v128_or(quotes, backslashes), controls))
    }

    #[inline(always)]
    pub(super) fn non_digits(block: &Block) -> u32 {
        mask(u8x16_ge(u8x16_sub(load(block), u8x16_splat(b'0')), u8x16_splat(10)))
    }

    /// A bit for each place where the two differ.
    #[inline(always)]
    pub(in super::super) fn differing(left: &Block, right: &Block) -> u32 {
        mask(u8x16_ne(load(left), load(right)))
    }
}

/// Elsewhere: a loop that the compiler turns into what the machine has.
#[cfg(any(
    test,
    not(any(
        all(target_arch = "x86_64", target_feature = "sse2"),
        all(target_arch = "wasm32", target_feature = "simd128")
    ))
))]
mod portable {
    use super::Block;

    #[inline(always)]
    fn mask(is_set: impl Fn(usize) -> bool) -> u32 {
        (0..super::BLOCK).fold(0, |mask, i| mask | u32::from(is_set(i)) << i)
    }

    /// A bit for each byte that a plain run of a string cannot hold: quote, backslash, control character.
    #[inline(always)]
    pub(in super::super) fn string_stops(block: &Block) -> u32 {
        mask(|i| matches!(block[i], b'"' | b'\\' | 0..=0x1f))
    }

    #[inline(always)]
    pub(super) fn non_digits(block: &Block) -> u32 {
        mask(|i| !block[i].is_ascii_digit())
    }

    /// A bit for each place where the two differ.
    #[inline(always)]
    pub(in super::super) fn differing(left: &Block, right: &Block) -> u32 {
        mask(|i| left[i] != right[i])
    }
}

#[cfg(not(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
use portable as arch;

#[cfg(test)]
mod tests {
    use super::{Block, arch, portable};

    #[test]
    fn vectors_and_the_plain_loop_answer_alike_for_every_byte() {
        for byte in 0..=u8::MAX {
            let mut block: Block = *b"0123456789abcdef";
            block[usize::from(byte) % 16] = byte;
            assert_eq!(arch::string_stops(&block), portable::string_stops(&block), "{byte}");
            assert_eq!(arch::non_digits(&block), portable::non_digits(&block), "{byte}");
            assert_eq!(
                arch::differing(&block, &[byte; 16]),
                portable::differing(&block, &[byte; 16]),
                "{byte}"
            );
        }
    }
}
