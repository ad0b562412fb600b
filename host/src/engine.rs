//! One engine for all sessions: the compiled component, and a fresh instance of it for each.

use anyhow::Result;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::error::Context;
use wasmtime::{Enabled, Engine as Wasmtime, PoolingAllocationConfig};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{CommandPre, cli, clocks};

use crate::bindings::ftpd::server::{accounts, charsets, control, data, events, storage};
use crate::bindings::wasi::logging::logging;
use crate::epochs::{Epochs, Running};
use crate::session::SessionCtx;
use crate::tunables;

/// Makes instances of one component.
pub(crate) struct Engine {
    wasmtime: Wasmtime,
    session: CommandPre<SessionCtx>,
    epochs: Epochs,
}

impl Engine {
    /// The session component that this crate was built with, ready for `instances` sessions at once.
    pub(crate) fn new(instances: usize) -> Result<Self> {
        let wasmtime = wasmtime(instances)?;
        // SAFETY: the octets were made by `Engine::precompile_component` in this crate's build script and
        // are part of this binary. Settings that differ are found and refused.
        let component = unsafe { Component::deserialize(&wasmtime, COMPILED) }
            .context("the session component does not fit this machine; build it here")?;
        Self::with(wasmtime, &component)
    }

    /// Another component of world `session`, compiled now.
    pub(crate) fn compile(instances: usize, component: &[u8]) -> Result<Self> {
        let wasmtime = wasmtime(instances)?;
        let component = Component::new(&wasmtime, component)?;
        Self::with(wasmtime, &component)
    }

    fn with(wasmtime: Wasmtime, component: &Component) -> Result<Self> {
        let mut linker = Linker::new(&wasmtime);
        add_to_linker(&mut linker)?;
        let instance: InstancePre<SessionCtx> = linker.instantiate_pre(component)?;
        Ok(Self { epochs: Epochs::of(&wasmtime)?, wasmtime, session: CommandPre::new(instance)? })
    }

    pub(crate) fn wasmtime(&self) -> &Wasmtime {
        &self.wasmtime
    }

    pub(crate) fn session(&self) -> &CommandPre<SessionCtx> {
        &self.session
    }

    /// Instances may run until this is dropped, and no longer than an epoch without others having their turn.
    pub(crate) fn running(&self) -> Running {
        self.epochs.running()
    }
}

fn wasmtime(instances: usize) -> Result<Wasmtime> {
    let count = u32::try_from(instances).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.max_memory_size(usize::try_from(tunables::MAX_MEMORY)?)
        .total_component_instances(count)
        .total_core_instances(count.saturating_mul(CORE_INSTANCES))
        .total_memories(count.saturating_mul(MEMORIES))
        .total_stacks(count)
        .total_tables(count.saturating_mul(TABLES))
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        // What a session leaves is written over for the next: to take its pages away would interrupt every
        // processor, and the next would fault them in again.
        .linear_memory_keep_resident(KEPT_MEMORY)
        .table_keep_resident(KEPT_TABLE)
        .pagemap_scan(Enabled::Auto);
    let mut config = tunables::config();
    config.allocation_strategy(pool).async_stack_size(ASYNC_STACK).max_wasm_stack(WASM_STACK);
    Ok(Wasmtime::new(&config)?)
}

/// What a session may import, and nothing else: the contract, streams, a clock, and the parts of
/// `wasi:cli` that Rust's runtime asks for (all of them empty).
fn add_to_linker(linker: &mut Linker<SessionCtx>) -> Result<()> {
    accounts::add_to_linker::<_, HasSelf<SessionCtx>>(linker, SessionCtx::called)?;
    charsets::add_to_linker::<_, HasSelf<SessionCtx>>(linker, SessionCtx::called)?;
    control::add_to_linker::<_, HasSelf<SessionCtx>>(linker, SessionCtx::called)?;
    data::add_to_linker::<_, HasSelf<SessionCtx>>(linker, SessionCtx::called)?;
    events::add_to_linker::<_, HasSelf<SessionCtx>>(linker, SessionCtx::called)?;
    storage::add_to_linker::<_, HasSelf<SessionCtx>>(linker, SessionCtx::called)?;
    logging::add_to_linker::<_, HasSelf<SessionCtx>>(linker, SessionCtx::called)?;
    wasmtime_wasi_io::add_to_linker_async(linker)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(linker, WasiClocksView::clocks)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    Ok(())
}

/// The session component that this crate was built with, for hosts of one's own.
pub static SESSION_COMPONENT: &[u8] = include_bytes!(env!("SESSION_WASM"));

/// The same, compiled by the build script.
static COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/session.cwasm"));

/// The component's own instance and the adapters that the linker makes around it.
const CORE_INSTANCES: u32 = 8;

/// Tables of those.
const TABLES: u32 = 8;

/// Memories: the session's own, and that of a layer that is composed into it.
const MEMORIES: u32 = 2;

/// Octets of memory that an unused instance keeps: what a session needs for log-ins and transfers.
const KEPT_MEMORY: usize = 256 * 1024;

/// Octets that each unused table keeps: all that the component's have.
const KEPT_TABLE: usize = 16 * 1024;

/// Octets of the stack that a session's guest and the host functions under it run on; virtual until used.
const ASYNC_STACK: usize = 256 * 1024;

/// The guest's share of it.
const WASM_STACK: usize = 128 * 1024;
