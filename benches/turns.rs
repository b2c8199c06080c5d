//! Passes in turn: what slows the machine down for a while slows all sides down.
//! Must not know what is measured.

/// Runs the sides in turn, so many passes, and returns what each pass of each side gave. Who begins changes from pass to
/// pass: what one side leaves in caches and on the disk is not always the same one's burden.
pub(crate) fn in_turn<T, const SIDES: usize>(passes: usize, mut run: impl FnMut(usize) -> T) -> [Vec<T>; SIDES] {
    let mut results = std::array::from_fn(|_| Vec::with_capacity(passes));
    for pass in 0..passes {
        for place in 0..SIDES {
            let side = (pass + place) % SIDES;
            let result = run(side);
            let of_side: &mut Vec<T> = &mut results[side];
            of_side.push(result);
        }
    }
    results
}
