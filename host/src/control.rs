//! The control connection, as the guest has it.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::Interest;
use tokio::sync::Notify;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, StreamError, StreamResult,
};

use crate::bindings::ftpd::server::control::{
    Ending, Host, HostConnection, IpAddress, Protection, SocketAddress, TlsPolicy,
};
use crate::config;
use crate::ending::Activity;
use crate::handshake::Handshake;
use crate::line::{Line, Relief};
use crate::polling::Quickness;
use crate::session::SessionCtx;
use crate::socket::Stream;
use crate::tls::Bond;

/// The socket of a control connection, and the clock of its session.
pub(crate) struct Control {
    pub(crate) socket: Stream,
    /// Both ends; IPv4-mapped addresses as IPv4.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) activity: Arc<Activity>,
    /// Protected from the first octet to the last.
    pub(crate) implicit: bool,
    quickness: Quickness,
    line: Mutex<Line>,
    /// What a transfer has left, to be closed when its reply is out: the client need not wait for that.
    left: Mutex<Vec<Box<dyn Send>>>,
    /// There is something to send that the socket did not take at once.
    filled: Notify,
    /// A handshake is over.
    shaken: Notify,
}

impl Control {
    /// Of a client that has just connected.
    pub(crate) fn new(socket: TcpStream, peer: SocketAddr, implicit: bool) -> io::Result<Self> {
        let local = canonical(socket.local_addr()?);
        Ok(Self {
            socket: Stream::new(socket),
            local,
            remote: canonical(peer),
            activity: Arc::new(Activity::new()),
            implicit,
            quickness: Quickness::default(),
            line: Mutex::default(),
            left: Mutex::default(),
            filled: Notify::new(),
            shaken: Notify::new(),
        })
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Send, or keep what the socket does not take.
    fn send(&self, octets: &[u8]) -> io::Result<()> {
        let sent = self.line().send(&self.socket, octets);
        self.close_left();
        if sent? != Relief::Done {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Drop what a transfer has left after its reply, or now if much waits for that.
    pub(crate) fn close_later(&self, left: impl Send + 'static) {
        let mut all = self.left();
        if all.len() < MAX_LEFT {
            all.push(Box::new(left));
        }
    }

    /// Drop it now.
    pub(crate) fn close_left(&self) {
        self.left().clear();
    }

    fn left(&self) -> MutexGuard<'_, Vec<Box<dyn Send>>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait until nothing is kept any more. Cancel safe.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        loop {
            let shaken = self.shaken.notified();
            let relief = self.line().relieve(&self.socket)?;
            match relief {
                Relief::Done => return Ok(()),
                Relief::Full => self.socket.ready(Interest::WRITABLE).await?,
                Relief::Shaking => shaken.await,
            }
        }
    }

    /// Send what is kept whenever something is, whether the guest waits for it or not.
    pub(crate) async fn pump(&self) -> Infallible {
        loop {
            self.filled.notified().await;
            // A broken connection is found by the guest when it reads.
            let _ = self.flush().await;
        }
    }

    /// Wait until there may be something to read. Cancel safe.
    async fn readable(&self) {
        loop {
            let shaken = self.shaken.notified();
            let ready = self.line().has_input();
            match ready {
                Some(true) => return,
                // A session that converts a file never waits, and so the runtime hears of nothing.
                Some(false) if self.activity.is_busy() && self.socket.has_come() => return,
                Some(false) => {
                    // An error is found by the read that follows.
                    let _ = self.quickness.wait(&self.socket, self.socket.ready(Interest::READABLE)).await;
                    return;
                }
                None => shaken.await,
            }
        }
    }

    /// Say a last line and close, so that it arrives: unread octets would make the end a reset.
    pub(crate) fn close(&self, last: &[u8]) {
        self.socket.end_follows();
        self.line().close(&self.socket, last);
        for _ in 0..MAX_UNREAD {
            if !matches!(self.socket.receive(&mut Vec::with_capacity(MAX_READ)), Ok(1..)) {
                break;
            }
        }
        // Whatever still holds it, such as a file on its way to a slow disk.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
        self.close_left();
    }

    /// Begin a handshake, after what was written before. An error says why there can be none.
    pub(crate) fn start_tls(&self, bond: Arc<Bond>) -> Result<(), &'static str> {
        self.line().start(bond)
    }

    /// Go on with it: what to wait for, or what protects the connection once it is over.
    pub(crate) fn shake(&self) -> io::Result<Result<String, Interest>> {
        let step = self.line().shake(&self.socket)?;
        if step.is_ok() {
            self.shaken.notify_waiters();
            self.filled.notify_one();
        }
        Ok(step)
    }

    /// Nothing can be said or heard any more.
    pub(crate) fn break_off(&self) {
        self.line().break_off();
        self.shaken.notify_waiters();
    }

    /// Protect it no more, after what was written before.
    fn stop_tls(&self) {
        self.line().stop();
        self.filled.notify_one();
    }

    /// What protects it.
    pub(crate) fn protection(&self) -> Option<String> {
        self.line().protection()
    }

    /// What ties data connections to it, since it was first protected.
    pub(crate) fn bond(&self) -> Option<Arc<Bond>> {
        self.line().bond()
    }

    /// The certificate that the client has shown, in DER, while the connection is protected.
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        self.line().certificate()
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

impl SessionCtx {
    /// Whether a user may stay logged in when commands are clear again.
    fn lets_clear(&self, control: &Control) -> bool {
        self.shared.tls.as_ref().is_some_and(|tls| tls.settings.clear_commands) && !control.implicit
    }

