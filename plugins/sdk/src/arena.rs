//! The component's memory: a pointer that only moves up, because a guest lives for one call and then dies as a whole.
//! Must not be used where a guest is kept over many calls: what is freed is not found again, but for the last piece.
#![expect(
    unsafe_code,
    reason = "a global allocator hands out raw memory; the reasons are beside each block"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::Cell;
use std::ptr::{copy_nonoverlapping, null_mut, with_exposed_provenance_mut};

#[global_allocator]
static ARENA: Arena = Arena {
    next: Cell::new(0),
    end: Cell::new(0),
};

const WASM_PAGE_BYTES: usize = 64 * 1024;

/// Growing is a call into the engine, so it is done in steps of 1 MiB: about what one page of a vendor's records needs.
const GROWTH_PAGES_MIN: usize = 16;

/// Memory between `next` and `end` is free and ours alone.
struct Arena {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: components of `wasm32-unknown-unknown` without the atomics feature have one thread.
unsafe impl Sync for Arena {}

impl Arena {
    /// Makes `end` at least `wanted`; false if the gateway's limit forbids it.
    #[cold]
    fn grow(&self, wanted: usize) -> bool {
        let missing = (wanted - self.end.get())
            .div_ceil(WASM_PAGE_BYTES)
            .max(GROWTH_PAGES_MIN);
        let before = memory_grow::<0>(missing);
        if before == usize::MAX {
            return false;
        }
        // Nobody else grows this memory, so new pages follow on the old ones; the first time there are no old ones.
        self.end.set((before + missing) * WASM_PAGE_BYTES);
        true
    }
}

// SAFETY: pieces never overlap, because `next` only moves past what was handed out, and back over the last piece alone
// when its owner gives it up; they are aligned; they stay valid until the guest is dropped.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.end.get() == 0 {
            let end = memory_size::<0>() * WASM_PAGE_BYTES;
            self.next.set(end);
            self.end.set(end);
        }
        let start = self.next.get().next_multiple_of(layout.align());
        let Some(end) = start.checked_add(layout.size()) else {
            return null_mut();
        };
        if end > self.end.get() && !self.grow(end) {
            return null_mut();
        }
        self.next.set(end);
        with_exposed_provenance_mut(start)
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if piece.addr() + layout.size() == self.next.get() {
            self.next.set(piece.addr());
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if piece.addr() + layout.size() == self.next.get() {
            // The last piece grows and shrinks where it is.
            let Some(end) = piece.addr().checked_add(new_size) else {
                return null_mut();
            };
            if end > self.end.get() && !self.grow(end) {
                return null_mut();
            }
            self.next.set(end);
            return piece;
        }
        if new_size <= layout.size() {
            return piece;
        }
        // SAFETY: the caller gives a valid layout and a size above 0, so this layout is valid too; the new piece does not
        // overlap the old one and is larger than it.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                copy_nonoverlapping(piece, moved, layout.size());
            }
            moved
        }
    }
}
