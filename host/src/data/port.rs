//! Where data connections come from, and to whom they may go.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream as StdStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use log::{debug, warn};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;

use super::socket::Socket;
use crate::bindings::ftpd::server::control::{IpAddress, SocketAddress};
use crate::bindings::ftpd::server::data::Error;
use crate::config::{ActivePort, Limits};
use crate::control::Control;
use crate::ending::Busy;
use crate::listen;
use crate::now::now;
use crate::server::Shared;
use crate::tls::{Bond, Layer};

/// The next data connection.
pub struct DataPort {
    address: SocketAddr,
    control: Arc<Control>,
    stall: Duration,
    /// How long a handshake may take.
    handshake: Duration,
    /// For a connection that is protected.
    bond: Option<Arc<Bond>>,
    state: State,
    /// Since the transfer has begun.
    opening: Option<Busy>,
    share: Arc<()>,
}

enum State {
    Passive(Passive),
    /// Checked, and no packet sent.
    Active {
        active_port: ActivePort,
        timeout: Duration,
    },
    /// The first packet has been sent.
    Connecting {
        socket: TcpStream,
        due: Instant,
    },
    /// Connected, and to be protected.
    Shaking {
        socket: TcpStream,
        layer: Layer,
        due: Instant,
    },
    /// Connected, protected if it must be, and not taken yet.
    Open(TcpStream, Option<Layer>),
    Failed(Error),
}

impl DataPort {
    /// Listen on a free port of the passive range, on the address that the client reached us by.
    pub(super) fn passive(shared: &Shared, control: &Arc<Control>, share: Arc<()>) -> Result<Self, Error> {
        let config = &shared.config;
        let local = control.local;
        let listener = listen_within(&config.passive_ports, local).ok_or(Error::NoPort)?;
        let port = listener.local_addr().map_err(|_| Error::NoPort)?.port();
        let ip = config.public_address.filter(|public| public.is_ipv4() == local.is_ipv4()).unwrap_or(local.ip());
        let passive = Passive::new(listener, control.remote.ip(), config.limits.data_connection);
        Ok(Self::new(SocketAddr::new(ip, port), control, share, &config.limits, State::Passive(passive)))
    }