    fn connection(&self, connection: &Resource<Connection>) -> wasmtime::Result<Arc<Control>> {
        Ok(self.table.get(connection)?.0.clone())
    }
}

impl Host for SessionCtx {
    async fn get_connection(&mut self) -> wasmtime::Result<Resource<Connection>> {
        let control = self.client().await?;
        Ok(self.table.push(Connection(control))?)
    }
}

impl HostConnection for SessionCtx {
    fn input(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Resource<DynInputStream>> {
        let input: DynInputStream = Box::new(Input(self.connection(&connection)?));
        Ok(self.table.push(input)?)
    }

    fn output(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Resource<DynOutputStream>> {
        let output: DynOutputStream = Box::new(Output(self.connection(&connection)?));
        Ok(self.table.push(output)?)
    }

    fn local_address(&mut self, connection: Resource<Connection>) -> wasmtime::Result<SocketAddress> {
        Ok(to_wit(self.connection(&connection)?.local))
    }

    fn remote_address(&mut self, connection: Resource<Connection>) -> wasmtime::Result<SocketAddress> {
        Ok(to_wit(self.connection(&connection)?.remote))
    }

    fn tls_policy(&mut self, _: Resource<Connection>) -> wasmtime::Result<TlsPolicy> {
        Ok(match self.shared.tls.as_ref().map(|tls| tls.settings.policy) {
            None => TlsPolicy::Off,
            Some(config::TlsPolicy::Allowed) => TlsPolicy::Allowed,
            Some(config::TlsPolicy::Required) => TlsPolicy::Required,
            Some(config::TlsPolicy::RequiredForData) => TlsPolicy::RequiredForData,
        })
    }

    fn protection(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Option<Protection>> {
        Ok(self.connection(&connection)?.protection().map(|description| Protection { description }))
    }

    fn start_tls(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Resource<Handshake>> {
        let handshake = Handshake::new(&self.shared, self.connection(&connection)?, self.host.as_deref());
        Ok(self.table.push(handshake)?)
    }

    fn may_stop_tls(&mut self, connection: Resource<Connection>) -> wasmtime::Result<bool> {
        Ok(self.lets_clear(&*self.connection(&connection)?))
    }

    fn stop_tls(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        let control = self.connection(&connection)?;
        if !control.implicit {
            if !self.lets_clear(&control) {
                self.user = None;
            }
            control.stop_tls();
        }
        Ok(())
    }

    fn select_host(&mut self, _: Resource<Connection>, name: String) -> wasmtime::Result<bool> {
        let known = self.shared.tls.as_ref().is_none_or(|tls| tls.knows(&name));
        if known {
            self.host = Some(name);
        }
        Ok(known)
    }

    fn idle_limit(&mut self, connection: Resource<Connection>) -> wasmtime::Result<(u32, u32)> {
        let control = self.connection(&connection)?;
        let limits = &self.shared.config.limits;
        let seconds = |limit: Duration| u32::try_from(limit.as_secs()).unwrap_or(u32::MAX).max(1);
        Ok((seconds(control.activity.idle(limits)), seconds(limits.idle)))
    }

    fn set_idle_limit(&mut self, connection: Resource<Connection>, seconds: u32) -> wasmtime::Result<()> {
        self.connection(&connection)?.activity.set_idle(seconds);
        Ok(())
    }

    fn ending(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Option<Ending>> {
        Ok(self.connection(&connection)?.activity.tell())
    }

    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

/// What the client sends, and nothing while the session must first hear that it must end.
struct Input(Arc<Control>);

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        tokio::select! {
            () = self.0.readable() => {}
            () = self.0.activity.news() => {}
        }
    }
}

#[async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.0.activity.has_news() {
            return Ok(Bytes::new());
        }
        let mut octets = Vec::with_capacity(size.min(MAX_READ));
        let received = self.0.line().receive(&self.0.socket, &mut octets);
        match received {
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
        if octets.len() > PERMIT || self.0.line().owes() {
            return Err(StreamError::trap("more was written than was permitted"));
        }
        self.0.send(&octets).map_err(|_| StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.0.line().relieve(&self.0.socket).map(|_| ()).map_err(|_| StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let relief = self.0.line().relieve(&self.0.socket).map_err(|_| StreamError::Closed)?;
        Ok(if relief == Relief::Done { PERMIT } else { 0 })
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

/// What may wait to be closed: the port, connection and file of a transfer, and those of a few commands that came with it.
const MAX_LEFT: usize = 8;

/// Octets that are read from the client at once, whatever the guest asks for.
const MAX_READ: usize = 4 * 1024;

/// Pieces of unread octets that are taken before closing: a client that sends on without end is cut off.
const MAX_UNREAD: usize = 16;

/// Octets that the guest may write at once: what one session may cost in memory when its client does
/// not read.
const PERMIT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn nothing_is_read_until_the_session_knows_that_it_must_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        let control = Arc::new(Control::new(socket, peer, false).unwrap());
        let mut input = Input(control.clone());
        control.activity.end(Ending::Shutdown);
        input.ready().await;
        client.write_all(b"NOOP\r\n").unwrap();
        control.readable().await;
        assert!(input.read(MAX_READ).unwrap().is_empty());
        assert_eq!(control.activity.tell(), Some(Ending::Shutdown));
        input.ready().await;
        assert_eq!(input.read(MAX_READ).unwrap(), "NOOP\r\n");
    }
}
