//! The one configuration of wasmtime, and the clock that its deadlines count by.
//! Must not know of elements: components compiled by one engine of this configuration load in every other.

use std::thread;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::Error;
use super::limits::{CORE_INSTANCES, Limits, MEMORIES, TABLE_ELEMENTS, TABLES};

/// How fine deadlines are; each tick is one atomic increment.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// A worker has one guest at a time. The rest is for manifests being read and for slots that wait to be cleaned.
const GUEST_SLOTS_PER_WORKER: u32 = 4;

/// What an emptied slot keeps of its pages, cleaned, for the next guest: as much as a page of 690 kB takes to be read and
/// rendered. Measured with an echoing guest and such a page: 137 µs a call, against 620 µs when 1 MiB is kept and the rest
/// is faulted in anew.
const MEMORY_KEPT_BYTES: usize = 4 * 1024 * 1024;
const TABLE_KEPT_BYTES: usize = 256 * 1024;

/// Slots cleaned at once. More would save calls, but each slot that waits for it holds what its guest wrote, and the next
/// guest gets another one: measured 6 MiB with eight, and no gain in time.
const SLOTS_PER_CLEANING: usize = 1;

/// Big language runtimes describe their guests in more than wasmtime's default of one.
const GUEST_DESCRIPTION_BYTES: usize = 10 * 1024 * 1024;

/// Starts an engine and its clock. The clock's thread ends by itself after the engine is gone.
pub(super) fn start(workers: usize, limits: &Limits) -> Result<Engine, Error> {
    let engine = pooled_or_plain(workers, limits)?;
    let weak = engine.weak();
    thread::Builder::new()
        .name("element-epoch".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })
        .map_err(Error::Thread)?;
    Ok(engine)
}

/// A pool makes guests cheap and takes address space up front, which some containers do not have.
fn pooled_or_plain(workers: usize, limits: &Limits) -> Result<Engine, Error> {
    let mut pooled = config(limits);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(workers, limits)));
    Engine::new(&pooled).or_else(|error| {
        tracing::warn!(
            error = format!("{error:#}"),
            "no pool for guests here, memory is mapped for each guest"
        );
        Engine::new(&config(limits)).map_err(Error::engine)
    })
}

/// Code compiled by any engine of this configuration loads in every other, pool or not.
pub(super) fn config(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false) // No async components: it costs half a microsecond a call.
        .epoch_interruption(true)
        .relaxed_simd_deterministic(true) // The same bytes on every machine.
        .max_wasm_stack(limits.stack_bytes);
    config
}

fn pool(workers: usize, limits: &Limits) -> PoolingAllocationConfig {
    let guests = u32::try_from(workers)
        .unwrap_or(u32::MAX)
        .saturating_mul(GUEST_SLOTS_PER_WORKER);
    let of_all = |per_guest: usize| guests.saturating_mul(u32::try_from(per_guest).unwrap_or(u32::MAX));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(guests)
        .total_core_instances(of_all(CORE_INSTANCES))
        .total_memories(of_all(MEMORIES))
        .total_tables(of_all(TABLES))
        .max_memory_size(limits.memory_bytes.max(limits.interpreted_memory_bytes))
        .max_memories_per_module(2)
        .max_tables_per_module(2)
        .table_elements(TABLE_ELEMENTS)
        .max_core_instance_size(GUEST_DESCRIPTION_BYTES)
        .max_component_instance_size(GUEST_DESCRIPTION_BYTES)
        .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
        .table_keep_resident(TABLE_KEPT_BYTES)
        // Cleans the pages that were written (Linux 6.7 and later say which) instead of all that are kept.
        .pagemap_scan(Enabled::Auto)
        .decommit_batch_size(SLOTS_PER_CLEANING);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_compiled_without_the_pool_loads_with_it() {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let hash = |engine: &Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        let limits = Limits::default();
        let plain = Engine::new(&config(&limits)).unwrap();
        assert_eq!(hash(&plain), hash(&start(1, &limits).unwrap()));
    }

    #[test]
    fn the_clock_does_not_keep_its_engine() {
        let engine = start(1, &Limits::default()).unwrap();
        let weak = engine.weak();
        drop(engine);
        // The clock holds the engine for one increment at a time.
        while weak.upgrade().is_some() {
            thread::yield_now();
        }
    }
}
