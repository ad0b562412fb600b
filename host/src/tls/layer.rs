//! TLS over one socket, of which we are the server: octets in, octets out, without waiting.

use std::io::{self, BufRead, IoSlice, Write};
use std::sync::Arc;

use rustix::net::sockopt::set_tcp_quickack;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use tokio::io::Interest;

use super::kernel;
use crate::socket::Stream;

/// TLS over one socket.
pub(crate) struct Layer {
    connection: Box<ServerConnection>,
    /// What came from the socket: records that were dealt with, up to `done`, and what follows.
    ahead: Vec<u8>,
    done: usize,
    /// Octets that the socket is asked for at once.
    piece: usize,
    /// The client has said that it will say no more.
    closed: bool,
    /// Octets that the socket took.
    sent: u64,
    /// There were octets of ours to protect.
    wrote: bool,
}

impl Layer {
    /// Before the handshake. `piece`: octets that the socket is asked for at once.
    pub(super) fn new(config: Arc<ServerConfig>, piece: usize) -> Result<Self, rustls::Error> {
        let mut connection = Box::new(ServerConnection::new(config)?);
        // What is written is limited by those who write.
        connection.set_buffer_limit(None);
        Ok(Self { connection, ahead: Vec::new(), done: 0, piece, closed: false, sent: 0, wrote: false })
    }

