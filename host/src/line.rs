//! What goes over a control connection: in clear, or protected by TLS, or by turns.

use std::io;
use std::sync::Arc;

use tokio::io::Interest;

use crate::socket::Stream;
use crate::tls::{Bond, Layer};

/// What was written and the socket did not take yet, what was read too far, and what protects both.
#[derive(Default)]
pub(crate) struct Line {
    protection: Protection,
    /// What was written and the socket, or TLS, did not take yet: one permit of the guest's, and a last line.
    backlog: Vec<u8>,
    /// Some of that is left which the guest has written.
    owes: bool,
    /// What followed the end of TLS.
    ahead: Vec<u8>,
    /// Of the last handshake.
    bond: Option<Arc<Bond>>,
}

#[derive(Default)]
enum Protection {
    #[default]
    None,
    /// A handshake is going on. What was written before it goes first, and in clear.
    Starting {
        layer: Layer,
        before: Vec<u8>,
    },
    Tls(Layer),
    /// We have said our last under TLS, and the client perhaps not yet.
    Stopping(Layer),
    /// Nothing more is sent, and nothing read.
    Broken,
}

/// What became of the backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relief {
    /// It is empty.
    Done,
    /// The socket takes no more now.
    Full,
    /// A handshake comes first.
    Shaking,
}

impl Line {
    /// Send, or keep what the socket does not take.
    pub(crate) fn send(&mut self, socket: &Stream, octets: &[u8]) -> io::Result<Relief> {
        match &mut self.protection {
            Protection::Tls(layer) => layer.write(octets)?,
            _ => self.backlog.extend_from_slice(octets),
        }
        self.owes = true;
        self.relieve(socket)
    }

    /// Send what is kept.
    pub(crate) fn relieve(&mut self, socket: &Stream) -> io::Result<Relief> {
        let sent = match &mut self.protection {
            Protection::None | Protection::Stopping(_) => socket.relieve(&mut self.backlog)?,
            Protection::Tls(layer) => layer.flush(socket)?,
            Protection::Starting { .. } => return Ok(Relief::Shaking),
            Protection::Broken => return Err(io::ErrorKind::NotConnected.into()),
        };
        self.owes &= !sent;
        Ok(if sent { Relief::Done } else { Relief::Full })
    }

    /// Whether something that the guest has written is still kept.
    pub(crate) fn owes(&self) -> bool {
        self.owes
    }

    /// Append what has come to the spare capacity of `octets`; 0 at the end.
    pub(crate) fn receive(&mut self, socket: &Stream, octets: &mut Vec<u8>) -> io::Result<usize> {
        if let Protection::Stopping(layer) = &mut self.protection {
            match layer.receive(socket, octets) {
                // Its last word, or it has none: what follows is clear.
                Ok(0) if octets.capacity() > octets.len() => {}
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                other => return other,
            }
            if let Protection::Stopping(layer) = std::mem::take(&mut self.protection) {
                self.ahead = layer.into_rest();
            }
        }
        match &mut self.protection {
            Protection::None if self.ahead.is_empty() => socket.receive(octets),
            Protection::None => {
                let count = self.ahead.len().min(octets.capacity() - octets.len());
                octets.extend(self.ahead.drain(..count));
                Ok(count)
            }
            Protection::Tls(layer) => {
                let received = layer.receive(socket, octets);
                // Most sessions are idle most of the time.
                layer.shrink();
                received
            }
            Protection::Starting { .. } | Protection::Stopping(_) => Err(io::ErrorKind::WouldBlock.into()),
            Protection::Broken => Ok(0),
        }
    }

    /// Whether there is something to read without the socket; nothing while a handshake is going on.
    pub(crate) fn has_input(&mut self) -> Option<bool> {
        match &mut self.protection {
            Protection::None => Some(!self.ahead.is_empty()),
            Protection::Tls(layer) | Protection::Stopping(layer) => Some(layer.has_input()),
            Protection::Starting { .. } => None,
            Protection::Broken => Some(true),
        }
    }

    /// Begin a handshake. An error says why there can be none.
    pub(crate) fn start(&mut self, bond: Arc<Bond>) -> Result<(), &'static str> {
        if !matches!(self.protection, Protection::None) || !self.ahead.is_empty() {
            return Err("the client still speaks, or already speaks, TLS");
        }
        let layer = bond.control().map_err(|_| "no TLS to be had")?;
        self.bond = Some(bond);
        self.owes = false;
        self.protection = Protection::Starting { layer, before: std::mem::take(&mut self.backlog) };
        Ok(())
    }

    /// Go on with it: what to wait for, or what protects the connection once it is over.
    pub(crate) fn shake(&mut self, socket: &Stream) -> io::Result<Result<String, Interest>> {
        let Protection::Starting { layer, before } = &mut self.protection else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if !socket.relieve(before)? {
            return Ok(Err(Interest::WRITABLE));
        }
        if let Some(interest) = layer.handshake(socket)? {
            return Ok(Err(interest));
        }
        let description = layer.description();
        if let Protection::Starting { mut layer, .. } = std::mem::take(&mut self.protection) {
            layer.shrink();
            layer.write(&std::mem::take(&mut self.backlog))?;
            self.protection = Protection::Tls(layer);
        }
        Ok(Ok(description))
    }

    /// Protect nothing more, after what was written before.
    pub(crate) fn stop(&mut self) {
        self.protection = match std::mem::take(&mut self.protection) {
            Protection::Tls(mut layer) => {
                layer.close();
                layer.drain(&mut self.backlog);
                Protection::Stopping(layer)
            }
            other => other,
        };
    }

    /// Nothing can be said or heard any more.
    pub(crate) fn break_off(&mut self) {
        self.protection = Protection::Broken;
    }

    /// Say a last line, as far as the socket takes it.
    pub(crate) fn close(&mut self, socket: &Stream, last: &[u8]) {
        // Whoever cannot be told finds the connection closed.
        let _ = self.send(socket, last);
        if let Protection::Tls(layer) = &mut self.protection {
            layer.close();
            let _ = layer.flush(socket);
        }
    }

    /// What protects it.
    pub(crate) fn protection(&self) -> Option<String> {
        self.layer().map(Layer::description)
    }

    /// What ties data connections to it, since it was first protected.
    pub(crate) fn bond(&self) -> Option<Arc<Bond>> {
        self.bond.clone()
    }

    /// The certificate that the client has shown, in DER.
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        self.layer()?.certificate().map(<[u8]>::to_vec)
    }

    fn layer(&self) -> Option<&Layer> {
        match &self.protection {
            Protection::Tls(layer) => Some(layer),
            _ => None,
        }
    }
}
