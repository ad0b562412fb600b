//! Files on their way: octets go between file and socket inside the kernel or this process, never
//! through the guest.
//!
//! A transfer moves only while its session waits for it, on the thread that waits: no task, no hand-over.
//! What may wait for a disk is done on a thread of its own.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::task::{JoinHandle, coop, spawn_blocking};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;

use super::cache;
use super::now::now;
use super::socket::Socket;
use crate::attempt::{self, attempt};
use crate::bindings::ftpd::server::data::{Error, TransferError};
use crate::storage::{self, File};

/// A file on its way.
pub struct Transfer {
    socket: Arc<Socket>,
    file: File,
    moved: u64,
    way: Way,
    result: Option<Result<u64, TransferError>>,
}

enum Way {
    /// From the file at this offset to the socket; the work that may wait for the disk.
    Send { offset: u64, cold: Option<JoinHandle<io::Result<usize>>> },
    /// From the socket to the file; the buffer is away while it is being written.
    Receive { buffer: Vec<u8>, writing: Option<JoinHandle<Written>> },
}

/// The buffer, emptied, and whether what was in it is in the file.
type Written = (Vec<u8>, Result<(), storage::Error>);

impl Transfer {
    pub(super) fn send(socket: Arc<Socket>, file: File, offset: u64) -> Self {
        Self::new(socket, file, Way::Send { offset, cold: None })
    }

    pub(super) fn receive(socket: Arc<Socket>, file: File) -> Self {
        Self::new(socket, file, Way::Receive { buffer: Vec::new(), writing: None })
    }

    fn new(socket: Arc<Socket>, file: File, way: Way) -> Self {
        Self { socket, file, moved: 0, way, result: None }
    }

    pub(super) fn count(&self) -> u64 {
        self.moved
    }

    pub(super) fn finish(&mut self) -> Result<u64, TransferError> {
        if self.result.is_none() {
            now(self.settle());
        }
        self.result.unwrap_or(Err(TransferError::Connection(Error::Pending)))
    }

    /// Move octets until all are moved. Cancel safe.
    async fn settle(&mut self) {
        while self.result.is_none() {
            let step = match self.way {
                Way::Send { .. } => self.send_some().await,
                Way::Receive { .. } => self.receive_some().await,
            };
            match step {
                Ok(true) => {}
                Ok(false) => self.result = Some(Ok(self.moved)),
                Err(error) => self.result = Some(Err(error)),
            }
            // Other sessions have their turn, and so has this one's control connection.
            coop::consume_budget().await;
        }
    }

    /// Send a piece; false at the end of the file.
    async fn send_some(&mut self) -> Result<bool, TransferError> {
        let Way::Send { offset, cold } = &mut self.way else { return Ok(false) };
        let sent = match cold {
            Some(work) => {
                let sent = work.await.unwrap_or_else(|error| Err(io::Error::other(error)));
                *cold = None;
                sent
            }
            None => {
                let size = self.file.size().map_err(wit_error)?;
                let length = size.saturating_sub(*offset).min(PIECE);
                if length == 0 {
                    return Ok(false);
                }
                if !cache::holds(self.file.as_fd(), *offset, length) {
                    let (socket, file, offset) = (self.socket.clone(), self.file.clone(), *offset);
                    *cold = Some(spawn_blocking(move || sendfile(&socket, &file, offset, length)));
                    return Ok(true);
                }
                sendfile(&self.socket, &self.file, *offset, length)
            }
        };
        match sent {
            // The file has become shorter.
            Ok(0) => Ok(false),
            Ok(sent) => {
                *offset += sent as u64;
                self.moved += sent as u64;
                self.socket.touch();
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.wait(Interest::WRITABLE).await.map_err(TransferError::Connection)?;
                Ok(true)
            }
            Err(error) => Err(blame(&error)),
        }
    }

    /// Receive a piece; false when the client has sent everything.
    async fn receive_some(&mut self) -> Result<bool, TransferError> {
        let Way::Receive { buffer, writing } = &mut self.way else { return Ok(false) };
        if let Some(work) = writing {
            let (empty, result) = work.await.unwrap_or_else(|_| (Vec::new(), Err(storage::Error::Io)));
            (*buffer, *writing) = (empty, None);
            result.map_err(wit_error)?;
        }
        if buffer.capacity() == 0 {
            buffer.reserve_exact(BUFFER);
        }
        let end = loop {
            match attempt::receive(&self.socket.stream, buffer) {
                Ok(0) => break true,
                Ok(_) if buffer.len() == buffer.capacity() => break false,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(_) if buffer.is_empty() => return Err(TransferError::Connection(Error::Broken)),
                // What came before is written first; the error is found again by the next read.
                Err(_) => break false,
            }
        };
        if buffer.is_empty() {
            if !end {
                self.socket.wait(Interest::READABLE).await.map_err(TransferError::Connection)?;
            }
            return Ok(!end);
        }
        self.moved += buffer.len() as u64;
        self.socket.touch();
        if buffer.len() <= SMALL {
            self.file.write(buffer).map_err(wit_error)?;
            buffer.clear();
        } else {
            let (full, file) = (std::mem::take(buffer), self.file.clone());
            *writing = Some(spawn_blocking(move || {
                let result = file.write(&full);
                let mut empty = full;
                empty.clear();
                (empty, result)
            }));
        }
        Ok(true)
    }
}

#[async_trait]
impl Pollable for Transfer {
    async fn ready(&mut self) {
        self.settle().await;
    }
}

/// Hand octets from the file to the socket inside the kernel; the socket does not block.
fn sendfile(socket: &Socket, file: &File, offset: u64, length: u64) -> io::Result<usize> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    attempt(&socket.stream, Interest::WRITABLE, || {
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

fn wit_error(error: storage::Error) -> TransferError {
    TransferError::Storage(error.into())
}

/// Octets that are handed over at once: little beside the cost of a system call, and not so much that a
/// cold disk keeps a thread for long.
const PIECE: u64 = 2 * 1024 * 1024;

/// Octets that are received before they are written: as large as Pure-FTPd's, for few wake-ups.
const BUFFER: usize = 512 * 1024;

/// Octets that are written without a thread of their own: they fit in the page cache.
const SMALL: usize = 64 * 1024;
