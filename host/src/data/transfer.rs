//! Files on their way: octets go between file and socket inside the kernel or this process, never
//! through the guest.
//!
//! A transfer moves only while its session waits for it, on the thread that waits: no task, no hand-over.
//! What may wait for a disk is done on a thread of its own.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, coop, spawn_blocking, yield_now};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;

use super::cache;
use super::extent::{Extent, read};
use super::protected::Protected;
use super::receiving::Receiving;
use super::socket::{LITTLE, Socket};
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

/// From the file to the socket, inside the kernel.
struct Sending {
    extent: Extent,
    /// A piece that waits for the disk.
    cold: Option<JoinHandle<io::Result<usize>>>,
}

impl Transfer {
    /// Send up to `length` octets from `offset`.
    pub(super) fn send(socket: Arc<Socket>, file: File, offset: u64, length: u64, disk: Arc<Mutex<()>>) -> Self {
        let extent = Extent::new(offset, offset.saturating_add(length));
        let way = match socket.protected() {
            true => Way::Protect(Protected::new(extent)),
            false => Way::Send(Sending { extent, cold: None }),
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

impl Sending {
    /// Send a piece: its octets, and whether there may be more.
    async fn piece(
        &mut self,
        socket: &Arc<Socket>,
        file: &File,
        disk: &Arc<Mutex<()>>,
    ) -> Result<(u64, bool), TransferError> {
        let sent = match &mut self.cold {
            Some(work) => {
                let sent = work.await.unwrap_or_else(|error| Err(io::Error::other(error)));
                self.cold = None;
                sent
            }
            None => {
                let (offset, length) = (self.extent.offset, self.extent.next(file, PIECE)?);
                if length == 0 {
                    return Ok((0, false));
                }
                // What was written before goes first.
                if !socket.relieve().map_err(TransferError::Connection)? {
                    socket.wait(Interest::WRITABLE).await.map_err(TransferError::Connection)?;
                    return Ok((0, true));
                }
                if !cache::holds(file.as_fd(), offset, length) {
                    let alone = disk.clone().lock_owned().await;
                    let (socket, file) = (socket.clone(), file.clone());
                    self.cold = Some(spawn_blocking(move || {
                        let _alone = alone;
                        sendfile(&socket, &file, offset, length)
                    }));
                    return Ok((0, true));
                }
                if length < LITTLE as u64 && self.extent.ends_with(length) {
                    let (octets, read) = read(file, offset, length, Vec::new());
                    // Fewer: the file has become shorter.
                    if read.is_err() || (octets.len() as u64) < length {
                        return Err(wit_error(storage::Error::Io));
                    }
                    socket.keep(&octets);
                    return Ok((length, false));
                }
                sendfile(socket, file, offset, length)
            }
        };
        match sent {
            Ok(sent) => {
                self.extent.offset += sent as u64;
                // None: the file has become shorter, which the next piece finds.
                Ok((sent as u64, sent == 0 || !self.extent.done()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.wait(Interest::WRITABLE).await.map_err(TransferError::Connection)?;
                Ok((0, true))
            }
            Err(error) => Err(blame(&error)),
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

/// Hand octets from the file to the socket inside the kernel; the socket does not block.
fn sendfile(socket: &Socket, file: &File, offset: u64, length: u64) -> io::Result<usize> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    socket.stream.attempt(Interest::WRITABLE, || {
        let mut offset = offset;
        Ok(rustix::fs::sendfile(&socket.stream, file, Some(&mut offset), length)?)
    })
}

/// sendfile(2) fails for the socket's sake with these, and for the file's with others.
fn blame(error: &io::Error) -> TransferError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | TimedOut => {
            TransferError::Connection(Error::Broken)
        }
        _ => TransferError::Storage(storage::Error::Io.into()),
    }
}

pub(super) fn wit_error(error: storage::Error) -> TransferError {
    TransferError::Storage(error.into())
}

/// Octets that are handed over at once: little beside the cost of a system call, and not so much that a
/// cold disk keeps a thread for long.
const PIECE: u64 = 2 * 1024 * 1024;

/// Octets after which others have their turn: more than small files have, and a fraction of a millisecond.
const TURN: u64 = 1024 * 1024;

#[cfg(test)]
pub(super) mod tests;
