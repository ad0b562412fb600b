//! Sockets that the runtime learns of when somebody first has to wait for them.
//!
//! The system is asked first, whatever the runtime believes. What a small file needs is then done before the
//! runtime has heard of its connection: it is never told, and nobody is woken for what is no news.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, sockopt};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A connection.
pub(crate) type Stream = Socket<TcpStream>;

/// Where connections come from.
pub(crate) type Listener = Socket<TcpListener>;

/// A socket that does not block.
pub(crate) struct Socket<S: AsFd + AsRawFd> {
    // Before the socket: they are forgotten before it is closed. One for each interest, since almost every socket can
    // be written to as soon as the runtime learns of it, and whoever waits to read would be woken for that.
    readable: OnceLock<Watched<S>>,
    writable: OnceLock<Watched<S>>,
    /// The end follows what is sent.
    ends: AtomicBool,
    socket: Arc<S>,
}

type Watched<S> = AsyncFd<Descriptor<S>>;

/// What the runtime knows a socket by: each interest needs a descriptor of its own.
enum Descriptor<S> {
    Own(Arc<S>),
    Second(OwnedFd),
}

impl<S: AsFd + AsRawFd> Socket<S> {
    pub(crate) fn new(socket: S) -> Self {
        let (readable, writable) = (OnceLock::new(), OnceLock::new());
        Self { readable, writable, ends: AtomicBool::new(false), socket: Arc::new(socket) }
    }

    /// The one of `interest`, and the other.
    fn watched(&self, interest: Interest) -> (&OnceLock<Watched<S>>, &OnceLock<Watched<S>>) {
        if interest.is_readable() { (&self.readable, &self.writable) } else { (&self.writable, &self.readable) }
    }

    /// Do `operation` now. If it would block, waiting for `interest` waits.
    pub(crate) fn attempt<T>(&self, interest: Interest, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let Some(watched) = self.watched(interest).0.get() else { return operation() };
        let mut asked = false;
        let result = watched.try_io(interest, |_| {
            asked = true;
            operation()
        });
        // What comes after this answer, the runtime will learn.
        if asked { result } else { operation() }
    }

    /// Wait until an attempt may succeed. Cancel safe.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<()> {
        let (watched, other) = self.watched(interest);
        let watched = match watched.get() {
            Some(watched) => watched,
            None => {
                let descriptor = match other.get() {
                    None => Descriptor::Own(self.socket.clone()),
                    Some(_) => Descriptor::Second(self.socket.as_fd().try_clone_to_owned()?),
                };
                // SAFETY: an owner of a descriptor (`AsFd`) that nobody can change any more keeps it until it is
                // dropped, which is after `watched`.
                let registered = unsafe { AsyncFd::register_with_interest(descriptor, interest) }?;
                watched.get_or_init(|| registered)
            }
        };
        watched.ready(interest).await.map(|_| ())
    }
}

impl<S: AsRawFd> AsRawFd for Descriptor<S> {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Own(socket) => socket.as_raw_fd(),
            Self::Second(descriptor) => descriptor.as_raw_fd(),
        }
    }
}

impl<S: AsFd + AsRawFd> std::ops::Deref for Socket<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.socket
    }
}

impl<S: AsFd + AsRawFd> AsFd for Socket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Stream {
    /// What is sent from now on waits for the end, and goes with it: one segment less, and one wake-up of the client's.
    /// Whether that was said before.
    pub(crate) fn end_follows(&self) -> bool {
        self.ends.swap(true, Ordering::Relaxed)
    }

    /// Whether full segments only are sent before the end (tcp(7), TCP_CORK): sendfile(2) makes pieces of 64 KiB, each of
    /// which would end with a small one. What is left over waits for 200 ms at most.
    pub(crate) fn cork(&self, corked: bool) {
        // Without it, it is only slower.
        let _ = sockopt::set_tcp_cork(self, corked);
    }

    fn flags(&self) -> SendFlags {
        let more = if self.ends.load(Ordering::Relaxed) { SendFlags::MORE } else { SendFlags::empty() };
        SendFlags::NOSIGNAL | more
    }

    /// Send what the socket takes now.
    pub(crate) fn send(&self, octets: &[u8]) -> io::Result<usize> {
        self.attempt(Interest::WRITABLE, || Ok(rustix::net::send(self, octets, self.flags())?))
    }

    /// Send what the socket takes of several pieces now.
    pub(crate) fn send_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.attempt(Interest::WRITABLE, || {
            Ok(rustix::net::sendmsg(self, pieces, &mut SendAncillaryBuffer::default(), self.flags())?)
        })
    }

    /// Append what has come to the spare capacity of `octets`; 0 at the end.
    pub(crate) fn receive(&self, octets: &mut Vec<u8>) -> io::Result<usize> {
        self.attempt(Interest::READABLE, || {
            let spare = rustix::buffer::spare_capacity(octets);
            Ok(rustix::net::recv(self, spare, RecvFlags::empty())?.0)
        })
    }

    /// Whether there is something to receive, or an end, whatever the runtime knows of it.
    pub(crate) fn has_come(&self) -> bool {
        !matches!(rustix::net::recv(self, &mut [0; 1], RecvFlags::PEEK), Err(Errno::AGAIN))
    }

    /// Send what is in `backlog`, removing it; false while something is left. What cannot be sent at all is
    /// dropped.
    pub(crate) fn relieve(&self, backlog: &mut Vec<u8>) -> io::Result<bool> {
        while !backlog.is_empty() {
            match self.send(backlog) {
                Ok(sent) => drop(backlog.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => {
                    backlog.clear();
                    return Err(error);
                }
            }
        }
        Ok(true)
    }
}

impl Listener {
    /// The next connection, and who it is from.
    pub(crate) fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (stream, peer) = self.attempt(Interest::READABLE, || Ok(rustix::net::acceptfrom_with(self, flags)?))?;
        let peer = peer.and_then(|peer| peer.try_into().ok()).ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok((stream.into(), peer))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn waits_for_either_way_and_both() {
        for first in [Interest::READABLE, Interest::WRITABLE] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let socket = listener.accept().unwrap().0;
            socket.set_nonblocking(true).unwrap();
            let socket = Stream::new(socket);
            if first.is_writable() {
                socket.ready(first).await.unwrap();
            }
            client.write_all(b"a").unwrap();
            socket.ready(Interest::READABLE).await.unwrap();
            let mut received = Vec::with_capacity(8);
            assert_eq!(socket.receive(&mut received).unwrap(), 1);
            assert_eq!(socket.receive(&mut received).unwrap_err().kind(), io::ErrorKind::WouldBlock);

            let piece = [7; 65_536];
            let mut sent = 0;
            while let Ok(more) = socket.send(&piece) {
                sent += more;
            }
            let reading = std::thread::spawn(move || {
                let mut all = vec![0; sent];
                client.read_exact(&mut all).unwrap();
                client
            });
            socket.ready(Interest::WRITABLE).await.unwrap();
            assert!(socket.send(&piece).unwrap() > 0);
            drop(reading.join().unwrap());
            socket.ready(Interest::READABLE).await.unwrap();
        }
    }
}
