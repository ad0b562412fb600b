//! A component of somebody's, as it is at the moment, and stores for it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use log::{info, warn};
use tokio::time::timeout;
use wasmtime::component::{InstancePre, Linker, ResourceTable};
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::log::Lines;
use super::{Settings, cache};
use crate::epochs::Epochs;
use crate::{tunables, watch};

/// A component in its present form: `T` makes instances of it.
pub(super) struct Loaded<T> {
    settings: Settings,
    permissions: FsPerms,
    engine: Engine,
    epochs: Epochs,
    linker: Linker<Ctx>,
    form: fn(InstancePre<Ctx>) -> wasmtime::Result<T>,
    current: Mutex<Arc<T>>,
}

/// What an instance may use: the data of its store.
pub(super) struct Ctx {
    table: ResourceTable,
    wasi: WasiCtx,
    limits: StoreLimits,
}

impl WasiView for Ctx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl<T: Send + Sync + 'static> Loaded<T> {
    /// Compile it, or take what was compiled. Blocks.
    pub(super) fn new(
        settings: Settings,
        permissions: FsPerms,
        form: fn(InstancePre<Ctx>) -> wasmtime::Result<T>,
    ) -> Result<Self> {
        let mut config = tunables::config();
        config.memory_reservation(settings.memory as u64);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let current = Mutex::new(Arc::new(load(&settings, &engine, &linker, form)?));
        let epochs = Epochs::of(&engine)?;
        let loaded = Self { settings, permissions, engine, epochs, linker, form, current };
        // A directory that is missing is found now, not at the first call.
        loaded.store()?;
        Ok(loaded)
    }

    /// What new instances are made of.
    pub(super) fn current(&self) -> Arc<T> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Read the file again. If anything is wrong, all stays as it was.
    pub(super) fn reload(&self) {
        let name = self.settings.component.display();
        match load(&self.settings, &self.engine, &self.linker, self.form) {
            Ok(new) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                info!("{name} is loaded again");
            }
            Err(error) => warn!("{name} stays what it was: {error:#}"),
        }
    }

    /// Reload it when its file has changed. Never ends.
    pub(super) async fn watch(self: Arc<Self>) {
        let files: Vec<PathBuf> = vec![self.settings.component.clone()];
        watch::watch(move || files.clone(), move || self.reload()).await;
    }

    /// For one instance.
    pub(super) fn store(&self) -> Result<Store<Ctx>> {
        let lines = Lines(self.settings.component.display().to_string());
        let mut wasi = WasiCtx::builder();
        wasi.stdout(lines.clone()).stderr(lines);
        if let Some(directory) = &self.settings.directory {
            let opened = wasi.preopened_dir(directory, "/", self.permissions).map_err(anyhow::Error::from);
            opened.with_context(|| format!("cannot give {} to a component", directory.display()))?;
        }
        let limits = StoreLimitsBuilder::new().memory_size(self.settings.memory).table_elements(MAX_TABLE_ELEMENTS);
        let ctx = Ctx { table: ResourceTable::new(), wasi: wasi.build(), limits: limits.build() };
        let mut store = Store::new(&self.engine, ctx);
        store.limiter(|ctx| &mut ctx.limits);
        store.set_epoch_deadline(1);
        // Others have their turn; for how long it may go on is `within`'s to say.
        store.epoch_deadline_async_yield_and_update(1);
        Ok(store)
    }

    /// What a call answers, unless it takes too long. After an error, its store can be used no more.
    pub(super) async fn within<R>(&self, call: impl Future<Output = wasmtime::Result<R>>) -> Result<R> {
        let Settings { component, time, .. } = &self.settings;
        let _running = self.epochs.running();
        let answer = match timeout(*time, call).await {
            Ok(answer) => answer.map_err(anyhow::Error::from),
            Err(_) => Err(anyhow::anyhow!("no answer in {} seconds", Duration::as_secs_f32(time))),
        };
        answer.with_context(|| component.display().to_string())
    }
}

fn load<T>(
    settings: &Settings,
    engine: &Engine,
    linker: &Linker<Ctx>,
    form: fn(InstancePre<Ctx>) -> wasmtime::Result<T>,
) -> Result<T> {
    let name = || format!("cannot use the component {}", settings.component.display());
    let wasm = std::fs::read(&settings.component).with_context(name)?;
    let component = cache::compile(engine, &wasm, settings.cache.as_deref()).with_context(name)?;
    let made = linker.instantiate_pre(&component).and_then(form).map_err(anyhow::Error::from);
    made.with_context(name)
}

/// Elements of a component's tables: an interpreter has some ten thousand functions.
const MAX_TABLE_ELEMENTS: usize = 100_000;
