//! Sockets, with the standard library's addresses.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::rc::Rc;

use wasi::io::streams::{InputStream, OutputStream};
use wasi::sockets::instance_network::instance_network;
use wasi::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasi::sockets::tcp::{ShutdownType, TcpSocket};
use wasi::sockets::tcp_create_socket::create_tcp_socket;
use wasi_ftpd::wasi::stream::{Reader, Writer};
use wasi_ftpd::wasi::wait::{Signal, until};

/// A socket that listens.
pub(crate) struct Listener {
    signal: Rc<Signal>,
    address: SocketAddr,
    socket: TcpSocket,
}

/// A connection. It must not be dropped while its output is not idle: WASI would let the whole instance wait for
/// a client that reads nothing.
pub(crate) struct Stream {
    // Before the socket that they belong to.
    pub(crate) input: Reader,
    pub(crate) output: Writer,
    /// Both ends.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    socket: TcpSocket,
}

impl Listener {
    /// Listen on `address`; `backlog` clients may wait to be accepted.
    pub(crate) fn new(address: SocketAddr, backlog: u64) -> Result<Self, ErrorCode> {
        let socket = bind(address)?;
        socket.set_listen_backlog_size(backlog)?;
        socket.start_listen()?;
        socket.finish_listen()?;
        Ok(Self { signal: Signal::new(socket.subscribe()), address: from_wasi(socket.local_address()?), socket })
    }

    /// Where it listens: with a port, if it was to be any.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ready when there may be a client.
    pub(crate) fn signal(&self) -> &Rc<Signal> {
        &self.signal
    }

    /// A client, if there is one.
    pub(crate) fn try_accept(&self) -> Result<Option<Stream>, ErrorCode> {
        match self.socket.accept() {
            Ok((socket, input, output)) => Stream::new(socket, input, output).map(Some),
            Err(ErrorCode::WouldBlock) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Stream {
    fn new(socket: TcpSocket, input: InputStream, output: OutputStream) -> Result<Self, ErrorCode> {
        let (local, remote) = (from_wasi(socket.local_address()?), from_wasi(socket.remote_address()?));
        Ok(Self { input: Reader::new(input), output: Writer::new(output), local, remote, socket })
    }

    /// Connect from one address to another. Errors of the first are those of [`bind`].
    pub(crate) async fn connect(from: SocketAddr, to: SocketAddr) -> Result<Self, ErrorCode> {
        let socket = bind(from)?;
        socket.start_connect(&instance_network(), to_wasi(to))?;
        let signal = Signal::new(socket.subscribe());
        loop {
            match socket.finish_connect() {
                Err(ErrorCode::WouldBlock) => until(&signal).await,
                Ok((input, output)) => {
                    drop(signal);
                    return Self::new(socket, input, output);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Notice at last that a client has lost power.
    pub(crate) fn keep_alive(&self) {
        // What a system cannot do is not missed.
        let _ = self.socket.set_keep_alive_enabled(true);
    }

    /// Send nothing more: the client sees the end.
    pub(crate) fn end(&self) {
        // Whoever is gone does not mind.
        let _ = self.socket.shutdown(ShutdownType::Send);
    }
}

/// A socket with a local address.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpSocket, ErrorCode> {
    let family = if address.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 };
    let socket = create_tcp_socket(family)?;
    socket.start_bind(&instance_network(), to_wasi(address))?;
    socket.finish_bind()?;
    Ok(socket)
}

fn from_wasi(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }) => {
            SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port)
        }
        IpSocketAddress::Ipv6(address) => {
            let (a, b, c, d, e, f, g, h) = address.address;
            let ip = Ipv6Addr::new(a, b, c, d, e, f, g, h);
            SocketAddrV6::new(ip, address.port, address.flow_info, address.scope_id).into()
        }
    }
}

fn to_wasi(address: SocketAddr) -> IpSocketAddress {
    let port = address.port();
    match address {
        SocketAddr::V4(address) => {
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: address.ip().octets().into() })
        }
        SocketAddr::V6(address) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
            port,
            flow_info: address.flowinfo(),
            address: address.ip().segments().into(),
            scope_id: address.scope_id(),
        }),
    }
}
