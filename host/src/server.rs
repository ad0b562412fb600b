//! The listeners, who may connect, and the end of it all.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use log::{error, info, warn};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::attempt;
use crate::config::Config;
use crate::control::{Control, TOO_MANY};
use crate::engine::Engine;
use crate::listen;
use crate::session;
use crate::storage::Volume;

/// An FTP server, bound and not yet serving.
pub struct Server {
    shared: Arc<Shared>,
    listeners: Vec<TcpListener>,
}

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) engine: Arc<Engine>,
    /// The directory that is served, with every permission; users get less.
    pub(crate) root: Volume,
    pub(crate) stop: watch::Sender<bool>,
    connections: Mutex<Connections>,
}

impl Server {
    /// Open the directory, compile or load the component, and bind every listener. Must be called within
    /// a tokio runtime. Errors name what cannot be had and what to do.
    pub fn bind(config: Config) -> Result<Self> {
        let engine = Engine::new(config.limits.connections).with_context(|| too_many(&config))?;
        Self::with_engine(config, engine)
    }

    /// As [`Server::bind`], with another component of world `session`, which is compiled now.
    pub fn bind_component(config: Config, component: &[u8]) -> Result<Self> {
        let engine = Engine::compile(config.limits.connections, component).with_context(|| too_many(&config))?;
        Self::with_engine(config, engine)
    }

    fn with_engine(config: Config, engine: Engine) -> Result<Self> {
        let mut root = Volume::open_root(&config.root, crate::storage::Permissions::ALL)
            .with_context(|| format!("cannot serve {}", config.root.display()))?
            .with_unfinished(config.unfinished);
        root.set_umask(config.umask);
        let listeners =
            config.listen.iter().map(|&address| listen::control(address, &config)).collect::<Result<_>>()?;
        let shared = Arc::new(Shared {
            config,
            engine: Arc::new(engine),
            root,
            stop: watch::Sender::new(false),
            connections: Mutex::default(),
        });
        Ok(Self { shared, listeners })
    }

    /// Where clients can connect; ports that were 0 are now known.
    pub fn local_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// Sessions that are open now.
    pub fn sessions(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let shared = self.shared.clone();
        move || shared.connections().all
    }

    /// Serve until `stop` is done; then accept nobody, tell every session, and return when all have
    /// ended, at the latest after the grace of [`Limits`](crate::config::Limits).
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            accepting.spawn(accept(self.shared.clone(), listener));
        }
        stop.await;
        info!("stopping");
        accepting.shutdown().await;
        self.shared.stop.send_replace(true);
        // Each session holds a receiver and ends by itself, since its own watch ends it.
        self.shared.stop.closed().await;
    }
}

/// What most likely is wrong when there is no engine.
fn too_many(config: &Config) -> String {
    format!("cannot make ready for {} connections; try fewer", config.limits.connections)
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => greet(&shared, socket, peer),
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                error!("cannot accept connections: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Errors of a connection that was never ours.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Start a session, or turn the client away.
fn greet(shared: &Arc<Shared>, socket: TcpStream, peer: SocketAddr) {
    let Some(admission) = Admission::new(shared, peer.ip()) else {
        warn!("{peer}: turned away, too many connections");
        let _ = attempt::send(&socket, TOO_MANY);
        return;
    };
    let control = match Control::new(socket, peer) {
        Ok(control) => Arc::new(control),
        Err(error) => return warn!("{peer}: lost at once: {error}"),
    };
    // Before the task runs, so that a stop waits for it.
    let (shared, stop) = (shared.clone(), shared.stop.subscribe());
    tokio::spawn(async move {
        session::run(shared, control, stop).await;
        drop(admission);
    });
}

/// How many connections there are.
#[derive(Default)]
struct Connections {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// Counts a connection for as long as it lives.
struct Admission {
    shared: Arc<Shared>,
    network: IpAddr,
}

impl Admission {
    fn new(shared: &Arc<Shared>, peer: IpAddr) -> Option<Self> {
        let limits = &shared.config.limits;
        let peer = peer.to_canonical();
        let network = network(peer);
        let mut connections = shared.connections();
        let here = connections.by_network.get(&network).copied().unwrap_or(0);
        if connections.all >= limits.connections || here >= limits.connections_from(peer) {
            return None;
        }
        connections.all += 1;
        connections.by_network.insert(network, here + 1);
        Some(Self { shared: shared.clone(), network })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut connections = self.shared.connections();
        connections.all -= 1;
        let left = connections.by_network.get(&self.network).map_or(0, |count| count - 1);
        if left == 0 {
            connections.by_network.remove(&self.network);
        } else {
            connections.by_network.insert(self.network, left);
        }
    }
}

impl Shared {
    fn connections(&self) -> std::sync::MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one address: of IPv6, the /64 that a single customer has.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// Between attempts to accept when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
