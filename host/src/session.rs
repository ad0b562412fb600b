//! One session: an instance of the component, its store, and what it was given.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use log::{debug, info, warn};
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::yield_now;
use tokio::time::timeout;
use wasmtime::component::ResourceTable;
use wasmtime::error::Context;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::cli::{WasiCliCtx, WasiCliCtxView, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocksCtx, WasiClocksCtxView, WasiClocksView};
use wasmtime_wasi_io::IoView;

use crate::control::{Control, UNAVAILABLE};
use crate::events::What;
use crate::instance::{Left, Pool};
use crate::server::Shared;
use crate::tunables;

/// What the host knows of one session: the data of its store.
pub struct SessionCtx {
    pub(crate) table: ResourceTable,
    pub(crate) shared: Arc<Shared>,
    /// The client's, once it is there.
    control: Option<Arc<Control>>,
    coming: Option<oneshot::Receiver<Arc<Control>>>,
    /// The name that the client has given (HOST), if it is one of the server's.
    pub(crate) host: Option<String>,
    /// The name of who logged in.
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) login_failures: u32,
    cli: WasiCliCtx,
    clocks: WasiClocksCtx,
    limits: StoreLimits,
    /// Data ports and connections, files and directories, and works, that the guest has.
    pub(crate) ports: Arc<()>,
    pub(crate) files: Arc<()>,
    pub(crate) works: Arc<()>,
    /// Held by a piece of a transfer or work while it is at the disk. One at a time; a piece whose transfer
    /// or work was dropped holds it to its end.
    pub(crate) disk: Arc<Mutex<()>>,
    /// Epochs that the guest has run through since its session last moved an octet.
    epochs: u32,
    /// When that was.
    moved: tokio::time::Instant,
    /// The epoch that has passed was spent waiting for the host.
    waited: bool,
    /// Calls of the host so far.
    calls: u64,
}

impl SessionCtx {
    pub(crate) fn new(shared: Arc<Shared>, coming: oneshot::Receiver<Arc<Control>>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let limits = StoreLimitsBuilder::new()
            .memory_size(usize::try_from(tunables::MAX_MEMORY).unwrap_or(usize::MAX))
            .table_elements(MAX_TABLE_ELEMENTS)
            .build();
        Self {
            table,
            shared,
            control: None,
            coming: Some(coming),
            host: None,
            user: None,
            login_failures: 0,
            cli: WasiCliCtx::default(),
            clocks: WasiClocksCtx::default(),
            limits,
            ports: Arc::default(),
            files: Arc::default(),
            works: Arc::default(),
            disk: Arc::default(),
            epochs: 0,
            moved: tokio::time::Instant::now(),
            waited: false,
            calls: 0,
        }
    }

    /// An epoch has passed while the guest ran. It goes on after others had their turn, unless it has
    /// computed for very long without a single octet moving.
    fn epoch(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if let Some(moved) = self.control.as_ref().map(|control| control.activity.last())
            && moved != self.moved
        {
            (self.moved, self.epochs) = (moved, 0);
        }
        if !std::mem::take(&mut self.waited) {
            self.epochs += 1;
        }
        if self.epochs > MAX_EPOCHS {
            return Err(wasmtime::format_err!("the session computed for too long"));
        }
        // To the runtime's sockets and timers too, which a task that only wakes itself would keep waiting.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(yield_now())))
    }

    /// The guest calls a function of the host, which is given this.
    pub(crate) fn called(&mut self) -> &mut Self {
        self.calls += 1;
        self
    }

    /// The guest had to wait for the host, which is not computing.
    pub(crate) fn waited(&mut self) {
        self.waited = true;
    }

    /// Wait for the client.
    pub(crate) async fn client(&mut self) -> wasmtime::Result<Arc<Control>> {
        if let Some(coming) = self.coming.take() {
            self.control = Some(coming.await.context("there was no client")?);
            self.waited();
        }
        self.control().cloned()
    }

