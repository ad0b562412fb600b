//! Asking a socket at once.
//!
//! Tokio learns that a socket is ready from its poll loop, and until then its `try_` methods say that it
//! would block: a turn of that loop for each new connection, and a reply that lies about while nobody
//! waits. So the system is asked first, and tokio only learns the answer.

use std::io::{self, IoSlice};

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Do `operation` now. If it would block, tokio knows it, and waiting for `interest` waits.
pub(crate) fn attempt<T>(
    socket: &TcpStream,
    interest: Interest,
    mut operation: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    match operation() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.try_io(interest, operation),
        result => result,
    }
}

/// Send what the socket takes now.
pub(crate) fn send(socket: &TcpStream, octets: &[u8]) -> io::Result<usize> {
    attempt(socket, Interest::WRITABLE, || Ok(rustix::net::send(socket, octets, SendFlags::NOSIGNAL)?))
}

/// Send what the socket takes of several pieces now.
pub(crate) fn send_vectored(socket: &TcpStream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    attempt(socket, Interest::WRITABLE, || {
        Ok(rustix::net::sendmsg(socket, pieces, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)?)
    })
}

/// Append what has come to the spare capacity of `octets`; 0 at the end.
pub(crate) fn receive(socket: &TcpStream, octets: &mut Vec<u8>) -> io::Result<usize> {
    attempt(socket, Interest::READABLE, || {
        let spare = rustix::buffer::spare_capacity(octets);
        Ok(rustix::net::recv(socket, spare, RecvFlags::empty())?.0)
    })
}

/// Send what is in `backlog`, removing it; false while something is left. What cannot be sent at all is
/// dropped.
pub(crate) fn relieve(socket: &TcpStream, backlog: &mut Vec<u8>) -> io::Result<bool> {
    while !backlog.is_empty() {
        match send(socket, backlog) {
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
