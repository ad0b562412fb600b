//! Settings that a component is compiled for and run with. Also part of the build script, which compiles
//! it: both must agree.

use wasmtime::Config;

/// Everything that affects compiled code.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .generate_address_map(false)
        .memory_guard_size(MEMORY_GUARD)
        .memory_reservation(MAX_MEMORY);
    config
}

/// Octets that one instance may have: far above what lines, replies and a batch of a listing need, and
/// only taken when used.
pub(crate) const MAX_MEMORY: u64 = 16 * 1024 * 1024;

/// Octets behind each instance's memory that trap when touched; spares most bounds checks.
const MEMORY_GUARD: u64 = 64 * 1024;
