//! One session: an instance of the component, its store, and what it was given.

use std::net::IpAddr;
use std::sync::Arc;

use log::{info, warn};
use tokio::time::timeout;
use wasmtime::component::ResourceTable;
use wasmtime::error::Context;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_io::IoView;

use crate::accounts::Identity;
use crate::control::Control;
use crate::server::Shared;

/// What the host knows of one session: the data of its store.
pub(crate) struct SessionCtx {
    pub(crate) table: ResourceTable,
    pub(crate) shared: Arc<Shared>,
    pub(crate) control: Arc<Control>,
    /// Who logged in.
    pub(crate) user: Option<Identity>,
    pub(crate) login_failures: u32,
    wasi: WasiCtx,
    limits: StoreLimits,
    /// Epochs that the guest has run through since its session last moved an octet.
    epochs: u32,
    /// When that was.
    moved: tokio::time::Instant,
}

impl SessionCtx {
    fn new(shared: Arc<Shared>, control: Arc<Control>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let limits = StoreLimitsBuilder::new()
            .memory_size(shared.config.limits.memory)
            .table_elements(MAX_TABLE_ELEMENTS)
            .build();
        let moved = control.activity.last();
        Self {
            table,
            shared,
            control,
            user: None,
            login_failures: 0,
            wasi: WasiCtx::builder().build(),
            limits,
            epochs: 0,
            moved,
        }
    }

    /// An epoch has passed while the guest ran. It goes on after others had their turn, unless it has
    /// computed for very long without a single octet moving.
    fn epoch(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let moved = self.control.activity.last();
        if moved != self.moved {
            (self.moved, self.epochs) = (moved, 0);
        }
        self.epochs += 1;
        if self.epochs > MAX_EPOCHS {
            return Err(wasmtime::format_err!("the session computed for too long"));
        }
        Ok(UpdateDeadline::Yield(1))
    }

    /// The client, for logs.
    pub(crate) fn peer(&self) -> IpAddr {
        self.control.remote.ip()
    }
}

impl IoView for SessionCtx {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiView for SessionCtx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Serve one client in a fresh instance. Whatever goes wrong in it ends here.
pub(crate) async fn run(shared: Arc<Shared>, control: Arc<Control>) {
    let peer = control.remote;
    info!("{peer}: connected");
    let limits = &shared.config.limits;
    let stop = shared.stop.subscribe();
    let ended = tokio::select! {
        ended = instance(shared.clone(), control.clone()) => ended,
        () = control.activity.watch(limits, stop) => Err(anyhow::anyhow!("did not end when told to")),
        () = control.pump() => Ok(()),
    };
    match ended {
        Ok(()) => {
            let _ = timeout(limits.grace, control.flush()).await;
            control.close(b"");
        }
        Err(error) => {
            warn!("{peer}: session failed: {error:#}");
            control.close(UNAVAILABLE);
        }
    }
    info!("{peer}: disconnected");
}

async fn instance(shared: Arc<Shared>, control: Arc<Control>) -> anyhow::Result<()> {
    let engine = shared.engine.clone();
    let mut store = Store::new(engine.wasmtime(), SessionCtx::new(shared, control));
    store.limiter(|ctx| &mut ctx.limits);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| context.data_mut().epoch());
    let session = engine.session().instantiate_async(&mut store).await.context("no instance")?;
    let result = session.wasi_cli_run().call_run(&mut store).await?;
    result.map_err(|()| anyhow::anyhow!("the guest reported an error"))
}

/// The reply when there is no session to make one (RFC 959 §5.4).
const UNAVAILABLE: &[u8] = b"421 Service not available, closing control connection\r\n";

/// Handles that a guest may hold at once, and so files, ports and connections: a session needs about
/// eighteen.
const MAX_RESOURCES: usize = 32;

/// Elements of a guest's tables: the component has a few hundred functions in one.
const MAX_TABLE_ELEMENTS: usize = 10_000;

/// Epochs (10 ms each, of running time) that a guest may compute without moving an octet.
const MAX_EPOCHS: u32 = 200;