    /// The control connection. A guest that has not asked for it is ended.
    pub(crate) fn control(&self) -> wasmtime::Result<&Arc<Control>> {
        self.control.as_ref().context("the session has not asked for its connection")
    }

    /// The client, for logs.
    pub(crate) fn peer(&self) -> IpAddr {
        self.control.as_ref().map_or(Ipv4Addr::UNSPECIFIED.into(), |control| control.remote.ip())
    }
}

impl IoView for SessionCtx {
    // For each call of `wasi:io`, once.
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.called().table
    }
}

impl WasiCliView for SessionCtx {
    fn cli(&mut self) -> WasiCliCtxView<'_> {
        WasiCliCtxView { ctx: &mut self.cli, table: &mut self.table }
    }
}

impl WasiClocksView for SessionCtx {
    fn clocks(&mut self) -> WasiClocksCtxView<'_> {
        WasiClocksCtxView { ctx: &mut self.clocks, table: &mut self.table }
    }
}

/// A share of what `all` counts, until it is dropped; `None` if `most` are out.
pub(crate) fn share(all: &Arc<()>, most: usize) -> Option<Arc<()>> {
    (Arc::strong_count(all) <= most).then(|| all.clone())
}

/// Serve one client in an instance of its own. Whatever goes wrong in it ends here.
pub(crate) async fn run(pool: &Arc<Pool>, control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    let (peer, shared) = (control.remote, &pool.shared);
    info!("{peer}: connected");
    if let Some(events) = &shared.events {
        events.record(peer, None, What::Connected).await;
    }
    let limits = &shared.config.limits;
    let _running = shared.engine.running();
    let ended = tokio::select! {
        ended = pool.take().serve(control.clone()) => ended,
        () = control.activity.watch(limits, &mut stop) => Err(anyhow::anyhow!("did not end when told to")),
        never = control.pump() => match never {},
    };
    match ended {
        Ok(left) => {
            let _ = timeout(limits.grace, control.flush()).await;
            control.close(b"");
            pool.keep(left);
        }
        Err(error) => {
            warn!("{peer}: session failed: {error:#}");
            control.close(UNAVAILABLE);
        }
    }
    info!("{peer}: disconnected");
    if let Some(events) = &shared.events {
        events.record(peer, None, What::Disconnected).await;
    }
}

/// Run the guest, for the client that is coming.
pub(crate) async fn guest(shared: Arc<Shared>, coming: oneshot::Receiver<Arc<Control>>) -> anyhow::Result<Left> {
    #[cfg(feature = "native")]
    if let Some(interpreter) = shared.interpreter {
        return interpreter(SessionCtx::new(shared, coming)).await.map(|()| None);
    }
    let engine = shared.engine.clone();
    let mut store = Store::new(engine.wasmtime(), SessionCtx::new(shared, coming));
    store.limiter(|ctx| &mut ctx.limits);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| context.data_mut().epoch());
    let session = engine.session().instantiate_async(&mut store).await.context("no instance")?;
    let result = session.wasi_cli_run().call_run(&mut store).await?;
    let ctx = store.data();
    debug!("{}: the session called its host {} times", ctx.peer(), ctx.calls);
    result.map_err(|()| anyhow::anyhow!("the guest reported an error"))?;
    // Its handles end now; its memory, and the socket of the control connection, when it is taken down.
    store.data_mut().table = ResourceTable::new();
    Ok(Some(store))
}

/// Handles that a guest may hold at once, and so files, ports and connections: a session needs about
/// eighteen.
const MAX_RESOURCES: usize = 32;

/// Octets that one call of a guest may make the host copy: many times the longest write.
const HOSTCALL_FUEL: usize = 1024 * 1024;

/// Elements of a guest's tables: the component has a few hundred functions in one.
const MAX_TABLE_ELEMENTS: usize = 10_000;

/// Epochs (10 ms each, of running time) that a guest may compute without moving an octet.
const MAX_EPOCHS: u32 = 200;