    /// Go on with the handshake: what to wait for, or nothing once it is over.
    pub(crate) fn handshake(&mut self, socket: &Stream) -> io::Result<Option<Interest>> {
        loop {
            // Most clients send what they say next in pieces, and each only when the one before is acknowledged
            // (Nagle): 40 ms for each if the system waits for something to send along.
            let _ = set_tcp_quickack(socket, true);
            // Tickets follow the handshake of TLS 1.3, and go with the first octets of ours. A client that uploads may
            // never read them (Go): if it closes with octets unread, its system forgets what it has not sent yet.
            let is_over = !self.connection.is_handshaking();
            if is_over && self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
                return Ok(None);
            }
            if !self.flush(socket)? {
                return Ok(Some(Interest::WRITABLE));
            }
            if is_over {
                return Ok(None);
            }
            if self.closed {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match self.record(socket) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Some(Interest::READABLE)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Append what the client said to the spare capacity of `octets`; `has_input` says whether to ask again
    /// without waiting for the socket. 0: it has said all (close_notify). Error
    /// `UnexpectedEof`: the connection ended before that; `Unsupported`: what came next is not TLS.
    pub(crate) fn receive(&mut self, socket: &Stream, octets: &mut Vec<u8>) -> io::Result<usize> {
        let spare = octets.capacity() - octets.len();
        if spare == 0 {
            return Ok(0);
        }
        for _ in 0..MAX_EMPTY {
            let mut reader = self.connection.reader();
            match reader.fill_buf() {
                Ok(chunk) => {
                    let taken = chunk.get(..spare).unwrap_or(chunk);
                    let count = taken.len();
                    octets.extend_from_slice(taken);
                    reader.consume(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.record(socket)?,
                Err(error) => return Err(error),
            }
        }
        // Others have their turn; `has_input` or the socket says that there is more.
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Whether `receive` has something to say without the socket.
    pub(crate) fn has_input(&mut self) -> bool {
        let waiting =
            matches!(self.connection.reader().fill_buf(), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        !waiting || !matches!(record_length(self.rest()), Ok(None))
    }

    /// The connection has ended without close_notify: take that for the client's last word, unless it was in the
    /// middle of a record. Whether it is.
    pub(crate) fn excuse_end(&mut self) -> bool {
        self.closed = self.rest().is_empty();
        self.closed
    }

    /// Whether the client has said all.
    pub(crate) fn closed(&self) -> bool {
        self.closed
    }

    /// Whether anything but the handshake was written.
    pub(crate) fn wrote(&self) -> bool {
        self.wrote
    }

    /// Octets that the socket took so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Protect octets; `flush` sends them.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.wrote |= !octets.is_empty();
        self.connection.writer().write_all(octets)
    }

    /// Say that nothing will follow; `flush` sends it.
    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// Whether the kernel can do this protocol.
    pub(crate) fn suits_kernel(&self) -> bool {
        self.connection.negotiated_cipher_suite().is_some_and(|suite| kernel::can(suite.suite()))
    }

    /// Let the kernel protect what is sent from now on. Only if it can, and nothing is left to send. After an error,
    /// nothing may be sent.
    pub(crate) fn hand_over(self, socket: &Stream) -> io::Result<()> {
        let secrets = self.connection.dangerous_extract_secrets().map_err(io::Error::other)?;
        kernel::take_over(socket, &secrets.tx)
    }

    /// Send what there is; false while something is left.
    pub(crate) fn flush(&mut self, socket: &Stream) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Wire(socket)) {
                Ok(sent) => self.sent += sent as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Append what there is to send to `octets`, for others to send.
    pub(crate) fn drain(&mut self, octets: &mut Vec<u8>) {
        // Nothing fails on the way to memory.
        while self.connection.wants_write() && self.connection.write_tls(octets).is_ok() {}
    }

    /// What came from the socket and is no record of TLS.
    pub(crate) fn into_rest(self) -> Vec<u8> {
        self.rest().to_vec()
    }

    /// Give memory back, if it is empty.
    pub(crate) fn shrink(&mut self) {
        if self.rest().is_empty() {
            (self.ahead, self.done) = (Vec::new(), 0);
        }
    }

    /// For people: version and cipher suite.
    pub(crate) fn description(&self) -> String {
        let version = match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLS",
        };
        match self.connection.negotiated_cipher_suite() {
            Some(suite) => format!("{version} {:?}", suite.suite()),
            None => version.to_owned(),
        }
    }

    /// Whether the client has resumed a session.
    pub(crate) fn resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The certificate that the client has shown, in DER.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        self.connection.peer_certificates()?.first().map(AsRef::as_ref)
    }

    fn rest(&self) -> &[u8] {
        self.ahead.get(self.done..).unwrap_or_default()
    }

    /// Deal with one more record, and not an octet more: what follows the last one is not TLS.
    fn record(&mut self, socket: &Stream) -> io::Result<()> {
        let length = loop {
            match record_length(self.rest())? {
                Some(length) => break length,
                None => self.fill(socket)?,
            }
        };
        let end = self.done + length;
        let mut record = self.ahead.get(self.done..end).unwrap_or_default();
        self.done = end;
        while !record.is_empty() && self.connection.read_tls(&mut record)? > 0 {}
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.closed = state.peer_has_closed();
                Ok(())
            }
            Err(error) => {
                // The alert says why, where the client listens.
                let _ = self.flush(socket);
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    /// Read from the socket.
    fn fill(&mut self, socket: &Stream) -> io::Result<()> {
        self.ahead.drain(..self.done);
        self.done = 0;
        if self.ahead.len() == self.ahead.capacity() {
            let wanted = if self.ahead.is_empty() { self.piece } else { MAX_RECORD };
            self.ahead.reserve_exact(wanted.max(MAX_HEADER));
        }
        match socket.receive(&mut self.ahead)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The octets of the record that `octets` begin with, if it is all there. Error `Unsupported` if it is none.
fn record_length(octets: &[u8]) -> io::Result<Option<usize>> {
    let length = match *octets {
        [FIRST_TYPE..=LAST_TYPE, 3, _, high, low, ..] => MAX_HEADER + usize::from(u16::from_be_bytes([high, low])),
        [] | [FIRST_TYPE..=LAST_TYPE] => return Ok(None),
        [FIRST_TYPE..=LAST_TYPE, 3, ..] => return Ok(None),
        _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "this is not TLS")),
    };
    if length > MAX_RECORD {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "a record of TLS is not that long"));
    }
    Ok((octets.len() >= length).then_some(length))
}

/// The socket, for rustls to write to.
struct Wire<'a>(&'a Stream);

impl Write for Wire<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.send(octets)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The types of records (RFC 8446 §5.1): change_cipher_spec to heartbeat. No command begins with one.
const FIRST_TYPE: u8 = 20;
const LAST_TYPE: u8 = 24;

/// Records without octets for us that are dealt with at once: a client may send them without end.
const MAX_EMPTY: usize = 64;

/// Octets of a record's header.
const MAX_HEADER: usize = 5;

/// Octets of a record (RFC 5246 §6.2.3; RFC 8446 §5.2 allows fewer).
const MAX_RECORD: usize = MAX_HEADER + (1 << 14) + 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_other_things() {
        assert_eq!(record_length(b"").unwrap(), None);
        assert_eq!(record_length(b"\x16\x03\x01\x00").unwrap(), None);
        assert_eq!(record_length(b"\x16\x03\x01\x00\x02a").unwrap(), None);
        assert_eq!(record_length(b"\x16\x03\x01\x00\x02abc").unwrap(), Some(7));
        for other in [&b"GET / HTTP/1.1\r\n"[..], b"U", b"\x80\x2e", b"\x16\x02", b"\x16\x03\x01\xff\xff"] {
            assert_eq!(record_length(other).unwrap_err().kind(), io::ErrorKind::Unsupported, "{other:?}");
        }
    }
}
