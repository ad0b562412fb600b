//! The control connection, as the guest has it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpStream;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::streams::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, StreamError, StreamResult,
};

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
        let output: DynOutputStream = Box::new(Output { control: self.control.clone(), backlog: Vec::new() });
        Ok(self.table.push(output)?)
    }

    fn local_address(&mut self, _: Resource<Connection>) -> wasmtime::Result<SocketAddress> {
        Ok(to_wit(self.control.local))
    }

    fn remote_address(&mut self, _: Resource<Connection>) -> wasmtime::Result<SocketAddress> {
        Ok(to_wit(self.control.remote))
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
        match self.0.socket.try_read_buf(&mut octets) {
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
struct Output {
    control: Arc<Control>,
    /// What the socket did not take yet; at most one permit.
    backlog: Vec<u8>,
}

impl Output {
    /// Send what is left; false while something still is.
    fn relieve(&mut self) -> StreamResult<bool> {
        while !self.backlog.is_empty() {
            match self.control.socket.try_write(&self.backlog) {
                Ok(sent) => drop(self.backlog.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(_) => return Err(StreamError::Closed),
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        while let Ok(false) = self.relieve() {
            let _ = self.control.socket.writable().await;
        }
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, octets: Bytes) -> StreamResult<()> {
        if octets.len() > PERMIT || !self.backlog.is_empty() {
            return Err(StreamError::trap("more was written than was permitted"));
        }
        match self.control.socket.try_write(&octets) {
            Ok(sent) => self.backlog.extend_from_slice(octets.get(sent..).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.backlog.extend_from_slice(&octets),
            Err(_) => return Err(StreamError::Closed),
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.relieve().map(|_| ())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(if self.relieve()? { PERMIT } else { 0 })
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

/// Octets that are read from the client at once, whatever the guest asks for.
const MAX_READ: usize = 4 * 1024;

/// Octets that the guest may write at once: what one session may cost in memory when its client does
/// not read.
const PERMIT: usize = 16 * 1024;
