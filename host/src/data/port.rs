//! Where data connections come from, and to whom they may go.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use log::{debug, warn};
use rustix::net::sockopt;
use tokio::io::Interest;
use tokio::task::{JoinHandle, coop};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
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
use crate::socket::{Listener, Stream};
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
        socket: Stream,
        due: Instant,
    },
    /// Connected, and to be protected.
    Shaking {
        socket: Stream,
        layer: Layer,
        due: Instant,
    },
    /// Connected, protected if it must be, and not taken yet.
    Open(Stream, Option<Layer>),
    Failed(Error),
}

impl DataPort {
    /// Listen on a free port of the passive range, on the address that the client reached us by.
    pub(super) fn passive(shared: &Shared, control: &Arc<Control>, share: Arc<()>) -> Result<Self, Error> {
        let config = &shared.config;
        let local = control.local;
        let (listener, port) = listen_within(&config.passive_ports, local).ok_or(Error::NoPort)?;
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
        self.opening = Some(Busy::new(&self.control.activity));
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
                let busy = Busy::new(&self.control.activity);
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
                    Ok(stream) => {
                        self.control.close_later(passive.listener.clone());
                        self.connected(Stream::new(stream))
                    }
                    Err(error) => State::Failed(error),
                },
                // A client on this machine is there at once.
                State::Connecting { socket, .. } if socket.peer_addr().is_ok() => {
                    match std::mem::replace(&mut self.state, State::Failed(Error::Unreachable)) {
                        State::Connecting { socket, .. } => self.connected(socket),
                        other => other,
                    }
                }
                State::Connecting { socket, due } => match timeout_at(*due, socket.ready(Interest::WRITABLE)).await {
                    Err(_) => State::Failed(Error::Timeout),
                    Ok(_) if socket.peer_addr().is_err() => State::Failed(Error::Unreachable),
                    Ok(_) => continue,
                },
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
    fn connected(&self, socket: Stream) -> State {
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

/// A listener for one client, which is accepted when its transfer begins: by then it has mostly come. The port is
/// given back when it is due, whether somebody waits or not.
struct Passive {
    listener: Arc<Listener>,
    client: IpAddr,
    due: Instant,
    expiring: JoinHandle<()>,
}

impl Passive {
    fn new(listener: Listener, client: IpAddr, time: Duration) -> Self {
        let (listener, due) = (Arc::new(listener), Instant::now() + time);
        let expired = Arc::downgrade(&listener);
        let expiring = tokio::spawn(async move {
            sleep_until(due).await;
            if let Some(listener) = expired.upgrade() {
                let _ = rustix::net::shutdown(&*listener, rustix::net::Shutdown::Both);
            }
        });
        Self { listener, client, due, expiring }
    }

    /// The client's connection. Strangers are turned away, and do not use the port up. Cancel safe.
    async fn arrived(&self) -> Result<TcpStream, Error> {
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) if peer.ip().to_canonical() == self.client => return Ok(stream),
                Ok((_, peer)) => {
                    warn!("{peer}: a stranger on the passive port of {}", self.client);
                    coop::consume_budget().await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = self.listener.ready(Interest::READABLE);
                    timeout_at(self.due, ready).await.map_err(|_| Error::Timeout)?.map_err(|_| Error::NoPort)?;
                }
                Err(_) if self.due <= Instant::now() => return Err(Error::Timeout),
                Err(error) => {
                    // Such as no file descriptor, which does not even wait for a client.
                    warn!("passive port of {}: {error}", self.client);
                    timeout_at(self.due, sleep(ACCEPT_PAUSE)).await.map_err(|_| Error::Timeout)?;
                }
            }
        }
    }
}

impl Drop for Passive {
    fn drop(&mut self) {
        self.expiring.abort();
    }
}

/// To the client itself, and to no port that a service may listen on (RFC 2577 §3).
fn may_connect(to: SocketAddr, client: IpAddr) -> bool {
    to.ip().to_canonical() == client && to.port() >= FIRST_USER_PORT
}

/// Listen on a port of `range` that is free, starting anywhere: asking the kernel for one is slow when
/// many are in TIME_WAIT, and a predictable one is easier to steal.
fn listen_within(range: &RangeInclusive<u16>, local: SocketAddr) -> Option<(Listener, u16)> {
    let (first, count) = (u32::from(*range.start()), u32::try_from(range.len()).ok()?);
    let start = getrandom::u32().ok()? % count.max(1);
    (0..count.min(MAX_TRIES)).find_map(|step| {
        let port = u16::try_from(first + (start + step) % count).ok()?;
        let mut address = local;
        address.set_port(port);
        let listener = listen::listener(address, PASSIVE_BACKLOG).ok()?;
        Some((Listener::new(listener), port))
    })
}

/// Begin to connect from `local` to `to`.
fn connect(local: SocketAddr, active_port: ActivePort, to: SocketAddr) -> Result<Stream, Error> {
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
    Ok(Stream::new(socket.into()))
}

fn bind(from: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = listen::socket(from)?;
    // Or else the kernel would look, each time, at all that are in TIME_WAIT.
    sockopt::set_socket_reuseport(&socket, true)?;
    if from.port() == 0 {
        listen::choose_late(&socket)?;
    }
    socket.bind(&from.into())?;
    Ok(socket)
}

/// Ports below are those of services.
const FIRST_USER_PORT: u16 = 1024;

/// Ports of the passive range that are tried: almost all of them are free in a sane set-up.
const MAX_TRIES: u32 = 256;

/// Connections that may wait on a passive port until its transfer begins: strangers must not fill it before the
/// client has come.
const PASSIVE_BACKLOG: i32 = 1024;

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