    /// Checked here, whatever the guest has checked; no packet is sent.
    pub(super) fn active(
        shared: &Shared,
        control: &Arc<Control>,
        share: Arc<()>,
        to: &SocketAddress,
    ) -> Result<Self, Error> {
        let ip = match to.ip {
            IpAddress::Ipv4((a, b, c, d)) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)),
        };
        if !may_connect(SocketAddr::new(ip, to.port), control.remote.ip()) {
            warn!("{}: refused a data connection to {ip} port {}", control.remote, to.port);
            return Err(Error::Refused);
        }
        // The peer's own address: it has the scope of a link-local one.
        let mut address = control.remote;
        address.set_port(to.port);
        let config = &shared.config;
        let state = State::Active { active_port: config.active_port, timeout: config.limits.data_connection };
        Ok(Self::new(address, control, share, &config.limits, state))
    }

    fn new(address: SocketAddr, control: &Arc<Control>, share: Arc<()>, limits: &Limits, state: State) -> Self {
        let (control, stall, handshake) = (control.clone(), limits.stall, limits.data_connection);
        Self { address, control, stall, handshake, bond: None, state, opening: None, share }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `protection`: the bond of a connection that is protected, or why there can be none.
    pub(super) fn open(&mut self, protection: Result<Option<Arc<Bond>>, Error>) {
        if self.opening.is_some() {
            return;
        }
        self.opening = Some(Busy::new(&self.control));
        match protection {
            Ok(bond) => self.bond = bond,
            Err(error) => {
                self.state = State::Failed(error);
                return;
            }
        }
        if let State::Active { active_port, timeout } = self.state {
            self.state = match connect(self.control.local, active_port, self.address) {
                Ok(socket) => State::Connecting { socket, due: Instant::now() + timeout },
                Err(error) => State::Failed(error),
            };
        }
    }

    pub(super) fn finish(&mut self) -> Result<Socket, Error> {
        if self.opening.is_none() {
            return Err(Error::Pending);
        }
        now(self.settle());
        match std::mem::replace(&mut self.state, State::Failed(Error::Pending)) {
            State::Open(stream, layer) => {
                let protection = layer.zip(self.bond.as_deref()).map(|(layer, bond)| (layer, bond.close_notify));
                let busy = Busy::new(&self.control);
                Ok(Socket::new(stream, protection, busy, self.stall, self.share.clone()))
            }
            State::Failed(error) => Err(error),
            waiting => {
                self.state = waiting;
                Err(Error::Pending)
            }
        }
    }

    /// Wait until the client has come and all is protected, or an error is known. Cancel safe.
    async fn settle(&mut self) {
        loop {
            self.state = match &mut self.state {
                State::Passive(passive) => match passive.arrived().await {
                    Ok(stream) => self.connected(stream),
                    Err(error) => State::Failed(error),
                },
                State::Connecting { socket, due } => {
                    if timeout_at(*due, socket.writable()).await.is_err() {
                        State::Failed(Error::Timeout)
                    } else if !matches!(socket.take_error(), Ok(None)) {
                        State::Failed(Error::Unreachable)
                    } else {
                        match std::mem::replace(&mut self.state, State::Failed(Error::Unreachable)) {
                            State::Connecting { socket, .. } => self.connected(socket),
                            other => other,
                        }
                    }
                }
                State::Shaking { socket, layer, due } => match layer.handshake(socket) {
                    Ok(None) => match std::mem::replace(&mut self.state, State::Failed(Error::Tls)) {
                        State::Shaking { socket, layer, .. } if self.accepts(&layer) => {
                            State::Open(socket, Some(layer))
                        }
                        _ => State::Failed(Error::Tls),
                    },
                    Ok(Some(interest)) => match timeout_at(*due, socket.ready(interest)).await {
                        Ok(_) => continue,
                        Err(_) => {
                            warn!("{}: no TLS on a data connection: the handshake took too long", self.control.remote);
                            State::Failed(Error::Timeout)
                        }
                    },
                    Err(error) => {
                        warn!("{}: no TLS on a data connection: {error}", self.control.remote);
                        State::Failed(Error::Tls)
                    }
                },
                State::Active { .. } | State::Open(..) | State::Failed(_) => return,
            };
        }
    }

    /// What follows when the client is there.
    fn connected(&self, socket: TcpStream) -> State {
        match self.bond.as_ref().map(|bond| bond.data()) {
            None => State::Open(socket, None),
            Some(Ok(layer)) => State::Shaking { socket, layer, due: Instant::now() + self.handshake },
            Some(Err(error)) => {
                warn!("{}: no TLS on a data connection: {error}", self.control.remote);
                State::Failed(Error::Tls)
            }
        }
    }

    /// Whether it is bound to the control connection as it must be.
    fn accepts(&self, layer: &Layer) -> bool {
        self.bond.as_ref().is_some_and(|bond| bond.accepts(layer, self.control.remote))
    }
}

#[async_trait]
impl Pollable for DataPort {
    async fn ready(&mut self) {
        self.settle().await;
    }
}

/// A listener for one client. A task of its own accepts from the start, so that strangers never fill the
/// queue in front of the client, and gives the port back when nobody came in time.
struct Passive {
    listener: Arc<TcpListener>,
    arriving: oneshot::Receiver<Result<TcpStream, Error>>,
    accepting: JoinHandle<()>,
}

impl Passive {
    fn new(listener: TcpListener, client: IpAddr, time: Duration) -> Self {
        let due = Instant::now() + time;
        let (listener, (arrive, arriving)) = (Arc::new(listener), oneshot::channel());
        let accepted_by = listener.clone();
        let accepting = tokio::spawn(async move {
            let accepted = timeout_at(due, accept(&accepted_by, client)).await;
            stop_listening(&accepted_by);
            // Nobody waits any more if the port was dropped.
            let _ = arrive.send(accepted.map_err(|_| Error::Timeout));
        });
        Self { listener, arriving, accepting }
    }

