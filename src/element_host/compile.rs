//! From WebAssembly to machine code, apart from the engine that runs it.
//! Must not keep anything: what a compiler needs for a second would stay for weeks, as much as all the rest needs.

use wasmtime::Engine;

use super::engine;
use super::limits::Limits;

/// Machine code for every engine of our configuration.
pub(super) fn compile(bytes: &[u8], limits: &Limits) -> wasmtime::Result<Vec<u8>> {
    // An engine keeps its compilers' working memory as long as it lives, so this one dies with the work.
    let code = Engine::new(&engine::config(limits))?.precompile_component(bytes);
    return_free_memory();
    code
}

/// The allocator keeps what was freed for the threads that freed it, and those of the compiler have no further use for it.
/// Measured: 10 MiB of the 70 that a gateway then has at its peak in a first pull.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library")]
fn return_free_memory() {
    // SAFETY: it takes no pointer, and locks the allocator's own state.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn return_free_memory() {}
