//! The control connection, as the guest has it.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::streams::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, StreamError, StreamResult,
};

use crate::attempt;
use crate::bindings::ftpd::server::control::{Ending, Host, HostConnection, IpAddress, SocketAddress};
use crate::ending::Activity;
use crate::session::SessionCtx;

/// The socket of a control connection, and the clock of its session.
pub(crate) struct Control {
    pub(crate) socket: TcpStream,
    /// Both ends; IPv4-mapped addresses as IPv4.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) activity: Activity,
    /// What was written and the socket did not take yet: one permit of the guest's, and a last line.
    backlog: Mutex<Vec<u8>>,
    /// There is a backlog.
    filled: Notify,
}

impl Control {
    /// Of a client that has just connected.
    pub(crate) fn new(socket: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        // A reply must not wait for the acknowledgement of the one before.
        socket.set_nodelay(true)?;
        // Telnet's urgent octet (IAC DM before ABOR, RFC 959 §4.1.3) stays in its place.
        sockopt::set_socket_oobinline(&socket, true)?;
        // A client that lost power is noticed at last.
        sockopt::set_socket_keepalive(&socket, true)?;
        let local = canonical(socket.local_addr()?);
        Ok(Self {
            socket,
            local,
            remote: canonical(peer),
            activity: Activity::new(),
            backlog: Mutex::default(),
            filled: Notify::new(),
        })
    }

    fn backlog(&self) -> MutexGuard<'_, Vec<u8>> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Send, or keep what the socket does not take.
    fn send(&self, octets: &[u8]) -> io::Result<()> {
        let mut backlog = self.backlog();
        backlog.extend_from_slice(octets);
        if !attempt::relieve(&self.socket, &mut backlog)? {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Send what is kept; false while something still is.
    fn relieve(&self) -> io::Result<bool> {
        attempt::relieve(&self.socket, &mut self.backlog())
    }

    /// Wait until nothing is kept any more. Cancel safe.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        while !self.relieve()? {
            self.socket.writable().await?;
        }
        Ok(())
    }

    /// Send what is kept whenever something is, whether the guest waits for it or not.
    pub(crate) async fn pump(&self) -> Infallible {
        loop {
            self.filled.notified().await;
            // A broken connection is found by the guest when it reads.
            let _ = self.flush().await;
        }
    }

    /// Say a last line and close, so that it arrives: unread octets would make the end a reset.
    pub(crate) fn close(&self, last: &[u8]) {
        let _ = self.send(last);
        for _ in 0..MAX_UNREAD {
            if !matches!(attempt::receive(&self.socket, &mut Vec::with_capacity(MAX_READ)), Ok(1..)) {
                break;
            }
        }
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
    }
}

/// IPv4-mapped IPv6 addresses as what they are.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        // Keeps the scope of a link-local address.
        IpAddr::V6(_) => address,
    }
}

/// The guest's handle on it.
#[derive(Clone)]
pub struct Connection(pub(crate) Arc<Control>);

impl Host for SessionCtx {
    fn get_connection(&mut self) -> wasmtime::Result<Resource<Connection>> {
        Ok(self.table.push(Connection(self.control.clone()))?)
    }
}

impl HostConnection for SessionCtx {
    fn input(&mut self, _: Resource<Connection>) -> wasmtime::Result<Resource<DynInputStream>> {
        let input: DynInputStream = Box::new(Input(self.control.clone()));
        Ok(self.table.push(input)?)
    }

    fn output(&mut self, _: Resource<Connection>) -> wasmtime::Result<Resource<DynOutputStream>> {
        let output: DynOutputStream = Box::new(Output(self.control.clone()));
        Ok(self.table.push(output)?)
    }

    fn local_address(&mut self, _: Resource<Connection>) -> wasmtime::Result<SocketAddress> {
        Ok(to_wit(self.control.local))
    }

    fn remote_address(&mut self, _: Resource<Connection>) -> wasmtime::Result<SocketAddress> {
        Ok(to_wit(self.control.remote))
    }

    fn idle_limit(&mut self, _: Resource<Connection>) -> wasmtime::Result<(u32, u32)> {
        let limits = &self.shared.config.limits;
        let seconds = |limit: Duration| u32::try_from(limit.as_secs()).unwrap_or(u32::MAX).max(1);
        Ok((seconds(self.control.activity.idle(limits)), seconds(limits.idle)))
    }

    fn set_idle_limit(&mut self, _: Resource<Connection>, seconds: u32) -> wasmtime::Result<()> {
        self.control.activity.set_idle(seconds);
        Ok(())
    }

    fn ending(&mut self, _: Resource<Connection>) -> wasmtime::Result<Option<Ending>> {
        Ok(self.control.activity.ending())
    }

    fn subscribe_ending(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, connection)
    }

    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

#[async_trait]
impl Pollable for Connection {
    async fn ready(&mut self) {
        self.0.activity.ended().await;
    }
}

/// What the client sends.
struct Input(Arc<Control>);

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        // An error is found by the read that follows.
        let _ = self.0.socket.readable().await;
    }
}

#[async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut octets = Vec::with_capacity(size.min(MAX_READ));
        match attempt::receive(&self.0.socket, &mut octets) {
            Ok(0) if size > 0 => Err(StreamError::Closed),
            Ok(_) => {
                self.0.activity.touch();
                Ok(octets.into())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Bytes::new()),
            Err(_) => Err(StreamError::Closed),
        }
    }
}

/// What the client receives.
struct Output(Arc<Control>);

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        // An error is found by the write that follows.
        let _ = self.0.flush().await;
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, octets: Bytes) -> StreamResult<()> {
        if octets.len() > PERMIT || !self.0.backlog().is_empty() {
            return Err(StreamError::trap("more was written than was permitted"));
        }
        self.0.send(&octets).map_err(|_| StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.0.relieve().map(|_| ()).map_err(|_| StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let empty = self.0.relieve().map_err(|_| StreamError::Closed)?;
        Ok(if empty { PERMIT } else { 0 })
    }
}

/// The guest's form of an address.
pub(crate) fn to_wit(address: SocketAddr) -> SocketAddress {
    let ip = match address.ip().to_canonical() {
        IpAddr::V4(ip) => IpAddress::Ipv4(ip.octets().into()),
        IpAddr::V6(ip) => IpAddress::Ipv6(ip.segments().into()),
    };
    SocketAddress { ip, port: address.port() }
}

/// The only FTP that the host speaks: the replies when there is no session to make one (RFC 959 §5.4).
pub(crate) const UNAVAILABLE: &[u8] = b"421 Service not available, closing control connection\r\n";
pub(crate) const TOO_MANY: &[u8] = b"421 Too many connections, please try again later\r\n";

/// Octets that are read from the client at once, whatever the guest asks for.
const MAX_READ: usize = 4 * 1024;

/// Pieces of unread octets that are taken before closing: a client that sends on without end is cut off.
const MAX_UNREAD: usize = 16;

/// Octets that the guest may write at once: what one session may cost in memory when its client does
/// not read.
const PERMIT: usize = 16 * 1024;
