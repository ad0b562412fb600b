//! The listeners, who may connect, and the end of it all.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use log::{error, info, warn};
use rustix::net::sockopt;
use tokio::io::Interest;
use tokio::sync::{Semaphore, watch as told};
use tokio::task::{JoinSet, spawn_blocking, yield_now};
use tokio::time::{sleep, timeout};

use crate::accounts::Accounts;
use crate::builder::Builder;
use crate::config::Config;
use crate::control::{Control, TOO_MANY};
use crate::engine::Engine;
use crate::events::{Events, Feed, Waiting, deliver};
use crate::handshake::Handshake;
use crate::instance::Pool;
use crate::listen;
use crate::session;
use crate::socket::Listener;
use crate::tls::Tls;
use crate::watch;
use crate::workers;

/// An FTP server, bound and not yet serving.
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Vec<StdListener>,
    /// Those of connections that are protected from the first octet on.
    pub(crate) implicit: Vec<StdListener>,
    pub(crate) events: Option<(Arc<dyn Events>, Waiting)>,
}

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) engine: Arc<Engine>,
    pub(crate) accounts: Arc<dyn Accounts>,
    /// Log-ins that may be checked at once.
    pub(crate) log_ins: Semaphore,
    /// If anybody wants to know.
    pub(crate) events: Option<Feed>,
    pub(crate) tls: Option<Arc<Tls>>,
    /// Handshakes that may go on at once before there are sessions.
    pub(crate) handshakes: Semaphore,
    pub(crate) stop: told::Sender<bool>,
    pub(crate) connections: Mutex<Connections>,
    #[cfg(feature = "native")]
    pub(crate) interpreter: Option<crate::native::Interpreter>,
}

impl Server {
    /// A server for these accounts.
    pub fn builder(accounts: impl Accounts) -> Builder {
        Builder::new(Arc::new(accounts))
    }

    /// Where clients can connect; ports that were 0 are now known.
    pub fn local_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(StdListener::local_addr).collect()
    }

    /// The same, for implicit TLS.
    pub fn implicit_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.implicit.iter().map(StdListener::local_addr).collect()
    }

    /// The SHA-256 digest of the certificate that the server has made for itself, if it has.
    pub fn fingerprint(&self) -> Option<String> {
        self.shared.tls.as_ref()?.fingerprint()
    }

    /// Read certificates and keys again, for the sessions to come. It is logged if that fails, and then nothing
    /// changes.
    pub fn reload(&self) -> impl Fn() + Send + Sync + use<> {
        let tls = self.shared.tls.clone();
        move || {
            if let Some(tls) = &tls {
                tls.reload();
            }
        }
    }

    /// Sessions that are open now.
    pub fn sessions(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let shared = self.shared.clone();
        move || shared.connections().all
    }

    /// Serve until `stop` is done; then accept nobody, tell every session, and return when all have
    /// ended, at the latest after the grace of [`Limits`](crate::config::Limits).
    ///
    /// Sessions run on threads of their own, one for each processor. Must be called within a tokio runtime. An error
    /// if there are no threads to be had. Dropped before it is done, it ends everything at once.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let (threads, workers) = workers::start()?;
        let pool = Pool::new(self.shared.clone(), workers);
        let mut delivering = JoinSet::new();
        if let Some((sink, waiting)) = self.events {
            delivering.spawn(deliver(sink, waiting, self.shared.config.limits.answer));
        }
        let (mut accepting, processors) = (JoinSet::new(), pool.workers.processors());
        for (listeners, implicit) in [(self.listeners, false), (self.implicit, true)] {
            for listener in listeners {
                let all = listen::on_each(listener, &processors);
                for (listener, (number, worker)) in all.into_iter().zip(pool.workers.all()) {
                    accepting.spawn_on(accept(pool.clone(), number, listener, implicit), worker);
                }
            }
        }
        if let Some(tls) = &self.shared.tls {
            let (watched, changed) = (tls.clone(), tls.clone());
            accepting.spawn(watch::watch(move || watched.files(), move || changed.reload()));
        }
        stop.await;
        info!("stopping");
        accepting.shutdown().await;
        self.shared.stop.send_replace(true);
        // Each session holds a receiver and ends by itself, since its own watch ends it.
        self.shared.stop.closed().await;
        if let Some(feed) = &self.shared.events {
            feed.end().await;
            let _ = timeout(self.shared.config.limits.grace, delivering.join_next()).await;
        }
        // Threads are joined, which blocks.
        let _ = spawn_blocking(move || drop(threads)).await;
        Ok(())
    }
}

async fn accept(pool: Arc<Pool>, number: usize, listener: StdListener, implicit: bool) {
    let listener = Listener::new(listener);
    loop {
        match listener.accept() {
            Ok((socket, peer)) => greet(&pool, number, socket, peer, implicit),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if let Err(error) = listener.ready(Interest::READABLE).await {
                    return error!("cannot accept connections: {error}");
                }
                // Sessions that are over make room first: a client that comes again finds its thread free.
                yield_now().await;
            }
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
fn greet(pool: &Arc<Pool>, number: usize, mut socket: StdStream, peer: SocketAddr, implicit: bool) {
    let Some(admission) = Admission::new(&pool.shared, peer.ip()) else {
        warn!("{peer}: turned away, too many connections");
        if !implicit {
            let _ = socket.write_all(TOO_MANY);
        }
        return;
    };
    // Before the task runs, so that a stop waits for it.
    let (mut stop, processor) = (pool.shared.stop.subscribe(), sockopt::socket_incoming_cpu(&socket).ok());
    let all = pool.clone();
    pool.workers.spawn(number, processor, async move || {
        let control = match Control::new(socket, peer, implicit) {
            Ok(control) => Arc::new(control),
            Err(error) => return warn!("{peer}: lost at once: {error}"),
        };
        if !implicit || shake(&all.shared, &control, &mut stop).await {
            session::run(&all, control, stop).await;
        }
        drop(admission);
    });
}

/// The handshake of implicit TLS, before anything is made for the client; false if there is no session to be
/// had.
async fn shake(shared: &Shared, control: &Arc<Control>, stop: &mut told::Receiver<bool>) -> bool {
    let Ok(_permit) = shared.handshakes.try_acquire() else {
        warn!("{}: turned away, too many handshakes", control.remote);
        return false;
    };
    let mut handshake = Handshake::new(shared, control.clone(), None);
    let protected = tokio::select! {
        protected = handshake.settle() => protected,
        _ = stop.wait_for(|stop| *stop) => false,
    };
    if !protected {
        control.close(b"");
    }
    protected
}

/// How many connections there are.
#[derive(Default)]
pub(crate) struct Connections {
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