    /// The client's connection. Cancel safe.
    async fn arrived(&mut self) -> Result<TcpStream, Error> {
        (&mut self.arriving).await.unwrap_or(Err(Error::NoPort))
    }
}

impl Drop for Passive {
    fn drop(&mut self) {
        // The task, which holds the listener too, may end a little later.
        stop_listening(&self.listener);
        self.accepting.abort();
    }
}

/// Give the port back, whoever still holds the socket.
fn stop_listening(listener: &TcpListener) {
    let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
}

/// The client's connection. Strangers are turned away, and do not use the port up.
async fn accept(listener: &TcpListener, client: IpAddr) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if peer.ip().to_canonical() == client => return stream,
            Ok((_, peer)) => warn!("{peer}: a stranger on the passive port of {client}"),
            Err(error) => {
                // Such as no file descriptor, which does not even wait for a client.
                warn!("passive port of {client}: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// To the client itself, and to no port that a service may listen on (RFC 2577 §3).
fn may_connect(to: SocketAddr, client: IpAddr) -> bool {
    to.ip().to_canonical() == client && to.port() >= FIRST_USER_PORT
}

/// Listen on a port of `range` that is free, starting anywhere: asking the kernel for one is slow when
/// many are in TIME_WAIT, and a predictable one is easier to steal.
fn listen_within(range: &RangeInclusive<u16>, local: SocketAddr) -> Option<TcpListener> {
    let (first, count) = (u32::from(*range.start()), u32::try_from(range.len()).ok()?);
    let start = getrandom::u32().ok()? % count.max(1);
    (0..count.min(MAX_TRIES)).find_map(|step| {
        let port = u16::try_from(first + (start + step) % count).ok()?;
        let mut address = local;
        address.set_port(port);
        listen::listener(address, PASSIVE_BACKLOG).ok()
    })
}

/// Begin to connect from `local` to `to`.
fn connect(local: SocketAddr, active_port: ActivePort, to: SocketAddr) -> Result<TcpStream, Error> {
    let mut from = local;
    from.set_port(listen::active_port(active_port, local.port()).unwrap_or(0));
    let bound = bind(from).or_else(|error| match active_port {
        // The port beside the control port is a custom (RFC 959 §5.2), one that was asked for is not.
        ActivePort::BesideControl => {
            debug!("port {} for active data connections: {error}; using another", from.port());
            from.set_port(0);
            bind(from)
        }
        ActivePort::Fixed(_) | ActivePort::Any => Err(error),
    });
    let socket = bound.map_err(|error| {
        warn!("port {} for active data connections: {error}", from.port());
        Error::NoPort
    })?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        // That port and the client's are still in TIME_WAIT.
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && active_port == ActivePort::BesideControl => {
            return connect(local, ActivePort::Any, to);
        }
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => return Err(Error::NoPort),
        Err(_) => return Err(Error::Unreachable),
    }
    TcpStream::from_std(StdStream::from(socket)).map_err(|_| Error::NoPort)
}

fn bind(from: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = listen::socket(from)?;
    socket.bind(&from.into())?;
    Ok(socket)
}

/// Ports below are those of services.
const FIRST_USER_PORT: u16 = 1024;

/// Ports of the passive range that are tried: almost all of them are free in a sane set-up.
const MAX_TRIES: u32 = 256;

/// Connections that may wait on a passive port until its task looks.
const PASSIVE_BACKLOG: i32 = 64;

/// Between attempts to accept when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bug_01_only_to_the_client_and_never_to_a_service() {
        let client = "127.0.0.1".parse().unwrap();
        let may = |to: &str| may_connect(to.parse().unwrap(), client);
        assert!(may("127.0.0.1:1024") && may("[::ffff:127.0.0.1]:65535"));
        assert!(!may("127.0.0.1:1023") && !may("127.0.0.1:0"));
        assert!(!may("127.0.0.2:2000") && !may("[::1]:2000") && !may("0.0.0.0:2000") && !may("224.0.0.1:2000"));
    }
}
