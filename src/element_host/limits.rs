//! What one call of an element may use, and the accountant of its memory.
//! Must not decide what becomes of a run that went over a limit: that is a service's business.

use std::time::Duration;

use wasmtime::ResourceLimiter;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// All linear memories of a guest together. A page of 8 MiB, parsed and rendered, stays well below.
pub(super) const MEMORY_BYTES: usize = 64 * MIB;
/// Computing time of one call; a page of 500 records takes a few milliseconds.
pub(super) const DEADLINE: Duration = Duration::from_millis(250);
/// The same for an element whose manifest says `interpreted`: a JavaScript engine or a Python comes with its own heap.
pub(super) const INTERPRETED_MEMORY_BYTES: usize = 256 * MIB;
/// The same for an element whose manifest says `interpreted`.
pub(super) const INTERPRETED_DEADLINE: Duration = Duration::from_secs(2);
/// What one call may hand to the host: four times the largest response body.
pub(super) const OUTPUT_BYTES: usize = 32 * MIB;
/// Part of the contract: rides along in every continuation, so it is small.
pub(super) const STATE_BYTES: usize = 64 * KIB;
/// Part of the contract: kept per instance.
pub(super) const MEMO_BYTES: usize = 4 * KIB;
/// Part of the contract.
pub(super) const REQUESTS_PER_STEP: usize = 16;
/// Of one call, all lines together.
pub(super) const LOG_BYTES: usize = 16 * KIB;
/// Of one call. A line costs the operator more than its bytes.
pub(super) const LOG_LINES: usize = 100;
/// The largest component file; JavaScript and Python elements reach 20 MB.
pub(super) const COMPONENT_BYTES_MAX: usize = 64 * MIB;
/// The guest's call stack on the worker's own stack.
pub(super) const STACK_BYTES: usize = 512 * KIB;
/// Part of the contract: the longest id of a record.
pub(super) const ID_BYTES: usize = KIB;

/// Entries of all tables of a guest, each; big language runtimes need some ten thousand.
pub(super) const TABLE_ELEMENTS: usize = 100_000;
/// Core WASM instances in one guest; componentize-py makes 17.
pub(super) const CORE_INSTANCES: usize = 64;
/// Tables in one guest, over all its core instances.
pub(super) const TABLES: usize = 64;
/// Linear memories in one guest, over all its core instances.
pub(super) const MEMORIES: usize = 8;

/// The limits that an operator may set; the default holds the constants above.
#[derive(Clone, Debug)]
pub struct Limits {
    pub memory_bytes: usize,
    /// Of computing, measured on the worker's own CPU clock: waiting in a queue or for a core does not count.
    pub deadline: Duration,
    pub interpreted_memory_bytes: usize,
    pub interpreted_deadline: Duration,
    pub output_bytes: usize,
    /// Of the state, and of a checkpoint.
    pub state_bytes: usize,
    pub memo_bytes: usize,
    pub requests_per_step: usize,
    pub log_bytes: usize,
    pub component_bytes_max: usize,
    pub stack_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: MEMORY_BYTES,
            deadline: DEADLINE,
            interpreted_memory_bytes: INTERPRETED_MEMORY_BYTES,
            interpreted_deadline: INTERPRETED_DEADLINE,
            output_bytes: OUTPUT_BYTES,
            state_bytes: STATE_BYTES,
            memo_bytes: MEMO_BYTES,
            requests_per_step: REQUESTS_PER_STEP,
            log_bytes: LOG_BYTES,
            component_bytes_max: COMPONENT_BYTES_MAX,
            stack_bytes: STACK_BYTES,
        }
    }
}

impl Limits {
    /// With the computing that such an element gets.
    #[must_use]
    pub fn of(&self, interpreted: bool) -> Self {
        if !interpreted {
            return self.clone();
        }
        Self {
            memory_bytes: self.interpreted_memory_bytes,
            deadline: self.interpreted_deadline,
            ..self.clone()
        }
    }
}

/// Counts all linear memories of one guest together, where wasmtime's `StoreLimits` would give each of them the limit.
/// What is refused traps, and is remembered: an allocator that got -1 would only panic about something else.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    all: usize,
    left: usize,
    refused: bool,
}

impl MemoryBudget {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            all: bytes,
            left: bytes,
            refused: false,
        }
    }

    /// What the guest's memories came to. They never shrink.
    pub(super) fn used(&self) -> usize {
        self.all - self.left
    }

    pub(super) fn was_exceeded(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for MemoryBudget {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if more > self.left || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            wasmtime::bail!("growing a memory to {desired} bytes goes over the limit");
        }
        self.left -= more;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Err(error)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS {
            wasmtime::bail!("a table of {desired} elements goes over the limit of {TABLE_ELEMENTS}");
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_of_one_guest_share_the_budget() {
        let mut budget = MemoryBudget::new(10);
        assert!(budget.memory_growing(0, 6, None).unwrap());
        assert!(budget.memory_growing(0, 2, None).unwrap());
        assert!(budget.memory_growing(6, 8, None).unwrap());
        assert!(!budget.was_exceeded());
        assert!(budget.memory_growing(8, 9, None).is_err());
        assert!(budget.was_exceeded());
    }
}
