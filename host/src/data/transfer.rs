//! Files on their way: octets go between file and socket inside the kernel or this process, never
//! through the guest.
//!
//! A transfer moves only while its session waits for it, on the thread that waits: no task, no hand-over.
//! What may wait for a disk is done on a thread of its own, and so are large files of which a thread sends several.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::{coop, yield_now};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;

use super::extent::Extent;
use super::protected::Protected;
use super::receiving::Receiving;
use super::sending::Sending;
use super::socket::Socket;
use crate::bindings::ftpd::server::data::{Error, TransferError};
use crate::now::now;
use crate::storage::{self, File};

/// A file on its way.
pub struct Transfer {
    socket: Arc<Socket>,
    file: File,
    /// See [`SessionCtx::disk`](crate::session::SessionCtx::disk).
    disk: Arc<Mutex<()>>,
    moved: u64,
    way: Way,
    result: Option<Result<u64, TransferError>>,
}

enum Way {
    Send(Sending),
    Protect(Protected),
    Receive(Receiving),
}

impl Transfer {
    /// Send up to `length` octets from `offset`.
    pub(super) fn send(socket: Arc<Socket>, file: File, offset: u64, length: u64, disk: Arc<Mutex<()>>) -> Self {
        let extent = Extent::new(offset, offset.saturating_add(length));
        let way = match socket.protected() {
            true => Way::Protect(Protected::new(extent)),
            false => Way::Send(Sending::new(extent)),
        };
        Self::new(socket, file, disk, way)
    }

    pub(super) fn receive(socket: Arc<Socket>, file: File, disk: Arc<Mutex<()>>) -> Self {
        Self::new(socket, file, disk, Way::Receive(Receiving::new()))
    }

    fn new(socket: Arc<Socket>, file: File, disk: Arc<Mutex<()>>, way: Way) -> Self {
        Self { socket, file, disk, moved: 0, way, result: None }
    }

    /// End it, and give back what it was between.
    pub(super) fn stop(self) -> (Arc<Socket>, File) {
        (self.socket, self.file)
    }

    pub(super) fn count(&self) -> u64 {
        self.moved
    }

    pub(super) fn finish(&mut self) -> Result<u64, TransferError> {
        // A small file is done in one step.
        now(self.step());
        self.result.unwrap_or(Err(TransferError::Connection(Error::Pending)))
    }

    /// Move a piece, unless all are moved. Cancel safe.
    async fn step(&mut self) {
        if self.result.is_some() {
            return;
        }
        let moved = match &mut self.way {
            Way::Send(send) => send.piece(&self.socket, &self.file, &self.disk).await,
            Way::Protect(protect) => protect.piece(&self.socket, &self.file, &self.disk).await,
            Way::Receive(receive) => receive.piece(&self.socket, &self.file, &self.disk).await,
        };
        match moved {
            Ok((octets, more)) => {
                self.moved += octets;
                if octets > 0 {
                    self.socket.touch();
                }
                if !more {
                    self.result = Some(Ok(self.moved));
                }
            }
            Err(error) => self.result = Some(Err(error)),
        }
    }
}

#[async_trait]
impl Pollable for Transfer {
    async fn ready(&mut self) {
        let mut turn = self.moved;
        while self.result.is_none() {
            self.step().await;
            // Other sessions have their turn, and so has this one's control connection, which the runtime looks at
            // when there is nothing else to do.
            if self.moved - turn >= TURN {
                turn = self.moved;
                yield_now().await;
            } else {
                coop::consume_budget().await;
            }
        }
    }
}

pub(super) fn wit_error(error: storage::Error) -> TransferError {
    TransferError::Storage(error.into())
}

/// Octets after which others have their turn: more than small files have, and a fraction of a millisecond.
const TURN: u64 = 1024 * 1024;

#[cfg(test)]
pub(super) mod tests;
